//! What statements are for, to count them by.

use super::Statement;
use crate::domain::counters::StatementClass;

impl Statement {
    /// The kind that it is counted as.
    pub fn class(&self) -> StatementClass {
        match self {
            Self::Observe | Self::IsDrainMarked | Self::ObserveWithFollowers | Self::Checksums | Self::Version => {
                StatementClass::Observe
            }
            Self::Health(_) => StatementClass::Health,
            Self::LoadToRuntime(_) => StatementClass::Load,
            Self::MarkPublished(..)
            | Self::ForgetPublished(_)
            | Self::LockMemory(_)
            | Self::LockAge
            | Self::UnlockMemory
            | Self::Record(_)
            | Self::Copies => StatementClass::Mark,
            Self::Sessions(_)
            | Self::KillConnection(_)
            | Self::MarkDrain
            | Self::OwnValues
            | Self::UnmarkDrain
            | Self::Changed
            | Self::Listener
            | Self::SetVariables(..)
            | Self::RestoreVariables(_)
            | Self::Tick => StatementClass::Drain,
            Self::Pause(_) | Self::Resume(_) | Self::Shutdown => StatementClass::Command,
            _ => StatementClass::Compare,
        }
    }
}
