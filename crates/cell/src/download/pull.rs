//! One download: the machine of the receiver, its requests, and whoever uses the pieces.

use core::future::Future;
use core::pin::Pin;
use core::task::Poll;
use std::collections::HashMap;

use bytes::Bytes;
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::download::body::{End, FromReceiver, FromSource};
use fedcell_cell_proto::download::consumer::{
    Arrived, Consumer, ConsumerConfig, ConsumerEvent, Lost, PullId, Transmit, Unusable,
};
use fedcell_cell_proto::stream::StreamError;
use fedcell_fobs::{Text, Value, decode};
use fedcell_protocol_defs::cell::{PayloadEncoding, ReturnCode};
use fedcell_protocol_defs::download::{Channel, Topic};
use fedcell_protocol_defs::stream::HeaderKey;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::error::FetchError;
use super::fetch::Progress;
use super::pieces::Piece;
use super::service::Downloads;
use super::sink::{Disk, NotTaken, Sink};
use super::spill::SpilledArray;
use crate::error::RequestError;
use crate::events::CellEvent;
use crate::handler::fobs_body;
use crate::request::{RequestDraft, Response};
use crate::stream::StreamDraft;

/// Pieces below this many bytes are used at once; others on a thread that may take its time.
const SMALL: u64 = 64 * 1024;

/// What of a reply is collected at most beside what goes to disk: arrays that the sender has not set aside, which are
/// below ten mebibytes in the reference, and as much again for the rest.
const COLLECTED: u64 = 24 * 1024 * 1024;

/// An object that is to be fetched.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) source: FqcnBuf,
    pub(super) ref_id: Text,
    pub(super) secure: bool,
}

enum Reply {
    Piece(Box<Piece>),
    End(End),
}

type Asked = Pin<Box<dyn Future<Output = Result<Reply, Lost>> + Send>>;
type Used<S> = JoinHandle<(S, Result<(), NotTaken>)>;

/// Tells the source if the download is dropped in the middle.
struct Running {
    downloads: Downloads,
    wanted: Wanted,
    consumer: Consumer,
    /// Why it failed, of which the first reason counts.
    failure: Option<FetchError>,
}

impl Running {
    fn tell(&self, body: FromReceiver) {
        let Wanted { source, secure, .. } = &self.wanted;
        let endpoint = self.downloads.endpoint();
        let (channel, topic) = (Channel::DOWNLOAD_SERVICE.as_str(), Topic::DOWNLOAD.as_str());
        let value = body.into_value();
        // Sent again until it is acknowledged: a source that never hears of it keeps what it offers until its timeout.
        let draft = StreamDraft::new(endpoint.clone(), source, channel, topic).reliable(true);
        let draft = draft.header(HeaderKey::PAYLOAD_ENCODING, PayloadEncoding::FOBS.as_str());
        let draft = if *secure { draft.sealed() } else { draft };
        endpoint.spawn(async move {
            if let Err(error) = send(draft, &value).await {
                tracing::debug!(error = &*error, "a source could not be told");
            }
        });
    }

    /// Tells the machine how a piece was taken. What the disk said ends the download, and is not the source's fault.
    fn handle_taken(&mut self, outcome: Result<(), NotTaken>) {
        let outcome = outcome.map_err(|why| match why {
            NotTaken::Unusable(reason) => reason,
            NotTaken::Disk(error) => {
                let reason = Unusable::Wrong(error.to_string().into());
                self.failure.get_or_insert(FetchError::Disk(error));
                reason
            }
        });
        self.consumer.handle_consumed(self.downloads.shared().now(), outcome);
    }

    fn failed(&self, reason: Text) -> FetchError {
        let Wanted { source, ref_id, .. } = self.wanted.clone();
        FetchError::Failed { source_cell: source, ref_id, reason }
    }
}

/// Sends a small object as a stream, and waits until it has been acknowledged.
async fn send(draft: StreamDraft, value: &Value) -> Result<(), Box<dyn core::error::Error + Send + Sync>> {
    let bytes = fobs_body(value)?.into_payload().into_bytes();
    let mut stream = draft.size(bytes.len() as u64).open()?;
    stream.send(bytes).await?;
    stream.finish().await?;
    Ok(())
}

impl Drop for Running {
    fn drop(&mut self) {
        self.consumer.cancel(Text::EMPTY);
        while let Some(transmit) = self.consumer.poll_transmit() {
            if let Transmit::Tell(body) = transmit {
                self.tell(body);
            }
        }
    }
}

/// Fetches an object into a sink, which is given back.
pub(super) async fn run<S: Sink>(
    downloads: Downloads,
    wanted: Wanted,
    config: ConsumerConfig,
    sink: S,
    progress: impl Fn(Progress) + Send,
) -> Result<S, FetchError> {
    let shared = downloads.shared();
    let mut gone = shared.watch_source(&wanted.source, &wanted.ref_id);
    let mut events = downloads.endpoint().subscribe();
    let consumer = Consumer::new(shared.now(), wanted.ref_id.clone(), config.clone());
    let mut it = Running { downloads: downloads.clone(), wanted: wanted.clone(), consumer, failure: None };
    let disk = sink.disk();
    let mut sink = Some(sink);
    let mut kept: HashMap<PullId, Box<Piece>> = HashMap::new();
    let mut asked: Vec<(PullId, Asked)> = Vec::new();
    let mut used: Option<Used<S>> = None;
    loop {
        while let Some(transmit) = it.consumer.poll_transmit() {
            match transmit {
                Transmit::Pull { id, body } => {
                    let draft = RequestDraft::new(
                        downloads.endpoint().clone(),
                        [&wanted.source],
                        Channel::DOWNLOAD_SERVICE.as_str(),
                        Topic::DOWNLOAD.as_str(),
                    );
                    let draft = draft.secure(wanted.secure).timeout(config.request_timeout).value(&body.into_value());
                    let future: Asked = match disk.clone() {
                        Some(disk) => Box::pin(ask_to_disk(draft, disk, config.digests)),
                        None => Box::pin(ask(draft)),
                    };
                    asked.push((id, future));
                }
                Transmit::Tell(body) => it.tell(body),
                _ => {}
            }
        }
        while let Some(event) = it.consumer.poll_event() {
            match event {
                ConsumerEvent::Consume(id) => {
                    // The machine names a piece once, and one at a time.
                    let (Some(piece), Some(mut own)) = (kept.remove(&id), sink.take()) else { continue };
                    if piece.len() < SMALL {
                        let outcome = own.piece(*piece);
                        sink = Some(own);
                        it.handle_taken(outcome);
                    } else {
                        used = Some(tokio::task::spawn_blocking(move || {
                            let outcome = own.piece(*piece);
                            (own, outcome)
                        }));
                    }
                    let (bytes, pieces) = (it.consumer.bytes(), it.consumer.pieces());
                    let Wanted { source, ref_id, .. } = wanted.clone();
                    progress(Progress { source, ref_id, bytes, pieces });
                }
                ConsumerEvent::Discard(id) => drop(kept.remove(&id)),
                ConsumerEvent::Abandon(id) => asked.retain(|(other, _)| *other != id),
                ConsumerEvent::Finish => {
                    let outcome = finish(&mut sink).await;
                    it.consumer.handle_finished(outcome.is_ok());
                    if let Err(error) = outcome {
                        it.failure.get_or_insert(FetchError::Disk(error));
                    }
                }
                ConsumerEvent::Retrying { reason, attempt, after } => {
                    let (source, reason) = (&wanted.source, reason.as_str());
                    tracing::info!(%source, attempt, ?after, reason, "asking for a piece again");
                }
                ConsumerEvent::Failed(reason) => {
                    let failed = it.failed(reason);
                    it.failure.get_or_insert(failed);
                }
                _ => {}
            }
        }
        if it.consumer.is_over() {
            // The confirmation.
            while let Some(Transmit::Tell(body)) = it.consumer.poll_transmit() {
                it.tell(body);
            }
            break;
        }
        let due = it.consumer.poll_timeout().map(|due| shared.instant(due));
        tokio::select! {
            (id, reply) = first(&mut asked) => {
                let now = shared.now();
                match reply {
                    Ok(Reply::End(end)) => it.consumer.handle_reply(now, id, Arrived::End(end)),
                    Ok(Reply::Piece(piece)) => {
                        let (state, ahead) = (piece.inner.state.clone(), piece.inner.ahead.clone());
                        let arrived = Arrived::Piece { state, ahead, bytes: piece.len(), cancels: piece.inner.cancels };
                        kept.insert(id, piece);
                        it.consumer.handle_reply(now, id, arrived);
                    }
                    Err(lost) => it.consumer.handle_failure(now, id, lost),
                }
            }
            outcome = async { match &mut used { Some(task) => task.await, None => core::future::pending().await } } => {
                used = None;
                // A sink that panicked is gone, and the download with it.
                let Ok((own, outcome)) = outcome else { return Err(FetchError::Cancelled) };
                sink = Some(own);
                it.handle_taken(outcome);
            }
            () = async { match due { Some(due) => tokio::time::sleep_until(due).await, None => core::future::pending().await } } => {
                it.consumer.handle_timeout(shared.now());
            }
            event = events.recv() => match event {
                Ok(CellEvent::PeerUp { .. }) => it.consumer.handle_reachable(),
                Err(RecvError::Closed) => return Err(FetchError::Cancelled),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
            },
            reason = async { gone.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone()) } => {
                it.consumer.cancel(reason.unwrap_or(Text::EMPTY));
            }
        }
    }
    let Wanted { source, ref_id, .. } = wanted;
    progress(Progress { source, ref_id, bytes: it.consumer.bytes(), pieces: it.consumer.pieces() });
    match (it.failure.take(), sink) {
        (None, Some(sink)) => Ok(sink),
        (Some(failure), _) => Err(failure),
        (None, None) => Err(FetchError::Cancelled),
    }
}

/// The first reply that is complete. Waits for ever if nothing has been asked for.
async fn first(asked: &mut Vec<(PullId, Asked)>) -> (PullId, Result<Reply, Lost>) {
    core::future::poll_fn(|context| {
        for at in 0..asked.len() {
            if let Poll::Ready(reply) = asked[at].1.as_mut().poll(context) {
                return Poll::Ready((asked.swap_remove(at).0, reply));
            }
        }
        Poll::Pending
    })
    .await
}

/// Lets the sink complete what it has, on a thread that may block.
async fn finish<S: Sink>(sink: &mut Option<S>) -> std::io::Result<()> {
    let Some(mut own) = sink.take() else { return Ok(()) };
    let finished = tokio::task::spawn_blocking(move || {
        let outcome = own.finish();
        (own, outcome)
    });
    let (own, outcome) = finished.await.map_err(std::io::Error::other)?;
    *sink = Some(own);
    outcome
}

/// What a request that brought nothing means.
fn lost(error: &RequestError) -> Lost {
    match (error, error.return_code()) {
        (RequestError::Stopped, _) => Lost::Refused("the cell has been shut down".into()),
        // Nor will it be smaller another time.
        (RequestError::Stream { error: error @ StreamError::TooLarge { .. }, .. }, _) => {
            Lost::Refused(error.to_string().into())
        }
        (_, ReturnCode::TIMEOUT) => Lost::TimedOut,
        (_, ReturnCode::COMM_ERROR | ReturnCode::TARGET_UNREACHABLE) => Lost::Unreachable,
        _ => Lost::Refused(error.to_string().into()),
    }
}

/// What a return code that is not ok means.
fn refused(code: ReturnCode<'_>) -> Option<Lost> {
    match code {
        ReturnCode::OK => None,
        ReturnCode::TIMEOUT => Some(Lost::TimedOut),
        ReturnCode::COMM_ERROR | ReturnCode::TARGET_UNREACHABLE => Some(Lost::Unreachable),
        other => Some(Lost::Refused(format!("the source answered {}", other.as_str()).into())),
    }
}

fn reply(body: Value, on_disk: Vec<super::pieces::OnDisk>) -> Result<Reply, Lost> {
    match FromSource::parse(body) {
        Ok(FromSource::Piece(inner)) => Ok(Reply::Piece(Box::new(Piece { inner, on_disk }))),
        Ok(FromSource::End(end)) => Ok(Reply::End(end)),
        Ok(_) => Err(Lost::Refused("the source answers what nobody knows".into())),
        Err(error) => Err(Lost::Refused(error.to_string().into())),
    }
}

/// Asks for a piece and collects it.
async fn ask(draft: RequestDraft) -> Result<Reply, Lost> {
    let response: Response = draft.send().await.map_err(|error| lost(&error))?;
    if let Some(lost) = refused(response.return_code()) {
        return Err(lost);
    }
    let body = response.value().map_err(|error| Lost::Refused(error.to_string().into()))?;
    reply(body, Vec::new())
}

/// Asks for a piece and lets large archives go to disk while they arrive.
async fn ask_to_disk(draft: RequestDraft, disk: Disk, digests: bool) -> Result<Reply, Lost> {
    let mut reader = draft.receive().await.map_err(|error| lost(&error))?;
    if let Some(lost) = refused(reader.return_code()) {
        return Err(lost);
    }
    // A few chunks, so that a disk that is slower than the network holds the sender up and not memory.
    let (sender, receiver) = mpsc::channel(4);
    let writer = tokio::task::spawn_blocking(move || write(receiver, &disk, digests));
    let outcome = loop {
        match reader.chunk().await {
            Ok(Some(chunk)) => {
                if sender.send(chunk).await.is_err() {
                    break Ok(());
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(lost(&error)),
        }
    };
    drop(sender);
    outcome?;
    writer.await.map_err(|_| Lost::Refused("the reply could not be kept".into()))?
}

/// Takes chunks until there are no more.
fn write(mut chunks: mpsc::Receiver<Bytes>, disk: &Disk, digests: bool) -> Result<Reply, Lost> {
    use fedcell_cell_proto::download::archive::Part;
    use fedcell_cell_proto::download::rising::{Risen, RisingReply};
    let mut rising = RisingReply::new(disk.above, disk.above.max(COLLECTED) + COLLECTED, digests);
    let mut on_disk = Vec::new();
    let mut current: Option<(Text, SpilledArray)> = None;
    let mut at = 0;
    let mut failed = None;
    while let Some(chunk) = chunks.blocking_recv() {
        let pushed = rising.push(chunk, &mut |risen| match risen {
            Risen::Part(Part::Begins { item, layout }) => {
                at = disk.allocate(layout.data_len().unwrap_or_default() as u64);
                current = Some((item, SpilledArray::new(layout, disk.file.clone(), at)));
            }
            Risen::Part(Part::Elements(bytes)) => {
                if let Err(error) = disk.file.write_at(&bytes, at) {
                    failed = Some(error);
                }
                at += bytes.len() as u64;
            }
            Risen::Archive { datum, digest, length } => {
                let taken = current.take();
                on_disk.extend(taken.map(|(item, array)| super::pieces::OnDisk { datum, item, array, digest, length }));
            }
            _ => {}
        });
        // Damage is found again when the piece is asked for again; a disk that fails, fails for good.
        pushed.map_err(|_| Lost::TimedOut)?;
        if let Some(error) = failed {
            return Err(Lost::Refused(error.to_string().into()));
        }
    }
    let collected = rising.finish().map_err(|_| Lost::Unreachable)?;
    let body = decode(&collected).map_err(|error| Lost::Refused(error.to_string().into()))?;
    reply(body, on_disk)
}
