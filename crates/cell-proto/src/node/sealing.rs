//! Payloads that are sealed and opened by somebody else: the work orders, and what happens when they come back.
//!
//! Sealing takes a private key and a millisecond, and may need a certificate that has to be asked for first. So the cell
//! hands the message out and goes on.

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::cell::HeaderKey;
use fedcell_protocol_defs::stream;
use tracing::debug;

use super::exchange::{Dropped, Exchange};
use super::inbound::{Arrival, Delivery};
use super::outbound::Label;
use crate::address::{Fqcn, FqcnBuf};
use crate::frame::Payload;
use crate::message::Message;
use crate::request::{Failure, RequestId};

/// A message whose payload is to be sealed.
#[derive(Debug)]
pub struct SealWork {
    pub(super) message: Message,
    pub(super) target: FqcnBuf,
    pub(super) next: FqcnBuf,
    pub(super) label: Label,
    /// The request that fails if this fails.
    pub(super) request: Option<RequestId>,
}

impl SealWork {
    /// The cell that is to open it.
    #[must_use]
    pub fn target(&self) -> Fqcn<'_> {
        self.target.as_fqcn()
    }

    /// What is to be sealed.
    #[must_use]
    pub const fn plaintext(&self) -> &Payload {
        &self.message.payload
    }
}

/// A message whose payload is to be opened.
#[derive(Debug)]
pub struct OpenWork {
    pub(super) message: Message,
    pub(super) arrival: Arrival,
    pub(super) delivery: Delivery,
}

impl OpenWork {
    /// The cell that is said to have sealed it.
    #[must_use]
    pub fn origin(&self) -> Fqcn<'_> {
        self.delivery.origin().as_fqcn()
    }

    /// Whether the message is a frame of a stream, which may rightly come twice.
    #[must_use]
    pub fn is_stream_frame(&self) -> bool {
        self.message.headers.text(HeaderKey::CHANNEL) == Ok(Some(stream::Channel::STREAM.as_str()))
    }

    /// What is to be opened.
    #[must_use]
    pub const fn envelope(&self) -> &Payload {
        &self.message.payload
    }
}

impl Exchange {
    /// A payload has been sealed: its message goes on, if its neighbour is still there.
    pub fn handle_sealed(&mut self, now: UnixTime, work: SealWork, envelope: Payload) {
        let SealWork { mut message, target, next, label, request } = work;
        let clear = message.payload.len();
        message.headers.insert(HeaderKey::CLEAR_PAYLOAD_LEN, clear);
        message.headers.insert(HeaderKey::ENCRYPTED, true);
        message.payload = envelope;
        message.headers.insert(HeaderKey::SEND_TIME, crate::clock::seconds(now));
        if request.as_ref().is_some_and(|id| !self.pending.is_open(id, target.as_fqcn())) {
            return;
        }
        if let Err(failure) = self.transmit(&next, message, label) {
            self.fail(request.as_ref(), &target, failure);
        }
        self.settle(now);
    }

    /// A payload could not be sealed: its message is not sent.
    pub fn handle_seal_failed(&mut self, work: SealWork) {
        let SealWork { target, request, .. } = work;
        self.fail(request.as_ref(), &target, Failure::NotSealed { target: target.clone() });
    }

    /// A payload has been opened: its message is handled. Dropped if the length differs from what its sender said.
    pub fn handle_opened(&mut self, now: UnixTime, work: OpenWork, plaintext: Payload) {
        let OpenWork { mut message, arrival, delivery } = work;
        let stated = message.headers.integer(HeaderKey::CLEAR_PAYLOAD_LEN).ok().flatten();
        if stated.and_then(|len| usize::try_from(len).ok()) != Some(plaintext.len()) {
            debug!(origin = %delivery.origin(), ?stated, len = plaintext.len(), "dropped: the opened payload has another length than stated");
            self.drop_message(Dropped::WrongClearLength);
            return;
        }
        message.headers.remove(HeaderKey::ENCRYPTED);
        message.payload = plaintext;
        self.deliver(now, &arrival, message, delivery);
        self.settle(now);
    }
}
