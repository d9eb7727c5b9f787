//! The victim, an honest client, and what is measured of both.

use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use fedcell_cell_proto::address::Fqcn;
use fedcell_cell_proto::headers::HeaderMap;
use fedcell_cell_proto::message::{Message, Payload, RequestHead};
use fedcell_protocol_defs::cell::{Channel, PayloadEncoding};
use fedcell_protocol_defs::frame::{FrameType, PrefixLayout};
use fedcell_tests::bench::cell::column::{Column, Overhead, Peer, dialler, listener};
use fedcell_tests::bench::cell::kit::Kits;
use fedcell_tests::bench::cell::process::Config;
use fedcell_tests::bench::memory;
use fedcell_tests::raw::hello;
use serde_json::json;

/// Longest that an honest peer may have to wait for anything while the victim is under attack.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) const KIB: u64 = 1024;
pub(crate) const MIB: u64 = 1024 * KIB;

/// A server under attack and an honest client, each a process of its own.
pub(crate) struct Fixture {
    pub(crate) server: Peer,
    pub(crate) client: Peer,
    pub(crate) kits: Option<Kits>,
    before: u64,
    joined: usize,
}

impl Fixture {
    /// Without encryption.
    pub(crate) fn clear() -> Self {
        Self::start(None)
    }

    /// With mutual TLS; `site-1` and `site-2` have kits.
    pub(crate) fn encrypted() -> Self {
        Self::start(Some(Kits::make(&["site-1", "site-2"]).unwrap()))
    }

    fn start(kits: Option<Kits>) -> Self {
        let kit = |name: &str| kits.as_ref().map(|kits| kits.of(name));
        let server = start(&listener("server", kit("server").as_deref(), Overhead::default()).unwrap());
        let client = start(&client_of(&server, "site-1", kit("site-1").as_deref()));
        let mut fixture = Self { server, client, kits, before: 0, joined: 0 };
        fixture.honest();
        fixture.before = fixture.resident();
        fixture
    }

    pub(crate) fn kit(&self, name: &str) -> Option<PathBuf> {
        self.kits.as_ref().map(|kits| kits.of(name))
    }

    /// The server's host and port.
    pub(crate) fn address(&self) -> &str {
        self.server.url.split_once("://").unwrap().1
    }

    /// A connection that has sent nothing.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// A connection that has sent these bytes.
    pub(crate) fn sending(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.connect();
        // The victim may close before it has read everything.
        let _ = stream.write_all(bytes);
        stream
    }

    /// A connection whose handshake under this name is done.
    pub(crate) fn known_as(&self, name: &str) -> TcpStream {
        let mut stream = self.sending(&hello(name));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = read_frame(&mut stream).expect("an answer to HELLO").len();
        assert!(length > 16, "READY has a payload");
        stream
    }

    /// The honest client's requests are all answered; returns the longest time that one took.
    #[track_caller]
    pub(crate) fn honest(&mut self) -> Duration {
        let started = Instant::now();
        let done = self.client.ask(&json!({"do": "round_trip", "size": 1024, "count": 50})).unwrap();
        let longest = done["nanoseconds"].as_array().unwrap().iter().map(|each| each.as_u64().unwrap()).max();
        let longest = Duration::from_nanos(longest.unwrap());
        assert!(longest < PATIENCE, "an honest request took {longest:?}");
        assert!(started.elapsed() < PATIENCE * 2, "fifty honest requests took {:?}", started.elapsed());
        longest
    }

    /// Another honest cell joins; returns how long that takes from the start of its process.
    #[track_caller]
    pub(crate) fn joins(&mut self) -> Duration {
        self.joined += 1;
        let started = Instant::now();
        let name = format!("site-1.job-{}", self.joined);
        let mut joining = start(&client_of(&self.server, &name, self.kit("site-1").as_deref()));
        joining.ask(&json!({"do": "round_trip", "size": 64, "count": 1})).unwrap();
        let took = started.elapsed();
        assert!(took < PATIENCE, "to join took {took:?}");
        took
    }

    fn resident(&self) -> u64 {
        memory::of(self.server.id()).unwrap().resident
    }

    /// Bytes by which the victim's memory is greater than before the attack.
    pub(crate) fn grown(&self) -> u64 {
        self.resident().saturating_sub(self.before)
    }

    /// Bytes by which the victim's memory was greater at its worst since [`Self::forget_peak`].
    pub(crate) fn grown_at_worst(&self) -> u64 {
        memory::peak(self.server.id()).unwrap().saturating_sub(self.before)
    }

    pub(crate) fn forget_peak(&self) {
        memory::forget_peak(self.server.id()).unwrap();
    }
}

fn client_of(server: &Peer, name: &str, kit: Option<&Path>) -> Config {
    dialler(name, &server.url, false, kit, Overhead::default())
}

fn start(config: &Config) -> Peer {
    let mut peer = Peer::of_program(Path::new(env!("CARGO_BIN_EXE_bench")), Column::Ours, config).unwrap();
    peer.ready(PATIENCE * 4).unwrap();
    peer
}

/// Prints a number for the note.
#[expect(clippy::print_stdout, reason = "the numbers are part of the result")]
pub(crate) fn say(text: &str) {
    println!("hostile: {text}");
}

/// Whether the other side closes the connection within the time, whatever it sends before.
pub(crate) fn is_closed_within(stream: &mut TcpStream, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let mut buffer = [0; 4096];
    loop {
        let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
            return false;
        };
        stream.set_read_timeout(Some(left)).unwrap();
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return true,
        }
    }
}

/// The next message that arrives, or why none does; heartbeats are passed over.
pub(crate) fn read_message(stream: &mut impl Read) -> std::io::Result<Vec<u8>> {
    loop {
        let frame = read_frame(stream)?;
        if frame[PrefixLayout::TYPE_OFFSET] == FrameType::DATA.get() {
            return Ok(frame);
        }
    }
}

/// One frame that arrives, or why none does.
fn read_frame(stream: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut frame = vec![0; 16];
    stream.read_exact(&mut frame)?;
    let length = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
    assert!((16..64 << 20).contains(&length), "the victim sent a frame of {length} bytes");
    frame.resize(length, 0);
    stream.read_exact(&mut frame[16..])?;
    Ok(frame)
}

/// A request as an honest cell `from` would send it to the server, with an origin of its choice.
pub(crate) fn request(from: &str, origin: &str, topic: &str, id: Option<&str>, payload: &[u8]) -> Vec<u8> {
    let head = RequestHead {
        origin: Fqcn::parse(origin).unwrap(),
        destination: Fqcn::parse("server").unwrap(),
        next_hop: Fqcn::parse("server").unwrap(),
        channel: Channel::SERVER_MAIN.as_str(),
        topic,
        ids: id,
        is_secure: false,
        is_optional: false,
    };
    let now = fedcell_auth::UnixTime::from_secs(1_700_000_000);
    let payload: Payload = Bytes::copy_from_slice(payload).into();
    let mut message = Message::request(HeaderMap::new(), &head, payload, now);
    message.headers.insert(fedcell_protocol_defs::cell::HeaderKey::FROM_CELL, from);
    message.finish(PayloadEncoding::BYTES, now);
    message.encode(17, 2).unwrap().into_bytes().to_vec()
}
