//! When a module may be loaded again: in a second of `ProxySQL`'s clock that no load of it was in.

use std::collections::BTreeMap;
use std::time::Duration;

use super::module::Module;
use super::observation::Observation;

/// By how much the clock that epochs are taken from may be behind the one that a statement reads: the kernel moves the former once in a
/// tick.
const LAG: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);

/// `ProxySQL`'s clock as last read, and the seconds that loads were in. Times are on a clock of the caller's that only moves forward.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// What it read, and when that was known.
    read: Option<(i64, Duration, Duration)>,
    /// The second that each module was last loaded in, here or where it was pulled from.
    epochs: BTreeMap<Module, i64>,
    /// Loads that no observation followed yet: when they had ended.
    sent: BTreeMap<Module, Duration>,
}

impl Clock {
    /// Takes note of an observation that was read at `now`.
    pub fn note(&mut self, seen: &Observation, now: Duration) {
        self.read = Some((seen.clock, seen.into_second, now));
        // A module at version 1 is pulled by nobody.
        let loaded = Module::all().filter_map(|module| Some((module, seen.own(module)?)));
        self.epochs = loaded.filter(|(_, own)| own.version > 1).map(|(module, own)| (module, own.epoch)).collect();
        self.sent.clear();
    }

    /// A load was sent, and its answer, if there was one, is here.
    pub fn loaded(&mut self, module: Module, now: Duration) {
        self.sent.insert(module, now);
    }

    /// When the module may be loaded, if that is not at `now`.
    pub fn free(&self, module: Module, now: Duration) -> Option<Duration> {
        if let Some(sent) = self.sent.get(&module) {
            // It was in this second at the latest.
            let end = self.end_of_second(*sent).unwrap_or(*sent + SECOND) + LAG;
            return (now < end).then_some(end);
        }
        let (second, into, at) = self.read?;
        // Where the clock was ahead or has been set back, no second is better than this one.
        let age = second.checked_sub(*self.epochs.get(&module)?)?;
        let rest = match age {
            0 => SECOND,
            1 => Duration::ZERO,
            _ => return None,
        };
        let end = (at + rest + LAG).saturating_sub(into);
        (now < end).then_some(end)
    }

    /// The end of the second that `then` is in.
    fn end_of_second(&self, then: Duration) -> Option<Duration> {
        let (_, into, at) = self.read?;
        let since = then.checked_sub(at)? + into;
        let rest = SECOND.saturating_sub(Duration::new(0, since.subsec_nanos()));
        Some(then + rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::proxysql::observation::Checksum;

    const LIST: Module = Module::ProxysqlServers;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn read(clock: i64, into: u64, epoch: i64) -> Observation {
        let own = Checksum { version: 2, epoch, checksum: "0xA".into() };
        let own = BTreeMap::from([("proxysql_servers".to_owned(), own)]);
        Observation { clock, into_second: ms(into), own, ..Observation::default() }
    }

    #[test]
    fn a_load_waits_for_the_next_second_and_no_longer() {
        let mut clock = Clock::default();
        assert_eq!(clock.free(LIST, ms(0)), None, "nothing was loaded");
        clock.note(&read(100, 300, 90), ms(5_000));
        assert_eq!(clock.free(LIST, ms(5_000)), None);
        clock.loaded(LIST, ms(5_010));
        assert_eq!(clock.free(LIST, ms(5_020)), Some(ms(5_720)));
        assert_eq!(clock.free(LIST, ms(5_720)), None);
        assert_eq!(clock.free(Module::MysqlUsers, ms(5_020)), None, "another module");
    }

    #[test]
    fn a_load_that_took_long_counts_as_in_its_last_second() {
        let mut clock = Clock::default();
        clock.note(&read(100, 900, 90), ms(0));
        clock.loaded(LIST, ms(2_500));
        assert_eq!(clock.free(LIST, ms(2_600)), Some(ms(3_120)));
    }

    #[test]
    fn loads_of_others_count_as_well() {
        let mut clock = Clock::default();
        clock.note(&read(100, 300, 100), ms(5_000));
        assert_eq!(clock.free(LIST, ms(5_000)), Some(ms(5_720)));
        assert_eq!(clock.free(LIST, ms(5_720)), None);
    }

    #[test]
    fn an_epoch_in_the_future_holds_nothing_up() {
        let mut clock = Clock::default();
        clock.note(&read(100, 300, 7_000), ms(5_000));
        assert_eq!(clock.free(LIST, ms(5_000)), None);
        clock.note(&read(100, 5, 99), ms(6_000));
        assert_eq!(clock.free(LIST, ms(6_000)), Some(ms(6_015)), "that clock may still read 99");
        clock.note(&read(100, 20, 99), ms(6_000));
        assert_eq!(clock.free(LIST, ms(6_000)), None);
    }
}
