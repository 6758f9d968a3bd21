//! One file per subcommand.

pub mod check;
pub mod plan;
pub mod shutdown;
pub mod status;
