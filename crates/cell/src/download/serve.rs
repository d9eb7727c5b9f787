//! The handlers of both topics.

use std::sync::Arc;

use fedcell_cell_proto::download::body::{FromReceiver, FromSource, Piece, Pull};
use fedcell_cell_proto::download::failure::SourceFailure;
use fedcell_cell_proto::download::source::{Plan, Production, PullAnswer};
use fedcell_cell_proto::request::Reply;
use fedcell_cell_proto::stream::StreamHead;
use fedcell_fobs::Map;
use fedcell_protocol_defs::cell::ReturnCode;
use fedcell_protocol_defs::download::{Channel, Topic};

use super::batch::{Batch, Part, Produced};
use super::from_disk;
use super::service::Downloads;
use crate::cell::Cell;
use crate::handler::{Answer, HandlerError, Request, fobs_body};

/// Lets the cell serve what it offers, and hear of sources that are gone.
pub(crate) fn answer(cell: &Cell) {
    cell.handle(Channel::DOWNLOAD_SERVICE, Topic::DOWNLOAD, download);
    cell.handle(Channel::DOWNLOAD_SERVICE, Topic::SOURCE_FAILURE, source_failure);
}

async fn download(request: Request) -> Result<Answer, HandlerError> {
    let downloads = request.cell().downloads();
    let body = FromReceiver::parse(request.value()?);
    let body = body.map_err(|error| HandlerError::invalid_request(error.to_string()))?;
    let shared = downloads.shared();
    match body {
        FromReceiver::Pull(pull) => pulled(&downloads, &request, pull).await,
        FromReceiver::Confirm(confirm) => {
            let is_accepted = shared.drive(|source, now| source.handle_confirm(now, request.origin(), &confirm));
            tracing::debug!(origin = %request.origin(), is_accepted, "a receiver confirms");
            Ok(empty().into())
        }
        FromReceiver::Cancel { ref_id } => {
            shared.drive(|source, now| source.handle_cancel(now, request.origin(), &ref_id));
            Ok(empty().into())
        }
        _ => Err(HandlerError::invalid_request("")),
    }
}

async fn source_failure(request: Request) -> Result<Reply, HandlerError> {
    let failure = SourceFailure::parse(request.origin(), &request.value()?);
    let failure = failure.map_err(|error| HandlerError::invalid_request(error.to_string()))?;
    tracing::warn!(source = %failure.source, reason = failure.reason.as_str(), "a source of downloads is gone");
    request.cell().downloads().shared().source_failed(&failure);
    Ok(empty())
}

fn empty() -> Reply {
    Reply::ok(fedcell_cell_proto::request::Body::none())
}

fn reply(body: FromSource) -> Result<Answer, HandlerError> {
    Ok(fobs_body(&body.into_value())?.into())
}

async fn pulled(downloads: &Downloads, request: &Request, pull: Pull) -> Result<Answer, HandlerError> {
    let shared = downloads.shared();
    let nonce = shared.random();
    match shared.drive(|source, now| source.handle_pull(now, request.origin(), &pull, nonce)) {
        PullAnswer::End(end) => reply(FromSource::End(end)),
        PullAnswer::Broken => Err(HandlerError::new(ReturnCode::PROCESS_EXCEPTION, "")),
        PullAnswer::Produce(production) => {
            let batch = shared.batch(production.transaction, &production.ref_id);
            let batch = batch.ok_or_else(|| HandlerError::invalid_request(""))?;
            if let Plan::Items { first, count, state } = &production.plan
                && let Some(head) = request.reply_to().of_stream()
                && batch.large_on_disk(*first, *count).is_some()
            {
                return from_disk(downloads, head, batch, &production, *first, state, pull.digests).await;
            }
            produce(downloads, batch, production, pull.digests).await
        }
        _ => Err(HandlerError::invalid_request("")),
    }
}

/// Sends an array that is on disk while it is read from there.
async fn from_disk(
    downloads: &Downloads,
    request: &StreamHead,
    batch: Arc<Batch>,
    production: &Production,
    at: usize,
    state: &Map,
    digests: bool,
) -> Result<Answer, HandlerError> {
    let (state, ahead) = (state.clone(), production.ahead.clone());
    let made = tokio::task::spawn_blocking(move || {
        let item = batch.large_on_disk(at, 1)?;
        let elements = item.on_disk()?.clone();
        Some(from_disk::around(item, state, ahead, digests).map(|around| (around, elements)))
    });
    let (around, elements) = made.await?.ok_or_else(|| HandlerError::invalid_request(""))??;
    // The stream is the reply: whatever becomes of it, there is no other.
    if let Err(error) = from_disk::send(downloads, request, production, around, &elements).await {
        tracing::debug!(receiver = %production.receiver, ?error, "an array on disk was not sent");
    }
    Ok(Answer::Nothing)
}

/// Makes a part, off the threads that serve others if it may take time.
async fn produce(
    downloads: &Downloads,
    batch: Arc<Batch>,
    production: Production,
    digests: bool,
) -> Result<Answer, HandlerError> {
    let shared = downloads.shared();
    let is_quick = batch.is_quick(&production.plan, digests);
    let ((data, digests), state) = match production.plan.clone() {
        Plan::Items { first, count, state } => {
            let source = batch.clone();
            let part = run(is_quick, move || source.items(first, count, digests)).await?;
            prepare(batch, first + count, part.0.len() as u64, digests);
            (part, state)
        }
        Plan::Bytes { offset, length, state } => {
            (run(is_quick, move || batch.bytes(offset, length, digests)).await?, state)
        }
        Plan::Ask { state } => {
            let receiver = production.receiver.clone();
            let made = tokio::task::spawn_blocking(move || match batch.as_ref() {
                Batch::Other(producer) => producer.produce(state.as_ref(), receiver.as_fqcn()),
                _ => Ok(Produced::Failed),
            });
            match made.await {
                Ok(Ok(Produced::Piece { data, state })) => {
                    // A list of byte strings and a byte string have digests; what else an application sends has none.
                    let (data, ahead) = (content(data), Vec::new());
                    let body = FromSource::Piece(Piece { state, ahead, data, digests: None, cancels: true });
                    shared.drive(|source, now| source.handle_produced(now, &production, 0));
                    return reply(body);
                }
                Ok(Ok(ended)) => {
                    let (is_complete, nonce) = (ended == Produced::Complete, shared.random());
                    let end = shared.drive(|source, now| source.handle_end(now, &production, is_complete, nonce));
                    return reply(FromSource::End(end));
                }
                Ok(Err(error)) => {
                    tracing::warn!(error = error.as_ref() as &dyn core::error::Error, "a producer failed");
                    return Err(HandlerError::new(ReturnCode::PROCESS_EXCEPTION, ""));
                }
                Err(_) => return Err(HandlerError::new(ReturnCode::PROCESS_EXCEPTION, "")),
            }
        }
        _ => return Err(HandlerError::new(ReturnCode::PROCESS_EXCEPTION, "")),
    };
    let bytes = data.len() as u64;
    shared.drive(|source, now| source.handle_produced(now, &production, bytes));
    reply(FromSource::Piece(Piece { state, ahead: production.ahead, data, digests, cancels: true }))
}

/// Makes the sums of what will be asked for next while this piece is on its way.
fn prepare(batch: Arc<Batch>, from: usize, bytes: u64, digests: bool) {
    if batch.is_worth_preparing(from, bytes, digests) {
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = batch.prepare(from, bytes, digests) {
                tracing::debug!(%error, "the next piece cannot be prepared");
            }
        }));
    }
}

fn content(data: fedcell_fobs::Value) -> fedcell_cell_proto::download::body::Content {
    use fedcell_cell_proto::download::body::Content;
    match data {
        fedcell_fobs::Value::Bytes(bytes) => Content::Bytes(bytes),
        other => Content::Other(other),
    }
}

async fn run(
    is_quick: bool,
    make: impl FnOnce() -> std::io::Result<Part> + Send + 'static,
) -> Result<Part, HandlerError> {
    if is_quick {
        return Ok(make()?);
    }
    match tokio::task::spawn_blocking(make).await {
        Ok(made) => Ok(made?),
        Err(_) => Err(HandlerError::new(ReturnCode::PROCESS_EXCEPTION, "")),
    }
}
