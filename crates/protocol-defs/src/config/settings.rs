//! Names of settings, and of the file and environment that give them.

use crate::table::wire_table;

wire_table! {
    /// Communication settings: members of `comm_config.json`, each also an environment variable.
    ///
    /// Defaults are in [`SettingDefaults`](super::SettingDefaults) and [`SettingDefaultTexts`](super::SettingDefaultTexts)
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

    /// Section: the listener for a cell's own children; with [`SCHEME`](Self::SCHEME) and
    /// [`RESOURCES`](Self::RESOURCES).
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
    CONNECTION_SECURITY = "connection_security",
        from "nvflare.fuel.f3.drivers.driver_params:DriverParams.CONNECTION_SECURITY";
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
