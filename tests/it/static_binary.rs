//! The static binary needs nothing of the system: in an empty directory, as the image is one, it starts, checks a configuration, keeps a
//! core and takes it down. `AGENT_STATIC_BINARY` names it; `make static` builds one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use proxysql_fleet::rig::Rig;
use tempfile::TempDir;

use crate::support::{PATIENCE, converged, settings};

const VARIABLE: &str = "AGENT_STATIC_BINARY";
/// Whom the image runs as.
const USER: &str = "1000:999";
/// As in the image.
const BINARY: &str = "/app/proxysql-agent";

/// A directory with the binary, one that it may write to, and nothing else.
struct Empty {
    dir: TempDir,
}

impl Empty {
    fn new() -> Option<Self> {
        let Some(binary) = std::env::var_os(VARIABLE).filter(|binary| !binary.is_empty()) else {
            eprintln!("{VARIABLE} names no binary; none is run in an empty directory");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let empty = Self { dir };
        fs::create_dir(empty.inside("/app")).unwrap();
        fs::copy(binary, empty.inside(BINARY)).unwrap();
        fs::create_dir(empty.inside("/data")).unwrap();
        fs::set_permissions(empty.inside("/data"), fs::Permissions::from_mode(0o777)).unwrap();
        for dir in ["/", "/app"] {
            fs::set_permissions(empty.inside(dir), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Some(empty)
    }

    /// Where a path of the directory is for everybody else.
    fn inside(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    /// The command that runs the binary in there: as the image's user, or as the user of this test where that may do no better.
    fn command(&self) -> Vec<String> {
        let dir = self.dir.path().display().to_string();
        let command = if rustix::process::geteuid().is_root() {
            vec!["chroot".to_owned(), format!("--userspec={USER}"), dir]
        } else {
            vec!["unshare".to_owned(), "--map-root-user".to_owned(), "chroot".to_owned(), dir]
        };
        command.into_iter().chain([BINARY.to_owned()]).collect()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let command = self.command();
        Command::new(&command[0]).args(&command[1..]).args(arguments).env_clear().env("PATH", PATH).output().unwrap()
    }

    /// An executable that is the binary in there.
    fn executable(&self) -> PathBuf {
        let path = self.dir.path().with_extension("sh");
        fs::write(&path, format!("#!/bin/sh\nexec {} \"$@\"\n", self.command().join(" "))).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Puts a copy of the rig's kubeconfig in there, and of the certificate that it names, as a pod has both. The stand-in's names
    /// none, for it speaks plain HTTP; the client would then look for the system's, of which there are none.
    fn kubeconfig(&self, rig: &Rig) {
        let text = fs::read_to_string(rig.dir().join("kubeconfig")).unwrap();
        let named = text.lines().find_map(|line| line.trim().strip_prefix("certificate-authority: "));
        let (text, certificate) = if let Some(path) = named {
            (text.replace(path, CERTIFICATE), fs::read_to_string(path).unwrap())
        } else {
            let cluster = "  cluster:\n";
            let named = format!("{cluster}    certificate-authority: {CERTIFICATE}\n");
            (text.replacen(cluster, &named, 1), NOBODY.to_owned())
        };
        fs::write(self.inside(CERTIFICATE), certificate).unwrap();
        fs::write(self.inside("/data/kubeconfig"), text).unwrap();
    }
}

/// Where a pod would have `ca.crt`.
const CERTIFICATE: &str = "/data/ca.crt";
/// The certificate of an authority whose key nobody has.
const NOBODY: &str = "-----BEGIN CERTIFICATE-----\n\
MIIBejCCAR+gAwIBAgIUD324jE5HDpBJYNonkuv3hAWgqD8wCgYIKoZIzj0EAwIw\n\
ETEPMA0GA1UEAwwGbm9ib2R5MCAXDTI2MTEyMTA0MjkzNVoYDzIxMjYxMDI4MDQy\n\
OTM1WjARMQ8wDQYDVQQDDAZub2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n\
AAQOeLMR4Qld9WN4Ls94At/rWXilB0H/T5unv1rS0RvjMZ771pdRzn1QiJzl7/OO\n\
T4McQPL/zbfDQrqf/frhkqnvo1MwUTAdBgNVHQ4EFgQUEEZ3I8L7xG+u0g3sMu3y\n\
zoumazwwHwYDVR0jBBgwFoAUEEZ3I8L7xG+u0g3sMu3yzoumazwwDwYDVR0TAQH/\n\
BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEA+8wlnOlTywhrwPUrhjMJQW2ZYbmF\n\
jX3r0zJzsbXo+KICIQCTb8XPmuI+CD3UWvPOEdE+9zARISQjaEBQQ2kvihqCXg==\n\
-----END CERTIFICATE-----\n";

/// Where `chroot` is; it needs no more of the environment.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

impl Drop for Empty {
    fn drop(&mut self) {
        // There is one only where something was run by the rig.
        let _ = fs::remove_file(self.dir.path().with_extension("sh"));
    }
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn it_starts_where_there_is_nothing() {
    let Some(empty) = Empty::new() else { return };
    assert_eq!(said(&empty.run(&["--version"])).trim(), concat!("proxysql-agent ", env!("CARGO_PKG_VERSION")));
    assert!(said(&empty.run(&["--help"])).contains("--run_mode"));
    assert!(said(&empty.run(&["--run_mode=core", "--show-config"])).contains("run_mode"));
    said(&empty.run(&["check", "--run_mode=core"]));
    let mistaken = empty.run(&["--run_mode=cor"]);
    assert_eq!(mistaken.status.code(), Some(2), "{}", String::from_utf8_lossy(&mistaken.stderr));
}

/// On a real API server, the certificate that the pod is given is all that is needed to trust it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_a_core_where_there_is_nothing() {
    let Some(empty) = Empty::new() else { return };
    let mut settings = settings()
        .env("KUBECONFIG", "/data/kubeconfig")
        .env("AGENT_SHUTDOWN_DRAINING_FILE", "/data/draining")
        .env("PATH", PATH);
    settings.agent = empty.executable();
    let mut rig = Rig::start(settings).await.unwrap();
    empty.kubeconfig(&rig);
    rig.add(2, 0).await.unwrap();
    converged(&rig).await;
    let agent = rig.member_mut("core-1").unwrap().agent.as_mut().unwrap();
    let api = agent.api();
    let address = [format!("--api.address={}", api.ip()), format!("--api.port={}", api.port())];
    said(&empty.run(&["shutdown", "--run_mode=core", &address[0], &address[1]]));
    assert_eq!(agent.process.exit_code(PATIENCE).await.unwrap(), Some(0));
}
