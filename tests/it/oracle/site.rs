//! Where a file is tried: one ProxySQL with an agent beside it, one that only ever starts fresh, and one that comes as a peer.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use proxysql_fleet::client::{Client, Reply};
use proxysql_fleet::net::Block;
use proxysql_fleet::node::{Cnf, Node, NodeSpec};
use proxysql_fleet::process::{Process, Program};
use proxysql_fleet::rig::Saying;
use serde_json::Value;
use tempfile::TempDir;

use super::tables::{Look, look};
use crate::life::{call, try_call};
use crate::support::{eventually, eventually_or};

/// A file of ProxySQL, and what it includes. `@DIR@`, `@IP@`, `@ADMIN@` and `@MYSQL@` are the node's own.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) name: String,
    /// Not text: a comment may be in Latin-1.
    pub(super) bytes: Vec<u8>,
    /// By name.
    pub(super) included: Vec<(String, Vec<u8>)>,
}

impl Files {
    pub(super) fn of(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), bytes: text.as_bytes().to_vec(), included: Vec::new() }
    }

    /// The same with a login for the cluster, where the file has that user and says nothing of it: without one, nodes do not know each other.
    fn in_a_cluster(&self) -> Self {
        let (text, name) = (self.text(), b"mysql_ifaces");
        // A path of its own is no value for two: one would take the other's.
        let is_of_one_node = text.contains("@DIR@/events");
        if !text.contains("cluster:cluster") || text.contains("cluster_username") || is_of_one_node {
            return self.clone();
        }
        let login = b"cluster_username=\"cluster\" cluster_password=\"cluster\" ";
        let with_login = |bytes: &Vec<u8>| match bytes.windows(name.len()).position(|window| window == name) {
            Some(at) => [&bytes[..at], login, &bytes[at..]].concat(),
            None => bytes.clone(),
        };
        let included = self.included.iter().map(|(name, bytes)| (name.clone(), with_login(bytes))).collect();
        Self { name: self.name.clone(), bytes: with_login(&self.bytes), included }
    }

    /// Whether its nodes know each other, once it has a login for that.
    pub(super) fn is_in_a_cluster(&self) -> bool {
        self.in_a_cluster().text().contains("cluster_username")
    }

    /// All that ProxySQL reads, as text.
    pub(super) fn text(&self) -> String {
        let all = std::iter::once(&self.bytes).chain(self.included.iter().map(|(_, bytes)| bytes));
        all.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect::<Vec<_>>().join("\n")
    }

    /// Puts them where a node reads them: a file that is replaced, not one that is written to.
    fn put(&self, spec: &NodeSpec) {
        let filled = |bytes: &[u8]| {
            // One letter for each byte, so that nothing is lost on the way.
            let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
            let text: Vec<u8> = spec.fill(&text).chars().filter_map(|letter| u8::try_from(letter).ok()).collect();
            text
        };
        for (name, bytes) in
            self.included.iter().map(|(name, bytes)| (name.as_str(), bytes)).chain([("proxysql.cnf", &self.bytes)])
        {
            let path = spec.dir.join(name);
            fs::write(path.with_extension("new"), filled(bytes)).unwrap();
            fs::rename(path.with_extension("new"), path).unwrap();
        }
    }
}

/// Next to nothing.
pub(super) const LEAST: &str = "datadir=\"@DIR@\"\nadmin_variables={ admin_credentials=\"radmin:radmin;observer:observer\" \
                                mysql_ifaces=\"@ADMIN@\" }\nmysql_variables={ threads=2 interfaces=\"@MYSQL@\" }\n";

/// What a file is tried with.
pub(super) struct Site {
    block: Block,
    dir: TempDir,
    admin_port: u16,
    mysql_port: u16,
    api_port: u16,
    /// The one that is published to.
    pub(super) node: Node,
    agent: Option<Process>,
    api: SocketAddr,
    agents: u32,
    fresh: Node,
    pub(super) monitor: bool,
    /// What a ProxySQL has that finds next to nothing in its file.
    pub(super) least: Look,
    /// More variables for every agent.
    environment: BTreeMap<String, String>,
}

/// How publishing went.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Why modules are refused, as the status has it.
    pub(super) refused: BTreeMap<String, String>,
    /// All that the status calls a problem.
    pub(super) problems: Vec<String>,
}

/// What `plan` answered.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) code: Option<i32>,
    pub(super) text: String,
}

/// Version and epoch of each module, those of the list of members left out.
pub(super) type Versions = BTreeMap<String, (u64, i64)>;

impl Site {
    /// All start with this file; its agent has published it when this returns.
    pub(super) async fn start(first: &Files, monitor: bool) -> Self {
        let block = Block::take().unwrap();
        let dir = tempfile::Builder::new().prefix("proxysql-agent-oracle-").tempdir().unwrap();
        let ports = (block.port(6032).unwrap(), block.port(6033).unwrap(), block.port(8080).unwrap());
        let spec = |name: &str| NodeSpec {
            name: name.to_owned(),
            ip: block.address().unwrap().into(),
            admin_port: ports.0,
            mysql_port: ports.1,
            dir: dir.path().join(name),
        };
        let (node, fresh) = tokio::join!(boot(spec("core"), first, monitor), boot(spec("fresh"), first, monitor));
        let api = SocketAddr::new(node.spec().ip, ports.2);
        let mut site = Self {
            block,
            dir,
            admin_port: ports.0,
            mysql_port: ports.1,
            api_port: ports.2,
            node,
            agent: None,
            api,
            agents: 0,
            fresh,
            monitor,
            least: Look::default(),
            environment: BTreeMap::new(),
        };
        let members = site.node.spec().admin().to_string();
        site.start_agent(&members);
        site.quiet(0).await;
        site.least = site.fresh(&Files::of("least", LEAST)).await.0;
        site
    }

    /// What a ProxySQL has that starts fresh with these files, and the variables that it finds in them, as they stand there.
    pub(super) async fn fresh(&mut self, files: &Files) -> (Look, BTreeMap<String, String>) {
        files.put(self.fresh.spec());
        self.fresh.restart(true).await.unwrap_or_else(|error| panic!("{}: no fresh start: {error}", files.name));
        let seen = look(&self.fresh).await;
        let mut named = BTreeMap::new();
        let mut client = login(&self.fresh).await;
        for module in ["mysql", "admin"] {
            let prefix = format!("{module}-%");
            // What is deleted comes back by itself when somebody looks.
            let mark =
                format!("UPDATE global_variables SET variable_value='not in it' WHERE variable_name LIKE '{prefix}'");
            client.rows(&mark).await.unwrap();
            client.rows(&format!("LOAD {} VARIABLES FROM CONFIG", module.to_uppercase())).await.unwrap();
            let names = format!(
                "SELECT variable_name, variable_value FROM global_variables WHERE variable_name LIKE '{prefix}' AND variable_value<>'not in it'"
            );
            for row in client.rows(&names).await.unwrap() {
                let [Some(name), Some(value)] = &row[..] else { continue };
                named.insert(name.clone(), value.clone());
            }
        }
        (seen, named)
    }

    /// What is in effect where the agent publishes.
    pub(super) async fn look(&self) -> Look {
        look(&self.node).await
    }

    /// What the one that started fresh has in effect by now.
    pub(super) async fn look_at_fresh(&self) -> Look {
        look(&self.fresh).await
    }

    /// Puts the files in place, asks for a reload, and waits until nothing is due.
    pub(super) async fn publish(&mut self, files: &Files) -> Outcome {
        files.put(self.node.spec());
        self.reload().await
    }

    pub(super) async fn reload(&self) -> Outcome {
        let before = self.metric("reloads_total").await;
        assert_eq!(call(self.api, "POST", "/reload", &[]).await.code, 202);
        let reloaded = async || self.metric("reloads_total").await > before;
        eventually_or("the agent has reloaded", reloaded, || self.story()).await;
        // One round may have been under way; the next is the one.
        self.quiet(2).await
    }

    /// Another agent in place of the one there is; returns when nothing is due.
    pub(super) async fn new_agent(&mut self) -> Outcome {
        self.kill_agent().await;
        let members = self.node.spec().admin().to_string();
        self.start_agent(&members);
        self.quiet(2).await
    }

    pub(super) async fn kill_agent(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            agent.kill().await;
        }
    }

    /// What `plan` says of the files that are in place.
    pub(super) async fn plan(&self) -> Planned {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_proxysql-agent"));
        command.arg("plan").env_clear().kill_on_drop(true).current_dir(self.dir.path());
        command.envs(self.settings(&self.node, self.node.spec().admin().to_string().as_str()));
        let output = command.output().await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        Planned { code: output.status.code(), text: String::from_utf8_lossy(&text).into_owned() }
    }

    /// Has the one that there is start fresh with the files, as one of a cluster; its agent finds nothing to publish but what ProxySQL shows
    /// otherwise.
    pub(super) async fn afresh(&mut self, files: &Files) {
        self.kill_agent().await;
        files.in_a_cluster().put(self.node.spec());
        self.node.restart(true).await.unwrap();
        let members = self.node.spec().admin().to_string();
        self.start_agent(&members);
        self.quiet(2).await;
    }

    /// A new ProxySQL with the same files and an agent of its own comes beside the one that there is, and both have settled; answers
    /// what its agent has loaded.
    pub(super) async fn with_a_peer(&mut self, files: &Files) -> Vec<String> {
        let spec = NodeSpec {
            name: "peer".to_owned(),
            ip: self.block.address().unwrap().into(),
            admin_port: self.admin_port,
            mysql_port: self.mysql_port,
            dir: self.dir.path().join(format!("peer-{}", self.agents)),
        };
        let members = format!("{},{}", self.node.spec().admin(), spec.admin());
        self.kill_agent().await;
        let files = files.in_a_cluster();
        let peer = boot(spec, &files, self.monitor).await;
        self.start_agent(&members);
        let mut program =
            Program::new(Path::new(env!("CARGO_BIN_EXE_proxysql-agent")), &peer.spec().dir.join("agent.log"));
        program.environment.extend(self.settings(&peer, &members));
        let mut agent = program.start().unwrap();
        let api = SocketAddr::new(peer.spec().ip, self.api_port);
        self.quiet(3).await;
        quiet(api, 3, || said(&agent)).await;
        self.quiet(3).await;
        let loads = loads(&agent);
        if !loads.is_empty() && std::env::var_os("ORACLE_STORY").is_some() {
            eprintln!("{}", said(&agent));
        }
        agent.kill().await;
        self.kill_agent().await;
        drop(peer);
        let members = self.node.spec().admin().to_string();
        self.start_agent(&members);
        self.quiet(2).await;
        loads
    }

    /// Statements by hand.
    pub(super) async fn by_hand(&self, statements: &[&str]) {
        let mut client = login(&self.node).await;
        for sql in statements {
            client.rows(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }

    pub(super) async fn versions(&self) -> Versions {
        let sums = self.node.checksums().await.unwrap();
        // The row of servers beside that of their configuration moves when the monitor shuns one, too.
        let modules = sums.into_iter().filter(|(name, _)| name != "proxysql_servers" && name != "mysql_servers");
        modules.map(|(name, sum)| (name, (sum.version, sum.epoch))).collect()
    }

    /// The last words of the agent.
    pub(super) fn story(&self) -> String {
        self.agent.as_ref().map(said).unwrap_or_default()
    }

    fn settings(&self, node: &Node, members: &str) -> BTreeMap<String, String> {
        let dir = &node.spec().dir;
        let path = |name: &str| -> String { dir.join(name).to_string_lossy().into_owned() };
        let own = [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("AGENT_RUN_MODE", "core".to_owned()),
            ("AGENT_CORE_DISCOVERY", "static".to_owned()),
            ("AGENT_CORE_STATIC_MEMBERS", members.to_owned()),
            ("AGENT_CORE_CONFIG_FILE", path("proxysql.cnf")),
            ("AGENT_CORE_INTERVAL", "0.4".to_owned()),
            ("AGENT_CORE_ALLOW_EMPTY", "true".to_owned()),
            ("AGENT_PROXYSQL_ADDRESS", node.spec().admin().to_string()),
            ("AGENT_PROXYSQL_USERNAME", "radmin".to_owned()),
            ("AGENT_PROXYSQL_PASSWORD", "radmin".to_owned()),
            ("AGENT_API_ADDRESS", node.spec().ip.to_string()),
            ("AGENT_API_PORT", self.api_port.to_string()),
            ("AGENT_SHUTDOWN_DRAINING_FILE", path("draining")),
            ("AGENT_LOG_FORMAT", "json".to_owned()),
            ("AGENT_LOG_LEVEL", std::env::var("ORACLE_LOG_LEVEL").unwrap_or_else(|_| "INFO".to_owned())),
        ];
        let mut all: BTreeMap<_, _> = own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        all.extend(self.environment.clone());
        all
    }

    fn start_agent(&mut self, members: &str) {
        self.agents += 1;
        let log: PathBuf = self.node.spec().dir.join(format!("agent-{}.log", self.agents));
        let mut program = Program::new(Path::new(env!("CARGO_BIN_EXE_proxysql-agent")), &log);
        program.environment.extend(self.settings(&self.node, members));
        self.agent = Some(program.start().unwrap());
    }

    async fn metric(&self, name: &str) -> u64 {
        metric(self.api, name).await.unwrap_or_default()
    }

    async fn quiet(&self, rounds: u64) -> Outcome {
        quiet(self.api, rounds, || self.story()).await
    }
}

/// A ProxySQL alone.
pub(super) struct Lone {
    node: Node,
    _block: Block,
    _dir: TempDir,
}

impl Lone {
    pub(super) async fn start(files: &Files) -> Self {
        let block = Block::take().unwrap();
        let dir = tempfile::Builder::new().prefix("proxysql-agent-fresh-").tempdir().unwrap();
        let spec = NodeSpec {
            name: files.name.clone(),
            ip: block.address().unwrap().into(),
            admin_port: block.port(6032).unwrap(),
            mysql_port: block.port(6033).unwrap(),
            dir: dir.path().join("lone"),
        };
        Self { node: boot(spec, files, false).await, _block: block, _dir: dir }
    }

    pub(super) async fn look(&self) -> Look {
        look(&self.node).await
    }
}

/// What an agent says that it has loaded because something in the file differs.
fn loads(agent: &Process) -> Vec<String> {
    let lines = agent.log().lines();
    let texts = lines.iter().filter_map(|line| Saying::read(line).map(|said| said.to_string()));
    texts.filter(|said| said.contains("published from ProxySQL's configuration file")).collect()
}

fn said(agent: &Process) -> String {
    let lines = agent.log().lines();
    let texts = lines
        .iter()
        .skip(lines.len().saturating_sub(60))
        .map(|line| Saying::read(line).map_or_else(|| line.text.clone(), |said| format!("{} {said}", said.level)));
    texts.collect::<Vec<_>>().join("\n")
}

async fn boot(spec: NodeSpec, files: &Files, monitor: bool) -> Node {
    fs::create_dir_all(&spec.dir).unwrap();
    files.put(&spec);
    let whole = fs::read(spec.dir.join("proxysql.cnf")).unwrap();
    // The file is there already; what is written over it is the same, but for letters that are no UTF-8.
    let cnf = Cnf { whole: Some(String::from_utf8_lossy(&whole).into_owned()), ..Cnf::default() };
    let mut node = Node::start(spec, &cnf).await.unwrap();
    files.put(node.spec());
    if monitor && let Some(real) = node.real_mut() {
        real.set_monitor(true);
        node.restart(true).await.unwrap();
    }
    node
}

pub(super) async fn login(node: &Node) -> Client {
    let mut client = None;
    eventually(&format!("{} lets the observer in", node.spec().name), async || {
        client = Client::connect(node.spec().admin(), "observer", "observer").await.ok();
        client.is_some()
    })
    .await;
    client.unwrap()
}

/// The rows of a statement, with the names of the columns.
pub(super) async fn ask(client: &mut Client, sql: &str) -> (Vec<String>, Vec<Vec<Option<String>>>) {
    match client.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")) {
        Reply::Rows { columns, rows } => (columns.into_iter().map(|(name, _)| name).collect(), rows),
        other => panic!("{sql}: {other:?}"),
    }
}

async fn metric(api: SocketAddr, name: &str) -> Option<u64> {
    let text = try_call(api, "GET", "/metrics", &[]).await.ok()?.text;
    let name = format!("proxysql_agent_{name}");
    let values = text.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        (series.split('{').next() == Some(name.as_str())).then(|| value.parse::<f64>().ok()).flatten()
    });
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counters of a short life")]
    values.map(|value| value as u64).reduce(|one, other| one + other)
}

/// Waits for so many rounds, and until every module is found in effect or refused.
async fn quiet(api: SocketAddr, rounds: u64, story: impl Fn() -> String) -> Outcome {
    let (mut first, mut found) = (None, None);
    let is_quiet = async || {
        let Some(now) = metric(api, "reconciles_total").await else { return false };
        if now >= *first.get_or_insert(now) + rounds {
            found = outcome(api).await;
        }
        found.is_some()
    };
    eventually_or("publishing comes to an end", is_quiet, story).await;
    found.unwrap()
}

/// `None` while something is due.
async fn outcome(api: SocketAddr) -> Option<Outcome> {
    let answer = try_call(api, "GET", "/status", &[]).await.ok()?;
    let status: Value = serde_json::from_str(&answer.text).ok()?;
    let problems = status["problems"].as_array()?.iter();
    let problems = problems.map(|problem| format!("{}: {}", problem["problem"], problem["message"])).collect();
    let refused = status["publishing"]["refused"].as_str().unwrap_or_default();
    let modules = status["publishing"]["modules"].as_array()?;
    let mut reasons = BTreeMap::new();
    for module in modules.iter().filter(|module| module["published"] == false) {
        let name = module["module"].as_str()?;
        let at = refused.find(&format!("{name}: "));
        // A file that cannot be read is no module's.
        let reason = if refused.contains("Unable to open or parse") { refused } else { &refused[at?..] };
        reasons.insert(name.to_owned(), reason.to_owned());
    }
    (!modules.is_empty()).then_some(Outcome { refused: reasons, problems })
}
