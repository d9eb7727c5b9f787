//! Acknowledgements of many small reliable streams in one message, for senders that take them so.

use core::time::Duration;

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::stream::HeaderKey;

use super::receiver::AckPoint;
use super::streams::ack_headers;
use crate::address::{Fqcn, FqcnBuf};
use crate::headers::HeaderMap;

/// Most streams in one message.
const MOST: usize = 64;

/// Acknowledgements that wait for others.
#[derive(Debug, Default)]
pub(super) struct Collected {
    batches: Vec<Batch>,
    due: Option<UnixTime>,
}

#[derive(Debug)]
struct Batch {
    origin: FqcnBuf,
    /// The first one stands in the message as if it were alone.
    first: (i64, AckPoint),
    /// The numbers of the others, as they go over the wire.
    others: Vec<u8>,
}

impl Collected {
    /// A stream of one chunk has come.
    pub(super) fn add(&mut self, now: UnixTime, wait: Duration, origin: Fqcn<'_>, number: i64, point: AckPoint) {
        if let Some(batch) = self.batches.iter_mut().find(|batch| batch.origin == origin) {
            batch.others.extend_from_slice(&number.to_be_bytes());
            if batch.others.len() / 8 + 1 >= MOST {
                self.due = Some(now);
            }
            return;
        }
        self.batches.push(Batch { origin: origin.to_owned(), first: (number, point), others: Vec::new() });
        self.due.get_or_insert_with(|| now.saturating_add(wait));
    }

    /// When they are sent.
    pub(super) const fn due(&self) -> Option<UnixTime> {
        self.due
    }

    /// The next message if it is time: where it goes and its headers.
    pub(super) fn take(&mut self, now: UnixTime) -> Option<(FqcnBuf, HeaderMap)> {
        self.due.filter(|due| *due <= now)?;
        let Some(batch) = self.batches.pop() else {
            self.due = None;
            return None;
        };
        if self.batches.is_empty() {
            self.due = None;
        }
        let (number, point) = batch.first;
        let mut headers = ack_headers(number, point);
        if !batch.others.is_empty() {
            headers.insert(HeaderKey::ACKED_STREAMS, batch.others.as_slice());
        }
        Some((batch.origin, headers))
    }

    pub(super) fn len(&self) -> usize {
        self.batches.len()
    }
}

/// The numbers in such a message, behind the first.
pub(super) fn others(bytes: &[u8]) -> impl Iterator<Item = i64> + '_ {
    let (numbers, _) = bytes.as_chunks::<8>();
    numbers.iter().take(MOST).map(|number| i64::from_be_bytes(*number))
}
