//! Before a peer has said who it is: garbage, pieces of a handshake, lengths that are lies, and silence.

use core::time::Duration;
use std::io::Write;
use std::net::TcpStream;
use std::time::Instant;

use fedcell_protocol_defs::frame::{AppId, FrameType};
use fedcell_tests::raw::{frame, hello};

use crate::fixture::{Fixture, KIB, MIB, is_closed_within, request, say};

/// What an unknown peer may take for its handshake, and as much again for a busy machine.
const HANDSHAKE: Duration = Duration::from_secs(20);
const AT_ONCE: Duration = Duration::from_secs(5);

/// The victim closes each connection, honest traffic goes on, and nothing is left of it.
#[track_caller]
fn check(name: &str, fixture: &mut Fixture, attackers: &mut [TcpStream], limit: Duration) {
    let during = fixture.honest();
    let started = Instant::now();
    for (number, attacker) in attackers.iter_mut().enumerate() {
        let left = limit.saturating_sub(started.elapsed()).max(Duration::from_millis(100));
        assert!(is_closed_within(attacker, left), "{name}: connection {number} is still open after {limit:?}");
    }
    let (took, grown) = (started.elapsed(), fixture.grown());
    let after = fixture.honest();
    let joined = fixture.joins();
    say(&format!(
        "{name}: {} connections closed in {took:.1?}, memory +{} KiB, honest requests at most {:.1?}, a cell joins in {joined:.1?}",
        attackers.len(),
        grown / KIB,
        during.max(after),
    ));
    assert!(grown < 8 * MIB, "{name}: memory has grown by {grown} bytes");
}

/// A sequence of bytes without pattern, the same in each run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[4]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn garbage_is_cut_off() {
    let mut fixture = Fixture::clear();
    let mut attackers: Vec<_> = (1..=200).map(|seed| fixture.sending(&noise(seed, 64 << (seed % 11)))).collect();
    for words in ["GET / HTTP/1.1\r\nHost: server\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}", "SSH-2.0-OpenSSH_9.6\r\n"] {
        attackers.push(fixture.sending(words.repeat(40).as_bytes()));
    }
    check("garbage", &mut fixture, &mut attackers, HANDSHAKE);
}

#[test]
fn a_handshake_that_stops_half_way_ends_with_its_time() {
    let mut fixture = Fixture::clear();
    let whole = hello("site-9");
    let mut attackers: Vec<_> = (0..whole.len()).map(|length| fixture.sending(&whole[..length])).collect();
    check("partial handshakes", &mut fixture, &mut attackers, HANDSHAKE);
}

#[test]
fn a_handshake_byte_by_byte_ends_with_its_time() {
    let mut fixture = Fixture::clear();
    let mut attackers: Vec<_> = (0..100).map(|_| fixture.connect()).collect();
    let started = Instant::now();
    // Slower than the time that is given, so that the last byte would come too late.
    let whole = hello(&"site-9.".repeat(20).replace("9.site", "9.x"));
    let pause = HANDSHAKE / u32::try_from(whole.len()).unwrap();
    let mut open = attackers.len();
    let mut joined = None;
    for byte in &whole {
        open = attackers.iter_mut().filter_map(|attacker| attacker.write_all(&[*byte]).ok()).count();
        if open == 0 || started.elapsed() > HANDSHAKE {
            break;
        }
        joined.get_or_insert_with(|| fixture.joins());
        // One byte each is written per turn; the turn itself waits for the victim to close.
        is_closed_within(&mut attackers[0], pause);
    }
    say(&format!("slow handshakes: {open} of 100 still written to after {:.1?}", started.elapsed()));
    check("slow handshakes", &mut fixture, &mut attackers, HANDSHAKE);
}

#[test]
fn a_length_of_two_gibibytes_is_refused_at_once() {
    let mut fixture = Fixture::clear();
    let mut attackers = Vec::new();
    for declared in [0x7fff_ffff_u32, 0xffff_ffff, 0x8000_0000, 2_145_386_496, 1 << 20, 65_537, 15, 0] {
        let mut bytes = hello("site-9");
        bytes[..4].copy_from_slice(&declared.to_be_bytes());
        for _ in 0..50 {
            attackers.push(fixture.sending(&bytes));
        }
    }
    check("declared lengths", &mut fixture, &mut attackers, AT_ONCE);
}

#[test]
fn a_header_length_beyond_the_frame_is_refused_at_once() {
    let mut fixture = Fixture::clear();
    let bytes = frame(FrameType::HELLO, AppId::ALL, 0xffff, &[0x80; 32]);
    let mut attackers: Vec<_> = (0..50).map(|_| fixture.sending(&bytes)).collect();
    check("header lengths", &mut fixture, &mut attackers, AT_ONCE);
}

#[test]
fn names_that_are_none_are_refused_at_once() {
    let mut fixture = Fixture::clear();
    let long = "a.".repeat(120);
    let names = ["", " ", ".", "a..b", "a b", "../../etc/passwd", "server", "site-1\u{0}", "site/1", long.as_str()];
    let mut attackers: Vec<_> = names.iter().map(|name| fixture.sending(&hello(name))).collect();
    // A payload that is no map, and a map that lacks the name.
    for payload in [&[0xc0][..], &[0x80], &[0x93, 1, 2, 3], &[0xdf, 0xff, 0xff, 0xff, 0xff], &[0xc1]] {
        attackers.push(fixture.sending(&frame(FrameType::HELLO, AppId::ALL, 0, payload)));
    }
    check("names", &mut fixture, &mut attackers, AT_ONCE);
}

#[test]
fn messages_before_the_handshake_reach_nobody() {
    let mut fixture = Fixture::clear();
    fixture.server.ask(&serde_json::json!({"do": "expect", "count": 1})).unwrap();
    let early = request("site-9", "site-9", "count", None, &[0; 64]);
    let mut attackers: Vec<_> = (0..20).map(|_| fixture.sending(&early)).collect();
    check("early messages", &mut fixture, &mut attackers, HANDSHAKE);
    let counted = fixture.server.ask(&serde_json::json!({"do": "counted", "timeout": 0})).unwrap();
    assert_eq!(counted["received"], 0, "a message of an unknown peer was handled");
}

#[test]
fn two_thousand_silent_connections_keep_nobody_out() {
    let mut fixture = Fixture::clear();
    let mut attackers: Vec<_> = (0..2000).map(|_| fixture.connect()).collect();
    let joined = fixture.joins();
    let grown = fixture.grown();
    say(&format!("2000 silent connections: memory +{} KiB, a cell joins in {joined:.1?}", grown / KIB));
    assert!(grown < 2000 * 16 * KIB, "2000 silent connections cost {grown} bytes");
    check("silent connections", &mut fixture, &mut attackers, HANDSHAKE);
}

#[test]
fn two_thousand_connections_without_tls_handshake_keep_nobody_out() {
    let mut fixture = Fixture::encrypted();
    let mut attackers: Vec<_> = (0..2000).map(|_| fixture.connect()).collect();
    let joined = fixture.joins();
    let grown = fixture.grown();
    say(&format!("2000 connections without TLS: memory +{} KiB, a cell joins in {joined:.1?}", grown / KIB));
    assert!(grown < 2000 * 16 * KIB, "2000 silent connections cost {grown} bytes");
    check("no TLS handshake", &mut fixture, &mut attackers, HANDSHAKE);
}

#[test]
fn garbage_instead_of_tls_is_cut_off() {
    let mut fixture = Fixture::encrypted();
    let mut attackers: Vec<_> = (1..=100).map(|seed| fixture.sending(&noise(seed, 64 << (seed % 11)))).collect();
    attackers.push(fixture.sending(&hello("site-9")));
    check("garbage instead of TLS", &mut fixture, &mut attackers, HANDSHAKE);
}
