//! Cells: named endpoints that exchange messages, whatever lies between them.
//!
//! Every message is a map of headers and a payload. The headers say who sends what to whom and how the payload reads;
//! channel and topic choose the handler. Messages hop from neighbour to neighbour; only the ends open the payload.
//!
//! ```text
//!  requester                 forwarder                  responder
//!     │ req  cn__origin, cn__destination, cn__channel,      │
//!     │      cn__topic, cn__req_id, cn__reply_expected      │
//!     ├──────────────────────────┼─────────────────────────>│  exact pair, then channel:*, then *:*
//!     │                          │   cn__from, cn__to,      │
//!     │                          │   cn__route rewritten    │
//!     │<─────────────────────────┼──────────────────────────┤  reply  cn__req_id, cn__return_code
//!     │                          │                          │
//!     │<── return ───────────────┤  cannot go on: cn__return_reason, cn__original_headers
//! ```
//!
//! * [`HeaderKey`] lists the headers, [`MessageType`], [`PayloadEncoding`], [`ReturnCode`] and [`ReturnReason`] their
//!   values.
//! * [`Channel`] and [`Topic`] say who talks on which channel about what, and which channels are streamed.
//! * [`IdentityKey`], [`CertTopic`] and [`Envelope`] are for proving who one is and for sealing payloads.
//! * [`NetTopic`] lists the commands by which an operator inspects the network from any cell.

mod channel;
mod header;
mod identity;
mod message;
mod network;

pub use channel::{BulkKey, CellLimit, CellTopic, Channel, Topic, Wildcard};
pub use header::{HeaderKey, HeaderPrefix};
pub use identity::{CertChannel, CertKey, CertTopic, Envelope, IdentityKey};
pub use message::{ErrorText, MessageType, PayloadEncoding, ReturnCode, ReturnReason};
pub use network::{
    NetChannel, NetCommand, NetConfigKey, NetConnectorKey, NetConnectorType, NetKey, NetTopic, NetUrlUse, StatsCounter,
    StatsMode, StatsPool,
};
