#![doc = include_str!("../README.md")]

mod backbone;
mod backlog;
mod backoff;
mod builder;
mod cell;
mod clock;
mod connection;
mod connector;
mod dispatch;
pub mod download;
pub mod driver;
mod endpoint;
mod error;
mod events;
mod handler;
mod limits;
pub mod metrics;
pub mod network;
pub mod objects;
mod prepared;
mod random;
mod reply_to;
pub mod request;
mod sealing;
pub mod security;
pub mod stream;
mod unfinished;

pub use backbone::{ConnectorInfo, ConnectorUse, PeerNameCheck};
pub use builder::CellBuilder;
pub use cell::Cell;
pub use error::{BodyError, Fault, RequestError, StartError};
pub use events::{CellEvent, Events};
pub use handler::{Answer, Handler, HandlerError, HandlerFuture, Request, fobs_body};
pub use limits::Limits;
pub use prepared::PreparedCell;
pub use random::SystemRandom;
pub use reply_to::ReplyTo;
pub use request::{BroadcastDraft, Draft, EachDraft, FireDraft, RequestDraft, Response, Target};

#[cfg(test)]
mod tests;

/// The machines below, for the types of theirs that this interface shows.
pub use fedcell_cell_proto as proto;
