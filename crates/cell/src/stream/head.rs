//! A stream of one piece as a message: what handlers and callers see.

use fedcell_cell_proto::message::{Message, Payload};
use fedcell_cell_proto::stream::StreamHead;
use fedcell_protocol_defs::cell::HeaderKey;

/// The message that a collected stream stands for: the headers of its first chunk, with its own channel, topic and
/// encoding in the place of those of the chunk.
pub(crate) fn message_of(head: &StreamHead, payload: Payload) -> Message {
    let mut headers = head.headers().clone();
    headers.insert(HeaderKey::CHANNEL, head.channel());
    headers.insert(HeaderKey::TOPIC, head.topic());
    if let Some(encoding) = head.encoding() {
        headers.insert(HeaderKey::PAYLOAD_ENCODING, encoding.as_str());
    }
    Message { headers, payload }
}
