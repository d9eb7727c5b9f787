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

/// The same for a reply, whose channel and topic are nobody's concern.
pub(super) fn reply_of(head: StreamHead, payload: Payload) -> Message {
    let encoding = head.encoding().map(|encoding| encoding.as_str().to_owned());
    let (_, mut headers) = head.into_parts();
    if let Some(encoding) = encoding {
        headers.insert(HeaderKey::PAYLOAD_ENCODING, encoding.as_str());
    }
    Message { headers, payload }
}
