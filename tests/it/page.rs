//! The page for people, as a browser shows it: it has no scripts and asks nobody else.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use proxysql_fleet::rig::Rig;
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{fleet, settings};

/// A browser on a busy machine.
const BROWSER: Duration = Duration::from_mins(1);

fn chromium() -> Option<PathBuf> {
    let found = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from);
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        eprintln!("no Chromium here; the page is not shown to a browser");
    }
    found
}

async fn browse(browser: &Path, arguments: &[&str], url: &str) -> Output {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(browser);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .arg(url)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    timeout(BROWSER, command.output()).await.expect("the browser ends").unwrap()
}

fn url(rig: &Rig, name: &str) -> String {
    format!("http://{}/", rig.member(name).unwrap().agent.as_ref().unwrap().api())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_shows_the_node_without_scripts_and_without_other_requests() {
    let Some(browser) = chromium() else { return };
    let rig = fleet(settings(), 2, 0).await;
    let shown = browse(&browser, &["--dump-dom"], &url(&rig, "core-1")).await;
    let dom = String::from_utf8_lossy(&shown.stdout);
    for row in rig.expected() {
        assert!(dom.contains(&row.hostname) && dom.contains(&row.comment), "{row:?} is a member\n{dom}{shown:?}");
    }
    for word in ["ready", "members", "backends", "clients"] {
        assert!(dom.to_lowercase().contains(word), "{word}\n{dom}");
    }
    for other in ["src=", "@import", "<script", "<link", "url("] {
        assert!(!dom.contains(other), "{other}\n{dom}");
    }
    let picture = rig.dir().join("page.png");
    let screenshot = format!("--screenshot={}", picture.display());
    browse(&browser, &[&screenshot, "--window-size=900,700"], &url(&rig, "core-2")).await;
    let bytes = std::fs::read(&picture).unwrap();
    assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 5_000, "{} bytes", bytes.len());
    if let Some(keep) = std::env::var_os("KEEP_SCREENSHOT") {
        std::fs::copy(&picture, keep).unwrap();
    }
}
