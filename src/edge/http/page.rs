//! The HTML status page: one file, no scripts, nothing fetched from anywhere; it asks for itself again every few seconds.

use std::fmt::{self, Write as _};
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use tokio::time::Instant;

use super::answer::reply;
use super::body::{code, message};
use crate::domain::drain::{Phase, Progress};
use crate::domain::health::{Contact, HealthInput, Policy, Probe, Snapshot, Verdict, probe_verdict};
use crate::domain::reconcile_report::{self, Problem};
use crate::state::Status;

/// After a silence of this long, or at twice this age, what is known is shown as what it was, not as what it is.
const OLD: Duration = Duration::from_secs(5);
/// Rows of a table, at most: the page is for a look, not for a list of everything.
const MOST_ROWS: usize = 200;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--good:#1a7f37;--bad:#c62828;--busy:#9a6700}\
@media(prefers-color-scheme:dark){:root{--good:#4ac26b;--bad:#ff7b72;--busy:#d4a72c}}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1.5rem}\
h1{font-size:1.3rem;margin:0}h2{font-size:1rem;margin:1.6rem 0 .4rem}p{margin:.3rem 0}\
.phase{font-size:2rem;font-weight:600}.good{color:var(--good)}.bad{color:var(--bad)}.busy{color:var(--busy)}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line)}\
th{font-weight:500;opacity:.75}td.n,th.n{text-align:right}progress{width:100%}small{opacity:.75}";

/// The page as of `now`.
pub(super) fn render(status: &Status, policy: &Policy, now: Instant) -> Response {
    let mut text = String::with_capacity(4096);
    // `fmt::Write` for a string never fails.
    let _ = write(&mut text, status, policy, now);
    let mut page = reply(StatusCode::OK, "text/html; charset=utf-8", text.into_bytes());
    let nothing_else = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, nothing_else);
    page
}

fn write(out: &mut String, status: &Status, policy: &Policy, now: Instant) -> fmt::Result {
    let known = status.known(now);
    let verdicts =
        [Probe::Started, Probe::Ready, Probe::Live].map(|probe| (probe, probe_verdict(&known, policy, probe)));
    let ready = &verdicts[1].1;
    let (class, word) = match status.stage() {
        Phase::Running if ready.ok => ("good", "ready"),
        Phase::Running => ("bad", "not ready"),
        stage => ("busy", stage.as_str()),
    };
    write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"3\">\
         <title>{word} · proxysql-agent</title><style>{STYLE}</style></head><body>\
         <h1>proxysql-agent <small>{}</small></h1><p class=\"phase {class}\">{word}</p>",
        env!("CARGO_PKG_VERSION")
    )?;
    let listed = status.observed().map(|(seen, _)| &seen.runtime);
    let (_, problems) = reconcile_report::overall_health(ready, &verdicts[2].1, status.report(), listed);
    // Drift has a table of its own.
    for Problem { problem, message } in problems.iter().filter(|problem| problem.problem != "drift") {
        let class = if status.stage() == Phase::Running { "bad" } else { class };
        write!(out, "<p class=\"{class}\"><b>{}</b> {}</p>", Text(problem), Text(message))?;
    }
    if let Some(trouble) = status.trouble() {
        write!(out, "<p class=\"bad\"><b>last error</b> {}</p>", Text(trouble))?;
    }
    match known.age {
        Some(age) => write!(out, "<p><small>as of {:.1} s ago</small></p>", age.as_secs_f64())?,
        None => out.push_str("<p><small>no health check yet</small></p>"),
    }
    if let Some(progress) = status.drain() {
        drain(out, progress, status.stage())?;
    }
    probes(out, &known, &verdicts)?;
    let observed = status.observed().map(|(_, at)| now - *at);
    drift(out, status, &Age::of(observed, known.contact))?;
    if let Some(snapshot) = known.snapshot {
        proxysql(out, snapshot, &Age::of(known.age, known.contact))?;
    }
    out.push_str("</body></html>");
    Ok(())
}

fn drain(out: &mut String, progress: &Progress, stage: Phase) -> fmt::Result {
    let title = if stage == Phase::Running { "The last drain" } else { "Drain" };
    let ended = progress.ended.map_or("", |ending| ending.as_str());
    let done = progress.clients - progress.remaining.min(progress.clients);
    write!(
        out,
        "<h2>{title}</h2><p>{} {ended}</p><progress max=\"{}\" value=\"{}\"></progress>\
         <table><tr><th class=\"n\">clients<th class=\"n\">remaining<th class=\"n\">evicted<th class=\"n\">finished<th class=\"n\">terminated\
         <th class=\"n\">seconds<tr><td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}\
         <td class=\"n\">{:.1}</table>",
        progress.step.as_str(),
        progress.clients.max(1),
        if progress.clients == 0 { 1 } else { done },
        progress.clients,
        progress.remaining,
        progress.evicted,
        progress.finished,
        progress.cut,
        progress.seconds.total.as_secs_f64(),
    )?;
    for note in &progress.notes {
        write!(out, "<p class=\"busy\">{}</p>", Text(note))?;
    }
    left(out, progress)
}

/// Who is still there, and why; never the text of a statement.
fn left(out: &mut String, progress: &Progress) -> fmt::Result {
    if progress.left.is_empty() {
        return Ok(());
    }
    let many = progress.waiting_for.iter().filter(|(_, many)| **many > 0);
    let many = many.map(|(why, many)| format!("{many} {why}")).collect::<Vec<_>>().join(", ");
    write!(out, "<p>{many}</p><table><tr><th>user<th>client<th>why<th class=\"n\">seconds idle")?;
    for client in &progress.left {
        write!(
            out,
            "<tr><td>{}<td>{}<td>{}<td class=\"n\">{:.1}",
            Text(&client.user),
            Text(&client.client),
            client.why.as_str(),
            client.idle_seconds.as_secs_f64()
        )?;
    }
    out.push_str("</table>");
    Ok(())
}

fn drift(out: &mut String, status: &Status, age: &Age) -> fmt::Result {
    if status.report().drift.is_empty() {
        return Ok(());
    }
    write!(out, "<h2>Drift{age}</h2><table><tr><th>where<th>class")?;
    for (subject, class) in status.report().drift.iter().take(MOST_ROWS) {
        let (subject, class) = (subject.to_string(), class.to_string());
        write!(out, "<tr><td>{}<td class=\"bad\">{}", Text(&subject), Text(&class))?;
    }
    out.push_str("</table>");
    Ok(())
}

fn probes(out: &mut String, known: &HealthInput<'_>, verdicts: &[(Probe, Verdict)]) -> fmt::Result {
    out.push_str("<h2>Probes</h2><table><tr><th>probe<th>answer<th>message");
    for (probe, verdict) in verdicts {
        let class = if verdict.ok { "good" } else { "bad" };
        let (code, message) = (code(verdict).as_u16(), message(known, *probe, verdict));
        write!(out, "<tr><td>{}<td class=\"{class}\">{code}<td>{}", probe.as_str(), Text(&message))?;
    }
    out.push_str("</table>");
    Ok(())
}

fn proxysql(out: &mut String, snapshot: &Snapshot, age: &Age) -> fmt::Result {
    write!(out, "<h2>Clients{age}</h2><p>{} logged in; {} users in runtime</p>", snapshot.clients, snapshot.users)?;
    write!(out, "<h2>Backends{age}</h2>")?;
    if snapshot.backends.is_empty() {
        out.push_str("<p>none</p>");
    } else {
        out.push_str("<table><tr><th>hostgroup<th>status<th class=\"n\">servers");
        for ((group, status), many) in snapshot.backends.iter().take(MOST_ROWS) {
            // What was online is not online for that.
            let class = match (age.is_old(), status.as_str()) {
                (true, _) => "busy",
                (false, "ONLINE") => "good",
                (false, _) => "bad",
            };
            write!(out, "<tr><td>{}<td class=\"{class}\">{}<td class=\"n\">{many}", Text(group), Text(status))?;
        }
        out.push_str("</table>");
    }
    write!(out, "<h2>Members{age}</h2>")?;
    if snapshot.members.is_empty() {
        out.push_str("<p>none</p>");
        return Ok(());
    }
    out.push_str("<table><tr><th>address<th>comment");
    for (address, comment) in snapshot.members.iter().take(MOST_ROWS) {
        write!(out, "<tr><td>{}<td>{}", Text(address), Text(comment))?;
    }
    out.push_str("</table>");
    Ok(())
}

/// How old something is, where that makes a difference; nothing where it does not.
struct Age(Option<Duration>);

impl Age {
    /// Old is what cannot be looked at again, however young.
    fn of(age: Option<Duration>, contact: Contact) -> Self {
        let silent = match contact {
            Contact::Answering(silence) => silence >= OLD,
            Contact::Never | Contact::Gone(_) | Contact::Barred(_) | Contact::Unable(_) => true,
        };
        Self(age.filter(|age| silent || *age >= 2 * OLD))
    }

    fn is_old(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |age| write!(f, " <small class=\"busy\">as of {:.0} s ago</small>", age.as_secs_f64()))
    }
}

/// A text as HTML: whatever stands in it, it stays text.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::counters::{StatementClass, StatementFailure};
    use crate::domain::drain::session::Activity;
    use crate::domain::drain::{Ending, Remaining, Seconds, Step};
    use crate::domain::health::Obstacle;
    use crate::state::{StatementEnd, channel};

    const POLICY: Policy = Policy { max_age: Duration::from_secs(10), require_config: true, min_online: 0 };

    fn text(status: &Status) -> String {
        let mut out = String::new();
        write(&mut out, status, &POLICY, Instant::now()).unwrap();
        out
    }

    #[tokio::test]
    async fn whatever_proxysql_says_stays_text() {
        let bad = "<script>alert('&\"')</script>";
        let (_state, _mailbox, writer) = channel();
        writer.looked(Snapshot {
            backends: [((bad.to_owned(), bad.to_owned()), 1)].into(),
            members: vec![(bad.to_owned(), bad.to_owned())],
            ..Snapshot::default()
        });
        writer.look_failed(bad.to_owned());
        let page = text(&writer.status());
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;alert(&#39;&amp;&quot;&#39;)").count(), 5);
    }

    #[tokio::test]
    async fn it_fetches_nothing_and_asks_for_itself_again() {
        let page = text(&Status::default());
        for word in ["http:", "https:", "src=", "href=", "url(", "@import", "<script"] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("http-equiv=\"refresh\"") && page.contains("prefers-color-scheme:dark"));
        assert!(page.contains("not ready") && page.contains("<b>unreachable</b>"));
    }

    /// A ProxySQL that is gone has no backends that are online, and the page says of when it speaks.
    #[tokio::test(start_paused = true)]
    async fn what_is_old_says_how_old() {
        let (_state, _mailbox, writer) = channel();
        let ask = |obstacle: Option<Obstacle>| {
            writer.statement_began(Instant::now());
            writer.statement_ended(StatementEnd {
                class: StatementClass::Health,
                loads: None,
                began: Instant::now(),
                failure: obstacle.map(|_| StatementFailure::Unreachable),
                obstacle: obstacle.map(|obstacle| (obstacle, String::new())),
                connections: 1,
            });
        };
        ask(None);
        writer.looked(Snapshot {
            backends: [(("10".to_owned(), "ONLINE".to_owned()), 4)].into(),
            members: vec![("[fd00::1]:6032".to_owned(), "core-1".to_owned())],
            ..Snapshot::default()
        });
        let page = text(&writer.status());
        assert!(page.contains("<td class=\"good\">ONLINE") && page.contains("[fd00::1]:6032"), "{page}");
        assert!(page.contains("<h2>Backends</h2>"), "{page}");
        ask(Some(Obstacle::Gone));
        tokio::time::advance(Duration::from_secs(35)).await;
        let page = text(&writer.status());
        assert!(page.contains("<td class=\"busy\">ONLINE") && !page.contains("<td class=\"good\">ONLINE"), "{page}");
        assert_eq!(page.matches("as of 35 s ago</small></h2>").count(), 3, "{page}");
    }

    #[tokio::test]
    async fn a_drain_shows_how_far_it_is() {
        let (_state, _mailbox, writer) = channel();
        let progress = Progress {
            step: Step::Emptying,
            ended: None::<Ending>,
            clients: 40,
            remaining: 10,
            evicted: 25,
            finished: 5,
            cut: 0,
            waiting_for: [("in_transaction", 2), ("idle", 8)].into(),
            left: vec![Remaining {
                user: "app<>".into(),
                client: "[fd00::1]:4000".into(),
                why: Activity::InTransaction,
                idle_seconds: Duration::from_millis(1_500),
            }],
            seconds: Seconds::default(),
            notes: vec!["PAUSE was not answered"],
        };
        writer.drain_progressed(Phase::Draining, progress);
        let page = text(&writer.status());
        assert!(page.contains("<progress max=\"40\" value=\"30\">") && page.contains("PAUSE was not answered"));
        assert!(page.contains("<p class=\"phase busy\">draining</p>"), "{page}");
        assert!(page.contains("<td>app&lt;&gt;<td>[fd00::1]:4000<td>in_transaction<td class=\"n\">1.5"), "{page}");
    }
}
