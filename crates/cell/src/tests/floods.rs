//! Neighbours that send more than is handled, each over a raw connection in memory, in virtual time: it goes on when nobody
//! can do anything more.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use fedcell_cell_proto::headers::HeaderMap;
use fedcell_protocol_defs::cell::{HeaderKey, MessageType};
use fedcell_protocol_defs::frame::FrameType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::hostile::{frame, hello};
use super::*;
use crate::Limits;
use crate::driver::{Link, ReadHalf, WriteHalf};

const FLOODS: usize = 8;
const MESSAGES: usize = 1000;
const SIZE: usize = 4096;
/// Bytes that may wait, of all neighbours.
const TOTAL: usize = 1024 * 1024;
/// What one neighbour may have beyond that: its share in any case, and what was read at once.
const EACH: usize = 64 * 1024 + 256 * 1024;

/// A message of `origin` that nobody waits for an answer to.
fn fired(origin: &str) -> Vec<u8> {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderKey::MSG_TYPE, MessageType::REQ.as_str());
    headers.insert(HeaderKey::ORIGIN, origin);
    headers.insert(HeaderKey::DESTINATION, "server");
    headers.insert(HeaderKey::CHANNEL, "test");
    headers.insert(HeaderKey::TOPIC, "slow");
    headers.insert(HeaderKey::REPLY_EXPECTED, false);
    let mut encoded = Vec::new();
    headers.write_to(&mut encoded);
    frame(FrameType::DATA, 1, &encoded, &[0; SIZE])
}

/// Says HELLO and then as many messages as the server takes; gives how many have left.
async fn flood(network: MemoryNetwork, name: String) -> Arc<AtomicUsize> {
    let Link { reading, writing } = network.dial("hub").await.unwrap();
    let (ReadHalf::Memory(mut reading), WriteHalf::Memory(mut writing)) = (reading, writing) else {
        panic!("no connection in memory")
    };
    writing.write_all(&hello(&name)).await.unwrap();
    // READY, the first of what the server says.
    assert_ne!(reading.read_u32().await.unwrap(), 0);
    let left = Arc::new(AtomicUsize::new(0));
    let count = left.clone();
    tokio::spawn(async move {
        let message = fired(&name);
        for _ in 0..MESSAGES {
            writing.write_all(&message).await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
        }
        // The connection stays.
        core::future::pending::<()>().await;
        drop((reading, writing));
    });
    left
}

#[tokio::test(start_paused = true)]
async fn what_all_neighbours_have_waiting_stays_within_one_bound() {
    let limits = Limits { handlers: 4, waiting_total: TOTAL, ..Limits::default() };
    let network = MemoryNetwork::new();
    let server = builder("server", &network).limits(limits).root_url("memory://hub").start().await.unwrap();
    server.handle("test", "echo", echo);
    let gate = Arc::new(Semaphore::new(0));
    let (waiting, handled) = (gate.clone(), Arc::new(AtomicUsize::new(0)));
    let count = handled.clone();
    server.handle("test", "slow", move |_: Request| {
        let (gate, count) = (waiting.clone(), count.clone());
        async move {
            drop(gate.acquire().await);
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let site = builder("site-1", &network).root_url("memory://hub").start().await.unwrap();
    site.ready().await;

    let mut floods = Vec::new();
    for number in 0..FLOODS {
        floods.push(flood(network.clone(), format!("flood-{number}")).await);
    }
    let left = || floods.iter().map(|left| left.load(Ordering::Relaxed)).sum::<usize>();
    let bound = TOTAL + FLOODS * EACH;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let first = server.waiting_bytes();
    assert!((TOTAL..=bound).contains(&first), "{first} bytes wait");
    // The others are not read any further.
    assert!(left() < FLOODS * MESSAGES / 2, "{} messages have left", left());

    // Patience ends: what comes then is refused, and still no more waits.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(left(), FLOODS * MESSAGES);
    assert!(server.waiting_bytes() <= bound, "{} bytes wait", server.waiting_bytes());
    assert_eq!(handled.load(Ordering::Relaxed), 0);

    gate.close();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(server.waiting_bytes(), 0);
    let handled = handled.load(Ordering::Relaxed);
    assert!((first / SIZE / 2..FLOODS * MESSAGES).contains(&handled), "{handled} handled");
    let echoed = site.request("server", "test", "echo").direct().payload(b"still here".to_vec()).send().await.unwrap();
    assert_eq!(echoed.bytes(), "still here");
}

/// Handlers that keep up lose nothing, however little may wait.
#[tokio::test(start_paused = true)]
async fn a_small_bound_slows_neighbours_and_loses_nothing() {
    let limits = Limits { handlers: 4, waiting_total: 1, ..Limits::default() };
    let network = MemoryNetwork::new();
    let server = builder("server", &network).limits(limits).root_url("memory://hub").start().await.unwrap();
    let handled = Arc::new(AtomicUsize::new(0));
    let count = handled.clone();
    server.handle("test", "slow", move |_: Request| {
        let count = count.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    for number in 0..FLOODS {
        flood(network.clone(), format!("flood-{number}")).await;
    }
    // Four at a time, ten milliseconds each.
    tokio::time::sleep(Duration::from_millis(10) * u32::try_from(FLOODS * MESSAGES / 4 + 100).unwrap()).await;
    assert_eq!(handled.load(Ordering::Relaxed), FLOODS * MESSAGES);
    assert_eq!(server.waiting_bytes(), 0);
}
