//! The status as a table for a terminal.

use std::fmt::Write as _;

use serde_json::Value;

use crate::domain::endpoint::Endpoint;

/// The document as text. A missing field (an agent of another version, say) is left out or shown as a dash.
pub(super) fn render(document: &Value) -> String {
    let at = |path: &str| document.pointer(path).unwrap_or(&Value::Null);
    let mut text = heading(document);
    for (name, fact) in node(document).into_iter().chain(role(document)).chain(drain(at("/drain"))) {
        // `fmt::Write` for a string never fails.
        let _ = writeln!(text, "{name:<9} {fact}");
    }
    let observed = age(at("/members/age_ms"));
    rows(&mut text, ["MEMBER", "POD", "DESIRED", &format!("RUNTIME{observed}")], members(at("/members")));
    rows(&mut text, ["PEER", "LAST SEEN", "MODULE", &format!("DRIFT{observed}")], peers(at("/peers")));
    let hostgroups = list(at("/backends/hostgroups")).iter();
    let hostgroups = hostgroups.map(|group| ["hostgroup", "status", "servers"].map(|name| word(&group[name])));
    let status = format!("STATUS{}", age(at("/backends/age_ms")));
    rows(&mut text, ["HOSTGROUP", &status, "SERVERS"], hostgroups.collect());
    text
}

/// The status in a line, and what is wrong below it.
fn heading(document: &Value) -> String {
    let at = |path: &str| document.pointer(path).unwrap_or(&Value::Null);
    let pod = at("/agent/pod").as_str().map(|pod| format!(" {pod}")).unwrap_or_default();
    let mut text = format!(
        "{}: {}{}, {} for {}, proxysql-agent {}\n",
        word(at("/status")),
        word(at("/agent/mode")),
        plain(&pod),
        word(at("/agent/phase")),
        time(at("/agent/phase_seconds")),
        word(at("/agent/version")),
    );
    for problem in list(at("/problems")) {
        let _ = writeln!(text, "  {}: {}", word(&problem["problem"]), word(&problem["message"]));
    }
    if let Some(error) = at("/last_error").as_str() {
        let _ = writeln!(text, "  last error: {}", plain(error));
    }
    text.push('\n');
    text
}

/// A name, and what is known under it.
type Fact = (&'static str, String);

/// What every node has.
fn node(document: &Value) -> Vec<Fact> {
    let at = |path: &str| document.pointer(path).unwrap_or(&Value::Null);
    let answer = |path: &str| if at(path).as_bool() == Some(true) { "yes" } else { "no" };
    let checked = at("/proxysql/age_ms").as_f64().map(|ms| format!("checked {:.1} s ago", ms / 1000.0));
    let [started, ready, live] = ["/probes/startup", "/probes/readiness", "/probes/liveness"].map(answer);
    let [clients, users] = ["/sessions/clients", "/sessions/users"].map(|path| word(at(path)));
    let [total, online, shunned] = ["total", "online", "shunned"].map(|name| word(&at("/backends")[name]));
    vec![
        ("agent", format!("up {}", time(at("/agent/uptime_seconds")))),
        ("ProxySQL", proxysql(at("/proxysql"))),
        ("health", checked.unwrap_or_else(|| "never checked".to_owned())),
        ("probes", format!("started {started}, ready {ready}, live {live}")),
        ("clients", format!("{clients} logged in, {users} users in runtime{}", age(at("/sessions/age_ms")))),
        ("backends", format!("{total}, {online} online, {shunned} shunned{}", age(at("/backends/age_ms")))),
    ]
}

/// What only a core, or only a satellite, has.
fn role(document: &Value) -> Vec<Fact> {
    let at = |path: &str| document.pointer(path).unwrap_or(&Value::Null);
    let mut facts = Vec::new();
    if let Some(rollout) = at("/publishing/rollout/state").as_str() {
        let modules = list(at("/publishing/modules"));
        let published =
            |wanted: bool| modules.iter().filter(move |module| module["published"].as_bool() == Some(wanted));
        let (done, open) = (published(true).count(), published(false).count());
        let age = age(at("/publishing/age_ms"));
        facts.push(("file", format!("rollout {rollout}, {done} of {} modules match the file{age}", done + open)));
    }
    if let Some(up) = at("/discovery/up").as_bool() {
        let state = if up { "up" } else { "down" };
        facts.push(("discovery", format!("{state}, {} restarts", word(at("/discovery/restarts")))));
    }
    if let Some(state) = at("/sync_state").as_str() {
        facts.push(("sync", plain(state)));
    }
    facts
}

/// The current drain, or the last one.
fn drain(drain: &Value) -> Vec<Fact> {
    let Some(step) = drain["step"].as_str() else { return Vec::new() };
    let counts = ["clients", "remaining", "evicted", "finished", "terminated"]
        .map(|name| format!("{name} {}", word(&drain[name])));
    let mut facts = vec![("drain", format!("{}, {}", plain(step), counts.join(", ")))];
    let why = drain["waiting_for"].as_object().into_iter().flatten().filter(|(_, many)| many.as_u64() != Some(0));
    let why: Vec<String> = why.map(|(why, many)| format!("{} {}", word(many), plain(why))).collect();
    if !why.is_empty() {
        facts.push(("waits for", why.join(", ")));
    }
    facts
}

/// `ProxySQL` in a line. One that does not answer is not shown as up.
fn proxysql(proxysql: &Value) -> String {
    let unanswered = proxysql["unanswered_ms"].as_f64().map_or("-".to_owned(), |ms| format!("{:.1} s", ms / 1000.0));
    let connection = match proxysql["connection"].as_str() {
        Some("never") => "has not answered yet".to_owned(),
        Some("refused") => format!("connection refused, no answer for {unanswered}"),
        _ if proxysql["unanswered_ms"].as_u64() >= Some(OLD_MS) => format!("no answer for {unanswered}"),
        Some("up") => format!("up {}", time(&proxysql["uptime_seconds"])),
        _ => format!("up {}, {}", time(&proxysql["uptime_seconds"]), word(&proxysql["connection"])),
    };
    let paused = if proxysql["paused"].as_bool() == Some(true) { ", paused" } else { "" };
    let paused_age = if paused.is_empty() { String::new() } else { age(&proxysql["age_ms"]) };
    format!("{} at {}, {connection}{paused}{paused_age}", word(&proxysql["version"]), word(&proxysql["address"]))
}

/// Ages below this are not shown.
const OLD_MS: u64 = 2_000;

/// The age of something, where it matters.
fn age(ms: &Value) -> String {
    match ms.as_u64() {
        Some(ms) if ms >= OLD_MS => format!(" ({} ago)", time(&Value::from(ms / 1000))),
        _ => String::new(),
    }
}

/// Each member that is desired or in runtime.
fn members(members: &Value) -> Vec<[String; 4]> {
    let name = |member: &Value| Endpoint::new(&word(&member["hostname"]), word(&member["port"])).to_string();
    let (desired, runtime) = (list(&members["desired"]), list(&members["runtime"]));
    let knows = members["desired"].is_array();
    let all = runtime.iter().chain(desired.iter().filter(|member| !runtime.contains(member)));
    let row = |member: &Value| {
        let wanted = match (knows, desired.contains(member)) {
            (false, _) => "-",
            (true, true) => "yes",
            (true, false) => "no",
        };
        let present = if runtime.contains(member) { "yes" } else { "no" };
        [name(member), word(&member["comment"]), wanted.to_owned(), present.to_owned()]
    };
    all.map(row).collect()
}

/// Each peer, and a row for each drifted module.
fn peers(peers: &Value) -> Vec<[String; 4]> {
    let mut rows = Vec::new();
    for peer in list(peers) {
        let address = peer["address"].as_str().map_or("this node".to_owned(), plain);
        let seen = peer["last_seen_seconds_ago"].as_u64().map_or("-".to_owned(), |ago| format!("{ago} s ago"));
        let drifts = list(&peer["drift"]);
        if drifts.is_empty() {
            rows.push([address.clone(), seen.clone(), "-".to_owned(), "-".to_owned()]);
        }
        for drift in drifts {
            let module = drift["module"].as_str().map_or("all".to_owned(), plain);
            rows.push([address.clone(), seen.clone(), module, word(&drift["class"])]);
        }
    }
    rows
}

/// Columns as wide as their widest cell; nothing where there are no rows.
fn rows<const N: usize>(text: &mut String, titles: [&str; N], rows: Vec<[String; N]>) {
    if rows.is_empty() {
        return;
    }
    let rows: Vec<[String; N]> = std::iter::once(titles.map(ToOwned::to_owned)).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..N).map(width).collect();
    text.push('\n');
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A value as a word; a dash for none.
fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => plain(text),
        other => other.to_string(),
    }
}

/// A name may hold what a terminal would obey.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "?")
}

fn time(seconds: &Value) -> String {
    let Some(seconds) = seconds.as_u64() else { return "-".to_owned() };
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_terminal_would_obey_stays_text_and_what_is_not_there_is_a_dash() {
        let text = render(&json!({
            "status": "degraded",
            "problems": [{ "problem": "publish_refused", "message": "bad \u{1b}[31mfile" }],
            "members": { "desired": null, "runtime": [{ "hostname": "fd00::1", "port": 6032, "comment": "core\u{7}" }] },
            "peers": [{ "address": null, "drift": [{ "module": "mysql_users", "class": "not_as_published" }] }],
        }));
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
        assert!(
            text.starts_with("degraded: -, - for -, proxysql-agent -\n  publish_refused: bad ?[31mfile\n"),
            "{text}"
        );
        assert!(text.contains("[fd00::1]:6032  core?  -        yes"), "{text}");
        assert!(text.contains("this node  -          mysql_users  not_as_published"), "{text}");
    }

    #[test]
    fn times_are_as_long_as_they_are_worth() {
        let shown = [59, 60, 3_661, 90_000].map(|seconds| time(&json!(seconds)));
        assert_eq!(shown, ["59 s", "1 min", "1 h 1 min", "1 d 1 h"]);
    }
}
