//! The in-band network commands: how an operator looks into a running network of cells.
//!
//! Every cell answers on the channel [`NetChannel::NET_MANAGER`]; [`Network`] asks.
//!
//! ```text
//!   operator ─ cells ─► server ─ cells ─► site-1 ─ cells ─► site-1.job
//!            ◄─ all ──         ◄─ two ───          ◄─ one ─
//! ```

mod about;
mod answer;
mod ask;
mod measure;
mod spread;
mod subnet;
mod values;

pub use ask::{Network, RouteReport};
pub(crate) use subnet::Subnets;
pub use subnet::{MemberState, SubnetError, SubnetEvent, SubnetMembership, SubnetMonitor};

use fedcell_protocol_defs::cell::{NetChannel, Wildcard};

use crate::cell::Cell;

/// Lets `cell` answer the commands.
pub(crate) fn answer(cell: &Cell) {
    cell.handle(NetChannel::NET_MANAGER, Wildcard::ANY, answer::command);
}
