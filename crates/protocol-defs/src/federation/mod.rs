//! The federation: a server, its clients, and the jobs that run on both.
//!
//! Each participant that runs for good (the *parent*) starts one process per job. All of them are cells. These tables
//! name what they say to each other:
//!
//! ```text
//!   server parent ── admin: deploy, start, abort, check ──────────────> client parent
//!     │     ^  <──── task: challenge, register, heart_beat, quit, ───────  │     ^
//!     │     │        report_job_failure                                    │     │
//!     │     │                                                              │     │ admin:
//!     │     │ server_parent_listener:                      client_command: │     │ train.notify_job_status
//!     │     │ get_clients, heartbeat, update_run_status    abort, status   │     │
//!     v     │                                                              v     │
//!   server job <──── server_command: get_task, submit_update ──────────── client job
//!              <───> aux_communication: sync, heartbeat, task check, events, applications
//! ```
//!
//! * Joining and staying: [`HeaderKey`], [`RegistrationKey`], [`ClientType`], [`RegistrationDefaults`]; what then stands
//!   on every message: [`AuthHeaderKey`].
//! * Jobs on sites: [`JobTopic`] and the other groups of administration, [`JobMetaKey`], [`RunStatus`].
//! * Work: [`ServerCommand`], [`SpecialTaskName`], [`AuxTopic`]; the maps in which it travels: [`ShareableHeader`],
//!   [`ContextKey`]; what it says: [`DataKind`], [`MetaKey`], [`ModelKey`].
//! * What components of jobs send on the side: [`AnalyticsKey`], [`ObjectStreamTopic`], [`ReliableTopic`].

mod admin;
mod analytics;
mod auth;
mod command;
mod context;
mod job;
mod model;
mod object_stream;
mod registration;
mod setting;
mod shareable;
mod task;

pub use admin::{
    AdminCode, AdminHeader, AdminMessageTopic, AdminMetaKey, AdminReplyHeader, AdminText, AdminTimeout,
    ClientStatusKey, ComponentCallTopic, ControlCommand, ControlTopic, InfoTopic, JobStatus, JobStatusText, JobTopic,
    ResourceHeader, ScopeInfoKey, SessionHeader, SystemTopic,
};
pub use analytics::{AnalyticsEvent, AnalyticsKey, AnalyticsWriter, EventPrefix, LogTag};
pub use auth::{AuthHeaderKey, AuthName, AuthPlaceholder};
pub use command::{AdminCommand, RunStatusUpdateKey, ServerCommand, ServerCommandKey};
pub use context::{ContextKey, ProcessType};
pub use job::{JobFindingKey, JobMetaKey, JobSite, MachineStatus, RunStatus};
pub use model::{DataKind, DxoKey, LearnableKey, MetaKey, ModelKey, ParamsType};
pub use object_stream::{
    ChunkKey, LogStreamChannel, LogStreamKey, LogStreamTopic, ObjectStreamContextKey, ObjectStreamHeader,
    ObjectStreamTopic, ReliableHeader, ReliableOp, ReliableStatus, ReliableTopic,
};
pub use registration::{
    ClientDictKey, ClientPropKey, ClientType, HeaderKey, JobExitCode, JobExitReason, JobFailureKey, Protocol,
    RefusalText, RegistrationDefaults, RegistrationKey, RegistrationReplyKey, ReplyText, SiteConfigKey,
};
pub use setting::{ClientSetting, JobDefaults, JobSetting, ServerSetting};
pub use shareable::{ContentType, ModelName, ShareableCode, ShareableHeader, ValidateType, WorkflowHeader};
pub use task::{
    AuxTopic, ComponentTopic, EventDirection, EventHeader, EventScope, OperatorMethod, SpecialTaskName, TaskDefaults,
    TaskHeader, TaskOperatorKey, WorkflowTask,
};
