//! What follows when something happens to a cell: its machine is told, drained, and what it wants is done.

use core::time::Duration;

use fedcell_cell_proto::frame::Frame;
use fedcell_cell_proto::identity::{ConnectionFacts, Side};
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::node::{Event, IncomingRequest, Transmit};
use fedcell_cell_proto::request::{Body, Outgoing, Reply, RequestId};
use fedcell_cell_proto::secure::Sealing;
use fedcell_netsim::{Happening, LinkId};
use fedcell_protocol_defs::cell::HeaderKey;
use fedcell_protocol_defs::frame::FrameType;

use super::cell::{CellId, Outcome};
use super::seals::Order;
use super::tree::{CHANNEL, Plan, Topic, Tree, connection};
use super::way::{Packet, Travel};

/// Largest frame that a cell here takes.
const FRAME_LIMIT: usize = 1 << 20;
impl Tree {
    pub(super) fn happen(&mut self, happening: Happening<Packet>) {
        let now = self.now();
        match happening {
            Happening::Opened { at, link, dialled, .. } => {
                let id = self.by_place[&at];
                self.note(id, (link, dialled), || format!("{link} stands, dialled {dialled}"));
                self.cells[id.0].open.insert(link);
                let side = if dialled { Side::Dialer } else { Side::Listener };
                self.cells[id.0].node.handle_connected(now, connection(link), ConnectionFacts::unproven(side));
                self.drain(id, None);
            }
            Happening::Delivered { at, link, packet } => {
                let id = self.by_place[&at];
                let identity = packet.travel.as_ref().map(|travel| travel.identity);
                self.note(id, (link, packet.frame.len(), identity), || match &packet.travel {
                    Some(travel) => format!("gets {travel:?} over {link}"),
                    None => format!("gets a frame of {link} itself"),
                });
                self.receive(id, link, packet);
            }
            Happening::Closed { at, link } => {
                let id = self.by_place[&at];
                self.note(id, link, || format!("{link} is closed"));
                if self.cells[id.0].open.contains(&link) {
                    self.cells[id.0].node.handle_closed(now, connection(link));
                    self.drain(id, None);
                } else {
                    self.dial_again(id, link);
                }
            }
            other => panic!("unknown happening {other:?}"),
        }
    }

    /// A packet came; if it is a message the cell may look at it late, or twice.
    fn receive(&mut self, id: CellId, link: LinkId, packet: Packet) {
        let Some(travel) = &packet.travel else { return self.look(id, link, packet) };
        travel.arrive(&self.cells[id.0].name);
        self.messages += 1;
        self.transits += u64::from(travel.is_transit());
        let conduct = self.cells[id.0].conduct;
        self.looked_at += 1;
        if conduct.repeat_every > 0 && self.looked_at.is_multiple_of(conduct.repeat_every) {
            let again = conduct.scatter + Duration::from_millis(3);
            self.plan(id, again, Plan::Look { link, packet: packet.clone() });
        }
        if conduct.scatter.is_zero() {
            self.look(id, link, packet);
        } else {
            let after = self.rng.span(conduct.scatter);
            self.plan(id, after, Plan::Look { link, packet });
        }
    }

    fn look(&mut self, id: CellId, link: LinkId, packet: Packet) {
        let now = self.now();
        let cell = &mut self.cells[id.0];
        if let Some(travel) = &packet.travel
            && travel.has_come(&cell.name)
            && cell.node.is_open(connection(link))
            && !travel.is_sealed
        {
            cell.answers_given += travel.answers;
        }
        let frame = Frame::decode_whole(packet.frame, FRAME_LIMIT).expect("cells send whole frames");
        cell.node.handle_frame(now, connection(link), frame);
        self.drain(id, packet.travel.as_ref());
    }

    pub(super) fn carry_out(&mut self, id: CellId, plan: Plan) {
        let now = self.now();
        match plan {
            Plan::Dial { to } => self.dial(id, to),
            Plan::Look { link, packet } => {
                self.note(id, link, || format!("looks at {:?} of {link}", packet.travel));
                self.look(id, link, packet);
            }
            // What sleeps is looked at again and again until it is awake.
            plan if !self.is_up(id) => self.plan(id, Duration::from_millis(50), plan),
            Plan::Answer { request, routed_anew } if routed_anew => self.answer_anew(id, &request),
            Plan::Answer { request, .. } => self.answer(id, &request),
            Plan::Done { order, fails } => self.carry_out_order(id, order, fails),
            Plan::Leave => {
                self.note(id, "leave", || "leaves".to_owned());
                self.cells[id.0].node.close_all(now);
                self.drain(id, None);
            }
        }
    }

    /// Does what a cell wants done, until it wants nothing more. `cause` is the message that it was just given.
    pub(super) fn drain(&mut self, id: CellId, cause: Option<&Travel>) {
        loop {
            let mut idle = true;
            while let Some(transmit) = self.cells[id.0].node.poll_transmit() {
                idle = false;
                self.transmit(id, transmit, cause);
            }
            while let Some(event) = self.cells[id.0].node.poll_event() {
                idle = false;
                self.note_event(id, event, cause);
            }
            if idle {
                break;
            }
        }
        self.cells[id.0].due = self.cells[id.0].node.poll_timeout();
    }

    fn transmit(&mut self, id: CellId, transmit: Transmit, cause: Option<&Travel>) {
        let place = self.cells[id.0].place;
        match transmit {
            Transmit::Frame { connection, frame, .. } => {
                let is_data = frame.frame_type() == FrameType::DATA;
                let packet = self.departure(id, frame.into_bytes(), is_data, cause);
                // False if the link is gone and the cell does not know it yet: then the frame is lost.
                self.network.send(self.network.link(connection.number()), place, packet.frame.len(), packet);
            }
            Transmit::Close { connection, reason } => {
                let link = self.network.link(connection.number());
                self.note(id, link, || format!("closes {link}: {reason}"));
                self.cells[id.0].open.remove(&link);
                self.network.close(link, place);
                self.dial_again(id, link);
            }
            Transmit::Held { .. } => {}
            Transmit::NoRoom { frame, .. } => {
                let now = self.now();
                self.cells[id.0].node.handle_not_taken(now, frame);
            }
            other => panic!("unknown transmit {other:?}"),
        }
    }

    fn note_event(&mut self, id: CellId, event: Event, cause: Option<&Travel>) {
        let now = self.now();
        match event {
            Event::Request(request) => self.handle(id, request),
            Event::Reply { id: request, outcome, .. } if self.cells[id.0].exchanges.contains_key(&request) => {
                self.end_exchange(id, &request, outcome.ok().as_deref());
            }
            Event::Reply { id: request, target, outcome, open } => {
                let outcome = match outcome {
                    Ok(message) => Outcome::Reply(return_code(&message), message.payload.clone().into_bytes()),
                    Err(failure) => Outcome::Failed(failure),
                };
                self.note(id, (request.as_str(), target.as_str()), || format!("hears on {request}: {outcome:?}"));
                let cell = &mut self.cells[id.0];
                cell.end(now, &request, &target, outcome);
                let unended = cell.asked[&request].outcomes.values().filter(|outcome| outcome.is_none()).count();
                assert_eq!(open, unended, "{} is told of another number of open targets", cell.name);
            }
            Event::Seal(work) => self.order(id, Order::Seal(work)),
            Event::Open(work) => self.order(id, Order::Open(work, cause.map_or(0, |travel| travel.answers))),
            Event::DialOffered { peer, url } => self.take_offer(id, &peer, &url),
            Event::PeerUp { peer, .. } => self.note(id, peer.as_str(), || format!("{peer} is a neighbour")),
            Event::PeerDown { peer } => self.note(id, peer.as_str(), || format!("{peer} is no neighbour any more")),
            Event::Undeliverable { reason, .. } => {
                self.note(id, "undeliverable", || format!("cannot pass a message on: {reason}"));
            }
            other => panic!("{} did not expect {other:?}", self.cells[id.0].name),
        }
    }

    fn handle(&mut self, id: CellId, request: Box<IncomingRequest>) {
        let facts = request.message.facts().expect("the machine has read them");
        let key = facts.request_ids.and_then(fedcell_cell_proto::headers::Texts::single).unwrap_or_default();
        if Sealing::is_exchange(facts.channel, facts.topic) {
            let answer = self.cells[id.0].seals.answer(self.now(), &request.message);
            return self.reply(id, &request, answer);
        }
        assert_eq!(facts.channel, CHANNEL, "{} was asked {facts:?}", self.cells[id.0].name);
        let (at, origin) = (&self.cells[id.0].name, request.reply_to.origin());
        let is_stranger = self.cells.iter().any(|cell| cell.name.as_fqcn() == origin && cell.conduct.is_stranger);
        assert!(!(is_stranger && at.as_fqcn().is_server()), "the server handles what the stranger {origin} asks");
        if request.reply_to.is_expected() {
            *self.cells[id.0].handled.entry(key.to_owned()).or_default() += 1;
        }
        match Topic::of(request.reply_to.topic()).expect("cells ask for what there is") {
            Topic::Echo => self.answer(id, &request),
            Topic::Twice => {
                self.answer(id, &request);
                self.answer(id, &request);
            }
            Topic::Slow => {
                let after = self.rng.span(Duration::from_secs(3));
                self.plan(id, after, Plan::Answer { request, routed_anew: false });
            }
            Topic::Delayed => {
                let after = self.rng.span(Duration::from_secs(1));
                self.plan(id, after, Plan::Answer { request, routed_anew: true });
            }
            Topic::Silent => self.cells[id.0].node.exchange_mut().note_no_reply(&request.reply_to),
            Topic::Nobody => self.reply(id, &request, Reply::no_handler()),
        }
    }

    fn answer(&mut self, id: CellId, request: &IncomingRequest) {
        let reply = Reply::ok(Body::bytes(request.message.payload.clone()));
        self.reply(id, request, reply);
    }

    fn reply(&mut self, id: CellId, request: &IncomingRequest, reply: Reply) {
        let now = self.now();
        let cell = &mut self.cells[id.0];
        let to_itself = request.reply_to.is_expected() && request.reply_to.origin() == cell.name;
        // The neighbour may be gone by now; then the requester runs into its deadline.
        let sent = cell.node.exchange_mut().send_reply(now, &request.reply_to, reply);
        cell.answers_given += u64::from(to_itself && sent.is_ok());
        self.drain(id, None);
    }

    /// Answers with a reply that is routed like a request.
    fn answer_anew(&mut self, id: CellId, request: &IncomingRequest) {
        let now = self.now();
        let facts = request.message.facts().expect("the machine has read them");
        let Some(ids) = facts.request_ids.filter(|_| facts.is_reply_expected) else { return };
        let ids: Vec<RequestId> = ids.iter().map(RequestId::from_wire).collect();
        let origin = facts.origin.to_owned();
        let mut about = Outgoing::new(CHANNEL, facts.topic, Body::none());
        about.secure = facts.is_secure;
        let reply = Reply::ok(Body::bytes(request.message.payload.clone()));
        let cell = &mut self.cells[id.0];
        let sent = cell.node.exchange_mut().send_delayed_reply(now, &origin, &ids, reply, &about);
        cell.answers_given += u64::from(origin == cell.name && sent.is_ok());
        self.drain(id, None);
    }
}

fn return_code(message: &Message) -> String {
    message.headers.text(HeaderKey::RETURN_CODE).ok().flatten().unwrap_or_default().to_owned()
}
