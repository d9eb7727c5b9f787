//! The frame vectors of the reference, cut at every byte; wrong lengths; writing in pieces.

use bytes::{Buf, Bytes, BytesMut};
use fedcell_protocol_defs::frame::{AppId, FrameLimit, FrameType};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn frames() -> Vec<(String, Vec<u8>)> {
    let rows: Value = serde_json::from_str(include_str!("../../testdata/frames.json")).unwrap();
    let rows = rows.as_array().unwrap();
    rows.iter().map(|r| (r["name"].as_str().unwrap().to_owned(), unhex(r["hex"].as_str().unwrap()))).collect()
}

fn opened() -> FrameDecoder {
    let mut decoder = FrameDecoder::new(FrameLimits::default());
    decoder.open();
    decoder
}

#[test]
fn prefixes_are_read_and_written_as_by_the_reference() {
    let vectors: Value = serde_json::from_str(include_str!("../../testdata/prefixes.json")).unwrap();
    for row in vectors["ok"].as_array().unwrap() {
        let bytes = unhex(row["hex"].as_str().unwrap());
        let prefix = Prefix::decode(&bytes).unwrap();
        let found = serde_json::json!({
            "length": prefix.length, "header_len": prefix.header_len, "type": prefix.frame_type.get(),
            "reserved": prefix.reserved, "flags": prefix.flags, "app_id": prefix.app_id.get(),
            "stream_id": prefix.stream_id, "sequence": prefix.sequence, "hex": row["hex"],
        });
        assert_eq!(&found, row);
        assert_eq!(prefix.encode().as_slice(), bytes);
    }
    for row in vectors["bad"].as_array().unwrap() {
        let bytes = unhex(row["hex"].as_str().unwrap());
        assert_eq!(Prefix::decode(&bytes), Err(FrameError::Short { len: bytes.len() }));
    }
}

#[test]
fn every_frame_vector_is_read_whole_in_pieces_and_all_in_one_read() {
    let frames = frames();
    let all: Vec<u8> = frames.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    let whole: Vec<Frame> =
        frames.iter().map(|(_, bytes)| Frame::decode_whole(bytes.clone().into(), 1 << 20).unwrap()).collect();
    for step in 1..=all.len() {
        let (mut decoder, mut buffer, mut read) = (opened(), BytesMut::new(), Vec::new());
        for piece in all.chunks(step) {
            buffer.extend_from_slice(piece);
            while let Some(frame) = decoder.decode(&mut buffer).unwrap() {
                read.push(frame);
            }
        }
        assert_eq!(read, whole, "pieces of {step}");
        assert!(buffer.is_empty());
    }
}

#[test]
fn every_frame_vector_is_written_as_by_the_reference() {
    for (name, bytes) in frames() {
        let frame = Frame::decode_whole(Bytes::from(bytes.clone()), 1 << 20).unwrap();
        let outline = Outline {
            frame_type: frame.prefix.frame_type,
            app_id: frame.prefix.app_id,
            stream_id: frame.prefix.stream_id,
            sequence: frame.prefix.sequence,
        };
        let headers = frame.headers.clone();
        let encoded = EncodedFrame::new(outline, 0, |out| out.extend_from_slice(&headers), frame.payload.into());
        assert_eq!(encoded.unwrap().into_bytes(), bytes, "{name}");
    }
}

#[track_caller]
fn check_refused(decoder: &mut FrameDecoder, length: u32, header_len: u16, expected: FrameError) {
    let prefix = Prefix {
        length,
        header_len,
        frame_type: FrameType::DATA,
        reserved: 0,
        flags: 0,
        app_id: AppId::CELL,
        stream_id: 17,
        sequence: 2,
    };
    let mut buffer = BytesMut::from(prefix.encode().as_slice());
    assert_eq!(decoder.decode(&mut buffer), Err(expected));
    assert_eq!(Frame::decode_whole(Bytes::copy_from_slice(&prefix.encode()), decoder.limit()), Err(expected));
}

#[test]
fn wrong_lengths_are_refused_as_soon_as_the_prefix_is_there() {
    let open = &mut opened();
    check_refused(open, 0, 0, FrameError::LengthBelowPrefix { length: 0 });
    check_refused(open, 15, 0, FrameError::LengthBelowPrefix { length: 15 });
    check_refused(open, 16, 1, FrameError::HeadersBeyondFrame { header_len: 1, length: 16 });
    check_refused(open, 100, 85, FrameError::HeadersBeyondFrame { header_len: 85, length: 100 });
    let limit = FrameLimit::MAX_FRAME_SIZE;
    let over = u32::try_from(limit + 1).unwrap();
    check_refused(open, over, 0, FrameError::TooLong { length: over, limit });
    check_refused(open, u32::MAX, 0, FrameError::TooLong { length: u32::MAX, limit });
    let early = &mut FrameDecoder::new(FrameLimits::default());
    check_refused(early, 65_537, 0, FrameError::TooLong { length: 65_537, limit: 65_536 });
    assert_eq!(
        Frame::decode_whole(Bytes::from_static(&[0, 0, 0, 17, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0]), limit),
        Err(FrameError::LengthMismatch { length: 17, len: 16 })
    );
}

#[test]
fn a_stated_length_of_two_gib_costs_what_was_sent() {
    let mut decoder = opened();
    let stated = u32::try_from(FrameLimit::MAX_FRAME_SIZE).unwrap();
    let mut buffer = BytesMut::from(stated.to_be_bytes().as_slice());
    buffer.extend_from_slice(&[0, 0, 1, 0, 0, 0, 0, 1, 0, 17, 0, 2]);
    assert_eq!(decoder.decode(&mut buffer), Ok(None));
    assert!(buffer.capacity() <= 64, "{}", buffer.capacity());
    assert_eq!(decoder.room_wanted(buffer.len(), 4096), 4096);
    assert_eq!(decoder.room_wanted(1 << 20, 4096), 1 << 20);
    assert_eq!(decoder.room_wanted(FrameLimit::MAX_FRAME_SIZE - 7, 4096), 4096);
}

#[test]
fn what_cannot_be_stated_is_not_sent() {
    let outline = Outline { frame_type: FrameType::DATA, app_id: AppId::CELL, stream_id: 17, sequence: 1 };
    let made = |headers: usize, payload| {
        EncodedFrame::new(outline, headers, |out| out.resize(Prefix::SIZE + headers, 0), payload).map(|f| f.remaining())
    };
    assert_eq!(made(65_535, Payload::empty()), Ok(65_551));
    assert_eq!(made(65_536, Payload::empty()), Err(FrameError::HeadersUnsendable { len: 65_536, limit: 65_535 }));
    // Two thousand views of one mebibyte are more than the largest frame.
    let mebibyte = Bytes::from(vec![0; 1 << 20]);
    let large: Payload = core::iter::repeat_n(mebibyte, 2048).collect();
    let limit = FrameLimit::MAX_FRAME_SIZE;
    assert_eq!(made(0, large), Err(FrameError::Unsendable { len: 16 + (2048 << 20), limit }));
}

proptest! {
    #[test]
    fn a_frame_written_in_pieces_is_the_frame(
        segments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
        headers in prop::collection::vec(any::<u8>(), 0..40),
        steps in prop::collection::vec(1_usize..30, 1..10),
    ) {
        let outline = Outline { frame_type: FrameType::DATA, app_id: AppId::CELL, stream_id: 18, sequence: 3 };
        let payload: Payload = segments.iter().cloned().map(Bytes::from).collect();
        let joined = segments.concat();
        prop_assert_eq!(payload.len(), joined.len());
        let mut frame = EncodedFrame::new(outline, 7, |out| out.extend_from_slice(&headers), payload).unwrap();
        let whole = frame.clone().into_bytes();
        let mut written = Vec::new();
        for step in steps.iter().cycle() {
            if !frame.has_remaining() {
                break;
            }
            let mut slices = [std::io::IoSlice::new(&[]); 3];
            let filled = frame.chunks_vectored(&mut slices);
            let offered: Vec<u8> = slices[..filled].iter().flat_map(|s| s.to_vec()).collect();
            prop_assert!(!offered.is_empty() && !frame.chunk().is_empty());
            let step = (*step).min(offered.len());
            written.extend_from_slice(&offered[..step]);
            frame.advance(step);
            prop_assert_eq!(frame.remaining(), whole.len() - written.len());
        }
        prop_assert_eq!(&written, &whole);
        let read = Frame::decode_whole(whole, 1 << 20).unwrap();
        prop_assert_eq!(&read.headers[..], &headers);
        prop_assert_eq!(&read.payload[..], &joined);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let mut decoder = opened();
        let mut buffer = BytesMut::from(bytes.as_slice());
        while let Ok(Some(frame)) = decoder.decode(&mut buffer) {
            prop_assert_eq!(frame.prefix.length as usize, Prefix::SIZE + frame.headers.len() + frame.payload.len());
        }
    }
}
