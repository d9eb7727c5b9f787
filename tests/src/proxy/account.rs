//! An account of the streams that went through a proxy: how often each chunk did.

use std::collections::BTreeMap;

use bytes::Bytes;
use fedcell_cell_proto::frame::Prefix;
use fedcell_protocol_defs::cell::HeaderKey;
use fedcell_protocol_defs::stream;
use serde_json::{Value, json};

use super::connection::stream_headers;

/// What went through, by origin and number of the stream.
#[derive(Debug, Default)]
pub(super) struct Account {
    streams: BTreeMap<(String, i64), Stream>,
}

#[derive(Debug, Default)]
struct Stream {
    channel: String,
    topic: String,
    size: i64,
    /// How often each sequence number went through.
    chunks: BTreeMap<i64, u64>,
    /// How far a repeated chunk was behind the farthest one, at most.
    behind: i64,
    /// Payload of all chunks, repeated ones as often as they came.
    bytes: u64,
}

impl Account {
    /// Notes a frame if it is a chunk of a stream.
    pub(super) fn note(&mut self, frame: &Bytes) {
        // What cannot be read is no chunk.
        _ = self.chunk(frame);
    }

    fn chunk(&mut self, frame: &Bytes) -> Option<()> {
        let headers = stream_headers(frame)?;
        if headers.text(HeaderKey::TOPIC).ok()? != Some(stream::Topic::DATA.as_str()) {
            return None;
        }
        let payload = frame.len() - Prefix::SIZE - usize::from(Prefix::decode(frame).ok()?.header_len);
        let origin = headers.text(HeaderKey::ORIGIN).ok()??.to_owned();
        let number = headers.integer(stream::HeaderKey::STREAM_ID).ok()??;
        let sequence = headers.integer(stream::HeaderKey::SEQUENCE).ok()??;
        let text = |key| headers.text(key).ok().flatten().unwrap_or_default().to_owned();
        let entry = self.streams.entry((origin, number)).or_insert_with(|| Stream {
            channel: text(stream::HeaderKey::CHANNEL),
            topic: text(stream::HeaderKey::TOPIC),
            size: headers.integer(stream::HeaderKey::SIZE).ok().flatten().unwrap_or_default(),
            ..Stream::default()
        });
        let times = entry.chunks.entry(sequence).or_default();
        *times += 1;
        if *times > 1 {
            let farthest = entry.chunks.last_key_value().map_or(sequence, |(farthest, _)| *farthest);
            entry.behind = entry.behind.max(farthest - sequence);
        }
        entry.bytes += payload as u64;
        Some(())
    }

    /// All streams. `again` is the number of repetitions, `behind` how far back the farthest of them went, in chunks.
    pub(super) fn tell(&self) -> Value {
        let streams = self.streams.iter().map(|((origin, number), stream)| {
            let again: u64 = stream.chunks.values().map(|times| times - 1).sum();
            json!({
                "origin": origin, "id": number, "channel": stream.channel, "topic": stream.topic, "size": stream.size,
                "bytes": stream.bytes, "chunks": stream.chunks.len(), "again": again,
                "behind": stream.behind,
            })
        });
        streams.collect::<Vec<_>>().into()
    }
}
