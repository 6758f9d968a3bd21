//! What happens, step by step.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use proxysql_fleet::node::{BINARY, Row};
use proxysql_fleet::rig::{Member, Report, Rig, Role, Saying, View, Views, differences};
use tokio::time::Instant;

use super::screen::{Colour, Screen};
use super::table;

/// How long a step may take to converge.
const LIMIT: Duration = Duration::from_secs(30);
/// For how long a step watches that something does not happen.
const WATCH: Duration = Duration::from_millis(2_500);
const POLL: Duration = Duration::from_millis(100);
/// What every agent says when it starts.
const ROUTINE: [&str; 2] = ["starting", "watching pods"];
/// How many characters of what an agent said a line shows.
const SAID: usize = 240;

/// The fleet, and where its story is told.
pub(super) struct Story {
    rig: Rig,
    screen: Screen,
    step: usize,
    began: Instant,
    /// When the latest thing happened that the fleet is to follow.
    since: Instant,
    /// How far each agent's log was told.
    told: BTreeMap<String, u64>,
    /// Satellites that have served: they are never again without users.
    served: BTreeSet<String>,
}

/// How a step ends early.
enum Halt {
    /// Not converged, or lost what it had.
    Failed(String),
    /// The rig itself broke.
    Broken(io::Error),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

type Step = Result<(), Halt>;

impl Story {
    pub(super) fn new(rig: Rig, screen: Screen) -> Self {
        Self {
            rig,
            screen,
            step: 0,
            began: Instant::now(),
            since: Instant::now(),
            told: BTreeMap::new(),
            served: BTreeSet::new(),
        }
    }

    /// All steps, up to the first that fails.
    pub(super) async fn tell(&mut self) -> io::Result<bool> {
        let told = self.steps().await;
        let seconds = self.began.elapsed().as_secs_f64();
        match told {
            Ok(()) => {
                self.screen.say(Colour::Good, format!("All {} steps converged, in {seconds:.1} s.", self.step));
                Ok(true)
            }
            Err(Halt::Failed(why)) => {
                self.tell_agents();
                let logs = self.rig.keep();
                self.screen.say(Colour::Bad, format!("   {why}"));
                self.screen.say(
                    Colour::Bad,
                    format!("Step {} failed after {seconds:.1} s; logs are in {}", self.step, logs.display()),
                );
                Ok(false)
            }
            Err(Halt::Broken(error)) => Err(error),
        }
    }

    async fn steps(&mut self) -> Step {
        self.begin("Three cores and two satellites start, ProxySQL and agents all in the same second.");
        self.rig.add(3, 2).await?;
        self.introduce();
        self.end().await?;

        self.begin("Scale out: a fourth core and a third satellite.");
        self.rig.add(1, 1).await?;
        self.end().await?;

        self.begin("Scale in: core-2 is deleted; its pod terminates, and then is gone.");
        self.rig.remove("core-2").await?;
        self.end().await?;

        self.begin("core-3 dies; its pod stays Running for a while, so it stays listed.");
        self.rig.kill("core-3").await?;
        let rows = self.rig.expected();
        self.hold(&rows).await?;
        self.end().await?;

        self.begin("The pod of core-3 goes, and a new core comes at another address.");
        self.rig.forget("core-3").await?;
        self.rig.add_core().await?;
        self.end().await?;

        self.begin("All cores are replaced at once, at new addresses: no satellite knows any of them.");
        self.rig.replace_all_cores().await?;
        self.end().await?;

        self.begin("The Kubernetes API is gone, and one core is replaced meanwhile: nothing is removed.");
        let before = self.rig.expected();
        self.rig.kubernetes().outage(true).await;
        let cores = self.rig.names(Role::Core);
        let lost = cores.first().ok_or_else(|| io::Error::other("no core is left"))?;
        self.rig.kill(lost).await?;
        self.hold(&before).await?;
        self.rig.forget(lost).await?;
        self.rig.add_core().await?;

        self.begin("The Kubernetes API is back.");
        self.rig.kubernetes().outage(false).await;
        self.end().await
    }

    /// Says what is going to happen.
    fn begin(&mut self, what: &str) {
        self.step += 1;
        self.since = Instant::now();
        for member in self.rig.members() {
            if let Some(agent) = &member.agent {
                self.told.insert(member.name.clone(), agent.process.log().mark());
            }
        }
        self.screen.say(Colour::Bold, format!("{}. {what}", self.step));
    }

    /// Waits for convergence; says what each agent did, and how long it took.
    async fn end(&mut self) -> Step {
        let began = self.since;
        let expected = self.rig.expected();
        loop {
            let lines = self.look(|views| differences(&expected, views)).await?;
            if lines.is_empty() {
                break;
            }
            if began.elapsed() > LIMIT {
                return Err(Halt::Failed(Report { waited: began.elapsed(), lines }.to_string()));
            }
            tokio::time::sleep(POLL).await;
        }
        let waited = began.elapsed().as_secs_f64();
        self.tell_agents();
        let nodes = self.rig.members().iter().filter(|member| member.alive).count();
        let outcome = format!("{nodes} nodes list the same {} cores and agree in every module", expected.len());
        self.screen.say(Colour::Good, format!("   converged in {waited:.1} s: {outcome}"));
        Ok(())
    }

    /// Watches for a while that no living node loses any of these rows.
    async fn hold(&mut self, rows: &BTreeSet<Row>) -> Step {
        let began = Instant::now();
        while began.elapsed() < WATCH {
            let lost = self.look(|views| losses(rows, views)).await?;
            if !lost.is_empty() {
                return Err(Halt::Failed(lost.join("; ")));
            }
            tokio::time::sleep(POLL).await;
        }
        self.since = Instant::now();
        let seconds = WATCH.as_secs_f64();
        self.screen.say(Colour::Plain, format!("   for {seconds:.1} s nothing was removed anywhere"));
        Ok(())
    }

    /// Draws the table, sees that satellites still serve, and answers what the judge finds wrong.
    async fn look(&mut self, judge: impl Fn(&Views<'_>) -> Vec<String>) -> Result<Vec<String>, Halt> {
        let views = self.rig.views().await;
        if self.screen.is_live() {
            self.screen.draw(table::draw(&self.rig, &views));
        }
        for (member, _) in views.iter().filter(|(member, _)| member.role == Role::Satellite) {
            let Ok(rows) = member.node.query("SELECT COUNT(*) FROM runtime_mysql_users").await else { continue };
            let users = rows.first().and_then(|row| row.first()?.as_deref()).unwrap_or("0");
            if users != "0" {
                self.served.insert(member.name.clone());
            } else if self.served.contains(&member.name) {
                return Err(Halt::Failed(format!("{} lost its users", member.name)));
            }
        }
        Ok(judge(&views))
    }

    fn introduce(&mut self) {
        let proxysql = match std::env::var(BINARY) {
            Ok(path) => format!("the real ProxySQL {path}"),
            Err(_) => format!("the embedded ProxySQL (a stand-in; set {BINARY} for a real one)"),
        };
        let members =
            self.rig.members().iter().map(|member| format!("{} {}", member.name, member.ip())).collect::<Vec<_>>();
        self.screen.say(Colour::Plain, format!("   with {proxysql} and {}", self.rig.kubernetes()));
        self.screen.say(Colour::Plain, format!("   bootstrap row {}; {}", self.rig.bootstrap(), members.join(", ")));
    }

    /// One line for each agent: what it said at INFO and above since the step began.
    fn tell_agents(&mut self) {
        for member in self.rig.members() {
            let Some(agent) = &member.agent else { continue };
            let mark = self.told.get(&member.name).copied().unwrap_or(0);
            let said = agent.said_since(mark);
            let said = condense(said.iter().filter(|saying| saying.is_notable()));
            let short = said.chars().take(SAID).collect::<String>();
            let dots = if short.len() < said.len() { "..." } else { "" };
            self.screen.say(Colour::Faint, format!("   {:<12} {short}{dots}", member.name));
        }
    }
}

/// Sayings as one line; what was said again and again with other values is said once with all of them.
fn condense<'a>(said: impl Iterator<Item = &'a Saying>) -> String {
    let mut told: Vec<(&str, BTreeMap<&str, Vec<&str>>)> = Vec::new();
    for saying in said.filter(|saying| !ROUTINE.contains(&saying.message.as_str())) {
        let known = told.iter().position(|(message, _)| *message == saying.message);
        let index = known.unwrap_or_else(|| {
            told.push((&saying.message, BTreeMap::new()));
            told.len() - 1
        });
        for (key, value) in &saying.fields {
            let values = told[index].1.entry(key).or_default();
            if !values.contains(&value.as_str()) {
                values.push(value);
            }
        }
    }
    let sentence = |(message, fields): (&str, BTreeMap<&str, Vec<&str>>)| {
        let fields = fields.iter().map(|(key, values)| format!("{key}={}", values.join(",")));
        std::iter::once(message.to_owned()).chain(fields).collect::<Vec<_>>().join(" ")
    };
    let told = told.into_iter().map(sentence).collect::<Vec<_>>();
    if told.is_empty() { "had nothing to do".to_owned() } else { told.join("; ") }
}

/// Who of these nodes lists less than these rows.
fn losses(rows: &BTreeSet<Row>, views: &Views<'_>) -> Vec<String> {
    let lost = |member: &Member, view: &View| {
        let missing = rows.difference(&view.members).map(|row| row.comment.as_str()).collect::<Vec<_>>();
        (!missing.is_empty()).then(|| format!("{} does not list {} any more", member.name, missing.join(", ")))
    };
    views.iter().filter_map(|(member, view)| lost(member, view.as_ref().ok()?)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn saying(message: &str, field: &str, value: &str) -> Saying {
        let fields = BTreeMap::from([(field.to_owned(), value.to_owned())]);
        Saying { at: SystemTime::UNIX_EPOCH, level: "INFO".to_owned(), message: message.to_owned(), fields }
    }

    #[test]
    fn what_is_said_again_is_told_once() {
        let said = [
            saying("starting", "mode", "core"),
            saying("published", "module", "users"),
            saying("published", "module", "servers"),
            saying("published", "module", "users"),
            saying("members changed", "members", "3"),
        ];
        assert_eq!(condense(said.iter()), "published module=users,servers; members changed members=3");
        assert_eq!(condense(said[..1].iter()), "had nothing to do");
    }
}
