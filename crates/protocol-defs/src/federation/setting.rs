//! Names of the settings of registration, of jobs and of the task loop.
//!
//! They stand in files that a project or a job shares between sites, so both implementations read the same words. The
//! defaults are in [`RegistrationDefaults`](crate::federation::RegistrationDefaults),
//! [`TaskDefaults`](crate::federation::TaskDefaults) and [`JobDefaults`].

use crate::table::wire_table;

wire_table! {
    /// Settings that a job sets in its server or client configuration, and `max_reg_duration`, which the server's own
    /// startup configuration sets. Times are numbers of seconds.
    names JobSetting(str) in "federation.job_setting", from "nvflare.apis.fl_constant:ConfigVarName";

    /// Client: how long to wait for the reply to one `__sync_runner__`.
    RUNNER_SYNC_TIMEOUT = "runner_sync_timeout";
    /// Client: how long to go on trying to sync.
    MAX_RUNNER_SYNC_TIMEOUT = "max_runner_sync_timeout";
    /// Client: how long to wait for the reply to `__task_check__`.
    TASK_CHECK_TIMEOUT = "task_check_timeout";
    /// Client: pause between repeats of `__task_check__` and of a result.
    TASK_CHECK_INTERVAL = "task_check_interval";
    /// Client: pause between job heartbeats.
    JOB_HEARTBEAT_INTERVAL = "job_heartbeat_interval";
    /// Both: how long to wait for components to be ready for the end of the run.
    END_RUN_READINESS_TIMEOUT = "end_run_readiness_timeout";
    /// Both: pause between looks at them.
    END_RUN_READINESS_CHECK_INTERVAL = "end_run_readiness_check_interval";
    /// Client: how long to wait for a task. Without it the communication timeout of the site.
    GET_TASK_TIMEOUT = "get_task_timeout";
    /// Client: how long to wait until a result is taken. Without it the communication timeout of the site.
    SUBMIT_TASK_RESULT_TIMEOUT = "submit_task_result_timeout";
    /// Both, whole number: how many reliable requests are worked on at a time.
    RM_MAX_REQUEST_WORKERS = "rm_max_request_workers";
    /// Both: pause between questions after a reliable request.
    RM_QUERY_INTERVAL = "rm_query_interval";
    /// Server: how long after its death report a client still counts as alive.
    DEAD_CLIENT_GRACE_PERIOD = "dead_client_grace_period";
    /// Server: how long after its start a job is not looked at for dead clients.
    DEAD_CLIENT_CHECK_LEAD_TIME = "dead_client_check_lead_time";
    /// Server, bool: every site must answer the start of the job, and well.
    STRICT_START_JOB_REPLY_CHECK = "strict_start_job_reply_check";
    /// Server, bool: a job counts as dead on a site only if a heartbeat of the site has named it before.
    SYNC_CLIENT_JOBS_REQUIRE_PREVIOUS_REPORT = "sync_client_jobs_require_previous_report";
    /// Server: how long to delay the final status of a job for clients that have not reported its end.
    CLIENT_OUTCOME_WAIT_TIMEOUT = "client_outcome_wait_timeout";
    /// Both: how long an aux message waits for the cell to exist.
    CELL_WAIT_TIMEOUT = "cell_wait_timeout";
    /// Server: how long a challenge stays open.
    MAX_REG_DURATION = "max_reg_duration";
    /// Client job: how long to wait for the parent to take a job status.
    NOTIFY_CP_MSG_TIMEOUT = "notify_cp_msg_timeout";
    /// Client job: how long to repeat the first one.
    NOTIFY_CP_RETRY_TIMEOUT = "notify_cp_retry_timeout";
}

wire_table! {
    /// Settings of a site in the client section of its startup configuration. Times are numbers of seconds.
    names ClientSetting(str) in "federation.client_setting";

    /// Pause between heartbeats; given on the command line.
    HEART_BEAT_INTERVAL = "heart_beat_interval", from "literal:nvflare.private.fed.app.client.client_train";
    /// Pause before a challenge or registration is repeated.
    CLIENT_REGISTER_INTERVAL = "client_register_interval", from "literal:nvflare.private.fed.client.fed_client_base";
    /// How long to wait for tasks and until results are taken.
    COMMUNICATION_TIMEOUT = "communication_timeout", from "literal:nvflare.private.fed.client.fed_client_base";
    /// How long to wait for the replies on channel `task`.
    MAINT_MSG_TIMEOUT = "maint_msg_timeout", from "literal:nvflare.private.fed.client.fed_client_base";
    /// How long to wait for the reply of a job process to a question, and of the server to the end of a job.
    JOB_QUERY_TIMEOUT = "job_query_timeout", from "literal:nvflare.private.fed.client.client_executor";
}

wire_table! {
    /// Settings of a server in its startup configuration.
    names ServerSetting(str) in "federation.server_setting";

    /// Seconds: how long to keep a client from which no heartbeat comes.
    HEART_BEAT_TIMEOUT = "heart_beat_timeout", from "literal:nvflare.private.fed.app.deployer.server_deployer";
    /// Whole number: how many clients may register.
    MAX_NUM_CLIENTS = "max_num_clients", from "literal:nvflare.private.fed.app.deployer.server_deployer";
    /// Seconds, in a job's server configuration: wait time sent with `__try_again__` by a running workflow.
    TASK_REQUEST_INTERVAL = "server.task_request_interval",
        from "literal:nvflare.private.fed.server.server_json_config";
}

wire_table! {
    /// Defaults of the settings that have no place in another group. Times are in seconds.
    quantities JobDefaults in "federation.job_default";

    /// Of `rm_max_request_workers`.
    RM_MAX_REQUEST_WORKERS: usize = 20, from "literal:nvflare.apis.utils.reliable_message";
    /// Of `rm_query_interval`.
    RM_QUERY_INTERVAL: f64 = 2.0, from "literal:nvflare.apis.utils.reliable_message";
    /// Of `dead_client_grace_period`.
    DEAD_CLIENT_GRACE_PERIOD: f64 = 60.0, from "literal:nvflare.apis.impl.wf_comm_server";
    /// Of `dead_client_check_lead_time`.
    DEAD_CLIENT_CHECK_LEAD_TIME: f64 = 30.0, from "literal:nvflare.apis.impl.wf_comm_server";
    /// Of `strict_start_job_reply_check`.
    STRICT_START_JOB_REPLY_CHECK: bool = false;
    /// Of `sync_client_jobs_require_previous_report`.
    SYNC_CLIENT_JOBS_REQUIRE_PREVIOUS_REPORT: bool = true;
    /// Of `cell_wait_timeout`.
    CELL_WAIT_TIMEOUT: f64 = 5.0, from "literal:nvflare.private.aux_runner";
    /// Of `max_num_clients`.
    MAX_NUM_CLIENTS: usize = 100, from "literal:nvflare.private.fed.app.deployer.server_deployer";
}
