//! The Client API: how a training process talks with the job that owns it.
//!
//! The training process is a cell of its own, below the job (launched by it) or below the site (attached to it). Both
//! sides speak on one channel, [`Channel::CLIENT_API`]; bodies are FOBS maps with the keys of [`Key`] and
//! [`ReleaseKey`]; a reply names its own topic in its body, under [`ReleaseKey::REPLY_TOPIC`].
//!
//! Three vocabularies stand side by side:
//!
//! * version 1 of the protocol, frozen: [`Topic`], [`Key`], and for its proof [`ProofSyntax`] and [`ProofSize`];
//! * what release 2.9.0 added on the same channel: [`ReleaseTopic`], [`ReleaseKey`], [`TaskState`], [`ResultState`], and
//!   the [profile](BootstrapKey) with which a process finds its job;
//! * the [legacy protocol](LegacyTopic) on another channel, registered so that no word of the first two collides with it.
//!
//! ```text
//!  training process T                                        job J
//!
//!  launched by the job, version 1:
//!    │ HELLO ─────────────────────────────────────────────────► │
//!    │ ◄────────────────────────────────────── HELLO_CHALLENGE  │ not in 2.9.0, where the
//!    │ HELLO_PROOF ───────────────────────────────────────────► │ launch token is the proof
//!    │ ◄───────────────────── HELLO_ACCEPTED or HELLO_REJECTED  │
//!    │ SESSION_READY ─────────────────────────────────────────► │ 2.9.0; reply SESSION_READY
//!
//!  attached to the site, 2.9.0:
//!    │ ◄───────────────────────────────────────── SESSION_OPEN  │
//!    │ SESSION_ACCEPTED or SESSION_REJECTED ──────────────────► │
//!
//!  each round:
//!    │ ◄─────────────────────────────────────────── TASK_READY  │
//!    │ TASK_ACCEPTED or TASK_FAILED ──────────────────────────► │
//!    │ RESULT_READY ──────────────────────────────────────────► │
//!    │ ◄─────────────────── RESULT_ACCEPTED or RESULT_REJECTED  │
//!    │ RESULT_SOURCE_SETTLED (2.9.0) ─────────────────────────► │ reply on the same topic
//!
//!  at any time:
//!    │ HEARTBEAT, LOG ────────────────────────────────────────► │
//!    │ ◄────────────────────────────────────── ABORT, SHUTDOWN  │
//!    │ BYE (not in 2.9.0) ────────────────────────────────────► │
//! ```

mod bootstrap;
mod legacy;
mod proof;
mod release;
mod version1;

pub use bootstrap::{
    AnalyticsDataType, AttachEndpointKey, AttachFile, AttachNumber, BootstrapFile, BootstrapKey, BootstrapNumber,
    Environment, ExchangeFormat, ExecutionMode, TaskExchangeKey, TransferType,
};
pub use legacy::{LegacyChannel, LegacyTopic};
pub use proof::{ProofSize, ProofSyntax};
pub use release::{LogKey, ReleaseKey, ReleaseTiming, ReleaseTopic, ResultState, TaskState};
pub use version1::{Channel, Key, Topic, Version};
