//! What a link is told when it is made.

use core::time::Duration;

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::frame::LinkDefaults;

use crate::address::FqcnBuf;
use crate::headers::{HeaderLimits, HeaderMap};
use crate::identity::Side;

/// What a link is told when it is made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LinkConfig {
    /// This cell's own address, which the peer gets and may not claim itself.
    pub local: FqcnBuf,
    /// Which end of the connection this cell is.
    pub side: Side,
    /// What else the peer is told in HELLO or READY, behind the three keys of the reference. Empty by default.
    pub properties: HeaderMap,
    /// How long the peer may take to send its name, and the owner to admit it. Default 10 s.
    pub handshake_timeout: Duration,
    /// After how long a silence of the peer it is asked whether it lives; none for a transport that notices by itself.
    /// Default 60 s.
    pub heartbeat_interval: Option<Duration>,
    /// How often a silent peer is asked again. Default 5 s.
    pub heartbeat_tick: Duration,
    /// After how long a silence the peer is taken for dead; none waits for ever, as the reference does. Default 180 s:
    /// a reference peer answers each of some 25 questions by then, unless it is gone.
    pub idle_timeout: Option<Duration>,
    /// How long the transport may take none of the bytes of a frame. Default 30 s.
    pub stall_timeout: Option<Duration>,
    /// How long messages are held back after the handshake until the peer has shown that it knows this connection, by two
    /// answers to PING or a message of its own; none sends at once. Default none.
    ///
    /// A cell of the reference says READY, and takes a READY, before it has tied the connection to its peer, and loses a
    /// message that comes in between without a trace. It needs about a millisecond.
    pub settle: Option<Duration>,
    /// When the peer's certificate expires, if it showed one that the driver has verified. It is verified again then, and at every [`recheck_interval`](Self::recheck_interval). Default none.
    pub certified_until: Option<UnixTime>,
    /// How often the certificate of a connected peer is verified again. Default 600 s.
    pub recheck_interval: Duration,
    /// What headers of a received message may cost.
    pub header_limits: HeaderLimits,
}

impl LinkConfig {
    /// The defaults for a connection of the cell `local`.
    #[must_use]
    pub fn new(local: FqcnBuf, side: Side) -> Self {
        Self {
            local,
            side,
            properties: HeaderMap::new(),
            handshake_timeout: Duration::from_secs(10),
            heartbeat_interval: Some(Duration::from_secs(LinkDefaults::HEARTBEAT_INTERVAL)),
            heartbeat_tick: Duration::from_secs(LinkDefaults::HEARTBEAT_TICK),
            idle_timeout: Some(Duration::from_secs(3 * LinkDefaults::HEARTBEAT_INTERVAL)),
            stall_timeout: Some(Duration::from_secs_f64(LinkDefaults::SEND_TIMEOUT)),
            settle: None,
            certified_until: None,
            recheck_interval: Duration::from_secs(600),
            header_limits: HeaderLimits::default(),
        }
    }
}
