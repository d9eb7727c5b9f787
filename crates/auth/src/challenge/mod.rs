//! The identity challenge: client and server prove themselves to each other through whatever lies between them.
//!
//! ```text
//!   client                                                   server
//!   ClientChallenge::start                                   ServerChallenge
//!      │  ChallengeRequest {common name, nonce} ────────────────► │ handle_challenge: rate, form, table of nonces
//!      │ ◄──── ChallengeReply {common name, nonce, certificate, │
//!      │                       signature over name and nonce} ──── │
//!   verify_server                                                 │
//!   VerifiedServer                                                │
//!   register                                                      │
//!      │  RegistrationClaim {client name, common name, certificate,│
//!      │                signature over name and nonce} ─────────► │ handle_registration
//!      │                                                       VerifiedClient ──► TokenRegistry
//! ```
//!
//! The signer signs its own common name followed by the other side's nonce. Rules that go beyond the reference and keep
//! its wire: a nonce is a canonical UUID or nothing is signed or verified; a name equal to the verifier's own is
//! refused, so that nobody can be made to answer itself; a nonce is good for one attempt, whatever comes of it; a
//! registration is for the name that asked for the challenge.
//!
//! The messages are plain data. The layer above maps them to headers and bodies with the keys of
//! [`fedcell_protocol_defs::cell::IdentityKey`]; nothing in them is believed before the machine has looked at it, which
//! is why their fields are text and bytes.
//!
//! Both machines are driven by calls alone: they hold no clock, and draining the server's timers is
//! [`ServerChallenge::poll_timeout`] and [`ServerChallenge::handle_timeout`].

mod client;
mod message;
mod outstanding;
mod rate;
mod server;

pub use client::{ClientChallenge, ClientParty, VerifiedServer};
pub use message::{
    ChallengeRefused, ChallengeReply, ChallengeRequest, PartyError, Registration, RegistrationClaim, SigningFailed,
};
pub use rate::Rate;
pub use server::{ChallengeLimits, ServerChallenge, UnsignedReply, UnverifiedClient, VerifiedClient};

use crate::name::CommonName;
use crate::uuid::Nonce;

/// What is signed: the signer's common name followed by the other side's nonce.
///
/// The nonce has a fixed length, so no two pairs give the same content.
fn signed_content(name: &CommonName, nonce: &Nonce) -> Vec<u8> {
    [name.as_str().as_bytes(), nonce.as_str().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_pairs_of_name_and_nonce_have_one_content() {
        let nonces = ["6f978619-4d59-4599-8d3c-872cfa36f2b9", "1-978619-4d59-4599-8d3c-872cfa36f2b9"];
        // A nonce that is no UUID could begin with the end of a longer name: that is why it is refused.
        assert_eq!(format!("site{}", "-16f978619-4d59-4599-8d3c-872cfa36f2"), format!("site-1{}", &nonces[0][..34]));
        assert!(Nonce::parse(nonces[1]).is_err());

        let nonce = Nonce::parse(nonces[0]).unwrap();
        let names = ["s", "site", "site-", "site-1", "site-1-", "site-16f978619-4d59-4599-8d3c-872cfa36f2b9"];
        let contents: Vec<_> =
            names.iter().map(|name| signed_content(&CommonName::parse(name).unwrap(), &nonce)).collect();
        for (index, content) in contents.iter().enumerate() {
            assert!(!contents[..index].contains(content));
            // The nonce is always the last 36 bytes, so the content can be taken apart in one way only.
            assert_eq!(content.split_last_chunk::<36>().unwrap().1, nonce.as_str().as_bytes());
        }
    }
}
