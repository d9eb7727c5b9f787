//! Staying in the federation: heartbeats, what the server says to them, and the goodbye.

use fedcell_cell::RequestError;
use fedcell_cell::request::Response;
use fedcell_cell_proto::headers::HeaderValue;
use fedcell_fobs::typed::FobsType as _;
use fedcell_protocol_defs::cell::{ReturnCode, Topic};
use fedcell_protocol_defs::federation::HeaderKey;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::error::{HeartbeatError, QuitError, RegisterError};
use super::machine::{Communicator, is_about_us};
use super::wording;

/// Heartbeats in a row that get no answer although the server can be reached, after which the client registers again:
/// a server that does not know a token drops what shows it.
const SILENT_HEARTBEATS: u32 = 3;

/// What the server said to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HeartbeatReply {
    /// Jobs that run here and that the server does not know: to be ended.
    pub abort_jobs: Vec<String>,
}

/// The jobs of a site, as heartbeats need them.
pub trait Jobs: Send + Sync {
    /// Ids of the jobs that run here now. A job that stood here once and no longer does counts as dead at the server.
    fn running(&self) -> Vec<String>;

    /// The server does not know this job: end it.
    fn abort(&self, job: &str);
}

/// A site without jobs.
impl Jobs for () {
    fn running(&self) -> Vec<String> {
        Vec::new()
    }

    fn abort(&self, _: &str) {}
}

impl Communicator {
    /// Tells the server once that this site is alive and which jobs run on it.
    ///
    /// # Errors
    ///
    /// [`HeartbeatError`]; after [`HeartbeatError::Forgotten`] the client has to register again.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the heartbeat up; it may have been sent.
    pub async fn send_heartbeat(&self, jobs: &[String]) -> Result<HeartbeatReply, HeartbeatError> {
        let cell = self.cell().filter(|_| self.is_registered()).ok_or(HeartbeatError::NotRegistered)?;
        let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
        let draft = self
            .maintenance(&cell, Topic::HEART_BEAT.as_str())
            .header(HeaderKey::JOB_IDS, HeaderValue::Texts(&jobs))
            .value(&wording::greeting(self.config().context("")).into_value());
        let meters = self.meters();
        match self.ask(draft).await {
            Ok(response) => {
                meters.heartbeats.increment(1);
                Ok(HeartbeatReply { abort_jobs: abort_list(&response) })
            }
            Err(RequestError::Answered { code, text }) if is_about_us(ReturnCode::new(&code)) => {
                meters.forgotten.increment(1);
                Err(HeartbeatError::Forgotten { text })
            }
            Err(error) => {
                meters.unanswered.increment(1);
                Err(HeartbeatError::Request(Box::new(error)))
            }
        }
    }

    /// Sends heartbeats until it is cancelled, aborts the jobs that the server does not know, and registers again when
    /// the server has forgotten this client: at once when it says so, to a heartbeat or to any other request of this site
    /// and its jobs; or when it answers nothing though it can be reached.
    ///
    /// # Errors
    ///
    /// [`RegisterError`] if a new registration is refused for good.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the heartbeats and nothing else.
    pub async fn heartbeats(&self, jobs: &impl Jobs, stop: &CancellationToken) -> Result<(), RegisterError> {
        let ended = stop.run_until_cancelled(self.heartbeats_for_ever(jobs, stop)).await;
        ended.unwrap_or(Ok(()))
    }

    async fn heartbeats_for_ever(&self, jobs: &impl Jobs, stop: &CancellationToken) -> Result<(), RegisterError> {
        let config = self.config();
        let (mut silent, mut again) = (0, Instant::now());
        loop {
            match self.send_heartbeat(&jobs.running()).await {
                Ok(reply) => {
                    silent = 0;
                    for job in &reply.abort_jobs {
                        tracing::info!(job, "the server does not know this job, ending it");
                        jobs.abort(job);
                    }
                }
                Err(HeartbeatError::Request(cause)) => {
                    let is_connected = self.cell().is_some_and(|cell| cell.is_ready());
                    silent = if is_connected { silent + 1 } else { 0 };
                    tracing::info!(%cause, silent, "a heartbeat was not answered");
                }
                Err(error) => {
                    tracing::warn!(%error, "a heartbeat was not taken");
                    silent = SILENT_HEARTBEATS;
                }
            }
            if silent < SILENT_HEARTBEATS {
                // Whatever is sent may bring the answer that the server does not know us, not heartbeats alone.
                tokio::select! {
                    () = sleep(config.heartbeat_interval) => continue,
                    () = self.forgotten() => {}
                }
            }
            tracing::warn!(client = config.client_name.as_str(), "registering again");
            self.forget();
            // A server that forgets whom it has just registered is not asked more often than one that does not answer.
            sleep_until(again).await;
            self.register(stop).await?;
            (silent, again) = (0, Instant::now() + config.register_interval);
        }
    }

    /// Leaves the federation: the server forgets this client, and messages show no credential any more. Results that are
    /// being submitted are waited for, since the server fetches their large parts, and what the cell streams is let
    /// [go first](fedcell_cell::Cell::drained).
    ///
    /// # Errors
    ///
    /// [`QuitError`]. A server that does not know this client any more is no error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the credential in place; the server may have forgotten it.
    pub async fn quit(&self) -> Result<(), QuitError> {
        let cell = self.cell().filter(|_| self.is_registered()).ok_or(QuitError::NotRegistered)?;
        let draft = self
            .maintenance(&cell, Topic::QUIT.as_str())
            .value(&wording::greeting(self.config().context("")).into_value());
        // A result that is on its way would come without a good token, and what it has left here would not be fetched.
        let _no_submission = self.no_submission().await;
        cell.drained().await;
        let outcome = self.ask(draft).await;
        self.forget();
        match outcome {
            Ok(_) => Ok(()),
            Err(error) if is_about_us(error.return_code()) => Ok(()),
            Err(error) => Err(QuitError::Request(Box::new(error))),
        }
    }
}

fn abort_list(response: &Response) -> Vec<String> {
    let listed = response.headers().texts(HeaderKey::ABORT_JOBS).ok().flatten();
    listed.map(|jobs| jobs.iter().map(str::to_owned).collect()).unwrap_or_default()
}
