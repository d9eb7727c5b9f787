//! Direct connections between cells that talk over others: when to offer one, when to take an offer up. Policy only.
//!
//! Off by default, as in the reference. The cell with the greater address offers, or the one on the server; the other
//! dials. Cells of one family never do, nor do messages that must cross the server.

use fedcell_protocol_defs::cell::MessageType;

use crate::address::Fqcn;

/// Whether this cell makes direct connections at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AdhocPolicy {
    /// Never: offers are neither made nor taken up. A URL in a header is ignored; it says where to connect to, and its
    /// sender is not to decide that.
    #[default]
    Off,
    /// By the rules of the reference.
    On,
}

/// What a message that arrived here means for direct connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdhocStep {
    /// Nothing.
    None,
    /// Dial the URL that the message offers; the cell there is the origin of the message.
    Dial,
    /// Offer a URL of ours in the reply.
    OfferInReply,
}

/// What of an arrived message matters here.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "an argument list with names")]
pub struct Arrival<'a> {
    /// Kind of the message.
    pub kind: MessageType<'a>,
    /// Who made it.
    pub origin: Fqcn<'a>,
    /// The neighbour that handed it over.
    pub from: Fqcn<'a>,
    /// Whether it must cross the server.
    pub transit_required: bool,
    /// Whether it offers a URL.
    pub offers_url: bool,
}

impl AdhocPolicy {
    /// Whether a request from `me` to `target` that goes to `next` first should offer a URL of ours.
    #[must_use]
    pub fn offers_in_request(self, me: Fqcn<'_>, target: Fqcn<'_>, next: Fqcn<'_>, transit_required: bool) -> bool {
        self.allows(me, target) && !transit_required && next != target && is_offerer(me, target)
    }

    /// What to do about a message that arrived at `me`.
    #[must_use]
    pub fn on_arrival(self, me: Fqcn<'_>, message: Arrival<'_>) -> AdhocStep {
        let request = message.kind == MessageType::REQ;
        let eligible = request || message.kind == MessageType::REPLY;
        if !eligible || message.transit_required || message.from == message.origin || !self.allows(me, message.origin) {
            return AdhocStep::None;
        }
        if message.offers_url {
            return AdhocStep::Dial;
        }
        if request && is_offerer(me, message.origin) { AdhocStep::OfferInReply } else { AdhocStep::None }
    }

    fn allows(self, me: Fqcn<'_>, other: Fqcn<'_>) -> bool {
        self == Self::On && !me.is_same_family(other)
    }
}

/// Whether `me` is the one of the two that listens: the one on the server, else the greater address.
fn is_offerer(me: Fqcn<'_>, other: Fqcn<'_>) -> bool {
    !other.is_on_server() && (me.is_on_server() || me > other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(name: &str) -> Fqcn<'_> {
        Fqcn::parse(name).unwrap()
    }

    #[test]
    fn the_greater_address_or_the_server_offers_in_requests() {
        for (policy, me, target, next, transit, offers) in [
            (AdhocPolicy::On, "site-2.j", "site-1.j", "server", false, true),
            (AdhocPolicy::On, "site-1.j", "site-2.j", "server", false, false),
            (AdhocPolicy::On, "server.j", "site-2.j", "server", false, true),
            (AdhocPolicy::On, "site-2.j", "server.j", "server", false, false),
            (AdhocPolicy::On, "site-2.j", "site-1.j", "server", true, false),
            (AdhocPolicy::On, "site-2.j", "site-1.j", "site-1.j", false, false),
            (AdhocPolicy::On, "site-2.j", "site-2.i", "site-2", false, false),
            (AdhocPolicy::Off, "site-2.j", "site-1.j", "server", false, false),
        ] {
            assert_eq!(policy.offers_in_request(cell(me), cell(target), cell(next), transit), offers, "{me} {target}");
        }
    }

    #[track_caller]
    fn check(policy: AdhocPolicy, me: &str, message: (MessageType<'_>, &str, &str, bool, bool), step: AdhocStep) {
        let (kind, origin, from, transit_required, offers_url) = message;
        let arrival = Arrival { kind, origin: cell(origin), from: cell(from), transit_required, offers_url };
        assert_eq!(policy.on_arrival(cell(me), arrival), step);
    }

    #[test]
    fn offers_are_taken_up_only_where_the_message_came_over_others() {
        use AdhocStep::{Dial, None, OfferInReply};
        let (req, reply, back) = (MessageType::REQ, MessageType::REPLY, MessageType::RETURN);
        let on = AdhocPolicy::On;
        check(on, "site-1.j", (req, "site-2.j", "server", false, true), Dial);
        check(on, "site-1.j", (reply, "site-2.j", "server", false, true), Dial);
        check(on, "site-1.j", (back, "site-2.j", "server", false, true), None);
        check(on, "site-1.j", (req, "site-2.j", "site-2.j", false, true), None);
        check(on, "site-1.j", (req, "site-2.j", "server", true, true), None);
        check(on, "site-2.j", (req, "site-1.j", "server", false, false), OfferInReply);
        check(on, "site-1.j", (req, "site-2.j", "server", false, false), None);
        check(on, "site-2.j", (reply, "site-1.j", "server", false, false), None);
        check(AdhocPolicy::Off, "site-1.j", (req, "site-2.j", "server", false, true), None);
    }
}
