//! The server's commands on channel `admin`, and what the site answers.

use core::time::Duration;

use fedcell_auth::Nonce;
use fedcell_cell::{Cell, HandlerError, Request, SystemRandom};
use fedcell_cell_proto::address::Fqcn;
use fedcell_cell_proto::request::Reply;
use fedcell_fobs::typed::{AdminMessage, Application, FobsType as _, Shareable};
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::{Channel, Wildcard};
use fedcell_protocol_defs::federation::{
    AdminCode, AdminHeader, AdminReplyHeader, AdminText, ClientStatusKey, InfoTopic, JobStatus, JobStatusText,
    JobTopic, ResourceHeader, ScopeInfoKey, SystemTopic,
};
use serde_json::json;
use tokio::time::timeout;

use super::JobOrder;
use super::agent::{JobAgent, SiteRequest};

/// How long a command waits for the registration to be over.
const REGISTRATION: Duration = Duration::from_secs(10);

/// How a command was answered.
enum Said {
    /// A body, with the topic of the command in that of the reply and no code: what the reference has for these.
    Plain(Value),
    /// A text, with the code that says ok.
    Done(String),
    /// A text that says why not, with the code for it.
    Refused(String),
}

impl JobAgent {
    /// Answers what the server asks of this site on its root cell, and starts jobs from then on.
    pub fn attach(&self, root: &Cell) {
        let agent = self.clone();
        root.handle(Channel::CLIENT_MAIN, Wildcard::ANY.as_str(), move |request: Request| {
            let agent = agent.clone();
            async move {
                if request.origin() != Fqcn::SERVER {
                    tracing::warn!(origin = %request.origin(), "refused a command that is not the server's");
                    return Err(HandlerError::invalid_request("only the server commands a site"));
                }
                let asked = AdminMessage::from_value(request.value()?);
                let asked = asked.map_err(|_| HandlerError::invalid_request("expected an admin message"))?;
                // A server of the reference may send a command before its answer to the registration; a reply without the
                // token that this brings would be lost.
                _ = timeout(REGISTRATION, agent.communicator().registered()).await;
                let topic = asked.topic.as_str().to_owned();
                let said = agent.obey(request.cell(), &topic, &asked).await;
                let id = Nonce::random(&mut SystemRandom::new()).as_str().to_owned();
                Ok(Reply::ok(request.body_of(&said.into_message(&id, &topic).into_value())?))
            }
        });
    }

    async fn obey(&self, root: &Cell, topic: &str, asked: &AdminMessage) -> Said {
        let job = text(&asked.headers, AdminHeader::JOB_ID).unwrap_or_default().to_owned();
        match JobTopic::new(topic) {
            JobTopic::CHECK_RESOURCE => self.check_resource(&order(job, &asked.headers, None)),
            JobTopic::CANCEL_RESOURCE => Said::Plain(Shareable::new().into_value()),
            JobTopic::DEPLOY => self.deploy(&job, asked),
            JobTopic::START_JOB => self.start_job(root, order(job.clone(), &asked.headers, self.archive(&job))),
            JobTopic::ABORT => {
                let ran = self.abort_job(&job).await;
                Said::Done(if ran { "the job was stopped" } else { "the job does not run here" }.to_owned())
            }
            JobTopic::ABORT_TASK => {
                let runs = self.abort_task(&job);
                Said::Done(if runs { "the task was stopped" } else { "the job does not run here" }.to_owned())
            }
            JobTopic::DELETE_RUN => {
                let kept = self.drop_archive(&job);
                Said::Done(if kept { "the application was deleted" } else { "there is nothing to delete" }.to_owned())
            }
            JobTopic::CHECK_STATUS => Said::Done(self.status().to_string()),
            JobTopic::GET_SCOPES => {
                let scopes = json!({ScopeInfoKey::SCOPE_NAMES.as_str(): [], ScopeInfoKey::DEFAULT_SCOPE.as_str(): ""});
                Said::Done(scopes.to_string())
            }
            JobTopic::SHUTDOWN => {
                self.leave(SiteRequest::Shutdown);
                Said::Done("the site ends".to_owned())
            }
            JobTopic::RESTART => {
                self.leave(SiteRequest::Restart);
                Said::Done("the site ends, to begin again".to_owned())
            }
            _ => self.about_site(topic, &job),
        }
    }

    /// What is asked about the site as a machine, and about runs.
    fn about_site(&self, topic: &str, job: &str) -> Said {
        let json = |value: serde_json::Value| Said::Plain(Value::from(value.to_string()));
        match SystemTopic::new(topic) {
            SystemTopic::SYS_INFO => {
                let cores = std::thread::available_parallelism().map_or(0, core::num::NonZero::get);
                let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
                return json(json!({"os": os, "architecture": arch, "cores": cores, "pid": std::process::id()}));
            }
            SystemTopic::REPORT_VERSION => {
                return json(json!({"version": concat!("fedcell ", env!("CARGO_PKG_VERSION"))}));
            }
            // There is no manager of resources: a job gets what the machine has.
            SystemTopic::REPORT_RESOURCES => return json(json!({})),
            SystemTopic::REPORT_ENV => {
                let config = self.communicator().config();
                return json(json!({
                    "site_name": config.client_name.as_str(), "secure_mode": config.party.is_some(),
                }));
            }
            SystemTopic::SHELL | SystemTopic::CONFIGURE_SITE_LOG => {
                return Said::Refused(format!("this site does not do {topic}"));
            }
            _ => {}
        }
        let runs = self.shown().iter().any(|shown| shown.job == job);
        match InfoTopic::new(topic) {
            InfoTopic::SHOW_STATS | InfoTopic::SHOW_ERRORS | InfoTopic::RESET_ERRORS if runs => json(json!({})),
            InfoTopic::SHOW_STATS | InfoTopic::SHOW_ERRORS | InfoTopic::RESET_ERRORS => {
                json(json!({"error": "the job does not run here"}))
            }
            _ => Said::Refused(AdminText::INVALID_REQUEST.as_str().to_owned()),
        }
    }

    fn check_resource(&self, order: &JobOrder) -> Said {
        let accepted = self.accept(order);
        // A site that does not want the job says why in the place of the reservation, as the reference does.
        let token = match &accepted {
            Ok(()) => Nonce::random(&mut SystemRandom::new()).as_str().to_owned(),
            Err(reason) => reason.clone(),
        };
        let mut answer = Shareable::new();
        answer.set_header(ResourceHeader::IS_RESOURCE_ENOUGH.as_str(), accepted.is_ok());
        answer.set_header(ResourceHeader::RESOURCE_RESERVE_TOKEN.as_str(), token);
        Said::Plain(answer.into_value())
    }

    fn deploy(&self, job: &str, asked: &AdminMessage) -> Said {
        let Some(application) = Application::deployed(asked) else {
            return Said::Refused("expected the application as bytes".to_owned());
        };
        let said = format!("{} took {} bytes of {}", self.name(), application.archive.len(), application.name);
        let order = order(job.to_owned(), &asked.headers, Some(application.clone()));
        match self.accept(&order).and_then(|()| self.keep(job, application)) {
            Ok(()) => Said::Done(said),
            Err(reason) => Said::Refused(reason),
        }
    }

    fn start_job(&self, root: &Cell, order: JobOrder) -> Said {
        let said = match self.start(root, order) {
            Ok(true) => format!("{} starts the job", self.name()),
            Ok(false) => format!("{} runs the job already", self.name()),
            Err(reason) => format!("{}: {reason}", AdminText::ERROR_PREFIX.as_str()),
        };
        Said::Plain(Value::from(said))
    }

    fn status(&self) -> serde_json::Value {
        let jobs = self.shown().into_iter().map(|shown| {
            json!({
                ClientStatusKey::APP_NAME.as_str(): shown.application,
                ClientStatusKey::JOB_ID.as_str(): shown.job,
                ClientStatusKey::STATUS.as_str(): status_text(shown.status),
            })
        });
        let jobs: Vec<_> = jobs.collect();
        json!({ClientStatusKey::CLIENT_NAME.as_str(): self.name(), ClientStatusKey::RUNNING_JOBS.as_str(): jobs})
    }

    fn name(&self) -> &str {
        self.communicator().config().client_name.as_str()
    }
}

impl Said {
    fn into_message(self, id: &str, asked: &str) -> AdminMessage {
        let topic = format!("{}{asked}", AdminText::REPLY_TOPIC_PREFIX.as_str());
        let (topic, body, code) = match self {
            Self::Plain(body) => (topic, body, None),
            Self::Done(said) => (topic, said.into(), Some(AdminCode::OK)),
            Self::Refused(why) => (AdminText::REPLY_TOPIC.as_str().to_owned(), why.into(), Some(AdminCode::ERROR)),
        };
        let mut headers = Map::new();
        if let Some(code) = code {
            headers.insert(AdminReplyHeader::RETURN_CODE.as_str(), code.as_str());
        }
        AdminMessage { id: id.into(), topic: topic.into(), body, headers }
    }
}

fn order(id: String, headers: &Map, application: Option<Application>) -> JobOrder {
    let meta = headers.get(AdminHeader::JOB_META.as_str()).and_then(Value::as_map).cloned().unwrap_or_default();
    JobOrder { id, meta, application }
}

fn text<'m>(headers: &'m Map, key: AdminHeader<'_>) -> Option<&'m str> {
    headers.get(key.as_str()).and_then(Value::as_str)
}

fn status_text(status: JobStatus) -> &'static str {
    let text = match status {
        JobStatus::STARTING => JobStatusText::STARTING,
        JobStatus::STARTED => JobStatusText::STARTED,
        _ => JobStatusText::STOPPED,
    };
    text.as_str()
}
