//! Which cores run: what pods, a name or a list say of them, in one form.

pub mod addresses;
pub mod discovered;
pub mod pods;
pub mod resolution;
