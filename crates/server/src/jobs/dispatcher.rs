//! Telling sites of jobs, and hearing how the jobs end there.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use fedcell_cell::{Cell, HandlerError, PreparedCell, Request};
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::cause::with_causes;
use fedcell_cell_proto::request::{Body, Reply};
use fedcell_fobs::Value;
use fedcell_fobs::typed::FobsType as _;
use fedcell_protocol_defs::cell::{Channel, Topic};
use fedcell_protocol_defs::federation::{AdminMessageTopic, HeaderKey, JobExitCode, JobFailureKey, JobTopic};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::JobOrder;
use super::wording::{self, NotDone};
use crate::membership::{Member, MembershipEvent, MembershipService, Presence, Registrar};

/// Until a site that did not answer is told again.
const TELL_AGAIN: Duration = Duration::from_secs(2);

/// Until a site that did not want the job is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(15);

/// Reports that a slow reader may lag behind before it misses some.
const EVENT_BACKLOG: usize = 1024;

/// What becomes of jobs at sites.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobsEvent {
    /// A site does the job now.
    Started {
        /// The job.
        job: String,
        /// The site.
        site: String,
    },
    /// A site does not want the job, and is asked again later.
    Refused {
        /// The job.
        job: String,
        /// The site.
        site: String,
        /// Why.
        reason: String,
    },
    /// The job has ended at a site, well or not.
    Ended {
        /// The job.
        job: String,
        /// The site.
        site: String,
        /// How.
        code: JobExitCode,
        /// More about it, if the site says more.
        reason: String,
    },
}

/// Tells sites of jobs. Clones are the same.
#[derive(Clone)]
pub struct Dispatcher {
    cell: Cell,
    members: MembershipService,
    events: broadcast::Sender<JobsEvent>,
}

/// A job that sites are told of, until this value is dropped.
#[derive(Debug)]
pub struct Dispatch {
    dispatcher: Dispatcher,
    order: Arc<JobOrder>,
    told: Arc<Mutex<BTreeSet<String>>>,
    _telling: DropGuard,
}

impl Dispatcher {
    /// A dispatcher on the root cell of the server, which hears of ends of jobs from now on.
    #[must_use]
    pub fn new(cell: &PreparedCell, members: &MembershipService) -> Self {
        let (events, _) = broadcast::channel(EVENT_BACKLOG);
        let heard = events.clone();
        cell.handle(Channel::SERVER_MAIN, Topic::REPORT_JOB_FAILURE, move |request: Request| {
            let heard = heard.clone();
            async move {
                // Nobody has to listen.
                let _ = heard.send(ended(&request)?);
                Ok::<_, HandlerError>(Reply::ok(Body::none()))
            }
        });
        Self { cell: Cell::clone(cell), members: members.clone(), events }
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<JobsEvent> {
        self.events.subscribe()
    }

    /// Has the sites of the order do the job: those that are members now, and each one again that joins later, when its
    /// first heartbeat shows that it has its token. Until the returned value is dropped.
    #[must_use = "sites are told as long as this value lives"]
    pub fn dispatch(&self, order: JobOrder) -> Dispatch {
        let stop = CancellationToken::new();
        let (order, told) = (Arc::new(order), Arc::<Mutex<BTreeSet<String>>>::default());
        let telling = Telling {
            dispatcher: self.clone(),
            order: Arc::clone(&order),
            told: Arc::clone(&told),
            attempts: JoinSet::new(),
            under_way: BTreeMap::new(),
        };
        let token = stop.clone();
        // Subscribed before the members are read, so that nobody falls between.
        let joined = self.members.events();
        tokio::spawn(async move { token.run_until_cancelled(telling.run(joined)).await });
        Dispatch { dispatcher: self.clone(), order, told, _telling: stop.drop_guard() }
    }

    /// One attempt to have a site do the job.
    async fn tell(&self, fqcn: &FqcnBuf, order: &JobOrder) -> Result<(), NotDone> {
        let reserved = self.command(fqcn, JobTopic::CHECK_RESOURCE, order, None).await?;
        let reservation = wording::reservation(reserved)?;
        if order.application.is_some() {
            self.command(fqcn, JobTopic::DEPLOY, order, None).await?;
        }
        self.command(fqcn, JobTopic::START_JOB, order, Some(&reservation)).await.map(drop)
    }

    async fn command(
        &self,
        fqcn: &FqcnBuf,
        topic: JobTopic<'_>,
        order: &JobOrder,
        reservation: Option<&str>,
    ) -> Result<Value, NotDone> {
        let clients = self.members.with(|registrar| wording::clients(order, registrar.sites()));
        let message = wording::command(topic, order, clients, reservation).into_value();
        let draft = self.cell.request(fqcn, Channel::CLIENT_MAIN, AdminMessageTopic::ADMIN).value(&message);
        wording::body(draft.timeout(wording::timeout(topic)).optional().send().await)
    }
}

impl Dispatch {
    /// Takes the job back: nobody is told of it any more, and the sites that do it are told to stop.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves sites with the job that were not reached; a heartbeat tells them when the job is no
    /// longer one of the server's.
    pub async fn recall(self) {
        let told = core::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        let mut asked = JoinSet::new();
        for site in told {
            let Some(fqcn) = fqcn_of(&self.dispatcher.members, &site) else { continue };
            let (dispatcher, order) = (self.dispatcher.clone(), Arc::clone(&self.order));
            asked.spawn(async move {
                if let Err(error) = dispatcher.command(&fqcn, JobTopic::ABORT, &order, None).await {
                    tracing::info!(site, ?error, "a site was not told to stop the job");
                }
            });
        }
        asked.join_all().await;
    }
}

/// The work of one dispatch.
struct Telling {
    dispatcher: Dispatcher,
    order: Arc<JobOrder>,
    told: Arc<Mutex<BTreeSet<String>>>,
    attempts: JoinSet<(String, Result<(), NotDone>)>,
    /// Sites that are being told, or will be told again; and whether they have joined anew meanwhile.
    under_way: BTreeMap<String, bool>,
}

impl Telling {
    async fn run(mut self, mut members: broadcast::Receiver<MembershipEvent>) {
        self.all();
        loop {
            tokio::select! {
                event = members.recv() => match event {
                    // It may be a new process that knows nothing of the job.
                    Ok(MembershipEvent::Arrived { name } | MembershipEvent::Revived { name }) => {
                        self.start(&name, Duration::ZERO);
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => self.all(),
                    Err(RecvError::Closed) => return,
                },
                Some(done) = self.attempts.join_next() => if let Ok((site, outcome)) = done {
                    self.done(site, outcome);
                },
            }
        }
    }

    fn all(&mut self) {
        // One that has only just joined is told when it has arrived: without its token its reply would not be believed.
        let has_arrived = |member: &&Member| member.presence != Presence::Joined;
        let sites = |registrar: &mut Registrar| {
            registrar.sites().filter(has_arrived).map(|member| member.name.clone()).collect::<Vec<_>>()
        };
        for site in self.dispatcher.members.with(sites) {
            self.start(&site, Duration::ZERO);
        }
    }

    /// Tells a site after a while, if it is one of the job's and still a member then.
    fn start(&mut self, site: &str, after: Duration) {
        if !self.order.is_for(site) {
            return;
        }
        if let Some(again) = self.under_way.get_mut(site) {
            *again = true;
            return;
        }
        self.under_way.insert(site.to_owned(), false);
        let (dispatcher, order, site) = (self.dispatcher.clone(), Arc::clone(&self.order), site.to_owned());
        self.attempts.spawn(async move {
            sleep(after).await;
            let outcome = match fqcn_of(&dispatcher.members, &site) {
                Some(fqcn) => dispatcher.tell(&fqcn, &order).await,
                // It has left; when it joins again it is told again.
                None => Ok(()),
            };
            (site, outcome)
        });
    }

    fn done(&mut self, site: String, outcome: Result<(), NotDone>) {
        if self.under_way.remove(&site) == Some(true) && outcome.is_ok() {
            self.start(&site, Duration::ZERO);
            return;
        }
        let job = self.order.id.clone();
        match outcome {
            Ok(()) => {
                if fqcn_of(&self.dispatcher.members, &site).is_none() {
                    return;
                }
                self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(site.clone());
                // Nobody has to listen.
                let _ = self.dispatcher.events.send(JobsEvent::Started { job, site });
            }
            Err(NotDone::Silent(error)) => {
                tracing::info!(site, error = with_causes(&error), "a site was not told of the job, trying again");
                if fqcn_of(&self.dispatcher.members, &site).is_some() {
                    self.start(&site, TELL_AGAIN);
                }
            }
            Err(NotDone::Refused(reason)) => {
                self.start(&site, ASK_AGAIN);
                let _ = self.dispatcher.events.send(JobsEvent::Refused { job, site, reason });
            }
        }
    }
}

/// The cell of a site that is a member.
fn fqcn_of(members: &MembershipService, site: &str) -> Option<FqcnBuf> {
    members.with(|registrar| registrar.member(site).map(|member| member.fqcn.clone()))
}

/// How a job has ended at the site that reports it. The name has been checked against the token.
fn ended(request: &Request) -> Result<JobsEvent, HandlerError> {
    let bad = |text: &str| HandlerError::invalid_request(text);
    let body = request.value()?;
    let body = body.as_map().ok_or_else(|| bad("expected a map"))?;
    let text =
        |key: JobFailureKey<'_>| wording::said(body.get(key.as_str()).and_then(Value::as_str).unwrap_or_default());
    let code = body.get(JobFailureKey::CODE.as_str()).and_then(Value::as_i64).and_then(|code| i32::try_from(code).ok());
    let site = request.headers().text(HeaderKey::CLIENT_NAME).ok().flatten().unwrap_or_default().to_owned();
    let (job, reason) = (text(JobFailureKey::JOB_ID), text(JobFailureKey::REASON));
    if job.is_empty() || site.is_empty() {
        return Err(bad("expected the name of a site and the id of a job"));
    }
    Ok(JobsEvent::Ended { job, site, code: JobExitCode::new(code.unwrap_or(JobExitCode::UNKNOWN.get())), reason })
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").field("cell", &self.cell.address()).finish_non_exhaustive()
    }
}
