//! The context that goes with messages: who speaks, for which job.

use crate::table::wire_table;

wire_table! {
    /// Properties that a participant makes known to the other side, in the peer context of a shareable.
    ///
    /// Applications add properties of their own. How a context is written is in `fobs.context_layout`.
    names ContextKey(str) in "federation.context", from "nvflare.apis.fl_constant:ReservedKey";

    /// Text: the job; empty outside of jobs. A receiver refuses messages of another job.
    RUN_NUM = "__run_num__";
    /// Text: name of the site.
    IDENTITY_NAME = "__identity_name__";
    /// Text: dotted path of the site in the hierarchy of sites.
    FQSN = "__fqsn__";
    /// Bool: no site stands below this one.
    IS_LEAF = "__is_leaf__";
    /// Text: name of the client; clients only.
    CLIENT_NAME = "__client_name__";
    /// Text, one of [`ClientType`](crate::federation::ClientType); the server's view of the one that registers.
    CLIENT_TYPE = "__client_type__";
    /// Text: the job once more, in job processes.
    CURRENT_JOB_ID = "__current_job_id__";
}

wire_table! {
    /// What a process is within a federation; written into configurations and shown.
    names ProcessType(str) in "federation.process_type", from "nvflare.apis.fl_constant:ProcessType";

    /// The server, which runs for good.
    SERVER_PARENT = "SP";
    /// The server's process for one job.
    SERVER_JOB = "SJ";
    /// A site's process that runs for good.
    CLIENT_PARENT = "CP";
    /// A site's process for one job.
    CLIENT_JOB = "CJ";
}
