//! What an incoming stream is: the headers of its first message.

use fedcell_protocol_defs::cell::{HeaderKey as CellKey, PayloadEncoding};
use fedcell_protocol_defs::stream::HeaderKey;

use super::fields::count;
use crate::address::{Fqcn, FqcnBuf};
use crate::headers::HeaderMap;

/// What an incoming stream is, as its sender says.
#[derive(Debug, Clone)]
pub struct StreamHead {
    origin: FqcnBuf,
    id: i64,
    headers: HeaderMap,
}

impl StreamHead {
    pub(super) const fn new(origin: FqcnBuf, id: i64, headers: HeaderMap) -> Self {
        Self { origin, id, headers }
    }

    /// The cell that sends it.
    #[must_use]
    pub fn origin(&self) -> Fqcn<'_> {
        self.origin.as_fqcn()
    }

    /// The same, to be kept.
    #[must_use]
    pub const fn origin_buf(&self) -> &FqcnBuf {
        &self.origin
    }

    /// Its number, unique at its origin.
    #[must_use]
    pub const fn number(&self) -> i64 {
        self.id
    }

    /// The application's channel; empty if the sender gives none.
    #[must_use]
    pub fn channel(&self) -> &str {
        self.text(HeaderKey::CHANNEL).unwrap_or_default()
    }

    /// The application's topic; empty if the sender gives none.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.text(HeaderKey::TOPIC).unwrap_or_default()
    }

    /// Its size in bytes, if the sender declares one.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.headers.raw(HeaderKey::SIZE).and_then(count).filter(|size| *size > 0)
    }

    /// Whether its sender keeps chunks until they are acknowledged.
    #[must_use]
    pub fn is_reliable(&self) -> bool {
        self.flag(HeaderKey::RELIABLE)
    }

    /// Whether failures are not worth a warning.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.flag(HeaderKey::OPTIONAL)
    }

    /// Whether its chunks are sealed from end to end.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.headers.flag(CellKey::SECURE).ok().flatten().unwrap_or(false)
    }

    /// The request that it is, or is the reply to.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.text(HeaderKey::STREAM_REQ_ID).filter(|id| !id.is_empty())
    }

    /// How the whole stream is encoded, if the sender says so.
    #[must_use]
    pub fn encoding(&self) -> Option<PayloadEncoding<'_>> {
        self.text(HeaderKey::PAYLOAD_ENCODING).map(PayloadEncoding::new)
    }

    /// All headers of its first message, those of the cell layer included.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The origin and all headers, taken out.
    #[must_use]
    pub fn into_parts(self) -> (FqcnBuf, HeaderMap) {
        (self.origin, self.headers)
    }

    fn text(&self, key: HeaderKey<'_>) -> Option<&str> {
        self.headers.text(key).ok().flatten()
    }

    fn flag(&self, key: HeaderKey<'_>) -> bool {
        self.headers.flag(key).ok().flatten().unwrap_or(false)
    }
}
