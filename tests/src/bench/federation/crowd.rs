//! A crowd of sites behind relays: registrations and heartbeats, many of them on their way at a time.
//!
//! The same crowd asks either server, so what is compared is the servers. It does what a client has to: it verifies the
//! server's proof, signs its own, verifies the token.

use core::time::Duration;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use fedcell_auth::challenge::{ChallengeReply, ClientChallenge, ClientParty};
use fedcell_auth::identity::{Identity, ProjectRoot, Purpose};
use fedcell_auth::sealed::{SealLimits, Sealer};
use fedcell_auth::token::{ClientCredential, TokenVerifier};
use fedcell_auth::{CommonName, Signature};
use fedcell_cell::SystemRandom;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::headers::{HeaderMap, HeaderValue};
use fedcell_fobs::Value;
use fedcell_fobs::typed::{FlContext, FobsType as _, Shareable};
use fedcell_protocol_defs::cell::{IdentityKey, Topic};
use fedcell_protocol_defs::federation::{AuthHeaderKey, ClientType, ContextKey, HeaderKey, Protocol};
use tokio::task::JoinSet;

use super::scene::{PROJECT, SERVER};
use super::wire::{Wire, check, id_of, now, request, value_of};

/// Sites behind one relay.
pub(super) const PER_RELAY: usize = 100;

/// What one connection has on its way at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outstanding(pub(super) usize);

/// One site.
struct Site {
    address: FqcnBuf,
    party: ClientParty,
    step: Step,
}

enum Step {
    Apart,
    Asked(ClientChallenge),
    Claimed(TokenVerifier),
    Member(ClientCredential),
}

/// A relay's connection and the sites behind it.
struct Line {
    wire: Wire,
    sites: Vec<Site>,
}

/// Sites with their connections.
pub(super) struct Crowd {
    runtime: tokio::runtime::Runtime,
    lines: Vec<Line>,
}

/// Name of a relay of the crowd.
pub(super) fn relay_name(number: usize) -> String {
    format!("relay-{number}")
}

/// Name of a site of the crowd.
pub(super) fn site_name(number: usize) -> String {
    format!("s{number}")
}

impl Crowd {
    /// So many sites, with the kits in that folder, [a hundred](PER_RELAY) behind each relay, all of which are connected.
    pub(super) fn connect(port: u16, kits: &Path, sites: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let mut lines = Vec::new();
        for first in (0..sites).step_by(PER_RELAY) {
            let relay = relay_name(first / PER_RELAY);
            let wire = runtime.block_on(Wire::open(SERVER, port, &relay, &kits.join(&relay)))?;
            let members = (first..sites.min(first + PER_RELAY)).map(|number| Site::load(&relay, number, kits));
            lines.push(Line { wire, sites: members.collect::<Result<_>>()? });
        }
        Ok(Self { runtime, lines })
    }

    /// Registers all of them. The time from the first challenge to the last verified token.
    pub(super) fn register(&mut self, outstanding: Outstanding) -> Result<Duration> {
        self.at_once(move |mut line| async move {
            let outcome = line.register(outstanding).await;
            outcome.map(|()| line)
        })
    }

    /// Sends so many heartbeats over each connection, its sites in turn. The time from the first to the last answer.
    pub(super) fn beat(&mut self, each: usize, outstanding: Outstanding) -> Result<Duration> {
        self.at_once(move |mut line| async move {
            let outcome = line.beat(each, outstanding).await;
            outcome.map(|()| line)
        })
    }

    /// Number of connections.
    pub(super) const fn connections(&self) -> usize {
        self.lines.len()
    }

    fn at_once<F>(&mut self, work: impl Fn(Line) -> F) -> Result<Duration>
    where
        F: Future<Output = Result<Line>> + Send + 'static,
    {
        let lines = core::mem::take(&mut self.lines);
        let started = Instant::now();
        let done = self.runtime.block_on(async {
            let mut working: JoinSet<_> = lines.into_iter().map(&work).collect();
            let mut done = Vec::new();
            while let Some(line) = working.join_next().await {
                done.push(line??);
            }
            anyhow::Ok(done)
        })?;
        let took = started.elapsed();
        self.lines = done;
        Ok(took)
    }
}

impl core::fmt::Debug for Crowd {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Crowd").field("connections", &self.lines.len()).finish_non_exhaustive()
    }
}

impl Site {
    fn load(relay: &str, number: usize, kits: &Path) -> Result<Self> {
        let name = site_name(number);
        let kit = kits.join(&name);
        let identity = Arc::new(Identity::load(&kit.join("client.crt"), &kit.join("client.key"))?);
        let root = ProjectRoot::load(&kit.join("rootCA.pem"))?;
        // AWS-LC prepares a key when it signs for the first time, which takes longer than to sign. Each site does so once,
        // and the server, which has one key, has long done so.
        let own = root.verify(identity.chain(), now(), Purpose::Sealing)?;
        let sealer = Sealer::new(Arc::clone(&identity), SealLimits::default())?;
        sealer.seal(now(), &mut SystemRandom::new(), &own, b"first")?;
        let party = ClientParty::new(identity, root, CommonName::parse(SERVER)?)?;
        Ok(Self { address: Fqcn::parse(relay)?.child(&name)?, party, step: Step::Apart })
    }

    fn name(&self) -> &str {
        self.address.as_fqcn().as_str().rsplit('.').next().unwrap_or_default()
    }

    /// Asks for a challenge.
    fn ask(&mut self, id: usize) -> Result<Vec<u8>> {
        let challenge = ClientChallenge::start(&self.party, now(), &mut SystemRandom::new());
        let asked = challenge.request();
        let mut headers = HeaderMap::new();
        headers.insert(IdentityKey::COMMON_NAME, asked.common_name.as_str());
        headers.insert(IdentityKey::NONCE, asked.nonce.as_str());
        self.step = Step::Asked(challenge);
        request(&self.address, Topic::CHALLENGE.as_str(), id, headers, None)
    }

    /// Takes a reply in. What is to be sent next, if anything.
    fn answer(&mut self, id: usize, reply: Value) -> Result<Option<Vec<u8>>> {
        match core::mem::replace(&mut self.step, Step::Apart) {
            Step::Asked(challenge) => {
                let reply = proof(reply)?;
                let (registration, verifier) = challenge.verify_server(&reply, now())?.register()?;
                self.step = Step::Claimed(verifier);
                let claim = registration.into_claim();
                let mut body = self.greeting();
                let entries = body.entries_mut();
                entries.insert(IdentityKey::CERT.as_str(), Value::Bytes(Bytes::from(claim.certificate).into()));
                entries.insert(IdentityKey::SIGNATURE.as_str(), Value::Bytes(Bytes::from(claim.signature).into()));
                entries.insert(IdentityKey::COMMON_NAME.as_str(), claim.common_name);
                let mut headers = HeaderMap::new();
                headers.insert(HeaderKey::CLIENT_NAME, self.name());
                headers.insert(HeaderKey::CLIENT_TYPE, ClientType::REGULAR.as_str());
                headers.insert(HeaderKey::CLIENT_IP, "127.0.0.1");
                headers.insert(HeaderKey::PROJECT_NAME, PROJECT);
                headers.insert(HeaderKey::FEDERATION_PROTOCOL_VERSION, i64::from(Protocol::VERSION));
                headers.insert(HeaderKey::NVFLARE_VERSION, "2.9.0");
                request(&self.address, Topic::REGISTER.as_str(), id, headers, Some(&body.into_value())).map(Some)
            }
            Step::Claimed(verifier) => {
                let map = reply.as_map().context("the answer to a registration is no map")?;
                let text = |key: AuthHeaderKey<'_>| map.get(key.as_str()).and_then(Value::as_str).unwrap_or_default();
                let (token, signature) = (text(AuthHeaderKey::TOKEN), text(AuthHeaderKey::TOKEN_SIGNATURE));
                ensure!(!token.is_empty(), "{} was not believed", self.name());
                let credential = verifier.accept(&CommonName::parse(self.name())?, token, signature)?;
                self.step = Step::Member(credential);
                Ok(None)
            }
            Step::Apart | Step::Member(_) => Err(anyhow!("an answer to nothing")),
        }
    }

    fn heartbeat(&self, id: usize) -> Result<Vec<u8>> {
        let Step::Member(credential) = &self.step else { return Err(anyhow!("{} is no member", self.name())) };
        let mut headers = HeaderMap::new();
        headers.insert(HeaderKey::PROJECT_NAME, PROJECT);
        headers.insert(HeaderKey::JOB_IDS, HeaderValue::Texts(&[]));
        for (key, value) in credential.headers() {
            headers.insert(key, value.expose());
        }
        request(&self.address, Topic::HEART_BEAT.as_str(), id, headers, Some(&self.greeting().into_value()))
    }

    fn greeting(&self) -> Shareable {
        let mut context = FlContext::new();
        context.put_public(ContextKey::IDENTITY_NAME.as_str(), self.name());
        context.put_public(ContextKey::FQSN.as_str(), self.name());
        context.put_public(ContextKey::IS_LEAF.as_str(), true);
        let mut greeting = Shareable::new();
        greeting.set_peer_context(context);
        greeting
    }
}

impl Line {
    async fn register(&mut self, outstanding: Outstanding) -> Result<()> {
        let (mut next, mut done) = (0, 0);
        while next < self.sites.len().min(outstanding.0) {
            self.wire.put(&self.sites[next].ask(next)?);
            next += 1;
        }
        while done < self.sites.len() {
            self.wire.flush().await?;
            let reply = self.wire.next().await?;
            let id = id_of(&reply)?;
            let site = self.sites.get_mut(id).context("a reply to another request")?;
            check(&reply).with_context(|| format!("{} asked", site.name()))?;
            match site.answer(id, value_of(&reply)?)? {
                Some(frame) => self.wire.put(&frame),
                None => {
                    done += 1;
                    if next < self.sites.len() {
                        self.wire.put(&self.sites[next].ask(next)?);
                        next += 1;
                    }
                }
            }
        }
        Ok(())
    }

    async fn beat(&mut self, count: usize, outstanding: Outstanding) -> Result<()> {
        // Made once: what is measured is the server.
        let beats: Vec<_> =
            self.sites.iter().enumerate().map(|(id, site)| site.heartbeat(id)).collect::<Result<_>>()?;
        let (mut sent, mut done) = (0, 0);
        while done < count {
            // Half a window at a time, so that the way is never empty and a write has many.
            if sent - done <= outstanding.0 / 2 {
                while sent < count && sent - done < outstanding.0 {
                    self.wire.put(&beats[sent % beats.len()]);
                    sent += 1;
                }
                self.wire.flush().await?;
            }
            check(&self.wire.next().await?)?;
            done += 1;
        }
        Ok(())
    }
}

fn proof(reply: Value) -> Result<ChallengeReply> {
    let body = Shareable::from_value(reply).map_err(|_| anyhow!("the answer to a challenge is no shareable"))?;
    let entry = |key: IdentityKey<'_>| body.entries().get(key.as_str());
    let text = |key| entry(key).and_then(Value::as_str).map(str::to_owned);
    let bytes = |key| entry(key).and_then(Value::as_blob).map(|blob| blob.to_bytes().to_vec());
    let signature = match text(IdentityKey::SIGNATURE) {
        Some(text) => Signature::from_base64(&text).ok().map(|signature| signature.as_bytes().to_vec()),
        None => bytes(IdentityKey::SIGNATURE),
    };
    Ok(ChallengeReply {
        common_name: text(IdentityKey::COMMON_NAME).context("no name")?,
        nonce: text(IdentityKey::NONCE).context("no nonce")?,
        certificate: bytes(IdentityKey::CERT).context("no certificate")?,
        signature: signature.context("no signature")?,
    })
}
