//! A registration, and what is between the two looks of the registrar at it: proof and signature take long and need none of its tables.

use core::fmt;

use fedcell_auth::challenge::{RegistrationClaim, UnverifiedClient};
use fedcell_auth::rand_core::CryptoRng;
use fedcell_auth::token::{PreparedToken, TokenIssuer};
use fedcell_auth::{CommonName, Nonce, SecretText, UnixTime};
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_fobs::Map;
use fedcell_protocol_defs::federation::{AuthPlaceholder, ClientType};

use super::refusal::Refusal;

/// Who wants to register, from the headers and the body of the message. Nothing here is proved.
#[derive(Debug)]
#[non_exhaustive]
pub struct Applicant {
    /// The proof; a server without keys needs none.
    pub claim: Option<RegistrationClaim>,
    /// The name that it wants.
    pub name: String,
    /// What kind of participant it is.
    pub kind: String,
    /// The project that it belongs to.
    pub project: String,
    /// Path in the hierarchy of sites.
    pub fqsn: Option<String>,
    /// Whether no site stands below it.
    pub is_leaf: bool,
    /// What it tells about itself.
    pub site_config: Option<Map>,
    /// Its address, as it believes.
    pub address: String,
    /// The software that it runs.
    pub software: String,
}

impl Applicant {
    /// A site with this name, of this project, that tells no more.
    #[must_use]
    pub fn new(name: impl Into<String>, project: impl Into<String>) -> Self {
        Self {
            claim: None,
            name: name.into(),
            kind: ClientType::REGULAR.as_str().to_owned(),
            project: project.into(),
            fqsn: None,
            is_leaf: true,
            site_config: None,
            address: String::new(),
            software: String::new(),
        }
    }
}

/// What a new member is given.
#[derive(Debug)]
#[non_exhaustive]
pub struct Granted {
    /// The token.
    pub token: SecretText,
    /// The server's signature over name and token, base64, or `NA` without keys.
    pub signature: SecretText,
}

/// An applicant that may register if its proof holds. Its challenge is spent.
#[derive(Debug)]
pub struct Candidate {
    pub(super) applicant: Applicant,
    pub(super) origin: FqcnBuf,
    pub(super) proof: Proof,
}

/// What there is to prove.
#[derive(Debug)]
pub(super) enum Proof {
    /// Nothing: the server has no keys.
    Open,
    /// The claim, and who signs a token then.
    Claim(UnverifiedClient, TokenIssuer),
    /// There is none, or none that could hold.
    Missing,
}

/// An applicant that has proved its name, with a token that is not good yet:
/// [`Registrar::admit`](super::Registrar::admit) makes it so.
#[derive(Debug)]
pub struct Proved {
    pub(super) applicant: Applicant,
    pub(super) origin: FqcnBuf,
    pub(super) organisation: Option<String>,
    pub(super) token: NewToken,
}

/// A token that nobody has been given.
pub(super) enum NewToken {
    /// Of a server without keys: it proves nothing.
    Open(Granted),
    /// One that the registry takes.
    Signed(PreparedToken),
}

impl Candidate {
    /// Verifies the proof and signs a token; half a millisecond with RSA-2048. None if the proof does not hold: the
    /// applicant is told nothing but that, with a reply that says ok and holds no token, as the reference does.
    ///
    /// # Errors
    ///
    /// [`Refusal`] for everything that is no secret.
    pub fn prove(self, now: UnixTime, rng: &mut impl CryptoRng) -> Result<Option<Proved>, Refusal> {
        let Self { applicant, origin, proof } = self;
        let (organisation, token) = match proof {
            Proof::Missing => return Ok(None),
            Proof::Open => (None, NewToken::Open(open_grant(&applicant.name, rng)?)),
            Proof::Claim(claim, issuer) => {
                let Ok(client) = claim.verify(now) else { return Ok(None) };
                let prepared = issuer.prepare(&client, now, rng).map_err(|error| Refusal::again(error.to_string()))?;
                (client.organisation().map(str::to_owned), NewToken::Signed(prepared))
            }
        };
        Ok(Some(Proved { applicant, origin, organisation, token }))
    }
}

/// A token of a server without keys: it proves nothing.
fn open_grant(name: &str, rng: &mut impl CryptoRng) -> Result<Granted, Refusal> {
    CommonName::parse(name).map_err(|error| Refusal::malformed(error.to_string()))?;
    Ok(Granted {
        token: SecretText::new(Nonce::random(rng).as_str().to_owned()),
        signature: SecretText::new(AuthPlaceholder::NOT_AVAILABLE.as_str().to_owned()),
    })
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open(_) => "Open",
            Self::Signed(_) => "Signed",
        })
    }
}
