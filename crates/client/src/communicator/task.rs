//! Tasks over the network: asked for, answered, and what a job says before and between.

use core::time::Duration;

use fedcell_cell::download::FetchError;
use fedcell_cell::request::{RequestDraft, Response};
use fedcell_cell::{BodyError, Cell, RequestError};
use fedcell_cell_proto::address::{Fqcn, FqcnBuf, FqcnError};
use fedcell_fobs::typed::{FobsType as _, Shareable};
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::address::ReservedSegment;
use fedcell_protocol_defs::cell::{Channel, HeaderKey as CellHeader};
use fedcell_protocol_defs::federation::{
    AuxTopic, HeaderKey, ServerCommand, ServerCommandKey, ShareableCode, ShareableHeader, SpecialTaskName,
    TaskDefaults, TaskHeader,
};

use super::machine::{Communicator, is_about_us};

/// What a site gets when it asks for a task.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Pulled {
    /// A task.
    Task(Box<Task>),
    /// Nothing now; ask again after this time.
    TryAgain {
        /// How long to wait.
        after: Duration,
    },
    /// The run is over.
    EndRun,
}

/// A task as it came.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Task {
    /// What is to be done, as in `train`.
    pub name: String,
    /// Unique in its job.
    pub id: String,
    /// The job.
    pub job: String,
    /// Data, headers and cookies.
    pub data: Shareable,
}

impl Task {
    /// A task with this data: for a site that makes tasks for the sites below it.
    #[must_use]
    pub fn new(name: impl Into<String>, id: impl Into<String>, job: impl Into<String>, mut data: Shareable) -> Self {
        let task = Self { name: name.into(), id: id.into(), job: job.into(), data: Shareable::new() };
        data.set_header(ServerCommandKey::TASK_NAME.as_str(), task.name.as_str());
        data.set_header(ShareableHeader::TASK_NAME.as_str(), task.name.as_str());
        data.set_header(ShareableHeader::TASK_ID.as_str(), task.id.as_str());
        Self { data, ..task }
    }

    /// A result of this task: the cookies of the task, which the server wants back unchanged, and what names it.
    #[must_use]
    pub fn answer(&self, mut result: Shareable) -> Shareable {
        let jar = self.data.cookie_jar().cloned().unwrap_or_else(Map::new);
        result.set_cookie_jar(jar);
        result.set_header(ShareableHeader::TASK_NAME.as_str(), self.name.as_str());
        result.set_header(ShareableHeader::TASK_ID.as_str(), self.id.as_str());
        result
    }

    /// The result of a task that could not be done.
    #[must_use]
    pub fn failed(&self, code: ShareableCode<'_>, error: &str) -> Shareable {
        let mut result = Shareable::reply(code);
        result.set_header(ShareableHeader::ERROR.as_str(), error);
        self.answer(result)
    }
}

/// Why a site got no task, or its result was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// Not registered, or no cell.
    #[error("tasks need a registration before them")]
    NotRegistered,
    /// The id of the job makes no address.
    #[error("`{job}` is no id of a job")]
    Job {
        /// The id.
        job: String,
        /// What is wrong with it.
        #[source]
        cause: FqcnError,
    },
    /// The server does not believe who asks: the site has to register again.
    #[error("the server does not know this client any more")]
    Forgotten,
    /// No answer, or none that helps; worth to try again.
    #[error("the server of the job did not answer")]
    Request(#[from] Box<RequestError>),
    /// The answer is no task. The server's fault.
    #[error("the answer is no task: expected {expected}")]
    Malformed {
        /// What should have been there.
        expected: &'static str,
    },
    /// A body that cannot be read or written.
    #[error("the body cannot be read or written")]
    Body(#[from] BodyError),
    /// The arrays of a task cannot be fetched from where they are.
    #[error("the arrays of the task cannot be fetched")]
    Fetch(#[from] FetchError),
}

impl Communicator {
    /// Asks the parent, the server unless configured otherwise, for a task of this job.
    ///
    /// `last` is the id of the task received before. The time to wait is the configured one, or more if the server has
    /// asked for more.
    ///
    /// # Errors
    ///
    /// [`TaskError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the request up; the server gives the same task to the next one.
    pub async fn pull_task(&self, job: &str, last: Option<&str>) -> Result<Pulled, TaskError> {
        let (cell, target) = (self.task_cell()?, self.job_cell(job)?);
        let mut body = Shareable::new();
        body.set_peer_context(self.config().context(job));
        if let Some(last) = last {
            body.set_header(ServerCommandKey::LAST_TASK_ID.as_str(), last);
        }
        let draft = cell
            .request(target, Channel::SERVER_COMMAND, ServerCommand::GET_TASK)
            .header(HeaderKey::PROJECT_NAME, self.config().project.as_str())
            .timeout(self.task_timeout())
            .value(&body.into_value())
            .optional();
        let response = self.ask_for_job(draft).await?;
        let data = shareable(response.fetch(&cell).await?).ok_or(TaskError::Malformed { expected: "a Shareable" })?;
        let header = |name: &str| data.header(name);
        if let Some(least) = header(ServerCommandKey::MIN_GET_TASK_TIMEOUT.as_str()).and_then(seconds) {
            self.raise_task_timeout(least);
        }
        let name = header(ServerCommandKey::TASK_NAME.as_str()).and_then(Value::as_str).or_else(|| data.task_name());
        let name = name.ok_or(TaskError::Malformed { expected: "the name of a task" })?.to_owned();
        if name == SpecialTaskName::END_RUN.as_str() {
            self.note_run_over(job);
            return Ok(Pulled::EndRun);
        }
        if name == SpecialTaskName::TRY_AGAIN.as_str() {
            let after = header(TaskHeader::WAIT_TIME.as_str()).and_then(seconds);
            return Ok(Pulled::TryAgain { after: after.unwrap_or_else(|| self.config().fetch_interval()) });
        }
        let id = data.task_id().ok_or(TaskError::Malformed { expected: "the id of the task" })?.to_owned();
        Ok(Pulled::Task(Box::new(Task { name, id, job: job.to_owned(), data })))
    }

    /// Sends the result of a task. It may be sent again and again: the server counts it once.
    ///
    /// # Errors
    ///
    /// [`TaskError`]; whether the server has the result is not known then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the request up; whether the server has the result is not known.
    pub async fn submit_update(&self, job: &str, mut result: Shareable) -> Result<(), TaskError> {
        let (cell, target) = (self.task_cell()?, self.job_cell(job)?);
        result.set_peer_context(self.config().context(job));
        let mut draft = cell
            .request(target, Channel::SERVER_COMMAND, ServerCommand::SUBMIT_UPDATE)
            .header(HeaderKey::PROJECT_NAME, self.config().project.as_str())
            .timeout(self.task_timeout());
        if let Some(root) = result.header(ShareableHeader::MSG_ROOT_ID.as_str()).and_then(Value::as_str) {
            draft = draft.header(CellHeader::MSG_ROOT_ID, root);
        }
        if let Some(ttl) = result.header(ShareableHeader::MSG_ROOT_TTL.as_str()).and_then(Value::as_f64) {
            draft = draft.header(CellHeader::MSG_ROOT_TTL, ttl);
        }
        if result.return_code() == ShareableCode::TASK_ABORTED {
            draft = draft.optional();
        }
        let _submission = self.submission().await;
        self.ask_for_job(draft.value(&result.into_value())).await.map(drop)
    }

    /// Whether the server still wants the result of this task.
    ///
    /// # Errors
    ///
    /// [`TaskError`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn check_task(&self, job: &str, task: &str) -> Result<bool, TaskError> {
        let mut body = self.aux(job, AuxTopic::TASK_CHECK);
        body.set_header(ShareableHeader::TASK_ID.as_str(), task);
        let timeout = Duration::from_secs_f64(TaskDefaults::TASK_CHECK_TIMEOUT);
        let reply = self.ask_aux(job, AuxTopic::TASK_CHECK, body, timeout).await?;
        Ok(reply.return_code() != ShareableCode::TASK_UNKNOWN)
    }

    /// Asks whether the server's side of the job is up. One attempt.
    ///
    /// # Errors
    ///
    /// [`TaskError`] if it is not.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn sync_runner(&self, job: &str) -> Result<(), TaskError> {
        let body = self.aux(job, AuxTopic::SYNC_RUNNER);
        let timeout = Duration::from_secs_f64(TaskDefaults::RUNNER_SYNC_TIMEOUT);
        let reply = self.ask_aux(job, AuxTopic::SYNC_RUNNER, body, timeout).await?;
        let is_up = reply.return_code() == ShareableCode::OK;
        if is_up { Ok(()) } else { Err(TaskError::Malformed { expected: "a job that is ready" }) }
    }

    /// Tells the server's side of the job, or the site above, once that this site is still at it. Nobody answers.
    ///
    /// # Errors
    ///
    /// [`TaskError`] if it could not be sent.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the message up; it may have been sent.
    pub async fn send_job_heartbeat(&self, job: &str) -> Result<(), TaskError> {
        let (cell, target) = (self.task_cell()?, self.job_cell(job)?);
        let body = self.aux(job, AuxTopic::JOB_HEART_BEAT).into_value();
        let draft = cell.fire(target, Channel::AUX_COMMUNICATION, AuxTopic::JOB_HEART_BEAT).value(&body).optional();
        draft.send().await.map_err(|error| TaskError::Request(Box::new(error)))
    }

    fn aux(&self, job: &str, topic: AuxTopic<'_>) -> Shareable {
        let props = self.config().context(job);
        let mut body = Shareable::new();
        body.set_header(ShareableHeader::TOPIC.as_str(), topic.as_str());
        body.set_peer_props(props.iter().map(|(name, property)| (name.clone(), property.value.clone())).collect());
        body
    }

    async fn ask_aux(
        &self,
        job: &str,
        topic: AuxTopic<'_>,
        body: Shareable,
        timeout: Duration,
    ) -> Result<Shareable, TaskError> {
        let (cell, target) = (self.task_cell()?, self.job_cell(job)?);
        let draft = cell
            .request(target, Channel::AUX_COMMUNICATION, topic)
            .timeout(timeout)
            .value(&body.into_value())
            .optional();
        let response = self.ask_for_job(draft).await?;
        shareable(response.value()?).ok_or(TaskError::Malformed { expected: "a Shareable" })
    }

    /// The answer if it says that it went well.
    async fn ask_for_job(&self, draft: RequestDraft) -> Result<Response, TaskError> {
        self.ask(draft).await.map_err(|error| {
            if is_about_us(error.return_code()) { TaskError::Forgotten } else { TaskError::Request(Box::new(error)) }
        })
    }

    fn task_cell(&self) -> Result<Cell, TaskError> {
        self.cell().filter(|_| self.is_registered()).ok_or(TaskError::NotRegistered)
    }

    /// The cell of the job at the parent.
    fn job_cell(&self, job: &str) -> Result<FqcnBuf, TaskError> {
        let parent = self.parent().map(FqcnBuf::as_str);
        let parent = parent.unwrap_or(ReservedSegment::ROOT_SERVER.as_str());
        let wrong = |cause| TaskError::Job { job: job.to_owned(), cause };
        Fqcn::parse(parent).and_then(|parent| parent.child(job)).map_err(wrong)
    }
}

fn shareable(value: Value) -> Option<Shareable> {
    Shareable::from_value(value).ok()
}

/// A span of time in seconds, as a number or as text; none if it makes no sense.
fn seconds(value: &Value) -> Option<Duration> {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    Duration::try_from_secs_f64(number).ok()
}
