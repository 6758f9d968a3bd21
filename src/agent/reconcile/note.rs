//! What the reconcilers want said, and what of it was said before.

use tracing::{debug, info, warn};

use super::super::proxysql::Tracked;
use crate::domain::cluster::member::{Member, Members};
use crate::domain::cluster::rollout::RolloutState;
use crate::domain::counters::{Count, Guard};
use crate::domain::proxysql::statement::Module;

/// Something that a reconciler found or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    /// Whether this core, of that pod, publishes the file: said when it changes.
    Publishing(RolloutState, Option<String>),
    /// The file was asked to be published, and is not.
    NotPublishing(String),
    /// Other cores do not list the same members, so the file is not published yet. These are the members that others have.
    NotHeard(Option<String>),
    /// There is no core, says discovery: the list stays.
    NoCore,
    /// Another member has loaded another list.
    Contradicted,
    /// Two looks at the list are not the same.
    LooksDiffer,
    /// The list was loaded for a satellite.
    LoadedForFollower,
    /// The list was changed.
    Changed {
        /// So many are listed now.
        members: usize,
        /// Who came and who went.
        difference: ListDifference,
        /// Whether it was loaded.
        loaded: bool,
    },
    /// The initial load of a module was done.
    LoadedOnce(Module),
    /// An epoch conflict was ended.
    ConflictResolved(Module),
}

/// A list that is left to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Left {
    /// Which one it is.
    pub(super) checksum: Option<String>,
    /// What is different from what this core knows.
    pub(super) difference: ListDifference,
}

/// Who comes and who goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListDifference {
    added: Option<String>,
    removed: Option<String>,
}

impl ListDifference {
    /// Between two lists.
    pub(super) fn of(before: &Members, after: &Members) -> Self {
        Self { added: names(after.difference(before)), removed: names(before.difference(after)) }
    }
}

/// Members as a line of a log has them; `None` where there are none.
pub(super) fn names<'a>(members: impl IntoIterator<Item = &'a Member>) -> Option<String> {
    let names: Vec<String> = members.into_iter().map(ToString::to_string).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// What was said last of what is said when it changes. Nothing is decided by it.
#[derive(Debug, Default)]
pub(super) struct NoteLog {
    publishing: Option<RolloutState>,
    left: Option<String>,
}

impl NoteLog {
    /// Says it, and counts what is counted.
    pub(super) fn say<P: Tracked>(&mut self, note: Note, admin: &P) {
        match note {
            Note::Publishing(rollout, pod) => self.publishing(rollout, pod.as_deref(), admin),
            Note::NotPublishing(reason) => warn!(%reason, "publish requested, but this core does not publish"),
            Note::NotHeard(strangers) => {
                info!(strangers, "publish postponed: other cores have a different member list");
            }
            Note::NoCore => {
                warn!("discovery found no running core pod; keeping the current member list");
                admin.count(Count::Refusal(Guard::EmptyList));
            }
            Note::Contradicted => {
                debug!("another member has loaded a different member list; running discovery again before changing it");
            }
            Note::LooksDiffer => debug!("two reads of the member list differ; reading again"),
            Note::LoadedForFollower => {
                info!("a satellite connected; reloaded the member list so that it syncs again");
            }
            Note::Changed { members, difference: ListDifference { added, removed }, loaded } => {
                info!(members, added, removed, loaded, "members changed");
            }
            Note::LoadedOnce(module) => {
                info!(%module, "initial load (unchanged content) so that other nodes can sync it");
            }
            Note::ConflictResolved(module) => {
                warn!(%module, "epoch conflict with a peer resolved by loading again");
            }
        }
    }

    fn publishing<P: Tracked>(&mut self, rollout: RolloutState, pod: Option<&str>, admin: &P) {
        if self.publishing.as_ref() == Some(&rollout) {
            return;
        }
        match &rollout {
            RolloutState::Unknown => warn!(
                pod = pod.unwrap_or("unknown"),
                "own pod not found among the core pods; publishing without a rollout check"
            ),
            RolloutState::Older { newer, by } => {
                info!(%newer, %by, "not publishing: another pod has a newer rollout revision");
                admin.count(Count::Refusal(Guard::OlderGeneration));
            }
            RolloutState::Undecided => {
                debug!("publish postponed: newest rollout revision not known yet");
            }
            RolloutState::Newest { .. } => {}
        }
        self.publishing = Some(rollout);
    }

    /// Says which list is left to others, once for each; `None` where none is.
    pub(super) fn left(&mut self, left: Option<Left>) {
        let Some(Left { checksum, difference: ListDifference { added, removed } }) = left else {
            self.left = None;
            return;
        };
        if self.left != checksum {
            info!(
                added,
                removed,
                "another core has changed the member list while core discovery is failing; leaving it unchanged"
            );
            self.left = checksum;
        }
    }
}
