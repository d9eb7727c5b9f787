//! Administration: how a server deploys, starts, watches and aborts a job on a site, and asks a site about itself.
//!
//! ```text
//!  server parent                         client parent            client job
//!     │ scheduler.check_resource              │                       │
//!     ├──────────────────────────────────────>│ enough? token         │
//!     │ train.deploy (zip of the app)         │                       │
//!     ├──────────────────────────────────────>│ unpacks               │
//!     │ train.start_job (token)               │                       │
//!     ├──────────────────────────────────────>│ launches ────────────>│
//!     │                                       │<── train.notify_job_status: started
//!     │ train.abort                           │                       │
//!     ├──────────────────────────────────────>│ abort ───────────────>│ ends
//!     │<── report_job_failure (exit code) ────┤                       │
//! ```

use crate::table::wire_table;

wire_table! {
    /// Topics of the cell messages on channel `admin` that a server sends; the topic of the request stands inside.
    ///
    /// A client job that tells its parent its status repeats the inner topic instead, so receivers do not look at it.
    names AdminMessageTopic(str) in "federation.admin.message_topic";

    /// Every request of the server to a client parent.
    ADMIN = "admin", from "literal:nvflare.private.fed.server.admin";
}

wire_table! {
    /// Inner topics about jobs: server parent to client parent, channel `admin`, request and reply.
    names JobTopic(str) in "federation.admin.job_topic", from "nvflare.private.defs:TrainingTopic";

    /// Declared by the reference and not sent; see `train.start_job`.
    START = "train.start", unspoken;
    /// Header `job_id`: end this job's process. The reply, a text, comes when it has ended.
    ABORT = "train.abort";
    /// Header `job_id`: end the job's current task. Reply: text.
    ABORT_TASK = "train.abort_task";
    /// Header `job_id`: delete the job's files. Reply: text.
    DELETE_RUN = "train.delete_run";
    /// Headers `job_id`, `app_name`, `job_meta`; body: zip of the application, bytes. Reply: text.
    DEPLOY = "train.deploy";
    /// End the client parent. Reply: text, then the client quits.
    SHUTDOWN = "train.shutdown";
    /// Restart the client parent. Reply: text, then the client quits.
    RESTART = "train.restart";
    /// Which jobs run? Reply: JSON text with the keys of [`ClientStatusKey`].
    CHECK_STATUS = "train.check_status";
    /// Declared by the reference and not sent.
    SET_JOB_ID = "train.set_job_id", unspoken;
    /// Header `job_id`, body: resources wanted, map. Reply: shareable with the headers of
    /// [`ResourceHeader`].
    CHECK_RESOURCE = "scheduler.check_resource";
    /// Declared by the reference and not sent.
    ALLOCATE_RESOURCE = "scheduler.allocate_resource", unspoken;
    /// Header with the reservation, body: the resources. Reply: shareable.
    CANCEL_RESOURCE = "scheduler.cancel_resource";
    /// Headers `job_id`, `job_meta` and the reservation; body: the resources. Reply: text, which starts with
    /// [`ERROR_PREFIX`](crate::federation::AdminText::ERROR_PREFIX) when the job was not started.
    START_JOB = "train.start_job";
    /// Which privacy scopes are there? Reply: JSON text with the keys of
    /// [`ScopeInfoKey`].
    GET_SCOPES = "train.get_scopes";
    /// Client job to its parent: headers `job_id` and `job_status`. Reply: text.
    NOTIFY_JOB_STATUS = "train.notify_job_status";
    /// Header `job_id`, body: a level or a configuration of the logging. Reply: text.
    CONFIGURE_JOB_LOG = "train.configure_job_log";
}

wire_table! {
    /// Inner topics about a site as a machine: server parent to client parent, channel `admin`, request and reply.
    names SystemTopic(str) in "federation.admin.system_topic", from "nvflare.private.defs:SysCommandTopic";

    /// Facts about the machine. Reply: JSON text.
    SYS_INFO = "sys.info";
    /// Body: a shell command out of a short list. Reply: its output.
    SHELL = "sys.shell";
    /// Resources of the site. Reply: JSON text.
    REPORT_RESOURCES = "resource_manager.report_resources";
    /// Environment of the site. Reply: JSON text.
    REPORT_ENV = "sys.report_env";
    /// Software version of the site. Reply: JSON text.
    REPORT_VERSION = "sys.report_version";
    /// Body: a level or a configuration of the site's logging. Reply: text.
    CONFIGURE_SITE_LOG = "sys.configure_site_log";
}

wire_table! {
    /// Inner topics that a client parent hands on to a running job: channel `admin`, header `job_id`.
    names InfoTopic(str) in "federation.admin.info_topic", from "nvflare.private.defs:InfoCollectorTopic";

    /// Statistics of the run. Reply: JSON text.
    SHOW_STATS = "info.show_stats";
    /// Errors of the run. Reply: JSON text.
    SHOW_ERRORS = "info.show_errors";
    /// Forget the errors. Reply: JSON text.
    RESET_ERRORS = "info.reset_errors";
}

wire_table! {
    /// Inner topic by which an operator calls a component of a site: channel `admin`.
    names ComponentCallTopic(str) in "federation.admin.component_topic",
        from "nvflare.private.defs:ComponentCallerTopic";

    /// Headers `component_target` and `call_name`, body: arguments. Reply: JSON text.
    CALL_COMPONENT = "comp_caller.call";
}

wire_table! {
    /// Inner topic of control commands. Declared by the reference and not sent.
    names ControlTopic(str) in "federation.admin.control_topic", from "nvflare.private.defs:ControlCommandTopic";

    /// Header `control_command`, one of [`ControlCommand`].
    DO_COMMAND = "control.do_command", unspoken;
}

wire_table! {
    /// Control commands. Declared by the reference and not sent.
    names ControlCommand(str) in "federation.admin.control_command", from "nvflare.private.defs:ControlCommandName";

    /// End the current task.
    ABORT_TASK = "abort_task", unspoken;
    /// End the run.
    END_RUN = "end_run", unspoken;
}

wire_table! {
    /// Headers inside a request on channel `admin`.
    names AdminHeader(str) in "federation.admin.header", from "nvflare.private.defs:RequestHeader";

    /// Text: the job.
    JOB_ID = "job_id";
    /// Whole number, see [`JobStatus`].
    JOB_STATUS = "job_status";
    /// Declared by the reference and not sent.
    TOPIC = "topic", unspoken;
    /// Map, see [`JobMetaKey`](crate::federation::JobMetaKey): the job's meta data.
    JOB_META = "job_meta";
    /// Text: name of the application within the job.
    APP_NAME = "app_name";
    /// Declared by the reference and not sent.
    CONTROL_COMMAND = "control_command", unspoken;
    /// Text: which function of the component.
    CALL_NAME = "call_name";
    /// Text: which component.
    COMPONENT_TARGET = "component_target";
    /// Text, one of [`AdminCommand`](crate::federation::AdminCommand): what the operator wanted. With it the site's own
    /// security is asked.
    ADMIN_COMMAND = "admin_command";
    /// Text: name of the operator.
    USER_NAME = "_userName";
    /// Text: organization of the operator.
    USER_ORG = "_userOrg";
    /// Text: role of the operator.
    USER_ROLE = "_userRole";
    /// Text: name of the one who handed the job in.
    SUBMITTER_NAME = "_submitterName";
    /// Text: organization of that one.
    SUBMITTER_ORG = "_submitterOrg";
    /// Text: role of that one.
    SUBMITTER_ROLE = "_submitterRole";
    /// Text `true` or `false`: whether the site's authorization policy decides too.
    REQUIRE_AUTHZ = "require_authz";
}

wire_table! {
    /// Further headers inside a request on channel `admin`, from the operator's session.
    names SessionHeader(str) in "federation.admin.session_header", from "nvflare.fuel.hci.server.constants:ConnProps";

    /// Text: entry of the server's audit log.
    EVENT_ID = "_eventId";
}

wire_table! {
    /// Headers inside any message on channel `admin`, replies first of all.
    names AdminReplyHeader(str) in "federation.admin.reply_header", from "nvflare.private.admin_defs:MsgHeader";

    /// Text: id of the request that is answered. Not needed: the cell layer correlates.
    REF_MSG_ID = "_refMsgId";
    /// Text, one of [`AdminCode`]. Absent means ok.
    RETURN_CODE = "_rtnCode";
    /// JSON text: the result as data.
    META = "_meta";
}

wire_table! {
    /// Keys of the JSON text in the header `_meta`.
    names AdminMetaKey(str) in "federation.admin.meta";

    /// Text: how the command ended; `ok`, `error`, or a word that says more.
    STATUS = "status", from "nvflare.fuel.hci.proto:MetaKey.STATUS";
    /// Text: the same for people.
    INFO = "info", from "nvflare.fuel.hci.proto:MetaKey.INFO";
}

wire_table! {
    /// How a request on channel `admin` ended: the header `_rtnCode`.
    names AdminCode(str) in "federation.admin.return_code", from "nvflare.private.admin_defs:ReturnCode";

    /// Well; the body says what was done.
    OK = "_ok";
    /// Not; the body says why.
    ERROR = "_error";
}

wire_table! {
    /// Texts in replies on channel `admin` that programs look at.
    names AdminText(str) in "federation.admin.text";

    /// How the body of a reply starts when a command failed that has no return code.
    ERROR_PREFIX = "NVFLARE_ERROR", from "nvflare.private.defs:ERROR_MSG_PREFIX";
    /// Inner topic of a reply that names none.
    REPLY_TOPIC = "reply", from "literal:nvflare.private.admin_defs";
    /// How the inner topic of most replies starts; the topic of the request follows.
    REPLY_TOPIC_PREFIX = "reply_", from "literal:nvflare.private.fed.client.scheduler_cmds";
    /// Body, with an error: nobody handles the topic.
    INVALID_REQUEST = "invalid_request", from "literal:nvflare.private.fed.client.admin";
    /// Body of a reply that has nothing to say.
    OK = "ok", from "literal:nvflare.private.admin_defs";
    /// Body, with an error: the site's policy does not let the operator do this.
    NOT_AUTHORIZED = "not authorized", from "nvflare.fuel.hci.proto:ReplyKeyword.NOT_AUTHORIZED";
    /// Value of `require_authz` that asks for authorization.
    AUTHZ_REQUIRED = "true", from "literal:nvflare.private.fed.client.admin";
}

wire_table! {
    /// Headers with which a site answers for resources, and by which it is told of them again.
    names ResourceHeader(str) in "federation.admin.resource_header",
        from "nvflare.private.scheduler_constants:ShareableHeader";

    /// In the shareable of the reply, bool: the resources are there and reserved.
    IS_RESOURCE_ENOUGH = "_is_resource_enough";
    /// In the shareable of the reply, and inside later requests, text: the reservation.
    RESOURCE_RESERVE_TOKEN = "_resource_reserve_token";
}

wire_table! {
    /// Keys of the JSON text that answers `train.check_status`.
    names ClientStatusKey(str) in "federation.admin.client_status", from "nvflare.private.defs:ClientStatusKey";

    /// Of a running job, text: the job.
    JOB_ID = "job_id";
    /// Declared by the reference and not sent.
    CURRENT_TASK = "current_task", unspoken;
    /// Of a running job, text, one of [`JobStatusText`].
    STATUS = "status";
    /// Of a running job, text: its application.
    APP_NAME = "app_name";
    /// Text: the site.
    CLIENT_NAME = "client_name";
    /// List of maps: the running jobs.
    RUNNING_JOBS = "running_jobs";
}

wire_table! {
    /// Keys of the JSON text that answers `train.get_scopes`.
    names ScopeInfoKey(str) in "federation.admin.scope_info", from "nvflare.private.defs:ScopeInfoKey";

    /// List of texts.
    SCOPE_NAMES = "scope_names";
    /// Text.
    DEFAULT_SCOPE = "default_scope";
}

wire_table! {
    /// How far a job process has come: the header `job_status`.
    ///
    /// A client job tells its parent when it has started and when it has stopped; the other numbers are the parent's.
    names JobStatus(u8) in "federation.admin.job_status", from "nvflare.private.fed.client.client_status:ClientStatus";

    /// There is no process.
    NOT_STARTED = 0;
    /// Launched, not heard of.
    STARTING = 1;
    /// Runs.
    STARTED = 2;
    /// Is about to end.
    STOPPED = 3;
    /// Failed.
    EXCEPTION = 4;
}

wire_table! {
    /// The same in words, for operators and in the reply to `check_status`.
    names JobStatusText(str) in "federation.admin.job_status_text";

    /// Of [`NOT_STARTED`](crate::federation::JobStatus::NOT_STARTED).
    NOT_STARTED = "not started", from "literal:nvflare.private.fed.client.client_status";
    /// Of [`STARTING`](crate::federation::JobStatus::STARTING).
    STARTING = "starting", from "literal:nvflare.private.fed.client.client_status";
    /// Of [`STARTED`](crate::federation::JobStatus::STARTED).
    STARTED = "started", from "literal:nvflare.private.fed.client.client_status";
    /// Of [`STOPPED`](crate::federation::JobStatus::STOPPED).
    STOPPED = "stopped", from "literal:nvflare.private.fed.client.client_status";
    /// Of [`EXCEPTION`](crate::federation::JobStatus::EXCEPTION).
    EXCEPTION = "exception", from "literal:nvflare.private.fed.client.client_status";
}

wire_table! {
    /// How long a server waits for the answers of sites, in seconds.
    quantities AdminTimeout in "federation.admin.timeout";

    /// Deploy and everything that is not named here.
    DEFAULT: f64 = 10.0, from "default:nvflare.private.fed.server.admin:FedAdminServer.__init__:timeout";
    /// Check of resources.
    CHECK_RESOURCE: f64 = 15.0, from "literal:nvflare.private.fed.server.server_engine";
    /// Start of a job. A site that misses it is left out, or the job ends, depending on how many sites it needs.
    START_JOB: f64 = 20.0, from "literal:nvflare.private.fed.server.server_engine";
    /// Abort of a job.
    ABORT: f64 = 2.0, from "literal:nvflare.private.fed.server.job_runner";
    /// Report of a job's end by a client parent.
    REPORT_JOB_FAILURE: f64 = 5.0, from "literal:nvflare.private.fed.client.client_executor";
    /// Pause between the heartbeats of a server job to its parent.
    JOB_HEARTBEAT_INTERVAL: f64 = 3.0,
        from "default:nvflare.private.fed.server.fed_server:FederatedServer.__init__:check_engine_frequency";
}
