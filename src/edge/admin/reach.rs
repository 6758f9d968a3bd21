//! From a name to a login, and which of the two sides it failed on.

use std::convert::Infallible;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use mysql_async::{Conn, Error, IoError, Opts};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::error::AdminError;
use crate::apart;

/// The addresses of a host.
pub(super) async fn resolve(host: &str, port: u16, within: Duration) -> io::Result<Vec<IpAddr>> {
    if let Ok(ip) = host.parse() {
        return Ok(vec![ip]);
    }
    let name = host.to_owned();
    let resolved =
        apart::run(&format!("resolve {host}"), within, move || (name.as_str(), port).to_socket_addrs()).await?;
    let addresses: Vec<IpAddr> = resolved.map(|address| address.ip()).collect();
    if addresses.is_empty() { Err(io::Error::other("it has no address")) } else { Ok(addresses) }
}

/// Connects and logs in, within a bound.
pub(super) async fn log_in(
    opts: Opts,
    address: String,
    at: &[SocketAddr],
    within: Duration,
) -> Result<Conn, AdminError> {
    let mut accepted = false;
    let outcome = {
        // The driver does not say how far it got. Where it takes long, a second connection tells: the listener of a process that stands
        // still accepts all the same, until its queue is full.
        let look = async {
            sleep(within / 2).await;
            accepted = TcpStream::connect(at).await.is_ok();
            pending::<Infallible>().await
        };
        tokio::select! {
            biased;
            outcome = timeout(within, Conn::new(opts)) => outcome,
            never = look => match never {},
        }
    };
    match outcome {
        Ok(Ok(conn)) => Ok(conn),
        Ok(Err(Error::Server(error))) => {
            Err(AdminError::LoginRefused { address, code: error.code, text: error.message })
        }
        Ok(Err(Error::Io(IoError::Io(error)))) => Err(refusal(address, &error, within)),
        Ok(Err(error)) => Err(AdminError::Unreachable { address, reason: error.to_string(), refused: false }),
        Err(_) if accepted => Err(AdminError::LoginTimeout { address, after: within }),
        Err(_) => Err(AdminError::Unanswered { address, after: within }),
    }
}

/// What an error of the system on the way to a login says, and of whom.
fn refusal(address: String, error: &io::Error, within: Duration) -> AdminError {
    let reason = error.to_string();
    match error.kind() {
        ErrorKind::ConnectionRefused => AdminError::Unreachable { address, reason, refused: true },
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::NotConnected
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof
        | ErrorKind::InvalidData => AdminError::Unreachable { address, reason, refused: false },
        ErrorKind::TimedOut => AdminError::Unanswered { address, after: within },
        // No file descriptor, no memory, no port, no route, no permission: nothing of it reached the other side.
        _ => AdminError::Local { address, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::health::Obstacle;

    const WITHIN: Duration = Duration::from_secs(1);

    #[test]
    fn errors_of_the_system_tell_whose_they_are() {
        // Linux's numbers.
        for (code, wanted) in [
            (111, Obstacle::Gone),
            (104, Obstacle::Broken),
            (32, Obstacle::Broken),
            (110, Obstacle::Silent),
            (24, Obstacle::Agent),
            (23, Obstacle::Agent),
            (12, Obstacle::Agent),
            (99, Obstacle::Agent),
            (101, Obstacle::Agent),
            (13, Obstacle::Agent),
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(refusal("here".to_owned(), &error, WITHIN).obstacle(), Some(wanted), "{error}");
        }
    }

    #[tokio::test]
    async fn addresses_need_no_resolver_and_names_that_lead_nowhere_are_errors() {
        assert_eq!(resolve("::1", 6032, WITHIN).await.unwrap(), ["::1".parse::<IpAddr>().unwrap()]);
        assert!(resolve("localhost", 6032, Duration::from_secs(30)).await.unwrap().iter().all(IpAddr::is_loopback));
        assert!(resolve("no such name", 6032, Duration::from_secs(30)).await.is_err());
    }

    #[tokio::test]
    async fn who_accepts_and_says_nothing_is_told_from_who_does_not_accept() {
        let within = Duration::from_millis(400);
        let outcome = async |at: SocketAddr| {
            let opts = mysql_async::OptsBuilder::default()
                .ip_or_hostname(at.ip().to_string())
                .tcp_port(at.port())
                .prefer_socket(false);
            log_in(opts.into(), "here".to_owned(), &[at], within).await.map(drop).unwrap_err()
        };
        let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(matches!(outcome(mute.local_addr().unwrap()).await, AdminError::LoginTimeout { .. }));
        // With its queue full, a listener takes up nobody any more.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = socket.listen(1).unwrap();
        let at = full.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(Ok(stream)) = timeout(within, TcpStream::connect(at)).await {
            waiting.push(stream);
        }
        let error = outcome(at).await;
        assert!(matches!(error, AdminError::Unanswered { .. }), "{error}");
        assert_eq!(error.obstacle(), Some(Obstacle::Silent));
    }
}
