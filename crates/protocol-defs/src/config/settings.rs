//! Names of settings, and of the file and environment that give them.

use crate::table::wire_table;

wire_table! {
    /// Communication settings: members of `comm_config.json`, each also an environment variable.
    ///
    /// Defaults are in [`SettingDefault`](super::SettingDefault) and [`SettingDefaultText`](super::SettingDefaultText)
    /// under the same name.
    names Setting(str) in "config.setting", from "nvflare.fuel.f3.comm_config:VarName";

    /// Integer, bytes: largest payload of one message.
    MAX_MESSAGE_SIZE = "max_message_size";
    /// Bool: whether cells of different families may connect to each other directly.
    ALLOW_ADHOC_CONNS = "allow_adhoc_conns";
    /// Text: scheme of such connections.
    ADHOC_CONN_SCHEME = "adhoc_conn_scheme";
    /// Text: scheme of the listener for a cell's own children.
    INTERNAL_CONN_SCHEME = "internal_conn_scheme";
    /// Integer: generations of cells that dial the server beside their parent; 2 lets the job processes of sites do so,
    /// 1 does not.
    BACKBONE_CONN_GEN = "backbone_conn_gen";
    /// Float, seconds: heartbeat of cells that watch one another as a subnet; unused in a plain federation.
    SUBNET_HEARTBEAT_INTERVAL = "subnet_heartbeat_interval";
    /// Integer: from when on a silent member of a subnet is reported.
    SUBNET_TROUBLE_THRESHOLD = "subnet_trouble_threshold";
    /// Text, paths: folders with further drivers; local to a process.
    COMM_DRIVER_PATH = "comm_driver_path";
    /// Integer, seconds: idle time of a connection before a PING.
    HEARTBEAT_INTERVAL = "heartbeat_interval";
    /// Bool: which of two drivers of the reference takes gRPC; the bytes are the same.
    USE_AIO_GRPC_VAR_NAME = "use_aio_grpc";
    /// Integer, bytes: chunk of a stream.
    STREAMING_CHUNK_SIZE = "streaming_chunk_size";
    /// Integer, bytes: largest stream that is collected in memory.
    STREAMING_MAX_BLOB_SIZE = "streaming_max_blob_size";
    /// Integer, seconds: longest wait of a sender for room in the window.
    STREAMING_ACK_WAIT = "streaming_ack_wait";
    /// Integer, bytes: how far a sender runs ahead of the ACKs.
    STREAMING_WINDOW_SIZE = "streaming_window_size";
    /// Integer, bytes: how often a receiver sends an ACK.
    STREAMING_ACK_INTERVAL = "streaming_ack_interval";
    /// Integer: chunks that a receiver keeps ahead of a missing one; by default derived from window and chunk.
    STREAMING_MAX_OUT_SEQ_CHUNKS = "streaming_max_out_seq_chunks";
    /// Integer, seconds: longest wait of a reader for the next chunk.
    STREAMING_READ_TIMEOUT = "streaming_read_timeout";
    /// Float, seconds: longest time for one frame to leave.
    STREAMING_SEND_TIMEOUT = "streaming_send_timeout";
    /// Float, seconds: longest time without progress of the ACKs.
    STREAMING_ACK_PROGRESS_TIMEOUT = "streaming_ack_progress_timeout";
    /// Float, seconds: between two looks at that progress.
    STREAMING_ACK_PROGRESS_CHECK_INTERVAL = "streaming_ack_progress_check_interval";
    /// Bool: whether streams are reliable if nothing else is said.
    STREAMING_RELIABLE = "streaming_reliable";
    /// Float, seconds: before a reliable sender repeats a chunk.
    STREAMING_RETRY_WAIT = "streaming_retry_wait";
    /// Float, seconds: how long it repeats.
    STREAMING_RETRY_TIMEOUT = "streaming_retry_timeout";
    /// Integer, bytes: how much it keeps for that.
    STREAMING_RETRY_MAX_PENDING_BYTES = "streaming_retry_max_pending_bytes";
    /// Float, seconds: from when on a send counts as stalled.
    SFM_SEND_STALL_TIMEOUT = "sfm_send_stall_timeout";
    /// Bool: whether a stalled connection is closed.
    SFM_CLOSE_STALLED_CONNECTION = "sfm_close_stalled_connection";
    /// Integer: looks in a row that must find it stalled.
    SFM_SEND_STALL_CONSECUTIVE_CHECKS = "sfm_send_stall_consecutive_checks";
    /// Bool: whether tcp sends small frames at once.
    TCP_NO_DELAY = "tcp_no_delay";
}

wire_table! {
    /// Environment variables that give settings.
    names Environment(str) in "config.environment";

    /// Stands before the name of a setting, which is then in capitals: `NVFLARE_STREAMING_CHUNK_SIZE`. Also before the
    /// settings of jobs.
    PREFIX = "NVFLARE_", from "nvflare.fuel.utils.config_service:ENV_VAR_PREFIX";
}

wire_table! {
    /// The file with the communication settings of a site, a JSON object.
    names CommConfigFile(str) in "config.comm_config_file";

    /// The file, in the local folder of a kit or of a job.
    COMM_CONFIG = "comm_config.json", from "literal:nvflare.fuel.f3.comm_config";
    /// What is read if the former is missing.
    DEFAULT_COMM_CONFIG = "comm_config.json.default", from "literal:nvflare.fuel.f3.comm_config";
}

wire_table! {
    /// Further members of `comm_config.json`, beside the settings: sections and what they hold.
    names CommConfigKey(str) in "config.comm_config";

    /// Section: the listener for a cell's own children; with [`SCHEME`](Self::SCHEME) and [`RESOURCES`](Self::RESOURCES).
    INTERNAL = "internal", from "nvflare.fuel.f3.cellnet.connector_manager:_KEY_INT";
    /// Section: listeners for direct connections between families; same shape.
    ADHOC = "adhoc", from "nvflare.fuel.f3.cellnet.connector_manager:_KEY_ADHOC";
    /// Text: scheme of the listener.
    SCHEME = "scheme", from "nvflare.fuel.f3.cellnet.connector_manager:_KEY_SCHEME";
    /// Map: what the driver needs; keys of [`DriverParam`](super::DriverParam) and the next two.
    RESOURCES = "resources", from "nvflare.fuel.f3.cellnet.connector_manager:_KEY_RESOURCES";
    /// Text: host that children dial; by default `localhost`.
    HOST = "host", from "nvflare.fuel.f3.cellnet.connector_manager:_KEY_HOST";
    /// Integer, text or list of them: ports to choose from, each a number or a range such as `8000-8100`.
    PORTS = "ports", from "nvflare.fuel.f3.cellnet.connector_manager:_KEY_PORTS";
    /// Integer: the one port, as a relay has it.
    PORT = "port", from "nvflare.fuel.f3.drivers.driver_params:DriverParams.PORT";
    /// Text: security of the listener, by default `clear`.
    CONNECTION_SECURITY = "connection_security", from "nvflare.fuel.f3.drivers.driver_params:DriverParams.CONNECTION_SECURITY";
    /// Section: an older way to say which generations dial the server.
    BACKBONE = "backbone", from "literal:nvflare.fuel.f3.cellnet.connector_manager";
    /// Integer or list of integers in that section.
    CONNECT_GENERATION = "connect_generation", from "literal:nvflare.fuel.f3.cellnet.connector_manager";
    /// Section: tuning of gRPC.
    GRPC = "grpc", from "literal:nvflare.fuel.f3.drivers.grpc_driver";
    /// Integer in that section: streams that a server takes at once.
    MAX_WORKERS = "max_workers", from "literal:nvflare.fuel.f3.drivers.grpc_driver";
    /// List of pairs in that section: options of channel and server, in place of the built-in ones.
    OPTIONS = "options", from "literal:nvflare.fuel.f3.drivers.grpc_driver";
    /// Section: tuning of the shared-file driver, with the keys of [`SharedFileParam`](super::SharedFileParam).
    SHARED_FILE = "shared-file", from "nvflare.fuel.f3.drivers.file_driver:SCHEME";
    /// Section: the listener that a job offers to attached training processes.
    CLIENT_API_ATTACH = "client_api_attach", from "nvflare.client.cell.attach_rendezvous:ATTACH_COMM_CONFIG";
}

wire_table! {
    /// Settings that a job may carry in its own configuration for server and sites.
    ///
    /// Defaults are in [`JobSettingDefault`](super::JobSettingDefault) under the same name, where there is one.
    names JobSetting(str) in "config.job_setting", from "nvflare.apis.fl_constant:ConfigVarName";

    /// Float, seconds, site: timeout of one runner synchronisation.
    RUNNER_SYNC_TIMEOUT = "runner_sync_timeout";
    /// Float, seconds, site: how long it tries to synchronise.
    MAX_RUNNER_SYNC_TIMEOUT = "max_runner_sync_timeout";
    /// Float, seconds, site: timeout of the question whether a task still stands.
    TASK_CHECK_TIMEOUT = "task_check_timeout";
    /// Float, seconds, site: wait before that question is put again.
    TASK_CHECK_INTERVAL = "task_check_interval";
    /// Float, seconds, site: between two heartbeats of a job.
    JOB_HEARTBEAT_INTERVAL = "job_heartbeat_interval";
    /// Float, seconds, both: how long components may take to be ready for the end of the run.
    END_RUN_READINESS_TIMEOUT = "end_run_readiness_timeout";
    /// Float, seconds, both: between two looks whether they are.
    END_RUN_READINESS_CHECK_INTERVAL = "end_run_readiness_check_interval";
    /// Float, seconds, site: timeout of the request for a task.
    GET_TASK_TIMEOUT = "get_task_timeout";
    /// Float, seconds, site: timeout of handing in a result.
    SUBMIT_TASK_RESULT_TIMEOUT = "submit_task_result_timeout";
    /// Integer, both: requests of reliable messages that are worked on at once.
    RM_MAX_REQUEST_WORKERS = "rm_max_request_workers";
    /// Float, seconds, both: between two questions of a reliable message for its result.
    RM_QUERY_INTERVAL = "rm_query_interval";
    /// Float, seconds, server: how long a client reported dead still counts as alive.
    DEAD_CLIENT_GRACE_PERIOD = "dead_client_grace_period";
    /// Float, seconds, server: how long after the start of a job nobody is looked for.
    DEAD_CLIENT_CHECK_LEAD_TIME = "dead_client_check_lead_time";
    /// Bool, server: whether a job runs only if every site said that it started.
    STRICT_START_JOB_REPLY_CHECK = "strict_start_job_reply_check";
    /// Bool, server: whether a site must have reported a job before its absence there counts as a death.
    SYNC_CLIENT_JOBS_REQUIRE_PREVIOUS_REPORT = "sync_client_jobs_require_previous_report";
    /// Float, seconds, server: how long it waits for the outcome of the sites after its own process ended.
    CLIENT_OUTCOME_WAIT_TIMEOUT = "client_outcome_wait_timeout";
    /// Text: module with further decomposers.
    DECOMPOSER_MODULE = "nvflare_decomposers";
    /// Float, seconds, both: how long components wait for the cell to be there.
    CELL_WAIT_TIMEOUT = "cell_wait_timeout";
    /// Float, seconds, server, in its start-up file: how long a client may take from challenge to registration.
    MAX_REG_DURATION = "max_reg_duration";
    /// Float, seconds, job process of a site: timeout of one report of its status to the site.
    NOTIFY_CP_MSG_TIMEOUT = "notify_cp_msg_timeout";
    /// Float, seconds, job process of a site: how long it tries to report.
    NOTIFY_CP_RETRY_TIMEOUT = "notify_cp_retry_timeout";
    /// Float, seconds, with a prefix per data type: timeout of one pull of a download.
    STREAMING_PER_REQUEST_TIMEOUT = "streaming_per_request_timeout";
    /// Integer, bytes, with a prefix per data type: piece of a download.
    DOWNLOAD_CHUNK_SIZE = "download_chunk_size";
    /// Float, seconds, with a prefix per data type: least lifetime of a download.
    MIN_DOWNLOAD_TIMEOUT = "min_download_timeout";
    /// Integer, bytes: smaller files are put into the message.
    MIN_FILE_SIZE_FOR_STREAMING = "min_file_size_for_streaming";
}
