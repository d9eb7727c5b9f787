//! TCP: dial and listen, TLS by the first byte, small frames leave at once.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::io;

use tokio::net::{TcpSocket, TcpStream, lookup_host};

/// Connections that the system completes for us while we are busy. It caps the number itself.
const BACKLOG: u32 = 4096;

/// Bytes that the system takes from us beyond what it has sent. More only makes small frames wait: by itself the system
/// takes megabytes.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 64 * 1024;

/// Who decides how fast bytes leave on a connection within the machine: the one that every Linux has and lets everybody
/// choose, and that does not pace them. BBR, which many systems have as their default, sends each 64 KiB at the tick of a
/// timer of its own, which costs as much as all else that the system does to send them.
#[cfg(target_os = "linux")]
const UNPACED: &[u8] = b"reno";

/// Bytes of a connection within the machine that the system keeps until we read them. Such a path needs no more to be
/// full; by itself the system lets megabytes gather, and small frames cannot overtake there.
#[cfg(target_os = "linux")]
const UNREAD: usize = 512 * 1024;

/// A bound TCP port.
#[derive(Debug)]
pub(crate) struct TcpListener {
    listener: tokio::net::TcpListener,
    address: SocketAddr,
}

impl TcpListener {
    /// Binds `host:port`; an empty host is every interface, port 0 any free port.
    pub(crate) async fn bind(host: &str, port: u16) -> io::Result<Self> {
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in resolve(host, port).await? {
            match bind(address) {
                Ok(listener) => return Ok(Self { address: listener.local_addr()?, listener }),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// What was bound.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection that the system has completed.
    pub(crate) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.listener.accept().await
    }
}

fn bind(address: SocketAddr) -> io::Result<tokio::net::TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted server takes its port although old connections linger.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Connects to the first address of `host` that answers.
pub(crate) async fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in resolve(host, port).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                tune(&stream)?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Small frames leave at once, and do not wait behind more of others than keeps the connection busy. What does not leave the
/// machine has no network to spare.
pub(super) fn tune(stream: &TcpStream) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if let Err(error) = tune_system(stream) {
        tracing::debug!(%error, "the system sends and keeps as it always does");
    }
    stream.set_nodelay(true)
}

#[cfg(target_os = "linux")]
fn tune_system(stream: &TcpStream) -> io::Result<()> {
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_notsent_lowat(UNSENT)?;
    if stream.local_addr()?.ip() == stream.peer_addr()?.ip() {
        socket.set_tcp_congestion(UNPACED)?;
        socket.set_recv_buffer_size(UNREAD)?;
    }
    Ok(())
}

async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if host.is_empty() {
        return Ok(vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)]);
    }
    let mut addresses: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
    // The reference speaks IPv4 only, so its answer is the likelier one.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    Ok(addresses)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stream: &TcpStream) {
        let socket = socket2::SockRef::from(stream);
        assert_eq!(socket.tcp_congestion().unwrap().split(|byte| *byte == 0).next(), Some(UNPACED));
        // The system rounds what it is asked for, and has a limit of its own.
        let asked = TcpSocket::new_v4().unwrap();
        asked.set_recv_buffer_size(u32::try_from(UNREAD).unwrap()).unwrap();
        assert_eq!(socket.recv_buffer_size().unwrap(), asked.recv_buffer_size().unwrap() as usize);
    }

    #[tokio::test]
    async fn what_stays_within_the_machine_is_not_paced_and_does_not_pile_up() {
        let listener = TcpListener::bind("127.0.0.1", 0).await.unwrap();
        let (dialled, accepted) = tokio::join!(dial("127.0.0.1", listener.address().port()), listener.accept());
        check(&dialled.unwrap());
        let (accepted, _) = accepted.unwrap();
        tune(&accepted).unwrap();
        check(&accepted);
    }
}
