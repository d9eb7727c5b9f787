//! Trusted roots and the verification of a peer's chain against them, without a comparison of host names.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use fedcell_auth::identity::Certificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore, SignatureScheme,
};

use super::credentials::{certificates_in, contents};
use super::error::{SecurityError, SecurityProblem};
use super::peer::ShownAs;

/// One root: `webpki` keeps only name and key of it, so its validity is kept beside.
#[derive(Debug)]
struct Root {
    store: Arc<RootCertStore>,
    not_before: u64,
    not_after: u64,
    clients: Arc<dyn ClientCertVerifier>,
}

/// The roots of one file. It verifies both servers and clients.
///
/// The file is looked at again, once a second at most, whenever something is verified: in a handshake, and while a
/// connection lives. What has changed in it counts from then on; should it not be readable any more, the roots stay that
/// were read last. Who changes it had better write another file and rename that, so that nobody sees half of it.
#[derive(Debug)]
pub(super) struct TrustedRoots {
    file: PathBuf,
    is_foreign: bool,
    provider: Arc<CryptoProvider>,
    read: Mutex<Read>,
}

/// What was read.
#[derive(Debug)]
struct Read {
    roots: Arc<Vec<Root>>,
    /// What the file held when it was last looked at; none if it could not be read. The roots may be older.
    contents: Option<Vec<u8>>,
    looked_at: Option<UnixTime>,
}

/// How soon the file is not looked at again.
const FRESH: Duration = Duration::from_secs(1);

impl TrustedRoots {
    /// Reads the roots of a PEM file; those that may not sign certificates are refused.
    ///
    /// The root of a project says that it may. That of a proxy (`is_foreign`) comes from elsewhere and may say nothing.
    pub(super) fn load(
        file: &Path,
        is_foreign: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<Self>, SecurityError> {
        let contents = contents(file)?;
        let roots = Arc::new(roots_in(file, &contents, is_foreign, provider)?);
        let read = Mutex::new(Read { roots, contents: Some(contents), looked_at: None });
        Ok(Arc::new(Self { file: file.to_owned(), is_foreign, provider: provider.clone(), read }))
    }

    /// The roots that count at `now`.
    fn at(&self, now: UnixTime) -> Arc<Vec<Root>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        // The clock may have been set back.
        if read.looked_at.is_some_and(|at| at.as_secs().abs_diff(now.as_secs()) < FRESH.as_secs()) {
            return read.roots.clone();
        }
        read.looked_at = Some(now);
        let found = contents(&self.file);
        if found.as_ref().ok() == read.contents.as_ref() {
            return read.roots.clone();
        }
        let file = self.file.display();
        let roots = found.and_then(|found| {
            let roots = roots_in(&self.file, &found, self.is_foreign, &self.provider);
            read.contents = Some(found);
            roots
        });
        match roots {
            Ok(roots) => {
                tracing::info!(%file, roots = roots.len(), "the trusted roots have changed");
                read.roots = Arc::new(roots);
            }
            // Only once: the next look finds the same contents.
            Err(error) => {
                if error.problem() == SecurityProblem::Unreadable {
                    read.contents = None;
                }
                let cause = core::error::Error::source(&error);
                tracing::warn!(%error, cause, "the file of trusted roots is broken: those read before still count");
            }
        }
        read.roots.clone()
    }

    /// Verifies a chain outside of a handshake.
    pub(super) fn recheck(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        shown_as: ShownAs,
        now: fedcell_auth::UnixTime,
    ) -> Result<(), Error> {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()));
        match shown_as {
            ShownAs::Server => self.verify_server(leaf, intermediates, now),
            ShownAs::Client => self.verify_client_cert(leaf, intermediates, now).map(drop),
        }
    }

    fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.provider.signature_verification_algorithms
    }

    fn verify_server(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(leaf)?;
        self.any_valid(now, |root| {
            verify_server_cert_signed_by_trust_anchor(&parsed, &root.store, intermediates, now, self.algorithms().all)
        })?;
        may_sign(leaf)
    }

    /// Tries the roots that are valid now; the error is that of the last one.
    fn any_valid<T>(&self, now: UnixTime, attempt: impl Fn(&Root) -> Result<T, Error>) -> Result<T, Error> {
        let mut failure = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        for root in self.at(now).iter() {
            if now.as_secs() < root.not_before || now.as_secs() > root.not_after {
                failure = Error::InvalidCertificate(CertificateError::Expired);
                continue;
            }
            match attempt(root) {
                Ok(verified) => return Ok(verified),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// The roots in the contents of a PEM file.
fn roots_in(
    file: &Path,
    contents: &[u8],
    is_foreign: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Vec<Root>, SecurityError> {
    let mut roots = Vec::new();
    for der in certificates_in(file, contents)? {
        let bad = |cause| SecurityError::caused(file, SecurityProblem::BadCertificate, cause);
        let parsed = Certificate::from_der(&file.display().to_string(), &der)
            .map_err(|cause| bad(Box::<dyn core::error::Error + Send + Sync>::from(cause)))?;
        if !(parsed.is_authority() || is_foreign && parsed.key_usages().is_none()) {
            return Err(SecurityError::new(file, SecurityProblem::NoRoot));
        }
        let mut store = RootCertStore::empty();
        store.add(der).map_err(|cause| bad(cause.into()))?;
        let store = Arc::new(store);
        let clients = WebPkiClientVerifier::builder_with_provider(store.clone(), provider.clone())
            .build()
            .map_err(|cause| SecurityError::caused(file, SecurityProblem::NoRoot, cause))?;
        roots.push(Root {
            store,
            not_before: parsed.not_before().as_secs(),
            not_after: parsed.not_after().as_secs(),
            clients,
        });
    }
    Ok(roots)
}

/// A key usage extension, where there is one, has to allow signatures; `webpki` does not look at it.
fn may_sign(leaf: &CertificateDer<'_>) -> Result<(), Error> {
    match Certificate::from_der("certificate of the peer", leaf) {
        Ok(certificate) if certificate.key_usages().is_some_and(|usages| !usages.digital_signature) => {
            Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(KeyUsageForbids)))))
        }
        _ => Ok(()),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the key usage of the certificate does not allow signatures")]
struct KeyUsageForbids;

impl ServerCertVerifier for TrustedRoots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify_server(end_entity, intermediates, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, self.algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, self.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}

impl ClientCertVerifier for TrustedRoots {
    /// None: whoever asks for a certificate of the project has no other to choose from, and the roots may change.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.any_valid(now, |root| root.clients.verify_client_cert(end_entity, intermediates, now))?;
        may_sign(end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, self.algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, self.algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}
