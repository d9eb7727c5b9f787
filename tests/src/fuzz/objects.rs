//! Requests of object streams from whoever may send them, while consumers are at work on some.

use core::time::Duration;
use std::collections::HashMap;

use bytes::Bytes;
use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::Fqcn;
use fedcell_cell_proto::objects::{Accepted, IncomingObjects, ObjectLimits, OutgoingObjects, StreamKey};
use fedcell_fobs::typed::{FobsType as _, Shareable};
use fedcell_fobs::{Map, Value, decode};
use fedcell_protocol_defs::federation::{ObjectStreamHeader, ShareableCode};

use super::script::Script;

const NOW: UnixTime = UnixTime::from_secs(1_767_225_600);
/// Streams that may be open.
const OPEN: usize = 4;
const SILENCE: Duration = Duration::from_secs(5);

/// What was accepted of one stream, said by the rules of the module and not by the machine.
struct Stream {
    is_busy: bool,
    heard: UnixTime,
}

/// The machine, and beside it what it must have in mind.
struct Receiver {
    incoming: IncomingObjects,
    streams: HashMap<StreamKey, Stream>,
    /// At work, in the order in which they began.
    busy: Vec<StreamKey>,
    now: UnixTime,
}

impl Receiver {
    fn object(&mut self, origin: Fqcn<'_>, object: &Shareable) {
        match self.incoming.handle_object(self.now, origin, object) {
            Ok(Accepted { key, context, .. }) => {
                assert_eq!(key.origin.as_fqcn(), origin, "it counts for somebody else");
                let known = self.streams.insert(key.clone(), Stream { is_busy: true, heard: self.now });
                assert!(known.as_ref().is_none_or(|stream| !stream.is_busy), "two objects of a stream at a time");
                assert_eq!(context.is_some(), known.is_none(), "the first object, and no other, says what it is about");
                self.busy.push(key);
            }
            Err(code) => {
                let codes = [ShareableCode::BAD_REQUEST_DATA, ShareableCode::SERVICE_UNAVAILABLE];
                assert!(codes.contains(&code), "{code:?}");
            }
        }
    }

    fn consumed(&mut self, at: usize, last: Option<&str>) {
        if self.busy.is_empty() {
            return;
        }
        let key = self.busy.remove(at % self.busy.len());
        let stream = self.streams.get_mut(&key).expect("a stream at work does not end");
        (stream.is_busy, stream.heard) = (false, self.now);
        self.incoming.handle_consumed(self.now, &key, last);
    }

    /// Takes what has ended, and compares what is left.
    fn drain(&mut self) {
        while let Some(ended) = self.incoming.poll_event() {
            let stream = self.streams.remove(&ended.key).expect("each stream that was accepted ends once");
            assert!(!stream.is_busy, "it ended under its consumer's hands");
        }
        assert_eq!(self.incoming.len(), self.streams.len());
        assert!(self.streams.len() <= OPEN, "{} streams are open", self.streams.len());
        let silent = self.streams.values().filter(|stream| !stream.is_busy);
        let due = silent.map(|stream| stream.heard.saturating_add(SILENCE)).min();
        assert_eq!(self.incoming.poll_timeout(), due);
    }
}

/// The bytes say what happens: objects and ends with any headers, of honest senders and of others, consumers that are
/// done, time that passes. Nothing panics, each stream has one consumer at work at most and ends once, and none is left.
pub fn requests(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut limits = ObjectLimits::default();
    (limits.open, limits.silence) = (OPEN, SILENCE);
    let incoming = IncomingObjects::new(limits);
    let mut receiver = Receiver { incoming, streams: HashMap::new(), busy: Vec::new(), now: NOW };
    let mut honest: Vec<OutgoingObjects> = (0..3).map(sender).collect();
    let site = Fqcn::parse("site-1").unwrap_or(Fqcn::SERVER);
    while !script.is_over() {
        let choice = script.byte();
        let origin = if choice & 0x80 == 0 { Fqcn::SERVER } else { site };
        match choice % 8 {
            0 | 1 => {
                let stream = &mut honest[usize::from(choice >> 3) % 3];
                let mut object = Shareable::new();
                if stream.handle_object(&mut object).is_ok() {
                    receiver.object(origin, &object);
                }
            }
            2 => {
                let at = usize::from(choice >> 3) % 3;
                if let Some(abort) = honest[at].handle_end() {
                    assert_eq!(receiver.incoming.handle_abort(origin, &abort), Ok(()));
                }
                honest[at] = sender(script.byte());
            }
            3 => receiver.object(origin, &any(&mut script)),
            4 => _ = receiver.incoming.handle_abort(origin, &any(&mut script)),
            5 => {
                let last = (choice & 8 == 0).then_some(ShareableCode::OK.as_str());
                receiver.consumed(usize::from(choice >> 4), last);
            }
            6 => {
                receiver.now = receiver.now.saturating_add(Duration::from_millis(100 * u64::from(script.byte())));
                receiver.incoming.handle_timeout(receiver.now);
            }
            _ => {
                let len = usize::from(script.byte());
                let value = decode(&[Bytes::copy_from_slice(script.bytes(len))]);
                if let Some(object) = value.ok().and_then(|value| Shareable::from_value(value).ok()) {
                    receiver.object(origin, &object);
                }
            }
        }
        receiver.drain();
    }
    while !receiver.busy.is_empty() {
        receiver.consumed(0, None);
        receiver.drain();
    }
    while let Some(due) = receiver.incoming.poll_timeout() {
        receiver.now = receiver.now.max(due);
        receiver.incoming.handle_timeout(receiver.now);
        receiver.drain();
    }
    assert!(receiver.incoming.is_empty(), "a stream is left");
}

fn sender(id: u8) -> OutgoingObjects {
    let context: Map = [("kind", "log")].into_iter().collect();
    OutgoingObjects::new(format!("tx-{}", id % 8).into(), "logs", "live", context)
}

/// A shareable with any of the headers, of any type.
fn any(script: &mut Script<'_>) -> Shareable {
    let keys = [
        ObjectStreamHeader::TX_ID,
        ObjectStreamHeader::SEQ,
        ObjectStreamHeader::CHANNEL,
        ObjectStreamHeader::TOPIC,
        ObjectStreamHeader::CTX,
        ObjectStreamHeader::END_RESULT,
    ];
    let mut object = Shareable::new();
    let (chosen, kinds) = (script.byte(), script.byte());
    for (at, key) in keys.into_iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1) {
        let value = match (usize::from(kinds) + at) % 6 {
            0 => Value::from(format!("tx-{}", script.byte() % 8).as_str()),
            1 => Value::from(script.number()),
            2 => Value::from(f64::from(script.byte())),
            3 => Value::Null,
            4 => Value::Map([("kind", script.number())].into_iter().collect()),
            _ => Value::Map(Map::new()),
        };
        object.set_header(key.as_str(), value);
    }
    object
}
