//! Whoever answers at the address of a dead member learns no password, whatever he asks for.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proxysql_agent::domain::proxysql::statement::Statement;
use proxysql_agent::edge::admin::{Admin, Login, Password, Target};
use proxysql_fleet::net::Block;
use proxysql_fleet::rig::Settings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{embedded, eventually, fleet, settings};

const NATIVE: &str = "mysql_native_password";
const METHODS: [&str; 8] = [
    "mysql_clear_password",
    "dialog",
    "sha256_password",
    "caching_sha2_password",
    "mysql_old_password",
    "client_ed25519",
    "parsec",
    "authentication_webauthn_client",
];
/// What he says once he has the login, or in place of an answer.
const NEXT: [&[u8]; 5] = [b"\x01\x04", b"\x01\x03", b"\x01-----BEGIN PUBLIC KEY-----", b"\xfe", b"\xfb/etc/hostname"];
/// In which whoever wants to answer has answered.
const ANSWER: Duration = Duration::from_millis(150);
const SALT: &[u8; 20] = b"twenty-bytes-of-salt";

/// What he was told on one connection.
#[derive(Debug, Clone, Default)]
struct Heard {
    what: String,
    login: Vec<u8>,
    after: Vec<u8>,
}

/// How he behaves: the method of the greeting, then what he asks for.
#[derive(Debug, Clone)]
struct Ways {
    greeting: &'static str,
    asks: Vec<u8>,
}

fn all_ways() -> Vec<Ways> {
    let switch = |method: &str| [b"\xfe", method.as_bytes(), b"\0", SALT, b"\0"].concat();
    let greetings = || METHODS.into_iter().chain([NATIVE]);
    let asked: Vec<Vec<u8>> = METHODS.into_iter().map(switch).chain(NEXT.into_iter().map(<[u8]>::to_vec)).collect();
    greetings().flat_map(|greeting| asked.iter().map(move |asks| Ways { greeting, asks: asks.clone() })).collect()
}

struct Rogue {
    heard: Arc<Mutex<Vec<Heard>>>,
    task: JoinHandle<()>,
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Rogue {
    #[expect(clippy::disallowed_methods, reason = "the test holds the handle, and ends the task")]
    async fn start(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            for ways in all_ways().into_iter().cycle() {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let mut one = Heard { what: format!("{ways:?}"), ..Heard::default() };
                let _ = talk(stream, &ways, &mut one).await;
                told.lock().unwrap().push(one);
            }
        });
        Self { heard, task }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// The user of each login, and that nothing but proofs came with it or after it.
    fn users(&self) -> Vec<String> {
        self.heard().into_iter().filter(|heard| !heard.login.is_empty()).map(|heard| heard.user()).collect()
    }
}

impl Heard {
    fn user(&self) -> String {
        let login = &self.login[4..];
        let (user, rest) = login[32..].split_at(login[32..].iter().position(|byte| *byte == 0).unwrap());
        let proof = usize::from(rest[1]);
        assert!(matches!(proof, 0 | 20), "{self:?}");
        assert_eq!(&rest[2 + proof..rest.len() - 1], NATIVE.as_bytes(), "{self:?}");
        // The stand-in's own cluster threads answer any switch by a proof.
        assert!(self.after.is_empty() || self.after.len() == 24, "{self:?}");
        String::from_utf8(user.to_vec()).unwrap()
    }
}

async fn talk(mut stream: TcpStream, ways: &Ways, heard: &mut Heard) -> io::Result<()> {
    let mut greeting = b"\x0a8.0.27\0\x01\0\0\0".to_vec();
    greeting.extend_from_slice(&SALT[..8]);
    greeting.extend_from_slice(b"\0\x0f\xf2\x21\x02\0\x8f\x80\x15\0\0\0\0\0\0\0\0\0\0");
    greeting.extend_from_slice(&SALT[8..]);
    greeting.push(0);
    greeting.extend_from_slice(ways.greeting.as_bytes());
    greeting.push(0);
    stream.write_all(&framed(0, &greeting)).await?;
    heard.login = packet(&mut stream).await?;
    stream.write_all(&framed(heard.login[3] + 1, &ways.asks)).await?;
    let mut buffer = [0; 2048];
    while let Ok(Ok(length @ 1..)) = timeout(ANSWER, stream.read(&mut buffer)).await {
        heard.after.extend_from_slice(&buffer[..length]);
    }
    Ok(())
}

fn framed(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[length, 0, 0, sequence], payload].concat()
}

async fn packet(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut packet = vec![0; 4];
    stream.read_exact(&mut packet).await?;
    let length = usize::from(packet[0]) | usize::from(packet[1]) << 8;
    packet.resize(4 + length, 0);
    stream.read_exact(&mut packet[4..]).await?;
    Ok(packet)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_way_of_asking_makes_it_tell_a_password() {
    let block = Block::take().unwrap();
    let address = SocketAddr::new(block.address().unwrap().into(), block.port(6032).unwrap());
    let rogue = Rogue::start(address).await;
    let admin = Admin::new(Target {
        host: "127.0.0.1".to_owned(),
        port: 1,
        username: "radmin".to_owned(),
        password: Password::Text("agent-secret".to_owned()),
        connect_timeout: Duration::from_secs(1),
        statement_timeout: Duration::from_secs(1),
    });
    let login = Login { username: "cluster".to_owned(), password: "cluster-secret".to_owned() };
    let all = all_ways().len();
    for way in 0..all {
        let asked = admin.ask_peer(&address.ip().to_string(), address.port(), &login, &[Statement::Version]).await;
        let error = asked.expect_err("nobody let it in").to_string();
        assert!(!error.contains("secret"), "{way}: {error}");
    }
    eventually("he has heard all", async || rogue.heard().len() >= all).await;
    for heard in rogue.heard() {
        let text = String::from_utf8_lossy(&[&heard.login[..], &heard.after].concat()).into_owned();
        assert!(!text.contains("secret"), "{}: {heard:?}", heard.what);
        assert_eq!(heard.user(), "cluster");
        assert!(heard.after.is_empty(), "{heard:?}");
    }
}

/// A core and a satellite whose list names a member that is dead, and somebody else at its address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_a_dead_members_address_learns_nothing() {
    let mut rig = fleet(Settings { scripted_proxysql: true, ..settings() }, 2, 1).await;
    rig.kill("core-2").await.unwrap();
    let rogue = Rogue::start(rig.member("core-2").unwrap().admin()).await;
    for name in ["core-1", "satellite-1"] {
        let agent = rig.member(name).unwrap().agent.as_ref().unwrap();
        eventually(&format!("{name} has asked a peer"), async || {
            let metrics = agent.get("/metrics").await.unwrap().text().await.unwrap();
            let line = "proxysql_agent_admin_statement_duration_seconds_count{class=\"peer\"}";
            metrics.lines().filter_map(|found| found.strip_prefix(line)).any(|count| count.trim() != "0")
        })
        .await;
    }
    // A satellite reads a core when it is to follow again, and that, too, as one node reads another.
    let satellite = rig.member("satellite-1").unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for sql in ["INSERT INTO mysql_users (username, password) VALUES ('stray', 'x')", "LOAD MYSQL USERS TO RUNTIME"] {
        satellite.node.query(sql).await.unwrap();
    }
    let mark = embedded(rig.member("core-1").unwrap()).log().mark();
    rig.member_mut("satellite-1")
        .unwrap()
        .agent
        .as_mut()
        .unwrap()
        .process
        .signal(proxysql_fleet::process::Signal::USR2);
    let satellite = rig.member("satellite-1").unwrap();
    eventually("it follows again", async || {
        let rows = satellite.node.query("SELECT 1 FROM runtime_mysql_users WHERE username='stray'").await.unwrap();
        rows.is_empty()
    })
    .await;
    let read = embedded(rig.member("core-1").unwrap()).log().since(mark);
    assert!(
        read.iter().any(|entry| entry.user == "cluster" && entry.sql.contains("quote(")),
        "as one node reads another"
    );
    // He changes his ways with each connection: for a long run, as many as are wanted.
    let many = std::env::var("ROGUE_LOGINS").map_or(2, |many| many.parse().unwrap());
    eventually("he has had enough logins", async || rogue.users().len() >= many).await;
    let users = rogue.users();
    eprintln!("{} logins at the rogue's", users.len());
    assert!(!users.is_empty() && users.iter().all(|user| user == "cluster"), "{users:?}");
}
