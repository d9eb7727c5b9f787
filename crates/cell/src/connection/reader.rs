//! The task that reads one connection: bytes to frames, frames to the endpoint, many at a time.

use std::io;

use bytes::BytesMut;
use fedcell_cell_proto::frame::{Frame, FrameDecoder, FrameError, FrameLimits};

use super::slabs::{LARGEST, Slabs};
use crate::driver::ReadHalf;

/// Least and most bytes to ask the system for at once. Small messages that somebody keeps hold on to little memory, a
/// busy connection needs few calls.
const READ_SIZES: (usize, usize) = (4 * 1024, 256 * 1024);

/// Frames of known peers of which so much is missing are read into a buffer of their own, so that they are not copied and
/// nothing else stays with them in memory; beyond [`LARGEST`] memory follows what has come. Chunks of streams lie
/// between.
const LARGE: usize = 128 * 1024;

/// Frames handed over at once; more wait in the buffer, so that other work of the endpoint gets its turn.
const BATCH_FRAMES: usize = 256;

/// Bytes of large frames that a reader takes without a pause. What its frames have woken runs on the same thread, behind
/// it: a peer that always has more would make it wait for very long.
const BULK_PER_TURN: usize = 4 * 1024 * 1024;

/// What the reader does after handing frames over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The peer is still unknown: small frames only.
    Unknown,
    /// The peer is admitted.
    Admitted,
    /// The connection is closed.
    Stop,
}

/// The cell, as the reader of one connection sees it.
pub(crate) trait Receiver {
    /// Takes all of `frames`, in order.
    fn receive(&mut self, frames: &mut Vec<Frame>) -> Verdict;

    /// Waits until more frames are welcome.
    fn ready(&mut self) -> impl Future<Output = ()> + Send;
}

/// Why reading ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The peer said that nothing more comes, between two frames.
    Finished,
    /// The peer ended in the middle of a frame.
    Truncated,
    /// The system reports an error.
    Failed(io::Error),
    /// The peer sent what is no frame, or one that is too large at this stage.
    Malformed(FrameError),
    /// The endpoint closed the connection.
    Stopped,
    /// The peer did not say who it is, and its place was needed.
    Evicted,
}

impl End {
    /// What to tell the owner of the cell, if it is worth telling.
    pub(crate) fn problem(&self, is_known: bool) -> Option<String> {
        match self {
            Self::Malformed(error) => Some(error.to_string()),
            Self::Finished | Self::Truncated if !is_known => Some("the peer left before it was known".to_owned()),
            Self::Failed(error) if !is_known => Some(error.to_string()),
            Self::Evicted => Some("the peer did not say who it is, and its place was needed".to_owned()),
            _ => None,
        }
    }
}

/// Reads until the connection ends. Frames that came before a malformed one are handed over.
pub(crate) async fn read_loop<R: Receiver>(
    mut reading: ReadHalf,
    limits: FrameLimits,
    slabs: &Slabs,
    receiver: &mut R,
) -> End {
    let mut decoder = FrameDecoder::new(limits);
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    let mut read_size = READ_SIZES.0;
    let mut is_admitted = false;
    let (mut is_large, mut was_large) = (false, false);
    // Bytes of large frames since other tasks had their turn.
    let mut bulk = 0;
    loop {
        let mut failure = None;
        // Until the peer is admitted the limit may change with every frame.
        let most = if is_admitted { BATCH_FRAMES } else { 1 };
        while frames.len() < most {
            match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        // More frames may wait in the buffer then.
        let is_full = frames.len() == most;
        let mut is_turn_over = is_full;
        if !frames.is_empty() {
            let is_bulk = core::mem::take(&mut is_large);
            if is_bulk {
                // Nothing but the frame was read into its buffer.
                buffer = BytesMut::new();
                was_large = true;
            }
            match receiver.receive(&mut frames) {
                Verdict::Unknown => {}
                Verdict::Admitted if is_admitted => {}
                Verdict::Admitted => {
                    is_admitted = true;
                    decoder.open();
                }
                Verdict::Stop => return End::Stopped,
            }
            frames.clear();
            // Small messages amid bulk are for somebody who ought not to wait for the bulk.
            is_turn_over |= bulk > 0 && (!is_bulk || bulk >= BULK_PER_TURN);
        }
        if let Some(error) = failure {
            return End::Malformed(error);
        }
        receiver.ready().await;
        if is_turn_over {
            // A peer that always has more must not keep a thread from the others.
            tokio::task::yield_now().await;
            bulk = 0;
        }
        if is_full {
            continue;
        }
        let missing = decoder.missing(buffer.len());
        if is_admitted && !is_large && missing >= LARGE && buffer.len() + missing <= LARGEST {
            let mut large = slabs.take(buffer.len() + missing);
            large.extend_from_slice(&buffer);
            (buffer, is_large) = (large, true);
            bulk += buffer.len() + missing;
        }
        let (want, most) = if is_large {
            (missing, missing)
        } else if core::mem::take(&mut was_large) {
            // Another such frame may follow, of which only the beginning is to come here.
            (READ_SIZES.0, usize::MAX)
        } else {
            (decoder.room_wanted(buffer.len(), read_size), usize::MAX)
        };
        match reading.read(&mut buffer, want, most).await {
            Ok(0) if buffer.is_empty() => return End::Finished,
            Ok(0) => return End::Truncated,
            Ok(count) if count >= read_size => read_size = (read_size * 2).min(READ_SIZES.1),
            Ok(count) if count < read_size / 4 => read_size = (read_size / 2).max(READ_SIZES.0),
            Ok(_) => {}
            Err(error) => return End::Failed(error),
        }
    }
}
