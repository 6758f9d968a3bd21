//! Commands on their way to the agent: bounded, and none of them lost.

use super::Command;

/// What the agent was asked for and has not taken yet.
///
/// Requests that end the process, hurry or cancel a drain keep their order, and each of them is delivered; the same request made again
/// before it was taken is one request. Everything else only says that something is wanted, and is a flag.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// In the order in which they were made: at most those before a cancellation, the cancellation, and those after it.
    shutdown: Vec<Command>,
    reload: bool,
    resync: bool,
    refresh: bool,
}

impl Pending {
    pub(super) fn add(&mut self, command: Command) {
        match command {
            Command::Refresh => self.refresh = true,
            Command::Reload => self.reload = true,
            Command::Resync => self.resync = true,
            Command::Drain | Command::ForceStop | Command::Cancel | Command::Detach => self.add_shutdown(command),
        }
    }

    fn add_shutdown(&mut self, command: Command) {
        let cancelled = self.shutdown.iter().position(|asked| *asked == Command::Cancel);
        let since = cancelled.map_or(0, |at| at + 1);
        let same = |asked: &Command| *asked == command;
        match cancelled {
            // Of two cancellations the later one decides about all that was asked for before it.
            Some(at) if command == Command::Cancel => {
                self.shutdown.remove(at);
                let mut seen = Vec::new();
                self.shutdown.retain(|asked| {
                    !seen.contains(asked) && {
                        seen.push(*asked);
                        true
                    }
                });
                self.shutdown.push(command);
            }
            _ if self.shutdown[since..].iter().any(same) => {}
            _ => self.shutdown.push(command),
        }
    }

    /// What to do next: what concerns the shutdown first.
    pub(super) fn take(&mut self) -> Option<Command> {
        if !self.shutdown.is_empty() {
            return Some(self.shutdown.remove(0));
        }
        let flags = [
            (&mut self.reload, Command::Reload),
            (&mut self.resync, Command::Resync),
            (&mut self.refresh, Command::Refresh),
        ];
        flags.into_iter().find_map(|(asked, command)| std::mem::take(asked).then_some(command))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHUTDOWN: [Command; 4] = [Command::Drain, Command::ForceStop, Command::Cancel, Command::Detach];

    fn taken(asked: &[Command]) -> Vec<Command> {
        let mut pending = Pending::default();
        for command in asked {
            pending.add(*command);
        }
        std::iter::from_fn(|| pending.take()).collect()
    }

    #[test]
    fn a_flood_of_refreshes_is_one_and_hides_nothing() {
        let mut asked = vec![Command::Refresh; 10_000];
        asked.insert(5_000, Command::Reload);
        asked.extend([Command::Drain, Command::Resync, Command::Drain, Command::ForceStop]);
        let wanted = [Command::Drain, Command::ForceStop, Command::Reload, Command::Resync, Command::Refresh];
        assert_eq!(taken(&asked), wanted);
    }

    #[test]
    fn a_cancellation_keeps_its_place() {
        use Command::{Cancel, Drain, ForceStop};
        assert_eq!(taken(&[Drain, Cancel]), [Drain, Cancel]);
        assert_eq!(taken(&[Cancel, Drain]), [Cancel, Drain]);
        assert_eq!(taken(&[Drain, Cancel, Drain, ForceStop, ForceStop]), [Drain, Cancel, Drain, ForceStop]);
        assert_eq!(taken(&[Drain, Cancel, Drain, Cancel]), [Drain, Cancel]);
        assert_eq!(taken(&[Cancel, Cancel, Cancel]), [Cancel]);
    }

    fn any_command() -> impl Strategy<Value = Command> {
        prop_oneof![
            4 => Just(Command::Refresh),
            2 => Just(Command::Drain),
            1 => Just(Command::ForceStop),
            1 => Just(Command::Cancel),
            1 => Just(Command::Detach),
            1 => Just(Command::Reload),
            1 => Just(Command::Resync),
        ]
    }

    proptest! {
        /// Whatever is asked for, and however often it is looked for in between: every kind that was asked for comes after it was
        /// asked for, the last word about the drain stays the last word, and no more waits than there are kinds.
        #[test]
        fn nothing_is_lost_and_nothing_piles_up(script in prop::collection::vec((any_command(), any::<bool>()), 0..200)) {
            let mut pending = Pending::default();
            let (mut asked, mut got) = (Vec::new(), Vec::new());
            for (at, (command, takes)) in script.into_iter().enumerate() {
                pending.add(command);
                asked.push((at, command));
                prop_assert!(pending.shutdown.len() < 2 * SHUTDOWN.len(), "{pending:?}");
                if takes {
                    got.extend(pending.take().map(|command| (at, command)));
                }
            }
            got.extend(std::iter::from_fn(|| pending.take()).map(|command| (usize::MAX, command)));
            for (at, command) in &asked {
                prop_assert!(got.iter().any(|(when, taken)| taken == command && when >= at), "{command:?} at {at}: {got:?}");
            }
            let decides = |command: &Command| matches!(command, Command::Drain | Command::Cancel);
            let last = |all: &[(usize, Command)]| all.iter().map(|(_, c)| *c).rfind(decides);
            prop_assert_eq!(last(&asked), last(&got));
        }
    }
}
