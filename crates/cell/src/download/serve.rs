//! The handlers of both topics.

use std::sync::Arc;

use fedcell_cell_proto::download::body::{FromReceiver, FromSource, Piece, Pull};
use fedcell_cell_proto::download::failure::SourceFailure;
use fedcell_cell_proto::download::source::{Plan, Production, PullAnswer};
use fedcell_cell_proto::request::Reply;
use fedcell_protocol_defs::cell::ReturnCode;
use fedcell_protocol_defs::download::{Channel, Topic};

use super::batch::{Batch, Part, Produced};
use super::service::Downloads;
use crate::cell::Cell;
use crate::handler::{HandlerError, Request, fobs_body};

/// Lets the cell serve what it offers, and hear of sources that are gone.
pub(crate) fn answer(cell: &Cell) {
    cell.handle(Channel::DOWNLOAD_SERVICE, Topic::DOWNLOAD, download);
    cell.handle(Channel::DOWNLOAD_SERVICE, Topic::SOURCE_FAILURE, source_failure);
}

async fn download(request: Request) -> Result<Reply, HandlerError> {
    let downloads = request.cell().downloads();
    let body = FromReceiver::parse(request.value()?);
    let body = body.map_err(|error| HandlerError::invalid_request(error.to_string()))?;
    let shared = downloads.shared();
    match body {
        FromReceiver::Pull(pull) => pulled(&downloads, &request, pull).await,
        FromReceiver::Confirm(confirm) => {
            let is_accepted = shared.drive(|source, now| source.handle_confirm(now, request.origin(), &confirm));
            tracing::debug!(origin = %request.origin(), is_accepted, "a receiver confirms");
            Ok(empty())
        }
        FromReceiver::Cancel { ref_id } => {
            shared.drive(|source, now| source.handle_cancel(now, request.origin(), &ref_id));
            Ok(empty())
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

fn reply(body: FromSource) -> Result<Reply, HandlerError> {
    Ok(Reply::ok(fobs_body(&body.into_value())?))
}

async fn pulled(downloads: &Downloads, request: &Request, pull: Pull) -> Result<Reply, HandlerError> {
    let shared = downloads.shared();
    let nonce = shared.random();
    match shared.drive(|source, now| source.handle_pull(now, request.origin(), &pull, nonce)) {
        PullAnswer::End(end) => reply(FromSource::End(end)),
        PullAnswer::Broken => Err(HandlerError::new(ReturnCode::PROCESS_EXCEPTION, "")),
        PullAnswer::Produce(production) => {
            let batch = shared.batch(production.transaction, &production.ref_id);
            let batch = batch.ok_or_else(|| HandlerError::invalid_request(""))?;
            produce(downloads, batch, production, pull.digests).await
        }
        _ => Err(HandlerError::invalid_request("")),
    }
}

/// Makes a part, off the threads that serve others if it may take time.
async fn produce(
    downloads: &Downloads,
    batch: Arc<Batch>,
    production: Production,
    digests: bool,
) -> Result<Reply, HandlerError> {
    let shared = downloads.shared();
    let is_quick = batch.is_quick() && !digests;
    let ((data, digests), state) = match production.plan.clone() {
        Plan::Items { first, count, state } => {
            (run(is_quick, move || batch.items(first, count, digests)).await?, state)
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
                    let body = FromSource::Piece(Piece { state, data: content(data), digests: None, cancels: true });
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
    reply(FromSource::Piece(Piece { state, data, digests, cancels: true }))
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
