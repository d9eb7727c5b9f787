//! Two connected cells for tests: a server and a site, frames carried by hand.

use fedcell_auth::UnixTime;

use super::{ConnectionId, Event, IncomingRequest, Node, NodeConfig, OpenWork, SealWork, Transmit};
use crate::address::FqcnBuf;
use crate::filter::Filters;
use crate::frame::Frame;
use crate::identity::{ConnectionFacts, Side};
use crate::link::LinkConfig;
use crate::message::Message;
use crate::request::Failure;
use crate::testing::NOW;

/// The connection between the two, at both ends.
pub(crate) const WIRE: ConnectionId = ConnectionId::new(1);

/// A server and a site with a connection between them.
pub(crate) struct Duo {
    pub(crate) server: Node,
    pub(crate) site: Node,
    pub(crate) now: UnixTime,
}

/// A cell without connections, whose request ids count up from `first`.
pub(crate) fn node(name: &str, first: u8) -> Node {
    node_with(NodeConfig::new(FqcnBuf::parse(name).unwrap()), first)
}

/// The same with a configuration.
pub(crate) fn node_with(config: NodeConfig, first: u8) -> Node {
    let mut next = first;
    let ids = Box::new(move || {
        next += 1;
        [next; 16]
    });
    let link = LinkConfig::new(config.address().clone(), Side::Listener);
    Node::new(config, Filters::new(), link, ids)
}

/// Carries one frame or the end of a connection to the other side; false if there is nothing to carry.
pub(crate) fn carry(from: &mut Node, to: &mut Node, now: UnixTime) -> bool {
    match from.poll_transmit() {
        Some(Transmit::Frame { connection, frame, .. }) => {
            let frame = Frame::decode_whole(frame.into_bytes(), 1 << 20).unwrap();
            to.handle_frame(now, connection, frame);
            true
        }
        Some(Transmit::Close { connection, .. }) => {
            to.handle_closed(now, connection);
            true
        }
        Some(Transmit::Held { .. }) => true,
        Some(Transmit::NoRoom { frame, .. }) => {
            from.handle_not_taken(now, frame);
            true
        }
        None => false,
    }
}

impl Duo {
    /// Both cells, connected, nothing left to say.
    pub(crate) fn connected() -> Self {
        Self::of(node("server", 100), node("site-1", 0))
    }

    /// These two cells, the second of which dials the first.
    pub(crate) fn of(server: Node, site: Node) -> Self {
        let mut duo = Self { server, site, now: NOW };
        duo.connect(WIRE);
        assert!(matches!(duo.server.poll_event(), Some(Event::PeerUp { .. })));
        assert!(matches!(duo.site.poll_event(), Some(Event::PeerUp { .. })));
        duo
    }

    /// One more connection between the two.
    pub(crate) fn connect(&mut self, connection: ConnectionId) {
        self.server.handle_connected(self.now, connection, ConnectionFacts::unproven(Side::Listener));
        self.site.handle_connected(self.now, connection, ConnectionFacts::unproven(Side::Dialer));
        self.pump();
    }

    /// Carries everything that either has to say.
    pub(crate) fn pump(&mut self) {
        while carry(&mut self.site, &mut self.server, self.now) || carry(&mut self.server, &mut self.site, self.now) {}
    }

    pub(crate) fn site_event(&mut self) -> Event {
        self.pump();
        self.site.poll_event().expect("something happened at the site")
    }

    pub(crate) fn server_event(&mut self) -> Event {
        self.pump();
        self.server.poll_event().expect("something happened at the server")
    }

    pub(crate) fn server_request(&mut self) -> Box<IncomingRequest> {
        match self.server_event() {
            Event::Request(request) => request,
            other => panic!("expected a request, got {other:?}"),
        }
    }

    pub(crate) fn site_seal(&mut self) -> SealWork {
        seal_of(self.site_event())
    }

    pub(crate) fn server_seal(&mut self) -> SealWork {
        seal_of(self.server_event())
    }

    pub(crate) fn site_open(&mut self) -> OpenWork {
        open_of(self.site_event())
    }

    pub(crate) fn server_open(&mut self) -> OpenWork {
        open_of(self.server_event())
    }
}

/// How a target of a request ended.
#[track_caller]
pub(crate) fn outcome_of(event: Event) -> Result<Message, Failure> {
    match event {
        Event::Reply { outcome, .. } => outcome.map(|message| *message),
        other => panic!("expected a reply, got {other:?}"),
    }
}

#[track_caller]
fn seal_of(event: Event) -> SealWork {
    match event {
        Event::Seal(work) => *work,
        other => panic!("expected something to seal, got {other:?}"),
    }
}

#[track_caller]
fn open_of(event: Event) -> OpenWork {
    match event {
        Event::Open(work) => *work,
        other => panic!("expected something to open, got {other:?}"),
    }
}
