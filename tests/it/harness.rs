//! What the scenarios share.

pub(crate) mod life;
pub(crate) mod scene;
pub(crate) mod support;
