//! HTTP: one schema, no request that disturbs another, and a token for what changes something.

use std::collections::BTreeSet;
use std::time::Duration;

use proxysql_fleet::process::LogLine;
use proxysql_fleet::proxysql::ClientState;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::life::{Make, Pod, call, raw};
use crate::support::{PATIENCE, eventually, on_real_proxysql};

const FIELDS: [&str; 10] =
    ["age_ms", "backends", "clients", "drain", "draining", "message", "phase", "probe", "reasons", "status"];

fn fields(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn has_the_schema(body: &Value) {
    assert_eq!(fields(body), FIELDS.into(), "{body}");
    assert_eq!(fields(&body["backends"]), ["online", "shunned", "total"].into());
    assert!(body["clients"].is_u64() && body["draining"].is_boolean() && body["reasons"].is_array());
    let words = ["status", "message", "phase"].map(|field| body[field].as_str());
    assert!(matches!(words[0], Some("ok" | "draining" | "unhealthy" | "error")), "{body}");
    assert!(matches!(words[2], Some("running" | "draining" | "stopping" | "stopped")), "{body}");
    assert!(words[1].is_some_and(|message| !message.is_empty()), "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_one_schema_errors_too() {
    let pod = Make::new().ready().await;
    let mut wanted = vec![
        ("GET", "/healthz/started", 200),
        ("GET", "/healthz/ready", 200),
        ("GET", "/healthz/live", 200),
        ("GET", "/drain", 200),
        ("DELETE", "/drain", 409),
        ("GET", "/nope", 404),
        ("GET", "/healthz", 404),
        ("GET", "/healthz/ready/", 404),
        ("GET", "/%3Cscript%3E", 404),
        ("PUT", "/shutdown", 405),
        ("DELETE", "/shutdown", 405),
        ("HEAD", "/shutdown", 405),
        ("POST", "/drain", 405),
        ("BREW", "/", 405),
    ];
    wanted.extend(["POST", "PUT", "DELETE", "PATCH"].map(|method| (method, "/healthz/live", 405)));
    for (method, path, code) in wanted {
        let answer = pod.call(method, path).await;
        assert_eq!(answer.code, code, "{method} {path} {answer:?}");
        assert!(answer.head.contains("content-type: application/json"), "{answer:?}");
        assert!(answer.head.contains("allow: ") == (code == 405), "{answer:?}");
        if method != "HEAD" {
            has_the_schema(&answer.body());
        }
    }
    for path in ["/healthz/started", "/healthz/ready", "/healthz/live", "/drain", "/"] {
        let (head, get) = (pod.call("HEAD", path).await, pod.get(path).await);
        assert_eq!((head.code, head.text.as_str(), get.code), (200, "", 200), "{path}");
    }
    assert_eq!(pod.get("/healthz/live").await.body()["phase"], "running", "nobody has drained");
    let page = pod.get("/").await;
    assert!(page.head.contains("text/html") && page.text.contains("ready"), "{page:?}");
    let last = pod.get("/shutdown").await;
    has_the_schema(&last.body());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_token_nothing_happens_and_nothing_leaks() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "s3cret-of-today\n").unwrap();
    let mut pod = Make::new().env("API_TOKEN_FILE", &file.to_string_lossy()).ready().await;
    let wrong: [&[(&str, &str)]; 5] = [
        &[],
        &[("authorization", "Bearer wrong")],
        &[("authorization", "s3cret-of-today")],
        &[("authorization", "Basic czNjcmV0LW9mLXRvZGF5")],
        &[("authorization", "Bearer s3cret-of-today"), ("authorization", "Bearer s3cret-of-today")],
    ];
    for headers in wrong {
        for (method, path) in
            [("GET", "/shutdown"), ("POST", "/shutdown"), ("POST", "/shutdown?wait=false"), ("DELETE", "/drain")]
        {
            let answer = call(pod.api, method, path, headers).await;
            assert_eq!(answer.code, 401, "{method} {path} {headers:?}");
            assert!(answer.head.contains("www-authenticate: bearer"), "{answer:?}");
            has_the_schema(&answer.body());
            assert!(!format!("{answer:?}").contains("s3cret"), "{answer:?}");
        }
    }
    // Probes never need it, and nothing has happened.
    for path in ["/healthz/started", "/healthz/ready", "/healthz/live", "/drain", "/"] {
        assert_eq!(pod.code(path).await, 200, "{path}");
    }
    assert!(!pod.marker().exists());
    // A token that was exchanged holds at once; one that cannot be read lets nobody in.
    std::fs::rename(&file, dir.path().join("away")).unwrap();
    assert_eq!(call(pod.api, "POST", "/shutdown", &[("authorization", "Bearer s3cret-of-today")]).await.code, 401);
    std::fs::write(&file, "s3cret-of-tomorrow").unwrap();
    assert_eq!(call(pod.api, "POST", "/shutdown", &[("authorization", "Bearer s3cret-of-today")]).await.code, 401);
    // The subcommand finds it in the same configuration.
    let mut command = pod.sub_command("shutdown");
    assert_eq!(command.exit_code(PATIENCE).await.unwrap(), Some(0), "{}", command.log().last());
    assert_eq!(pod.gone().await, Some(0));
    assert!(!pod.log().contains("s3cret"), "{}", pod.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_is_taken_is_said() {
    let pod = Make::new().ready().await;
    let mut second = pod.another_agent();
    assert_eq!(second.exit_code(PATIENCE).await.unwrap(), Some(1));
    let is_said = |line: &LogLine| line.text.contains("is already in use; set api.port");
    let said = second.log().wait_for(PATIENCE, is_said).await.unwrap().text;
    assert!(said.contains(&pod.api.to_string()), "{said}");
}

/// Probes are answered while others do their worst.
async fn answers(pod: &Pod) {
    for _ in 0..20 {
        let answer = pod.get("/healthz/live").await;
        assert_eq!(answer.code, 200);
        assert!(answer.took < Duration::from_secs(1), "{:?}", answer.took);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_half_open_slow_and_greedy_clients_disturb_nobody() {
    let pod = Make::new().ready().await;
    let mut rude = Vec::new();
    for client in 0..1_000 {
        let mut stream = TcpStream::connect(pod.api).await.unwrap();
        let begun: &[u8] = match client % 4 {
            0 => b"",
            1 => b"GET /healthz/li",
            2 => b"GET /healthz/live HTTP/1.1\r\nhost: x\r\n",
            _ => b"POST /drain HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\nxxxx",
        };
        // A connection that was cut to make room takes nothing any more.
        let _ = stream.write_all(begun).await;
        rude.push(stream);
        if client % 100 == 0 {
            answers(&pod).await;
        }
    }
    answers(&pod).await;
    // Those who never end their request are cut after five seconds.
    let mut last = rude.pop().unwrap();
    let began = Instant::now();
    for stream in rude.iter_mut().rev().take(50) {
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it is cut");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let _ = last.write_all(b"x").await;
    answers(&pod).await;
    // One that never reads what it asked for.
    let mut deaf = TcpStream::connect(pod.api).await.unwrap();
    let ask = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(500);
    let _ = timeout(Duration::from_secs(1), deaf.write_all(&ask)).await;
    answers(&pod).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_hang_up_harm_nothing() {
    if on_real_proxysql("clients_that_hang_up_harm_nothing") {
        return;
    }
    let mut pod = Make::new().env("HEALTH_REFRESH", "0").ready().await;
    pod.embedded().trouble().hang(true);
    for _ in 0..50 {
        let mut stream = TcpStream::connect(pod.api).await.unwrap();
        stream.write_all(b"GET /healthz/ready HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    }
    pod.embedded().trouble().hang(false);
    pod.is_ready().await;
    // What is answered is the answer to what was asked, and not to what somebody asked before.
    pod.clients(7, &ClientState::Idle);
    eventually("all are seen", async || pod.get("/healthz/live").await.body()["clients"] == 7).await;
    pod.agent.terminate();
    assert_eq!(pod.gone().await, Some(0));
}

/// A generator of its own, so that a seed means the same everywhere: xorshift.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a [u8]]) -> &'a [u8] {
        from[self.roll(from.len())]
    }

    /// A request that is wrong somewhere, in one way or several.
    fn request(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let methods: &[&[u8]] = &[b"GET", b"POST", b"HEAD", b"get", b"G\0T", b"", b"\xff\xfe", b"OPTIONS", b"TRACE"];
        let paths: &[&[u8]] = &[
            b"/",
            b"/nope",
            b"//",
            b"/%00",
            b"/%zz",
            b"/../../etc/passwd",
            b"*",
            b"nope",
            b"/\xc3\x28",
            b"http://x/y",
        ];
        let versions: &[&[u8]] = &[b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b"HTTP", b"", b"HTTP/1.1 x"];
        let headers: &[&[u8]] = &[
            b"host: x",
            b"host",
            b": x",
            b"content-length: -1",
            b"content-length: 5",
            b"content-length: 99999999999999999999",
            b"transfer-encoding: chunked",
            b"transfer-encoding: x",
            b"authorization: \x01",
            b" folded: yes",
            b"connection: upgrade\r\nupgrade: websocket",
            b"expect: 100-continue",
        ];
        bytes.extend(self.pick(methods));
        bytes.push(b' ');
        bytes.extend(self.pick(paths));
        if self.roll(20) == 0 {
            bytes.extend(vec![b'a'; self.roll(30_000)]);
        }
        bytes.push(b' ');
        bytes.extend(self.pick(versions));
        bytes.extend(b"\r\n");
        for _ in 0..self.roll(6) {
            bytes.extend(self.pick(headers));
            bytes.extend(b"\r\n");
        }
        if self.roll(50) == 0 {
            bytes.extend(b"x: y\r\n".repeat(self.roll(400)));
        }
        bytes.extend(b"connection: close\r\n\r\n");
        for _ in 0..self.roll(4) {
            let (at, byte) = (self.roll(bytes.len()), u8::try_from(self.roll(256)).unwrap());
            bytes[at] = byte;
        }
        bytes.truncate(1 + self.roll(bytes.len() * 4).min(bytes.len() - 1));
        // Nothing that would be a request to drain: that is another scenario.
        if bytes.windows(9).any(|part| part == b"/shutdown") { b"x".to_vec() } else { bytes }
    }
}

/// What a malformed request may be answered with: nothing, or one of these.
const ALLOWED: [u16; 11] = [200, 400, 401, 404, 405, 408, 411, 413, 414, 431, 505];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_malformed_requests_do_nothing() {
    let mut pod = Make::new().ready().await;
    let rounds = async |seed: u64, many: usize| {
        let mut dice = Dice(seed);
        let mut under_way = JoinSet::new();
        for _ in 0..many {
            let (request, api) = (dice.request(), pod.api);
            under_way.spawn(async move {
                let mut stream = TcpStream::connect(api).await.unwrap();
                let _ = stream.write_all(&request).await;
                let _ = stream.shutdown().await;
                let mut answer = Vec::new();
                let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is closed");
                let head = String::from_utf8_lossy(&answer).into_owned();
                let code = head.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok());
                assert!(
                    answer.is_empty() || code.is_some_and(|code| ALLOWED.contains(&code)),
                    "{:?} to {:?}",
                    head.lines().next(),
                    String::from_utf8_lossy(&request)
                );
            });
            if under_way.len() >= 64 {
                under_way.join_next().await.unwrap().unwrap();
            }
        }
        while let Some(done) = under_way.join_next().await {
            done.unwrap();
        }
    };
    rounds(0x9e37_79b9, 1_000).await;
    let before = pod.agent.memory().unwrap();
    rounds(0x7f4a_7c15, 9_000).await;
    let after = pod.agent.memory().unwrap();
    eprintln!(
        "resident before {} kB and after 9,000 more malformed requests {} kB",
        before.resident >> 10,
        after.resident >> 10
    );
    assert!(after.resident < before.resident + (2 << 20), "{before:?} {after:?}");
    assert_eq!(pod.code("/healthz/ready").await, 200);
    assert!(pod.agent.is_running() && !pod.marker().exists());
    assert!(raw(pod.node.spec().mysql(), b"").await.is_ok());
}
