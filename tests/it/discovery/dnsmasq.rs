//! The same with a real server of the DNS, where `dnsmasq` is installed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use proxysql_fleet::dns::free_port;
use proxysql_fleet::process::{Process, Program, Signal};
use proxysql_fleet::rig::Rig;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{NAME, by_name, cores, lists, warnings};
use crate::support::{converged, eventually};

struct Dnsmasq {
    address: SocketAddr,
    program: Program,
    process: Process,
    dir: TempDir,
}

impl Dnsmasq {
    /// `None`, and a word about it, where it is not installed.
    async fn start() -> Option<Self> {
        let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin"];
        let Some(binary) = folders.iter().map(|folder| Path::new(folder).join("dnsmasq")).find(|path| path.is_file())
        else {
            eprintln!("dnsmasq is not installed; not run on a real server of the DNS");
            return None;
        };
        let (address, dir) = (free_port().await.unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(dir.path().join("hosts"), "").unwrap();
        let program = Self::program(&binary, dir.path(), address);
        let process = program.start().unwrap();
        // Before it listens for signals, one would end it.
        eventually("dnsmasq listens", async || TcpStream::connect(address).await.is_ok()).await;
        Some(Self { address, program, process, dir })
    }

    /// Only what stands in its own file of hosts; the rest of its zone does not exist, and other zones it refuses.
    fn program(binary: &Path, dir: &Path, address: SocketAddr) -> Program {
        Program::new(binary, &dir.join("dnsmasq.log"))
            .arg("--keep-in-foreground")
            .arg("--conf-file=/dev/null")
            .arg("--no-resolv")
            .arg("--no-hosts")
            .arg("--local=/example/")
            .arg("--bind-interfaces")
            .arg(format!("--listen-address={}", address.ip()))
            .arg(format!("--port={}", address.port()))
            .arg(format!("--addn-hosts={}", dir.join("hosts").display()))
            .arg(format!("--pid-file={}", dir.join("pid").display()))
            // It would become another user, who cannot read the file.
            .arg("--user=root")
    }

    fn set(&mut self, addresses: &BTreeSet<IpAddr>) {
        let mut text = String::new();
        for address in addresses {
            let _ = writeln!(text, "{address} {NAME}");
        }
        std::fs::write(self.dir.path().join("hosts"), text).unwrap();
        self.process.signal(Signal::HUP);
    }

    fn restart(&mut self) {
        self.process = self.program.start().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_server_is_followed_through_its_troubles() {
    let Some(mut dnsmasq) = Dnsmasq::start().await else { return };
    let mut rig = Rig::start(by_name(dnsmasq.address)).await.unwrap();
    // From the start, so that no trouble was said before it is made.
    dnsmasq.set(&[rig.address().unwrap()].into());
    rig.add(2, 1).await.unwrap();
    dnsmasq.set(&cores(&rig));
    converged(&rig).await;
    let two = cores(&rig);
    let log = |rig: &Rig| rig.member("core-1").unwrap().agent.as_ref().unwrap().process.log().mark();
    let warned = async |rig: &Rig, mark: u64, words: &str| {
        eventually(&format!("a warning with {words:?}"), async || {
            warnings(rig, "core-1", mark).iter().any(|warning| warning.contains(words))
        })
        .await;
    };

    let v6: IpAddr = "fd00::1".parse().unwrap();
    let three: BTreeSet<IpAddr> = two.iter().copied().chain([v6]).collect();
    dnsmasq.set(&three);
    lists(&rig, "IPv6", &three).await;
    dnsmasq.set(&two);
    lists(&rig, "without IPv6", &two).await;

    // More than a datagram holds; dnsmasq cuts it short and answers over TCP.
    let many: BTreeSet<IpAddr> = two.iter().copied().chain((0..50).map(|_| rig.address().unwrap())).collect();
    if !rig.member("core-1").unwrap().node.is_real() {
        dnsmasq.set(&many);
        lists(&rig, "many", &many).await;
        dnsmasq.set(&two);
        lists(&rig, "two again", &two).await;
    }

    let mark = log(&rig);
    dnsmasq.set(&BTreeSet::new());
    warned(&rig, mark, "NXDOMAIN").await;
    lists(&rig, "the name is gone", &two).await;
    dnsmasq.set(&two);

    dnsmasq.process.freeze(true);
    warned(&rig, mark, "does not answer").await;
    lists(&rig, "it hangs", &two).await;
    dnsmasq.process.freeze(false);

    dnsmasq.process.kill().await;
    warned(&rig, mark, "refuses connections").await;
    lists(&rig, "it is gone", &two).await;
    let said = warnings(&rig, "core-1", mark);
    assert!(said.iter().filter(|w| w.contains("DNS lookup failed")).count() <= 6, "{said:#?}");

    let joined = rig.add_core().await.unwrap();
    dnsmasq.set(&cores(&rig));
    dnsmasq.restart();
    converged(&rig).await;
    assert!(rig.member(&joined).unwrap().listed);
}
