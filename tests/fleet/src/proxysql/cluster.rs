//! The watch over the peers: one task for each, over TCP, and the pull that may follow a check.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::host::{Host, Life, Pulled, lock};
use super::modules::{self, Adopted};
use super::peers::{Figures, PeerName, Verdict};
use super::schema::Module;
use super::store::TextRow;
use crate::client::{AdminError, Client};

/// Starts a task for each peer that is new in runtime; those that are gone end by themselves.
pub(crate) fn follow(host: &Arc<Host>, life: &Arc<Life>) {
    let rows = life.store().runtime.rows.get("proxysql_servers").cloned().unwrap_or_default();
    for (name, token) in life.peers().follow(&rows) {
        let (host, life_of_task) = (Arc::clone(host), Arc::clone(life));
        life.spawn(async move {
            tokio::select! {
                () = token.cancelled() => {}
                () = watch(host, life_of_task, name) => {}
            }
        });
    }
}

/// For ever: connect, check again and again, start over.
async fn watch(host: Arc<Host>, life: Arc<Life>, name: PeerName) {
    let mut checks = 0;
    loop {
        host.trouble.thaw().await;
        let interval = check_interval(&life);
        match connect(&host, &life, &name).await {
            Ok(None) => sleep(Duration::from_secs(1)).await,
            Ok(Some(mut client)) => {
                if same_version(&host, &life, &mut client).await {
                    check_until_error(&host, &life, &name, &mut client, &mut checks).await;
                } else {
                    drop(client);
                    sleep(host.behaviour().other_version_rest).await;
                }
                sleep(interval).await;
            }
            Err(_) => sleep(interval + Duration::from_secs(1)).await,
        }
    }
}

fn check_interval(life: &Life) -> Duration {
    Duration::from_millis(life.store().runtime.number("admin-cluster_check_interval_ms").max(10))
}

/// `None` without credentials, which is how clustering is off.
async fn connect(host: &Host, life: &Life, name: &PeerName) -> Result<Option<Client>, AdminError> {
    let (user, password) = {
        let store = life.store();
        let runtime = &store.runtime;
        (runtime.variable("admin-cluster_username").to_owned(), runtime.variable("admin-cluster_password").to_owned())
    };
    if user.is_empty() {
        return Ok(None);
    }
    let (target, port) = host.address_of(name);
    let limit = Duration::from_secs(1);
    let stream = timeout(limit, TcpStream::connect((target.as_str(), port)))
        .await
        .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    let client = timeout(limit, Client::login(stream, &user, &password, super::auth::NATIVE))
        .await
        .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
    Ok(Some(client))
}

/// Compares versions, and introduces this node to a peer of the same.
async fn same_version(host: &Host, life: &Life, client: &mut Client) -> bool {
    let Ok(rows) = client.rows("SELECT @@version").await else { return false };
    let theirs = rows.first().and_then(|row| row[0].as_deref());
    if theirs != Some(&host.behaviour().version) {
        return false;
    }
    let interfaces = life.store().runtime.variable("admin-mysql_ifaces").to_owned();
    client.query(&format!("PROXYSQL CLUSTER_NODE_UUID {} {interfaces}", life.uuid)).await.is_ok()
}

async fn check_until_error(host: &Arc<Host>, life: &Arc<Life>, name: &PeerName, client: &mut Client, checks: &mut u64) {
    loop {
        host.trouble.thaw().await;
        let started = Instant::now();
        if check(host, life, name, client).await.is_err() {
            return;
        }
        *checks += 1;
        let every = life.store().runtime.number("admin-cluster_check_status_frequency");
        if every > 0 && *checks >= every {
            *checks = 0;
            if figures(life, name, client).await.is_err() {
                return;
            }
        }
        sleep(check_interval(life).saturating_sub(started.elapsed())).await;
    }
}

/// One check, with the pulls that it leads to.
async fn check(host: &Arc<Host>, life: &Arc<Life>, name: &PeerName, client: &mut Client) -> Result<(), AdminError> {
    let global = client.rows("SELECT GLOBAL_CHECKSUM()").await?.into_iter().flatten().next().flatten();
    let moved = life.peers().0.get(name).is_some_and(|peer| peer.global != global);
    let rows = if moved {
        if let Some(peer) = life.peers().0.get_mut(name) {
            peer.global.clone_from(&global);
        }
        Some(client.rows("SELECT * FROM runtime_checksums_values ORDER BY name").await?)
    } else {
        None
    };
    host.trouble.thaw().await;
    let verdicts = {
        let store = life.store();
        let own = &store.runtime.sums;
        let mut peers = life.peers();
        peers.checked(name, rows.as_deref(), own, host.now());
        peers.verdicts(name, own, |module| needed(&store.runtime, module))
    };
    for (module, verdict) in verdicts {
        if verdict == Verdict::Pull {
            // A pull that fails is tried again at the next check.
            let _ = pull(host, life, module).await;
        }
    }
    Ok(())
}

fn needed(runtime: &modules::Runtime, module: Module) -> u64 {
    let Some(name) = setting_name(module) else { return 0 };
    runtime.number(&format!("admin-cluster_{name}_diffs_before_sync"))
}

/// The name of a module in the variables of the cluster.
fn setting_name(module: Module) -> Option<&'static str> {
    module.sums().first().map(|(name, _)| *name)
}

async fn figures(life: &Life, name: &PeerName, client: &mut Client) -> Result<(), AdminError> {
    let asked = Instant::now();
    let rows = client.rows("SELECT * FROM stats_mysql_global ORDER BY Variable_Name").await?;
    let response_ms = asked.elapsed().as_millis();
    let values: HashMap<&str, u64> =
        rows.iter().filter_map(|row| Some((row[0].as_deref()?, row[1].as_deref()?.parse().ok()?))).collect();
    let value = |name: &str| values.get(name).copied().unwrap_or_default();
    if let Some(peer) = life.peers().0.get_mut(name) {
        peer.figures = Some(Figures {
            response_ms,
            uptime: value("ProxySQL_Uptime"),
            queries: value("Questions"),
            connected: value("Client_Connections_connected"),
            created: value("Client_Connections_created"),
            read_at: Instant::now(),
        });
    }
    Ok(())
}

/// Takes a module over from the best peer there is.
async fn pull(host: &Arc<Host>, life: &Arc<Life>, module: Module) -> Result<(), AdminError> {
    let _one_at_a_time = life.pulling.lock().await;
    let source = {
        let store = life.store();
        life.peers().source(module, needed(&store.runtime, module))
    };
    let Some((from, sums)) = source else { return Ok(()) };
    let Some(synced_as) = module.synced_as() else { return Ok(()) };
    let Some(expected) = sums.get(synced_as) else { return Ok(()) };
    // Another peer's check may have led here first.
    let already = life.store().runtime.sums.get(synced_as).is_some_and(|own| own.checksum == expected.checksum);
    if already {
        return Ok(());
    }
    let Some(mut client) = connect(host, life, &from).await? else { return Ok(()) };
    let mut fetched: Vec<(&'static str, Vec<TextRow>)> = Vec::new();
    let checksum = if let Some(prefix) = module.prefix() {
        let sql = format!("SELECT * FROM runtime_global_variables WHERE variable_name LIKE '{prefix}%'");
        let rows = client.rows(&sql).await?;
        let pairs = rows.into_iter().filter_map(|row| match &row[..] {
            [Some(name), Some(value)] => Some((name.clone(), value.clone())),
            _ => None,
        });
        let rows = modules::synced_variables(pairs);
        let checksum = modules::checksum(&rows);
        fetched.push(("global_variables", rows));
        checksum
    } else {
        for table in module.tables() {
            let sql = match *table {
                "mysql_servers" => super::monitor::asks_for_loaded(),
                table => format!("SELECT * FROM runtime_{table}"),
            };
            fetched.push((table, client.rows(&sql).await?));
        }
        modules::checksum(fetched.iter().flat_map(|(_, rows)| rows))
    };
    host.trouble.thaw().await;
    if checksum != expected.checksum {
        return Ok(());
    }
    let adopted = Adopted {
        sums: sums.iter().map(|(name, sum)| ((*name).to_owned(), (sum.epoch, sum.checksum.clone()))).collect(),
    };
    let epoch = expected.epoch;
    let _guard = life.admin.lock().await;
    adopt(host, life, module, &fetched, &adopted).map_err(std::io::Error::other)?;
    lock(&host.pulls).push(Pulled { module, from, epoch });
    Ok(())
}

fn adopt(
    host: &Arc<Host>,
    life: &Arc<Life>,
    module: Module,
    fetched: &[(&'static str, Vec<TextRow>)],
    adopted: &Adopted,
) -> Result<(), String> {
    {
        let store = life.store();
        let text_of = |error: rusqlite::Error| super::store::text_of(&error);
        store
            .transaction(|| {
                for (table, rows) in fetched {
                    match module.prefix() {
                        Some(_) => store.insert(&format!("main.{table}"), rows)?,
                        None => store.replace(&format!("main.{table}"), rows)?,
                    }
                }
                Ok(())
            })
            .map_err(text_of)?;
    }
    host.load(life, module, Some(adopted))?;
    let store = life.store();
    let name = setting_name(module).unwrap_or_default();
    if store.runtime.variable(&format!("admin-cluster_{name}_save_to_disk")) == "true" {
        store.save_to_disk(module).map_err(|error| super::store::text_of(&error))?;
    }
    Ok(())
}
