//! Certificates, private keys and the project root: who we are, and whom we believe.
//!
//! ```text
//!   startup kit                                      over the wire
//!   rootCA.pem ──► ProjectRoot ◄─────────────────── CertificateChain ◄── PEM of the peer
//!   server.crt ──► CertificateChain ─┐                     │ verify(chain, now, purpose)
//!   server.key ──► PrivateKey ───────┴─► Identity          ▼
//!                                                    VerifiedCertificate
//! ```
//!
//! [`VerifiedCertificate`] is the witness of a full path validation: only [`ProjectRoot::verify`] makes one, and the
//! challenge and the sealed messages ask for it.
//!
//! Reading is split in two: everything has a function over bytes, and `load` functions that read a file and name it in
//! their errors.

mod certificate;
mod chain;
mod doctor;
mod error;
mod key;
mod local;
mod pem;
mod root;

pub use certificate::{Certificate, ExtendedUsages, Fingerprint, KeyUsages};
pub use chain::{CertificateChain, MAX_CHAIN_LENGTH};
pub use doctor::{Finding, Kit, KitFile, KitReport, KitRole, Severity};
pub use error::{Field, IdentityError, Problem};
pub use key::PrivateKey;
pub use local::Identity;
pub use pem::MAX_PEM_LENGTH;
pub use root::{ProjectRoot, Purpose, VerifiedCertificate};
