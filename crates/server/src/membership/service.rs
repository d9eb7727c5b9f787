//! The registrar as a service on the server's cell.

use core::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fedcell_auth::token::{AuthHeaders, ClientCredential};
use fedcell_auth::{Unauthenticated, UnixTime};
use fedcell_cell::{Cell, PreparedCell, Request, SystemRandom, fobs_body};
use fedcell_cell_proto::filter::Place;
use fedcell_cell_proto::headers::{HeaderMap, HeaderValue};
use fedcell_cell_proto::request::{Body, Reply};
use fedcell_cell_proto::transit::{AttachCredential, Authenticator, CheckCredential, Checker};
use fedcell_durable::Storage;
use fedcell_fobs::Value;
use fedcell_protocol_defs::cell::{Channel, Topic, Wildcard};
use fedcell_protocol_defs::federation::{HeaderKey, ReplyText};
use tokio::sync::{Notify, broadcast};
use tokio::time::sleep;

use super::apart::Apart;
use super::book::{KeptToken, TokenBook};
use super::candidate::Granted;
use super::event::MembershipEvent;
use super::keeper::{Keeping, TokenKeeper};
use super::refusal::Refusal;
use super::registrar::Registrar;
use super::tokens::TokenTable;
use super::wording;
use crate::metrics::MemberMeters;

/// Events that a slow reader may lag behind before it misses some. Room for all of them is taken at once.
const EVENT_BACKLOG: usize = 1024;

/// A registrar that answers on a cell. Clones are the same service.
#[derive(Clone)]
pub struct MembershipService {
    inner: Arc<Inner>,
}

struct Inner {
    registrar: Mutex<Registrar>,
    /// Apart from the registrar, since every message is looked up in them; none without keys.
    tokens: Option<TokenTable>,
    /// Where proofs are verified and signatures made.
    apart: Apart,
    keeping: Arc<Keeping>,
    events: broadcast::Sender<MembershipEvent>,
    timer: Notify,
    meters: MemberMeters,
}

impl MembershipService {
    /// A service that answers nowhere yet.
    #[must_use]
    pub fn new(registrar: Registrar) -> Self {
        let (events, _) = broadcast::channel(EVENT_BACKLOG);
        Self {
            inner: Arc::new(Inner {
                tokens: registrar.tokens(),
                registrar: Mutex::new(registrar),
                apart: Apart::new(),
                keeping: Arc::default(),
                events,
                timer: Notify::new(),
                meters: MemberMeters::new(),
            }),
        }
    }

    /// Has tokens kept over a restart: the reply that brings a token leaves when it is kept. Call this before
    /// [`attach`](Self::attach), and after what was kept has been [restored](Registrar::restore_member); changes before it are
    /// not kept. False if somebody keeps them already.
    pub fn keep_tokens(&self, keeper: Arc<dyn TokenKeeper>) -> bool {
        self.inner.keeping.set(keeper)
    }

    /// Takes back the tokens that an earlier server with the certificate of this fingerprint has kept, and has those
    /// that come kept there too, as [`keep_tokens`](Self::keep_tokens) does. How many were taken back: the client of one that cannot be
    /// has to register again.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub fn keep_tokens_on(
        &self,
        storage: impl Storage + Send + 'static,
        server: [u8; 32],
        now: UnixTime,
    ) -> Result<usize, fedcell_durable::Error> {
        let (book, kept) = TokenBook::open(storage, server)?;
        let mut taken = 0;
        for KeptToken { token, member } in kept {
            let client = member.name.clone();
            match self.with(|registrar| registrar.restore_member(now, token, member)) {
                Ok(()) => taken += 1,
                Err(error) => tracing::warn!(client, %error, "a token is not taken back, its client registers again"),
            }
        }
        self.keep_tokens(Arc::new(book));
        Ok(taken)
    }

    /// Waits until all changes of tokens up to now are kept, for whoever changed them by [`with`](Self::with).
    ///
    /// # Errors
    ///
    /// What the keeper says. It will be tried again with the next change.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future takes nothing back.
    pub async fn kept(&self) -> io::Result<()> {
        Arc::clone(&self.inner.keeping).keep().await
    }

    /// Answers challenges, registrations, heartbeats and goodbyes on the root cell, shows the server's own credential on
    /// its messages, and lets no message pass whose credential is no good. The task ends with the cell.
    ///
    /// # Errors
    ///
    /// [`IssueError`](fedcell_auth::token::IssueError) if the server's key cannot sign.
    pub fn attach(&self, cell: &PreparedCell) -> Result<(), fedcell_auth::token::IssueError> {
        let own = self.lock().own_credential()?;
        let any = Wildcard::ANY.as_str();
        let check = CheckCredential::new(Checker::Server, Arc::new(self.clone()));
        cell.filter(Place::Incoming, any, any, check);
        if let Some(own) = own {
            show(cell, &own);
        }
        self.serve(cell, Topic::CHALLENGE, |service, request| async move { service.answer_challenge(&request).await });
        self.serve(cell, Topic::REGISTER, |service, request| async move {
            let answered = service.answer_registration(&request).await;
            let meters = &service.inner.meters;
            match &answered {
                Ok(answer) if answer.is_some() => meters.admitted.increment(1),
                Ok(_) => meters.unproved.increment(1),
                Err(_) => meters.refused.increment(1),
            }
            reply(HeaderMap::new(), &wording::grant(answered?.as_ref()))
        });
        self.serve(cell, Topic::HEART_BEAT, |service, request| async move {
            let answered = service.answer_heartbeat(&request);
            let meters = &service.inner.meters;
            if answered.is_ok() { &meters.heartbeats } else { &meters.heartbeats_refused }.increment(1);
            answered
        });
        self.serve(cell, Topic::QUIT, |service, request| async move { service.answer_quit(&request).await });
        let (service, cell) = (self.clone(), Cell::clone(cell));
        tokio::spawn(async move { service.keep_time(&cell).await });
        Ok(())
    }

    /// Takes a job in, whose cell has been started, and has its messages show that they are the job's.
    ///
    /// # Errors
    ///
    /// [`IssueError`](fedcell_auth::token::IssueError) if the id of the job is no UUID or is taken.
    pub fn add_job(&self, job: &str, cell: &Cell) -> Result<(), fedcell_auth::token::IssueError> {
        let credential = self.with(|registrar| registrar.add_job(cell.now(), job, cell.address()))?;
        if let Some(credential) = credential {
            show(cell, &credential);
        }
        Ok(())
    }

    fn serve<F>(&self, cell: &Cell, topic: Topic<'static>, answer: fn(Self, Arc<Request>) -> F)
    where
        F: Future<Output = Result<Reply, Refusal>> + Send + 'static,
    {
        let service = self.clone();
        cell.handle(Channel::SERVER_MAIN, topic, move |request: Request| {
            let request = Arc::new(request);
            let answered = answer(service.clone(), Arc::clone(&request));
            async move {
                answered.await.unwrap_or_else(|refusal| {
                    tracing::info!(origin = %request.origin(), %refusal, topic = request.topic(), "refused");
                    Reply::failed(refusal.code, refusal.text)
                })
            }
        });
    }

    /// What becomes known from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<MembershipEvent> {
        self.inner.events.subscribe()
    }

    /// Looks at the registrar, or calls a verb of it.
    pub fn with<T>(&self, verb: impl FnOnce(&mut Registrar) -> T) -> T {
        let (result, events, is_sooner) = {
            let mut registrar = self.lock();
            let before = registrar.poll_timeout();
            let result = verb(&mut registrar);
            let events: Vec<_> = core::iter::from_fn(|| registrar.poll_event()).collect();
            for event in &events {
                self.inner.keeping.note(event, &registrar);
            }
            if events.iter().any(MembershipEvent::is_of_presence) {
                let mut sites = self.inner.meters.sites.lock().unwrap_or_else(PoisonError::into_inner);
                sites.set(registrar.living_sites());
            }
            let is_sooner = match (before, registrar.poll_timeout()) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(before), Some(due)) => due < before,
            };
            (result, events, is_sooner)
        };
        // Who keeps time also sees to what nobody waits for.
        let wakes = is_sooner || (!events.is_empty() && self.inner.keeping.is_behind());
        for event in events {
            // Nobody has to listen.
            let _ = self.inner.events.send(event);
        }
        if wakes {
            self.inner.timer.notify_one();
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Registrar> {
        self.inner.registrar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the registrar when its time comes, until the cell ends.
    async fn keep_time(self, cell: &Cell) {
        loop {
            if self.inner.keeping.is_behind() {
                let service = self.clone();
                tokio::spawn(async move {
                    if let Err(error) = service.kept().await {
                        tracing::error!(%error, "changes of tokens could not be kept");
                    }
                });
            }
            let due = self.lock().poll_timeout();
            let wait = due.map(|due| due.saturating_since(cell.now()));
            tokio::select! {
                () = cell.ended() => return,
                () = self.inner.timer.notified() => {}
                () = async { match wait { Some(wait) => sleep(wait).await, None => core::future::pending().await } } => {
                    let now = cell.now();
                    self.with(|registrar| registrar.handle_timeout(now));
                }
            }
        }
    }

    async fn answer_challenge(&self, request: &Request) -> Result<Reply, Refusal> {
        let (now, asked) = (request.cell().now(), wording::challenge(request));
        let opened =
            self.with(|registrar| registrar.handle_challenge(now, &mut SystemRandom::new(), request.origin(), &asked))?;
        let signed = self.inner.apart.run(move || opened.sign()).await?;
        let answer = signed.map_err(|_| Refusal::again("the server cannot sign now"))?;
        reply(HeaderMap::new(), &wording::challenge_reply(answer))
    }

    /// Makes a member of whoever asks; none if its proof does not hold.
    async fn answer_registration(&self, request: &Request) -> Result<Option<Granted>, Refusal> {
        let (now, applicant) = (request.cell().now(), wording::applicant(request)?);
        let name = applicant.name.clone();
        let candidate = self.with(|registrar| registrar.handle_registration(now, request.origin(), applicant))?;
        let proved = self.inner.apart.run(move || candidate.prove(now, &mut SystemRandom::new())).await??;
        let Some(proved) = proved else {
            let origin = request.origin();
            tracing::warn!(client = %name.escape_debug(), %origin, "a registration without a proof that holds");
            return Ok(None);
        };
        let granted = self.with(|registrar| registrar.admit(now, proved))?;
        if let Err(error) = self.kept().await {
            tracing::error!(client = %name.escape_debug(), %error, "the token of a client cannot be kept");
            // A token that would be unknown after a restart is not given.
            self.with(|registrar| registrar.remove(&name));
            return Err(Refusal::again("the server cannot keep a token now"));
        }
        Ok(Some(granted))
    }

    fn answer_heartbeat(&self, request: &Request) -> Result<Reply, Refusal> {
        let (now, jobs) = (request.cell().now(), wording::jobs(request));
        let (client, project) = who(request);
        let answer = self.with(|registrar| registrar.handle_heartbeat(now, client, project, &jobs))?;
        let mut headers = said(ReplyText::HEARTBEAT);
        if !answer.abort_jobs.is_empty() {
            let jobs: Vec<&str> = answer.abort_jobs.iter().map(String::as_str).collect();
            headers.insert(HeaderKey::ABORT_JOBS, HeaderValue::Texts(&jobs));
        }
        Ok(Reply::ok(Body::none()).with_headers(headers))
    }

    async fn answer_quit(&self, request: &Request) -> Result<Reply, Refusal> {
        let (client, project) = who(request);
        self.with(|registrar| registrar.handle_quit(client, project))?;
        self.kept().await.map_err(|_| Refusal::again("the server cannot note a goodbye now"))?;
        Ok(Reply::ok(Body::none()).with_headers(said(ReplyText::QUIT)))
    }
}

/// Has the messages of a cell show a credential of the server's.
fn show(cell: &Cell, credential: &ClientCredential) {
    let attach = Arc::new(AttachCredential::new());
    attach.set(credential);
    cell.show_credential(&attach);
}

/// Who asks, for which project. The filter has checked the name against the token.
fn who(request: &Request) -> (&str, &str) {
    (wording::header(request, HeaderKey::CLIENT_NAME), wording::header(request, HeaderKey::PROJECT_NAME))
}

fn said(text: ReplyText<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderKey::MESSAGE, text.as_str());
    headers
}

fn reply(headers: HeaderMap, body: &Value) -> Result<Reply, Refusal> {
    let body = fobs_body(body).map_err(|_| Refusal::again("the reply cannot be written"))?;
    Ok(Reply::ok(body).with_headers(headers))
}

impl Authenticator for MembershipService {
    fn authenticate(&self, now: UnixTime, headers: &AuthHeaders<'_>, origin: &str) -> Result<(), Unauthenticated> {
        self.inner.tokens.as_ref().map_or(Ok(()), |tokens| tokens.authenticate(now, headers, origin))
    }
}

impl fmt::Debug for MembershipService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MembershipService").field("registrar", &*self.lock()).finish_non_exhaustive()
    }
}
