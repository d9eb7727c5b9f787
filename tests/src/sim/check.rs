//! What must hold of every message on every link.

use std::collections::HashSet;

use fedcell_cell_proto::frame::Frame;
use fedcell_cell_proto::headers::HeaderLimits;
use fedcell_cell_proto::message::Message;
use fedcell_protocol_defs::address::ReservedSegment;

/// Looks at every message that passes over a link.
#[derive(Debug, Default)]
pub(super) struct RouteCheck {
    messages: u64,
    transits: u64,
}

impl RouteCheck {
    /// No cell may stand on a route twice; one that must cross the server may come down the way it went up.
    pub(super) fn inspect(&mut self, frame: &Frame) {
        let message = Message::decode(frame.clone(), &HeaderLimits::default()).expect("cells send proper headers");
        let facts = message.facts().expect("cells send proper messages");
        self.messages += 1;
        let mut seen = HashSet::new();
        for hop in facts.route.hops() {
            if facts.is_transit_required && hop.cell == ReservedSegment::ROOT_SERVER.as_str() {
                self.transits += 1;
                seen.clear();
            }
            assert!(seen.insert(hop.cell.to_owned()), "{} is twice on the route of {facts:?}", hop.cell);
        }
        let hops: Vec<_> = facts.route.hops().map(|hop| hop.cell).collect();
        let servers = hops.iter().filter(|cell| **cell == ReservedSegment::ROOT_SERVER.as_str()).count();
        assert!(servers <= 1, "the server is twice on the route of {facts:?}");
    }

    pub(super) const fn seen(&self) -> (u64, u64) {
        (self.messages, self.transits)
    }
}
