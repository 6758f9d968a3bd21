//! Passwords that runtime keeps in another form than the file (ProxySQL up to 2.5 makes hashes of them): one that is published is not loaded
//! again, and every later change is.

use std::fmt::Write as _;
use std::fs;

use proxysql_fleet::rig::{Rig, Settings};
use sha1::{Digest as _, Sha1};

use crate::plan::{plan, text};
use crate::publish_exact::{column, hears, publish, said, watched};
use crate::support::{embedded, eventually_on, fleet, settled};

const VERSION: &str = "SELECT version FROM runtime_checksums_values WHERE name='mysql_users'";
const PASSWORDS: &str =
    "SELECT username || ' ' || password FROM runtime_mysql_users WHERE frontend=1 ORDER BY username";

fn hash(password: &str) -> String {
    let hash = Sha1::digest(Sha1::digest(password.as_bytes()));
    hash.iter().fold("*".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// A core whose ProxySQL hashes passwords, with its file published.
async fn hashing() -> Rig {
    let mut rig = fleet(Settings { scripted_proxysql: true, ..watched() }, 1, 0).await;
    settled(&rig).await;
    embedded(&rig.members()[0]).behave(|behaviour| behaviour.hash_passwords = true);
    rig.member_mut("core-1").unwrap().restart_node(true).await.unwrap();
    hears(&rig, "core-1", "runtime shows these values differently", 1).await;
    settled(&rig).await;
    has(&rig, "app-secret", "report-secret").await;
    rig
}

/// The hashes of these passwords are at runtime, or come to be.
async fn has(rig: &Rig, app: &str, report: &str) {
    let wanted = [format!("app {}", hash(app)), format!("report {}", hash(report))];
    eventually_on(rig, "the passwords are at runtime", async || {
        column(&rig.members()[0].node, PASSWORDS).await == wanted
    })
    .await;
    settled(rig).await;
}

async fn loads(rig: &Rig) -> u64 {
    column(&rig.members()[0].node, VERSION).await[0].parse().unwrap()
}

async fn nothing_to_do(rig: &mut Rig, what: &str) {
    let before = loads(rig).await;
    let planned = plan(&rig.members()[0], &[]).await;
    let told = text(&planned);
    assert_eq!(planned.status.code(), Some(0), "{what}: {told}");
    let in_effect = "runtime matches the configuration file";
    for _ in 0..2 {
        let said = said(rig, "core-1", in_effect).len();
        publish(rig, "core-1", |text| text);
        hears(rig, "core-1", in_effect, said + 5).await;
        settled(rig).await;
        assert_eq!(loads(rig).await, before, "{what}");
        rig.restart_agent("core-1").await.unwrap();
        hears(rig, "core-1", "connected to ProxySQL", 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_kept_as_its_hash_is_loaded_once() {
    let mut rig = hashing().await;
    nothing_to_do(&mut rig, "published once").await;
    let planned = plan(&rig.members()[0], &[]).await;
    assert!(text(&planned).contains("app password: ProxySQL shows this as something else"), "{}", text(&planned));
    // What runtime has already, the file may say as it likes.
    publish(&mut rig, "core-1", |text| text.replace("app-secret", &hash("app-secret")));
    settled(&rig).await;
    has(&rig, "app-secret", "report-secret").await;
    nothing_to_do(&mut rig, "written as its hash").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_later_change_of_a_password_is_loaded() {
    let mut rig = hashing().await;
    let mut last = "app-secret";
    // One that was there before, too, and one that differs in a letter's case alone.
    for password in ["second", "third", "app-secret", "App-secret"] {
        let before = loads(&rig).await;
        publish(&mut rig, "core-1", |text| text.replace(&format!("\"{last}\""), &format!("\"{password}\"")));
        has(&rig, password, "report-secret").await;
        assert_eq!(loads(&rig).await, before + 1, "{password}");
        last = password;
    }
    nothing_to_do(&mut rig, "changed four times").await;
    // The hash of another one.
    publish(&mut rig, "core-1", |text| text.replace("\"App-secret\"", &format!("\"{}\"", hash("fifth"))));
    has(&rig, "fifth", "report-secret").await;
    nothing_to_do(&mut rig, "a hash of another").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_passwords_that_are_exchanged_are_loaded() {
    let mut rig = hashing().await;
    let swap = |text: String| {
        text.replace("app-secret", "of neither")
            .replace("report-secret", "app-secret")
            .replace("of neither", "report-secret")
    };
    publish(&mut rig, "core-1", swap);
    has(&rig, "report-secret", "app-secret").await;
    nothing_to_do(&mut rig, "exchanged").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_was_changed_while_no_agent_was_there_is_planned_and_loaded() {
    let mut rig = hashing().await;
    rig.member_mut("core-1").unwrap().kill_agent().await;
    let path = rig.members()[0].config_file();
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replace("report-secret", "changed-secret")).unwrap();
    let planned = plan(&rig.members()[0], &[]).await;
    let told = text(&planned);
    assert_eq!(planned.status.code(), Some(3), "{told}");
    assert!(told.contains("~report (mysql_users) password: [redacted] -> [redacted]"), "{told}");
    assert!(!told.contains("~app"), "that one was loaded: {told}");
    rig.restart_agent("core-1").await.unwrap();
    has(&rig, "app-secret", "changed-secret").await;
    nothing_to_do(&mut rig, "changed meanwhile").await;
}
