//! Frames put together by hand, for peers that do what no cell would.

use fedcell_protocol_defs::frame::{AppId, FrameType, HandshakeKey, PrefixLayout};

/// The first frame of the side that dials.
pub fn hello(name: &str) -> Vec<u8> {
    let mut payload = Vec::new();
    let text = |payload: &mut Vec<u8>, text: &str| {
        // A msgpack string of up to 255 bytes.
        payload.extend([0xd9, u8::try_from(text.len()).unwrap_or(u8::MAX)]);
        payload.extend(text.as_bytes());
    };
    payload.push(0x83);
    text(&mut payload, HandshakeKey::ENDPOINT_NAME.as_str());
    text(&mut payload, name);
    text(&mut payload, HandshakeKey::TIMESTAMP.as_str());
    payload.push(0xcb);
    payload.extend(1.0e9_f64.to_be_bytes());
    text(&mut payload, HandshakeKey::FQCN.as_str());
    text(&mut payload, name);
    frame(FrameType::HELLO, AppId::ALL, 0, &payload)
}

/// A frame whose payload is `rest`, of which the first `headers` bytes are headers.
pub fn frame(kind: FrameType, app: AppId, headers: u16, rest: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; PrefixLayout::SIZE];
    let length = u32::try_from(PrefixLayout::SIZE + rest.len()).unwrap_or(u32::MAX);
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame[PrefixLayout::HEADER_LEN_OFFSET..][..2].copy_from_slice(&headers.to_be_bytes());
    frame[PrefixLayout::TYPE_OFFSET] = kind.get();
    frame[PrefixLayout::APP_ID_OFFSET..][..2].copy_from_slice(&app.get().to_be_bytes());
    frame[PrefixLayout::STREAM_ID_OFFSET + 1] = 1;
    frame[PrefixLayout::SEQUENCE_OFFSET + 1] = 1;
    frame.extend(rest);
    frame
}
