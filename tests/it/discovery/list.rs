//! Cores by a list.

use std::net::SocketAddr;

use proxysql_fleet::rig::Rig;

use super::warnings;
use crate::metrics::Scrape;
use crate::support::{converged, settings};

/// A rig hands out its addresses in order, so what they will be is known from its first core's.
fn next(address: SocketAddr, by: u8) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => {
            let [a, b, c, d] = v4.ip().octets();
            SocketAddr::from(([a, b, c, d + by], v4.port()))
        }
        SocketAddr::V6(_) => address,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_the_members_and_each_core_finds_itself() {
    let mut rig = Rig::start(settings().env("AGENT_CORE_DISCOVERY", "static")).await.unwrap();
    let probe = SocketAddr::new(rig.address().unwrap(), rig.admin_port());
    // One with its port and one without, in no order.
    let list = format!("{}, {}", next(probe, 2), next(probe, 1).ip());
    let wanted = rig.settings().clone().env("AGENT_CORE_STATIC_MEMBERS", list);
    *rig.settings() = wanted;
    rig.add(2, 1).await.unwrap();
    converged(&rig).await;
    for core in ["core-1", "core-2"] {
        let said = rig.member(core).unwrap().agent.as_ref().unwrap().said_since(0);
        let own = rig.member(core).unwrap().admin().to_string();
        assert!(said.iter().any(|s| s.message == "this core is among the members" && s.fields["address"] == own));
        let wrong: Vec<String> = warnings(&rig, core, 0);
        assert!(!wrong.iter().any(|w| w.contains("among") || w.contains("without knowing")), "{core}: {wrong:#?}");
    }
    let agent = rig.member("core-1").unwrap().agent.as_ref().unwrap();
    let metrics = Scrape::read(&agent.get("/metrics").await.unwrap().text().await.unwrap());
    assert_eq!(metrics.get("discovery_up"), Some(1.0));
    // A core that is replaced at its address is the same member.
    rig.member_mut("core-2").unwrap().restart_node(true).await.unwrap();
    rig.restart_agent("core-2").await.unwrap();
    converged(&rig).await;
}
