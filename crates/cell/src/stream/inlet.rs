//! What has come of one stream and waits for its reader.

use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use fedcell_cell_proto::message::Payload;
use fedcell_cell_proto::stream::StreamError;

/// Pieces of one incoming stream between the machine and the reader. How many there can be the machine bounds.
#[derive(Debug, Default)]
pub(crate) struct Inlet {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pieces: VecDeque<Bytes>,
    end: Option<Result<(), StreamError>>,
    reader: Option<Waker>,
}

impl Inlet {
    /// One that holds all there will be.
    pub(crate) fn whole(payload: &Payload) -> Self {
        let inlet = Self::default();
        inlet.push(payload);
        inlet.end(Ok(()));
        inlet
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// More has come. Gives the reader, to be woken.
    pub(crate) fn push(&self, payload: &Payload) -> Option<Waker> {
        let mut state = self.lock();
        state.pieces.extend(payload.segments().filter(|piece| !piece.is_empty()).cloned());
        state.reader.take()
    }

    /// Nothing more will come; the first word counts. Gives the reader, to be woken.
    pub(crate) fn end(&self, end: Result<(), StreamError>) -> Option<Waker> {
        let mut state = self.lock();
        if state.end.is_none() {
            if end.is_err() {
                // What is broken is of no use, and the reader is to know soon.
                state.pieces.clear();
            }
            state.end = Some(end);
        }
        state.reader.take()
    }

    /// Whether the reader has not taken all that has come.
    pub(crate) fn has_unread(&self) -> bool {
        !self.lock().pieces.is_empty()
    }

    /// The next piece; none at the end.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<Result<Option<Bytes>, StreamError>> {
        let mut state = self.lock();
        if let Some(piece) = state.pieces.pop_front() {
            return Poll::Ready(Ok(Some(piece)));
        }
        match &state.end {
            Some(Ok(())) => Poll::Ready(Ok(None)),
            Some(Err(error)) => Poll::Ready(Err(error.clone())),
            None => {
                state.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
