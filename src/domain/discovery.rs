//! The cores as pods, a name or a list tell of them.

pub mod addresses;
pub mod resolution;
pub mod roster;
