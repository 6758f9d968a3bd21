//! The pods with their history: what a list shows, what a watch replays, and from where on it cannot any more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::pod::{PodKey, PodSpec};

/// How many changes a watch can be behind, as with the watch cache of a real server.
const HISTORY: usize = 20_000;
/// Where revisions start: nobody may expect 1.
const FIRST_REVISION: u64 = 41_300;

/// A pod at the revision of its last change.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) revision: u64,
    pub(super) pod: Arc<PodSpec>,
}

/// One change: what was there, what is there now.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) revision: u64,
    pub(super) before: Option<Stored>,
    pub(super) after: Option<Arc<PodSpec>>,
}

pub(super) type Pods = BTreeMap<PodKey, Stored>;

#[derive(Debug)]
pub(super) struct Store {
    pods: Pods,
    history: VecDeque<Change>,
    revision: u64,
}

/// The revision asked for is older than the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooOld {
    pub(super) oldest: u64,
}

impl Store {
    pub(super) fn new() -> Self {
        Self { pods: BTreeMap::new(), history: VecDeque::new(), revision: FIRST_REVISION }
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn pods(&self) -> &Pods {
        &self.pods
    }

    /// Puts a pod in the place of the one of its name.
    pub(super) fn put(&mut self, pod: PodSpec) -> u64 {
        let key = pod.key();
        let pod = Arc::new(pod);
        self.revision += 1;
        let before = self.pods.insert(key, Stored { revision: self.revision, pod: pod.clone() });
        self.record(before, Some(pod))
    }

    /// Takes a pod away; `None` if there was none.
    pub(super) fn remove(&mut self, key: &PodKey) -> Option<u64> {
        let before = self.pods.remove(key)?;
        self.revision += 1;
        Some(self.record(Some(before), None))
    }

    /// Forgets the history, so that every revision but the present one is too old.
    pub(super) fn compact(&mut self) {
        self.history.clear();
    }

    /// What changed after this revision.
    pub(super) fn since(&self, revision: u64) -> Result<impl Iterator<Item = &Change>, TooOld> {
        let oldest = self.oldest();
        if revision < oldest {
            return Err(TooOld { oldest });
        }
        let from = self.history.partition_point(|change| change.revision <= revision);
        Ok(self.history.range(from..))
    }

    /// The pods as they were at this revision.
    pub(super) fn at(&self, revision: u64) -> Result<Pods, TooOld> {
        let mut pods = self.pods.clone();
        for change in self.since(revision)?.collect::<Vec<_>>().into_iter().rev() {
            if let Some(after) = &change.after {
                pods.remove(&after.key());
            }
            if let Some(before) = &change.before {
                pods.insert(before.pod.key(), before.clone());
            }
        }
        Ok(pods)
    }

    /// The oldest revision from which everything that followed is still known.
    fn oldest(&self) -> u64 {
        self.history.front().map_or(self.revision, |change| change.revision - 1)
    }

    fn record(&mut self, before: Option<Stored>, after: Option<Arc<PodSpec>>) -> u64 {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(Change { revision: self.revision, before, after });
        self.revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_can_be_replayed_and_undone_until_it_is_compacted() {
        let mut store = Store::new();
        let one = store.put(PodSpec::new("a", "one"));
        let two = store.put(PodSpec::new("a", "two"));
        let changed = store.put(PodSpec::new("a", "one").phase("Pending"));
        store.remove(&("a".to_owned(), "two".to_owned()));
        let names = |pods: Pods| pods.into_keys().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names(store.at(one).unwrap()), ["one"]);
        assert_eq!(names(store.at(two).unwrap()), ["one", "two"]);
        assert_eq!(store.at(two).unwrap()[&("a".to_owned(), "one".to_owned())].revision, one);
        assert_eq!(names(store.pods().clone()), ["one"]);
        assert_eq!(store.since(two).unwrap().map(|change| change.revision).collect::<Vec<_>>(), [changed, changed + 1]);
        store.compact();
        assert_eq!(store.since(two).err(), Some(TooOld { oldest: store.revision() }));
        assert_eq!(store.since(store.revision()).unwrap().count(), 0);
    }
}
