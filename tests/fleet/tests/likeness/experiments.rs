//! What happens between nodes.

use proxysql_fleet::node::Cnf;

use crate::likeness::bench::{Bench, kinds, patterns, rules, run, until};

/// A satellite that no core lists pulls everything, once a core has loaded it: version 1 is not pulled from.
#[tokio::test]
async fn an_unlisted_satellite_pulls_what_a_core_has_loaded() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let core = bench.spec("core");
        let seeds = vec![(core.ip.to_string(), core.admin_port)];
        let of_core = Cnf { seeds: seeds.clone(), extra: rules(&[(10, "^A"), (20, "^B")]), ..Cnf::default() };
        let core = bench.node(core, &of_core).await;
        let of_satellite = Cnf { seeds, extra: rules(&[(99, "^SAT")]), ..Cnf::default() };
        let satellite = bench.node(bench.spec("sat"), &of_satellite).await;
        until("the satellite sees the core differ", || async {
            let seen = satellite
                .query("SELECT diff_check FROM stats_proxysql_servers_checksums WHERE name='mysql_query_rules'")
                .await;
            seen.is_ok_and(|rows| rows[0][0].as_ref().is_some_and(|count| count.parse::<u32>().is_ok_and(|n| n > 5)))
        })
        .await;
        assert_eq!(patterns(&satellite).await, ["^SAT"]);
        run(&core, "LOAD MYSQL QUERY RULES TO RUNTIME").await;
        until("the satellite follows", || async { patterns(&satellite).await == ["^A", "^B"] }).await;
        let (ours, theirs) = (satellite.checksums().await.unwrap(), core.checksums().await.unwrap());
        assert_eq!(ours["mysql_query_rules"], theirs["mysql_query_rules"]);
        let disk = satellite.query("SELECT match_pattern FROM disk.mysql_query_rules ORDER BY rule_id").await.unwrap();
        assert_eq!(disk, [["^A"], ["^B"]].map(|row| row.map(|text| Some(text.to_owned())).to_vec()));
    }
}
