//! What the reconcilers want said, and what of it was said before.

use tracing::{debug, info, warn};

use super::super::Proxysql;
use crate::domain::cluster::generation::Standing;
use crate::domain::cluster::member::{Member, Members};
use crate::domain::proxysql::statement::Module;
use crate::domain::tally::{Count, Guard};

/// Something that a reconciler found or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    /// Whether this core, of that pod, publishes the file: said when it changes.
    Publishing(Standing, Option<String>),
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
    publishing: Option<Standing>,
    left: Option<String>,
}

impl NoteLog {
    /// Says it, and counts what is counted.
    pub(super) fn say<P: Proxysql>(&mut self, note: Note, admin: &P) {
        match note {
            Note::Publishing(standing, pod) => self.publishing(standing, pod.as_deref(), admin),
            Note::NotPublishing(reason) => warn!(%reason, "asked to publish the file, and not doing so"),
            Note::NotHeard(strangers) => {
                info!(strangers, "not publishing the file yet: other cores do not list the same members");
            }
            Note::NoCore => {
                warn!("no core pod is running, says the API server; the last members stay");
                admin.count(Count::Refusal(Guard::EmptyList));
            }
            Note::Contradicted => {
                debug!("another member has loaded another list of members; looking for cores anew before undoing that");
            }
            Note::LooksDiffer => debug!("two looks at the list of members do not agree; looking again"),
            Note::LoadedForFollower => {
                info!("a satellite connected; loaded the list of members once more, for its own may be newer");
            }
            Note::Changed { members, difference: ListDifference { added, removed }, loaded } => {
                info!(members, added, removed, loaded, "members changed");
            }
            Note::LoadedOnce(module) => info!(%module, "loaded once, unchanged: at version 1 no node would pull it"),
            Note::ConflictResolved(module) => {
                warn!(%module, "a peer loaded other content in the same second; loaded once more");
            }
        }
    }

    fn publishing<P: Proxysql>(&mut self, standing: Standing, pod: Option<&str>, admin: &P) {
        if self.publishing.as_ref() == Some(&standing) {
            return;
        }
        match &standing {
            Standing::Unknown => warn!(
                pod = pod.unwrap_or("unknown"),
                "publishing, without knowing whether another pod has a newer configuration: this one is not among the core pods"
            ),
            Standing::Older { newer, by } => {
                info!(%newer, %by, "not publishing the file: a newer generation does; waiting for its configuration");
                admin.count(Count::Refusal(Guard::OlderGeneration));
            }
            Standing::Undecided => {
                debug!("not publishing the file yet: which generation is the newest is being asked");
            }
            Standing::Newest { .. } => {}
        }
        self.publishing = Some(standing);
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
                removed, "another core has changed the members while the search for cores fails; leaving that to it"
            );
            self.left = checksum;
        }
    }
}
