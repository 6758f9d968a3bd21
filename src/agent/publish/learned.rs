//! What loads have shown on other nodes: a new `ProxySQL` beside peers, or one that has pulled what a peer was told, need not be told again.

use std::time::Duration;

use tokio::time::timeout;
use tracing::{debug, info};

use super::super::Proxysql;
use super::super::assess::Sorted;
use super::super::peers::cluster_login;
use super::super::record::{self, Recorded};
use crate::domain::cluster::election::Election;
use crate::domain::cluster::member::Member;
use crate::domain::config_file::publish::Difference;
use crate::domain::endpoint::Endpoint;
use crate::domain::proxysql::observation::{Checksum, Observation};
use crate::domain::proxysql::statement::{Module, Record, RecordKind, Statement};
use crate::edge::admin::{AdminError, Login};

/// Bound of the question to one peer, connection and login included.
const ASK_FOR: Duration = Duration::from_secs(1);
/// So many peers are asked at most.
const MOST_PEERS: usize = 3;

/// Takes out of what is to be loaded what no load changes, as one has shown on a peer that has the same at runtime, and remembers it here.
/// What a fingerprint stands for is the value in the file and the value at runtime: both are the same there, or it is another one.
pub(super) async fn learn<P: Proxysql>(
    (module, standing): (Module, &Checksum),
    election: &Election,
    seen: &Observation,
    sorted: &mut Sorted,
    admin: &mut P,
) -> Result<(), AdminError> {
    if sorted.to_load.is_empty() {
        return Ok(());
    }
    // Those that discovery knows: the list may not be loaded yet. One that does not answer ProxySQL's checks is not asked.
    let is_silent = |member: &Member| {
        let known = seen.peers.iter().find(|peer| peer.key() == (member.hostname.as_str(), member.port));
        known.is_some_and(|peer| peer.updated_at.is_some() && !peer.heard)
    };
    let others = election.members().iter().filter(|member| election.own() != Some(*member));
    let peers: Vec<&Member> = others.filter(|member| !is_silent(member)).take(MOST_PEERS).collect();
    if peers.is_empty() {
        return Ok(());
    }
    let Some(login) = cluster_login(admin).await? else { return Ok(()) };
    let version = admin.run(&Statement::Version).await?.rows;
    for peer in peers {
        let Some(recorded) = asked(peer, &login, (module, standing, &version), admin).await else { continue };
        let learned = sorted.learn(&recorded);
        for (kind, differences) in [(RecordKind::ShownOtherwise, &learned.0), (RecordKind::NotTaken, &learned.1)] {
            record::add_differences(module, kind, differences, admin).await?;
        }
        if !learned.0.is_empty() || !learned.1.is_empty() {
            let peer = Endpoint::new(&peer.hostname, peer.port);
            let rows = learned.0.iter().chain(&learned.1).map(Difference::to_string).collect::<Vec<_>>().join(" ");
            info!(%module, %peer, %rows, "a load on this peer has shown that none changes these");
        }
        if sorted.to_load.is_empty() {
            break;
        }
    }
    Ok(())
}

/// What a peer remembers of loads of the module; `None` where it does not answer, is of another version, or has something else at runtime.
async fn asked<P: Proxysql>(
    peer: &Member,
    login: &Login,
    (module, standing, version): (Module, &Checksum, &[Vec<String>]),
    admin: &P,
) -> Option<Recorded> {
    let question = [Statement::Version, Statement::Checksums, Statement::Record(Record::Read(module))];
    let answers = match timeout(ASK_FOR, admin.ask_peer(&peer.hostname, peer.port, login, &question)).await {
        Ok(Ok(answers)) => answers,
        Ok(Err(error)) => {
            debug!(%module, peer = %peer.hostname, %error, "the peer does not tell what its loads have shown");
            return None;
        }
        Err(_) => {
            debug!(%module, peer = %peer.hostname, "the peer does not tell in time what its loads have shown");
            return None;
        }
    };
    let [theirs, sums, record] = <[_; 3]>::try_from(answers).ok()?;
    let has_the_same = module.is_local()
        || sums.rows.iter().any(|row| {
            row.first().is_some_and(|name| name == module.checksum_name()) && row.get(3) == Some(&standing.checksum)
        });
    (theirs.rows == version && has_the_same).then(|| Recorded::of_rows(record.rows))
}
