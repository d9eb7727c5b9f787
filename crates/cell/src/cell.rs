//! A running cell, as its user sees it.

use core::fmt;
use std::path::Path;
use std::sync::Arc;

use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::filter::{Filter, FilterContext, Place};
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::node::DropCounts;
use fedcell_cell_proto::request::{Failure, Outgoing, Reply, RequestId};
use fedcell_cell_proto::transit::AttachCredential;
use fedcell_protocol_defs::cell::Wildcard;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::backbone::{ConnectorInfo, ConnectorUse, Planned};
use crate::builder::CellBuilder;
use crate::download::Downloads;
use crate::endpoint::{Endpoint, Waiter};
use crate::error::{RequestError, StartError};
use crate::events::Events;
use crate::handler::Handler;
use crate::reply_to::ReplyTo;
use crate::request::{BroadcastDraft, EachDraft, FireDraft, RequestDraft, Target};
use crate::stream::{Desk, FileDraft, StreamDraft, StreamHandler};

/// A running cell. Clones are the same cell.
///
/// It ends with [`shutdown`](Self::shutdown), orderly, or abruptly when the last clone that its user holds is dropped.
#[derive(Clone)]
pub struct Cell {
    endpoint: Endpoint,
    /// What the user holds; a cell that a handler gets has none.
    _guard: Option<Arc<Guard>>,
}

/// Ends the cell when the last user lets go.
#[derive(Debug)]
struct Guard {
    endpoint: Endpoint,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.endpoint.stop();
    }
}

impl Cell {
    /// Begins to describe the cell with this address.
    pub fn builder(address: impl Into<String>) -> CellBuilder {
        CellBuilder::new(address)
    }

    /// The cell as its user holds it.
    pub(crate) fn held(endpoint: Endpoint) -> Self {
        let guard = Some(Arc::new(Guard { endpoint: endpoint.clone() }));
        Self { endpoint, _guard: guard }
    }

    /// The same cell for a handler or a task of the cell, which must not keep it running.
    pub(crate) const fn of(endpoint: Endpoint) -> Self {
        Self { endpoint, _guard: None }
    }

    pub(crate) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether `other` is a clone of this cell, and not another one of the same address.
    #[must_use]
    pub fn is_clone_of(&self, other: &Self) -> bool {
        self.endpoint.is_same(&other.endpoint)
    }

    /// The cell's address.
    #[must_use]
    pub fn address(&self) -> Fqcn<'_> {
        self.endpoint.address()
    }

    /// The time by this cell's clock: the system's at its start, going on evenly from there.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.endpoint.now()
    }

    /// Begins a request to one cell.
    pub fn request(&self, target: impl Target, channel: impl AsRef<str>, topic: impl AsRef<str>) -> RequestDraft {
        RequestDraft::new(self.endpoint.clone(), [target], channel.as_ref(), topic.as_ref())
    }

    /// Begins a request to several cells at once.
    pub fn broadcast<T: Target>(
        &self,
        targets: impl IntoIterator<Item = T>,
        channel: impl AsRef<str>,
        topic: impl AsRef<str>,
    ) -> BroadcastDraft {
        BroadcastDraft::new(self.endpoint.clone(), targets, channel.as_ref(), topic.as_ref())
    }

    /// Begins requests to several cells at once, each with a body of its own.
    pub fn request_each(&self, channel: impl AsRef<str>, topic: impl AsRef<str>) -> EachDraft {
        EachDraft::new(self.endpoint.clone(), channel.as_ref(), topic.as_ref())
    }

    /// Begins a message to one cell to which no reply is expected.
    pub fn fire(&self, target: impl Target, channel: impl AsRef<str>, topic: impl AsRef<str>) -> FireDraft {
        FireDraft::new(self.endpoint.clone(), [target], channel.as_ref(), topic.as_ref())
    }

    /// Begins a message to several cells to which no reply is expected.
    pub fn fire_all<T: Target>(
        &self,
        targets: impl IntoIterator<Item = T>,
        channel: impl AsRef<str>,
        topic: impl AsRef<str>,
    ) -> FireDraft {
        FireDraft::new(self.endpoint.clone(), targets, channel.as_ref(), topic.as_ref())
    }

    /// Registers a handler; either word may be [`Wildcard::ANY`](fedcell_protocol_defs::cell::Wildcard::ANY). It takes
    /// the place of what was registered under exactly these words.
    pub fn handle(&self, channel: impl AsRef<str>, topic: impl AsRef<str>, handler: impl Handler) {
        self.endpoint.handlers().add(channel.as_ref(), topic.as_ref(), Arc::new(handler));
    }

    /// Registers a handler that reads streams as they come; either word may be
    /// [`Wildcard::ANY`](fedcell_protocol_defs::cell::Wildcard::ANY). It goes before a handler of requests, which would
    /// get the stream when it is complete.
    pub fn handle_stream(&self, channel: impl AsRef<str>, topic: impl AsRef<str>, handler: impl StreamHandler) {
        self.endpoint.handlers().add_stream(channel.as_ref(), topic.as_ref(), Arc::new(handler));
    }

    /// Begins a stream to a cell, which takes it with [`handle_stream`](Self::handle_stream), or with
    /// [`handle`](Self::handle) as a request without a reply.
    pub fn open_stream(&self, target: impl Target, channel: impl AsRef<str>, topic: impl AsRef<str>) -> StreamDraft {
        StreamDraft::new(self.endpoint.clone(), target, channel.as_ref(), topic.as_ref())
    }

    /// Sends a file to a cell, which takes it with [`handle_stream`](Self::handle_stream) and
    /// [`StreamReader::into_file`](crate::stream::StreamReader::into_file).
    pub fn send_file(
        &self,
        target: impl Target,
        channel: impl AsRef<str>,
        topic: impl AsRef<str>,
        path: impl AsRef<Path>,
    ) -> FileDraft {
        FileDraft::new(self.open_stream(target, channel, topic), path.as_ref())
    }

    /// The cell's download service.
    #[must_use]
    pub fn downloads(&self) -> Downloads {
        Downloads::new(self.endpoint.clone())
    }

    /// Takes out the handler registered under exactly these words. Whether there was one.
    pub fn remove_handler(&self, channel: impl AsRef<str>, topic: impl AsRef<str>) -> bool {
        self.endpoint.handlers().remove(channel.as_ref(), topic.as_ref())
    }

    /// Adds a filter behind those that stand there for exactly these words.
    pub fn filter(
        &self,
        place: Place,
        channel: impl AsRef<str>,
        topic: impl AsRef<str>,
        filter: impl Filter + 'static,
    ) {
        let filter = Arc::new(filter);
        self.endpoint.drive(|core, _| {
            core.node.exchange_mut().filters_mut().add(place, channel.as_ref(), topic.as_ref(), filter);
        });
    }

    /// Has this cell's requests, and the replies that the server looks at, show a credential: none before the filter has
    /// one, and the one that it has then.
    pub fn show_credential(&self, attach: &Arc<AttachCredential>) {
        let any = Wildcard::ANY.as_str();
        for place in [Place::OutgoingRequest, Place::OutgoingReply] {
            let attach = Arc::clone(attach);
            self.filter(place, any, any, move |context: &FilterContext<'_>, message: &mut Message| {
                attach.judge(context, message)
            });
        }
    }

    /// Answers a request whose handler answered nothing at the time.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the reply cannot go out now.
    ///
    /// # Cancel safety
    ///
    /// The reply is sent by the first poll; the rest is a wait while the connection has more to send than it should.
    pub async fn reply(&self, reply_to: &ReplyTo, reply: Reply) -> Result<(), RequestError> {
        self.endpoint.answer(reply_to, reply).await
    }

    /// Connects to another root from now on: connections to cells on the server are closed, and `url` is dialled. Nothing
    /// happens on the server, in a cell that does not dial the server itself, or if that is the root already.
    ///
    /// # Errors
    ///
    /// [`StartError`] if the URL cannot be used.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done may leave the cell without a root.
    pub async fn change_root(&self, url: &str) -> Result<(), StartError> {
        let backbone = self.endpoint.backbone();
        let is_root = |info: &ConnectorInfo| info.purpose == ConnectorUse::RootConnector;
        let roots: Vec<_> = backbone.connectors().into_iter().filter(is_root).collect();
        if self.address().is_on_server() || roots.is_empty() || roots.iter().any(|root| root.url == url) {
            return Ok(());
        }
        backbone.remove(|info| match &info.purpose {
            // A cell on the old server is not to be dialled again.
            ConnectorUse::AdhocConnector(peer) => peer.as_fqcn().is_on_server(),
            _ => is_root(info),
        });
        self.endpoint.close_connections(|peer| peer.is_some_and(|peer| peer.as_fqcn().is_on_server()));
        let planned = Planned { purpose: ConnectorUse::RootConnector, url: url.to_owned(), security: None };
        backbone.start(&self.endpoint, planned).await
    }

    /// Answers several requests of one cell with one reply. `about` gives channel, topic and flags.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the reply cannot go out now.
    pub fn reply_to_several(
        &self,
        target: &FqcnBuf,
        ids: &[RequestId],
        reply: Reply,
        about: &Outgoing,
    ) -> Result<(), Failure> {
        self.endpoint.drive(|core, now| core.node.exchange_mut().send_delayed_reply(now, target, ids, reply, about)).0
    }

    /// Waits until the backbone stands: the server listens, a site has the server, a child its parent.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn ready(&self) {
        self.endpoint.until(|endpoint| endpoint.backbone().is_ready(endpoint)).await;
    }

    /// Whether the backbone stands.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.endpoint.backbone().is_ready(&self.endpoint)
    }

    /// Waits until that cell is a neighbour.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn connected(&self, peer: Fqcn<'_>) {
        self.endpoint.until(|endpoint| endpoint.is_connected(peer)).await;
    }

    /// The neighbours to which messages are routed, in no order.
    #[must_use]
    pub fn peers(&self) -> Vec<FqcnBuf> {
        self.endpoint.inspect(|node| node.exchange().neighbours().map(|(name, _)| name.clone()).collect())
    }

    /// What happens to the cell's connections from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.endpoint.subscribe(), self.endpoint.cancel().clone())
    }

    /// Listeners and connectors, with the addresses that were really bound.
    #[must_use]
    pub fn connectors(&self) -> Vec<ConnectorInfo> {
        self.endpoint.backbone().connectors()
    }

    /// Messages that came and went no further, by reason.
    #[must_use]
    pub fn drops(&self) -> DropCounts {
        self.endpoint.inspect(|node| node.exchange().drops())
    }

    /// Requests of this cell that have neither a reply nor an end yet.
    #[must_use]
    pub fn waiting_requests(&self) -> usize {
        let streamed = self.endpoint.inspect_streams(Desk::open_calls);
        streamed + self.endpoint.inspect(|node| node.exchange().pending_requests())
    }

    /// Streams that go out and streams that come in now, and the bytes of those that are being collected for handlers and
    /// callers.
    #[must_use]
    pub fn streams(&self) -> (usize, usize, u64) {
        self.endpoint.inspect_streams(Desk::counts)
    }

    /// Connections of peers that are not known yet, and how many of them had to give way to others so far.
    #[must_use]
    pub fn unknown_peers(&self) -> (usize, u64) {
        self.endpoint.admission().counts()
    }

    /// Bytes that wait to leave on all connections; see [`Limits::outgoing_total`](crate::Limits::outgoing_total).
    #[must_use]
    pub fn outgoing_bytes(&self) -> usize {
        self.endpoint.outgoing_bytes()
    }

    /// Bytes of requests that wait for their handlers, of all neighbours.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.endpoint.waiting_bytes()
    }

    /// Completes when the cell has been ended, by whoever.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn ended(&self) {
        self.endpoint.cancel().cancelled().await;
    }

    /// Waits until what this cell streams, and passes on of the streams of others, has left, for a message that must not
    /// overtake it. Streams that begin meanwhile are waited for, too; chunks of others that come meanwhile are not.
    ///
    /// It takes as long as something moves: a slow reader or connection is waited for, one that takes nothing is not.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn drained(&self) {
        self.endpoint.drained().await;
    }

    /// Says goodbye to all neighbours, lets handlers and queued frames finish, and ends the cell.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves the cell running in whatever stage it was; call it again.
    pub async fn shutdown(&self) {
        let limits = self.endpoint.limits();
        self.endpoint.backbone().remove(|_| true);
        // Neighbours that know of the goodbye acknowledge nothing any more: what is streamed, replies that handlers are
        // still making among it, has to be there before.
        self.endpoint.drained().await;
        let (sender, receiver) = oneshot::channel();
        let (is_said, _) = self.endpoint.drive(|core, now| {
            let id = core.node.exchange_mut().goodbye(now);
            id.map(|id| core.wait(id, Waiter::All { outcomes: Vec::new(), sender })).is_some()
        });
        if is_said {
            // Answers are a courtesy.
            let _ = timeout(limits.goodbye, receiver).await;
        }
        let _ = timeout(limits.drain, self.endpoint.idle()).await;
        self.endpoint.close_connections(|_| true);
        let _ = timeout(limits.drain, self.endpoint.connections_gone()).await;
        self.endpoint.stop();
        self.endpoint.finished().await;
    }

    /// Ends the cell at once and without a goodbye, as the death of its process would: what waits to leave is lost,
    /// handlers are dropped where they are.
    pub fn kill(&self) {
        self.endpoint.stop();
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").field("address", &self.address().as_str()).finish_non_exhaustive()
    }
}
