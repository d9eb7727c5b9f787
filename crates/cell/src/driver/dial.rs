//! The dialling side: from a URL to a connection that is ready for HELLO.

use core::time::Duration;
use std::io;
use std::sync::Arc;

use fedcell_cell_proto::identity::ExpectedPeer;
use tokio::time::timeout;

use super::facts::{Facts, Side};
use super::memory::MemoryNetwork;
use super::stream::{Link, shown};
use super::tcp;
use super::transport::TransportKind;
use crate::security::{SecurityMode, TlsClient};

/// What is needed to reach one neighbour.
#[derive(Debug)]
pub(crate) struct DialContext {
    pub(crate) url: Arc<str>,
    pub(crate) transport: TransportKind,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: SecurityMode,
    pub(crate) tls: Option<TlsClient>,
    /// Common name that the certificate of the neighbour must bear; checked before the first frame leaves.
    pub(crate) expected_identity: Option<String>,
    /// Whom to reach; checked against the name in READY.
    pub(crate) expected_peer: Option<ExpectedPeer>,
    pub(crate) memory: MemoryNetwork,
    /// For the transport and for the TLS handshake, each.
    pub(crate) timeout: Duration,
    /// Wait before the connection is dialled again, at first and at most.
    pub(crate) redial: (Duration, Duration),
}

impl DialContext {
    /// Connects, and shakes hands if the connection is protected.
    pub(crate) async fn dial(&self) -> io::Result<(Link, Facts)> {
        let facts = Facts {
            side: Side::Dialled,
            transport: self.transport,
            security: self.security,
            identity: None,
            expected: self.expected_peer.clone(),
            local_address: String::new(),
            peer_address: String::new(),
            url: self.url.clone(),
            admin_listener: false,
        };
        match self.transport {
            TransportKind::Memory => {
                let link = self.memory.dial(&self.host).await?;
                let (local_address, peer_address) = (self.url.to_string(), self.url.to_string());
                Ok((link, Facts { local_address, peer_address, ..facts }))
            }
            TransportKind::Tcp => self.dial_tcp(facts).await,
        }
    }

    async fn dial_tcp(&self, facts: Facts) -> io::Result<(Link, Facts)> {
        let stream = timeout(self.timeout, tcp::dial(&self.host, self.port)).await??;
        let peer = stream.peer_addr()?;
        let facts = Facts { local_address: shown(stream.local_addr()), peer_address: peer.to_string(), ..facts };
        let Some(tls) = &self.tls else { return Ok((Link::clear(stream), facts)) };
        let handshake = tls.handshake(stream, &self.host, peer.ip(), self.expected_identity.as_deref());
        let (stream, identity) = timeout(self.timeout, handshake).await??;
        Ok((Link::protected(stream), Facts { identity: Some(identity), ..facts }))
    }
}
