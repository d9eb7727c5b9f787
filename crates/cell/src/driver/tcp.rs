//! TCP: dial and listen, TLS by the first byte, small frames leave at once.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::io;

use tokio::net::{TcpSocket, TcpStream, lookup_host};

/// Connections that the system completes for us while we are busy. It caps the number itself.
const BACKLOG: u32 = 4096;

/// Bytes that the system takes from us beyond what it has sent. More only makes small frames wait: by itself the system
/// takes megabytes.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 64 * 1024;

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

/// Small frames leave at once, and do not wait behind more of others than keeps the connection busy.
pub(super) fn tune(stream: &TcpStream) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT) {
        tracing::debug!(%error, "the system does not bound what waits to be sent");
    }
    stream.set_nodelay(true)
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
