//! Sealed payloads: the certificate exchange before the first, and what the work orders of the node are done with.
//!
//! ```text
//!   Event::Seal ──► seal ──────────────► Exchange::handle_sealed
//!                     │ NeedsCertificate
//!                     └► exchange_request ─► the other cell: answer_exchange
//!                        accept_exchange ◄── its reply          then seal once more
//! ```
//!
//! Everything here may run beside the node, on any thread.

use std::sync::Arc;

use bytes::Bytes;
use fedcell_auth::identity::{Identity, ProjectRoot, VerifiedCertificate};
use fedcell_auth::rand_core::CryptoRng;
use fedcell_auth::sealed::{
    CertificateOffer, OpenLimits, Opener, PeerCertificates, Replayed, SealError, SealLimits, Sealer,
};
use fedcell_auth::{BadName, CommonName, Unauthenticated, UnixTime};
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::{CertChannel, CertKey, CertTopic, HeaderKey, ReturnCode};
use thiserror::Error;

use crate::address::Fqcn;
use crate::frame::Payload;
use crate::identity::IdentityPolicy;
use crate::message::Message;
use crate::node::{OpenWork, SealWork};
use crate::request::{Body, Outgoing, Reply};

/// How many cells' certificates are remembered.
const MAX_PEERS: usize = 4096;

/// Why a certificate could not be exchanged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The body is not what a certificate exchange has. The peer is at fault.
    #[error("the body of the certificate exchange is not a map with a certificate in it")]
    Malformed,
    /// The peer has no certificate, or did not answer.
    #[error("the peer gave no certificate: {said}")]
    Refused {
        /// What it said.
        said: Box<str>,
    },
    /// The certificate that the address requires has a name that no certificate can have. The configuration is at fault.
    #[error("the name that the address requires is no certificate name")]
    BadName(#[source] BadName),
    /// The certificate is not the project's, not valid now, or another cell's. The peer is at fault.
    #[error("the certificate of the peer is not accepted")]
    Unauthenticated(#[from] Unauthenticated),
}

/// Why a payload could not be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SecureError {
    /// The certificate of the cell at the other end has to be asked for first.
    #[error("the certificate of the cell at the other end is not known")]
    NeedsCertificate,
    /// The payload cannot be sealed for that cell.
    #[error("the payload cannot be sealed")]
    Seal(#[from] SealError),
    /// The envelope does not come from that cell, or is not for us.
    #[error("the envelope is not accepted")]
    Open(#[from] Unauthenticated),
    /// The envelope has been opened before, and its message is no frame of a stream.
    #[error("the envelope was replayed")]
    Replayed(#[from] Replayed),
}

/// Seals and opens payloads in the name of one cell.
#[derive(Debug)]
pub struct Sealing {
    sealer: Sealer,
    opener: Opener,
    peers: PeerCertificates,
    offer: CertificateOffer,
}

impl Sealing {
    /// For the cell with this identity, in the project with this root, whose certificate in PEM is `root_pem`.
    ///
    /// # Errors
    ///
    /// [`SealError::OwnKeySize`] if the identity's key does not fit the envelope.
    pub fn new(identity: &Arc<Identity>, root: ProjectRoot, root_pem: &[u8]) -> Result<Self, SealError> {
        Ok(Self {
            sealer: Sealer::new(Arc::clone(identity), SealLimits::default())?,
            opener: Opener::new(Arc::clone(identity), OpenLimits::default())?,
            peers: PeerCertificates::new(root, MAX_PEERS),
            offer: CertificateOffer::of(identity, root_pem),
        })
    }

    /// The request that asks a cell for its certificate and brings ours.
    #[must_use]
    pub fn exchange_request(&self) -> Outgoing {
        Outgoing::new(CertChannel::CREDENTIAL_MANAGER, CertTopic::KEY_EXCHANGE, self.offer_body())
    }

    /// Whether a request is one for an exchange of certificates.
    #[must_use]
    pub fn is_exchange(channel: &str, topic: &str) -> bool {
        channel == CertChannel::CREDENTIAL_MANAGER.as_str() && topic == CertTopic::KEY_EXCHANGE.as_str()
    }

    /// Handles the request of another cell: remembers its certificate, and answers with ours. A certificate that is not
    /// accepted is answered as the reference does, with `process_exception`.
    #[must_use]
    pub fn answer_exchange(&self, now: UnixTime, identities: &IdentityPolicy, request: &Message) -> Reply {
        match self.learn(now, identities, request) {
            Ok(_) => Reply::ok(self.offer_body()),
            Err(error) => Reply::failed(ReturnCode::PROCESS_EXCEPTION, error.to_string()),
        }
    }

    /// Takes the reply to [`exchange_request`](Self::exchange_request).
    ///
    /// # Errors
    ///
    /// [`ExchangeError`] if there is no acceptable certificate in it.
    pub fn accept_exchange(
        &self,
        now: UnixTime,
        identities: &IdentityPolicy,
        reply: &Message,
    ) -> Result<VerifiedCertificate, ExchangeError> {
        let text = |key: HeaderKey<'_>| reply.headers.text(key).ok().flatten();
        let code = text(HeaderKey::RETURN_CODE).unwrap_or(ReturnCode::OK.as_str());
        if code != ReturnCode::OK.as_str() {
            let said = text(HeaderKey::ERROR).unwrap_or(code);
            return Err(ExchangeError::Refused { said: said.into() });
        }
        self.learn(now, identities, reply)
    }

    /// Seals the payload of a work order.
    ///
    /// # Errors
    ///
    /// [`SecureError::NeedsCertificate`] if the target's certificate is not known, [`SecureError::Seal`] if it does not
    /// serve.
    pub fn seal(&self, now: UnixTime, rng: &mut impl CryptoRng, work: &SealWork) -> Result<Payload, SecureError> {
        let target = self.peers.of(now, work.target().as_str()).ok_or(SecureError::NeedsCertificate)?;
        let plaintext = work.plaintext().clone().into_bytes();
        Ok(Payload::from(self.sealer.seal(now, rng, &target, &plaintext)?))
    }

    /// Opens the payload of a work order. The frame of a stream may come again: its receiver tells repeats apart.
    ///
    /// # Errors
    ///
    /// [`SecureError::NeedsCertificate`] if the sender's certificate is not known, others if the envelope is not good.
    pub fn open(&self, now: UnixTime, work: &OpenWork) -> Result<Payload, SecureError> {
        let sender = self.peers.of(now, work.origin().as_str()).ok_or(SecureError::NeedsCertificate)?;
        let envelope = work.envelope().clone().into_bytes();
        let opened = self.opener.open(now, &sender, &envelope)?;
        let plaintext = if work.is_stream_frame() { opened.into_parts().0 } else { opened.into_fresh()? };
        Ok(Payload::from(plaintext))
    }

    /// Whether the certificate of a cell is known and valid.
    #[must_use]
    pub fn knows(&self, now: UnixTime, cell: Fqcn<'_>) -> bool {
        self.peers.of(now, cell.as_str()).is_some()
    }

    /// Forgets the certificate of a cell, as when it may have a new one.
    pub fn forget(&self, cell: Fqcn<'_>) {
        self.peers.forget(cell.as_str());
    }

    /// Takes the certificate out of a request or reply and remembers it for the cell that sent it.
    fn learn(
        &self,
        now: UnixTime,
        identities: &IdentityPolicy,
        message: &Message,
    ) -> Result<VerifiedCertificate, ExchangeError> {
        let facts = message.facts().map_err(|_| ExchangeError::Malformed)?;
        let certificate = certificate_in(message)?;
        let required = CommonName::parse(identities.required(facts.origin)).map_err(ExchangeError::BadName)?;
        Ok(self.peers.accept(now, facts.origin.as_str(), &required, &certificate)?)
    }

    fn offer_body(&self) -> Body {
        let bytes = |bytes: &[u8]| Value::from(Bytes::copy_from_slice(bytes));
        let body = Map::from([
            (CertKey::CERT_CONTENT.as_str(), bytes(&self.offer.certificate)),
            (CertKey::CERT_CA_CONTENT.as_str(), bytes(&self.offer.root)),
        ]);
        // Two byte strings in a map: nothing in it can fail to encode.
        let encoded = fedcell_fobs::encode(&Value::Map(body));
        encoded.map_or_else(
            |_| Body::none(),
            |encoded| Body::fobs(encoded.into_segments().into_iter().collect::<Payload>()),
        )
    }
}

/// The certificate that a message of the exchange brings, in PEM.
fn certificate_in(message: &Message) -> Result<Bytes, ExchangeError> {
    let segments: Vec<Bytes> = message.payload.segments().cloned().collect();
    let body = fedcell_fobs::decode(&segments).map_err(|_| ExchangeError::Malformed)?;
    let body = body.as_map().ok_or(ExchangeError::Malformed)?;
    if let Some(error) = body.get(CertKey::CERT_ERROR.as_str()).and_then(Value::as_str) {
        return Err(ExchangeError::Refused { said: error.into() });
    }
    let certificate = body.get(CertKey::CERT_CONTENT.as_str()).and_then(Value::as_blob);
    Ok(certificate.ok_or(ExchangeError::Malformed)?.to_bytes())
}

#[cfg(test)]
mod tests;
