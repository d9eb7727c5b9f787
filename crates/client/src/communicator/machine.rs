//! The Communicator itself: what it knows, and its hold on the cell.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use fedcell_auth::SecretText;
use fedcell_auth::token::{ClientCredential, TokenVerifier};
use fedcell_cell::request::{RequestDraft, Response};
use fedcell_cell::{Cell, RequestError};
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::transit::AttachCredential;
use fedcell_protocol_defs::address::ReservedSegment;
use fedcell_protocol_defs::cell::{Channel, ReturnCode};
use fedcell_protocol_defs::federation::HeaderKey;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, watch};

use super::children::Desk;
use super::config::Config;
use crate::metrics::AccountMeters;

/// What a site says to its server. Clones are the same Communicator.
///
/// The credential that a registration brings goes onto every message of the cell that the server looks at, those of
/// other parts of the program included, and onto no other.
#[derive(Clone)]
pub struct Communicator {
    inner: Arc<Inner>,
}

struct Inner {
    account: Arc<Account>,
    /// The job of a Communicator that is for one.
    job: Option<String>,
    /// Where tasks come from, if the job says otherwise than the configuration.
    parent: Option<FqcnBuf>,
    cell: watch::Sender<Option<Cell>>,
    /// What the server has asked for at least.
    task_timeout: Mutex<Duration>,
    children: Desk,
}

/// What the Communicators of a site share: its registration.
struct Account {
    config: Config,
    attach: Arc<AttachCredential>,
    state: Mutex<State>,
    standing: watch::Sender<Standing>,
    /// Held shared by whoever submits a result, alone by a goodbye.
    submissions: RwLock<()>,
    meters: AccountMeters,
}

#[derive(Default)]
struct State {
    session: Option<String>,
    verifier: Option<TokenVerifier>,
}

/// How the site stands with its server.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    /// Credentials that there have been.
    credentials: u64,
    /// What the last of them is worth.
    last: Credential,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Credential {
    /// There is none, or the site has left.
    #[default]
    None,
    /// The server knows it, for all that we have heard.
    Good,
    /// The server has said that it does not know it.
    Forgotten,
}

/// What a registration brought.
#[derive(Debug)]
#[non_exhaustive]
pub struct Registered {
    /// The token: a bearer secret.
    pub token: SecretText,
    /// The server's signature over name and token, base64, or `NA` without keys. To be kept as the token is.
    pub signature: SecretText,
    /// The service session, echoed on every message.
    pub session: String,
}

impl Communicator {
    /// A Communicator without a cell.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let (standing, _) = watch::channel(Standing::default());
        let (attach, state) = (Arc::new(AttachCredential::new()), Mutex::default());
        let (submissions, meters) = (RwLock::default(), AccountMeters::new());
        Self::of(Arc::new(Account { config, attach, state, standing, submissions, meters }), None, None)
    }

    /// The Communicator of one job on a cell of its own, as `site-1.JOB`: it shows the credential that this one has, and
    /// the next one after a new registration.
    #[must_use]
    pub fn for_job(&self, job: impl Into<String>, cell: Cell) -> Self {
        self.for_job_below(job, cell, None)
    }

    /// The same with the cell of the site from which tasks of this job come; none is the configured one.
    #[must_use]
    pub fn for_job_below(&self, job: impl Into<String>, cell: Cell, parent: Option<FqcnBuf>) -> Self {
        let communicator = Self::of(Arc::clone(&self.inner.account), Some(job.into()), parent);
        communicator.set_cell(cell);
        communicator
    }

    fn of(account: Arc<Account>, job: Option<String>, parent: Option<FqcnBuf>) -> Self {
        let (cell, _) = watch::channel(None);
        let inner = Inner { account, job, parent, cell, task_timeout: Mutex::default(), children: Desk::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Keeps goodbyes of the site away for as long as a result is on its way.
    pub(super) async fn submission(&self) -> RwLockReadGuard<'_, ()> {
        self.inner.account.submissions.read().await
    }

    /// Waits until no result of the site is on its way, and keeps new ones back.
    pub(super) async fn no_submission(&self) -> RwLockWriteGuard<'_, ()> {
        self.inner.account.submissions.write().await
    }

    /// What it was told.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.account.config
    }

    /// Gives it its cell; a registration may be waiting for that. The cell shows the credential from now on, and answers
    /// what the sites below this one ask. A cell that it has already is not touched; one that it had before goes on
    /// showing the credential until it ends.
    pub fn set_cell(&self, cell: Cell) {
        let is_new = !self.inner.cell.borrow().as_ref().is_some_and(|known| known.is_clone_of(&cell));
        if is_new {
            cell.show_credential(&self.inner.account.attach);
            self.answer_children(&cell);
        }
        self.inner.cell.send_replace(Some(cell));
    }

    /// The cell, if there is one.
    #[must_use]
    pub fn cell(&self) -> Option<Cell> {
        self.inner.cell.borrow().clone()
    }

    /// Takes a credential that a parent process handed down, instead of registering. It goes onto messages from now on.
    pub fn set_auth(&self, credential: &ClientCredential, session: &str) {
        self.inner.account.attach.set(credential);
        self.state().session = Some(session.to_owned());
        self.change(|standing| {
            standing.credentials += 1;
            standing.last = Credential::Good;
            true
        });
    }

    /// Completes when there is a credential.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn registered(&self) {
        self.until(Credential::Good).await;
    }

    /// Completes when the server does not know the credential.
    pub(super) async fn forgotten(&self) {
        self.until(Credential::Forgotten).await;
    }

    async fn until(&self, worth: Credential) {
        let mut standing = self.inner.account.standing.subscribe();
        // The account, and with it the sender, lives as long as this Communicator.
        _ = standing.wait_for(|standing| standing.last == worth).await;
    }

    /// Whether there is a credential, and the server has not said that it does not know it.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.inner.account.standing.borrow().last == Credential::Good
    }

    /// Sends a request that shows the credential. If the server does not know that any more, neither do we, and the
    /// [heartbeats](Self::heartbeats) register again.
    pub(super) async fn ask(&self, draft: RequestDraft) -> Result<Response, RequestError> {
        let shown = self.inner.account.standing.borrow().credentials;
        let outcome = draft.send().await.and_then(Response::success);
        if outcome.as_ref().is_err_and(|error| is_about_us(error.return_code())) {
            self.change(|standing| {
                // What is said of an older one comes late.
                let is_news = standing.credentials == shown && standing.last == Credential::Good;
                if is_news {
                    standing.last = Credential::Forgotten;
                }
                is_news
            });
        }
        outcome
    }

    /// Changes how the site stands, if `change` says so, and shows it.
    fn change(&self, change: impl FnOnce(&mut Standing) -> bool) {
        self.inner.account.standing.send_if_modified(|standing| {
            let is_changed = change(standing);
            self.meters().show_registered(standing.last == Credential::Good);
            is_changed
        });
    }

    /// The service session that the server gave.
    #[must_use]
    pub fn session(&self) -> Option<String> {
        self.state().session.clone()
    }

    /// What checks the signatures under the server's tokens, for relays; none without keys or before a registration.
    #[must_use]
    pub fn verifier(&self) -> Option<TokenVerifier> {
        self.state().verifier.clone()
    }

    pub(super) fn meters(&self) -> &AccountMeters {
        &self.inner.account.meters
    }

    pub(super) fn cells(&self) -> watch::Receiver<Option<Cell>> {
        self.inner.cell.subscribe()
    }

    pub(super) fn set_verifier(&self, verifier: Option<TokenVerifier>) {
        self.state().verifier = verifier;
    }

    /// From now on nothing is shown.
    pub(super) fn forget(&self) {
        self.inner.account.attach.clear();
        self.state().session = None;
        self.change(|standing| {
            standing.last = Credential::None;
            true
        });
    }

    /// A message to the server about this site: direct, with the name of the project.
    pub(crate) fn maintenance(&self, cell: &Cell, topic: &str) -> RequestDraft {
        let config = self.config();
        cell.request(ReservedSegment::ROOT_SERVER.as_str(), Channel::SERVER_MAIN, topic)
            .header(HeaderKey::PROJECT_NAME, config.project.as_str())
            .timeout(config.maintenance_timeout)
    }

    pub(super) fn task_timeout(&self) -> Duration {
        let asked = *self.inner.task_timeout.lock().unwrap_or_else(PoisonError::into_inner);
        asked.max(self.config().task_timeout)
    }

    /// The server says that its tasks take so long to come.
    pub(super) fn raise_task_timeout(&self, least: Duration) {
        let mut asked = self.inner.task_timeout.lock().unwrap_or_else(PoisonError::into_inner);
        *asked = (*asked).max(least);
    }

    pub(super) fn children(&self) -> &Desk {
        &self.inner.children
    }

    /// The job of a Communicator that is for one.
    #[must_use]
    pub fn job(&self) -> Option<&str> {
        self.inner.job.as_deref()
    }

    /// The cell of the site from which tasks come; the server's if none.
    pub(super) fn parent(&self) -> Option<&FqcnBuf> {
        self.inner.parent.as_ref().or_else(|| self.config().parent.as_ref())
    }

    /// For handlers of the cell, which must not keep it running.
    pub(super) fn downgrade(&self) -> WeakCommunicator {
        WeakCommunicator { inner: Arc::downgrade(&self.inner) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.account.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the server says with it that it does not believe who asks.
pub(super) fn is_about_us(code: ReturnCode<'_>) -> bool {
    [ReturnCode::UNAUTHENTICATED, ReturnCode::AUTHENTICATION_ERROR].contains(&code)
}

/// A Communicator that may be gone.
#[derive(Clone)]
pub(super) struct WeakCommunicator {
    inner: Weak<Inner>,
}

impl WeakCommunicator {
    pub(super) fn upgrade(&self) -> Option<Communicator> {
        self.inner.upgrade().map(|inner| Communicator { inner })
    }
}

impl fmt::Debug for Communicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Communicator")
            .field("client", &self.config().client_name)
            .field("project", &self.config().project)
            .field("is_registered", &self.is_registered())
            .finish_non_exhaustive()
    }
}
