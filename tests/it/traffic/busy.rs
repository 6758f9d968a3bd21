//! Busy clients, who keep their connections and do not come back: how they leave, and when.
//!
//! `CLIENTS` is how many there are, 60 if it is not set; `ROUNDS` is how often the one with idle threads is run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{SECOND, connect, pod};
use crate::life::{Backend, Client, Habit, Ledger, Make, Pod, call, in_background, number, spread};
use crate::support::{PATIENCE, eventually};

/// After PAUSE everybody is gone but those who run something or are in a long transaction: far more than it takes.
const LEFT: Duration = Duration::from_secs(20);

fn setting(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// What each look at a drain found: when, since PAUSE, and how many of which kind are there.
type Looks = Vec<(Duration, u64, BTreeMap<String, u64>)>;

/// Asks for a drain; its report, and what `GET /drain` told meanwhile.
async fn watched_drain(pod: &Pod) -> (Value, Looks) {
    let api = pod.api;
    let report = in_background(async move { call(api, "POST", "/shutdown", &[]).await.body() });
    let looks = in_background(async move {
        let (mut looks, mut paused) = (Looks::new(), None);
        // It ends with the agent, after the report.
        while let Ok(answer) = crate::life::try_call(api, "GET", "/drain", &[]).await {
            let body = answer.body();
            if body["drain"]["step"] == "waiting_for_clients" {
                let since = paused.get_or_insert_with(Instant::now).elapsed();
                let kinds = body["drain"]["waiting_for"].as_object().cloned().unwrap_or_default();
                let kinds = kinds.into_iter().map(|(kind, many)| (kind, many.as_u64().unwrap_or_default())).collect();
                looks.push((since, number(&body, "/drain/remaining"), kinds));
            }
            sleep(Duration::from_millis(100)).await;
        }
        looks
    });
    tokio::join!(report, looks)
}

/// When nobody of these kinds was seen any more.
fn gone_by(looks: &Looks, kinds: &[&str]) -> Duration {
    let there = |look: &&(Duration, u64, BTreeMap<String, u64>)| kinds.iter().any(|kind| look.2.contains_key(*kind));
    looks.iter().rev().find(there).map_or(Duration::ZERO, |look| look.0)
}

/// Per sixty clients: so many with this habit, and what they are called. The last two are not gone before they are through.
const CROWD: [(usize, &str, Habit); 8] = [
    (12, "SELECT", Habit::Reads(Duration::from_millis(20))),
    (12, "INSERT", Habit::Writes(Duration::from_millis(20))),
    (8, "transactions", Habit::Transactions(Duration::from_millis(75), Duration::from_millis(75))),
    (2, "back to back", Habit::Transactions(Duration::from_millis(100), Duration::ZERO)),
    (2, "tight", Habit::Transactions(Duration::from_millis(1), Duration::ZERO)),
    (20, "idle", Habit::Reads(Duration::from_hours(1))),
    (2, "long transactions", Habit::Transactions(Duration::from_millis(2_700), Duration::ZERO)),
    (2, "SLEEP(5)", Habit::Sleeps(Duration::from_secs(5))),
];

async fn busy_clients_leave_between_two_statements(scenario: &str, idle_threads: bool) {
    let Some(backend) = Backend::start(scenario).await else { return };
    let make = Make::new().extra(&backend.configuration()).idle_threads(idle_threads).threads(4);
    let mut pod = make.env("SHUTDOWN_PROPAGATION_DELAY", "1").ready().await;
    let ledger = Arc::new(Ledger::default());
    let share = setting("CLIENTS", 60).div_ceil(60);
    let (mut clients, mut who) = (JoinSet::new(), Vec::new());
    let server = pod.node.spec().mysql();
    for (many, name, habit) in CROWD {
        // Who sleeps begins later, so that it still does when the listener closes.
        if !matches!(habit, Habit::Sleeps(_)) {
            for _ in 0..many * share {
                clients.spawn(ledger.clone().client(who.len(), habit, server, false));
                who.push(name);
            }
        }
    }
    let expected = who.len() as u64;
    eventually("everybody is there", async || ledger.book().connects == expected).await;
    sleep(SECOND * 2).await;
    ledger.begin();
    let mut sleepers = JoinSet::new();
    for _ in 0..2 * share {
        sleepers.spawn(ledger.clone().client(who.len(), CROWD[7].2, server, false));
        who.push(CROWD[7].1);
    }
    eventually("they sleep", async || ledger.book().connects == 2 * share as u64).await;
    let began = Instant::now();
    let (report, looks) = watched_drain(&pod).await;
    let paused = began + Duration::from_secs_f64(report["drain"]["seconds"]["propagation"].as_f64().unwrap());
    eprintln!("idle threads {idle_threads}, {} clients, in {:?}: {report}", who.len(), began.elapsed());
    assert_eq!(pod.gone().await, Some(0));
    ledger.close();
    sleepers.join_all().await;
    // An idle one does not know yet.
    clients.abort_all();
    let book = ledger.book();
    let idle = gone_by(&looks, &["idle", "session_state", "failed_statement"]);
    eprintln!("  nobody rests any more after {idle:?}, errors {}", book.troubles.len());
    for (many, name, _) in CROWD {
        let left = book.troubles.iter().filter(|trouble| who[trouble.client] == name);
        let left: Vec<Duration> = left.map(|trouble| trouble.at.saturating_duration_since(paused)).collect();
        eprintln!("  {name}: {} left, {} after PAUSE", left.len(), spread(left.clone()));
        match name {
            // It has its answer, and an idle one does not ask.
            "SLEEP(5)" | "idle" => assert!(left.is_empty(), "{name}: {left:?}"),
            "long transactions" => assert_eq!(left.len(), many * share),
            _ => assert!(left.len() == many * share && left.iter().all(|after| *after < LEFT), "{name}: {left:?}"),
        }
    }
    assert!(idle < LEFT, "{idle:?}");
    assert_eq!(book.within_transactions(), Vec::<String>::new());
    assert_eq!(book.executed_all_the_same(&backend.written().await), Vec::<String>::new());
    assert_eq!(
        (report["drain"]["ended"].as_str(), number(&report, "/drain/terminated")),
        (Some("completed"), 0),
        "{report}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_clients_leave_between_two_statements_and_nothing_is_cut() {
    busy_clients_leave_between_two_statements("busy_clients_leave_between_two_statements", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_clients_leave_idle_threads_between_two_statements_and_nothing_is_cut() {
    busy_clients_leave_between_two_statements("busy_clients_leave_idle_threads", true).await;
}

/// What is told that it failed, or is told nothing, may be done again by whoever sent it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_idle_client_sends_into_a_drain_is_answered_or_not_carried_out() {
    let scenario = "what_an_idle_client_sends_into_a_drain_is_answered_or_not_carried_out";
    let Some(backend) = Backend::start(scenario).await else { return };
    let rounds = u32::try_from(setting("ROUNDS", 1)).unwrap();
    let (mut answered, mut failed) = (0, 0);
    for round in 0..rounds {
        let make = Make::new().extra(&backend.configuration()).idle_threads(true);
        let mut pod = make.env("SHUTDOWN_PROPAGATION_DELAY", "1").ready().await;
        let server = pod.node.spec().mysql();
        let [readers, late] =
            [Arc::new(Ledger::default()), Arc::new(Ledger::starting_at(1_000 * i64::from(round + 1)))];
        let mut clients = JoinSet::new();
        for number in 0..4 {
            let habit = Habit::Reads(Duration::from_millis(20));
            clients.spawn(readers.clone().client(number, habit, server, false));
        }
        let mut writers = JoinSet::new();
        for number in 0..40_u32 {
            // No two rounds are alike.
            let after = Duration::from_millis(u64::from((number * 257 + round * 61) % 10_000));
            writers.spawn(late.clone().client(
                usize::try_from(number).unwrap(),
                Habit::WritesOnce(after),
                server,
                false,
            ));
        }
        eventually("everybody is there", async || late.book().connects == 40 && readers.book().done > 100).await;
        // By then they are on idle threads.
        sleep(SECOND * 2).await;
        late.begin();
        let api = pod.api;
        let report = in_background(async move { call(api, "POST", "/shutdown", &[]).await.body() });
        writers.join_all().await;
        let body = report.await;
        assert_eq!(pod.gone().await, Some(0));
        readers.close();
        clients.join_all().await;
        let book = late.book();
        let all_the_same = book.executed_all_the_same(&backend.written().await);
        eprintln!(
            "round {round}: {} answered, {} not, of those carried out {}; {}",
            book.done,
            book.troubles.len(),
            all_the_same.len(),
            body["drain"]
        );
        (answered, failed) = (answered + book.done, failed + book.troubles.len());
        assert_eq!(all_the_same, Vec::<String>::new());
        assert_eq!(book.done + book.troubles.len() as u64, 40, "{:?}", book.troubles);
    }
    eprintln!("{rounds} rounds: {answered} answered, {failed} not, and none of those carried out");
}

/// 24 MB, of which the client takes one a second.
async fn reads_slowly(server: SocketAddr) -> Result<Duration, String> {
    const ROWS: u32 = 240;
    let mut client = Client::connect(server).await.map_err(|error| error.to_string())?;
    let began = Instant::now();
    let sql = format!("SELECT REPEAT('x', 100000) FROM seq_1_to_{ROWS}");
    match client.read_slowly(&sql, Duration::from_millis(100)).await {
        Ok(ROWS) => Ok(began.elapsed()),
        Ok(rows) => Err(format!("{rows} rows after {:?}", began.elapsed())),
        Err(error) => Err(format!("{error} after {:?}", began.elapsed())),
    }
}

/// How long somebody with this state goes on who asks twice a second.
async fn keeps_its_state(server: SocketAddr, sql: String) -> Duration {
    let mut client = Client::connect(server).await.unwrap();
    client.run(&sql).await.unwrap();
    let began = Instant::now();
    while client.run("SELECT 1").await.is_ok() && began.elapsed() < PATIENCE {
        sleep(Duration::from_millis(500)).await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_finish_and_session_state_is_kept_for_half_of_the_window() {
    let scenario = "slow_readers_finish_and_session_state_is_kept_for_half_of_the_window";
    let Some(backend) = Backend::start(scenario).await else { return };
    let mut pod = pod(&backend, &[("SHUTDOWN_DRAIN_TIMEOUT", "30"), ("SHUTDOWN_PROPAGATION_DELAY", "1")]).await;
    let server = pod.node.spec().mysql();
    let (mut readers, mut holders) = (JoinSet::new(), JoinSet::new());
    for number in 0..3 {
        readers.spawn(reads_slowly(server));
        holders.spawn(keeps_its_state(
            server,
            [
                "SET @a=1".to_owned(),
                "CREATE TEMPORARY TABLE t (x INT)".to_owned(),
                "SELECT GET_LOCK('a', 1)".to_owned(),
            ][number]
                .clone(),
        ));
    }
    let _idle = connect(server, 10).await;
    sleep(SECOND).await;
    let began = Instant::now();
    let (report, looks) = watched_drain(&pod).await;
    let opened = began.elapsed();
    eprintln!("gone after {opened:?}: {report}");
    eprintln!("who was there: {:?}", looks.iter().step_by(20).map(|look| (look.0, &look.2)).collect::<Vec<_>>());
    let read = readers.join_all().await;
    let held = holders.join_all().await;
    eprintln!("slow readers {read:?}, state was kept for {held:?} from before the drain");
    assert!(read.iter().all(Result::is_ok), "{read:?}");
    // They were there before the drain: what they were given of the window is less by what comes before it.
    let half = SECOND * 15;
    assert!(held.iter().all(|kept| *kept >= half), "{held:?}");
    assert_eq!(
        (report["drain"]["ended"].as_str(), number(&report, "/drain/terminated")),
        (Some("completed"), 0),
        "{report}"
    );
    assert_eq!(pod.gone().await, Some(0));
}
