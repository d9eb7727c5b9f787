//! What a cell on the way does that cannot or may not pass a chunk on.

use fedcell_protocol_defs::cell::{HeaderKey as CellKey, ReturnCode};
use fedcell_protocol_defs::stream::{Channel, DataType, ErrorType, HeaderKey, Topic};

use crate::address::FqcnBuf;
use crate::headers::HeaderMap;
use crate::message::Message;
use crate::request::{Body, Outgoing, Reply};

/// The error that tells the origin of a message which cannot be passed on that its stream has failed, and where it goes.
/// None if the message is no chunk, or if its stream is not optional: a reliable sender of such a stream tries again by
/// itself, and a failure that passes must not end it.
#[must_use]
pub fn undeliverable(message: &Message) -> Option<(FqcnBuf, Outgoing)> {
    let is_optional = message.headers.flag(CellKey::OPTIONAL).ok().flatten() == Some(true);
    let destination = text(message, CellKey::DESTINATION.as_str()).filter(|_| is_optional)?;
    let said = format!("stream forwarding to {destination} failed: {}", ReturnCode::TARGET_UNREACHABLE);
    error(message, ErrorType::TARGET_UNREACHABLE, &said)
}

/// The error that tells the origin of a message which a filter has sent back that its stream has failed, and where it
/// goes. None if the message is no chunk. Nothing is kept of a stream whose chunks are all sent back.
#[must_use]
pub fn turned_back(message: &Message, reply: &Reply) -> Option<(FqcnBuf, Outgoing)> {
    let kind = match reply.code() {
        ReturnCode::UNAUTHENTICATED => ErrorType::UNAUTHENTICATED,
        _ => ErrorType::STREAM_ERROR,
    };
    error(message, kind, reply.error().unwrap_or_default())
}

fn error(message: &Message, kind: ErrorType<'_>, said: &str) -> Option<(FqcnBuf, Outgoing)> {
    let old = &message.headers;
    let integer = |key: HeaderKey<'_>| old.integer(key).ok().flatten();
    let is_chunk = text(message, CellKey::CHANNEL.as_str()) == Some(Channel::STREAM.as_str())
        && text(message, CellKey::TOPIC.as_str()) == Some(Topic::DATA.as_str())
        && integer(HeaderKey::DATA_TYPE) != Some(i64::from(DataType::ERROR.get()));
    if !is_chunk {
        return None;
    }
    let origin = FqcnBuf::parse(text(message, CellKey::ORIGIN.as_str())?).ok()?;
    let mut headers = HeaderMap::new();
    let copy = |headers: &mut HeaderMap, key: HeaderKey<'_>| {
        if let Some(value) = old.raw(key) {
            headers.insert(key, value);
        }
    };
    copy(&mut headers, HeaderKey::STREAM_ID);
    headers.insert(HeaderKey::DATA_TYPE, i64::from(DataType::ERROR.get()));
    headers.insert(HeaderKey::ERROR_MSG, said);
    headers.insert(HeaderKey::ERROR_TYPE, kind.as_str());
    headers.insert(HeaderKey::FAILED_DESTINATION, text(message, CellKey::DESTINATION.as_str())?);
    copy(&mut headers, HeaderKey::CHANNEL);
    copy(&mut headers, HeaderKey::TOPIC);
    copy(&mut headers, HeaderKey::STREAM_REQ_ID);
    let error = Outgoing::new(Channel::STREAM, Topic::ERROR, Body::none()).with_headers(headers).optional();
    Some((origin, error))
}

fn text<'m>(message: &'m Message, key: &str) -> Option<&'m str> {
    message.headers.text(key).ok().flatten()
}
