//! The machine of one connection.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use fedcell_auth::UnixTime;
use fedcell_protocol_defs::frame::{AppId, FrameType, LinkDefaults};

use super::state::Step;
use super::{
    CertificateProblem, CloseReason, Handshake, LinkConfig, LinkCounters, LinkError, LinkEvent, LinkState, Peer,
};
use crate::frame::{EncodedFrame, Frame, FrameError, Outline, Payload};
use crate::identity::{AdmittedName, IdentityError, Side};
use crate::message::Message;

/// One connection to a neighbour.
///
/// **Drain contract.** After every verb, drain [`poll_transmit`](Self::poll_transmit) and
/// [`poll_event`](Self::poll_event) until both are empty, then ask [`poll_timeout`](Self::poll_timeout) when to call
/// [`handle_timeout`](Self::handle_timeout). [`handle_frame`](Self::handle_frame) with something left to drain is
/// [`LinkError::NotDrained`] and changes nothing.
///
/// `now` must not run backwards by much; the links of a cell are best given one clock that only moves forward.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    state: LinkState,
    claimed: Option<Box<Handshake>>,
    peer: Option<Peer>,
    opened_by: UnixTime,
    last_received: UnixTime,
    asked_at: Option<UnixTime>,
    settling: Option<Settling>,
    recheck_at: Option<UnixTime>,
    sending_since: Option<UnixTime>,
    sequence: u16,
    stream_id: u16,
    counters: LinkCounters,
    transmits: VecDeque<EncodedFrame>,
    events: VecDeque<LinkEvent>,
}

impl Link {
    /// The link of a connection that has just been made. As dialer it has a HELLO to send.
    #[must_use]
    pub fn new(config: LinkConfig, now: UnixTime) -> Self {
        let opened_by = now.saturating_add(config.handshake_timeout);
        let recheck_at = config.certified_until.map(|until| until.min(now.saturating_add(config.recheck_interval)));
        let mut link = Self {
            config,
            state: LinkState::Expecting,
            claimed: None,
            peer: None,
            opened_by,
            last_received: now,
            asked_at: None,
            settling: None,
            recheck_at,
            sending_since: None,
            sequence: 0,
            stream_id: LinkDefaults::RESERVED_STREAM_ID,
            counters: LinkCounters::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        if link.config.side == Side::Dialer {
            link.introduce(FrameType::HELLO, now);
        }
        link
    }

    /// Where the link stands.
    #[must_use]
    pub const fn state(&self) -> LinkState {
        self.state
    }

    /// The peer, while the link is open.
    #[must_use]
    pub const fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// What has passed over the link.
    #[must_use]
    pub const fn counters(&self) -> &LinkCounters {
        &self.counters
    }

    /// When the last frame came; the making of the link if none has.
    #[must_use]
    pub const fn last_received(&self) -> UnixTime {
        self.last_received
    }

    /// Whether messages may leave: the link is open, and the peer knows the connection as far as one can tell. See
    /// [`LinkConfig::settle`].
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.state == LinkState::Open && self.settling.is_none()
    }

    /// A frame has come. A frame that has no place closes the link.
    ///
    /// # Errors
    ///
    /// [`LinkError::NotDrained`] if something was left to drain, [`LinkError::WrongState`] if the owner has neither
    /// admitted nor refused the claimed name, or if the link is closed. The frame is not looked at then.
    pub fn handle_frame(&mut self, now: UnixTime, frame: Frame) -> Result<(), LinkError> {
        const VERB: &str = "handle_frame";
        if !self.transmits.is_empty() || !self.events.is_empty() {
            return Err(LinkError::NotDrained { verb: VERB });
        }
        if matches!(self.state, LinkState::Claimed | LinkState::Closed) {
            return Err(LinkError::WrongState { verb: VERB, state: self.state });
        }
        self.last_received = self.last_received.max(now);
        self.counters.frames_received += 1;
        self.counters.bytes_received += u64::from(frame.prefix.length);
        let frame_type = frame.prefix.frame_type;
        let step = match frame_type {
            FrameType::DATA | FrameType::PING | FrameType::PONG => Step::Traffic,
            FrameType::HELLO => Step::Hello,
            FrameType::READY => Step::Ready,
            _ => Step::Unknown,
        };
        let Some(state) = self.state.after(self.config.side, step) else {
            self.close(CloseReason::Unexpected { state: self.state, frame_type });
            return Ok(());
        };
        self.state = state;
        match frame_type {
            FrameType::DATA => {
                // Whoever sends messages takes them, too.
                self.settling = None;
                self.take_message(frame);
            }
            FrameType::PING => {
                let stream_id = self.next_stream_id();
                self.transmit(FrameType::PONG, stream_id, Payload::from(NIL));
            }
            FrameType::PONG => {
                self.counters.round_trip = self.asked_at.take().map(|asked| now.saturating_since(asked));
                self.settle_further(now);
            }
            FrameType::HELLO | FrameType::READY => self.take_claim(frame.payload),
            _ => self.counters.frames_ignored += 1,
        }
        Ok(())
    }

    /// The transport is gone.
    pub fn handle_lost(&mut self) {
        self.close(CloseReason::Lost);
    }

    /// The bytes that came are no frame; the link is over.
    pub fn handle_bad_frame(&mut self, error: FrameError) {
        self.close(CloseReason::BadFrame(error));
    }

    /// A frame is about to be written. Until [`handle_sent`](Self::handle_sent) the transport is expected to take bytes.
    pub fn handle_sending(&mut self, now: UnixTime) {
        self.sending_since.get_or_insert(now);
    }

    /// The transport has taken some bytes of the frame that is being written.
    pub fn handle_progress(&mut self, now: UnixTime) {
        self.sending_since = self.sending_since.map(|_| now);
    }

    /// The frame has been written.
    pub fn handle_sent(&mut self) {
        self.sending_since = None;
    }

    /// The moment of [`poll_timeout`](Self::poll_timeout) has come; too early does no harm.
    pub fn handle_timeout(&mut self, now: UnixTime) {
        match self.state {
            LinkState::Expecting | LinkState::Claimed if now >= self.opened_by => {
                self.close(CloseReason::HandshakeTimeout { limit: self.config.handshake_timeout });
            }
            LinkState::Open => {
                self.settling.take_if(|settling| now >= settling.by);
                if self.recheck_at.take_if(|at| now >= *at).is_some() {
                    self.events.push_back(LinkEvent::Recheck);
                }
                self.look_for_signs_of_life(now);
            }
            _ => {}
        }
        if let (Some(at), Some(limit)) = (self.stalled_at(), self.config.stall_timeout)
            && now >= at
        {
            self.close(CloseReason::Stalled { limit });
        }
    }

    /// Opens the link to the peer whose name has been admitted; as listener, READY leaves now.
    ///
    /// # Errors
    ///
    /// [`LinkError::WrongState`] if no name has been claimed, [`LinkError::AnotherName`] if it was another one.
    pub fn admit(&mut self, now: UnixTime, admitted: AdmittedName) -> Result<(), LinkError> {
        let wrong_state = LinkError::WrongState { verb: "admit", state: self.state };
        let state = self.state.after(self.config.side, Step::Admit).ok_or(wrong_state)?;
        let Some(claim) = self.claimed.take_if(|claim| claim.name == *admitted.name()) else {
            return Err(LinkError::AnotherName);
        };
        self.state = state;
        self.last_received = self.last_received.max(now);
        self.peer = Some(Peer { admitted, properties: claim.properties });
        if self.config.side == Side::Listener {
            self.introduce(FrameType::READY, now);
        }
        if let Some(limit) = self.config.settle {
            self.settling = Some(Settling { answers: SETTLING_ANSWERS, by: now.saturating_add(limit) });
            self.ask(now);
        }
        self.events.push_back(LinkEvent::Opened);
        Ok(())
    }

    /// The peer's certificate has been verified again, as [`LinkEvent::Recheck`] asked: good until `Ok`, or no longer good,
    /// which closes the link.
    pub fn handle_rechecked(&mut self, now: UnixTime, verdict: Result<UnixTime, CertificateProblem>) {
        match verdict {
            Ok(until) => {
                let next = now.saturating_add(self.config.recheck_interval);
                // One that is found good at its very end is not asked about again and again.
                self.recheck_at = Some(if until > now { next.min(until) } else { next });
            }
            Err(problem) => self.close(CloseReason::Uncertified { problem }),
        }
    }

    /// Refuses the claimed name. The peer gets no answer but the end of the connection.
    pub fn refuse(&mut self, error: IdentityError) {
        self.close(CloseReason::Refused(error));
    }

    /// Ends the link; does nothing if it is over. What was to be sent by the link itself is not sent any more.
    pub fn close(&mut self, reason: CloseReason) {
        let Some(state) = self.state.after(self.config.side, Step::Close) else { return };
        self.state = state;
        self.claimed = None;
        self.transmits.clear();
        self.events.push_back(LinkEvent::Closed(reason));
    }

    /// Makes a message into a frame, numbered for this link. It comes back at once and not through
    /// [`poll_transmit`](Self::poll_transmit), because the owner decides how it queues; the frame must leave or the link
    /// close, but numbers that arrive out of order do no harm.
    ///
    /// # Errors
    ///
    /// [`LinkError::WrongState`] unless the link is open, [`LinkError::Unsendable`] if headers or frame are too long.
    pub fn encode(&mut self, message: Message) -> Result<EncodedFrame, LinkError> {
        if self.state != LinkState::Open {
            return Err(LinkError::WrongState { verb: "encode", state: self.state });
        }
        let (stream_id, sequence) = (self.stream_id.wrapping_add(1), self.sequence.wrapping_add(1));
        let frame = message.encode(stream_id, sequence)?;
        (self.stream_id, self.sequence) = (stream_id, sequence);
        self.count_sent(&frame);
        Ok(frame)
    }

    /// The next frame that the link itself has to send.
    pub fn poll_transmit(&mut self) -> Option<EncodedFrame> {
        self.transmits.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        let of_state = match self.state {
            LinkState::Expecting | LinkState::Claimed => Some(self.opened_by),
            LinkState::Open => {
                let settled = self.settling.map(|settling| settling.by);
                earlier(earlier(self.ask_at(), self.silent_at()), earlier(settled, self.recheck_at))
            }
            LinkState::Closed => return None,
        };
        earlier(of_state, self.stalled_at())
    }

    fn take_message(&mut self, frame: Frame) {
        if frame.prefix.app_id != AppId::CELL {
            self.counters.frames_ignored += 1;
            return;
        }
        match Message::decode(frame, &self.config.header_limits) {
            Ok(message) => self.events.push_back(LinkEvent::Message(message)),
            Err(error) => {
                self.counters.messages_malformed += 1;
                self.events.push_back(LinkEvent::Malformed(error));
            }
        }
    }

    fn take_claim(&mut self, payload: Bytes) {
        match Handshake::decode(payload, &self.config.header_limits) {
            Ok(claim) if claim.name == self.config.local => {
                self.close(CloseReason::Refused(IdentityError::OwnName { name: claim.name }));
            }
            Ok(claim) => {
                let claim = Box::new(claim);
                self.claimed = Some(claim.clone());
                self.events.push_back(LinkEvent::Claimed(claim));
            }
            Err(error) => self.close(CloseReason::BadHandshake(error)),
        }
    }

    fn look_for_signs_of_life(&mut self, now: UnixTime) {
        if let (Some(at), Some(limit)) = (self.silent_at(), self.config.idle_timeout)
            && now >= at
        {
            self.close(CloseReason::Silent { limit });
        } else if self.ask_at().is_some_and(|at| now >= at) {
            self.ask(now);
        }
    }

    /// Asks the peer whether it lives.
    fn ask(&mut self, now: UnixTime) {
        self.asked_at = Some(now);
        let stream_id = self.next_stream_id();
        self.transmit(FrameType::PING, stream_id, Payload::from(NIL));
    }

    /// The peer has answered once more while messages are held back.
    fn settle_further(&mut self, now: UnixTime) {
        let Some(settling) = &mut self.settling else { return };
        settling.answers = settling.answers.saturating_sub(1);
        if settling.answers == 0 {
            self.settling = None;
        } else {
            self.ask(now);
        }
    }

    /// When to ask the peer whether it lives: after a silence, and then again and again.
    fn ask_at(&self) -> Option<UnixTime> {
        let first = self.last_received.saturating_add(self.config.heartbeat_interval?);
        let again = self.asked_at.map(|asked| asked.saturating_add(self.config.heartbeat_tick));
        Some(again.map_or(first, |again| again.max(first)))
    }

    fn silent_at(&self) -> Option<UnixTime> {
        Some(self.last_received.saturating_add(self.config.idle_timeout?))
    }

    fn stalled_at(&self) -> Option<UnixTime> {
        if self.state == LinkState::Closed {
            return None;
        }
        Some(self.sending_since?.saturating_add(self.config.stall_timeout?))
    }

    fn introduce(&mut self, frame_type: FrameType, now: UnixTime) {
        let mut body = Vec::with_capacity(128);
        Handshake::write(&self.config.local, &self.config.properties, now, &mut body);
        self.transmit(frame_type, LinkDefaults::HANDSHAKE_STREAM_ID, Payload::from(body));
    }

    /// Queues a frame without headers.
    fn transmit(&mut self, frame_type: FrameType, stream_id: u16, payload: Payload) {
        self.sequence = self.sequence.wrapping_add(1);
        let outline = Outline { frame_type, app_id: AppId::ALL, stream_id, sequence: self.sequence };
        // Too long only if the owner's properties are: then the peer would refuse the frame, and so do we.
        match EncodedFrame::new(outline, 0, |_| {}, payload) {
            Ok(frame) => {
                self.count_sent(&frame);
                self.transmits.push_back(frame);
            }
            Err(error) => self.close(CloseReason::BadFrame(error)),
        }
    }

    fn count_sent(&mut self, frame: &EncodedFrame) {
        self.counters.frames_sent += 1;
        self.counters.bytes_sent += frame.remaining() as u64;
    }

    fn next_stream_id(&mut self) -> u16 {
        self.stream_id = self.stream_id.wrapping_add(1);
        self.stream_id
    }
}

/// Answers to PING after which a peer is taken to know the connection. The first may be quicker than its handshake's
/// end, since the reference gives each frame to another thread.
const SETTLING_ANSWERS: u8 = 2;

/// Messages are held back.
#[derive(Debug, Clone, Copy)]
struct Settling {
    /// Answers that are still to come.
    answers: u8,
    /// When it ends without them.
    by: UnixTime,
}

/// The body of a heartbeat.
const NIL: Bytes = Bytes::from_static(&[LinkDefaults::HEARTBEAT_PAYLOAD]);

fn earlier(one: Option<UnixTime>, other: Option<UnixTime>) -> Option<UnixTime> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
