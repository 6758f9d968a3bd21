//! What only looks like trouble: a ProxySQL that stood still, a clock that was set, a table that is read while it is filled.

use std::time::Duration;

use proxysql_fleet::proxysql::{Action, Rule};
use proxysql_fleet::rig::{Rig, Role};
use tokio::time::sleep;

use crate::support::{
    at_rest, changes, converged, embedded, eventually, eventually_on, fleet, marks, on_real_proxysql, rounds, settings,
    settled,
};

/// How often the ProxySQL of a satellite is stopped; twenty times is the long run.
const FREEZES: &str = "FREEZES";
/// For how long; ten seconds of silence make a member count as gone.
const FREEZE: Duration = Duration::from_secs(12);

fn log_mark(rig: &Rig, name: &str) -> u64 {
    rig.member(name).unwrap().agent.as_ref().unwrap().process.log().mark()
}

fn said(rig: &Rig, name: &str, mark: u64) -> Vec<String> {
    let said = rig.member(name).unwrap().agent.as_ref().unwrap().said_since(mark);
    said.into_iter().map(|saying| saying.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_satellite_that_stood_still_keeps_its_list() {
    let rig = fleet(settings(), 2, 1).await;
    settled(&rig).await;
    let freezes: u32 = std::env::var(FREEZES).map_or(2, |times| times.parse().unwrap());
    let satellite = rig.member("satellite-1").unwrap();
    let mark = log_mark(&rig, "satellite-1");
    let before = satellite.node.checksums().await.unwrap().remove("proxysql_servers").unwrap();
    for _ in 0..freezes {
        satellite.node.stop_cont(true);
        sleep(FREEZE).await;
        // Nor do its cores answer in the moment in which it goes on: what it knows of them is as old as it looks.
        let cores = || rig.members().iter().filter(|member| member.role == Role::Core);
        for core in cores() {
            core.node.stop_cont(true);
        }
        satellite.node.stop_cont(false);
        sleep(Duration::from_secs(2)).await;
        for core in cores() {
            core.node.stop_cont(false);
        }
        eventually_on(&rig, "it answers", async || satellite.node.query("SELECT 1").await.is_ok()).await;
        sleep(Duration::from_secs(2)).await;
    }
    let after = satellite.node.checksums().await.unwrap().remove("proxysql_servers").unwrap();
    assert_eq!(after, before, "{:#?}", said(&rig, "satellite-1", mark));
    let lost: Vec<String> =
        said(&rig, "satellite-1", mark).into_iter().filter(|line| line.contains("no core")).collect();
    assert!(lost.is_empty(), "{lost:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_makes_nobody_silent() {
    if on_real_proxysql("a_clock_that_is_set_makes_nobody_silent") {
        return;
    }
    let rig = fleet(settings(), 2, 1).await;
    settled(&rig).await;
    at_rest(&rig).await;
    let before = marks(rig.members());
    let logs: Vec<u64> = rig.members().iter().map(|member| log_mark(&rig, &member.name)).collect();
    for offset in [-3_600, 3_600, 0] {
        for member in rig.members() {
            embedded(member).set_clock_offset(offset);
        }
        let marks = marks(rig.members());
        rounds(rig.members(), &marks, 8).await;
    }
    for ((member, mark), log) in rig.members().iter().zip(&before).zip(logs) {
        assert!(changes(member, *mark).is_empty(), "{}: {:?}", member.name, changes(member, *mark));
        let loud = said(&rig, &member.name, log)
            .into_iter()
            .filter(|line| line.contains("unreachable") || line.contains("no core"));
        assert_eq!(loud.collect::<Vec<_>>(), Vec::<String>::new(), "{}", member.name);
    }
}

/// Epochs of a clock that was ahead: what is loaded now is loaded now, and not after an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_in_the_future_holds_nothing_up() {
    if on_real_proxysql("an_epoch_in_the_future_holds_nothing_up") {
        return;
    }
    let mut rig = fleet(settings(), 1, 1).await;
    settled(&rig).await;
    for name in ["core-1", "satellite-1"] {
        let node = &rig.member(name).unwrap().node;
        node.embedded().unwrap().set_clock_offset(3_600);
        node.query(&format!("INSERT INTO mysql_users (username, password) VALUES ('of-{name}', 'x')")).await.unwrap();
        node.query("LOAD MYSQL USERS TO RUNTIME").await.unwrap();
        node.embedded().unwrap().set_clock_offset(0);
        sleep(Duration::from_millis(1100)).await;
    }
    // A publication, and a resync.
    let lacks = async |rig: &Rig, name: &str, user: &str| {
        let sql = format!("SELECT 1 FROM runtime_mysql_users WHERE username='{user}'");
        rig.member(name).unwrap().node.query(&sql).await.unwrap().is_empty()
    };
    for (name, user) in [("core-1", "of-core-1"), ("satellite-1", "of-satellite-1")] {
        rig.member_mut(name).unwrap().agent.as_mut().unwrap().process.signal(proxysql_fleet::process::Signal::USR2);
        eventually_on(&rig, &format!("{user} is gone from {name}"), async || lacks(&rig, name, user).await).await;
    }
}

/// Others read the tables of ProxySQL while it fills them: some looks lack rows, and nothing has changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_that_lacks_rows_loads_nothing() {
    if on_real_proxysql("a_look_that_lacks_rows_loads_nothing") {
        return;
    }
    let mut rig = fleet(settings(), 3, 1).await;
    settled(&rig).await;
    at_rest(&rig).await;
    let before = marks(rig.members());
    let logs: Vec<u64> = rig.members().iter().map(|member| log_mark(&rig, &member.name)).collect();
    let tables =
        ["main.runtime_proxysql_servers", "main.runtime_checksums_values", "stats.stats_proxysql_servers_checksums"];
    for member in rig.members() {
        let trouble = embedded(member).trouble();
        // The list, for many looks in a row: nothing was loaded meanwhile.
        let many =
            trouble.add(Rule::new(Action::Torn(tables[0], 0)).containing("'clock'").from_user("radmin").times(10));
        eventually(&format!("torn looks at {}", member.name), async || trouble.hits(many) == 10).await;
        // And each table, in a look now and then.
        for table in tables {
            for rows in [0, 1] {
                let torn = Rule::new(Action::Torn(table, rows)).containing("'clock'").from_user("radmin").once();
                let torn = trouble.add(torn);
                eventually(&format!("a torn look at {table}"), async || trouble.hits(torn) == 1).await;
                let mark = embedded(member).log().mark();
                rounds(std::slice::from_ref(member), &[mark], 2).await;
            }
        }
        trouble.clear();
    }
    let marks = marks(rig.members());
    rounds(rig.members(), &marks, 4).await;
    for ((member, mark), log) in rig.members().iter().zip(&before).zip(logs) {
        assert!(changes(member, *mark).is_empty(), "{}: {:?}", member.name, changes(member, *mark));
        let heard = said(&rig, &member.name, log);
        assert!(!heard.iter().any(|line| line.contains("no core")), "{heard:#?}");
    }
    // In publishing: each comparison may be torn once, and no module is loaded for it.
    let names = rig.names(Role::Core);
    for core in &names {
        let trouble = embedded(rig.member(core).unwrap()).trouble();
        for table in ["main.runtime_mysql_users", "main.runtime_mysql_servers", "main.runtime_mysql_query_rules"] {
            let name = table.trim_start_matches("main.");
            let torn = Rule::new(Action::Torn(table, 0)).containing(&format!("from {name}")).from_user("radmin").once();
            trouble.add(torn);
        }
    }
    let before = crate::support::marks(rig.members());
    for core in &names {
        rig.member_mut(core).unwrap().agent.as_mut().unwrap().process.signal(proxysql_fleet::process::Signal::USR2);
    }
    settled(&rig).await;
    converged(&rig).await;
    for (member, mark) in rig.members().iter().zip(&before) {
        let loads = changes(member, *mark).into_iter().map(|entry| entry.sql).filter(|sql| sql.ends_with("TO RUNTIME"));
        assert_eq!(loads.collect::<Vec<_>>(), Vec::<String>::new(), "{}", member.name);
    }
}
