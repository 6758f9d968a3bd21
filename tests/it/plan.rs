//! `proxysql-agent plan` says what publishing would change, shows no secret, and changes nothing.

use std::fs;
use std::process::Output;
use std::time::Duration;

use proxysql_fleet::process::Signal;
use proxysql_fleet::rig::{Member, Settings};
use tokio::time::sleep;

use crate::publish_exact::hears;
use crate::support::{fleet, is_published, settings, settled};

pub(crate) async fn plan(member: &Member, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_proxysql-agent"));
    command
        .args(["plan", "--run_mode=core"])
        .args(arguments)
        .env_clear()
        .env("AGENT_PROXYSQL_ADDRESS", member.admin().to_string())
        .env("AGENT_PROXYSQL_PASSWORD", "radmin")
        .env("AGENT_CORE_CONFIG_FILE", member.config_file());
    command.output().await.unwrap()
}

pub(crate) fn text(output: &Output) -> String {
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_names_every_change_and_makes_none() {
    let rig = fleet(Settings { config_file: false, ..settings() }, 1, 0).await;
    let member = &rig.members()[0];
    settled(&rig).await;
    let unchanged = plan(member, &[]).await;
    assert_eq!((unchanged.status.code(), text(&unchanged).matches("nothing to do").count()), (Some(0), 5));

    // Somebody is editing: that is nobody's business, and is there afterwards.
    member.node.query("UPDATE mysql_users SET comment='being edited' WHERE username='app'").await.unwrap();
    let before = everything(member).await;
    let path = member.config_file();
    let good = fs::read_to_string(&path).unwrap();
    let edited = good
        .replace("username=\"report\"", "username=\"reports\"")
        .replace("password=\"app-secret\"", "password=\"another-secret\"")
        .replace("port=33063", "port=33069")
        .replace("destination_hostgroup=20", "destination_hostgroup=30")
        .replace("server_version=\"8.0.27\"", "server_version=\"8.0.39\"\n  monitor_password=\"hidden-secret\"")
        .replace("threads=2", "threads=4");
    fs::write(&path, edited).unwrap();
    let changes = plan(member, &[]).await;
    let said = text(&changes);
    assert_eq!(changes.status.code(), Some(3), "{said}");
    for line in [
        "+reports (mysql_users)",
        "-report (mysql_users)",
        "~app (mysql_users) password: [redacted] -> [redacted]",
        "+20/127.0.0.1/33069 (mysql_servers)",
        "-20/127.0.0.1/33063 (mysql_servers)",
        "~20 (mysql_query_rules) destination_hostgroup: \"20\" -> \"30\"",
        "~mysql-server_version (global_variables) \"8.0.27\" -> \"8.0.39\"",
        "~mysql-monitor_password (global_variables) [redacted] -> [redacted]",
        "~mysql-threads (global_variables) \"2\" -> \"4\"",
        "admin_variables: nothing to do",
    ] {
        assert!(said.contains(line), "no {line:?} in\n{said}");
    }
    let json = plan(member, &["--json"]).await;
    let value: serde_json::Value = serde_json::from_str(&text(&json)).unwrap();
    assert_eq!((json.status.code(), value["modules"].as_array().unwrap().len()), (Some(3), 7));
    for output in [said, text(&json)] {
        for secret in ["app-secret", "another-secret", "hidden-secret", "report-secret", "radmin:"] {
            assert!(!output.contains(secret), "{secret} in\n{output}");
        }
    }
    assert_eq!(everything(member).await, before);

    fs::write(&path, "mysql_users = ( {").unwrap();
    let refused = plan(member, &[]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("refused"), "{}", text(&refused));
    fs::write(&path, good.replace(";radmin:radmin", "")).unwrap();
    let refused = plan(member, &[]).await;
    assert!(text(&refused).contains("does not let the agent's own user radmin in"), "{}", text(&refused));
    assert_eq!(everything(member).await, before);
}

/// `core.config_file` names another file than the one that ProxySQL reads: what is in that one is not what would be published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_file_than_proxysqls_own_is_refused_by_a_plan_and_by_publishing_alike() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other.cnf");
    fs::write(&other, "# not there yet\n").unwrap();
    let with_other = settings().env("AGENT_CORE_CONFIG_FILE", other.to_string_lossy());
    let mut rig = fleet(Settings { config_file: false, ..with_other }, 1, 0).await;
    hears(&rig, "core-1", "ProxySQL reads another file than core.config_file names", 1).await;
    let good = fs::read_to_string(rig.members()[0].config_file()).unwrap();
    fs::write(&other, &good).unwrap();
    settled(&rig).await;
    let flag = format!("--core.config_file={}", other.display());
    let same = plan(&rig.members()[0], &[&flag]).await;
    assert_eq!(same.status.code(), Some(0), "the same text is the same file: {}", text(&same));

    let before = everything(&rig.members()[0]).await;
    let without = |part: &str| {
        let lines: Vec<&str> = good.lines().filter(|line| !line.contains(part)).collect();
        assert_ne!(lines.len(), good.lines().count(), "{part}");
        lines.join("\n")
    };
    let own = good.replace("server_version=\"8.0.27\"", "server_version=\"8.0.30\"");
    let cases = [
        (
            good.clone(),
            without("username=\"report\""),
            "mysql_users: refused: ProxySQL reads another file",
            "mysql_users report",
        ),
        (
            good.clone(),
            without("rule_id=20"),
            "mysql_query_rules: refused: ProxySQL reads another file",
            "mysql_query_rules 20",
        ),
        (good.clone(), good.replace("mysql_query_rules", "nothing"), "mysql_query_rules: refused", "mysql_query_rules"),
        (
            own.clone(),
            without("server_version"),
            "mysql_variables: refused: ProxySQL reads another",
            "mysql-server_version",
        ),
    ];
    for (own, named, refused, what) in cases {
        fs::write(rig.members()[0].config_file(), own).unwrap();
        fs::write(&other, named).unwrap();
        let planned = plan(&rig.members()[0], &[&flag]).await;
        let told = text(&planned);
        assert_eq!(planned.status.code(), Some(1), "{told}");
        assert!(told.contains(refused) && told.contains(what), "{told}");
        rig.member_mut("core-1").unwrap().agent.as_mut().unwrap().process.signal(Signal::USR2);
        hears(&rig, "core-1", what, 1).await;
    }
    fs::write(rig.members()[0].config_file(), &good).unwrap();
    fs::write(&other, &good).unwrap();
    hears(&rig, "core-1", "configuration file accepted again", 2).await;
    settled(&rig).await;
    assert_eq!(everything(&rig.members()[0]).await, before, "no load, and memory as before");
}

/// Says that memory is being worked on, by whom and for how many seconds.
async fn claim(member: &Member, worker: &str, since: u32) {
    member.node.query("DROP TABLE IF EXISTS main.proxysql_agent_claim").await.unwrap();
    let claim = format!(
        "CREATE TABLE main.proxysql_agent_claim AS SELECT strftime('%s', 'now') - {since} AS at, '{worker}' AS worker"
    );
    member.node.query(&claim).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_waits_for_who_works_on_memory_and_gives_up_with_a_reason() {
    let rig = fleet(settings(), 1, 0).await;
    let member = &rig.members()[0];
    settled(&rig).await;
    claim(member, "agent", 0).await;
    let (waiting, ()) = tokio::join!(plan(member, &[]), async {
        sleep(Duration::from_secs(1)).await;
        member.node.query("DROP TABLE main.proxysql_agent_claim").await.unwrap();
    });
    assert_eq!(waiting.status.code(), Some(0), "{}", String::from_utf8_lossy(&waiting.stderr));
    claim(member, "plan", 0).await;
    let refused = plan(member, &[]).await;
    let reason = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && reason.contains("another publish or plan has held"), "{reason}");
    // Whoever that was is gone.
    claim(member, "plan", 61).await;
    assert_eq!(plan(member, &[]).await.status.code(), Some(0));
}

/// An agent that was killed in the middle of publishing has left its claim: the next one goes on at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_takes_over_the_claim_of_the_one_before_it_and_respects_that_of_a_plan() {
    let mut rig = fleet(settings(), 1, 0).await;
    settled(&rig).await;
    for (worker, waits) in [("agent", false), ("plan", true)] {
        rig.member_mut("core-1").unwrap().kill_agent().await;
        let member = &rig.members()[0];
        claim(member, worker, 0).await;
        member.node.query("DROP TABLE main.proxysql_agent_published_mysql_users").await.unwrap();
        rig.restart_agent("core-1").await.unwrap();
        if waits {
            hears(&rig, "core-1", "connected to ProxySQL", 1).await;
            assert!(!is_published(&rig.members()[0].node).await, "somebody plans");
            claim(&rig.members()[0], worker, 61).await;
        }
        settled(&rig).await;
    }
}

/// Memory and what is in effect, with the versions.
async fn everything(member: &Member) -> Vec<Vec<Vec<Option<String>>>> {
    let mut all = Vec::new();
    for table in ["mysql_users", "mysql_servers", "mysql_query_rules", "global_variables"] {
        for layer in ["main.", "runtime_"] {
            all.push(member.node.query(&format!("SELECT * FROM {layer}{table} ORDER BY 1, 2")).await.unwrap());
        }
    }
    all.push(member.node.query("SELECT name, version FROM runtime_checksums_values").await.unwrap());
    all
}

/// Any file can be planned, one that ProxySQL does not see, and one that comes through a pipe; of the same file the plan is the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_is_planned_as_it_would_be_published() {
    use tokio::io::AsyncWriteExt as _;
    let rig = fleet(Settings { config_file: false, ..settings() }, 1, 0).await;
    let member = &rig.members()[0];
    settled(&rig).await;
    let path = member.config_file();
    let good = fs::read_to_string(&path).unwrap();
    let before = everything(member).await;
    let candidate = path.with_file_name("candidate.cnf");
    let flag = format!("--file={}", candidate.display());
    fs::write(&candidate, &good).unwrap();
    let same = plan(member, &[&flag]).await;
    assert_eq!((same.status.code(), text(&same).matches("nothing to do").count()), (Some(0), 5), "{}", text(&same));
    let edited = good
        .replace("username=\"report\"", "username=\"reports\"")
        .replace("password=\"app-secret\"", "password=\"another-secret\"")
        .replace("port=33063", "port=33069")
        .replace("destination_hostgroup=20", "destination_hostgroup=30")
        .replace("server_version=\"8.0.27\"", "server_version=\"8.0.39\"")
        .replace("threads=2", "threads=4");
    fs::write(&candidate, &edited).unwrap();
    let of_candidate = plan(member, &[&flag, "--json"]).await;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_proxysql-agent"));
    command
        .args(["plan", "--run_mode=core", "--file", "-", "--json"])
        .env_clear()
        .env("AGENT_PROXYSQL_ADDRESS", member.admin().to_string())
        .env("AGENT_PROXYSQL_PASSWORD", "radmin")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut piped = command.spawn().unwrap();
    piped.stdin.take().unwrap().write_all(edited.as_bytes()).await.unwrap();
    let piped = piped.wait_with_output().await.unwrap();
    fs::write(&path, &edited).unwrap();
    let of_own = plan(member, &["--json"]).await;
    assert_eq!(of_candidate.status.code(), Some(3), "{}", text(&of_candidate));
    assert_eq!(text(&of_candidate), text(&of_own));
    assert_eq!(String::from_utf8_lossy(&piped.stdout), text(&of_own));
    fs::write(&path, &good).unwrap();
    assert_eq!(everything(member).await, before);
    for broken in ["mysql_users = ( {", "@include \"/no/such/file.cnf\""] {
        fs::write(&candidate, broken).unwrap();
        let refused = plan(member, &[&flag]).await;
        assert!(refused.status.code() == Some(1) && !refused.stderr.is_empty(), "{broken}");
    }
}
