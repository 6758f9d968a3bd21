//! Where clients come in, and how to see that all of `ProxySQL`'s threads let them in.
//!
//! After RESUME one of 2.7.1's worker threads may not take its listener back: it has one of its own, in which the kernel goes on putting a
//! share of the new connections, and nobody takes them out. Nothing on the admin port tells. A second RESUME waits for that thread for
//! good, and its watchdog ends `ProxySQL` ten seconds later.

use std::net::IpAddr;

/// Connections for each worker thread. The kernel spreads them by their ports: that all of so many miss one thread happens once in three
/// thousand times.
const EACH: usize = 8;
/// Connections in all, at most.
const MOST: usize = 256;

/// The port for `MySQL` clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Host names or addresses with their ports.
    pub addresses: Vec<(String, u16)>,
    /// Connections to make to each of them.
    pub tries: usize,
}

impl Listener {
    /// Reads the rows of an answer to [`Statement::Listener`](crate::domain::proxysql::statement::Statement::Listener). `host` is where the admin port is: what listens on
    /// every address listens there, too.
    ///
    /// `None` where there is nothing that could be asked: only sockets of files, or a `ProxySQL` that waits for the header of a proxy
    /// before it says a word.
    pub fn read(rows: &[Vec<String>], host: &str) -> Option<Self> {
        let value = |name: &str| {
            let row = rows.iter().find(|row| row.first().is_some_and(|first| first == name));
            row.and_then(|row| row.get(1)).map_or("", String::as_str)
        };
        if !value("mysql-proxy_protocol_networks").trim().is_empty() {
            return None;
        }
        let addresses: Vec<_> =
            value("mysql-interfaces").split(';').filter_map(|interface| address(interface.trim(), host)).collect();
        let threads: usize = value("mysql-threads").parse().unwrap_or(1);
        let tries = (threads.max(1) * EACH).min(MOST / addresses.len().max(1));
        (!addresses.is_empty()).then_some(Self { addresses, tries })
    }
}

fn address(interface: &str, host: &str) -> Option<(String, u16)> {
    let (listens_at, port) = interface.rsplit_once(':')?;
    let listens_at = listens_at.trim_start_matches('[').trim_end_matches(']');
    let is_any = listens_at == "*" || listens_at.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified());
    Some((if is_any { host } else { listens_at }.to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(interfaces: &str, threads: &str, networks: &str) -> Option<Listener> {
        let rows =
            [("mysql-interfaces", interfaces), ("mysql-threads", threads), ("mysql-proxy_protocol_networks", networks)];
        Listener::read(&rows.map(|(name, value)| vec![name.to_owned(), value.to_owned()]), "10.0.0.1")
    }

    #[test]
    fn what_listens_everywhere_is_asked_where_the_admin_port_is() {
        let asked = |interfaces| listener(interfaces, "4", "").unwrap().addresses;
        assert_eq!(asked("0.0.0.0:6033"), [("10.0.0.1".to_owned(), 6033)]);
        assert_eq!(asked("[::]:6033"), [("10.0.0.1".to_owned(), 6033)]);
        assert_eq!(
            asked("127.0.0.1:6033; [fd00::1]:6034 ;/tmp/proxysql.sock"),
            [("127.0.0.1".to_owned(), 6033), ("fd00::1".to_owned(), 6034)]
        );
    }

    #[test]
    fn every_thread_is_met_and_there_is_a_bound() {
        let tries = |threads| listener("0.0.0.0:6033", threads, "").unwrap().tries;
        assert_eq!((tries("4"), tries("1"), tries("255"), tries("")), (32, 8, 256, 8));
        assert_eq!(listener("0.0.0.0:6033;0.0.0.0:6034", "64", "").unwrap().tries, 128);
    }

    #[test]
    fn what_would_not_answer_anyhow_is_not_asked() {
        assert_eq!(listener("/tmp/proxysql.sock", "4", ""), None);
        assert_eq!(listener("", "4", ""), None);
        assert_eq!(listener("0.0.0.0:6033", "4", "*"), None);
    }
}
