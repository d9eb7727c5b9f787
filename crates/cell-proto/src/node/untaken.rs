//! Messages that had their place on a connection and did not leave by it: who asked is told at once.

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::cell::{HeaderKey, ReturnReason};
use tracing::debug;

use super::event::Event;
use super::exchange::{Dropped, Exchange};
use super::inbound::Arrival;
use crate::address::{Fqcn, FqcnBuf};
use crate::identity::PeerIdentity;
use crate::message::{Facts, Message};
use crate::request::{Failure, Reply, Resolution};
use crate::route::Neighbours as _;
use crate::transit::may_speak_for;

impl Exchange {
    /// A message did not leave, although it was given out: `why` says so of the neighbour that should have had it.
    pub(super) fn handle_not_taken(&mut self, now: UnixTime, message: Message, why: impl FnOnce(FqcnBuf) -> Failure) {
        self.drop_message(Dropped::NotTaken);
        let Ok(facts) = message.facts() else { return };
        let neighbour = message.headers.text(HeaderKey::TO_CELL).ok().flatten();
        let neighbour = neighbour.and_then(|name| Fqcn::parse(name).ok()).unwrap_or(facts.destination);
        let failure = why(neighbour.to_owned());
        debug!(origin = %facts.origin, target = %facts.destination, %failure, "a message did not leave");
        if facts.origin != self.address() {
            if facts.is_request() && facts.is_reply_expected {
                self.send_back_late(now, &message, &facts);
            }
        } else if facts.is_request() && self.fail_requests(now, &facts, &failure) {
            return;
        }
        self.events.push_back(Event::NotTaken { message: Box::new(message), failure });
    }

    /// Ends the requests of this cell that the message asks for; says whether there was one.
    fn fail_requests(&mut self, now: UnixTime, facts: &Facts<'_>, failure: &Failure) -> bool {
        let mut has_ended = false;
        for id in facts.request_ids.into_iter().flat_map(crate::headers::Texts::iter) {
            if let Resolution::Answers { id, target, open, .. } = self.pending.resolve(now, id, facts.destination) {
                self.events.push_back(Event::Reply { id, target, outcome: Err(failure.clone()), open });
                has_ended = true;
            }
        }
        has_ended
    }

    /// Sends a request of others back that has been passed on already: to the neighbour before this cell on its route,
    /// if that one may speak for the origin at all, else the way that a message to the origin goes.
    fn send_back_late(&mut self, now: UnixTime, message: &Message, facts: &Facts<'_>) {
        let me = self.address();
        let before = facts.route.hops().take_while(|hop| hop.cell != me.as_str()).last();
        let before = before.and_then(|hop| Fqcn::parse(hop.cell).ok());
        let before = before.filter(|&cell| self.is_neighbour(cell) && may_speak_for(me, cell, facts.origin));
        let from = match before {
            Some(cell) => Ok(self.owned_neighbour(cell)),
            None => self.route(facts.origin, &self.fresh()),
        };
        match from {
            Ok(from) => {
                let arrival = Arrival { from, identity: PeerIdentity::Unproven };
                self.send_back(now, &arrival, message, Reply::cannot_forward(), ReturnReason::CANT_FORWARD);
            }
            Err(reason) => debug!(to = %facts.origin, %reason, "a request could not be sent back"),
        }
    }
}
