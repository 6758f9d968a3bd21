//! Query digests, and the table that holds them until their file is written.

pub mod digest;
pub mod staging_table;
