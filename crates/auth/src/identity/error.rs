//! Errors of reading certificates and keys: which file, which field, what is wrong with it.

use core::fmt;
use std::io;

use crate::error::Fault;
use crate::name::BadName;

/// The part of a certificate or key that an [`IdentityError`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// The file itself.
    File,
    /// The PEM armour around the DER bytes.
    Pem,
    /// The certificate as a whole.
    Certificate,
    /// Common name in the subject.
    CommonName,
    /// Organisation in the subject.
    Organisation,
    /// Role in the subject (`unstructuredName`).
    Role,
    /// The basic constraints extension.
    BasicConstraints,
    /// The key usage extension.
    KeyUsage,
    /// The extended key usage extension.
    ExtendedKeyUsage,
    /// The public key.
    PublicKey,
    /// The private key.
    PrivateKey,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Pem => "PEM armour",
            Self::Certificate => "certificate",
            Self::CommonName => "common name",
            Self::Organisation => "organisation",
            Self::Role => "role",
            Self::BasicConstraints => "basic constraints",
            Self::KeyUsage => "key usage",
            Self::ExtendedKeyUsage => "extended key usage",
            Self::PublicKey => "public key",
            Self::PrivateKey => "private key",
        })
    }
}

/// What is wrong with the [`Field`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The operating system would not give us the file.
    #[error("cannot be read")]
    Unreadable,
    /// There are more bytes than any real one has.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// There are more certificates than any real chain has.
    #[error("has more than {0} certificates")]
    TooMany(usize),
    /// What was looked for is not there.
    #[error("is missing")]
    Missing,
    /// It does not follow its grammar.
    #[error("is malformed")]
    Malformed,
    /// It stands more than once where one is expected.
    #[error("stands more than once")]
    Repeated,
    /// The name is not one.
    #[error("is not usable: {0}")]
    BadName(BadName),
    /// The private key is protected by a passphrase, which a kit's key never is.
    #[error("is encrypted, expected a key without a passphrase")]
    Encrypted,
    /// The key is of a kind or size that the protocol cannot use.
    #[error("is not an RSA key of 2048 to 8192 bits")]
    NotRsa,
    /// Certificate and private key are not two halves of one pair.
    #[error("does not belong to the certificate")]
    Mismatch,
    /// A certificate that must be an authority's is not.
    #[error("does not allow signing certificates")]
    NotAuthority,
}

/// A certificate or a key could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {field} {problem}")]
#[non_exhaustive]
pub struct IdentityError {
    file: String,
    field: Field,
    problem: Problem,
    #[source]
    cause: Option<io::Error>,
}

impl IdentityError {
    pub(crate) fn new(file: &str, field: Field, problem: Problem) -> Self {
        Self { file: file.to_owned(), field, problem, cause: None }
    }

    pub(crate) fn unreadable(file: &str, cause: io::Error) -> Self {
        Self { file: file.to_owned(), field: Field::File, problem: Problem::Unreadable, cause: Some(cause) }
    }

    /// The file, or what the caller called the bytes.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The part that the error is about.
    #[must_use]
    pub const fn field(&self) -> Field {
        self.field
    }

    /// What is wrong with that part.
    #[must_use]
    pub const fn problem(&self) -> Problem {
        self.problem
    }

    /// Always [`Fault::Local`]: what a peer sends is reported as [`Unauthenticated`](crate::Unauthenticated) instead.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        Fault::Local
    }
}
