//! What is known of a connection before its first frame.

use std::sync::Arc;

use fedcell_cell_proto::identity::ExpectedPeer;

use super::transport::TransportKind;
use crate::security::{PeerIdentity, SecurityMode};

/// Which side of a connection this cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Side {
    /// It dialled, and sends HELLO.
    Dialled,
    /// It listened, and answers READY.
    Accepted,
}

/// Facts of one connection. Everything in it was established by this process, nothing claimed by the peer.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) side: Side,
    pub(crate) transport: TransportKind,
    pub(crate) security: SecurityMode,
    /// The certificate of the peer, if it showed one.
    pub(crate) identity: Option<PeerIdentity>,
    /// `host:port` of this end, as the system tells.
    pub(crate) local_address: String,
    /// `host:port` of the other end.
    pub(crate) peer_address: String,
    /// URL of the connector or listener.
    pub(crate) url: Arc<str>,
    /// Whom a dialled connection is to reach.
    pub(crate) expected: Option<ExpectedPeer>,
    /// Administrators may come in by it.
    pub(crate) admin_listener: bool,
}
