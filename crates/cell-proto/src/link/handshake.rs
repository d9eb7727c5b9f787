//! The body of HELLO and READY: a name, a time, and whatever else the endpoint says about itself.

use bytes::Bytes;
use fedcell_auth::UnixTime;
use fedcell_protocol_defs::frame::HandshakeKey;
use thiserror::Error;

use crate::address::{FqcnBuf, FqcnError};
use crate::clock;
use crate::headers::{HeaderError, HeaderLimits, HeaderMap};

/// A body of HELLO or READY that cannot be taken. The peer is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The body is no map of named values, or has no text under `endpoint_name`.
    #[error("the peer's introduction is no map with a name in it")]
    Body(#[from] HeaderError),
    /// The name is no address.
    #[error("the name in the peer's introduction is no address")]
    Name(#[source] FqcnError),
}

/// What one side tells the other about itself before anything else.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Handshake {
    /// The address that the endpoint bears; a claim until it has been admitted.
    pub name: FqcnBuf,
    /// The endpoint's clock, in seconds since the epoch, if it said so. Nothing depends on it.
    pub timestamp: Option<f64>,
    /// All that it said besides, uninterpreted: for a reference cell, its address once more under `fqcn`.
    pub properties: HeaderMap,
}

impl Handshake {
    /// Reads the payload of a HELLO or READY.
    ///
    /// # Errors
    ///
    /// If it is no map of at most as many values as `limits` allow, or names no address.
    pub fn decode(payload: Bytes, limits: &HeaderLimits) -> Result<Self, HandshakeError> {
        let mut properties = HeaderMap::decode(payload, limits)?;
        let key = HandshakeKey::ENDPOINT_NAME;
        let name = properties.text(key)?.ok_or(HeaderError::Missing { key: key.as_str() })?;
        let name = FqcnBuf::parse(name).map_err(HandshakeError::Name)?;
        let timestamp = properties.number(HandshakeKey::TIMESTAMP).ok().flatten();
        properties.remove(HandshakeKey::ENDPOINT_NAME);
        properties.remove(HandshakeKey::TIMESTAMP);
        Ok(Self { name, timestamp, properties })
    }

    /// Appends the payload by which the cell `name` introduces itself. The three keys of the reference come first, in
    /// its order; properties of the same name do not replace them.
    pub(super) fn write(name: &FqcnBuf, properties: &HeaderMap, now: UnixTime, out: &mut Vec<u8>) {
        let mut body = HeaderMap::new();
        body.insert(HandshakeKey::ENDPOINT_NAME, name.as_fqcn());
        body.insert(HandshakeKey::TIMESTAMP, clock::seconds(now));
        body.insert(HandshakeKey::FQCN, name.as_fqcn());
        for (key, value) in properties {
            if !body.contains(key) {
                body.insert(key, value);
            }
        }
        body.write_to(out);
    }
}
