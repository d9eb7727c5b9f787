//! The task that reads one connection: bytes to frames, frames to the endpoint, many at a time.

use std::io;

use bytes::BytesMut;
use fedcell_cell_proto::frame::{Frame, FrameDecoder, FrameError, FrameLimits};

use crate::driver::ReadHalf;

/// Least and most bytes to ask the system for at once. Small messages that somebody keeps hold on to little memory, a
/// busy connection needs few calls.
const READ_SIZES: (usize, usize) = (4 * 1024, 256 * 1024);

/// Frames of known peers from this size on are read into a buffer of their own, so that they are not copied and nothing
/// else stays with them in memory; beyond the second size memory follows what has come. Chunks of streams lie between.
const LARGE_FRAMES: (usize, usize) = (128 * 1024, 1024 * 1024 + 128 * 1024);

/// Frames handed over at once; more wait in the buffer, so that other work of the endpoint gets its turn.
const BATCH_FRAMES: usize = 256;

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
pub(crate) async fn read_loop<R: Receiver>(mut reading: ReadHalf, limits: FrameLimits, receiver: &mut R) -> End {
    let mut decoder = FrameDecoder::new(limits);
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    let mut read_size = READ_SIZES.0;
    let mut is_admitted = false;
    let mut was_large = false;
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
        if !frames.is_empty() {
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
        }
        if let Some(error) = failure {
            return End::Malformed(error);
        }
        receiver.ready().await;
        if is_full {
            // A peer that always has more must not keep a thread from the others.
            tokio::task::yield_now().await;
            continue;
        }
        let missing = decoder.missing(buffer.len());
        let is_large = is_admitted && missing >= LARGE_FRAMES.0 && missing <= LARGE_FRAMES.1;
        let want = if is_large {
            missing
        } else if core::mem::take(&mut was_large) {
            // Another such frame may follow, of which only the beginning is to come here.
            READ_SIZES.0
        } else {
            decoder.room_wanted(buffer.len(), read_size)
        };
        was_large |= is_large;
        let most = if is_large { missing } else { usize::MAX };
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
