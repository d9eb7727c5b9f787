//! The accept loop: it takes connections as fast as the system completes them and never waits for a peer.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::admission::{Admission, Slot};
use super::facts::{Facts, Side};
use super::memory::MemoryListener;
use super::stream::{Link, shown};
use super::tcp::{TcpListener, tune};
use super::transport::TransportKind;
use crate::security::{SecurityMode, TlsServer};

/// How long the loop rests when the system gives it no descriptor.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(20);

/// A bound listener.
#[derive(Debug)]
pub(crate) enum Accepting {
    Tcp(TcpListener),
    Memory(MemoryListener),
}

/// What a listener gives to each of its connections.
#[derive(Debug)]
pub(crate) struct AcceptContext {
    pub(crate) url: Arc<str>,
    pub(crate) security: SecurityMode,
    pub(crate) tls: Option<TlsServer>,
    pub(crate) admin_listener: bool,
    pub(crate) admission: Admission,
    pub(crate) handshake_timeout: Duration,
}

/// Accepts until it is dropped. `start` gets each connection whose transport is ready; it must not block.
///
/// A TLS handshake runs in a task of its own, with a deadline and a place among the unknown peers; the place is handed on
/// with the connection, for the handshake of the frames.
pub(crate) async fn accept_loop<F>(listener: Accepting, context: Arc<AcceptContext>, start: F)
where
    F: Fn(Link, Facts, Slot) + Clone + Send + Sync + 'static,
{
    match listener {
        Accepting::Tcp(listener) => accept_tcp(&listener, &context, &start).await,
        Accepting::Memory(mut listener) => loop {
            let stream = listener.accept().await;
            let slot = context.admission.admit(IpAddr::V4(Ipv4Addr::LOCALHOST));
            let facts = Facts {
                side: Side::Accepted,
                transport: TransportKind::Memory,
                security: SecurityMode::Clear,
                identity: None,
                expected: None,
                local_address: context.url.to_string(),
                peer_address: context.url.to_string(),
                url: context.url.clone(),
                admin_listener: context.admin_listener,
            };
            start(Link::memory(stream), facts, slot);
        },
    }
}

async fn accept_tcp<F>(listener: &TcpListener, context: &Arc<AcceptContext>, start: &F)
where
    F: Fn(Link, Facts, Slot) + Clone + Send + Sync + 'static,
{
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) if is_of_the_peer(&error) => continue,
            Err(error) => {
                tracing::warn!(url = %context.url, %error, "cannot accept, closing the oldest unknown peer");
                context.admission.make_room();
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
                continue;
            }
        };
        let slot = context.admission.admit(address.ip());
        let facts = Facts {
            side: Side::Accepted,
            transport: TransportKind::Tcp,
            security: context.security,
            identity: None,
            expected: None,
            local_address: shown(stream.local_addr()),
            peer_address: address.to_string(),
            url: context.url.clone(),
            admin_listener: context.admin_listener,
        };
        if let Err(error) = tune(&stream) {
            tracing::debug!(peer = %address, %error, "the peer was gone before it was greeted");
            continue;
        }
        if context.tls.is_none() {
            start(Link::clear(stream), facts, slot);
        } else {
            tokio::spawn(protect(stream, facts, slot, context.clone(), start.clone()));
        }
    }
}

/// The TLS handshake of one connection, bounded in time; gives way when its place is needed.
async fn protect<F>(stream: TcpStream, mut facts: Facts, slot: Slot, context: Arc<AcceptContext>, start: F)
where
    F: Fn(Link, Facts, Slot),
{
    let Some(tls) = &context.tls else { return };
    let outcome = tokio::select! {
        outcome = timeout(context.handshake_timeout, tls.handshake(stream)) => outcome,
        () = slot.evicted() => {
            tracing::debug!(peer = %facts.peer_address, "gave its place to another while its TLS handshake hung");
            return;
        }
    };
    match outcome {
        Ok(Ok((stream, identity))) => {
            facts.identity = identity;
            start(Link::protected(stream), facts, slot);
        }
        Ok(Err(error)) => tracing::debug!(peer = %facts.peer_address, %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(peer = %facts.peer_address, "TLS handshake took too long"),
    }
}

/// The connection was gone before we took it; the listener itself is well.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
