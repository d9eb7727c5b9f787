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

use std::sync::Arc;

use fedcell_auth::identity::{Identity, ProjectRoot};
use fedcell_auth::sealed::{CertificateOffer, OpenLimits, Opener, PeerCertificates, SealLimits, Sealer};
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::identity::IdentityPolicy;
use fedcell_cell_proto::message::Payload;
use fedcell_cell_proto::node::{OpenWork, SealWork};

use self::queue::{Queues, Taken};
use crate::endpoint::Endpoint;
use crate::random::SystemRandom;
use crate::security::Credentials;

pub(crate) use self::exchange::answer;

/// Certificates of other cells that are remembered.
const REMEMBERED: usize = 4096;

/// What a cell seals and opens with.
struct Desk {
    sealer: Sealer,
    opener: Opener,
    certificates: PeerCertificates,
    offer: CertificateOffer,
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
            let plaintext = work.plaintext().clone();
            match self.seal_one(endpoint, &target, plaintext).await {
                Ok(envelope) => {
                    endpoint.drive(|core, now| core.node.exchange_mut().handle_sealed(now, work, envelope));
                }
                Err(problem) => {
                    tracing::warn!(%target, %problem, "a payload could not be sealed");
                    endpoint.drive(|core, _| core.node.exchange_mut().handle_seal_failed(work));
                }
            }
        }
    }

    async fn seal_one(&self, endpoint: &Endpoint, target: &FqcnBuf, plaintext: Payload) -> Result<Payload, String> {
        let desk = self.desk.clone().ok_or("this cell has no certificate")?;
        let certificate = desk.certificate_of(endpoint, target).await?;
        let now = endpoint.now();
        let work = move || {
            desk.sealer
                .seal(now, &mut SystemRandom::new(), &certificate, &plaintext.into_bytes())
                .map_err(|error| error.to_string())
        };
        let envelope = tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())??;
        Ok(Payload::from(envelope))
    }

    async fn open_all(&self, endpoint: &Endpoint, origin: FqcnBuf) {
        while let Some(work) = self.opening.pop(&origin) {
            let envelope = work.envelope().clone();
            match self.open_one(endpoint, &origin, envelope).await {
                Ok(plaintext) => {
                    endpoint.drive(|core, now| core.node.exchange_mut().handle_opened(now, work, plaintext));
                }
                Err(problem) => tracing::warn!(%origin, %problem, "dropped a sealed message"),
            }
        }
    }

    async fn open_one(&self, endpoint: &Endpoint, origin: &FqcnBuf, envelope: Payload) -> Result<Payload, String> {
        let desk = self.desk.clone().ok_or("this cell has no certificate")?;
        let certificate = desk.certificate_of(endpoint, origin).await?;
        let now = endpoint.now();
        let work = move || {
            let opened = desk.opener.open(now, &certificate, &envelope.into_bytes());
            let fresh = opened.map_err(|error| error.to_string())?.into_fresh();
            fresh.map_err(|error| error.to_string())
        };
        let plaintext = tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())??;
        Ok(Payload::from(plaintext))
    }
}

fn desk(credentials: &Credentials, identities: IdentityPolicy) -> Result<Option<Desk>, Box<dyn core::error::Error>> {
    let Some(pair) = credentials.identity_pair() else { return Ok(None) };
    let identity = Arc::new(Identity::load(&pair.certificate, &pair.private_key)?);
    let root = ProjectRoot::load(credentials.root())?;
    Ok(Some(Desk {
        sealer: Sealer::new(identity.clone(), SealLimits::default())?,
        opener: Opener::new(identity.clone(), OpenLimits::default())?,
        offer: CertificateOffer::of(&identity, &std::fs::read(credentials.root())?),
        certificates: PeerCertificates::new(root, REMEMBERED),
        identities,
    }))
}
