//! The task that writes one connection when those who queue frames cannot: many frames with one call, control frames
//! first.

use core::time::Duration;
use std::io;
use std::sync::Arc;

use tokio::time::{Instant, timeout};

use super::outbox::{Next, Outbox};
use super::pen::{Pen, Timed};
use crate::driver::WriteHalf;

/// Writes what the outbox holds until it is closed and empty, or the peer takes nothing for `stall`. `refill` is called
/// when there is room again for a chunk of a stream that was held back.
///
/// On an error the outbox is closed and what it held is forgotten.
pub(crate) async fn write_loop(
    writing: WriteHalf,
    outbox: Arc<Outbox>,
    stall: Duration,
    timed: Timed,
    refill: impl Fn() + Send + Sync,
) -> io::Result<()> {
    let mut pen = Pen::new(writing, timed);
    let outcome = loop {
        match drive(&mut pen, &outbox, stall, &refill).await {
            Ok(Next::Finish) => break Ok(()),
            Err(error) => break Err(error),
            Ok(_) => {}
        }
        pen.batch.shrink();
        let Some(kept) = outbox.put_pen(pen) else {
            pen = pen_back(&outbox).await;
            continue;
        };
        pen = kept;
    };
    outbox.close(true);
    // The peer may be gone already; then there is nobody to tell.
    let _ = timeout(stall.min(Duration::from_secs(1)), pen.writing.shutdown()).await;
    outcome
}

/// Sleeps until there is something to write and nobody else writes.
async fn pen_back(outbox: &Outbox) -> Pen {
    loop {
        outbox.filled().await;
        if let Some(pen) = outbox.take_pen() {
            return pen;
        }
    }
}

/// Writes until nothing is queued.
async fn drive(pen: &mut Pen, outbox: &Outbox, stall: Duration, refill: impl Fn() + Send + Sync) -> io::Result<Next> {
    loop {
        // While there is much to send, senders that are ready come first: their frames leave with the same call.
        if pen.has_just_written(Instant::now()) {
            tokio::task::yield_now().await;
        }
        if outbox.take_chunk_due() {
            refill();
        }
        if pen.batch.is_empty() {
            // What leaves next is chosen when everything before it has left: small frames wait for no more than that.
            within(stall, pen.writing.flush()).await?;
            match outbox.next(&mut pen.batch) {
                Next::Write => {}
                done => return Ok(done),
            }
        }
        let began = Instant::now();
        while !pen.batch.is_empty() {
            let written = within(stall, pen.writing.write(&mut pen.batch)).await?;
            outbox.written(written);
        }
        pen.note_written(began);
    }
}

async fn within<T>(stall: Duration, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(stall, step).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
