//! A million digests cost what a thousand do, but for the time.

use tokio::time::Instant;

use super::*;

const MILLION: u64 = 1_000_000;
const MIB: u64 = 1 << 20;

/// Dumps to a file; the peak of resident memory in bytes, and the seconds.
async fn measured(stage: &Stage, path: &Path) -> (u64, f64) {
    let began = Instant::now();
    let mut child = stage.agent(&[&format!("--dump.output={}", path.display())]).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id().unwrap());
    let mut peak = 0;
    let ended = loop {
        // The mark never falls, so the last look is as good as all.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|rest| rest.trim().split(' ').next()?.parse().ok()).unwrap_or(peak);
        match child.try_wait().unwrap() {
            Some(ended) => break ended,
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    };
    assert!(ended.success());
    (peak * 1024, began.elapsed().as_secs_f64())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_does_not_grow_with_the_table() {
    let stage = Stage::embedded().await;
    let path = stage.out().join("d.csv");
    let mut peaks = Vec::new();
    for rows in [1_000, MILLION] {
        stage.seed(rows);
        let (peak, seconds) = measured(&stage, &path).await;
        let lines = std::fs::read_to_string(&path).unwrap().lines().count() as u64;
        assert_eq!(lines, rows + 1);
        let _ = writeln!(std::io::stderr(), "{rows} digests: {} KiB at most, {seconds:.2} s", peak / 1024);
        peaks.push(peak);
    }
    assert!(peaks[1] <= peaks[0] + 4 * MIB, "{peaks:?}");
}

/// How fast a dump is, against the client that comes with the database. No assertion: machines differ. To be run as
/// `cargo test --release --test it dump::size -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, of a release build"]
async fn rate() {
    let mut kinds = vec![None];
    kinds.extend(std::env::var_os(proxysql_fleet::node::BINARY).map(|binary| Some(PathBuf::from(binary))));
    for real in kinds {
        let name = if real.is_some() { "real" } else { "embedded" };
        let stage = Stage::new(real, "").await;
        match stage.node.embedded() {
            Some(node) => node.seed_digests(MILLION, DigestSchema::V2_7, DigestRow::sample),
            // Makes digests up: the second number is how many times a thousand, more or less.
            None => drop(stage.node.query("PROXYSQLTEST 1 1000").await.unwrap()),
        }
        let (ours, theirs) = (stage.out().join("d.csv"), stage.out().join("d.tsv"));
        let admin = stage.node.spec().admin();
        let mut ratios = Vec::new();
        for _ in 0..5 {
            let began = Instant::now();
            let client = Command::new("mariadb")
                .args(["--no-defaults", "--skip-ssl", "--quick", "--batch", "-uradmin", "-pradmin"])
                .args(["-h", &admin.ip().to_string(), "-P", &admin.port().to_string()])
                .args(["-e", "SELECT * FROM stats_mysql_query_digest"])
                .stdout(std::fs::File::create(&theirs).unwrap())
                .status()
                .await;
            if !client.is_ok_and(|status| status.success()) {
                let _ = writeln!(std::io::stderr(), "SKIPPED: no mariadb client");
                return;
            }
            let client = began.elapsed().as_secs_f64();
            let (peak, agent) = measured(&stage, &ours).await;
            let rows = std::fs::read_to_string(&ours).unwrap().lines().count() - 1;
            let _ = writeln!(
                std::io::stderr(),
                "{name}: {rows} digests, mariadb --quick {client:.2} s, agent {agent:.2} s ({} KiB), ratio {:.2}",
                peak / 1024,
                client / agent
            );
            ratios.push(client / agent);
        }
        ratios.sort_by(f64::total_cmp);
        let _ = writeln!(std::io::stderr(), "{name}: median ratio {:.2}", ratios[2]);
    }
}
