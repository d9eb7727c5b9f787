//! The in-memory transport: cells of one process that meet without a socket.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use super::stream::Link;

/// Bytes that one direction of a pipe holds before its writer waits.
const PIPE_CAPACITY: usize = 256 * 1024;

/// Dialled connections that wait for the listener to take them.
const BACKLOG: usize = 128;

/// The namespace of in-memory listeners: cells that share a clone can reach each other.
#[derive(Debug, Clone, Default)]
pub struct MemoryNetwork {
    listeners: Arc<Mutex<HashMap<String, mpsc::Sender<DuplexStream>>>>,
}

impl MemoryNetwork {
    /// An empty network.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes `name` until the listener is dropped.
    pub(crate) fn listen(&self, name: &str) -> io::Result<MemoryListener> {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if listeners.get(name).is_some_and(|taken| !taken.is_closed()) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (sender, receiver) = mpsc::channel(BACKLOG);
        listeners.insert(name.to_owned(), sender);
        Ok(MemoryListener { receiver })
    }

    /// Connects to the listener called `name`.
    pub(crate) async fn dial(&self, name: &str) -> io::Result<Link> {
        let listener = self.listeners.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let listener = listener.ok_or(io::ErrorKind::ConnectionRefused)?;
        let (ours, theirs) = tokio::io::duplex(PIPE_CAPACITY);
        listener.send(theirs).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(Link::memory(ours))
    }
}

/// A name that is listened on.
#[derive(Debug)]
pub(crate) struct MemoryListener {
    receiver: mpsc::Receiver<DuplexStream>,
}

impl MemoryListener {
    /// The next connection; never ends while the listener lives.
    pub(crate) async fn accept(&mut self) -> DuplexStream {
        match self.receiver.recv().await {
            Some(stream) => stream,
            // The network keeps the sender until somebody takes the name, which nobody can while we hold it.
            None => core::future::pending().await,
        }
    }
}
