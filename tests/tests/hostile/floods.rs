//! Peers that send as fast as they can, and take nothing of what comes back.

use core::time::Duration;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::Instant;

use fedcell_protocol_defs::frame::{AppId, FrameType};
use fedcell_tests::raw::frame;

use crate::fixture::{Fixture, MIB, request, say};

/// How long each flood lasts.
const LASTS: Duration = Duration::from_secs(8);
const ID: &str = "11111111-2222-4333-8444-555555555555";

/// Sends `bytes` again and again for as long as the flood lasts or the victim takes them; returns how many bytes went.
fn flood(mut stream: TcpStream, bytes: &[u8]) -> u64 {
    let until = Instant::now() + LASTS;
    let batch = bytes.repeat((64 * 1024 / bytes.len()).max(1));
    let (mut at, mut sent) = (0, 0);
    stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    while Instant::now() < until {
        match stream.write(&batch[at..]) {
            Ok(count) => {
                sent += count as u64;
                at = (at + count) % batch.len();
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    sent
}

/// Four peers flood the victim with the same bytes while honest requests are answered.
#[track_caller]
fn check(name: &str, bytes: impl Fn(&str) -> Vec<u8>, most: u64) {
    let mut fixture = Fixture::clear();
    fixture.forget_peak();
    let floods: Vec<_> = (1..=4)
        .map(|number| {
            let name = format!("site-2.x{number}");
            let (stream, bytes) = (fixture.known_as(&name), bytes(&name));
            std::thread::spawn(move || flood(stream, &bytes))
        })
        .collect();
    let mut longest = Duration::ZERO;
    let mut requests = 0;
    while floods.iter().any(|flood| !flood.is_finished()) {
        longest = longest.max(fixture.honest());
        requests += 50;
    }
    let sent: u64 = floods.into_iter().map(|flood| flood.join().unwrap()).sum();
    let grown = fixture.grown_at_worst();
    say(&format!(
        "{name}: {} MiB came, memory at worst +{} MiB, {requests} honest requests answered, at most {longest:.1?} each",
        sent / MIB,
        grown / MIB
    ));
    assert!(grown < most, "{name}: memory grew by {} MiB", grown / MIB);
    fixture.joins();
}

#[test]
fn a_flood_of_small_messages() {
    check("small one-way messages", |name| request(name, name, "count", None, &[0; 64]), 256 * MIB);
}

#[test]
fn a_flood_of_messages_that_nobody_handles() {
    check("messages without a handler", |name| request(name, name, "nobody", Some(ID), &[0; 64]), 512 * MIB);
}

#[test]
fn a_flood_of_requests_whose_replies_are_not_taken() {
    // What may wait to leave, to be handled and to be read as a frame, of each of four peers; what 1024 handlers hold; and
    // buffers.
    let most = 4 * (128 + 32 + 32) * MIB + 64 * MIB + 128 * MIB;
    check("replies not taken", |name| request(name, name, "echo", Some(ID), &[0; 64 * 1024]), most);
}

#[test]
fn a_flood_of_messages_for_slow_handlers() {
    let slow = |name: &str| {
        let mut payload = vec![0; 64 * 1024];
        payload[..8].copy_from_slice(&200_u64.to_be_bytes());
        request(name, name, "block", None, &payload)
    };
    check("slow handlers", slow, 512 * MIB);
}

#[test]
fn a_flood_of_heartbeats_whose_answers_are_not_taken() {
    check("heartbeats", |_| frame(FrameType::PING, AppId::ALL, 0, &[0xc0]), 512 * MIB);
}

#[test]
fn a_flood_of_messages_for_cells_that_do_not_exist() {
    let astray = |name: &str| {
        let honest = request(name, name, "echo", Some(ID), &[0; 1024]);
        let at = honest.windows(6).position(|at| at == b"server").unwrap();
        let mut bytes = honest;
        // A destination that the victim has no way to.
        bytes[at..at + 6].copy_from_slice(b"nobody");
        bytes
    };
    check("messages for nobody", astray, 512 * MIB);
}
