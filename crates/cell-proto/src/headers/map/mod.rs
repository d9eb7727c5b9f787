//! The header map: what is read and set in it.

mod encoding;

use core::fmt;

use bytes::Bytes;
use fedcell_fobs::msgpack::{self, Head};
use fedcell_protocol_defs::cell::HeaderPrefix;

use super::known::{Known, Place, Places, number_of};
use super::span::{Span, Store, fingerprint};
use super::value::{length, put_text};
use super::{HeaderError, HeaderValue, RawValue, Texts};

/// What a received header map may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeaderLimits {
    /// Most headers in one map; 1024. The reference writes some twenty.
    pub count: usize,
}

impl Default for HeaderLimits {
    fn default() -> Self {
        Self { count: 1024 }
    }
}

/// The headers of one message, in the order in which they were written.
///
/// Keys are texts, each once. A key may be given as text or as a constant of `fedcell-protocol-defs`. A value that is
/// read is looked at only then: the map itself holds bytes.
#[derive(Clone, Default)]
pub struct HeaderMap {
    received: Bytes,
    added: Vec<u8>,
    entries: Vec<Entry>,
    /// Where the keys of the cell layer are in `entries`.
    places: Places,
    /// Whether `received` is still all there is.
    is_as_received: bool,
    /// Whether bytes of `added` are out of order or of no use any more.
    is_patched: bool,
}

/// Where one header lies. The bytes of the key end where, in a received map, those of the value begin.
#[derive(Debug, Clone, Copy)]
struct Entry {
    fingerprint: u32,
    /// The key with its msgpack head.
    key: Span,
    /// Bytes of that head.
    key_head: u32,
    value: Span,
}

/// A place within the value of a header that this cell has written, of which the bytes may be exchanged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patch {
    start: usize,
    end: usize,
}

/// Headers that a cell writes for a message of its own, and their bytes; a few more each.
const OWN_HEADERS: (usize, usize) = (32, 768);

/// Room for what a cell appends to the route of a message, and for what else it changes in one that it passes on.
const APPENDED: usize = 160;

impl HeaderMap {
    /// No headers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many headers there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no headers.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there is a header with the key, whatever its value.
    #[must_use]
    pub fn contains(&self, key: impl AsRef<str>) -> bool {
        self.position(key.as_ref()).is_some()
    }

    /// The value of a header, undecoded.
    #[must_use]
    pub fn raw(&self, key: impl AsRef<str>) -> Option<RawValue<'_>> {
        let entry = self.entries.get(self.position(key.as_ref())?)?;
        Some(RawValue::from_whole(entry.value.of(&self.received, &self.added)))
    }

    /// The headers in order.
    #[must_use]
    pub fn iter(&self) -> Headers<'_> {
        Headers { map: self, entries: self.entries.iter() }
    }

    /// The headers in order, their keys as bytes: for one pass that looks for many.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&[u8], RawValue<'_>)> {
        let (received, added) = (&self.received[..], &self.added[..]);
        self.entries
            .iter()
            .map(move |entry| (entry.key(received, added), RawValue::from_whole(entry.value.of(received, added))))
    }

    /// The value of a header of the cell layer, undecoded.
    #[inline]
    pub(crate) fn known(&self, key: Known) -> Option<RawValue<'_>> {
        let entry = match self.places.of(key as usize) {
            Place::Nowhere => return None,
            Place::At(at) => self.entries.get(at)?,
            Place::FarBehind => self.entries.get(self.position(key.as_str())?)?,
        };
        Some(RawValue::from_whole(entry.value.of(&self.received, &self.added)))
    }

    /// The text of a header; none if it is absent or nil.
    ///
    /// # Errors
    ///
    /// [`HeaderError::WrongType`] if it is anything else.
    pub fn text(&self, key: impl AsRef<str>) -> Result<Option<&str>, HeaderError> {
        self.typed(key.as_ref(), "text", RawValue::as_text)
    }

    /// The truth value of a header; none if it is absent or nil.
    ///
    /// # Errors
    ///
    /// [`HeaderError::WrongType`] if it is neither a truth value nor a whole number.
    pub fn flag(&self, key: impl AsRef<str>) -> Result<Option<bool>, HeaderError> {
        self.typed(key.as_ref(), "a truth value", RawValue::as_flag)
    }

    /// The whole number in a header; none if it is absent or nil.
    ///
    /// # Errors
    ///
    /// [`HeaderError::WrongType`] if it is anything else or does not fit.
    pub fn integer(&self, key: impl AsRef<str>) -> Result<Option<i64>, HeaderError> {
        self.typed(key.as_ref(), "a whole number", RawValue::as_integer)
    }

    /// The number in a header, whole or not; none if it is absent or nil.
    ///
    /// # Errors
    ///
    /// [`HeaderError::WrongType`] if it is anything else.
    pub fn number(&self, key: impl AsRef<str>) -> Result<Option<f64>, HeaderError> {
        self.typed(key.as_ref(), "a number", RawValue::as_number)
    }

    /// The text or the list of texts in a header; none if it is absent or nil.
    ///
    /// # Errors
    ///
    /// [`HeaderError::WrongType`] if it is anything else.
    pub fn texts(&self, key: impl AsRef<str>) -> Result<Option<Texts<'_>>, HeaderError> {
        self.typed(key.as_ref(), "a text or a list of texts", RawValue::as_texts)
    }

    /// The map in a header, as `cn__original_headers` has one; none if it is absent or nil. Shares the received bytes.
    ///
    /// # Errors
    ///
    /// [`HeaderError::WrongType`] if it is no map; the errors of [`decode`](Self::decode) if it is no header map.
    pub fn map(&self, key: impl AsRef<str>, limits: &HeaderLimits) -> Result<Option<Self>, HeaderError> {
        let key = key.as_ref();
        let Some(value) = self.raw(key).filter(|value| !value.is_nil()) else { return Ok(None) };
        if !matches!(msgpack::head(value.as_bytes()), Some((Head::Map(_), _))) {
            return Err(HeaderError::WrongType { key: key.into(), expected: "a map" });
        }
        let place = self.position(key).and_then(|at| self.entries.get(at)).map(|entry| entry.value.store);
        let bytes = match place {
            Some(Store::Received) => self.received.slice_ref(value.as_bytes()),
            _ => Bytes::copy_from_slice(value.as_bytes()),
        };
        Self::decode(bytes, limits).map(Some)
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &'static str,
        read: impl FnOnce(RawValue<'a>) -> Option<T>,
    ) -> Result<Option<T>, HeaderError> {
        match self.raw(key) {
            None => Ok(None),
            Some(value) if value.is_nil() => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| HeaderError::WrongType { key: key.into(), expected }),
        }
    }

    /// Sets a header. One that is there keeps its place; a new one comes last.
    pub fn insert<'v>(&mut self, key: impl AsRef<str>, value: impl Into<HeaderValue<'v>>) {
        let value = value.into();
        self.insert_with(key.as_ref(), |out| value.write_to(out));
    }

    /// Sets a header of the cell layer; see [`insert`](Self::insert).
    pub(crate) fn set<'v>(&mut self, key: Known, value: impl Into<HeaderValue<'v>>) {
        self.set_value(key, value.into());
    }

    fn set_value(&mut self, key: Known, value: HeaderValue<'_>) {
        self.put(key.as_str(), key.fingerprint(), Some(key as usize), |out| value.write_to(out));
    }

    /// Sets a header to the value that `write` appends.
    pub(super) fn insert_with(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let fingerprint = fingerprint(key.as_bytes());
        self.put(key, fingerprint, number_of(key.as_bytes(), fingerprint), write);
    }

    fn put(&mut self, key: &str, fingerprint: u32, number: Option<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        self.is_as_received = false;
        let known = self.locate(key, fingerprint, number);
        if self.entries.capacity() == 0 {
            // A message of one's own: room for what a cell writes, instead of growing again and again.
            self.entries.reserve(OWN_HEADERS.0);
            self.added.reserve(OWN_HEADERS.1);
        }
        let start = self.added.len();
        if known.is_none() {
            put_text(&mut self.added, key);
        }
        let behind_key = self.added.len();
        write(&mut self.added);
        let value = Span::new(Store::Added, behind_key, self.added.len());
        if let Some(entry) = known.and_then(|at| self.entries.get_mut(at)) {
            entry.value = value;
            self.is_patched = true;
        } else {
            if let Some(number) = number {
                self.places.set(number, self.entries.len());
            }
            self.entries.push(Entry {
                fingerprint,
                key: Span::new(Store::Added, start, behind_key),
                key_head: length(behind_key - start - key.len()),
                value,
            });
        }
    }

    /// The last `len` bytes of the value of a header that was written here and not received.
    pub(crate) fn patch(&self, key: Known, len: usize) -> Option<Patch> {
        let Place::At(at) = self.places.of(key as usize) else { return None };
        let value = self.entries.get(at).filter(|entry| entry.value.store == Store::Added)?.value;
        let start = value.len().checked_sub(len)?.checked_add(usize::try_from(value.start).ok()?)?;
        Some(Patch { start, end: start + len })
    }

    /// Exchanges the bytes in a place for as many others. None if they are not as many.
    pub(crate) fn overwrite(&mut self, place: Patch, bytes: &[u8]) -> Option<()> {
        let target = self.added.get_mut(place.start..place.end).filter(|target| target.len() == bytes.len())?;
        target.copy_from_slice(bytes);
        Some(())
    }

    /// The same headers, with room for those that are still to come.
    pub(crate) fn copy_to_be_extended(&self) -> Self {
        let mut entries = Vec::with_capacity(OWN_HEADERS.0.max(self.entries.len()));
        entries.extend_from_slice(&self.entries);
        let mut added = Vec::with_capacity(OWN_HEADERS.1.max(self.added.len()));
        added.extend_from_slice(&self.added);
        Self { received: self.received.clone(), added, entries, ..*self }
    }

    /// Adds the item that `write` appends to the list in a header; begins a list if the header is absent or nil.
    pub(super) fn append_item(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), HeaderError> {
        let Some(old) = self.raw(key).filter(|value| !value.is_nil()) else {
            self.insert_with(key, |out| {
                msgpack::put_array_head(out, 1);
                write(out);
            });
            return Ok(());
        };
        let Some((Head::Array(count), items)) = msgpack::head(old.as_bytes()) else {
            return Err(HeaderError::WrongType { key: key.into(), expected: "a list" });
        };
        let items = items.len();
        let Some(entry) = self.position(key).and_then(|at| self.entries.get_mut(at)) else { return Ok(()) };
        // Room for the list and one more item, so that it is not copied while it grows.
        self.added.reserve(items + APPENDED);
        let start = self.added.len();
        msgpack::put_array_head(&mut self.added, count.saturating_add(1));
        match entry.value.store {
            Store::Received => {
                let old = entry.value.of(&self.received, &[]);
                self.added.extend_from_slice(old.get(old.len() - items..).unwrap_or_default());
            }
            Store::Added => {
                let end = entry.value.end as usize;
                self.added.extend_from_within(end - items..end);
            }
        }
        write(&mut self.added);
        entry.value = Span::new(Store::Added, start, self.added.len());
        self.is_as_received = false;
        self.is_patched = true;
        Ok(())
    }

    /// Sets all headers of another map, in its order.
    pub fn extend_from(&mut self, other: &Self) {
        for (key, value) in other {
            self.insert(key, value);
        }
    }

    /// Removes a header, and says whether it was there.
    pub fn remove(&mut self, key: impl AsRef<str>) -> bool {
        let key = key.as_ref();
        let Some(at) = self.position(key) else { return false };
        self.entries.remove(at);
        if let Some(number) = number_of(key.as_bytes(), fingerprint(key.as_bytes())) {
            self.places.clear(number);
        }
        self.places.close_gap(at);
        self.is_as_received = false;
        self.is_patched = true;
        true
    }

    #[inline]
    fn position(&self, key: &str) -> Option<usize> {
        let fingerprint = fingerprint(key.as_bytes());
        self.locate(key, fingerprint, number_of(key.as_bytes(), fingerprint))
    }

    #[inline]
    fn locate(&self, key: &str, fingerprint: u32, number: Option<usize>) -> Option<usize> {
        match number.map(|number| self.places.of(number)) {
            Some(Place::Nowhere) => None,
            Some(Place::At(at)) => Some(at),
            Some(Place::FarBehind) | None => self.search(key, fingerprint),
        }
    }

    fn search(&self, key: &str, wanted: u32) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| entry.fingerprint == wanted && entry.key(&self.received, &self.added) == key.as_bytes())
    }
}

impl Entry {
    /// The bytes of the key's text.
    fn key<'a>(&self, received: &'a [u8], added: &'a [u8]) -> &'a [u8] {
        self.key.of(received, added).get(self.key_head as usize..).unwrap_or_default()
    }

    fn key_text<'a>(&self, received: &'a [u8], added: &'a [u8]) -> &'a str {
        // Checked when the map was read; keys that were added are texts.
        core::str::from_utf8(self.key(received, added)).unwrap_or_default()
    }
}

/// The same headers with the same encoded values in the same order.
impl PartialEq for HeaderMap {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other)
    }
}

impl Eq for HeaderMap {}

/// Values of the cell layer's own headers; of others only the key, for they may hold tokens.
impl fmt::Debug for HeaderMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (key, value) in self {
            if key.starts_with(HeaderPrefix::CELL.as_str()) {
                map.entry(&key, &value);
            } else {
                map.entry(&key, &format_args!("…"));
            }
        }
        map.finish()
    }
}

/// Headers in order; see [`HeaderMap::iter`].
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    map: &'a HeaderMap,
    entries: core::slice::Iter<'a, Entry>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, RawValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next()?;
        let (received, added) = (&self.map.received[..], &self.map.added[..]);
        Some((entry.key_text(received, added), RawValue::from_whole(entry.value.of(received, added))))
    }
}

impl<'a> IntoIterator for &'a HeaderMap {
    type Item = (&'a str, RawValue<'a>);
    type IntoIter = Headers<'a>;

    fn into_iter(self) -> Headers<'a> {
        self.iter()
    }
}
