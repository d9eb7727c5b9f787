//! Registration: the server proves who it is, then we do, and get a token.

use core::time::Duration;

use fedcell_auth::SecretText;
use fedcell_auth::challenge::{ClientChallenge, ClientParty, RegistrationClaim};
use fedcell_auth::token::{ClientCredential, TokenVerifier};
use fedcell_cell::request::Response;
use fedcell_cell::{Cell, RequestError, SystemRandom};
use fedcell_fobs::typed::FobsType as _;
use fedcell_protocol_defs::cell::{ErrorText, IdentityKey, ReturnCode, Topic};
use fedcell_protocol_defs::federation::{HeaderKey, Protocol};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::error::{RegisterError, Step};
use super::machine::{Communicator, Registered};
use super::wording::{self, Grant};

/// What one attempt came to.
enum Attempt<T> {
    Done(T),
    /// Nobody answered; it is worth to try again.
    Again(RequestError),
}

impl Communicator {
    /// Registers the client: challenge, then registration. From then on the cell's messages show the credential.
    ///
    /// Repeats while nobody answers, with the pause and patience of the configuration. A nonce is good for one attempt,
    /// so a registration that got no answer begins again with a challenge. A refusal is final, but for a server that is
    /// not in service yet.
    ///
    /// # Errors
    ///
    /// [`RegisterError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the Communicator as it was; the server may have given a token that nobody knows,
    /// which the next registration replaces.
    pub async fn register(&self, abort: &CancellationToken) -> Result<Registered, RegisterError> {
        let registered = abort.run_until_cancelled(self.register_patiently()).await;
        let registered = registered.unwrap_or(Err(RegisterError::Aborted));
        let meters = self.meters();
        if registered.is_ok() { &meters.registrations } else { &meters.registrations_failed }.increment(1);
        registered
    }

    /// Has the server prove who it is, and registers nothing. One attempt.
    ///
    /// # Errors
    ///
    /// [`RegisterError`]; none if no [`party`](super::Config::party) is configured, since nothing is asked then.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn prove_server(&self) -> Result<(), RegisterError> {
        let config = self.config();
        let Some(party) = &config.party else { return Ok(()) };
        let cell = self.await_cell(config.cell_patience).await?;
        let started = Instant::now();
        match self.challenge(&cell, party).await? {
            Attempt::Done(_) => Ok(()),
            Attempt::Again(cause) => {
                Err(RegisterError::Unreachable { tried: started.elapsed(), cause: Box::new(cause) })
            }
        }
    }

    async fn register_patiently(&self) -> Result<Registered, RegisterError> {
        let config = self.config();
        let cell = self.await_cell(config.cell_patience).await?;
        let started = Instant::now();
        loop {
            let cause = match self.attempt(&cell).await? {
                Attempt::Done(registered) => return Ok(registered),
                Attempt::Again(cause) => cause,
            };
            let tried = started.elapsed();
            tracing::info!(client = config.client_name.as_str(), %cause, "the server does not answer, trying again");
            if config
                .register_patience
                .is_some_and(|patience| tried.saturating_add(config.register_interval) > patience)
            {
                return Err(RegisterError::Unreachable { tried, cause: Box::new(cause) });
            }
            sleep(config.register_interval).await;
        }
    }

    async fn await_cell(&self, patience: Duration) -> Result<Cell, RegisterError> {
        let mut cells = self.cells();
        let found = timeout(patience, cells.wait_for(Option::is_some)).await;
        let cell = found.ok().and_then(Result::ok).and_then(|cell| cell.clone());
        cell.ok_or(RegisterError::NoCell { waited: patience })
    }

    async fn attempt(&self, cell: &Cell) -> Result<Attempt<Registered>, RegisterError> {
        let (claim, verifier) = match &self.config().party {
            None => (None, None),
            Some(party) => match self.challenge(cell, party).await? {
                Attempt::Done((claim, verifier)) => (Some(claim), Some(verifier)),
                Attempt::Again(cause) => return Ok(Attempt::Again(cause)),
            },
        };
        let grant = match self.ask_for_token(cell, claim).await? {
            Attempt::Done(grant) => grant,
            Attempt::Again(cause) => return Ok(Attempt::Again(cause)),
        };
        let credential = self.check(&grant, verifier.as_ref())?;
        self.set_verifier(verifier);
        self.set_auth(&credential, &grant.session);
        tracing::info!(client = self.config().client_name.as_str(), "registered");
        Ok(Attempt::Done(Registered {
            token: SecretText::new(grant.token),
            signature: SecretText::new(grant.signature),
            session: grant.session,
        }))
    }

    /// Has the server prove itself; gives our own proof, to be sent next.
    async fn challenge(
        &self,
        cell: &Cell,
        party: &ClientParty,
    ) -> Result<Attempt<(RegistrationClaim, TokenVerifier)>, RegisterError> {
        let challenge = ClientChallenge::start(party, cell.now(), &mut SystemRandom::new());
        let request = challenge.request();
        let draft = self
            .maintenance(cell, Topic::CHALLENGE.as_str())
            .header(IdentityKey::COMMON_NAME, request.common_name.as_str())
            .header(IdentityKey::NONCE, request.nonce.as_str())
            .optional();
        let response = match self.answered(draft.send().await, Step::Challenge)? {
            Attempt::Done(response) => response,
            Attempt::Again(cause) => return Ok(Attempt::Again(cause)),
        };
        let malformed = |expected| RegisterError::Malformed { step: Step::Challenge, expected };
        let body = response.value().map_err(|_| malformed("an object that can be read"))?;
        let reply = wording::challenge_reply(body).map_err(malformed)?;
        let server = challenge.verify_server(&reply, cell.now()).map_err(|cause| RegisterError::WrongServer {
            expected: party.expected_server().as_str().to_owned(),
            cause,
        })?;
        let (registration, verifier) = server.register()?;
        Ok(Attempt::Done((registration.into_claim(), verifier)))
    }

    async fn ask_for_token(
        &self,
        cell: &Cell,
        claim: Option<RegistrationClaim>,
    ) -> Result<Attempt<Grant>, RegisterError> {
        let config = self.config();
        let body = wording::registration(config.context(""), claim, config.site_config.as_ref());
        let draft = self
            .maintenance(cell, Topic::REGISTER.as_str())
            .header(HeaderKey::CLIENT_NAME, config.client_name.as_str())
            .header(HeaderKey::CLIENT_TYPE, config.client_type.as_str())
            .header(HeaderKey::CLIENT_IP, wording::own_address().as_str())
            .header(HeaderKey::FEDERATION_PROTOCOL_VERSION, i64::from(Protocol::VERSION))
            .header(HeaderKey::NVFLARE_VERSION, concat!("fedcell ", env!("CARGO_PKG_VERSION")))
            .value(&body.into_value())
            .optional();
        let response = match self.answered(draft.send().await, Step::Registration)? {
            Attempt::Done(response) => response,
            Attempt::Again(cause) => return Ok(Attempt::Again(cause)),
        };
        let malformed = |expected| RegisterError::Malformed { step: Step::Registration, expected };
        let body = response.value().map_err(|_| malformed("an object that can be read"))?;
        let grant = wording::grant(&body).map_err(malformed)?;
        let client = || config.client_name.as_str().to_owned();
        grant.map(Attempt::Done).ok_or_else(|| RegisterError::NotAccepted { client: client() })
    }

    /// The credential, if the server that proved itself has signed it.
    fn check(&self, grant: &Grant, verifier: Option<&TokenVerifier>) -> Result<ClientCredential, RegisterError> {
        let name = &self.config().client_name;
        let credential = match verifier {
            Some(verifier) => verifier
                .accept(name, &grant.token, &grant.signature)
                .map_err(|cause| RegisterError::BadToken { client: name.as_str().to_owned(), cause })?,
            None => ClientCredential::handed_down(name.clone(), &grant.token, &grant.signature)
                .map_err(|_| RegisterError::Malformed { step: Step::Registration, expected: "a token" })?,
        };
        Ok(credential.with_session(&grant.session))
    }

    /// Sorts out what came of a request: an answer that says ok, a failure that is worth another attempt, or the end.
    fn answered(
        &self,
        outcome: Result<Response, RequestError>,
        step: Step,
    ) -> Result<Attempt<Response>, RegisterError> {
        let failed = match outcome.and_then(Response::success) {
            Ok(response) => return Ok(Attempt::Done(response)),
            Err(error) => error,
        };
        match failed {
            RequestError::Answered { code, text } => match ReturnCode::new(&code) {
                // The server is not in service yet, or a cell on the way has no connection to it now.
                ReturnCode::COMM_ERROR | ReturnCode::TARGET_UNREACHABLE | ReturnCode::SERVICE_UNAVAILABLE => {
                    Ok(Attempt::Again(RequestError::Answered { code, text }))
                }
                // A server of the reference starts its cell before it attaches what answers there.
                ReturnCode::PROCESS_EXCEPTION if *text == *ErrorText::NO_CALLBACK.as_str() => {
                    Ok(Attempt::Again(RequestError::Answered { code, text }))
                }
                _ => {
                    let client = self.config().client_name.as_str().to_owned();
                    Err(RegisterError::Refused { step, client, code, text })
                }
            },
            error @ RequestError::Failed(_) => Ok(Attempt::Again(error)),
            error => Err(RegisterError::Request(Box::new(error))),
        }
    }
}
