//! Trouble with ProxySQL: the agent lives, does not grow, says what is wrong once, and makes up for it when it is over.

mod answers;

use std::time::Duration;

use proxysql_fleet::net::Forwarder;
use proxysql_fleet::node::Node;
use proxysql_fleet::proxysql::{Action, Hook, Outcome, Rule};
use proxysql_fleet::rig::Settings;

use tokio::time::sleep;

use crate::scene::{Scene, impatient};

/// More than an agent takes to say its last words; draining will have its own bound.
const END: Duration = Duration::from_secs(10);
/// What an agent may hold more after many tries in vain than after the first few.
const GROWTH: u64 = 1 << 20;

/// Every try is in the log.
fn talkative() -> Settings {
    impatient().env("AGENT_LOG_LEVEL", "DEBUG")
}

/// For trouble that the stand-in's script makes, whatever else is real.
fn scripted() -> Settings {
    Settings { scripted_proxysql: true, ..talkative() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxysql_that_was_away_is_made_up_for() {
    tokio::join!(absent(), restarted(), killed_again_and_again(), hung());
}

async fn absent() {
    let mut scene = Scene::start("absent", talkative()).await;
    scene.kill_proxysql().await;
    scene.restart_agent().await;
    scene.warned("cannot connect to ProxySQL").await;
    scene.tried(3).await;
    let before = scene.resident();
    scene.tried(7).await;
    let growth = scene.resident().saturating_sub(before);
    assert!(growth < GROWTH, "{growth}");
    scene.said_once(1);
    scene.changes().await;
    scene.restart_proxysql(true).await;
    let took = scene.converges().await;
    scene.note(format_args!("{} tries, {} bytes more, converged after {took:?}", scene.tries(), growth));
}

async fn restarted() {
    let mut scene = Scene::start("restarted", talkative()).await;
    for fresh in [false, true] {
        scene.mark();
        scene.restart_proxysql(fresh).await;
        scene.changes().await;
        let took = scene.converges().await;
        // The connection that broke, and the port that was closed meanwhile.
        scene.said_once(2);
        scene.note(format_args!("fresh: {fresh}, converged after {took:?}"));
    }
}

async fn killed_again_and_again() {
    let mut scene = Scene::start("killed while the list changes", talkative()).await;
    for _ in 0..4 {
        scene.changes().await;
        scene.kill_proxysql().await;
        scene.restart_proxysql(false).await;
        scene.converges().await;
    }
}

async fn hung() {
    let mut scene = Scene::start("hung", talkative()).await;
    scene.mark();
    scene.node().stop_cont(true);
    scene.changes().await;
    scene.warned("within 0.6 s").await;
    scene.warned("accepted the connection but did not complete the login").await;
    let before = scene.resident();
    scene.tried(6).await;
    let growth = scene.resident().saturating_sub(before);
    assert!(growth < GROWTH, "{growth}");
    // The statement without an answer, and the port that accepts and is mute.
    scene.said_once(2);
    scene.node().stop_cont(false);
    let took = scene.converges().await;
    scene.note(format_args!("{} tries, {growth} bytes more, converged after {took:?}", scene.tries()));
}

/// A wrong password at the start, and a right one that is changed: the file is read at each login.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_read_anew_and_never_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    let write = |password: &str| std::fs::write(&file, format!("{password}\n")).unwrap();
    write("radmin");
    let settings =
        talkative().env("AGENT_PROXYSQL_PASSWORD", "").env("AGENT_PROXYSQL_PASSWORD_FILE", file.to_str().unwrap());
    let mut scene = Scene::start("password", settings).await;

    write("wr0ng-secret");
    scene.restart_agent().await;
    scene.warned("Access denied for user 'radmin'").await;
    scene.tried(5).await;
    scene.said_once(1);
    scene.changes().await;
    write("radmin");
    let took = scene.converges().await;
    scene.note(format_args!("refused {} times, converged after {took:?}", scene.tries()));

    scene.mark();
    let credentials = "admin:admin;radmin:n3w-secret;cluster:cluster;observer:observer";
    for statement in [
        format!(
            "UPDATE global_variables SET variable_value='{credentials}' WHERE variable_name='admin-admin_credentials'"
        ),
        "LOAD ADMIN VARIABLES TO RUNTIME".to_owned(),
        "SAVE ADMIN VARIABLES TO DISK".to_owned(),
    ] {
        scene.node().query(&statement).await.unwrap();
    }
    // A session lives on after its password has changed; the next one does not begin.
    scene.restart_agent().await;
    scene.warned("Access denied for user 'radmin'").await;
    std::fs::remove_file(&file).unwrap();
    scene.warned("cannot read the password from").await;
    write("n3w-secret");
    scene.changes().await;
    scene.converges().await;

    let log = std::fs::read_to_string(scene.rig.dir().join("core-1/agent.log")).unwrap();
    assert!(!log.contains("secret"), "{log}");
}

/// A moment in the life of a plan.
const MOMENTS: [&str; 4] =
    ["SELECT 'clock'", "DELETE FROM proxysql_servers", "INSERT INTO proxysql_servers", "LOAD PROXYSQL SERVERS"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_was_cut_short_is_carried_out_in_the_end() {
    tokio::join!(cut("cut before", Action::CutBefore), cut("cut after", Action::CutAfter), killed_after());
}

/// The connection ends before or after each statement of a plan.
async fn cut(what: &str, action: Action) {
    let mut scene = Scene::start(what, scripted()).await;
    for moment in MOMENTS {
        let rule =
            scene.script().trouble().add(Rule::new(action.clone()).from_user("radmin").containing(moment).once());
        scene.changes().await;
        scene.converges().await;
        assert_eq!(scene.script().trouble().hits(rule), 1, "{what} {moment}");
    }
}

/// ProxySQL dies after each statement of a plan.
async fn killed_after() {
    let mut scene = Scene::start("killed after", scripted()).await;
    for moment in MOMENTS {
        let node = scene.script().handle();
        let kill = Hook::new(move || {
            let node = node.clone();
            async move { node.kill().await }
        });
        scene.script().trouble().add(Rule::new(Action::After(kill)).from_user("radmin").containing(moment).once());
        scene.changes().await;
        scene.script().stopped().await;
        scene.restart_proxysql(false).await;
        scene.converges().await;
    }
}

/// Late but in time is no trouble; too late is, and what comes after all does no harm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_answers_are_waited_for_and_then_given_up() {
    let mut scene = Scene::start("late", scripted()).await;
    scene.mark();
    let trouble = scene.script().trouble().clone();
    trouble.add(Rule::new(Action::Delay(Duration::from_millis(150))).from_user("radmin"));
    scene.changes().await;
    scene.converges().await;
    assert!(scene.warnings().is_empty(), "{:?}", scene.warnings());

    trouble.clear();
    // Executed all the same, while the agent is somewhere else.
    trouble.add(
        Rule::new(Action::Delay(Duration::from_millis(900)))
            .from_user("radmin")
            .containing("PROXYSQL SERVERS")
            .times(3),
    );
    scene.mark();
    scene.changes().await;
    scene.warned("no answer to LOAD PROXYSQL SERVERS TO RUNTIME within 0.6 s").await;
    scene.converges().await;
    scene.said_once(1);
    let sent = scene.script().log().of("radmin", 0);
    let lone = sent.iter().find(|entry| entry.sql.chars().all(|c| c == ';' || c.is_whitespace()));
    assert!(lone.is_none(), "{lone:?}");
}

/// Connections that break, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_connections_leave_nothing_behind() {
    const CUTS: usize = 30;
    /// In which the agent has usually connected again, so that its pauses do not grow.
    const CALM: Duration = Duration::from_millis(250);
    let mut scene = Scene::start("broken connections", talkative()).await;
    let wire = wire(&mut scene).await;
    let mut before = 0;
    for cuts in 1..=CUTS {
        scene
            .until("a broken connection is noticed", async || {
                sleep(CALM).await;
                wire.cut();
                scene.tries() >= cuts
            })
            .await;
        if cuts == CUTS / 10 {
            before = scene.resident();
        }
    }
    let growth = scene.resident().saturating_sub(before);
    assert!(growth < GROWTH, "{growth} bytes");
    scene.changes().await;
    scene.converges().await;
    scene.said_once(2);
    scene.note(format_args!("{} tries in vain, {before} bytes, {growth} bytes more", scene.tries()));
}

/// Puts a wire between agent and ProxySQL.
async fn wire(scene: &mut Scene) -> Forwarder {
    let admin = scene.node().spec().admin();
    let wire = Forwarder::start((scene.rig.address().unwrap(), admin.port()).into()).await.unwrap();
    wire.add(admin);
    let address = wire.address().to_string();
    let settings = scene.rig.settings();
    settings.environment.insert("AGENT_PROXYSQL_ADDRESS".to_owned(), address);
    settings.environment.insert("AGENT_CORE_INTERVAL".to_owned(), "0.02".to_owned());
    scene.restart_agent().await;
    wire
}

/// Whatever the agent waits for, it ends when it is asked to, with 0. (How soon is up to draining; here only that it does.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_waits_ends_when_asked() {
    tokio::join!(asked_while_delayed(), asked_while_reconnecting(), asked_while_a_statement_hangs());
}

async fn asked_while_delayed() {
    let mut scene = Scene::start("start_delay", talkative()).await;
    scene.rig.settings().environment.insert("AGENT_START_DELAY".to_owned(), "60".to_owned());
    scene.restart_agent().await;
    scene.until("it starts", async || !scene.said().is_empty()).await;
    ends(&mut scene).await;
}

async fn asked_while_reconnecting() {
    let mut scene = Scene::start("reconnection", talkative()).await;
    scene.kill_proxysql().await;
    scene.tried(4).await;
    ends(&mut scene).await;
}

async fn asked_while_a_statement_hangs() {
    let mut scene = Scene::start("a hung statement", talkative().env("AGENT_PROXYSQL_STATEMENT_TIMEOUT", "60")).await;
    match scene.node() {
        Node::Embedded(node) => {
            node.trouble().add(Rule::new(Action::Hang).from_user("radmin"));
            let open = || node.log().of("radmin", 0).last().is_some_and(|last| last.outcome == Outcome::Open);
            scene.until("a statement hangs", async || open()).await;
        }
        // Within a few intervals one is sent; before that, there is less to end.
        Node::Real(node) => {
            node.stop_cont(true);
            scene.rounds(5).await;
        }
    }
    ends(&mut scene).await;
}

async fn ends(scene: &mut Scene) {
    let began = tokio::time::Instant::now();
    scene.agent_mut().process.terminate();
    assert_eq!(scene.agent_mut().process.exit_code(END).await.unwrap(), Some(0));
    scene.note(format_args!("ended after {:?}", began.elapsed()));
}
