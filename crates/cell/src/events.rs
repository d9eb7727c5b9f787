//! What happens to a cell's connections, for those who want to know.

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::link::CloseReason;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Something that happened to the connections of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CellEvent {
    /// A neighbour is connected; messages go to it from now on.
    PeerUp {
        /// Its address.
        peer: FqcnBuf,
        /// Common name that its certificate proved, if one did.
        identity: Option<String>,
        /// `host:port` of its end.
        address: String,
    },
    /// A neighbour has said goodbye, or its connection is gone.
    PeerDown {
        /// Its address.
        peer: FqcnBuf,
    },
    /// An attempt to dial has failed; another will follow.
    DialFailed {
        /// The URL that was dialled.
        url: String,
        /// Why, in words.
        reason: String,
    },
    /// This cell has closed a connection for a reason that lies with its peer or with the network.
    Closed {
        /// `host:port` of the peer.
        address: String,
        /// The peer, if it was known.
        peer: Option<FqcnBuf>,
        /// Why. Its source says more.
        reason: CloseReason,
    },
    /// A connection ended before it was a neighbour's, or by the fault of its peer.
    ConnectionRefused {
        /// `host:port` of the peer.
        address: String,
        /// Why, in words.
        reason: String,
    },
}

/// The events of a cell from the moment of subscription on.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<CellEvent>,
    cancel: CancellationToken,
}

impl Events {
    pub(crate) const fn new(receiver: broadcast::Receiver<CellEvent>, cancel: CancellationToken) -> Self {
        Self { receiver, cancel }
    }

    /// The next event; `None` once the cell has ended. Whoever reads too slowly misses the oldest.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<CellEvent> {
        loop {
            let received = tokio::select! {
                biased;
                received = self.receiver.recv() => received,
                () = self.cancel.cancelled() => return None,
            };
            match received {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::debug!(missed, "a reader of the cell's events is too slow");
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
