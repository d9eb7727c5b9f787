//! Reading across received segments: slices where a value lies in one, joined copies only where somebody needs them.

use bytes::{Bytes, BytesMut};

use crate::budget::Ledger;
use crate::error::{Error, ErrorKind};
use crate::msgpack::{self, Head, MAX_HEAD};
use crate::{Blob, Numbers, Text, Value};

/// A position in a row of segments, and an end.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    /// The segment that `window` is a part of.
    current: &'a Bytes,
    window: &'a [u8],
    next: core::slice::Iter<'a, Bytes>,
    /// Bytes before the end that lie beyond the window.
    beyond: usize,
    /// Offset of the end.
    end: usize,
}

static NOTHING: Bytes = Bytes::new();

impl<'a> Reader<'a> {
    pub(crate) fn new(segments: &'a [Bytes]) -> Self {
        let total = segments.iter().map(Bytes::len).sum();
        let mut reader = Self { current: &NOTHING, window: &[], next: segments.iter(), beyond: total, end: total };
        reader.refill();
        reader
    }

    /// Bytes before the end.
    #[inline]
    pub(crate) fn remaining(&self) -> usize {
        self.window.len() + self.beyond
    }

    /// Bytes from the start of the first segment to here.
    #[inline]
    pub(crate) fn offset(&self) -> usize {
        self.end - self.remaining()
    }

    /// Goes on to the next segment that has bytes, if this one is used up.
    fn refill(&mut self) {
        while self.window.is_empty() && self.beyond > 0 {
            let Some(segment) = self.next.next() else { break };
            self.current = segment;
            let taken = segment.len().min(self.beyond);
            self.window = segment.get(..taken).unwrap_or_default();
            self.beyond -= taken;
        }
    }

    /// The next `len` bytes as a reader of their own, which this one skips; none if there are fewer.
    pub(crate) fn section(&mut self, len: usize) -> Option<Self> {
        if len > self.remaining() {
            return None;
        }
        let mut section = self.clone();
        section.end = self.offset() + len;
        section.window = self.window.get(..len.min(self.window.len())).unwrap_or_default();
        section.beyond = len - section.window.len();
        section.refill();
        self.skip(len);
        Some(section)
    }

    fn skip(&mut self, mut len: usize) {
        while len > 0 && self.remaining() > 0 {
            let step = len.min(self.window.len());
            self.window = self.window.get(step..).unwrap_or_default();
            len -= step;
            self.refill();
        }
    }

    /// Takes a number of bytes that is known beforehand; none if there are fewer.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        if let Some((array, rest)) = self.window.split_first_chunk() {
            self.window = rest;
            self.refill();
            return Some(*array);
        }
        if self.remaining() < N {
            return None;
        }
        let array = self.peek();
        self.skip(N);
        Some(array)
    }

    /// The next bytes across segments, zeros where there are none.
    fn peek<const N: usize>(&self) -> [u8; N] {
        let mut ahead = self.clone();
        let mut array = [0; N];
        for byte in &mut array {
            let Some((first, rest)) = ahead.window.split_first() else { break };
            *byte = *first;
            ahead.window = rest;
            ahead.refill();
        }
        array
    }

    /// Takes the head of a msgpack value.
    #[inline]
    pub(crate) fn head(&mut self) -> Result<Head, Error> {
        match msgpack::head(self.window) {
            Some((head, rest)) => {
                self.window = rest;
                if rest.is_empty() {
                    self.refill();
                }
                Ok(head)
            }
            None => self.straddling_head(),
        }
    }

    #[cold]
    fn straddling_head(&mut self) -> Result<Head, Error> {
        let ahead: [u8; MAX_HEAD] = self.peek();
        let there = ahead.get(..self.remaining().min(MAX_HEAD)).unwrap_or_default();
        match msgpack::head(there) {
            Some((head, rest)) => {
                self.skip(there.len() - rest.len());
                Ok(head)
            }
            None => {
                // Filled up with zeros the head is complete, so its size is known.
                let size = msgpack::head(&ahead).map_or(1, |(_, rest)| MAX_HEAD - rest.len());
                Err(Error::at(ErrorKind::Cut { needed: size - there.len() }, self.end))
            }
        }
    }

    /// Takes exactly these bytes, if they come next; otherwise takes nothing.
    #[inline]
    pub(crate) fn take_if<const N: usize>(&mut self, expected: &[u8; N]) -> bool {
        match self.window.strip_prefix(expected) {
            Some(rest) => {
                self.window = rest;
                if rest.is_empty() {
                    self.refill();
                }
                true
            }
            None if self.window.len() < N && self.remaining() >= N && self.peek::<N>() == *expected => {
                self.skip(N);
                true
            }
            None => false,
        }
    }

    /// Looks at the next bytes of a value without taking them, if they lie in one segment.
    #[inline]
    pub(crate) fn window(&self) -> &'a [u8] {
        self.window
    }

    /// Bytes of the next `len` values, if all of them are numbers, truth values or nothings.
    pub(crate) fn measure_plain(&self, len: u32) -> Option<usize> {
        if self.beyond == 0 {
            return Numbers::measure(self.window, len);
        }
        let mut ahead = self.clone();
        for _ in 0..len {
            if !ahead.head().ok()?.is_plain() {
                return None;
            }
        }
        Some(ahead.offset() - self.offset())
    }

    fn need(&self, len: usize) -> Result<(), Error> {
        match len.checked_sub(self.remaining()) {
            None | Some(0) => Ok(()),
            Some(needed) => Err(Error::at(ErrorKind::Cut { needed }, self.end)),
        }
    }

    /// Takes a text into its place.
    #[inline]
    pub(crate) fn text_value(&mut self, len: usize, ledger: &mut Ledger<'_>, out: &mut Value) -> Result<(), Error> {
        if let Some((bytes, rest)) = self.window.split_at_checked(len) {
            // Most texts are names, and it takes less to see that than to check UTF-8 in general.
            if !bytes.is_ascii()
                && let Err(error) = core::str::from_utf8(bytes)
            {
                return Err(Error::at(ErrorKind::NotUtf8(error), self.offset() + error.valid_up_to()));
            }
            *out = match Text::inline_at_start(self.window, len) {
                Some(text) => Value::Str(text),
                None => Value::Str(Text::from_utf8_checked(self.current.slice_ref(bytes))),
            };
            self.window = rest;
            if rest.is_empty() {
                self.refill();
            }
            return Ok(());
        }
        *out = Value::Str(self.cut_text(len, ledger)?);
        Ok(())
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, len: usize, ledger: &mut Ledger<'_>) -> Result<Text, Error> {
        let mut text = Value::Null;
        self.text_value(len, ledger, &mut text)?;
        match text {
            Value::Str(text) => Ok(text),
            _ => Ok(Text::EMPTY),
        }
    }

    /// Takes a text that a cut between segments goes through.
    #[cold]
    fn cut_text(&mut self, len: usize, ledger: &mut Ledger<'_>) -> Result<Text, Error> {
        let start = self.offset();
        let bytes = self.joined(len, ledger)?;
        Text::from_utf8(bytes)
            .map_err(|error| Error::at(ErrorKind::NotUtf8(error), start.saturating_add(error.valid_up_to())))
    }

    /// Takes bytes in one piece, copying them only if they are not.
    pub(crate) fn joined(&mut self, len: usize, ledger: &mut Ledger<'_>) -> Result<Bytes, Error> {
        self.need(len)?;
        if let Some((bytes, rest)) = self.window.split_at_checked(len) {
            let bytes = self.current.slice_ref(bytes);
            self.window = rest;
            self.refill();
            return Ok(bytes);
        }
        ledger.heap(len).map_err(|error| error.or_at(self.offset()))?;
        let mut joined = BytesMut::with_capacity(len);
        while joined.len() < len {
            let step = (len - joined.len()).min(self.window.len());
            joined.extend_from_slice(self.window.get(..step).unwrap_or_default());
            self.skip(step);
        }
        Ok(joined.freeze())
    }

    /// Takes bytes as they lie.
    pub(crate) fn blob(&mut self, len: usize, ledger: &mut Ledger<'_>) -> Result<Blob, Error> {
        self.need(len)?;
        if len <= self.window.len() {
            return Ok(self.joined(len, ledger)?.into());
        }
        let mut ahead = self.clone();
        let mut count = 0;
        let mut left = len;
        while left > 0 {
            let step = left.min(ahead.window.len());
            ahead.skip(step);
            left -= step;
            count += 1;
        }
        // A row of crumbs costs more to keep than to join.
        if count * size_of::<Bytes>() > len {
            return Ok(self.joined(len, ledger)?.into());
        }
        ledger.vec::<Bytes>(count).map_err(|error| error.or_at(self.offset()))?;
        let mut segments = Vec::with_capacity(count);
        left = len;
        while left > 0 {
            let step = left.min(self.window.len());
            segments.push(self.current.slice_ref(self.window.get(..step).unwrap_or_default()));
            self.skip(step);
            left -= step;
        }
        Ok(Blob::from_segments(segments))
    }

    /// Takes the next bytes, which the caller has found in the window, as a slice of the segment.
    pub(crate) fn slice(&mut self, len: usize) -> Option<Bytes> {
        let (bytes, rest) = self.window.split_at_checked(len)?;
        let bytes = self.current.slice_ref(bytes);
        self.window = rest;
        self.refill();
        Some(bytes)
    }
}
