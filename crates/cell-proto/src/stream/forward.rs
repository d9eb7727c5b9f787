//! What a cell on the way does that cannot pass a chunk on.

use fedcell_protocol_defs::cell::{HeaderKey as CellKey, ReturnCode};
use fedcell_protocol_defs::stream::{Channel, DataType, ErrorType, HeaderKey, Topic};

use crate::address::FqcnBuf;
use crate::headers::HeaderMap;
use crate::message::Message;
use crate::request::{Body, Outgoing};

/// The error that tells the origin of a message which cannot be passed on that its stream has failed, and where it goes.
/// None if the message is no chunk, or if its stream is not optional: a reliable sender of such a stream tries again by
/// itself, and a failure that passes must not end it.
#[must_use]
pub fn undeliverable(message: &Message) -> Option<(FqcnBuf, Outgoing)> {
    let old = &message.headers;
    let text = |key: &str| old.text(key).ok().flatten();
    let is_chunk = text(CellKey::CHANNEL.as_str()) == Some(Channel::STREAM.as_str())
        && text(CellKey::TOPIC.as_str()) == Some(Topic::DATA.as_str());
    if !is_chunk || old.flag(CellKey::OPTIONAL).ok().flatten() != Some(true) {
        return None;
    }
    let origin = FqcnBuf::parse(text(CellKey::ORIGIN.as_str())?).ok()?;
    let destination = text(CellKey::DESTINATION.as_str())?;
    let mut headers = HeaderMap::new();
    let copy = |headers: &mut HeaderMap, key: HeaderKey<'_>| {
        if let Some(value) = old.raw(key) {
            headers.insert(key, value);
        }
    };
    copy(&mut headers, HeaderKey::STREAM_ID);
    headers.insert(HeaderKey::DATA_TYPE, i64::from(DataType::ERROR.get()));
    let code = ReturnCode::TARGET_UNREACHABLE;
    headers.insert(HeaderKey::ERROR_MSG, format!("stream forwarding to {destination} failed: {code}").as_str());
    headers.insert(HeaderKey::ERROR_TYPE, ErrorType::TARGET_UNREACHABLE.as_str());
    headers.insert(HeaderKey::FAILED_DESTINATION, destination);
    copy(&mut headers, HeaderKey::CHANNEL);
    copy(&mut headers, HeaderKey::TOPIC);
    copy(&mut headers, HeaderKey::STREAM_REQ_ID);
    let error = Outgoing::new(Channel::STREAM, Topic::ERROR, Body::none()).with_headers(headers).optional();
    Some((origin, error))
}
