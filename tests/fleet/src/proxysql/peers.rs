//! What a node knows of its peers, and the rule by which it pulls from one of them. No I/O in here.

use std::collections::BTreeMap;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::modules::Checksum;
use super::schema::{Module, SUM_NAMES};
use super::store::TextRow;

/// Host and port, as a row of `proxysql_servers` names them.
pub(crate) type PeerName = (String, u16);

/// A module of a peer, as last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) sum: Checksum,
    pub(crate) changed_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) differing: u64,
}

/// The figures that are read once in a while.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) response_ms: u128,
    pub(crate) uptime: u64,
    pub(crate) queries: u64,
    pub(crate) connected: u64,
    pub(crate) created: u64,
    pub(crate) read_at: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub(crate) weight: String,
    pub(crate) comment: String,
    pub(crate) modules: BTreeMap<&'static str, Seen>,
    pub(crate) global: Option<String>,
    pub(crate) figures: Option<Figures>,
    pub(crate) token: CancellationToken,
}

/// What one check of a peer asks for, by module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Nothing,
    /// The peer is newer, has differed for long enough.
    Pull,
    /// Same second, other content: nobody can tell who is right.
    SameEpoch,
    /// The peer has only booted.
    VersionOne,
}

/// The rule. `needed` is `cluster_..._diffs_before_sync`; zero switches a module off.
pub(crate) fn judge(peer: &Seen, own: &Checksum, needed: u64) -> Verdict {
    let repeats = needed > 0 && peer.differing > 0 && peer.differing.is_multiple_of(needed * 10);
    match () {
        () if needed == 0 => Verdict::Nothing,
        () if peer.sum.version <= 1 && repeats => Verdict::VersionOne,
        () if peer.sum.version <= 1 => Verdict::Nothing,
        () if (own.version == 1 || peer.sum.epoch > own.epoch) && peer.differing >= needed => Verdict::Pull,
        () if peer.sum.epoch == own.epoch && repeats => Verdict::SameEpoch,
        () => Verdict::Nothing,
    }
}

/// All peers of a node.
#[derive(Debug, Default)]
pub(crate) struct Peers(pub(crate) BTreeMap<PeerName, Peer>);

impl Peers {
    /// Follows the rows of `runtime_proxysql_servers`; the peers that are new are returned, to be watched.
    pub(crate) fn follow(&mut self, rows: &[TextRow]) -> Vec<(PeerName, CancellationToken)> {
        let mut wanted = BTreeMap::new();
        for row in rows {
            if let [Some(host), Some(port), weight, comment] = &row[..] {
                let name = (host.clone(), port.parse().unwrap_or_default());
                wanted.insert(name, (weight.clone().unwrap_or_default(), comment.clone().unwrap_or_default()));
            }
        }
        self.0.retain(|name, peer| {
            let stays = wanted.contains_key(name);
            if !stays {
                peer.token.cancel();
            }
            stays
        });
        let mut new = Vec::new();
        for (name, (weight, comment)) in wanted {
            let peer = self.0.entry(name.clone()).or_insert_with(|| {
                let peer = Peer::default();
                new.push((name, peer.token.clone()));
                peer
            });
            peer.weight = weight;
            peer.comment = comment;
        }
        new
    }

    /// One successful check: the peer's rows if they were read again, nothing if its global checksum stood still.
    pub(crate) fn checked(
        &mut self,
        name: &PeerName,
        rows: Option<&[TextRow]>,
        own: &BTreeMap<&'static str, Checksum>,
        now: i64,
    ) {
        let Some(peer) = self.0.get_mut(name) else { return };
        let equals = |module: &str, checksum: &str| own.get(module).is_some_and(|sum| sum.checksum == checksum);
        let Some(rows) = rows else {
            for module in SUM_NAMES {
                let seen = peer.modules.entry(module).or_default();
                seen.updated_at = now;
                seen.differing = match seen.differing {
                    0 => 0,
                    _ if equals(module, &seen.sum.checksum) => 0,
                    count => count + 1,
                };
            }
            return;
        };
        for row in rows {
            let [Some(row_name), Some(version), Some(epoch), Some(checksum)] = &row[..] else { continue };
            let Some(module) = SUM_NAMES.iter().find(|module| *module == row_name) else { continue };
            let seen = peer.modules.entry(module).or_default();
            seen.updated_at = now;
            seen.sum.version = version.parse().unwrap_or_default();
            seen.sum.epoch = epoch.parse().unwrap_or_default();
            if seen.sum.checksum == *checksum {
                seen.differing += 1;
            } else {
                seen.sum.checksum.clone_from(checksum);
                seen.changed_at = now;
                seen.differing = 1;
            }
            if equals(module, checksum) {
                seen.differing = 0;
            }
        }
    }

    /// Modules that this peer's last check makes a node pull, and the conflicts it shows.
    pub(crate) fn verdicts(
        &self,
        name: &PeerName,
        own: &BTreeMap<&'static str, Checksum>,
        needed: impl Fn(Module) -> u64,
    ) -> Vec<(Module, Verdict)> {
        let Some(peer) = self.0.get(name) else { return Vec::new() };
        let judged = Module::ALL.into_iter().filter_map(|module| {
            let synced_as = module.synced_as()?;
            let verdict = judge(peer.modules.get(synced_as)?, own.get(synced_as)?, needed(module));
            (verdict != Verdict::Nothing).then_some((module, verdict))
        });
        judged.collect()
    }

    /// Whom to pull a module from: the newest epoch, once it has differed for long enough.
    pub(crate) fn source(&self, module: Module, needed: u64) -> Option<(PeerName, BTreeMap<&'static str, Checksum>)> {
        let synced_as = module.synced_as()?;
        let newest = self
            .0
            .iter()
            .filter_map(|(name, peer)| Some((name, peer, peer.modules.get(synced_as)?)))
            .filter(|(_, _, seen)| seen.sum.version > 1)
            .max_by_key(|(_, _, seen)| (seen.sum.epoch, seen.differing >= needed))?;
        let (name, peer, seen) = newest;
        (seen.differing >= needed)
            .then(|| (name.clone(), peer.modules.iter().map(|(module, seen)| (*module, seen.sum.clone())).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(version: u64, epoch: i64, differing: u64) -> Seen {
        Seen { sum: Checksum { version, epoch, checksum: "0x1".to_owned() }, differing, ..Seen::default() }
    }

    fn own(version: u64, epoch: i64) -> Checksum {
        Checksum { version, epoch, checksum: "0x2".to_owned() }
    }

    #[test]
    fn only_a_newer_peer_past_version_one_is_pulled_from() {
        assert_eq!(judge(&seen(2, 11, 3), &own(5, 10), 3), Verdict::Pull);
        assert_eq!(judge(&seen(2, 11, 2), &own(5, 10), 3), Verdict::Nothing);
        assert_eq!(judge(&seen(2, 9, 3), &own(5, 10), 3), Verdict::Nothing);
        assert_eq!(judge(&seen(2, 9, 3), &own(1, 10), 3), Verdict::Pull);
        assert_eq!(judge(&seen(1, 11, 3), &own(5, 10), 3), Verdict::Nothing);
        assert_eq!(judge(&seen(1, 11, 30), &own(5, 10), 3), Verdict::VersionOne);
        assert_eq!(judge(&seen(2, 10, 30), &own(5, 10), 3), Verdict::SameEpoch);
        assert_eq!(judge(&seen(2, 10, 31), &own(5, 10), 3), Verdict::Nothing);
        assert_eq!(judge(&seen(2, 11, 300), &own(5, 10), 0), Verdict::Nothing);
    }

    #[test]
    fn a_quiet_peer_counts_only_once_it_has_differed() {
        let mut peers = Peers::default();
        let name = ("a".to_owned(), 6032);
        let list = [vec![Some("a".to_owned()), Some("6032".to_owned()), Some("0".to_owned()), Some(String::new())]];
        assert_eq!(peers.follow(&list).len(), 1);
        let mine = BTreeMap::from([("mysql_users", own(2, 10))]);
        let row = |checksum: &str| [["mysql_users", "2", "11", checksum].map(|text| Some(text.to_owned())).to_vec()];
        let count = |peers: &Peers| peers.0[&name].modules["mysql_users"].differing;
        peers.checked(&name, Some(&row("0x2")), &mine, 100);
        peers.checked(&name, None, &mine, 101);
        assert_eq!(count(&peers), 0);
        // The own content changes: the count stays at nothing, which is why such drift is silent.
        let changed = BTreeMap::from([("mysql_users", Checksum { checksum: "0x3".to_owned(), ..own(3, 12) })]);
        peers.checked(&name, None, &changed, 102);
        assert_eq!(count(&peers), 0);
        peers.checked(&name, Some(&row("0x4")), &changed, 103);
        peers.checked(&name, None, &changed, 104);
        assert_eq!(count(&peers), 2);
        assert_eq!(peers.follow(&list).len(), 0);
        assert_eq!(count(&peers), 2);
        assert!(peers.follow(&[]).is_empty());
        assert!(peers.0.is_empty());
    }
}
