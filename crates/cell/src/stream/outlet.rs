//! What the machine tells the writer of one outgoing stream.

use core::task::{Context, Poll, Waker};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fedcell_cell_proto::stream::StreamError;

/// How far an outgoing stream has come, shared by the machine and its writer.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    acknowledged: u64,
    end: Option<Result<u64, StreamError>>,
    writer: Option<Waker>,
}

impl Outlet {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream takes more. Gives the writer, to be woken.
    pub(crate) fn writable(&self) -> Option<Waker> {
        self.lock().writer.take()
    }

    /// The receiver has taken so many bytes altogether.
    pub(crate) fn acknowledge(&self, bytes: u64) {
        let mut state = self.lock();
        state.acknowledged = state.acknowledged.max(bytes);
    }

    /// The stream has ended. Gives the writer, to be woken.
    pub(crate) fn end(&self, end: Result<u64, StreamError>) -> Option<Waker> {
        let mut state = self.lock();
        state.end.get_or_insert(end);
        state.writer.take()
    }

    /// How many bytes the receiver has said that it has taken.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.lock().acknowledged
    }

    /// How the stream has ended, if it has; otherwise the writer is woken when it ends or takes more.
    pub(crate) fn poll_end(&self, context: &Context<'_>) -> Poll<Result<u64, StreamError>> {
        let mut state = self.lock();
        match &state.end {
            Some(end) => Poll::Ready(end.clone()),
            None => {
                state.writer = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
