//! The project root: the one authority that is believed, and the path validation against it.

use core::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime as PathTime};
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage, RequiredEkuNotFoundContext,
    anchor_from_trusted_cert,
};

use super::certificate::{Certificate, Fingerprint};
use super::chain::CertificateChain;
use super::error::{Field, IdentityError, Problem};
use super::pem;
use crate::error::Unauthenticated;
use crate::name::CommonName;
use crate::signature::VerifyingKey;
use crate::time::UnixTime;

/// Signatures that an authority may have put under a certificate: those that the reference's validator takes.
const AUTHORITY_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA384,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA512,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    webpki::aws_lc_rs::ECDSA_P256_SHA256,
    webpki::aws_lc_rs::ECDSA_P384_SHA384,
    webpki::aws_lc_rs::ECDSA_P521_SHA512,
];

/// What a certificate is about to be used for, and so what its usages have to allow.
///
/// Kits of the reference have neither usage extension; an extension that is absent restricts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Its holder answers a challenge as the server: `digitalSignature` and literally `serverAuth`.
    Server,
    /// Its holder registers as a client, relay or admin: `digitalSignature` and literally `clientAuth`.
    Client,
    /// Its holder seals and opens messages: the reference asks for no usage there.
    Sealing,
}

/// The root certificate of the project (`rootCA.pem`).
#[derive(Clone)]
pub struct ProjectRoot {
    certificate: Arc<Certificate>,
    anchor: Arc<TrustAnchor<'static>>,
}

impl ProjectRoot {
    /// Reads PEM text; its first certificate is the root. `file` is what errors call it.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] if there is no certificate, it is malformed, or it is not an authority's.
    pub fn from_pem(file: &str, bytes: &[u8]) -> Result<Self, IdentityError> {
        let chain = CertificateChain::from_pem(file, bytes)?;
        let certificate = chain.leaf().clone();
        if !certificate.is_authority() {
            return Err(IdentityError::new(file, Field::BasicConstraints, Problem::NotAuthority));
        }
        let anchor = anchor_from_trusted_cert(certificate.der_certificate())
            .map_err(|_| IdentityError::new(file, Field::Certificate, Problem::Malformed))?
            .to_owned();
        Ok(Self { certificate: Arc::new(certificate), anchor: Arc::new(anchor) })
    }

    /// Reads a PEM file.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] as of [`from_pem`](Self::from_pem), or if the file cannot be read.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        Self::from_pem(&path.display().to_string(), &pem::read(path)?)
    }

    /// The root certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Validates the path from the chain's leaf to this root at the moment `now`, and the leaf's usages.
    ///
    /// Every certificate of the path, the root among them, has to be valid at that moment; every intermediate that was
    /// sent has to be an authority.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`], whatever the reason.
    pub fn verify(
        &self,
        chain: &CertificateChain,
        now: UnixTime,
        purpose: Purpose,
    ) -> Result<VerifiedCertificate, Unauthenticated> {
        self.examine(chain, now, purpose).map_err(|reason| Unauthenticated::because("certificate", reason))
    }

    /// As [`verify`](Self::verify), with the reason.
    pub(crate) fn examine(
        &self,
        chain: &CertificateChain,
        now: UnixTime,
        purpose: Purpose,
    ) -> Result<VerifiedCertificate, ChainProblem> {
        let leaf = chain.leaf();
        let name = leaf.common_name().cloned().ok_or(ChainProblem::NoCommonName)?;
        if now < self.certificate.not_before() {
            return Err(ChainProblem::RootNotYetValid);
        }
        if now > self.certificate.not_after() {
            return Err(ChainProblem::RootExpired);
        }
        if !chain.intermediates().iter().all(Certificate::is_authority) {
            return Err(ChainProblem::IntermediateNotAuthority);
        }

        let end_entity = EndEntityCert::try_from(leaf.der_certificate()).map_err(ChainProblem::Path)?;
        let intermediates: Vec<CertificateDer<'_>> =
            chain.intermediates().iter().map(|certificate| CertificateDer::from_slice(certificate.der())).collect();
        let time = PathTime::since_unix_epoch(core::time::Duration::from_secs(now.as_secs()));
        end_entity
            .verify_for_usage(
                AUTHORITY_ALGORITHMS,
                core::slice::from_ref(&*self.anchor),
                &intermediates,
                time,
                PathPurpose(purpose),
                None,
                None,
            )
            .map_err(ChainProblem::Path)?;

        purpose.allowed_by(leaf)?;
        let key = VerifyingKey::from_spki(leaf.spki())
            .filter(|_| leaf.rsa_bits().is_some_and(|bits| (2048..=8192).contains(&bits)))
            .ok_or(ChainProblem::NotRsa)?;

        // The sender may add certificates that are not part of the path; counting them only makes the window smaller.
        let others = || chain.intermediates().iter().chain([self.certificate()]);
        let not_before = others().map(Certificate::not_before).fold(leaf.not_before(), UnixTime::max);
        let not_after = others().map(Certificate::not_after).fold(leaf.not_after(), UnixTime::min);
        Ok(VerifiedCertificate(Arc::new(Verified {
            certificate: leaf.clone(),
            name,
            not_before,
            not_after,
            purpose,
            key,
        })))
    }
}

impl fmt::Debug for ProjectRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProjectRoot").field(&self.certificate).finish()
    }
}

/// Why a chain is not believed. It goes to the log and to the kit report, never to a peer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChainProblem {
    #[error("the certificate has no common name")]
    NoCommonName,
    #[error("the root certificate is not valid yet")]
    RootNotYetValid,
    #[error("the root certificate has expired")]
    RootExpired,
    #[error("an intermediate certificate is not an authority's")]
    IntermediateNotAuthority,
    #[error("no valid path to the root: {0}")]
    Path(webpki::Error),
    #[error("the key usage does not allow digitalSignature")]
    KeyUsage,
    #[error("the extended key usage does not allow this purpose")]
    ExtendedKeyUsage,
    #[error("the public key is not RSA of 2048 to 8192 bits")]
    NotRsa,
}

impl Purpose {
    fn allowed_by(self, leaf: &Certificate) -> Result<(), ChainProblem> {
        if self == Self::Sealing {
            return Ok(());
        }
        if leaf.key_usages().is_some_and(|usages| !usages.digital_signature) {
            return Err(ChainProblem::KeyUsage);
        }
        let allowed = leaf.extended_usages().is_none_or(|usages| match self {
            Self::Server => usages.server_auth,
            Self::Client => usages.client_auth,
            Self::Sealing => true,
        });
        if allowed { Ok(()) } else { Err(ChainProblem::ExtendedKeyUsage) }
    }
}

/// The check along the path, leaf and intermediates alike; the leaf gets a stricter one in `allowed_by`.
struct PathPurpose(Purpose);

impl ExtendedKeyUsageValidator for PathPurpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        const ANY: &[usize] = &[2, 5, 29, 37, 0];
        let (required, oid) = match self.0 {
            Purpose::Server => (KeyUsage::server_auth(), KeyUsage::SERVER_AUTH_REPR),
            Purpose::Client => (KeyUsage::client_auth(), KeyUsage::CLIENT_AUTH_REPR),
            Purpose::Sealing => return Ok(()),
        };
        let mut present = Vec::new();
        for purpose in purposes {
            let id = purpose?.to_decoded_oid();
            if id == oid || id == ANY {
                return Ok(());
            }
            present.push(id);
        }
        if present.is_empty() {
            return Ok(());
        }
        Err(webpki::Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext { required, present }))
    }
}

struct Verified {
    certificate: Certificate,
    name: CommonName,
    not_before: UnixTime,
    not_after: UnixTime,
    purpose: Purpose,
    key: VerifyingKey,
}

/// A certificate whose path to the project root has been validated, and its public key.
///
/// Only [`ProjectRoot::verify`] makes one. Cloning shares it.
#[derive(Clone)]
pub struct VerifiedCertificate(Arc<Verified>);

impl VerifiedCertificate {
    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.0.certificate
    }

    /// Its common name.
    #[must_use]
    pub fn name(&self) -> &CommonName {
        &self.0.name
    }

    /// Its fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.certificate.fingerprint()
    }

    /// What it was verified for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.0.purpose
    }

    /// Last moment at which every certificate of the path is valid.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.0.not_after
    }

    /// Whether the whole path is still valid at `now`: to be asked again while a link lives.
    #[must_use]
    pub fn is_valid_at(&self, now: UnixTime) -> bool {
        self.0.not_before <= now && now <= self.0.not_after
    }

    pub(crate) fn key(&self) -> &VerifyingKey {
        &self.0.key
    }
}

impl fmt::Debug for VerifiedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedCertificate")
            .field("certificate", &self.0.certificate)
            .field("purpose", &self.0.purpose)
            .finish_non_exhaustive()
    }
}
