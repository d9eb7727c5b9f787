//! Several messages in one: what waits to be sent so, and what comes out of it.
//!
//! The payload is one FOBS document, a list of maps. It is read and written here as msgpack, because the headers of the
//! messages inside must survive whatever they hold.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use fedcell_auth::UnixTime;
use fedcell_fobs::Value;
use fedcell_fobs::msgpack::{self, Head};
use fedcell_protocol_defs::cell::{BulkKey, CellTopic, Channel, HeaderKey};
use fedcell_protocol_defs::fobs::{SectionLayout, SectionMarker};
use thiserror::Error;

use super::Outgoing;
use crate::address::FqcnBuf;
use crate::frame::Payload;
use crate::headers::{HeaderError, HeaderLimits, HeaderMap};
use crate::message::Message;

/// How long a message waits for others to the same target, at most.
pub const BULK_INTERVAL: Duration = Duration::from_millis(500);

/// Bytes that the headers of one bulk may grow to by being laid over those of the messages in it: what a peer can make
/// this cell hold beyond what it has sent. A bulk of the reference has at most 100 messages, which take some 40 KiB.
pub const MAX_COPIED_HEADERS: usize = 8 << 20;

/// A payload that is no bulk. Its sender is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BulkError {
    /// The payload is not one FOBS document with a list of maps.
    #[error("the payload of the bulk is not a list of messages")]
    Malformed,
    /// Payloads were set aside in sections of their own, as the reference does with those of 10 MB and more, and these
    /// sections cannot be read.
    #[error("the bulk has values outside of its main section that cannot be read")]
    OutOfLine,
    /// The headers of a message inside are none.
    #[error("the headers of a message in the bulk are no header map")]
    Headers(#[from] HeaderError),
    /// A bulk lies in the bulk. Nobody packs so, and each level would cost a stack frame of whoever unpacks.
    #[error("the bulk has another bulk in it")]
    Nested,
    /// The headers of the bulk, laid over those of each message in it, would take more memory than such a bulk may.
    #[error("the headers of the bulk would be copied into more than {MAX_COPIED_HEADERS} bytes")]
    TooMany,
}

/// The messages in a bulk, each with the headers of the bulk laid over its own.
///
/// # Errors
///
/// [`BulkError`]; nothing of the bulk should be handled then.
pub fn unbundle(bulk: &Message) -> Result<Vec<Message>, BulkError> {
    let document = bulk.payload.clone().into_bytes();
    let (body, outside) = main_section(&document)?;
    let (Head::Array(count), mut rest) = msgpack::head(&body).ok_or(BulkError::Malformed)? else {
        return Err(BulkError::Malformed);
    };
    let copied = usize::try_from(count).ok().and_then(|count| count.checked_mul(bulk.headers.encoded_len()));
    if copied.is_none_or(|bytes| bytes > MAX_COPIED_HEADERS) {
        return Err(BulkError::TooMany);
    }
    let mut messages = Vec::new();
    let mut outside = outside.as_ref().and_then(Value::items).into_iter().flatten();
    for _ in 0..count {
        let item;
        (item, rest) = split(rest)?;
        messages.push(unpack(&body, item, outside.next().as_deref(), &bulk.headers)?);
    }
    if rest.is_empty() { Ok(messages) } else { Err(BulkError::Malformed) }
}

/// One message; `whole` is the same with everything in its place that lies in other sections.
fn unpack(body: &Bytes, item: &[u8], whole: Option<&Value>, over: &HeaderMap) -> Result<Message, BulkError> {
    let (mut channel, mut topic, mut message) = (None, None, None);
    each_entry(item, |key, value| {
        match BulkKey::new(key) {
            BulkKey::CHANNEL => channel = text(value),
            BulkKey::TOPIC => topic = text(value),
            BulkKey::MESSAGE => message = Some(value),
            _ => {}
        }
        Ok(())
    })?;
    let (Some(channel), Some(topic), Some(message)) = (channel, topic, message) else {
        return Err(BulkError::Malformed);
    };
    if channel == Channel::CELLNET.as_str() && topic == CellTopic::BULK.as_str() {
        return Err(BulkError::Nested);
    }
    let (mut headers, mut payload) = (HeaderMap::new(), Payload::empty());
    each_entry(message, |key, value| {
        match BulkKey::new(key) {
            BulkKey::HEADERS if !matches!(msgpack::head(value), Some((Head::Null, _))) => {
                headers = HeaderMap::decode(body.slice_ref(value), &HeaderLimits::default())?;
            }
            BulkKey::PAYLOAD => {
                let inline = bytes_of(body, value);
                payload = inline.or_else(|| outside_of(whole?)).ok_or(BulkError::Malformed)?;
            }
            _ => {}
        }
        Ok(())
    })?;
    // How the payload of the bulk is encoded says nothing about those inside.
    let (encoding, length) = (HeaderKey::PAYLOAD_ENCODING.as_str(), HeaderKey::PAYLOAD_LEN.as_str());
    for (key, value) in over.iter().filter(|(key, _)| *key != encoding && *key != length) {
        headers.insert(key, value);
    }
    headers.insert(HeaderKey::TOPIC, topic);
    headers.insert(HeaderKey::CHANNEL, channel);
    Ok(Message::new(headers, payload))
}

/// The body of the main section of a FOBS document, and the whole object if it has other sections too.
fn main_section(document: &Bytes) -> Result<(Bytes, Option<Value>), BulkError> {
    let marker = document.get(SectionLayout::MARKER_OFFSET).ok_or(BulkError::Malformed)?;
    if SectionMarker::new(*marker) != SectionMarker::MAIN || document.len() < SectionLayout::HEADER_SIZE {
        return Err(BulkError::Malformed);
    }
    let size = document.get(SectionLayout::SIZE_OFFSET..).and_then(|rest| rest.first_chunk()).copied();
    let size = size.map(u64::from_be_bytes).and_then(|size| usize::try_from(size).ok()).ok_or(BulkError::Malformed)?;
    let mut body = document.slice(SectionLayout::HEADER_SIZE..);
    if size > body.len() {
        return Err(BulkError::Malformed);
    }
    if size == body.len() {
        return Ok((body, None));
    }
    body.truncate(size);
    let whole = fedcell_fobs::decode(core::slice::from_ref(document)).map_err(|_| BulkError::OutOfLine)?;
    Ok((body, Some(whole)))
}

/// The payload of a message of which parts lie in other sections.
fn outside_of(item: &Value) -> Option<Payload> {
    let message = item.as_map()?.get(BulkKey::MESSAGE.as_str())?.as_map()?;
    let payload = message.get(BulkKey::PAYLOAD.as_str())?;
    let mut segments = Payload::empty();
    let mut add = |value: &Value| {
        value.as_blob()?.segments().iter().for_each(|segment| segments.push(segment.clone()));
        Some(())
    };
    match payload.items() {
        Some(items) => items.into_iter().try_for_each(|item| add(&item))?,
        None => add(payload)?,
    }
    Some(segments)
}

/// The first value and what follows it.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), BulkError> {
    let rest = msgpack::skip(bytes).ok_or(BulkError::Malformed)?;
    bytes.split_at_checked(bytes.len() - rest.len()).ok_or(BulkError::Malformed)
}

/// Shows each entry of a map with texts as keys.
fn each_entry<'a>(
    map: &'a [u8],
    mut show: impl FnMut(&'a str, &'a [u8]) -> Result<(), BulkError>,
) -> Result<(), BulkError> {
    let Some((Head::Map(count), mut rest)) = msgpack::head(map) else { return Err(BulkError::Malformed) };
    for _ in 0..count {
        let (key, value);
        (key, rest) = split(rest)?;
        (value, rest) = split(rest)?;
        show(text(key).ok_or(BulkError::Malformed)?, value)?;
    }
    Ok(())
}

fn text(value: &[u8]) -> Option<&str> {
    match msgpack::head(value)? {
        (Head::Str(_), text) => core::str::from_utf8(text).ok(),
        _ => None,
    }
}

/// A payload: nil, bytes, or a list of bytes, which is how the reference leaves an encoded object.
fn bytes_of(body: &Bytes, value: &[u8]) -> Option<Payload> {
    match msgpack::head(value)? {
        (Head::Null, _) => Some(Payload::empty()),
        (Head::Bin(_), bytes) => Some(Payload::from(body.slice_ref(bytes))),
        (Head::Array(count), mut rest) => {
            let mut payload = Payload::empty();
            for _ in 0..count {
                let segment;
                (segment, rest) = split(rest).ok()?;
                let (Head::Bin(_), bytes) = msgpack::head(segment)? else { return None };
                payload.push(body.slice_ref(bytes));
            }
            Some(payload)
        }
        _ => None,
    }
}

/// Messages that wait to be sent in bulks, by target.
#[derive(Debug, Default)]
pub struct BulkQueue {
    waiting: BTreeMap<FqcnBuf, Vec<Outgoing>>,
    due: Option<UnixTime>,
}

impl BulkQueue {
    /// Puts a message behind those that wait for the same target; gives how many wait now.
    pub fn push(&mut self, now: UnixTime, target: &FqcnBuf, message: Outgoing) -> usize {
        self.due.get_or_insert_with(|| now.saturating_add(BULK_INTERVAL));
        let waiting = self.waiting.entry(target.clone()).or_default();
        waiting.push(message);
        waiting.len()
    }

    /// Takes out what waits for one target.
    pub fn take(&mut self, target: &FqcnBuf) -> Vec<Outgoing> {
        let taken = self.waiting.remove(target).unwrap_or_default();
        if self.waiting.is_empty() {
            self.due = None;
        }
        taken
    }

    /// Takes out everything.
    pub fn take_all(&mut self) -> BTreeMap<FqcnBuf, Vec<Outgoing>> {
        self.due = None;
        core::mem::take(&mut self.waiting)
    }

    /// How many messages wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.values().map(Vec::len).sum()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When what waits should go out, if anything waits.
    #[must_use]
    pub const fn due(&self) -> Option<UnixTime> {
        self.due
    }
}

/// The payload of a bulk message with these messages for `target`: a FOBS document.
#[must_use]
pub fn bundle(target: &FqcnBuf, messages: &[Outgoing]) -> Payload {
    let length = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    let put_text = |out: &mut Vec<u8>, text: &str| {
        msgpack::put_str_head(out, length(text.len()));
        out.extend_from_slice(text.as_bytes());
    };
    let mut out = vec![0; SectionLayout::HEADER_SIZE];
    msgpack::put_array_head(&mut out, length(messages.len()));
    for message in messages {
        let entries = [
            (BulkKey::TARGET, target.as_str()),
            (BulkKey::CHANNEL, &*message.channel),
            (BulkKey::TOPIC, &*message.topic),
        ];
        msgpack::put_map_head(&mut out, length(entries.len() + 1));
        for (key, value) in entries {
            put_text(&mut out, key.as_str());
            put_text(&mut out, value);
        }
        put_text(&mut out, BulkKey::MESSAGE.as_str());
        let parts = [BulkKey::HEADERS, BulkKey::PAYLOAD];
        msgpack::put_map_head(&mut out, length(parts.len()));
        put_text(&mut out, BulkKey::HEADERS.as_str());
        own_headers(target, message).write_to(&mut out);
        put_text(&mut out, BulkKey::PAYLOAD.as_str());
        let payload = message.body.payload();
        if payload.is_empty() {
            msgpack::put_null(&mut out);
        } else {
            msgpack::put_bin_head(&mut out, length(payload.len()));
            payload.segments().for_each(|segment| out.extend_from_slice(segment));
        }
    }
    let size = (out.len() - SectionLayout::HEADER_SIZE) as u64;
    if let Some(marker) = out.get_mut(SectionLayout::MARKER_OFFSET) {
        *marker = SectionMarker::MAIN.get();
    }
    if let Some(field) = out.get_mut(SectionLayout::SIZE_OFFSET..).and_then(|rest| rest.first_chunk_mut()) {
        *field = size.to_be_bytes();
    }
    Payload::from(out)
}

/// Headers that a message in a bulk brings itself.
fn own_headers(target: &FqcnBuf, message: &Outgoing) -> HeaderMap {
    let mut headers = message.headers.clone();
    headers.insert(HeaderKey::OPTIONAL, message.optional);
    headers.insert(HeaderKey::PAYLOAD_ENCODING, message.body.encoding().as_str());
    headers.insert(HeaderKey::PAYLOAD_LEN, message.body.payload().len());
    headers.insert(HeaderKey::TOPIC, &*message.topic);
    headers.insert(HeaderKey::CHANNEL, &*message.channel);
    headers.insert(HeaderKey::DESTINATION, target.as_fqcn());
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Body;
    use serde_json::Value as Json;

    fn bytes(hex: &Json) -> Vec<u8> {
        let hex = hex.as_str().unwrap();
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn messages_come_out_as_the_reference_takes_them_out() {
        let golden: Json = serde_json::from_str(include_str!("../../testdata/bulk.json")).unwrap();
        let mut over = HeaderMap::new();
        over.insert(HeaderKey::ORIGIN, "site-1");
        over.insert(HeaderKey::TOPIC, "bulk");
        over.insert(HeaderKey::PAYLOAD_ENCODING, "fobs");
        let bulk = Message::new(over, Payload::from(bytes(&golden["payload"])));
        let messages = unbundle(&bulk).unwrap();
        let expected = golden["messages"].as_array().unwrap();
        assert_eq!(messages.len(), expected.len());
        for (message, expected) in messages.iter().zip(expected) {
            assert_eq!(message.payload.clone().into_bytes(), bytes(&expected["payload"]));
            let headers = expected["headers"].as_object().unwrap();
            for (key, value) in headers.iter().filter(|(_, value)| value.is_string()) {
                assert_eq!(message.headers.text(key).unwrap(), value.as_str(), "{key}");
            }
            assert!(headers.keys().all(|key| message.headers.contains(key)));
            assert_eq!(message.headers.text(HeaderKey::ORIGIN), Ok(Some("site-1")));
        }
    }

    #[test]
    fn payloads_in_sections_of_their_own_are_found() {
        let golden: Json = serde_json::from_str(include_str!("../../testdata/bulk.json")).unwrap();
        let whole = bytes(&golden["sections"]);
        let result = |bytes: Vec<u8>| unbundle(&Message::new(HeaderMap::new(), Payload::from(bytes)));
        let payloads: Vec<_> =
            result(whole.clone()).unwrap().into_iter().map(|message| message.payload.into_bytes()).collect();
        let object = bytes(&golden["messages"][0]["payload"]);
        assert_eq!(payloads, [b"raw bytes".to_vec(), b"large ".repeat(400), object]);
        for end in (0..whole.len()).step_by(7) {
            assert!(result(whole[..end].to_vec()).is_err(), "{end}");
        }
        for at in 0..1000 {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            let _ = result(damaged);
        }
    }

    #[test]
    fn what_goes_in_comes_out() {
        let target = FqcnBuf::server();
        let message = |topic: &str, body| Outgoing::new("channel", topic, body).optional();
        let sent = [message("a", Body::bytes(vec![1, 2, 3])), message("b", Body::none())];
        let bulk = Message::new(HeaderMap::new(), bundle(&target, &sent));
        let messages = unbundle(&bulk).unwrap();
        for (message, sent) in messages.iter().zip(&sent) {
            assert_eq!(message.headers.text(HeaderKey::TOPIC), Ok(Some(&*sent.topic)));
            assert_eq!(message.headers.flag(HeaderKey::OPTIONAL), Ok(Some(true)));
            assert_eq!(message.payload.clone().into_bytes(), sent.body.payload().clone().into_bytes());
        }
        assert_eq!(messages.len(), 2);
    }

    #[test]
    fn a_bulk_in_a_bulk_is_refused() {
        let target = FqcnBuf::server();
        let inner = bundle(&target, &[Outgoing::new("channel", "topic", Body::none())]);
        let nested = Outgoing::new(Channel::CELLNET, CellTopic::BULK, Body::fobs(inner));
        let bulk = Message::new(HeaderMap::new(), bundle(&target, &[nested]));
        assert_eq!(unbundle(&bulk), Err(BulkError::Nested));
    }

    #[test]
    fn small_messages_do_not_multiply_large_headers() {
        let target = FqcnBuf::server();
        let messages = vec![Outgoing::new("channel", "topic", Body::none()); 300];
        let mut over = HeaderMap::new();
        over.insert("filling", "x".repeat(20_000).as_str());
        let payload = bundle(&target, &messages);
        assert_eq!(unbundle(&Message::new(HeaderMap::new(), payload.clone())).map(|all| all.len()), Ok(300));
        assert_eq!(unbundle(&Message::new(over.clone(), payload)).map(|all| all.len()), Ok(300));
        let payload = bundle(&target, &[messages.as_slice(), &messages].concat());
        assert_eq!(unbundle(&Message::new(over, payload)), Err(BulkError::TooMany));
    }

    #[test]
    fn damaged_bulks_are_refused() {
        let golden: Json = serde_json::from_str(include_str!("../../testdata/bulk.json")).unwrap();
        let whole = bytes(&golden["payload"]);
        let result = |bytes: Vec<u8>| unbundle(&Message::new(HeaderMap::new(), Payload::from(bytes)));
        for end in 0..whole.len() {
            assert!(result(whole[..end].to_vec()).is_err(), "{end}");
        }
        let longer = [whole.as_slice(), &[1; 20]].concat();
        assert_eq!(result(longer), Err(BulkError::OutOfLine));
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            // Any outcome but a panic: a changed byte may well make another valid bulk.
            let _ = result(damaged);
        }
    }
}
