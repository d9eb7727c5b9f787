//! The registrar as a service on the server's cell.

use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fedcell_auth::token::{AuthHeaders, ClientCredential};
use fedcell_auth::{Unauthenticated, UnixTime};
use fedcell_cell::{Cell, Request, SystemRandom, fobs_body};
use fedcell_cell_proto::filter::Place;
use fedcell_cell_proto::headers::{HeaderMap, HeaderValue};
use fedcell_cell_proto::request::{Body, Reply};
use fedcell_cell_proto::transit::{AttachCredential, Authenticator, CheckCredential, Checker};
use fedcell_fobs::Value;
use fedcell_protocol_defs::cell::{Channel, Topic, Wildcard};
use fedcell_protocol_defs::federation::{HeaderKey, ReplyText};
use tokio::sync::{Notify, broadcast};
use tokio::time::sleep;

use super::event::MembershipEvent;
use super::refusal::Refusal;
use super::registrar::Registrar;
use super::wording;

/// Events that a slow reader may lag behind before it misses some.
const EVENT_BACKLOG: usize = 4096;

/// A registrar that answers on a cell. Clones are the same service.
#[derive(Clone)]
pub struct MembershipService {
    inner: Arc<Inner>,
}

struct Inner {
    registrar: Mutex<Registrar>,
    events: broadcast::Sender<MembershipEvent>,
    timer: Notify,
}

impl MembershipService {
    /// A service that answers nowhere yet.
    #[must_use]
    pub fn new(registrar: Registrar) -> Self {
        let (events, _) = broadcast::channel(EVENT_BACKLOG);
        Self { inner: Arc::new(Inner { registrar: Mutex::new(registrar), events, timer: Notify::new() }) }
    }

    /// Answers challenges, registrations, heartbeats and goodbyes on the root cell, shows the server's own credential on
    /// its messages, and lets no message pass whose credential is no good. The task ends with the cell.
    ///
    /// # Errors
    ///
    /// [`IssueError`](fedcell_auth::token::IssueError) if the server's key cannot sign.
    pub fn attach(&self, cell: &Cell) -> Result<(), fedcell_auth::token::IssueError> {
        let own = self.lock().own_credential()?;
        let any = Wildcard::ANY.as_str();
        let check = CheckCredential::new(Checker::Server, Arc::new(self.clone()));
        cell.filter(Place::Incoming, any, any, check);
        if let Some(own) = own {
            show(cell, &own);
        }
        self.serve(cell, Topic::CHALLENGE, Self::answer_challenge);
        self.serve(cell, Topic::REGISTER, Self::answer_registration);
        self.serve(cell, Topic::HEART_BEAT, Self::answer_heartbeat);
        self.serve(cell, Topic::QUIT, Self::answer_quit);
        let (service, cell) = (self.clone(), cell.clone());
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

    fn serve(&self, cell: &Cell, topic: Topic<'static>, answer: fn(&Self, &Request) -> Result<Reply, Refusal>) {
        let service = self.clone();
        cell.handle(Channel::SERVER_MAIN, topic, move |request: Request| {
            let answered = answer(&service, &request);
            async move {
                answered.unwrap_or_else(|refusal| {
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
        let (result, events) = {
            let mut registrar = self.lock();
            let result = verb(&mut registrar);
            let events: Vec<_> = core::iter::from_fn(|| registrar.poll_event()).collect();
            (result, events)
        };
        for event in events {
            // Nobody has to listen.
            let _ = self.inner.events.send(event);
        }
        self.inner.timer.notify_one();
        result
    }

    fn lock(&self) -> MutexGuard<'_, Registrar> {
        self.inner.registrar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the registrar when its time comes, until the cell ends.
    async fn keep_time(self, cell: &Cell) {
        loop {
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

    fn answer_challenge(&self, request: &Request) -> Result<Reply, Refusal> {
        let (now, asked) = (request.cell().now(), wording::challenge(request));
        let answer =
            self.with(|registrar| registrar.handle_challenge(now, &mut SystemRandom::new(), request.origin(), &asked))?;
        reply(HeaderMap::new(), &wording::challenge_reply(answer))
    }

    fn answer_registration(&self, request: &Request) -> Result<Reply, Refusal> {
        let (now, applicant) = (request.cell().now(), wording::applicant(request)?);
        let name = applicant.name.clone();
        let granted = self.with(|registrar| {
            registrar.handle_registration(now, &mut SystemRandom::new(), request.origin(), applicant)
        })?;
        if granted.is_none() {
            tracing::warn!(client = %name.escape_debug(), origin = %request.origin(), "a registration without a proof that holds");
        }
        reply(HeaderMap::new(), &wording::grant(granted.as_ref()))
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

    fn answer_quit(&self, request: &Request) -> Result<Reply, Refusal> {
        let (client, project) = who(request);
        self.with(|registrar| registrar.handle_quit(client, project))?;
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
        self.lock().authenticate(now, headers, origin)
    }
}

impl fmt::Debug for MembershipService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MembershipService").field("registrar", &*self.lock()).finish_non_exhaustive()
    }
}
