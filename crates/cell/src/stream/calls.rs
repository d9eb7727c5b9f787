//! Streamed requests of this cell that wait for their reply.
//!
//! ```text
//!  sending ── last chunk left ──► waiting ── first chunk of the reply ──► receiving ── last chunk ──► answered
//!     └──────────── no progress for as long as the caller is patient ──────────┴──► stalled, and who
//! ```

use core::time::Duration;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::request::RequestId;
use fedcell_cell_proto::stream::call::CallTimer;
use fedcell_cell_proto::stream::{IncomingId, StreamId};
use fedcell_protocol_defs::cell::ReturnCode;
use tokio::sync::oneshot;

use super::inlet::Inlet;
use super::reader::Source;
use crate::error::RequestError;

/// A caller, and what it waits for.
#[derive(Debug)]
pub(crate) enum CallWaiter {
    /// For the whole reply.
    Whole(oneshot::Sender<Result<Message, RequestError>>),
    /// For its beginning; it reads the rest itself.
    Head(oneshot::Sender<Result<Source, RequestError>>),
}

/// What a caller gets, once the lock is free.
#[derive(Debug)]
pub(crate) enum Answered {
    Whole(oneshot::Sender<Result<Message, RequestError>>, Box<Result<Message, RequestError>>),
    Head(oneshot::Sender<Result<Source, RequestError>>, Box<Result<Source, RequestError>>),
}

impl Answered {
    /// Why there is no reply, if there is none.
    pub(crate) fn failure(&self) -> Option<ReturnCode<'_>> {
        let error = match self {
            Self::Whole(_, outcome) => outcome.as_ref().as_ref().err(),
            Self::Head(_, outcome) => outcome.as_ref().as_ref().err(),
        };
        error.map(RequestError::return_code)
    }

    /// Wakes the caller, if it is still there.
    pub(crate) fn wake(self) {
        match self {
            Self::Whole(sender, outcome) => drop(sender.send(*outcome)),
            Self::Head(sender, outcome) => drop(sender.send(*outcome)),
        }
    }
}

/// A request that has just been sent.
#[derive(Debug)]
pub(crate) struct NewCall {
    pub(crate) target: FqcnBuf,
    pub(crate) timeout: Duration,
    pub(crate) waiter: CallWaiter,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) target: FqcnBuf,
    timeout: Duration,
    timer: CallTimer,
    /// Bytes that have moved in either direction.
    moved: u64,
    /// The moment for which it stands in the table of deadlines: never later than its deadline.
    armed: UnixTime,
    /// The request, until it has left.
    pub(super) stream: Option<StreamId>,
    /// The reply, while it comes.
    pub(super) reply: Option<IncomingId>,
    /// Where the caller reads the reply itself.
    inlet: Option<Arc<Inlet>>,
    waiter: Option<CallWaiter>,
}

impl Call {
    const fn progress(&mut self, now: UnixTime, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes as u64);
        self.timer.progress(now, self.moved);
    }
}

/// What has to be undone when a call ends before its time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remains {
    pub(super) stream: Option<StreamId>,
    pub(super) reply: Option<IncomingId>,
}

/// The streamed requests of one cell.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: HashMap<RequestId, Call>,
    deadlines: BTreeSet<(UnixTime, RequestId)>,
}

impl Calls {
    pub(super) fn insert(&mut self, now: UnixTime, id: RequestId, stream: StreamId, new: NewCall) {
        let timer = CallTimer::new(now, new.timeout);
        let armed = timer.deadline();
        self.deadlines.insert((armed, id.clone()));
        let call = Call {
            target: new.target,
            timeout: new.timeout,
            timer,
            moved: 0,
            armed,
            stream: Some(stream),
            reply: None,
            inlet: None,
            waiter: Some(new.waiter),
        };
        self.open.insert(id, call);
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// The request that a reply from `origin` answers. Only the cell that was asked may answer.
    pub(super) fn find(&self, id: &str, origin: Fqcn<'_>) -> Option<(&RequestId, &Call)> {
        self.open.get_key_value(id).filter(|(_, call)| call.target.as_fqcn() == origin)
    }

    /// Whether the caller wants the reply in one piece.
    pub(super) fn wants_whole(call: &Call) -> bool {
        matches!(call.waiter, Some(CallWaiter::Whole(_)))
    }

    /// The request has left.
    pub(super) fn sent(&mut self, now: UnixTime, id: &RequestId) {
        if let Some(call) = self.open.get_mut(id) {
            call.stream = None;
            call.timer.sent(now);
        }
    }

    /// Something of the request has left or of the reply has come.
    pub(super) fn progress(&mut self, now: UnixTime, id: &RequestId, bytes: usize) {
        if let Some(call) = self.open.get_mut(id) {
            call.progress(now, bytes);
        }
    }

    /// The reply begins, and is collected.
    pub(super) fn began(&mut self, now: UnixTime, id: &RequestId, reply: IncomingId) {
        if let Some(call) = self.open.get_mut(id) {
            call.timer.began(now);
            call.reply = Some(reply);
        }
    }

    /// The reply begins, and the caller reads it.
    pub(super) fn opened(&mut self, now: UnixTime, id: &RequestId, source: Source) -> Option<Answered> {
        let call = self.open.get_mut(id)?;
        call.timer.began(now);
        call.reply = source.id;
        call.inlet = Some(source.inlet.clone());
        match call.waiter.take()? {
            CallWaiter::Head(sender) => Some(Answered::Head(sender, Box::new(Ok(source)))),
            CallWaiter::Whole(_) => None,
        }
    }

    /// The reply is there.
    pub(super) fn answer(&mut self, id: &RequestId, message: Message) -> (Remains, Option<Answered>) {
        let (remains, waiter) = self.take(id);
        let answered = match waiter {
            Some(CallWaiter::Whole(sender)) => Some(Answered::Whole(sender, Box::new(Ok(message)))),
            _ => None,
        };
        (remains, answered)
    }

    /// The caller has read all of the reply, or gives up.
    pub(super) fn end(&mut self, id: &RequestId) -> Remains {
        self.take(id).0
    }

    /// The request has failed.
    pub(super) fn fail(&mut self, id: &RequestId, error: RequestError) -> (Remains, Option<Answered>) {
        let (remains, waiter) = self.take(id);
        let answered = waiter.map(|waiter| match waiter {
            CallWaiter::Whole(sender) => Answered::Whole(sender, Box::new(Err(error))),
            CallWaiter::Head(sender) => Answered::Head(sender, Box::new(Err(error))),
        });
        (remains, answered)
    }

    fn take(&mut self, id: &RequestId) -> (Remains, Option<CallWaiter>) {
        let Some((id, call)) = self.open.remove_entry(id) else { return (Remains { stream: None, reply: None }, None) };
        self.deadlines.remove(&(call.armed, id));
        (Remains { stream: call.stream, reply: call.reply }, call.waiter)
    }

    pub(super) fn target(&self, id: &RequestId) -> Option<&FqcnBuf> {
        self.open.get(id).map(|call| &call.target)
    }

    pub(super) fn next_deadline(&self) -> Option<UnixTime> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The next request that has made no progress for too long, with the error for its caller.
    pub(super) fn expire(&mut self, now: UnixTime) -> Option<(RequestId, RequestError)> {
        while let Some((at, _)) = self.deadlines.first()
            && *at <= now
        {
            let (_, id) = self.deadlines.pop_first()?;
            let Some(call) = self.open.get_mut(&id) else { continue };
            if call.inlet.as_ref().is_some_and(|inlet| inlet.has_unread()) {
                // The caller itself takes its time.
                call.progress(now, 1);
            }
            call.armed = call.timer.deadline();
            if call.armed <= now {
                let (target, phase, idle) = (call.target.clone(), call.timer.phase(), call.timeout);
                return Some((id, RequestError::Stalled { target, phase, idle }));
            }
            self.deadlines.insert((call.armed, id));
        }
        None
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
