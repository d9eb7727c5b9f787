//! Commands to a server job, to a client job, and from a server job to its parent.

use crate::table::wire_table;

wire_table! {
    /// Topics by which a server job is asked and told things, and by which it tells its parent.
    ///
    /// Channel `server_command`: from client jobs (tasks and results) and from the server parent (the rest). Channel
    /// `server_parent_listener`: from the server job to its parent.
    names ServerCommand(str) in "federation.server_command", from "nvflare.apis.fl_constant:ServerCommandNames";

    /// Server parent to job: request without content; reply: state of the run.
    GET_RUN_INFO = "get_run_info";
    /// Client job to server job, request: give me a task. The reply is a shareable with the task, or with a special
    /// task name.
    GET_TASK = "get_task";
    /// Client job to server job, request: here is my result. The reply comes when the server has fetched all of it.
    SUBMIT_UPDATE = "submit_update";
    /// Declared by the reference and not sent.
    AUX_COMMUNICATE = "aux_communicate", unspoken;
    /// Job to server parent, no reply, header `job_id`: I am alive. A parent that does not know the job aborts it.
    HEARTBEAT = "heartbeat";
    /// Job to server parent, request with header `job_id`: which clients take part? The reply maps token to client.
    GET_CLIENTS = "get_clients";
    /// Declared by the reference and not sent.
    AUX_SEND = "aux_send", unspoken;
    /// Server parent to job, request: statistics of the run.
    SHOW_STATS = "show_stats";
    /// Server parent to job, request: errors of the run.
    GET_ERRORS = "get_errors";
    /// Server parent to job, request: forget the errors.
    RESET_ERRORS = "reset_errors";
    /// Job to server parent, request with header `job_id`: the run has ended; the body says whether in error.
    UPDATE_RUN_STATUS = "update_run_status";
    /// Server parent to job, request: this client's part of the job is dead.
    HANDLE_DEAD_JOB = "handle_dead_job";
    /// Server parent to job, request: take over this server state.
    SERVER_STATE = "server_state";
    /// Server parent to job, request: run the command that the application registered under a topic.
    APP_COMMAND = "app_command";
}

wire_table! {
    /// Keys in the shareables and maps of server commands.
    names ServerCommandKey(str) in "federation.server_command_key", from "nvflare.apis.fl_constant:ServerCommandKey";

    /// Declared by the reference and not sent.
    COMMAND = "command", unspoken;
    /// `app_command` and its reply, any value: what the application's command gets, and gives.
    DATA = "data";
    /// Declared by the reference and not sent.
    FL_CONTEXT = "fl_context", unspoken;
    /// Header: public context of the sender.
    PEER_FL_CONTEXT = "__peer_ctx__";
    /// Declared by the reference and not sent.
    SHAREABLE = "shareable", unspoken;
    /// Header of the reply to `get_task`, text: name of the task, or a special task name.
    TASK_NAME = "task_name";
    /// Declared by the reference and not sent; tasks carry `__task_id__`.
    TASK_ID = "task_id", unspoken;
    /// Header of `get_task`, text: id of the task received before, so that a parent does not give the same one again.
    LAST_TASK_ID = "last_task_id";
    /// Header that the server adds on arrival: the client that asks. In `handle_dead_job`, text: name of the client.
    FL_CLIENT = "fl_client";
    /// `app_command`, text: which command of the application.
    TOPIC = "topic";
    /// Declared by the reference and not sent.
    AUX_REPLY = "aux_reply", unspoken;
    /// Reply to `get_clients`, text: the job.
    JOB_ID = "job_id";
    /// Reply to `get_clients`, map of token to client, or nil for an unknown job.
    CLIENTS = "clients";
    /// Declared by the reference and not sent.
    COLLECTOR = "collector", unspoken;
    /// Header of `abort`, bool: whether the server leaves service as well.
    TURN_TO_COLD = "__turn_to_cold__";
    /// Header, text: why.
    REASON = "reason";
    /// Header of the reply to `get_task`, seconds: the client shall wait at least so long for its next tasks.
    MIN_GET_TASK_TIMEOUT = "min_get_task_timeout";
}

wire_table! {
    /// Body keys of `update_run_status`.
    names RunStatusUpdateKey(str) in "federation.run_status_update";

    /// Bool: the run ended with an execution error.
    EXECUTION_ERROR = "execution_error", from "literal:nvflare.private.fed.server.fed_server";
}

wire_table! {
    /// Names of operator commands.
    ///
    /// They are topics on channel `client_command` (client parent to client job: `check_status`, `abort`,
    /// `abort_task`, `show_stats`, `show_errors`, `reset_errors`, `configure_job_log`, `shutdown`) and, two of them, on
    /// `server_command` (server parent to server job: `abort`, `configure_job_log`). In the header `admin_command` of
    /// a request to a site any of them may stand: it says which command of the operator the request serves, and the
    /// site's own authorization policy is asked about that name.
    names AdminCommand(str) in "federation.admin_command", from "nvflare.apis.fl_constant:AdminCommandNames";

    /// Register a study.
    REGISTER_STUDY = "register_study";
    /// Add a site to a study.
    ADD_STUDY_SITE = "add_study_site";
    /// Take a site out of a study.
    REMOVE_STUDY_SITE = "remove_study_site";
    /// Remove a study.
    REMOVE_STUDY = "remove_study";
    /// List the studies.
    LIST_STUDIES = "list_studies";
    /// Show one study.
    SHOW_STUDY = "show_study";
    /// Add a user to a study.
    ADD_STUDY_USER = "add_study_user";
    /// Take a user out of a study.
    REMOVE_STUDY_USER = "remove_study_user";
    /// Hand in a job; sites are asked for the right of this name when the job reaches them.
    SUBMIT_JOB = "submit_job";
    /// List jobs.
    LIST_JOBS = "list_jobs";
    /// Meta data of a job.
    GET_JOB_META = "get_job_meta";
    /// List the parts of one job.
    LIST_JOB = "list_job";
    /// Fetch a job and its results.
    DOWNLOAD_JOB = "download_job";
    /// Fetch extra parts of a job.
    DOWNLOAD_JOB_COMPONENTS = "download_job_components";
    /// End a job everywhere.
    ABORT_JOB = "abort_job";
    /// Delete a job.
    DELETE_JOB = "delete_job";
    /// Hand in a copy of a job.
    CLONE_JOB = "clone_job";
    /// Delete the workspace of a job.
    DELETE_WORKSPACE = "delete_workspace";
    /// Ask a site whether a job's resources are there; stands in `admin_command` of that request.
    CHECK_RESOURCES = "check_resources";
    /// Bring an application to a site; stands in `admin_command` of that request.
    DEPLOY_APP = "deploy_app";
    /// Parent to client job: the reply is the text of the client's status.
    CHECK_STATUS = "check_status";
    /// Status of the server and of all clients.
    ADMIN_CHECK_STATUS = "admin_check_status";
    /// Parent to job, client or server: end the run. A client job gets no time to answer.
    ABORT = "abort";
    /// Parent to client job: end the current task.
    ABORT_TASK = "abort_task";
    /// Forget a client until it registers again.
    REMOVE_CLIENT = "remove_client";
    /// Refuse a client from now on.
    DISABLE_CLIENT = "disable_client";
    /// Take a disabled client again.
    ENABLE_CLIENT = "enable_client";
    /// Stop a server or site. As a topic on `client_command` it does nothing but answer.
    SHUTDOWN = "shutdown";
    /// Restart a server or site.
    RESTART = "restart";
    /// Set the console's own timeout.
    SET_TIMEOUT = "set_timeout";
    /// Parent to client job: statistics of the run.
    SHOW_STATS = "show_stats";
    /// Parent to client job: errors of the run.
    SHOW_ERRORS = "show_errors";
    /// Parent to client job: forget the errors.
    RESET_ERRORS = "reset_errors";
    /// Log of a job.
    GET_JOB_LOG = "get_job_log";
    /// Send an application message by hand.
    AUX_COMMAND = "aux_command";
    /// Facts about a machine.
    SYS_INFO = "sys_info";
    /// Resources of a site.
    REPORT_RESOURCES = "report_resources";
    /// Environment of a site.
    REPORT_ENV = "report_env";
    /// Software version of a site.
    REPORT_VERSION = "report_version";
    /// Privacy scopes of a site.
    SHOW_SCOPES = "show_scopes";
    /// Call a component of a running job.
    CALL = "call";
    /// Shell command on a machine: working directory.
    SHELL_PWD = "pwd";
    /// Shell command: list files.
    SHELL_LS = "ls";
    /// Shell command: show a file.
    SHELL_CAT = "cat";
    /// Shell command: first lines of a file.
    SHELL_HEAD = "head";
    /// Shell command: last lines of a file.
    SHELL_TAIL = "tail";
    /// Shell command: search files.
    SHELL_GREP = "grep";
    /// Command of an application, through the server.
    APP_COMMAND = "app_command";
    /// Parent to job, client or server: change the logging of the run.
    CONFIGURE_JOB_LOG = "configure_job_log";
    /// Change the logging of a site.
    CONFIGURE_SITE_LOG = "configure_site_log";
}
