//! A tap between a client and its server, which counts the bytes of a request and of its reply.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::json;

use super::column::{Column, Overhead, Peer, dialler, listener};

/// Payload of the requests that are counted.
const PAYLOAD: usize = 64;
const REQUESTS: usize = 200;

/// Bytes that `column` adds to the payload of a request and of a reply, the mean of some.
///
/// # Errors
///
/// If its peers cannot be started or do not answer.
pub fn overhead(column: Column) -> anyhow::Result<Overhead> {
    let server = Peer::start(column, &listener("server", None, Overhead::default())?)?;
    let tap = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("tcp://{}", tap.local_addr()?);
    let (up, down) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (Arc::clone(&up), Arc::clone(&down));
    let target = server.url.trim_start_matches("tcp://").to_owned();
    std::thread::spawn(move || -> std::io::Result<()> {
        let (client, _) = tap.accept()?;
        let server = TcpStream::connect(target)?;
        pump(client.try_clone()?, server.try_clone()?, counters.0);
        pump(server, client, counters.1);
        Ok(())
    });
    let mut client = Peer::start(column, &dialler("site-1", &url, false, None, Overhead::default()))?;
    let mut ask = |count: usize| client.ask(&json!({"do": "round_trip", "size": PAYLOAD, "count": count}));
    ask(1)?;
    let before = (up.load(Ordering::SeqCst), down.load(Ordering::SeqCst));
    ask(REQUESTS)?;
    let mean = |counter: &AtomicUsize, before| (counter.load(Ordering::SeqCst) - before) / REQUESTS - PAYLOAD;
    Ok(Overhead { request: mean(&up, before.0), reply: mean(&down, before.1) })
}

fn pump(mut from: TcpStream, mut to: TcpStream, counter: Arc<AtomicUsize>) {
    std::thread::spawn(move || -> std::io::Result<()> {
        let _ = to.set_nodelay(true);
        let mut buffer = [0; 64 << 10];
        loop {
            let length = from.read(&mut buffer)?;
            counter.fetch_add(length, Ordering::SeqCst);
            if length == 0 {
                return to.shutdown(Shutdown::Write);
            }
            to.write_all(&buffer[..length])?;
        }
    });
}
