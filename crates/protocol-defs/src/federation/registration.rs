//! Joining a federation, staying in it and leaving it: channel `task`, client parent to server.

use crate::table::wire_table;

wire_table! {
    /// Headers of the messages on channel `task` and of messages between a server and its jobs.
    names HeaderKey(str) in "federation.header", from "nvflare.private.defs:CellMessageHeaderKeys";

    /// Text: name of the client; also part of the proof on every message, see `federation.auth_header`.
    CLIENT_NAME = "client_name";
    /// Registration, text, one of [`ClientType`].
    CLIENT_TYPE = "client_type";
    /// Text: proof of registration, see `federation.auth_header`.
    TOKEN = "__token__";
    /// Text: signature of the token, see `federation.auth_header`.
    TOKEN_SIGNATURE = "__token_signature__";
    /// Registration, text: address that the client believes to have. Only shown.
    CLIENT_IP = "client_ip";
    /// Registration, heartbeat, quit, task request, result, text: the project that both sides were provisioned for.
    PROJECT_NAME = "project_name";
    /// Text: service session id, see `federation.auth_header`.
    SSID = "ssid";
    /// Declared by the reference and not sent.
    UNAUTHENTICATED = "unauthenticated", unspoken;
    /// Channel `server_parent_listener`, text: the job that speaks.
    JOB_ID = "job_id";
    /// Heartbeat, list of texts: the jobs that run on the site. A job that stood here and no longer does is dead.
    JOB_IDS = "job_ids";
    /// Replies to heartbeat and quit, text: one of [`ReplyText`].
    MESSAGE = "message";
    /// Reply to a heartbeat, list of texts: jobs that the client has to end because the server does not know them.
    ABORT_JOBS = "abort_jobs";
    /// Registration and its reply, whole number: see [`Protocol`].
    FEDERATION_PROTOCOL_VERSION = "federation_protocol_version";
    /// Registration and its reply, text: software version of the sender. Only shown.
    NVFLARE_VERSION = "nvflare_version";
}

wire_table! {
    /// Body keys of a registration, besides the identity keys of `cell.identity`.
    names RegistrationKey(str) in "federation.registration", from "nvflare.private.defs:ClientRegMsgKey";

    /// Map, optional, regular clients only: settings of the site that the server may show to its applications.
    SITE_CONFIG = "site_config";
}

wire_table! {
    /// Keys in the site configuration that participants look at; all others are for applications.
    names SiteConfigKey(str) in "federation.site_config";

    /// Bool: whether the site sends its logs while a job runs. Without it: yes.
    ALLOW_LOG_STREAMING = "allow_log_streaming",
        from "nvflare.app_common.logging.constants:ALLOW_LOG_STREAMING_VAR";
}

wire_table! {
    /// Body keys of the reply to a registration, besides the token keys and the session id.
    names RegistrationReplyKey(str) in "federation.registration_reply";

    /// Map, only with confidential computing: attestation of the server.
    CC_INFO = "_cc_info", from "literal:nvflare.private.fed.authenticator";
}

wire_table! {
    /// What kind of participant registers: the header `client_type`.
    names ClientType(str) in "federation.client_type", from "nvflare.private.defs:ClientType";

    /// Forwards messages of others; gets no jobs, sends no heartbeats.
    RELAY = "relay";
    /// A site that runs jobs.
    REGULAR = "regular";
    /// An operator's console.
    ADMIN = "admin";
}

wire_table! {
    /// Properties of a client as the server tells them to its jobs and, in job meta, to the other sites.
    names ClientPropKey(str) in "federation.client_prop", from "nvflare.apis.client:ClientPropKey";

    /// Text: FQCN of the client's cell.
    FQCN = "fqcn";
    /// Text: dotted path of the site in the hierarchy of sites.
    FQSN = "fqsn";
    /// Bool: no site stands below this one in the hierarchy.
    IS_LEAF = "is_leaf";
    /// Text: organization named by the client's certificate.
    ORG = "org";
    /// Map: what the site sent at registration.
    SITE_CONFIG = "site_config";
}

wire_table! {
    /// Keys of a client written as a map, as in the list of a job's clients.
    names ClientDictKey(str) in "federation.client_dict", from "nvflare.apis.client:ClientDictKey";

    /// Text: name of the client.
    NAME = "name";
    /// Text: FQCN of its cell.
    FQCN = "fqcn";
    /// Text: dotted path of the site in the hierarchy of sites.
    FQSN = "fqsn";
    /// Bool: no site stands below this one.
    IS_LEAF = "is_leaf";
    /// Map: what the site sent at registration.
    SITE_CONFIG = "site_config";
}

wire_table! {
    /// Body keys of `report_job_failure`, which a client parent sends at the end of every job process, good or bad.
    names JobFailureKey(str) in "federation.job_failure", from "nvflare.private.defs:JobFailureMsgKey";

    /// Text: the job.
    JOB_ID = "job_id";
    /// Whole number, see [`JobExitCode`].
    CODE = "code";
    /// Text or nil, see [`JobExitReason`].
    REASON = "reason";
}

wire_table! {
    /// How a job process ended: its exit code, and the number that `report_job_failure` carries.
    names JobExitCode(i32) in "federation.job_exit_code", from "nvflare.apis.job_launcher_spec:JobReturnCode";

    /// Nothing to report.
    SUCCESS = 0;
    /// Failed, no more is known. A client parent refines it by how far the process had come.
    EXECUTION_ERROR = 1;
    /// Ended from outside.
    ABORTED = 9;
    /// An exception reached the top of the job; the server fails the run.
    EXCEPTION = 101;
    /// The job wanted a component that the site does not allow; the server stops the run.
    UNSAFE_COMPONENT = 102;
    /// The job's configuration is wrong; the server fails the run.
    CONFIG_ERROR = 103;
    /// The process never came up, or the network between the processes failed; the server fails the run.
    INFRASTRUCTURE_ERROR = 104;
    /// The launcher could not find out.
    UNKNOWN = 127;
}

wire_table! {
    /// Texts that go with the exit codes in `report_job_failure`.
    names JobExitReason(str) in "federation.job_exit_reason";

    /// With [`UNSAFE_COMPONENT`](crate::federation::JobExitCode::UNSAFE_COMPONENT).
    UNSAFE_COMPONENT = "unsafe component", from "literal:nvflare.fuel.common.exit_codes";
    /// With [`CONFIG_ERROR`](crate::federation::JobExitCode::CONFIG_ERROR).
    CONFIG_ERROR = "config error", from "literal:nvflare.fuel.common.exit_codes";
    /// With [`EXCEPTION`](crate::federation::JobExitCode::EXCEPTION).
    EXCEPTION = "exception", from "literal:nvflare.fuel.common.exit_codes";
    /// With [`INFRASTRUCTURE_ERROR`](crate::federation::JobExitCode::INFRASTRUCTURE_ERROR).
    INFRASTRUCTURE_ERROR = "infrastructure error", from "literal:nvflare.fuel.common.exit_codes";
}

wire_table! {
    /// Values of the header `message` in replies on channel `task`.
    names ReplyText(str) in "federation.reply_text";

    /// The heartbeat was taken.
    HEARTBEAT = "Heartbeat response", from "literal:nvflare.private.fed.server.fed_server";
    /// The client has been removed.
    QUIT = "Removed client", from "literal:nvflare.private.fed.server.fed_server";
}

wire_table! {
    /// Error texts of a server that refuses a message on channel `task`.
    names RefusalText(str) in "federation.refusal";

    /// With `unauthenticated`: a registration without a challenge before it, or too long after it.
    NO_SESSION = "no registration session", from "literal:nvflare.private.fed.server.fed_server";
    /// With `unauthenticated`: a challenge to a server that runs without keys.
    NOT_SECURE = "server is not in secure mode", from "literal:nvflare.private.fed.server.fed_server";
    /// With `unauthenticated`: the project name differs.
    WRONG_PROJECT = "Requested task does not match the current server task",
        from "literal:nvflare.private.fed.server.client_manager";
    /// With `unauthenticated`: the message names no token.
    NO_TOKEN = "Could not read client uid from the payload", from "literal:nvflare.private.fed.server.client_manager";
    /// With `unauthenticated`: the token is not known.
    UNKNOWN_CLIENT = "Unknown client identity", from "literal:nvflare.private.fed.server.client_manager";
    /// With `unauthenticated`: the federation is full.
    TOO_MANY_CLIENTS = "Maximum number of clients reached", from "literal:nvflare.private.fed.server.client_manager";
    /// With `comm_error`: the server is not in service.
    NOT_IN_SERVICE = "Server not in service", from "literal:nvflare.private.fed.server.server_state";
}

wire_table! {
    /// Version of the federation protocol.
    quantities Protocol in "federation.protocol";

    /// Sent at registration and in its reply. A server of release 2.9.0 does not look at it.
    VERSION: u32 = 1, from "nvflare.private.defs:FEDERATION_PROTOCOL_VERSION";
}

wire_table! {
    /// Waiting times, in seconds, and limits of registration and heartbeats: defaults, all of them configurable.
    quantities RegistrationDefaults in "federation.registration_default";

    /// How long a challenge stays open at the server: setting `max_reg_duration`.
    MAX_REG_DURATION: f64 = 60.0, from "literal:nvflare.private.fed.server.fed_server";
    /// Pause of a client before it repeats a challenge or registration that got no answer.
    REGISTER_INTERVAL: f64 = 2.0,
        from "default:nvflare.private.fed.client.communicator:Communicator.__init__:client_register_interval";
    /// Pause between heartbeats of a client parent.
    HEARTBEAT_INTERVAL: f64 = 10.0, from "literal:nvflare.private.fed.app.client.client_train";
    /// Pause after a heartbeat that failed.
    HEARTBEAT_RETRY_INTERVAL: f64 = 5.0, from "literal:nvflare.private.fed.client.communicator";
    /// How long a server keeps a client from which no heartbeat comes.
    CLIENT_TIMEOUT: f64 = 600.0,
        from "default:nvflare.private.fed.server.fed_server:FederatedServer.__init__:heart_beat_timeout";
    /// How long a client waits for the reply to a challenge, registration, heartbeat or quit.
    MAINTENANCE_TIMEOUT: f64 = 30.0, from "literal:nvflare.private.fed.client.fed_client_base";
    /// How long a client waits for the reply to a task request or a result.
    COMMUNICATION_TIMEOUT: f64 = 300.0, from "literal:nvflare.private.fed.client.fed_client_base";
    /// Largest site configuration, in bytes of JSON, that a server takes; a larger one is dropped without an error.
    MAX_SITE_CONFIG_SIZE: usize = 65_536,
        from "nvflare.private.fed.server.fed_server:FederatedServer._SITE_CONFIG_MAX_SERIALIZED_BYTES";
    /// How long a server delays the final status of a job for clients that have not reported its end.
    CLIENT_OUTCOME_WAIT_TIMEOUT: f64 = 900.0, from "literal:nvflare.private.fed.server.job_runner";
}
