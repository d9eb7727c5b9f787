//! What release 2.9.0 of the reference added to the Client API on the same channel: sessions that the job opens,
//! idempotent retries, and word of when the arrays of a result are fetched.

use crate::table::wire_table;

wire_table! {
    /// Topics on [`Channel::CLIENT_API`](super::Channel::CLIENT_API) beside those of version 1.
    ///
    /// Topics that are replies stand in the body of a cell reply, as in [`Topic`](super::Topic).
    names ReleaseTopic(str) in "client_api.release_topic";

    /// Launched training process to job, request after HELLO_ACCEPTED: it has installed what it was given and takes
    /// tasks (`session_id`); the reply has the same topic (`session_id`). No task is sent before.
    SESSION_READY = "client_api.session_ready", from "nvflare.client.cell.defs:Topic.SESSION_READY";
    /// Job to attached training process, request: opens a session (`session_id`, `attach_id`, `site_name`, `job_id`,
    /// `trainer_fqcn`, `protocol_version`, `rank`, `heartbeat_interval`, `heartbeat_timeout`, `task_exchange`,
    /// `memory_gc_rounds`, `cuda_empty_cache`). Repeated until it is answered.
    SESSION_OPEN = "client_api.session_open", from "nvflare.client.cell.defs:Topic.SESSION_OPEN";
    /// Attached training process to job, reply to [`SESSION_OPEN`](Self::SESSION_OPEN) (`session_id`,
    /// `protocol_version`). The same for a session that it has already.
    SESSION_ACCEPTED = "client_api.session_accepted", from "nvflare.client.cell.defs:Topic.SESSION_ACCEPTED";
    /// Attached training process to job, reply to [`SESSION_OPEN`](Self::SESSION_OPEN): it belongs to another session,
    /// or the request does not fit its profile (`session_id`, `reason`).
    SESSION_REJECTED = "client_api.session_rejected", from "nvflare.client.cell.defs:Topic.SESSION_REJECTED";
    /// Job to attached training process, request: what became of a task whose reply was lost (`session_id`, `task_id`).
    /// The reply has the same topic (`task_id`, `task_state`, `accepted_attempt_id`); it is also the reply to a repeated
    /// TASK_READY whose first copy is still being unpacked (`task_id`, `task_seq`, `task_state` UNKNOWN).
    TASK_STATUS = "client_api.task_status", from "nvflare.client.cell.defs:Topic.TASK_STATUS";
    /// Attached training process to job, request: what became of a result whose reply was lost (`session_id`,
    /// `task_id`, `result_id`). The reply has the same topic (`result_state`, `accepted_attempt_id` if accepted).
    RESULT_STATUS = "client_api.result_status", from "nvflare.client.cell.defs:Topic.RESULT_STATUS";
    /// Training process to job, request: all downloads of the result are confirmed, the process holds nothing more of
    /// it (`session_id`, `task_id`). The reply has the same topic (`task_id`).
    RESULT_SOURCE_SETTLED = "client_api.result_source_settled",
        from "nvflare.client.cell.defs:Topic.RESULT_SOURCE_SETTLED";
}

wire_table! {
    /// Keys of the bodies beside those of version 1.
    names ReleaseKey(str) in "client_api.release_key";

    /// Text, in every reply of the protocol: the topic that the reply has.
    REPLY_TOPIC = "reply_topic", from "nvflare.client.cell.defs:MsgKey.REPLY_TOPIC";
    /// Text, URL; declared by the reference, sent in no message.
    CONNECT_URL = "connect_url", from "nvflare.client.cell.defs:MsgKey.CONNECT_URL";
    /// Text; declared by the reference, sent in no message.
    CONNECTION_SECURITY = "connection_security", from "nvflare.client.cell.defs:MsgKey.CONNECTION_SECURITY";
    /// Bool, in HELLO_ACCEPTED: the federation authenticates its messages; the next two keys are then present.
    SECURE_MODE = "secure_mode", from "nvflare.client.cell.defs:MsgKey.SECURE_MODE";
    /// Text, in HELLO_ACCEPTED: the site's own token, with which the process signs all that it sends from now on.
    AUTH_TOKEN = "auth_token", from "nvflare.client.cell.defs:MsgKey.AUTH_TOKEN";
    /// Text, base64: the server's signature of that token.
    AUTH_TOKEN_SIGNATURE = "auth_token_signature", from "nvflare.client.cell.defs:MsgKey.AUTH_TOKEN_SIGNATURE";
    /// Integer, from 1, rising: number of the task within the session.
    TASK_SEQ = "task_seq", from "nvflare.client.cell.defs:MsgKey.TASK_SEQ";
    /// Text, 32 hex digits: one attempt to hand over a task, or a result.
    ATTEMPT_ID = "attempt_id", from "nvflare.client.cell.defs:MsgKey.ATTEMPT_ID";
    /// Text: a [`TaskState`].
    TASK_STATE = "task_state", from "nvflare.client.cell.defs:MsgKey.TASK_STATE";
    /// Shareable: the result of a task.
    RESULT = "result", from "nvflare.client.cell.defs:MsgKey.RESULT";
    /// Text: a [`ResultState`].
    RESULT_STATE = "result_state", from "nvflare.client.cell.defs:MsgKey.RESULT_STATE";
    /// Text: the attempt that counts, when there was more than one.
    ACCEPTED_ATTEMPT_ID = "accepted_attempt_id", from "nvflare.client.cell.defs:MsgKey.ACCEPTED_ATTEMPT_ID";
    /// Bool: the process still owns arrays that others fetch. It must not be stopped while this is true.
    RESULT_SOURCE_LIVE = "result_source_live", from "nvflare.client.cell.defs:MsgKey.RESULT_SOURCE_LIVE";
    /// Float, seconds: how often the process says that it lives.
    HEARTBEAT_INTERVAL = "heartbeat_interval", from "nvflare.client.cell.defs:MsgKey.HEARTBEAT_INTERVAL";
    /// Float, seconds: after how long a silence the session ends; 0 for never, which attached processes may not have.
    HEARTBEAT_TIMEOUT = "heartbeat_timeout", from "nvflare.client.cell.defs:MsgKey.HEARTBEAT_TIMEOUT";
    /// Map: how models are exchanged, with the keys of [`TaskExchangeKey`](super::TaskExchangeKey).
    TASK_EXCHANGE = "task_exchange", from "nvflare.client.cell.defs:MsgKey.TASK_EXCHANGE";
    /// Integer: after how many rounds the process frees memory; 0 for never.
    MEMORY_GC_ROUNDS = "memory_gc_rounds", from "nvflare.client.cell.defs:MsgKey.MEMORY_GC_ROUNDS";
    /// Bool: whether it then also empties the cache of the accelerator.
    CUDA_EMPTY_CACHE = "cuda_empty_cache", from "nvflare.client.cell.defs:MsgKey.CUDA_EMPTY_CACHE";
}

wire_table! {
    /// Where a task stands in an attached training process; the value of [`ReleaseKey::TASK_STATE`].
    names TaskState(str) in "client_api.task_state", from "nvflare.client.cell.defs:TaskState";

    /// Never seen, or forgotten.
    UNKNOWN = "UNKNOWN";
    /// Accepted, not yet taken up by the training code.
    QUEUED = "QUEUED";
    /// The training code has it.
    DELIVERED = "DELIVERED";
    /// Its result is on the way.
    RESULT_PUBLISHING = "RESULT_PUBLISHING";
    /// Its result was accepted.
    COMPLETE = "COMPLETE";
}

wire_table! {
    /// Where a result stands at the job; the value of [`ReleaseKey::RESULT_STATE`].
    names ResultState(str) in "client_api.result_state", from "nvflare.client.cell.defs:ResultState";

    /// Never seen, or forgotten.
    UNKNOWN = "UNKNOWN";
    /// Taken; the accepted attempt is named beside.
    ACCEPTED = "ACCEPTED";
    /// Refused; handing it over again is of no use.
    REJECTED = "REJECTED";
}

wire_table! {
    /// Keys of a LOG body, beside the session id. Further keys are the arguments of the record, such as `global_step`.
    names LogKey(str) in "client_api.log_key";

    /// Text: name of the metric.
    KEY = "key", from "literal:nvflare.client.cell.api";
    /// Any: its value.
    VALUE = "value", from "literal:nvflare.client.cell.api";
    /// An [`AnalyticsDataType`](super::AnalyticsDataType), as the enum of the reference.
    DATA_TYPE = "data_type", from "literal:nvflare.client.cell.api";
}

wire_table! {
    /// Times and bounds of a session in release 2.9.0; seconds where nothing else is said.
    quantities ReleaseTiming in "client_api.release_timing";

    /// How long the control requests of a session, HELLO and RESULT_SOURCE_SETTLED among them, may take in all.
    SESSION_CONTROL_TIMEOUT: f64 = 30.0, from "nvflare.client.cell.defs:SESSION_CONTROL_TIMEOUT";
    /// Between two HELLOs that got no session.
    HELLO_RETRY_INTERVAL: f64 = 1.0, from "nvflare.client.cell.api:_HELLO_RETRY_INTERVAL";
    /// Default of `heartbeat_interval`.
    HEARTBEAT_INTERVAL: f64 = 5.0,
        from "default:nvflare.app_common.executors.client_api_executor:ClientAPIExecutor.__init__:heartbeat_interval";
    /// Default of `heartbeat_timeout`.
    HEARTBEAT_TIMEOUT: f64 = 30.0,
        from "default:nvflare.app_common.executors.client_api_executor:ClientAPIExecutor.__init__:heartbeat_timeout";
    /// How long a job waits for the HELLO of a process that it launched.
    LAUNCH_TIMEOUT: f64 = 300.0,
        from "default:nvflare.app_common.executors.client_api_executor:ClientAPIExecutor.__init__:launch_timeout";
    /// How long a stopped process has before it is killed.
    STOP_GRACE_PERIOD: f64 = 30.0,
        from "default:nvflare.app_common.executors.client_api_executor:ClientAPIExecutor.__init__:stop_grace_period";
    /// How long one SHUTDOWN waits for its reply while results are still being fetched.
    SHUTDOWN_ACK_TIMEOUT: f64 = 5.0,
        from "nvflare.app_common.executors.client_api.external_process_backend:_LIVE_RESULT_SHUTDOWN_ACK_TIMEOUT";
    /// Between two SHUTDOWNs.
    SHUTDOWN_RETRY_INTERVAL: f64 = 1.0,
        from "nvflare.app_common.executors.client_api.external_process_backend:_SHUTDOWN_RETRY_INTERVAL";
    /// How often RESULT_SOURCE_SETTLED is sent before the process gives up.
    RESULT_SOURCE_SETTLED_ATTEMPTS: u32 = 3, from "nvflare.client.cell.api:_RESULT_SOURCE_SETTLED_ATTEMPTS";
    /// Between a job's two attempts at SESSION_OPEN or TASK_READY to an attached process.
    ATTACH_CONTROL_RETRY_INTERVAL: f64 = 0.5,
        from "nvflare.app_common.executors.client_api.attach_backend:_CONTROL_RETRY_INTERVAL";
    /// How long one such attempt waits for its reply.
    ATTACH_CONTROL_ATTEMPT_TIMEOUT: f64 = 2.0,
        from "nvflare.app_common.executors.client_api.attach_backend:_CONTROL_ATTEMPT_TIMEOUT";
    /// How long a RESULT_STATUS of an attached process waits for its reply.
    RESULT_STATUS_TIMEOUT: f64 = 2.0, from "nvflare.client.cell.attach_session:_RESULT_STATUS_TIMEOUT";
    /// How often an attached process sends a result before it asks for its status.
    RESULT_SEND_ATTEMPTS: u32 = 2, from "nvflare.client.cell.attach_session:_RESULT_SEND_ATTEMPTS";
    /// Tasks that an attached process remembers.
    TASK_LEDGER_LIMIT: usize = 256, from "nvflare.client.cell.attach_session:_TASK_LEDGER_LIMIT";
    /// Results that a job remembers.
    RESULT_AUTHORITY_LIMIT: usize = 256,
        from "nvflare.app_common.executors.client_api.cell_backend:_RESULT_AUTHORITY_LIMIT";
}
