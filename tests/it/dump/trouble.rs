//! What goes wrong around a dump: exit code 1, one line, no file that is not whole.

use proxysql_fleet::proxysql::{Action, Rule};
use tokio::io::{AsyncReadExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::*;

fn to(path: &Path) -> String {
    format!("--dump.output={}", path.display())
}

#[tokio::test]
async fn a_full_disk() {
    let stage = Stage::embedded().await;
    for rows in [1, 20_000] {
        stage.seed(rows);
        let ended = stage.dump(&["--dump.output=/dev/full"]).await;
        assert_eq!(ended.reason(), r#""cannot write /dev/full: No space left on device (os error 28)""#);
    }
    // A file that may not grow, which is what a quota looks like.
    let path = stage.out().join("d.csv");
    let limited = r#"ulimit -f 64; exec "$@""#;
    let mut shell = Command::new("sh");
    let command = shell.args(["-c", limited, "sh", BINARY]).args(stage.arguments()).arg(to(&path)).env_clear();
    let ended = Ended::from(command.output().await.unwrap());
    assert!(ended.reason().contains("File too large"), "{ended:?}");
    assert!(stage.files().is_empty(), "{:?}", stage.files());
}

#[tokio::test]
async fn a_file_system_without_room() {
    let stage = Stage::embedded().await;
    stage.seed(20_000);
    // In a namespace of its own, so that the mount ends with the process.
    let script = r#"mount -t tmpfs -o size=256k none "$0" && "$@"; code=$?; ls -A "$0"; exit $code"#;
    let mut unshare = Command::new("unshare");
    let command = unshare.args(["-rm", "sh", "-c", script]).arg(stage.out()).arg(BINARY);
    let ended =
        Ended::from(command.args(stage.arguments()).arg(to(&stage.out().join("d.csv"))).output().await.unwrap());
    if !ended.stdout.contains("starting") {
        let _ = writeln!(std::io::stderr(), "SKIPPED: no file system of one's own here: {}", ended.stderr);
        return;
    }
    assert!(ended.reason().contains("No space left on device"), "{ended:?}");
    assert!(ended.stdout.ends_with("(os error 28)\"\n"), "nothing is left: {ended:?}");
}

#[tokio::test]
async fn a_directory_that_may_not_be_written_to() {
    let stage = Stage::embedded().await;
    stage.seed(10);
    let asked = stage.script().log().counters("radmin").statements;
    for directory in ["/proc", "/nowhere"] {
        let ended = stage.dump(&[&format!("--dump.directory={directory}")]).await;
        assert!(ended.reason().starts_with(&format!("\"cannot write {directory}/")), "{ended:?}");
    }
    // Nothing was read in vain.
    assert_eq!(stage.script().log().counters("radmin").statements, asked);
}

#[tokio::test]
async fn a_directory_in_the_place_of_the_file() {
    let stage = Stage::embedded().await;
    stage.seed(10);
    let asked = stage.script().log().counters("radmin").statements;
    let ended = stage.dump(&[&to(&stage.out()), "--dump.reset=true"]).await;
    assert_eq!(ended.reason(), format!("\"cannot write {}: it is a directory\"", stage.out().display()));
    assert_eq!(stage.script().log().counters("radmin").statements, asked);
}

#[tokio::test]
async fn a_closed_pipe() {
    let stage = Stage::embedded().await;
    stage.seed(50_000);
    let mut child = stage.agent(&["--dump.output=-"]).spawn().unwrap();
    drop(child.stdout.take());
    let ended = Ended::from(timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap());
    assert_eq!(ended.reason(), r#""cannot write standard output: Broken pipe (os error 32)""#);
}

#[tokio::test]
async fn a_reader_that_does_not_read() {
    let stage = Stage::embedded().await;
    stage.seed(50_000);
    let mut child = stage.agent(&["--dump.output=-", "--dump.timeout=1"]).spawn().unwrap();
    let pipe = child.stdout.take();
    let ended = Ended::from(timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap());
    assert_eq!(ended.reason(), r#""the dump did not end within 1 s (dump.timeout)""#);
    drop(pipe);
}

#[tokio::test]
async fn proxysql_dies_in_the_middle() {
    let stage = Stage::embedded().await;
    stage.seed(50_000);
    let path = stage.out().join("d.csv");
    for bytes in [1, 100, 5_000, 1_000_000, 4_000_000] {
        stage.script().trouble().add(Rule::new(Action::CutWithin(bytes)).containing("FROM stats_mysql").once());
        let ended = stage.dump(&[&to(&path)]).await;
        assert!(ended.reason().contains("lost the connection to ProxySQL"), "{bytes}: {ended:?}");
        assert!(stage.files().is_empty());
    }
    // Nobody there at all, and nobody comes: the shorter of the two bounds holds.
    let mut stage = stage;
    stage.node.kill().await;
    let ended = stage.dump(&[&to(&path), "--dump.timeout=2"]).await;
    assert_eq!(ended.reason(), r#""the dump did not end within 2 s (dump.timeout)""#);
}

#[tokio::test]
async fn proxysql_falls_silent() {
    let stage = Stage::embedded().await;
    stage.seed(10);
    let path = stage.out().join("d.csv");
    stage.script().trouble().add(Rule::new(Action::Hang).containing("FROM stats_mysql"));
    let began = Instant::now();
    let ended = stage.dump(&[&to(&path), "--dump.timeout=1500ms"]).await;
    assert_eq!(ended.reason(), r#""the dump did not end within 1.5 s (dump.timeout)""#);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(stage.files().is_empty());
}

#[tokio::test]
async fn proxysql_falls_silent_in_the_middle() {
    let stage = Stage::embedded().await;
    stage.seed(20_000);
    // Everything that the agent sends goes through, but no more than so much comes back.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (relay, admin) = (listener.local_addr().unwrap(), stage.node.spec().admin());
    let mut relays = JoinSet::new();
    relays.spawn(async move {
        let (mut agent, _) = listener.accept().await.unwrap();
        let mut proxysql = TcpStream::connect(admin).await.unwrap();
        let ((mut from_agent, mut to_agent), (from_proxysql, mut to_proxysql)) = (agent.split(), proxysql.split());
        let back = async {
            copy(&mut from_proxysql.take(500_000), &mut to_agent).await.unwrap();
            std::future::pending::<()>().await;
        };
        tokio::join!(copy(&mut from_agent, &mut to_proxysql), back)
    });
    let mut agent = Command::new(BINARY);
    let agent = agent.args(Stage::arguments_for(relay)).arg(to(&stage.out().join("d.csv"))).env_clear();
    let ended = agent.arg("--proxysql.statement_timeout=1").output();
    let ended = Ended::from(timeout(PATIENCE, ended).await.unwrap().unwrap());
    assert_eq!(ended.reason(), r#""no answer to the query for digests within 1 s""#);
    assert!(stage.files().is_empty());
}

#[tokio::test]
async fn proxysql_says_no() {
    let stage = Stage::embedded().await;
    stage.seed(10);
    let path = stage.out().join("d.csv");
    let ended = stage.dump(&[&to(&path), "--proxysql.password=wrong"]).await;
    assert!(ended.reason().contains("refused the login"), "{ended:?}");
    let fail = Action::Fail { code: 1045, text: "ProxySQL Admin Error: out of memory".into() };
    stage.script().trouble().add(Rule::new(fail).containing("FROM stats_mysql"));
    let ended = stage.dump(&[&to(&path)]).await;
    let no = r#""ProxySQL rejected the query for digests: ProxySQL Admin Error: out of memory (code 1045)""#;
    assert_eq!(ended.reason(), no);
    assert!(stage.files().is_empty());
}

#[tokio::test]
async fn proxysql_comes_up_later_than_the_dump() {
    let mut stage = Stage::embedded().await;
    stage.node.kill().await;
    let path = stage.out().join("d.csv");
    let child = stage.agent(&[&to(&path)]).spawn().unwrap();
    sleep(Duration::from_millis(700)).await;
    stage.node.restart(false).await.unwrap();
    stage.script().digest_tables(DigestSchema::V2_7).unwrap();
    let ended = Ended::from(timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("waiting for ProxySQL"), "{ended:?}");
}

#[tokio::test]
async fn asked_to_end() {
    let stage = Stage::embedded().await;
    stage.seed(10);
    let path = stage.out().join("d.csv");
    stage.script().trouble().add(Rule::new(Action::Hang).containing("FROM stats_mysql"));
    for arguments in [&[][..], &["--start_delay=60"]] {
        let output = to(&path);
        let child = stage.agent(&[&[output.as_str()], arguments].concat()).spawn().unwrap();
        sleep(Duration::from_millis(400)).await;
        let pid = child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        let ended = Ended::from(timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap());
        assert_eq!(ended.reason(), r#""interrupted before the dump was complete""#);
        assert!(stage.files().is_empty());
    }
}

/// Numbers that look random and are the same in every run.
fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[tokio::test]
async fn killed_at_any_moment_there_is_a_whole_file_or_none() {
    let stage = Stage::embedded().await;
    stage.seed(10_000);
    let began = Instant::now();
    let whole = std::fs::read(stage.file("whole.csv", &[]).await).unwrap();
    std::fs::remove_file(stage.out().join("whole.csv")).unwrap();
    let span = u64::try_from(began.elapsed().as_micros()).unwrap() * 11 / 10;
    let path = stage.out().join("d.csv");
    let mut next = random(5);
    let (mut files, mut none) = (0, 0);
    for _ in 0..50 {
        let mut child = stage.agent(&[&to(&path)]).spawn().unwrap();
        sleep(Duration::from_micros(next() % span)).await;
        child.kill().await.unwrap();
        match std::fs::read(&path) {
            Ok(bytes) => {
                assert_eq!(bytes.len(), whole.len());
                assert!(bytes == whole, "not the dump");
                std::fs::remove_file(&path).unwrap();
                files += 1;
            }
            Err(_) => none += 1,
        }
        // What a loader would not take may be left, by the last one alone.
        let left = stage.files();
        assert!(left.iter().all(|name| name.starts_with(".d.csv.")) && left.len() <= 1, "{left:?}");
    }
    assert!(none > 0, "{files} were ready before they were killed");
    stage.file("d.csv", &[]).await;
    assert_eq!(stage.files(), ["d.csv"]);
}
