//! The files of a participant: root, certificates and keys, by the names that a kit gives them.

use std::path::{Path, PathBuf};

use fedcell_protocol_defs::config::{KitFile, KitFolder};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::{SecurityError, SecurityProblem};

/// A certificate file and the file of its private key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyPairFiles {
    /// The certificate, followed by its intermediates if it has any.
    pub certificate: PathBuf,
    /// Its private key, without a passphrase.
    pub private_key: PathBuf,
}

/// What a cell shows of itself and whom it believes.
///
/// A relay dials its parent and listens for its children, but a kit holds only one pair; so a side that has no pair of
/// its own takes the other's, as the reference does since release 2.9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    root: PathBuf,
    custom_root: Option<PathBuf>,
    server: Option<KeyPairFiles>,
    client: Option<KeyPairFiles>,
}

impl Credentials {
    /// Credentials that so far believe in `root` (PEM) and show nothing.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), custom_root: None, server: None, client: None }
    }

    /// Looks into a kit: `directory` is the folder with `rootCA.pem`, or the kit that has it in `startup`.
    ///
    /// # Errors
    ///
    /// [`SecurityError`] if there is no root certificate, or half of a pair is missing.
    pub fn from_kit(directory: impl AsRef<Path>) -> Result<Self, SecurityError> {
        let directory = directory.as_ref();
        let nested = directory.join(KitFolder::STARTUP.as_str());
        let folder = if !has(directory, KitFile::ROOT_CERT) && has(&nested, KitFile::ROOT_CERT) {
            nested.as_path()
        } else {
            directory
        };
        let root = folder.join(KitFile::ROOT_CERT.as_str());
        if !root.is_file() {
            return Err(SecurityError::new(root, SecurityProblem::Unreadable));
        }
        let custom = folder.join(KitFile::CUSTOM_ROOT_CERT.as_str());
        Ok(Self {
            root,
            custom_root: custom.is_file().then_some(custom),
            server: pair(folder, KitFile::SERVER_CERT, KitFile::SERVER_PRIVATE_KEY)?,
            client: pair(folder, KitFile::CLIENT_CERT, KitFile::CLIENT_PRIVATE_KEY)?,
        })
    }

    /// Sets the pair with which this side listens.
    #[must_use]
    pub fn server_pair(mut self, certificate: impl Into<PathBuf>, private_key: impl Into<PathBuf>) -> Self {
        self.server = Some(KeyPairFiles { certificate: certificate.into(), private_key: private_key.into() });
        self
    }

    /// Sets the pair with which this side dials.
    #[must_use]
    pub fn client_pair(mut self, certificate: impl Into<PathBuf>, private_key: impl Into<PathBuf>) -> Self {
        self.client = Some(KeyPairFiles { certificate: certificate.into(), private_key: private_key.into() });
        self
    }

    /// Sets the root that is believed when dialling in mode `tls`: that of a proxy in front of the server.
    #[must_use]
    pub fn custom_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.custom_root = Some(root.into());
        self
    }

    /// The root certificate of the project.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The root that counts when dialling in mode `tls`.
    #[must_use]
    pub fn proxy_root(&self) -> &Path {
        self.custom_root.as_deref().unwrap_or(&self.root)
    }

    /// The pair to listen with, that of the client if there is no other.
    #[must_use]
    pub fn listening_pair(&self) -> Option<&KeyPairFiles> {
        self.server.as_ref().or(self.client.as_ref())
    }

    /// The pair to dial with, that of the server if there is no other.
    #[must_use]
    pub fn dialling_pair(&self) -> Option<&KeyPairFiles> {
        self.client.as_ref().or(self.server.as_ref())
    }

    /// The certificate that stands for this participant: the server's if there is one, else the client's.
    #[must_use]
    pub fn identity_pair(&self) -> Option<&KeyPairFiles> {
        self.server.as_ref().or(self.client.as_ref())
    }
}

fn has(folder: &Path, file: KitFile<'_>) -> bool {
    folder.join(file.as_str()).is_file()
}

fn pair(
    folder: &Path,
    certificate: KitFile<'_>,
    private_key: KitFile<'_>,
) -> Result<Option<KeyPairFiles>, SecurityError> {
    let files =
        KeyPairFiles { certificate: folder.join(certificate.as_str()), private_key: folder.join(private_key.as_str()) };
    match (files.certificate.is_file(), files.private_key.is_file()) {
        (true, true) => Ok(Some(files)),
        (false, false) => Ok(None),
        (true, false) => Err(SecurityError::new(files.private_key, SecurityProblem::HalfPair)),
        (false, true) => Err(SecurityError::new(files.certificate, SecurityProblem::HalfPair)),
    }
}

/// Reads every certificate of a PEM file, at least one.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, SecurityError> {
    certificates_in(file, &contents(file)?)
}

/// What a file holds.
pub(super) fn contents(file: &Path) -> Result<Vec<u8>, SecurityError> {
    std::fs::read(file).map_err(|cause| SecurityError::caused(file, SecurityProblem::Unreadable, cause))
}

/// Every certificate in the contents of a PEM file, at least one.
pub(super) fn certificates_in(file: &Path, contents: &[u8]) -> Result<Vec<CertificateDer<'static>>, SecurityError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(contents)
        .collect::<Result<_, _>>()
        .map_err(|cause| SecurityError::caused(file, SecurityProblem::BadCertificate, cause))?;
    if found.is_empty() { Err(SecurityError::new(file, SecurityProblem::NoCertificate)) } else { Ok(found) }
}

/// Reads the private key of a PEM file.
pub(super) fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, SecurityError> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|cause| SecurityError::caused(file, SecurityProblem::NoPrivateKey, cause))
}
