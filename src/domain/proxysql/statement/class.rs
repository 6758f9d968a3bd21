//! What statements are for, to count them by.

use super::Statement;
use crate::domain::tally::Class;

impl Statement {
    /// The kind that it is counted as.
    pub fn class(&self) -> Class {
        match self {
            Self::Observe | Self::IsDrainMarked | Self::ObserveWithFollowers | Self::Checksums | Self::Version => {
                Class::Observe
            }
            Self::Health(_) => Class::Health,
            Self::LoadToRuntime(_) => Class::Load,
            Self::MarkPublished(..)
            | Self::ForgetPublished(_)
            | Self::Claim(_)
            | Self::ClaimAge
            | Self::Release
            | Self::Record(_)
            | Self::Copies => Class::Mark,
            Self::Sessions(_)
            | Self::KillConnection(_)
            | Self::MarkDrain
            | Self::OwnValues
            | Self::UnmarkDrain
            | Self::Changed
            | Self::Listener
            | Self::SetVariables(..)
            | Self::RestoreVariables(_)
            | Self::Tick => Class::Drain,
            Self::Pause(_) | Self::Resume(_) | Self::Shutdown => Class::Command,
            _ => Class::Draft,
        }
    }
}
