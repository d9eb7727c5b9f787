//! Sealed messages: payloads that only the cell at the other end can read, whatever they pass through.
//!
//! ```text
//!  0       1      13             269            525
//!  ┌───────┬──────┬──────────────┬──────────────┬─ ─ ─ ─ ─ ─ ─┬─────┐
//!  │version│nonce │wrapped key   │signature     │ciphertext   │ tag │
//!  └───────┴──────┴──────────────┴──────────────┴─ ─ ─ ─ ─ ─ ─┴─────┘
//!     1       12      256            256            as long      16
//!                                                   as the plaintext
//! ```
//!
//! [`Sealer`] makes envelopes, [`Opener`] opens them, [`PeerCertificates`] keeps what the certificate exchange brought.
//! The layout is the reference's, byte for byte; its fixed sizes mean RSA-2048 and nothing else.
//!
//! What the envelope proves: the holder of the sender's certificate made it for the holder of the target's certificate.
//! What it does not: which of the cells that share one certificate it was for (a site and its jobs do), and when it was
//! made. Hence the replay window of [`Opener`], which is kept by certificate: an envelope that is shown again under the
//! name of another cell of the same site is a repeat as well.

mod content_key;
mod envelope;
mod exchange;
mod opener;
mod recent;
mod replay;
mod sealer;

pub use exchange::{CertificateOffer, ExchangeReply, PeerCertificates};
pub use opener::{Freshness, OpenLimits, Opened, Opener, Replayed};
pub use sealer::{SealError, SealLimits, Sealer};
