//! `ProxySQL`'s admin interface: its modules, every statement that is sent, and one observation as it answers.

pub mod module;
pub mod observation;
pub mod spacing;
pub mod statement;
