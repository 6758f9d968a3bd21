//! What `/etc/resolv.conf` says.

use std::net::SocketAddr;
use std::path::Path;

use resolv_conf::{Config, ScopedIp};

use super::QueryPlan;
use crate::apart;
use crate::domain::discovery::resolution;

const PATH: &str = "/etc/resolv.conf";
const LARGEST: u64 = 1 << 20;
const PORT: u16 = 53;
/// The C library reads no more either.
const MOST_SERVERS: usize = 3;

/// Whom to ask for what, by the file as it is now.
pub(super) async fn plan(name: &str) -> Result<QueryPlan, String> {
    let text = apart::read(Path::new(PATH), LARGEST, apart::SOON).await;
    let text = text.map_err(|error| format!("cannot read {PATH}: {error}"))?;
    read(&text, name)
}

fn read(text: &[u8], name: &str) -> Result<QueryPlan, String> {
    // What makes no sense to this reader is for another one.
    let (config, _) = Config::parse_with_errors(text);
    let servers: Vec<SocketAddr> = config
        .nameservers
        .iter()
        .filter(|server| !matches!(server, ScopedIp::V6(_, Some(_))))
        .take(MOST_SERVERS)
        .map(|server| SocketAddr::new(server.into(), PORT))
        .collect();
    if servers.is_empty() {
        return Err(format!("{PATH} lists no name server"));
    }
    let search: Vec<String> = config.get_last_search_or_domain().map(ToOwned::to_owned).collect();
    Ok(QueryPlan { servers, names: resolution::candidates(name, &search, config.ndots) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_search_and_ndots_are_read_and_the_rest_is_not_minded() {
        let text = b"# Generated\nsearch db.example example\nnameserver 127.0.0.11 # Docker\nnameserver fe80::1%eth0\n\
                     nameserver ::1\noptions edns0 trust-ad ndots:2 colour:blue\nnonsense\n";
        let plan = read(text, "cores.db").unwrap();
        assert_eq!(plan.servers, ["127.0.0.11:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        assert_eq!(plan.names, ["cores.db.db.example", "cores.db.example", "cores.db"]);
        assert_eq!(read(text, "cores.db.").unwrap().names, ["cores.db"]);
        assert_eq!(read(b"domain example\nnameserver 10.0.0.1", "cores").unwrap().names, ["cores.example", "cores"]);
        assert_eq!(read(b"options ndots:0\nnameserver 10.0.0.1", "cores").unwrap().names, ["cores"]);
        assert_eq!(read(b"search example", "cores").unwrap_err(), "/etc/resolv.conf lists no name server");
    }
}
