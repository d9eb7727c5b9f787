//! A peer that is known and then lies: lengths, headers that are bombs, frames of kinds that nobody sends.

use core::time::Duration;
use std::io::Write;

use fedcell_protocol_defs::frame::{AppId, FrameType};
use fedcell_tests::raw::frame;

use crate::fixture::{Fixture, KIB, MIB, is_closed_within, request, say};

const AT_ONCE: Duration = Duration::from_secs(5);

/// Begins a frame that is declared to be as large as a frame may be, and sends so much of it.
fn begun(sent: usize) -> Vec<u8> {
    let mut bytes = frame(FrameType::DATA, AppId::CELL, 0, &vec![0x5a; sent]);
    bytes[..4].copy_from_slice(&2_145_386_496_u32.to_be_bytes());
    bytes
}

#[test]
fn memory_follows_what_came_and_not_what_was_declared() {
    let mut fixture = Fixture::clear();
    let mut attackers: Vec<_> = (0..100).map(|number| fixture.known_as(&format!("site-2.x{number}"))).collect();
    let idle = fixture.grown();
    for attacker in &mut attackers {
        attacker.write_all(&begun(0)).unwrap();
    }
    fixture.honest();
    let declared = fixture.grown();
    say(&format!(
        "100 frames of 2 GiB declared, 16 bytes sent of each: memory +{} KiB, of which {} KiB for the connections",
        declared / KIB,
        idle / KIB
    ));
    assert!(declared < idle + 100 * 64 * KIB, "a declared length cost {} bytes", declared - idle);
    for sent in [1_u64, 4] {
        let piece = vec![0x5a; usize::try_from(MIB).unwrap()];
        for attacker in &mut attackers {
            for _ in 0..if sent == 1 { 1 } else { 3 } {
                attacker.write_all(&piece).unwrap();
            }
        }
        let longest = fixture.honest();
        let grown = fixture.grown();
        say(&format!("{sent} MiB sent of each: memory +{} MiB, honest requests at most {longest:.1?}", grown / MIB));
        assert!(grown < declared + 100 * sent * MIB * 3 / 2 + 32 * MIB, "{sent} MiB of each cost {grown} bytes");
    }
    drop(attackers);
    fixture.joins();
}

#[test]
fn a_frame_beyond_the_largest_is_refused_at_once() {
    let mut fixture = Fixture::clear();
    for declared in [2_145_386_497_u32, 0x7fff_ffff, 0xffff_ffff, 15, 0] {
        let mut attacker = fixture.known_as("site-2");
        let mut bytes = begun(64);
        bytes[..4].copy_from_slice(&declared.to_be_bytes());
        attacker.write_all(&bytes).unwrap();
        assert!(is_closed_within(&mut attacker, AT_ONCE), "length {declared} leaves the connection open");
    }
    fixture.honest();
}

#[test]
fn headers_that_are_bombs_cost_no_more_than_their_bytes() {
    let mut fixture = Fixture::clear();
    let full = |head: &[u8], filler: &[u8]| {
        let mut headers = head.to_vec();
        while headers.len() + filler.len() <= 0xffff {
            headers.extend(filler);
        }
        headers
    };
    let bombs: Vec<(&str, Vec<u8>)> = vec![
        ("a map of 2^32 - 1 entries", full(&[0xdf, 0xff, 0xff, 0xff, 0xff], &[0xa1, b'a', 0xc0])),
        ("a map of 2^16 - 1 entries", full(&[0xde, 0xff, 0xff], &[0xa0, 0xc0])),
        ("arrays within arrays", full(&[0x81, 0xa1, b'a'], &[0x91])),
        ("maps within maps", full(&[0x81, 0xa1, b'a'], &[0x81, 0xa1, b'a'])),
        ("an array of 2^32 - 1 elements", vec![0x81, 0xa1, b'a', 0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0]),
        ("a text of 2^32 - 1 bytes", vec![0x81, 0xdb, 0xff, 0xff, 0xff, 0xff, b'a']),
        ("a text that is no UTF-8", vec![0x81, 0xa2, 0xff, 0xfe, 0xc0]),
        ("keys that are no texts", vec![0x82, 0x01, 0x02, 0x91, 0xc0, 0xc0]),
        ("one key many times", full(&[0xde, 0x55, 0x55], &[0xa1, b'a', 0xc0])),
        ("a reserved byte", vec![0x81, 0xa1, b'a', 0xc1]),
        ("no map at all", vec![0x93, 0x01, 0x02, 0x03]),
        ("nothing in a map", vec![0x80]),
    ];
    fixture.forget_peak();
    for (name, headers) in &bombs {
        let length = u16::try_from(headers.len()).unwrap();
        let bytes = frame(FrameType::DATA, AppId::CELL, length, headers);
        let mut attacker = fixture.known_as("site-2");
        let sent = (0..100).take_while(|_| attacker.write_all(&bytes).is_ok()).count();
        let longest = fixture.honest();
        say(&format!("{name}: {sent} times {} bytes, honest requests at most {longest:.1?}", bytes.len()));
    }
    let grown = fixture.grown_at_worst();
    say(&format!("header bombs: memory at worst +{} KiB", grown / KIB));
    assert!(grown < 32 * MIB, "header bombs cost {grown} bytes");
    fixture.joins();
}

#[test]
fn headers_without_room_for_those_of_the_reply_are_survived() {
    let mut fixture = Fixture::clear();
    let mut attacker = fixture.known_as("site-2");
    // A header of the application that leaves no room for what the victim would add.
    let honest = request("site-2", "site-2", "echo", Some("11111111-2222-4333-8444-555555555555"), b"");
    let header_len = usize::from(u16::from_be_bytes([honest[4], honest[5]]));
    let (size, honest_entries) = match honest[16..16 + header_len] {
        [small @ 0x80..=0x8f, ref rest @ ..] => (u16::from(small & 0x0f), rest),
        [0xde, high, low, ref rest @ ..] => (u16::from_be_bytes([high, low]), rest),
        ref other => panic!("honest headers are a small map, not {:?}", &other[..4]),
    };
    let mut headers = vec![0xde];
    headers.extend((size + 1).to_be_bytes());
    headers.extend(honest_entries);
    let room = 0xffff - headers.len() - 10;
    headers.extend([0xa1, b'z', 0xda]);
    headers.extend(u16::try_from(room).unwrap().to_be_bytes());
    headers.extend(vec![b'z'; room]);
    let bytes = frame(FrameType::DATA, AppId::CELL, u16::try_from(headers.len()).unwrap(), &headers);
    for _ in 0..200 {
        if attacker.write_all(&bytes).is_err() {
            break;
        }
    }
    fixture.honest();
    fixture.joins();
}

#[test]
fn frames_of_kinds_that_nobody_sends_are_survived() {
    let mut fixture = Fixture::clear();
    for kind in 0..=255_u8 {
        let mut attacker = fixture.known_as("site-2");
        for app in [0, 1, 2, 0xffff] {
            let bytes = frame(FrameType::new(kind), AppId::new(app), 0, &[0xc0]);
            // Whether such a peer is cut off or left alone is the victim's choice.
            let _ = attacker.write_all(&bytes);
        }
    }
    fixture.honest();
    let joined = fixture.joins();
    say(&format!("all 256 kinds of frames: memory +{} KiB, a cell joins in {joined:.1?}", fixture.grown() / KIB));
}
