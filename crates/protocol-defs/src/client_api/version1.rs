//! Version 1 of the Client API session protocol, frozen: its channel, its seventeen topics, its nineteen keys.

use crate::table::wire_table;

wire_table! {
    /// The channel of the Client API, in every version and for launched and attached processes alike.
    names Channel(str) in "client_api.channel";

    /// Requests and replies between a training process and its job.
    CLIENT_API = "client_api", from "nvflare.client.cell.defs:CHANNEL";
}

wire_table! {
    /// Versions of the protocol; the value of [`Key::PROTOCOL_VERSION`].
    names Version(u32) in "client_api.version";

    /// The only version so far. A peer that says anything else is rejected.
    V1 = 1, from "nvflare.client.cell.defs:PROTOCOL_VERSION";
}

wire_table! {
    /// The topics of version 1 on [`Channel::CLIENT_API`].
    ///
    /// A topic that is a reply is never sent as the topic of a message: it stands in the body of a cell reply, under
    /// `reply_topic`. In the docs the keys in parentheses are those of the body; † marks a key that only release
    /// 2.9.0 knows.
    names Topic(str) in "client_api.topic";

    /// Training process to job, request: opens a session and says who wants it (`trainer_fqcn`, `protocol_version`,
    /// `job_id`, `site_name`, `rank`; attached: `attach_id`; in 2.9.0 also `proof`, the launch token). Repeated until a
    /// session is there or the time is up.
    HELLO = "client_api.hello", from "nvflare.client.cell.defs:Topic.HELLO";
    /// Job to training process, reply to [`HELLO`](Self::HELLO): a nonce to be answered (`nonce`). Release 2.9.0 goes
    /// straight to [`HELLO_ACCEPTED`](Self::HELLO_ACCEPTED).
    HELLO_CHALLENGE = "client_api.hello_challenge", unspoken;
    /// Training process to job, request: the proof that it holds the session token, over the nonce and the whole scope
    /// of the session (`proof`, `nonce`, `job_id`, `site_name`, `attach_id`, `target_fqcn`, `trainer_fqcn`,
    /// `rank_policy`, `protocol_version`).
    HELLO_PROOF = "client_api.hello_proof", unspoken;
    /// Job to training process, reply to [`HELLO_PROOF`](Self::HELLO_PROOF), in 2.9.0 to [`HELLO`](Self::HELLO): the
    /// session is open (`session_id`, `job_id`, `site_name`, `heartbeat_interval`†, `heartbeat_timeout`†,
    /// `secure_mode`†, `auth_token`†, `auth_token_signature`†).
    HELLO_ACCEPTED = "client_api.hello_accepted", from "nvflare.client.cell.defs:Topic.HELLO_ACCEPTED";
    /// Job to training process, reply in place of [`HELLO_ACCEPTED`](Self::HELLO_ACCEPTED): no session, and why
    /// (`reason`).
    HELLO_REJECTED = "client_api.hello_rejected", from "nvflare.client.cell.defs:Topic.HELLO_REJECTED";
    /// Job to training process, request: a task with its model (`session_id`, `task_id`, `task_name`, `model`;
    /// attached: `task_seq`†, `attempt_id`†).
    TASK_READY = "client_api.task_ready", from "nvflare.client.cell.defs:Topic.TASK_READY";
    /// Training process to job, reply to [`TASK_READY`](Self::TASK_READY): the task is queued (`task_id`; from an
    /// attached process to a repeated request also `task_seq`†, `attempt_id`†, `task_state`†). It may arrive after the
    /// result.
    TASK_ACCEPTED = "client_api.task_accepted", from "nvflare.client.cell.defs:Topic.TASK_ACCEPTED";
    /// Training process to job, reply to [`TASK_READY`](Self::TASK_READY): the task will not be done (`reason`, and
    /// `task_id` if one was given).
    TASK_FAILED = "client_api.task_failed", from "nvflare.client.cell.defs:Topic.TASK_FAILED";
    /// Training process to job, request: the result of a task (`session_id`, `task_id`, `result`†; attached:
    /// `result_id`, `attempt_id`†). Its arrays stay with the sender for download, so the message asks the job to pass
    /// them through. In version 1 proper `transfer_id` and `manifest` say how they are fetched, `params` holds them
    /// inline.
    RESULT_READY = "client_api.result_ready", from "nvflare.client.cell.defs:Topic.RESULT_READY";
    /// Job to training process, reply to [`RESULT_READY`](Self::RESULT_READY): the result is taken (attached:
    /// `result_id`, `accepted_attempt_id`†; else nothing).
    RESULT_ACCEPTED = "client_api.result_accepted", from "nvflare.client.cell.defs:Topic.RESULT_ACCEPTED";
    /// Job to training process, reply to [`RESULT_READY`](Self::RESULT_READY): the result is refused (`reason`).
    RESULT_REJECTED = "client_api.result_rejected", from "nvflare.client.cell.defs:Topic.RESULT_REJECTED";
    /// Training process to job, no reply: one metric or log record (`session_id`, and the keys of `LogKey`).
    LOG = "client_api.log", from "nvflare.client.cell.defs:Topic.LOG";
    /// Training process to job, request once per heartbeat interval (`session_id`, `result_source_live`†); the reply
    /// has the same topic (`session_id`). Either side ends the session when it has heard nothing for the timeout.
    HEARTBEAT = "client_api.heartbeat", from "nvflare.client.cell.defs:Topic.HEARTBEAT";
    /// Job to training process, no reply: stop the task that runs and end the session (`session_id`, `reason`).
    ABORT = "client_api.abort", from "nvflare.client.cell.defs:Topic.ABORT";
    /// Job to training process, request: no more tasks, leave when your results are fetched (`session_id`, `reason`).
    /// The reply has no topic of its own in 2.9.0 (`result_source_live`†).
    SHUTDOWN = "client_api.shutdown", from "nvflare.client.cell.defs:Topic.SHUTDOWN";
    /// Training process to job: the process leaves by itself (`session_id`, `reason`). In 2.9.0 its cell simply says
    /// bye.
    BYE = "client_api.bye", unspoken;
    /// Either side, reply in place of the expected one: the request was not for this session, or made no sense
    /// (`reason`).
    ERROR = "client_api.error", from "nvflare.client.cell.defs:Topic.ERROR";
}

wire_table! {
    /// Keys of the bodies in version 1.
    names Key(str) in "client_api.key";

    /// Text, 32 hex digits: the session, made by the job when it opens one.
    SESSION_ID = "session_id", from "nvflare.client.cell.defs:MsgKey.SESSION_ID";
    /// Text, 1 to 64 letters, digits, `_` or `-`: the name under which an attached process and its job find each other.
    ATTACH_ID = "attach_id", from "nvflare.client.cell.defs:MsgKey.ATTACH_ID";
    /// Text: the job.
    JOB_ID = "job_id", from "nvflare.client.cell.defs:MsgKey.JOB_ID";
    /// Text: the site on which the job runs.
    SITE_NAME = "site_name", from "nvflare.client.cell.defs:MsgKey.SITE_NAME";
    /// Text, FQCN: the training process.
    TRAINER_FQCN = "trainer_fqcn", from "nvflare.client.cell.defs:MsgKey.TRAINER_FQCN";
    /// Text, FQCN: the cell to which the proof is addressed.
    TARGET_FQCN = "target_fqcn", unspoken;
    /// Text: the rank of the training process; only rank "0" holds a session.
    RANK = "rank", from "nvflare.client.cell.defs:MsgKey.RANK";
    /// Text: which ranks may hold a session; part of what a proof is bound to.
    RANK_POLICY = "rank_policy", unspoken;
    /// Integer: the [`Version`] that the sender speaks.
    PROTOCOL_VERSION = "protocol_version", from "nvflare.client.cell.defs:MsgKey.PROTOCOL_VERSION";
    /// Text, hex: the number used once that a proof must cover.
    NONCE = "nonce", unspoken;
    /// Text: what shows that the process may have the session. In version 1 an HMAC of 64 hex digits, in 2.9.0 the
    /// launch token itself.
    PROOF = "proof", from "nvflare.client.cell.defs:MsgKey.PROOF";
    /// Text for people: why something was refused, failed, or ends.
    REASON = "reason", from "nvflare.client.cell.defs:MsgKey.REASON";
    /// Text, 32 hex digits: the task as job and training process know it; not the server's task id.
    TASK_ID = "task_id", from "nvflare.client.cell.defs:MsgKey.TASK_ID";
    /// Text: what is to be done, as the job's workflow calls it, such as `train`.
    TASK_NAME = "task_name", from "nvflare.client.cell.defs:MsgKey.TASK_NAME";
    /// Shareable: the model and its headers.
    MODEL = "model", from "nvflare.client.cell.defs:MsgKey.MODEL";
    /// The parameters of a result. Release 2.9.0 has [`ReleaseKey::RESULT`](super::ReleaseKey::RESULT) instead.
    PARAMS = "params", unspoken;
    /// Text, 32 hex digits: the result, the same in every attempt to hand it over.
    RESULT_ID = "result_id", from "nvflare.client.cell.defs:MsgKey.RESULT_ID";
    /// Text: the download transaction under which a result is fetched.
    TRANSFER_ID = "transfer_id", unspoken;
    /// Map: what a transfer consists of.
    MANIFEST = "manifest", unspoken;
}
