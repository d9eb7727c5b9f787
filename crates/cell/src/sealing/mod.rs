//! Sealing and opening of payloads, off the node's lock: certificates are asked for, keys are used, in their own tasks.
//!
//! ```text
//!   Event::Seal ─► queue of the target ─► certificate known? ─ no ─► key_exchange ─┐
//!                                               │ yes ◄───────────────────────────┘
//!                                               ▼
//!                                   a thread for blocking work ─► handle_sealed
//! ```
//!
//! Each target and each origin has a queue, so that sealed messages keep their order; the queues go on side by side.

mod exchange;
mod queue;

use core::error::Error;
use std::sync::Arc;

use fedcell_auth::identity::{Identity, ProjectRoot};
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::cause::with_causes;
use fedcell_cell_proto::identity::IdentityPolicy;
use fedcell_cell_proto::message::Payload;
use fedcell_cell_proto::node::{OpenWork, SealWork};
use fedcell_cell_proto::secure::{self, SecureError};

use self::queue::{Queues, Taken};
use crate::endpoint::Endpoint;
use crate::random::SystemRandom;
use crate::security::Credentials;

pub(crate) use self::exchange::answer;

/// What a cell seals and opens with.
struct Desk {
    sealing: secure::Sealing,
    identities: IdentityPolicy,
}

/// Sealing and opening in one cell.
pub(crate) struct Sealing {
    /// None without a certificate of one's own.
    desk: Option<Arc<Desk>>,
    sealing: Queues<SealWork>,
    opening: Queues<OpenWork>,
}

impl Sealing {
    /// Reads the certificate that stands for this cell. Without a usable one nothing can be sealed; connections may work
    /// all the same, so that is no error.
    pub(crate) fn load(credentials: Option<&Credentials>, identities: IdentityPolicy) -> Self {
        let desk = credentials.and_then(|credentials| match desk(credentials, identities) {
            Ok(desk) => desk.map(Arc::new),
            Err(error) => {
                tracing::warn!(%error, "payloads cannot be sealed");
                None
            }
        });
        Self { desk, sealing: Queues::default(), opening: Queues::default() }
    }

    /// Has a payload sealed; the node gets it back.
    pub(crate) fn seal(&self, endpoint: &Endpoint, work: SealWork) {
        let target = work.target().to_owned();
        match self.sealing.push(&target, work) {
            Taken::First => {
                let running = endpoint.clone();
                endpoint.spawn(async move { running.sealing().seal_all(&running, target).await });
            }
            Taken::Behind => {}
            Taken::Refused(work) => {
                endpoint.drive(|core, _| core.node.exchange_mut().handle_seal_failed(*work));
            }
        }
    }

    /// Has a payload opened; the node gets it back if it could be.
    pub(crate) fn open(&self, endpoint: &Endpoint, work: OpenWork) {
        let origin = work.origin().to_owned();
        match self.opening.push(&origin, work) {
            Taken::First => {
                let running = endpoint.clone();
                endpoint.spawn(async move { running.sealing().open_all(&running, origin).await });
            }
            Taken::Behind => {}
            Taken::Refused(_) => tracing::warn!(%origin, "dropped a sealed message: too many wait to be opened"),
        }
    }

    async fn seal_all(&self, endpoint: &Endpoint, target: FqcnBuf) {
        while let Some(work) = self.sealing.pop(&target) {
            let (work, sealed) = self.work(endpoint, &target, work, seal).await;
            match (work, sealed) {
                (Some(work), Ok(envelope)) => {
                    endpoint.drive(|core, now| core.node.exchange_mut().handle_sealed(now, work, envelope));
                }
                (work, Err(problem)) => {
                    tracing::warn!(%target, problem, "a payload could not be sealed");
                    if let Some(work) = work {
                        endpoint.drive(|core, _| core.node.exchange_mut().handle_seal_failed(work));
                    }
                }
                (None, Ok(_)) => {}
            }
        }
    }

    async fn open_all(&self, endpoint: &Endpoint, origin: FqcnBuf) {
        while let Some(work) = self.opening.pop(&origin) {
            match self.work(endpoint, &origin, work, open).await {
                (Some(work), Ok(plaintext)) => {
                    endpoint.drive(|core, now| core.node.exchange_mut().handle_opened(now, work, plaintext));
                }
                (_, Err(problem)) => tracing::warn!(%origin, problem, "dropped a sealed message"),
                (None, Ok(_)) => {}
            }
        }
    }

    /// Does `step` on a thread for blocking work, once more if a certificate had to be asked for first. The work comes
    /// back, unless its thread was lost.
    async fn work<T: Send + 'static>(
        &self,
        endpoint: &Endpoint,
        cell: &FqcnBuf,
        work: T,
        step: fn(&Desk, &Endpoint, &T) -> Result<Payload, SecureError>,
    ) -> (Option<T>, Result<Payload, String>) {
        let Some(desk) = self.desk.clone() else {
            return (Some(work), Err("this cell has no certificate".to_owned()));
        };
        if !desk.sealing.knows(endpoint.now(), cell.as_fqcn())
            && let Err(problem) = desk.ask(endpoint, cell).await
        {
            return (Some(work), Err(problem));
        }
        let running = endpoint.clone();
        let done = tokio::task::spawn_blocking(move || {
            let outcome = step(&desk, &running, &work);
            (work, outcome)
        });
        match done.await {
            Ok((work, outcome)) => (Some(work), outcome.map_err(|error| with_causes(&error))),
            Err(lost) => (None, Err(lost.to_string())),
        }
    }
}

fn seal(desk: &Desk, endpoint: &Endpoint, work: &SealWork) -> Result<Payload, SecureError> {
    desk.sealing.seal(endpoint.now(), &mut SystemRandom::new(), work)
}

fn open(desk: &Desk, endpoint: &Endpoint, work: &OpenWork) -> Result<Payload, SecureError> {
    desk.sealing.open(endpoint.now(), work)
}

fn desk(credentials: &Credentials, identities: IdentityPolicy) -> Result<Option<Desk>, Box<dyn Error>> {
    let Some(pair) = credentials.identity_pair() else { return Ok(None) };
    let identity = Arc::new(Identity::load(&pair.certificate, &pair.private_key)?);
    let root = ProjectRoot::load(credentials.root())?;
    let sealing = secure::Sealing::new(&identity, root, &std::fs::read(credentials.root())?)?;
    Ok(Some(Desk { sealing, identities }))
}
