//! Where this node and its peers disagree.
//!
//! `ProxySQL` counts differences, but only those that begin at the peer: where this node changed, the count stays at 0, nothing is
//! logged, and the node never follows again. So checksums and epochs are compared here.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::member::Member;
use crate::domain::proxysql::observation::{Checksum, Observation, Peer};
use crate::domain::proxysql::statement::Module;

/// How a peer, or a module of a peer, stands to this node's. What is not named is in sync.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftClass {
    /// The peer's is newer: this node is about to pull it.
    Pending,
    /// They differ, and both are fresh from the start, or the peer alone is: nobody pulls that until it is loaded there.
    BlockedAtVersion1,
    /// Both were loaded in the same second with different content: nobody pulls either.
    EqualEpochs,
    /// This node's is newer: it does not follow the peer, and `ProxySQL` never says so.
    LocalNewer,
    /// The load that made the content is in the future: until then, loads of nodes whose clock is right reach nobody.
    ClockAhead,
    /// The peer runs another release: `ProxySQL` neither compares nor pulls anything.
    OtherVersion(String),
    /// The peer did not answer this node's checks.
    Unreachable,
    /// It is not what was published here from the configuration file: loaded by hand, or pulled from a peer.
    NotAsPublished,
}

impl DriftClass {
    /// What [`DriftClass::name`] can be.
    pub const NAMES: [&str; 8] = [
        "pending",
        "never_loaded",
        "epoch_conflict",
        "local_newer",
        "clock_ahead",
        "version_mismatch",
        "unreachable",
        "not_as_published",
    ];

    /// The name of the class, as metrics and pages show it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::BlockedAtVersion1 => "never_loaded",
            Self::EqualEpochs => "epoch_conflict",
            Self::LocalNewer => "local_newer",
            Self::ClockAhead => "clock_ahead",
            Self::OtherVersion(_) => "version_mismatch",
            Self::Unreachable => "unreachable",
            Self::NotAsPublished => "not_as_published",
        }
    }
}

impl fmt::Display for DriftClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending: the peer has a newer version, not synced yet",
            Self::BlockedAtVersion1 => {
                "never loaded since the start (version 1): no node syncs it until it is loaded once"
            }
            Self::EqualEpochs => "epoch conflict: loaded in the same second with different content; neither node syncs",
            Self::LocalNewer => "local newer: the local version is newer, so this node no longer syncs",
            Self::ClockAhead => {
                "clock ahead: loaded by a node whose clock is ahead; later loads are ignored until that time"
            }
            Self::OtherVersion(version) => {
                return write!(f, "version mismatch: the peer runs ProxySQL {version}; nothing is synced");
            }
            Self::Unreachable => "unreachable: the peer does not answer",
            Self::NotAsPublished => "not as published: loaded by hand or synced since the file was published",
        })
    }
}

/// What a divergence is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Subject {
    /// The peer's address as listed; `None` for this node itself.
    pub peer: Option<(String, u16)>,
    /// The module; `None` for all of the peer's.
    pub module: Option<Module>,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.module, &self.peer) {
            (Some(module), Some((host, port))) => write!(f, "{module} of {}", Member::of_pod(host, *port, "")),
            (Some(module), None) => write!(f, "{module} here"),
            (None, Some((host, port))) => write!(f, "{}", Member::of_pod(host, *port, "")),
            (None, None) => f.write_str("this node"),
        }
    }
}

/// Everything that is not in sync.
pub type Divergences = BTreeMap<Subject, DriftClass>;

/// Clocks of nodes differ; an epoch that is further ahead than this is a mistake.
const CLOCK_TOLERANCE: i64 = 5;

/// How long a node's list may be newer than its peers', which is what healing looks like.
const HEALING: Duration = Duration::from_mins(1);

/// Classes of all modules of all peers. `versions` are releases of peers that were asked for theirs, `own_version` is this node's.
pub fn classify(
    seen: &Observation,
    own: Option<&Member>,
    versions: &BTreeMap<(String, u16), String>,
    own_version: Option<&str>,
) -> Divergences {
    let mut found = Divergences::new();
    for peer in seen.peers.iter().filter(|peer| own.is_none_or(|own| own.key() != (peer.hostname.as_str(), peer.port)))
    {
        let key = (peer.hostname.clone(), peer.port);
        if !peer.heard {
            let class = match versions.get(&key) {
                Some(version) if own_version.is_some_and(|own| own != version) => {
                    DriftClass::OtherVersion(version.clone())
                }
                _ => DriftClass::Unreachable,
            };
            found.insert(Subject { peer: Some(key), module: None }, class);
            continue;
        }
        for (name, theirs) in &peer.modules {
            let (Some(module), Some(mine)) = (Module::from_checksum_name(name), seen.own.get(name)) else { continue };
            if let Some(class) = class(mine, theirs, seen.clock) {
                found.insert(Subject { peer: Some(key.clone()), module: Some(module) }, class);
            }
        }
    }
    for (module, checksum) in &seen.published {
        let Some(published) = checksum else { continue };
        if seen.own(*module).is_some_and(|own| own.checksum != *published) {
            found.insert(Subject { peer: None, module: Some(*module) }, DriftClass::NotAsPublished);
        }
    }
    found
}

fn class(own: &Checksum, theirs: &Checksum, clock: i64) -> Option<DriftClass> {
    let ahead = |checksum: &Checksum| checksum.version > 1 && checksum.epoch > clock + CLOCK_TOLERANCE;
    if theirs.version == 0 || own.version == 0 {
        // Not known yet, or a module without versions.
        return None;
    }
    if ahead(own) || ahead(theirs) {
        return Some(DriftClass::ClockAhead);
    }
    if own.checksum == theirs.checksum {
        return None;
    }
    Some(match (own.version, theirs.version) {
        (_, 1) => DriftClass::BlockedAtVersion1,
        (1, _) => DriftClass::Pending,
        _ if theirs.epoch > own.epoch => DriftClass::Pending,
        _ if theirs.epoch == own.epoch => DriftClass::EqualEpochs,
        _ => DriftClass::LocalNewer,
    })
}

/// What was found in the looks so far, and what of it was said.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    known: BTreeMap<Subject, KnownDivergence>,
}

#[derive(Debug, Clone)]
struct KnownDivergence {
    class: DriftClass,
    since: Duration,
    said: bool,
}

/// What to say after a look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Divergences that last.
    pub begun: Vec<(Subject, DriftClass)>,
    /// Divergences that were said and are over.
    pub over: Vec<(Subject, DriftClass)>,
    /// There is something that may pass by itself: another look soon tells.
    pub unsettled: bool,
}

impl Watch {
    /// Takes in a look at `now`, a time on a clock of the caller's that only moves forward.
    ///
    /// What this node knows of a peer is as old as its last check, and a pull takes three of those: what is seen once is news on
    /// their way, and only what lasts is worth a word.
    pub fn look(&mut self, found: &Divergences, check_interval: Duration, now: Duration) -> News {
        let mut news = News::default();
        self.known.retain(|subject, known| {
            let lasts = found.get(subject) == Some(&known.class);
            if !lasts && known.said {
                news.over.push((subject.clone(), known.class.clone()));
            }
            lasts
        });
        for (subject, class) in found {
            let known = self.known.entry(subject.clone()).or_insert(KnownDivergence {
                class: class.clone(),
                since: now,
                said: false,
            });
            if known.said {
                continue;
            }
            let patience = patience(subject, class, check_interval);
            if now.saturating_sub(known.since) >= patience {
                known.said = true;
                news.begun.push((subject.clone(), class.clone()));
            } else {
                news.unsettled |= patience < HEALING;
            }
        }
        // Another class of the same is a change, not an end.
        news.over.retain(|(subject, _)| !found.contains_key(subject));
        news
    }

    /// What lasts.
    pub fn lasting(&self) -> impl Iterator<Item = (&Subject, &DriftClass)> {
        self.known.iter().filter(|(_, known)| known.said).map(|(subject, known)| (subject, &known.class))
    }
}

/// How long a divergence must last to be worth a word.
fn patience(subject: &Subject, class: &DriftClass, check_interval: Duration) -> Duration {
    match class {
        // A satellite that has restored its bootstrap row, until a core has seen it connect and loads the list for it.
        DriftClass::LocalNewer if subject.module == Some(Module::ProxysqlServers) => HEALING.max(check_interval * 20),
        // A node that starts has not reached anybody yet.
        DriftClass::Unreachable | DriftClass::OtherVersion(_) => Duration::from_millis(1500),
        // The news that there is a newer one may come after its configuration.
        DriftClass::NotAsPublished => Duration::from_secs(2),
        // Three checks and the pull itself.
        _ => (check_interval * 5).max(Duration::from_secs(1)),
    }
}

/// Modules that this node, whose row is `own`, and peers loaded with different content in the same second, with these peers.
pub fn conflicts<'a>(seen: &'a Observation, own: &Member) -> BTreeMap<Module, Vec<&'a Peer>> {
    let loaded = seen.own.iter().filter(|(_, checksum)| checksum.version > 1);
    let conflict = |(name, checksum): (&String, &Checksum)| {
        let others = seen.peers.iter().filter(|peer| peer.key() != own.key());
        let rivals: Vec<&Peer> =
            others.filter(|peer| peer.modules.get(name).is_some_and(|theirs| conflict(checksum, theirs))).collect();
        Some((Module::from_checksum_name(name)?, rivals)).filter(|(_, rivals)| !rivals.is_empty())
    };
    loaded.filter_map(conflict).collect()
}

fn conflict(own: &Checksum, theirs: &Checksum) -> bool {
    theirs.version > 1 && theirs.epoch == own.epoch && theirs.checksum != own.checksum
}

#[cfg(test)]
mod tests;
