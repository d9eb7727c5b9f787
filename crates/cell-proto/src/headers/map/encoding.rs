//! The header map as bytes: one look at each header when it comes, whole ranges when it goes.

use bytes::Bytes;
use fedcell_fobs::msgpack::{self, Head};

use super::{Entry, HeaderLimits, HeaderMap};
use crate::headers::HeaderError;
use crate::headers::known::{Place, Places, number_of};
use crate::headers::span::{Sieve, Span, Store, fingerprint};
use crate::headers::value::length;

impl HeaderMap {
    /// Reads the encoded headers of a frame; no bytes mean no headers. Values are not looked at.
    ///
    /// # Errors
    ///
    /// If the bytes are not exactly one map, if it has more headers than `limits` allow, or a key that is no text or
    /// occurs twice.
    pub fn decode(received: Bytes, limits: &HeaderLimits) -> Result<Self, HeaderError> {
        if received.is_empty() {
            return Ok(Self { received, is_as_received: true, ..Self::default() });
        }
        let Some((Head::Map(count), mut rest)) = msgpack::head(&received) else { return Err(HeaderError::Malformed) };
        let entries = usize::try_from(count).unwrap_or(usize::MAX);
        if entries > limits.count {
            return Err(HeaderError::TooMany { count, limit: limits.count });
        }
        // A header has two bytes at least; the count that the peer states reserves no more than it can be true for.
        // Room for two more saves the forwarder of a message to growing the list.
        let mut entries: Vec<Entry> = Vec::with_capacity(entries.min(rest.len() / 2) + 2);
        let mut sieve = Sieve::default();
        let mut places = Places::default();
        let offset = |rest: &[u8]| received.len() - rest.len();
        for index in 0..count as usize {
            let start = offset(rest);
            let (key, behind_key) = match msgpack::short_str(rest) {
                Some(parts) => parts,
                None => long_key(rest, index)?,
            };
            let value_at = offset(behind_key);
            let behind_value = msgpack::skip(behind_key).ok_or(HeaderError::Malformed)?;
            let entry = Entry {
                fingerprint: fingerprint(key),
                key: Span::new(Store::Received, start, value_at),
                key_head: length(value_at - start - key.len()),
                value: Span::new(Store::Received, value_at, offset(behind_value)),
            };
            let is_duplicate = match number_of(key, entry.fingerprint) {
                Some(number) => {
                    let is_known = places.of(number) != Place::Nowhere;
                    places.set(number, entries.len());
                    is_known
                }
                // Keys are ASCII in practice, which is checked faster.
                None if !key.is_ascii() && core::str::from_utf8(key).is_err() => {
                    return Err(HeaderError::KeyNotText { index });
                }
                None => {
                    sieve.insert(entry.fingerprint)
                        && entries.iter().any(|e| e.fingerprint == entry.fingerprint && e.key(&received, &[]) == key)
                }
            };
            if is_duplicate {
                return Err(HeaderError::DuplicateKey { index });
            }
            entries.push(entry);
            rest = behind_value;
        }
        if !rest.is_empty() {
            return Err(HeaderError::TrailingBytes { len: rest.len() });
        }
        Ok(Self { received, added: Vec::new(), entries, places, is_as_received: true, is_patched: false })
    }

    /// About how many bytes [`write_to`](Self::write_to) will append; not fewer.
    #[must_use]
    pub fn size_hint(&self) -> usize {
        // Five bytes are the longest head of a map.
        self.received.len() + self.added.len() + 5
    }

    /// Exactly how many bytes [`write_to`](Self::write_to) will append.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        if self.is_as_received {
            return self.received.len();
        }
        let head = match self.entries.len() {
            ..16 => 1,
            16..0x1_0000 => 3,
            _ => 5,
        };
        if self.received.is_empty() && !self.is_patched {
            return head + self.added.len();
        }
        head + self.entries.iter().map(|entry| entry.key.len() + entry.value.len()).sum::<usize>()
    }

    /// Appends the headers as a frame carries them: nothing at all if there are none.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        if !self.is_empty() {
            self.write_map(out);
        }
    }

    /// Appends the headers as a map, also if it is empty.
    pub(in crate::headers) fn write_map(&self, out: &mut Vec<u8>) {
        if self.is_as_received && !self.received.is_empty() {
            out.extend_from_slice(&self.received);
            return;
        }
        msgpack::put_map_head(out, length(self.entries.len()));
        if self.received.is_empty() && !self.is_patched {
            out.extend_from_slice(&self.added);
            return;
        }
        // Neighbouring ranges of one store are copied in one go: most headers of a forwarded message are.
        let mut run: Option<Span> = None;
        for span in self.entries.iter().flat_map(|entry| [entry.key, entry.value]) {
            match &mut run {
                Some(run) if run.store == span.store && run.end == span.start => run.end = span.end,
                Some(done) => {
                    out.extend_from_slice(done.of(&self.received, &self.added));
                    *done = span;
                }
                None => run = Some(span),
            }
        }
        if let Some(last) = run {
            out.extend_from_slice(last.of(&self.received, &self.added));
        }
    }
}

/// The text of a key that is not in the shortest form, or why it is none, and the bytes behind it.
fn long_key(rest: &[u8], index: usize) -> Result<(&[u8], &[u8]), HeaderError> {
    match msgpack::head(rest) {
        Some((Head::Str(len), behind)) => behind.split_at_checked(len as usize).ok_or(HeaderError::Malformed),
        _ if rest.is_empty() => Err(HeaderError::Malformed),
        _ => Err(HeaderError::KeyNotText { index }),
    }
}
