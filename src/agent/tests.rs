//! The loop under a paused clock, with a `ProxySQL` that is a script.

use std::sync::{Arc, Mutex, MutexGuard};

use proptest::prelude::*;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::*;
use crate::domain::drain::Ending;
use crate::domain::drain::closing::Variables;
use crate::domain::health::Contact;
use crate::domain::proxysql::statement::Module;
use crate::domain::proxysql::statement::Statement;
use crate::edge::admin::{AdminError, Answer, Login};
use crate::state::{self, PROBE_PATIENCE, State};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const WAIT: &str = "mysql-wait_timeout";
const STATEMENT_TIMEOUT: Duration = s(10);

/// What the scripted `ProxySQL` is like.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a trouble of its own")]
struct World {
    /// Every statement that it was sent.
    heard: Vec<String>,
    /// Everything that was tried, whether it is there or not.
    tries: u32,
    clients: u64,
    /// Of these, in transactions.
    busy: u64,
    gone: u64,
    paused: bool,
    /// Variables at runtime, those in memory that were not loaded, and what was remembered of the former.
    variables: Variables,
    edited: Variables,
    marked: Option<Variables>,
    down: bool,
    /// Connections of clients that nobody answers.
    deaf: usize,
    /// Answers nothing, as if it was stopped.
    mute: bool,
    /// The next look at health comes from a moment in which the table of servers is being filled.
    torn: bool,
    latency: Duration,
    /// Peers of its list that do not answer its checks, nor the agent.
    dead_peers: u8,
    /// Whom the agent asked, and when.
    asked: Vec<(String, Instant)>,
}

#[derive(Debug, Clone, Default)]
struct Script(Arc<Mutex<World>>);

impl Script {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    fn count(&self, what: &str) -> usize {
        self.world().heard.iter().filter(|sql| sql.starts_with(what)).count()
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each statement")]
    fn answer(&self, statement: &Statement) -> Answer {
        let mut world = self.world();
        let row = |columns: &[&str]| columns.iter().map(ToString::to_string).collect::<Vec<_>>();
        let number = |number: u64| number.to_string();
        let paused = if world.paused { "true" } else { "false" };
        let rows = match statement {
            Statement::Observe => {
                // Time goes by, and the one peer that lives answers all the while.
                let now = number(100 + world.heard.len() as u64);
                let mut rows = vec![
                    row(&["clock", &now]),
                    row(&["memory", "10.0.0.1", "6032", "0", "core-0"]),
                    row(&["runtime", "10.0.0.1", "6032", "0", "core-0"]),
                    row(&["peer", "10.0.0.1", "6032", "mysql_users", "2", "50", "0xA", &now]),
                ];
                let dead = |i: u8| row(&["peer", &format!("10.0.1.{i}"), "6032", "mysql_users", "0", "0", "", "0"]);
                rows.extend((0..world.dead_peers).map(dead));
                rows
            }
            Statement::ClusterLogin => vec![row(&["admin-cluster_username", "cluster"])],
            Statement::Health(_) => {
                let mut rows = vec![
                    row(&["users", "1", &number(world.clients), ""]),
                    row(&["global", "mysql_listener_paused", paused, ""]),
                    row(&["variable", "mysql-threads", "2", ""]),
                    row(&["variable", "mysql-session_idle_show_processlist", "true", ""]),
                ];
                if !std::mem::take(&mut world.torn) {
                    rows.push(row(&["backends", "0", "ONLINE", "1"]));
                }
                rows
            }
            Statement::Sessions(_) => {
                let wait: u64 = world.variables.get(WAIT).map_or(u64::MAX, |wait| wait.parse().unwrap());
                if wait < 60_000 {
                    world.gone += world.clients - world.busy;
                    world.clients = world.busy;
                }
                let mut rows = vec![row(&["clients", &number(world.clients)]), row(&["paused", paused])];
                let kinds = (0..world.clients).map(|i| if i < world.busy { "Query" } else { "Sleep" });
                rows.extend(kinds.enumerate().map(|(id, command)| {
                    row(&["mysql", &id.to_string(), "0", command, "0", "60000", "0", "app", "10.1.0.1", "4000"])
                }));
                rows.extend(world.variables.iter().map(|(name, value)| row(&["variable", name, value])));
                rows.push(row(&["syncs", "0"]));
                rows
            }
            Statement::Columns(_) => vec![row(&["global_variables", "variable_name", "1"])],
            Statement::MarkDrain => {
                let variables = world.variables.clone();
                world.marked.get_or_insert(variables);
                Vec::new()
            }
            Statement::IsDrainMarked => world.marked.iter().map(|_| row(&["proxysql_agent_drain"])).collect(),
            Statement::OwnValues => world.marked.iter().flatten().map(|(name, value)| row(&[name, value])).collect(),
            Statement::UnmarkDrain => {
                world.marked = None;
                Vec::new()
            }
            Statement::Changed => {
                let own = world.marked.clone().unwrap_or_default();
                let differs = world.variables.iter().filter(|(name, value)| own[*name] != **value);
                let mut rows: Vec<_> = differs.map(|(name, value)| row(&[name, value])).collect();
                rows.push(row(&["paused", paused]));
                rows
            }
            Statement::SetVariables(_, variables) => {
                world.edited.clone_from(variables);
                Vec::new()
            }
            Statement::RestoreVariables(_) => {
                world.edited = world.marked.clone().unwrap_or_default();
                Vec::new()
            }
            Statement::LoadToRuntime(Module::MysqlVariables) => {
                let edited = std::mem::take(&mut world.edited);
                world.variables.extend(edited);
                Vec::new()
            }
            Statement::Pause(_) => {
                world.paused = true;
                Vec::new()
            }
            Statement::Resume(_) => {
                world.paused = false;
                Vec::new()
            }
            Statement::Shutdown => {
                world.down = true;
                Vec::new()
            }
            _ => Vec::new(),
        };
        Answer { rows, affected: 0 }
    }
}

impl Proxysql for Script {
    async fn ask_peer(&self, host: &str, _: u16, _: &Login, _: &[Statement]) -> Result<Vec<Answer>, AdminError> {
        self.world().asked.push((host.to_owned(), Instant::now()));
        std::future::pending().await
    }

    async fn unanswered_clients(&self, _: &[Vec<String>], _: Duration) -> Option<(usize, usize)> {
        Some((self.world().deaf, 16))
    }

    async fn log_in_afresh(&self, _: Option<&Login>) -> Result<(), AdminError> {
        Ok(())
    }

    async fn login(&self) -> (String, Option<String>) {
        ("radmin".into(), None)
    }

    fn logins(&self) -> u64 {
        1
    }

    async fn run(&mut self, statement: &Statement) -> Result<Answer, AdminError> {
        let (down, mute, latency) = {
            let mut world = self.world();
            world.tries += 1;
            if !world.down {
                world.heard.push(statement.to_string());
            }
            (world.down, world.mute, world.latency)
        };
        if down {
            return Err(AdminError::Unreachable { address: "here".into(), reason: "refused".into(), refused: true });
        }
        if mute {
            let after = statement.bound().unwrap_or(STATEMENT_TIMEOUT);
            sleep(after).await;
            return Err(AdminError::Deadline { statement: statement.name(), after });
        }
        sleep(if matches!(statement, Statement::Pause(_)) { s(1) } else { latency.max(ms(1)) }).await;
        Ok(self.answer(statement))
    }
}

struct Bench {
    script: Script,
    state: State,
    agent: JoinSet<()>,
    marker: std::path::PathBuf,
    _dir: tempfile::TempDir,
}

fn settings() -> AgentSettings {
    AgentSettings {
        interval: s(10),
        start_delay: Duration::ZERO,
        limits: Limits {
            propagation_delay: s(5),
            drain_timeout: s(30),
            shutdown_timeout: s(60),
            evict_idle_after: ms(200),
        },
    }
}

impl Bench {
    fn start(script: Script, settings: AgentSettings) -> Self {
        Self::start_in(script, settings, false)
    }

    /// In a pod that is being deleted, or not.
    fn start_in(script: Script, settings: AgentSettings, is_leaving: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let marker = dir.path().join("draining");
        let (state, mailbox, writer) = state::channel();
        let satellite = Mode::Satellite(Box::new(Satellite::new("proxysql-core".into())));
        let surroundings = Surroundings {
            marker: Marker::new(marker.clone()),
            reload: Box::new(|| Box::pin(async { None })),
            is_leaving: Box::new(move || Box::pin(std::future::ready(is_leaving))),
        };
        let agent = Agent::new(script.clone(), satellite, settings, surroundings, mailbox, writer);
        let mut tasks = JoinSet::new();
        tasks.spawn(agent.run());
        Self { script, state, agent: tasks, marker, _dir: dir }
    }

    async fn answers(&self) {
        self.state.until(|status| status.seen().is_some()).await;
    }

    /// How long the way down takes from now on, and how it ends.
    async fn drain(&mut self) -> (Duration, Option<Ending>) {
        let began = Instant::now();
        self.state.ask(Command::Drain);
        self.state.drained(0).await;
        self.agent.join_next().await.unwrap().unwrap();
        let ended = self.state.status().drain().and_then(|drain| drain.ended);
        (began.elapsed(), ended)
    }
}

#[tokio::test(start_paused = true)]
async fn all_who_probe_at_one_time_share_one_look() {
    let script = Script::default();
    script.world().latency = ms(300);
    let bench = Bench::start(script.clone(), settings());
    bench.answers().await;
    sleep(s(2)).await;
    let before = script.count("SELECT 'users'");
    let mut probes = JoinSet::new();
    for probe in 0..500 {
        let state = bench.state.clone();
        // Some come while the look is under way.
        probes.spawn(async move {
            sleep(ms(probe / 2)).await;
            state.refreshed(s(1)).await;
        });
    }
    probes.join_all().await;
    assert_eq!(script.count("SELECT 'users'"), before + 1);
    // Young enough for whoever comes within a second; and without anybody who asks nothing is read.
    sleep(ms(900)).await;
    bench.state.refreshed(s(1)).await;
    assert_eq!(script.count("SELECT 'users'"), before + 1);
    sleep(s(60)).await;
    assert_eq!(script.count("SELECT 'users'"), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_probe_waits_for_a_while_and_the_silence_is_counted_from_the_first_question() {
    let script = Script::default();
    let bench = Bench::start(script.clone(), settings());
    bench.answers().await;
    sleep(s(5)).await;
    script.world().mute = true;
    let asked = Instant::now();
    bench.state.refreshed(s(1)).await;
    assert_eq!(asked.elapsed(), PROBE_PATIENCE);
    let silence = |bench: &Bench| bench.state.status().contact(Instant::now());
    assert_eq!(silence(&bench), Contact::Answering(PROBE_PATIENCE));
    // Questions that are given up and asked again are one silence.
    sleep(s(29)).await;
    assert_eq!(silence(&bench), Contact::Answering(s(29) + PROBE_PATIENCE));
    script.world().mute = false;
    sleep(s(15)).await;
    assert_eq!(silence(&bench), Contact::Answering(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_seen_while_it_is_filled_makes_no_node_unready() {
    let script = Script::default();
    let bench = Bench::start(script.clone(), settings());
    bench.answers().await;
    sleep(s(2)).await;
    script.world().torn = true;
    bench.state.refreshed(s(1)).await;
    assert!(!script.world().torn, "it was looked");
    assert_eq!(bench.state.status().seen().unwrap().0.counts().total, 1);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_answers_at_once_and_is_not_asked_for_in_a_flood() {
    let script = Script::default();
    let bench = Bench::start(script.clone(), settings());
    bench.answers().await;
    sleep(s(2)).await;
    script.world().down = true;
    let asked = Instant::now();
    bench.state.refreshed(s(1)).await;
    assert!(asked.elapsed() < ms(10));
    assert!(matches!(bench.state.status().contact(Instant::now()), Contact::Gone(_)));
    let tries = script.world().tries;
    for _ in 0..100 {
        bench.state.refreshed(s(1)).await;
        sleep(ms(2)).await;
    }
    assert_eq!(script.world().tries, tries);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_during_the_start_delay_and_probes_do_not_wait() {
    let script = Script::default();
    let bench = Bench::start(script.clone(), AgentSettings { start_delay: s(20), ..settings() });
    sleep(s(19)).await;
    let asked = Instant::now();
    bench.state.refreshed(s(1)).await;
    assert_eq!((asked.elapsed(), script.world().heard.len()), (Duration::ZERO, 0));
    bench.answers().await;
}

/// Peers that do not answer are asked for their release: one in a round, each once in half a minute, for a second, and none on the way
/// down.
#[tokio::test(start_paused = true)]
async fn dead_peers_hold_nothing_up() {
    let script = Script::default();
    (script.world().dead_peers, script.world().clients, script.world().busy) = (5, 1, 1);
    let mut bench = Bench::start(script.clone(), settings());
    bench.answers().await;
    sleep(s(100)).await;
    let asked = std::mem::take(&mut script.world().asked);
    for (i, (host, at)) in asked.iter().enumerate() {
        if let Some((next, later)) = asked.get(i + 1) {
            assert!(later.duration_since(*at) >= s(1), "{host} and {next} in one round");
        }
        let again = asked[i + 1..].iter().find(|(other, _)| other == host);
        assert!(again.is_none_or(|(_, later)| later.duration_since(*at) >= s(30)), "{host} again too soon");
    }
    let hosts: std::collections::BTreeSet<&String> = asked.iter().map(|(host, _)| host).collect();
    assert_eq!(hosts.len(), 5, "each had its turn");
    // A probe waits for the question that is under way, and no longer than for anything else.
    let asking = async {
        while script.world().asked.is_empty() {
            sleep(ms(10)).await;
        }
        let began = Instant::now();
        bench.state.refreshed(s(1)).await;
        assert!(began.elapsed() <= PROBE_PATIENCE, "{:?}", began.elapsed());
    };
    timeout(s(60), asking).await.unwrap();
    script.world().asked.clear();
    bench.state.ask(Command::Drain);
    bench.state.until(|status| status.stage() == Phase::Draining).await;
    bench.state.drained(0).await;
    bench.agent.join_next().await.unwrap().unwrap();
    assert!(script.world().asked.is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_clients_the_way_down_takes_what_pause_takes() {
    let mut bench = Bench::start(Script::default(), settings());
    bench.answers().await;
    let (took, ended) = bench.drain().await;
    assert!(took < s(1) + ms(50), "{took:?}");
    assert_eq!(ended, Some(Ending::Empty));
    assert_eq!((bench.script.count("PROXYSQL PAUSE"), bench.script.count("PROXYSQL SHUTDOWN")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn idle_clients_are_evicted_and_busy_ones_cut_at_the_deadline_only() {
    let script = Script::default();
    script.world().variables = Variables::from([(WAIT, "28800000".to_owned())]);
    (script.world().clients, script.world().busy) = (120, 2);
    let mut bench = Bench::start(script.clone(), settings());
    bench.answers().await;
    let (took, ended) = bench.drain().await;
    // As many passes as fit, none of which waits for the other.
    assert!(took > s(35) && took < s(37), "{took:?}");
    assert_eq!(ended, Some(Ending::DrainTimeout));
    let drain = bench.state.status().drain().cloned().unwrap();
    assert_eq!((drain.clients, drain.evicted, drain.finished, drain.cut), (120, 118, 0, 2));
    assert!(bench.marker.is_file());
}

#[tokio::test(start_paused = true)]
async fn a_wedged_proxysql_holds_it_up_to_the_bound_and_no_longer() {
    for after in [0, 3_000, 6_500, 20_000] {
        let script = Script::default();
        (script.world().clients, script.world().busy) = (1, 1);
        let mut bench = Bench::start(script.clone(), settings());
        bench.answers().await;
        let wedging = async {
            sleep(ms(after)).await;
            script.world().mute = true;
        };
        let ((took, ended), ()) = tokio::join!(bench.drain(), wedging);
        assert_eq!((took, ended), (s(60), Some(Ending::ShutdownTimeout)), "after {after}");
        assert!(script.count("PROXYSQL PAUSE") <= 1 && script.count("PROXYSQL SHUTDOWN") <= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_goes_away_or_never_came_ends_it_at_once() {
    let script = Script::default();
    script.world().clients = 5;
    let mut bench = Bench::start(script.clone(), settings());
    bench.answers().await;
    script.world().down = true;
    let (took, ended) = bench.drain().await;
    assert!(took < ms(100), "{took:?}");
    assert_eq!(ended, Some(Ending::Gone));
    for (down, mute) in [(true, false), (false, true)] {
        let script = Script::default();
        (script.world().down, script.world().mute) = (down, mute);
        let mut bench = Bench::start(script, settings());
        sleep(s(3)).await;
        let (took, _) = bench.drain().await;
        assert!(took < s(2), "{took:?}");
    }
    // While it still sleeps.
    let mut bench = Bench::start(Script::default(), AgentSettings { start_delay: s(99), ..settings() });
    let (took, ended) = bench.drain().await;
    assert!(took < s(2) && ended == Some(Ending::Empty), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_round_that_has_begun_is_brought_to_its_end_before_the_listener_closes() {
    let script = Script::default();
    script.world().latency = ms(400);
    let mut bench = Bench::start(script.clone(), settings());
    sleep(ms(500)).await;
    // The list of members is empty now: the next round restores it, in steps of 400 ms each.
    bench.drain().await;
    let heard = script.world().heard.clone();
    let first_of_the_way = heard.iter().position(|sql| sql.starts_with("PROXYSQL PAUSE")).unwrap();
    assert!(heard[..first_of_the_way].iter().any(|sql| sql.starts_with("SELECT 'clock'")), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_is_cancelled_leaves_nothing_behind() {
    let script = Script::default();
    script.world().variables = Variables::from([(WAIT, "28800000".to_owned())]);
    (script.world().clients, script.world().busy) = (3, 3);
    let mut bench = Bench::start(script.clone(), settings());
    bench.answers().await;
    bench.state.ask(Command::Drain);
    bench.state.until(|status| status.stage() == Phase::Draining).await;
    sleep(s(8)).await;
    assert!(script.world().paused && bench.marker.is_file());
    assert_ne!(script.world().variables[WAIT], "28800000");
    bench.state.ask(Command::Cancel);
    bench.state.drained(0).await;
    assert!(!script.world().paused && !bench.marker.exists());
    assert_eq!(script.world().variables[WAIT], "28800000");
    assert!(script.world().marked.is_none(), "it is forgotten once all is as before");
    assert_eq!(bench.state.status().stage(), Phase::Running);
    assert_eq!(bench.state.status().drain().unwrap().ended, Some(Ending::Cancelled));
    // It serves as before, and goes down as before.
    bench.state.refreshed(s(1)).await;
    assert!(!bench.state.status().seen().unwrap().0.paused);
    bench.state.ask(Command::Drain);
    bench.state.drained(1).await;
    bench.agent.join_next().await.unwrap().unwrap();
    assert_eq!(script.count("PROXYSQL SHUTDOWN"), 1);
}

/// An agent that is killed in the middle of a drain, and the one that comes after it.
#[tokio::test(start_paused = true)]
async fn a_drain_whose_agent_was_killed_is_undone_by_the_next_unless_the_pod_is_going() {
    for (after, is_leaving) in [(2, false), (6, false), (8, false), (6, true), (20, true)] {
        let script = Script::default();
        (script.world().clients, script.world().busy) = (3, 3);
        script.world().variables = Variables::from([(WAIT, "28800000".to_owned())]);
        let mut bench = Bench::start(script.clone(), settings());
        bench.answers().await;
        bench.state.ask(Command::Drain);
        sleep(s(after)).await;
        bench.agent.abort_all();
        let _ = bench.agent.join_next().await;
        let mut bench = Bench::start_in(script.clone(), settings(), is_leaving);
        if is_leaving {
            bench.state.until(|status| status.drain().is_some_and(|drain| drain.ended.is_some())).await;
            bench.agent.join_next().await.unwrap().unwrap();
            assert!(script.world().down, "after {after} s");
        } else {
            bench.answers().await;
            let world = script.world();
            assert!(!world.paused && !world.down && world.marked.is_none(), "after {after} s: {world:?}");
            assert_eq!(world.variables[WAIT], "28800000", "after {after} s");
        }
    }
}

/// Some of its threads do not let in clients after RESUME: it neither serves nor is it left alone, whoever undoes the drain.
#[tokio::test(start_paused = true)]
async fn a_proxysql_that_does_not_let_in_all_clients_after_resume_is_drained_to_its_end() {
    for is_killed in [false, true] {
        let script = Script::default();
        (script.world().clients, script.world().busy, script.world().deaf) = (1, 1, 4);
        script.world().variables = Variables::from([(WAIT, "28800000".to_owned())]);
        let mut bench = Bench::start(script.clone(), settings());
        bench.answers().await;
        bench.state.ask(Command::Drain);
        sleep(s(8)).await;
        assert!(script.world().paused);
        if is_killed {
            bench.agent.abort_all();
            let _ = bench.agent.join_next().await;
            bench = Bench::start_in(script.clone(), settings(), false);
        } else {
            bench.state.ask(Command::Cancel);
        }
        bench.state.until(|status| status.drain().is_some_and(|drain| drain.ended.is_some())).await;
        bench.agent.join_next().await.unwrap().unwrap();
        assert!(script.world().down, "killed: {is_killed}");
        assert_eq!(script.count("PROXYSQL RESUME"), 1, "a second one would hang");
    }
}

/// What somebody paused by hand stays paused.
#[tokio::test(start_paused = true)]
async fn a_listener_that_no_drain_has_closed_is_left_alone() {
    let script = Script::default();
    script.world().paused = true;
    let bench = Bench::start(script.clone(), settings());
    bench.answers().await;
    sleep(s(30)).await;
    assert!(script.world().paused && bench.state.status().stage() == Phase::Running);
}

#[tokio::test(start_paused = true)]
async fn detached_it_ends_and_leaves_proxysql_alone_unless_it_is_draining() {
    let mut bench = Bench::start(Script::default(), settings());
    bench.answers().await;
    bench.state.ask(Command::Detach);
    bench.agent.join_next().await.unwrap().unwrap();
    assert_eq!(bench.script.count("PROXYSQL"), 0);

    let script = Script::default();
    (script.world().clients, script.world().busy) = (1, 1);
    let mut bench = Bench::start(script, settings());
    bench.answers().await;
    bench.state.ask(Command::Drain);
    sleep(s(7)).await;
    bench.state.ask(Command::Detach);
    bench.agent.join_next().await.unwrap().unwrap();
    assert_eq!(bench.script.count("PROXYSQL SHUTDOWN"), 1);
}

/// Who asks for what, and how long after the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Waits,
    HangsUp,
    Term,
}

fn callers() -> impl Strategy<Value = Vec<(Caller, u64)>> {
    let all =
        vec![Caller::Waits, Caller::Waits, Caller::Waits, Caller::Waits, Caller::HangsUp, Caller::Term, Caller::Term];
    (Just(all).prop_shuffle(), prop::collection::vec(prop_oneof![Just(0), 0..3_000u64, 0..40_000u64], 7))
        .prop_map(|(callers, gaps)| callers.into_iter().zip(gaps).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Four callers of `/shutdown`, two SIGTERMs and a client that hangs up: one PAUSE, one SHUTDOWN, every waiting caller answered.
    /// The second SIGTERM may come before the PAUSE; then there is none, for nobody is waited for any more.
    #[test]
    fn however_many_ask_in_whatever_order_it_happens_once(callers in callers(), clients in 0..4u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let script = Script::default();
            (script.world().clients, script.world().busy) = (clients, clients);
            let mut bench = Bench::start(script.clone(), settings());
            bench.answers().await;
            let mut waiting = JoinSet::new();
            let mut terms = 0;
            let mut hurried_before_pause = false;
            for (caller, gap) in callers {
                sleep(ms(gap)).await;
                match caller {
                    Caller::Waits | Caller::HangsUp => {
                        let state = bench.state.clone();
                        let call = async move {
                            state.ask(Command::Drain);
                            state.until(|status| status.drains_ended() > 0 || status.stage() == Phase::Stopped).await;
                            state.status().drain().and_then(|drain| drain.ended)
                        };
                        if caller == Caller::Waits {
                            waiting.spawn(call);
                        } else {
                            assert!(timeout(ms(1), call).await.is_err() || bench.state.status().stage() == Phase::Stopped);
                        }
                    }
                    Caller::Term => {
                        terms += 1;
                        hurried_before_pause |= terms == 2 && script.count("PROXYSQL PAUSE") == 0;
                        bench.state.ask(if terms == 1 { Command::Drain } else { Command::ForceStop });
                    }
                }
            }
            bench.agent.join_next().await.unwrap().unwrap();
            let answers = waiting.join_all().await;
            prop_assert_eq!(answers.len(), 4);
            prop_assert!(answers.iter().all(|ended| *ended == answers[0] && ended.is_some()), "{:?}", answers);
            prop_assert_eq!(script.count("PROXYSQL SHUTDOWN"), 1);
            let pauses = script.count("PROXYSQL PAUSE");
            prop_assert!(pauses == 1 || (pauses == 0 && hurried_before_pause));
            Ok(())
        })?;
    }
}
