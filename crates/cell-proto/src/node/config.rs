//! What a cell is told when it is made.

use fedcell_protocol_defs::cell::CellLimit;
use fedcell_protocol_defs::frame::FrameLimit;

use crate::address::FqcnBuf;
use crate::adhoc::AdhocPolicy;
use crate::identity::IdentityPolicy;

/// A connection of this cell. The caller allots the numbers, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

impl ConnectionId {
    /// The connection with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Bounds of one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeLimits {
    /// Requests that wait for replies at a time. Default 65 536.
    pub pending_requests: usize,
    /// Largest payload that this cell sends, in bytes. Default 2 144 337 904, as in the reference.
    pub message_size: usize,
    /// Longest route of a message that this cell takes, in hops. Default 64.
    pub hops: usize,
    /// Bytes of frames that wait on one connection until it has settled, before no more are taken; one frame always is.
    /// Default 128 MiB.
    pub held_bytes: usize,
    /// Messages that wait in bulks for one target; the oldest go out at once when there are more. Default 100.
    pub bulk_size: usize,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self {
            pending_requests: 65_536,
            message_size: FrameLimit::MAX_PAYLOAD_SIZE,
            hops: 64,
            held_bytes: 128 * 1024 * 1024,
            bulk_size: CellLimit::MAX_BULK_SIZE,
        }
    }
}

/// Whether a neighbour may hand over messages in the name of cells that do not lie below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OriginCheck {
    /// Only the cells above this one may; see [`may_speak_for`](crate::transit::may_speak_for).
    #[default]
    Enforced,
    /// Anybody may, as in the reference, which leaves it to the token of the message.
    DangerOff,
}

/// What a cell is told when it is made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeConfig {
    /// Which certificate name may claim which address. Knows this cell's own address, too.
    pub identities: IdentityPolicy,
    /// Bounds.
    pub limits: NodeLimits,
    /// Whether direct connections are made on offer.
    pub adhoc: AdhocPolicy,
    /// Whether origins are held against the neighbour that hands a message over.
    pub origin_check: OriginCheck,
    /// Whether this cell knows nobody but a cell above its parent: what it sends goes there.
    pub is_guest: bool,
}

impl NodeConfig {
    /// The defaults for the cell `address`.
    #[must_use]
    pub fn new(address: FqcnBuf) -> Self {
        Self {
            identities: IdentityPolicy::new(address),
            limits: NodeLimits::default(),
            adhoc: AdhocPolicy::Off,
            origin_check: OriginCheck::Enforced,
            is_guest: false,
        }
    }

    /// The cell's own address.
    #[must_use]
    pub const fn address(&self) -> &FqcnBuf {
        self.identities.local()
    }
}
