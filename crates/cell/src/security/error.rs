//! What can be wrong with our own certificates, keys and their combination.

use core::fmt;
use std::path::{Path, PathBuf};

/// Why TLS cannot be set up from the files at hand. The fault is always local.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", .file.display())]
#[non_exhaustive]
pub struct SecurityError {
    file: PathBuf,
    problem: SecurityProblem,
    #[source]
    cause: Option<Box<dyn core::error::Error + Send + Sync>>,
}

/// What a [`SecurityError`] complains about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecurityProblem {
    /// The file is not there or cannot be read.
    Unreadable,
    /// The file holds no certificate.
    NoCertificate,
    /// A certificate in the file is malformed.
    BadCertificate,
    /// A root file holds no certificate that can be trusted.
    NoRoot,
    /// The file holds no private key without a passphrase.
    NoPrivateKey,
    /// Certificate and key do not belong together, or TLS cannot use them.
    Mismatch,
    /// A connection is to be protected and there is neither a pair of one's own nor one to fall back to.
    NoKeyPair,
    /// Of certificate and key, one is there and the other is missing.
    HalfPair,
    /// TLS was asked for and there are no credentials at all.
    NoCredentials,
}

impl fmt::Display for SecurityProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "cannot be read",
            Self::NoCertificate => "holds no certificate",
            Self::BadCertificate => "holds a malformed certificate",
            Self::NoRoot => "holds no root certificate that can be trusted",
            Self::NoPrivateKey => "holds no private key without a passphrase",
            Self::Mismatch => "certificate and private key do not belong together",
            Self::NoKeyPair => "there is neither a server nor a client certificate with its key beside it",
            Self::HalfPair => "is needed, because the other half of the pair is there",
            Self::NoCredentials => "protected connections need credentials",
        })
    }
}

impl SecurityError {
    pub(crate) fn new(file: impl AsRef<Path>, problem: SecurityProblem) -> Self {
        Self { file: file.as_ref().to_owned(), problem, cause: None }
    }

    pub(crate) fn caused(
        file: impl AsRef<Path>,
        problem: SecurityProblem,
        cause: impl Into<Box<dyn core::error::Error + Send + Sync>>,
    ) -> Self {
        Self { file: file.as_ref().to_owned(), problem, cause: Some(cause.into()) }
    }

    /// The file in question.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn problem(&self) -> SecurityProblem {
        self.problem
    }
}
