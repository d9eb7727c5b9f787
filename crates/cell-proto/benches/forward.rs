//! What a relay spends on one message: frame in, next hop, four headers rewritten, frame out.

use core::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::filter::Filters;
use fedcell_cell_proto::frame::Frame;
use fedcell_cell_proto::headers::HeaderMap;
use fedcell_cell_proto::identity::{ConnectionFacts, Side};
use fedcell_cell_proto::link::{Link, LinkConfig, LinkEvent};
use fedcell_cell_proto::message::{Message, Payload, RequestHead};
use fedcell_cell_proto::node::{ConnectionId, Node, NodeConfig, Transmit};
use fedcell_protocol_defs::cell::PayloadEncoding;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
const LIMIT: usize = 1 << 22;

fn address(text: &str) -> FqcnBuf {
    FqcnBuf::parse(text).expect("an address")
}

/// A relay with the server above it and a site below.
fn relay() -> Node {
    let name = address("relay-1");
    let mut node = Node::new(
        NodeConfig::new(name.clone()),
        Filters::new(),
        LinkConfig::new(name, Side::Listener),
        Box::new(|| [7; 16]),
    );
    for (number, peer) in [(1, "relay-1.site-1"), (2, "server")] {
        introduce(&mut node, ConnectionId::new(number), peer);
    }
    node
}

/// Has a peer dial the node and say its name.
fn introduce(node: &mut Node, connection: ConnectionId, peer: &str) {
    let mut link = Link::new(LinkConfig::new(address(peer), Side::Dialer), NOW);
    node.handle_connected(NOW, connection, ConnectionFacts::unproven(Side::Listener));
    let hello = link.poll_transmit().expect("a dialer says HELLO").into_bytes();
    node.handle_frame(NOW, connection, Frame::decode_whole(hello, LIMIT).expect("a frame"));
    while let Some(transmit) = node.poll_transmit() {
        if let Transmit::Frame { frame, .. } = transmit {
            link.handle_frame(NOW, Frame::decode_whole(frame.into_bytes(), LIMIT).expect("a frame")).expect("READY");
        }
    }
    assert!(matches!(link.poll_event(), Some(LinkEvent::Claimed(_))));
    while node.poll_event().is_some() {}
}

/// A request as a site sends it, with the headers that prove who it is.
fn request(payload: usize) -> Bytes {
    let mut headers = HeaderMap::new();
    headers.insert("project_name", "example");
    let head = RequestHead {
        origin: Fqcn::parse("relay-1.site-1").expect("an address"),
        destination: Fqcn::SERVER,
        next_hop: Fqcn::parse("relay-1").expect("an address"),
        channel: "task",
        topic: "heart_beat",
        ids: Some("0f1e2d3c-4b5a-4697-8877-665544332211"),
        is_secure: false,
        is_optional: false,
    };
    let mut message = Message::request(headers, &head, Payload::from(vec![1; payload]), NOW);
    message.headers.insert("client_name", "site-1");
    message.headers.insert("__token__", "0f1e2d3c-4b5a-4697-8877-665544332211");
    message.headers.insert("__token_signature__", "c2lnbmF0dXJl".repeat(28).as_str());
    message.headers.insert("ssid", "NA");
    message.finish(PayloadEncoding::FOBS, NOW);
    message.encode(17, 2).expect("a frame").into_bytes()
}

fn forward(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("forward");
    group.throughput(Throughput::Elements(1));
    for payload in [64, 1 << 20] {
        let mut node = relay();
        let bytes = request(payload);
        group.bench_function(format!("{payload} bytes"), |bencher| {
            bencher.iter(|| {
                let frame = Frame::decode_whole(bytes.clone(), LIMIT).expect("a frame");
                node.handle_frame(NOW, ConnectionId::new(1), frame);
                let transmit = node.poll_transmit();
                assert!(matches!(transmit, Some(Transmit::Frame { .. })));
                black_box(transmit)
            });
        });
    }
}

criterion_group!(benches, forward);
criterion_main!(benches);
