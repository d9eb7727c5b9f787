//! Streams against the behaviour of the reference, and in situations that tests make up.

use core::time::Duration;

use bytes::Bytes;
use fedcell_auth::UnixTime;
use fedcell_protocol_defs::cell::HeaderKey as CellKey;
use fedcell_protocol_defs::stream::{DataType, HeaderKey, Topic};
use serde_json::{Map, Value, json};

use super::{OpenStream, StreamConfig, StreamError, StreamEvent, StreamHead, StreamTransmit, Streams};
use crate::address::FqcnBuf;
use crate::frame::Payload;
use crate::headers::{HeaderMap, RawValue};
use crate::message::Message;
use crate::testing::NOW;

mod golden;
mod pacing;
mod pair;
mod receiving;
mod sending;

const SECOND: Duration = Duration::from_secs(1);

fn cell(name: &str) -> FqcnBuf {
    FqcnBuf::parse(name).unwrap()
}

fn anybody(_: &StreamHead) -> Result<(), StreamError> {
    Ok(())
}

/// A message as it comes to its target: with the cell's headers.
fn carried(from: &str, transmit: &StreamTransmit) -> Message {
    let mut headers = transmit.message.headers.clone();
    headers.insert(CellKey::CHANNEL, &*transmit.message.channel);
    headers.insert(CellKey::TOPIC, &*transmit.message.topic);
    headers.insert(CellKey::ORIGIN, from);
    headers.insert(CellKey::DESTINATION, transmit.target.as_str());
    headers.insert(CellKey::OPTIONAL, transmit.message.optional);
    headers.insert(CellKey::SECURE, transmit.message.secure);
    Message::new(headers, transmit.message.body.payload().clone())
}

/// A chunk that nobody's machine has made.
fn chunk(origin: &str, id: i64, sequence: u64, payload: &'static [u8], is_last: bool) -> Message {
    let mut headers = HeaderMap::new();
    headers.insert(CellKey::ORIGIN, origin);
    headers.insert(CellKey::TOPIC, Topic::DATA.as_str());
    headers.insert(HeaderKey::STREAM_ID, id);
    headers.insert(HeaderKey::CHANNEL, "aux_communication");
    headers.insert(HeaderKey::TOPIC, "topic");
    headers.insert(HeaderKey::SEQUENCE, sequence);
    let data_type = if is_last { DataType::FINAL } else { DataType::CHUNK };
    headers.insert(HeaderKey::DATA_TYPE, i64::from(data_type.get()));
    Message::new(headers, Bytes::from_static(payload).into())
}

fn everything(streams: &mut Streams, now: UnixTime) -> Vec<StreamTransmit> {
    core::iter::from_fn(|| streams.poll_transmit(now, |_| true)).collect()
}

fn events(streams: &mut Streams) -> Vec<StreamEvent> {
    core::iter::from_fn(|| streams.poll_event()).collect()
}

/// One value as the vectors have it.
fn value(raw: RawValue<'_>) -> Value {
    if let Some(text) = raw.as_text() {
        return json!(text);
    }
    match (raw.as_integer(), raw.as_flag(), raw.as_number()) {
        (Some(number), ..) => json!(number),
        (None, Some(flag), _) => json!(flag),
        (None, None, number) => json!(number),
    }
}

fn values(headers: &HeaderMap) -> Map<String, Value> {
    headers.into_iter().map(|(key, raw)| (key.to_owned(), value(raw))).collect()
}
