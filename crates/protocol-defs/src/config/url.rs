//! URLs of connections, and the names and numbers that each kind of transport adds.
//!
//! ```text
//!  grpc://0:8002?admin_listener=true        a server's listener for administrators, on all interfaces
//!  stcp://server1:8003                      what a site dials
//!  https://relay-1:8102                     WebSocket over TLS, path /f3
//!  shared-file://0/mnt/nvf/lst_0a1b2c3d     a listener in a directory
//! ```

use crate::table::wire_table;

wire_table! {
    /// Schemes of connection URLs.
    ///
    /// A kit names only `tcp`, `grpc` and `http`; the secure spelling follows from the connection security. A
    /// listener's URL keeps the plain spelling even with TLS. Both spellings of a transport put the same frames on the
    /// wire.
    names Scheme(str) in "config.scheme";

    /// Frames back to back on a TCP connection.
    TCP = "tcp", from "literal:nvflare.fuel.f3.drivers.tcp_driver";
    /// The same within TLS, from the first byte.
    STCP = "stcp", from "literal:nvflare.fuel.f3.drivers.tcp_driver";
    /// Frames as messages of one gRPC stream.
    GRPC = "grpc", from "literal:nvflare.fuel.f3.drivers.grpc_driver";
    /// The same over TLS.
    GRPCS = "grpcs", from "literal:nvflare.fuel.f3.drivers.grpc_driver";
    /// Frames as binary WebSocket messages.
    HTTP = "http", from "literal:nvflare.fuel.f3.drivers.aio_http_driver";
    /// The same over TLS.
    HTTPS = "https", from "literal:nvflare.fuel.f3.drivers.aio_http_driver";
    /// Another driver of the reference with the bytes of `tcp`; cannot be provisioned.
    ATCP = "atcp", from "literal:nvflare.fuel.f3.drivers.aio_tcp_driver";
    /// Another driver of the reference with the bytes of `stcp`; cannot be provisioned.
    SATCP = "satcp", from "literal:nvflare.fuel.f3.drivers.aio_tcp_driver";
    /// Another driver of the reference with the bytes of `grpc`; cannot be provisioned.
    AGRPC = "agrpc", from "literal:nvflare.fuel.f3.drivers.aio_grpc_driver";
    /// Another driver of the reference with the bytes of `grpcs`; cannot be provisioned.
    AGRPCS = "agrpcs", from "literal:nvflare.fuel.f3.drivers.aio_grpc_driver";
    /// Counted among the secure schemes by the reference, though no driver takes it any more.
    NGRPCS = "ngrpcs", from "literal:nvflare.fuel.f3.drivers.net_utils";
    /// Frames in files of a directory that both sides see.
    SHARED_FILE = "shared-file", from "nvflare.fuel.f3.drivers.file_driver:SCHEME";
}

wire_table! {
    /// The schemes that mean TLS by themselves, whatever else is said.
    names SecureScheme(str) in "config.secure_scheme";

    /// WebSocket.
    HTTPS = "https", from "literal:nvflare.fuel.f3.drivers.net_utils";
    /// gRPC.
    GRPCS = "grpcs", from "literal:nvflare.fuel.f3.drivers.net_utils";
    /// gRPC, the other driver.
    AGRPCS = "agrpcs", from "literal:nvflare.fuel.f3.drivers.net_utils";
    /// gRPC, a driver that is gone.
    NGRPCS = "ngrpcs", from "literal:nvflare.fuel.f3.drivers.net_utils";
    /// TCP.
    STCP = "stcp", from "literal:nvflare.fuel.f3.drivers.net_utils";
    /// TCP, the other driver.
    SATCP = "satcp", from "literal:nvflare.fuel.f3.drivers.net_utils";
}

wire_table! {
    /// Fixed text in connection URLs.
    names UrlSyntax(str) in "config.url";

    /// Host: no host. Of a listener: all interfaces. Of a directory: must stand there.
    EMPTY_HOST = "0", from "literal:nvflare.fuel.f3.drivers.net_utils";
    /// Query key: with the value `true` the listener takes administrators, under any certificate of the project.
    ADMIN_LISTENER = "admin_listener", from "nvflare.fuel.f3.cellnet.identity:ADMIN_LISTENER_KEY";
    /// What that key says.
    ADMIN_LISTENER_ON = "true";
    /// Between the ends of a range of ports.
    PORT_RANGE_SEPARATOR = "-", from "literal:nvflare.fuel.f3.drivers.net_utils";
}

wire_table! {
    /// Parameters of a connector: parts of its URL, its query pairs, and what configuration adds.
    ///
    /// Of these, `connection_security`, `host`, `port`, `ports` and `listen_host` are written in configuration files;
    /// query pairs of a URL become parameters under their own name.
    names DriverParam(str) in "config.driver_param", from "nvflare.fuel.f3.drivers.driver_params:DriverParams";

    /// The URL itself.
    URL = "url";
    /// Its scheme.
    SCHEME = "scheme";
    /// Its host; empty if it is `0`.
    HOST = "host";
    /// Its port.
    PORT = "port";
    /// Its path.
    PATH = "path";
    /// What stands behind a semicolon in its path.
    PARAMS = "params";
    /// Its fragment.
    FRAG = "frag";
    /// Its query, undivided.
    QUERY = "query";
    /// Path of the root certificate.
    CA_CERT = "ca_cert";
    /// Path of the certificate to listen with.
    SERVER_CERT = "server_cert";
    /// Path of its key.
    SERVER_KEY = "server_key";
    /// Path of the certificate to dial with.
    CLIENT_CERT = "client_cert";
    /// Path of its key.
    CLIENT_KEY = "client_key";
    /// A [`ConnectionSecurity`](super::ConnectionSecurity).
    CONNECTION_SECURITY = "connection_security";
    /// Path of a root certificate for a proxy in front of the server; used with `tls` only.
    CUSTOM_CA_CERT = "custom_ca_cert";
    /// Bool: TLS although the scheme is plain.
    SECURE = "secure";
    /// Ports to choose from for a listener.
    PORTS = "ports";
    /// Host to bind, if it is not the host to be dialled.
    LISTEN_HOST = "listen_host";
    /// Property of a connection: its socket.
    SOCKET = "socket";
    /// Property of a connection: the local address.
    LOCAL_ADDR = "local_addr";
    /// Property of a connection: the peer's address.
    PEER_ADDR = "peer_addr";
    /// Property of a connection: common name in the peer's certificate, or `N/A`.
    PEER_CN = "peer_cn";
    /// Property of a connection: what protection it really has, in words.
    IMPLEMENTED_CONN_SEC = "implemented_conn_sec";
}

wire_table! {
    /// Names of the WebSocket transport.
    names WebSocketName(str) in "config.websocket";

    /// Path of the upgrade request, without its leading slash.
    PATH = "f3", from "nvflare.fuel.f3.drivers.aio_http_driver:WS_PATH";
    /// Scheme that the dialling side really uses for `http`.
    WS = "ws", from "literal:nvflare.fuel.f3.drivers.aio_http_driver";
    /// Scheme that the dialling side really uses for `https`.
    WSS = "wss", from "literal:nvflare.fuel.f3.drivers.aio_http_driver";
}

wire_table! {
    /// Names of the gRPC transport: one method, a stream in both directions.
    names GrpcName(str) in "config.grpc";

    /// Path of the method in the HTTP/2 request.
    METHOD_PATH = "/streamer.Streamer/Stream", from "literal:nvflare.fuel.f3.drivers.grpc.streamer_pb2_grpc";
    /// Package, service and their joint name.
    SERVICE = "streamer.Streamer", from "literal:nvflare.fuel.f3.drivers.grpc.streamer_pb2_grpc";
    /// Name of the method.
    METHOD = "Stream", from "literal:nvflare.fuel.f3.drivers.grpc.streamer_pb2_grpc";
}

wire_table! {
    /// Field numbers of the gRPC message.
    names GrpcField(u32) in "config.grpc_field";

    /// 32-bit integer: a counter of the sending process, from 1; ignored.
    SEQ = 1, from "nvflare.fuel.f3.drivers.grpc.streamer_pb2:Frame.SEQ_FIELD_NUMBER";
    /// Bytes: one frame.
    DATA = 2, from "nvflare.fuel.f3.drivers.grpc.streamer_pb2:Frame.DATA_FIELD_NUMBER";
}

wire_table! {
    /// Numbers of the transports.
    quantities DriverNumber in "config.driver";

    /// Lowest port that a listener without a fixed one chooses.
    LO_PORT: u16 = 1025, from "nvflare.fuel.f3.drivers.net_utils:LO_PORT";
    /// Highest such port.
    HI_PORT: u16 = 65_535, from "nvflare.fuel.f3.drivers.net_utils:HI_PORT";
    /// Peers that a gRPC server of the reference takes at once: each stream holds a worker.
    GRPC_MAX_WORKERS: usize = 100, from "literal:nvflare.fuel.f3.drivers.grpc_driver";
    /// Largest WebSocket message, in bytes, that a listening reference peer takes.
    WS_LISTEN_MAX_MESSAGE: u64 = 2_147_483_648, from "nvflare.fuel.f3.drivers.aio_http_driver:MAX_FRAME_SIZE";
    /// Largest WebSocket message, in bytes, that a dialling reference peer takes, a default of its library. It closes
    /// the connection on anything as large or larger.
    WS_DIAL_MAX_MESSAGE: u64 = 4_194_304, from "default:aiohttp:ClientSession.ws_connect:max_msg_size";
}

wire_table! {
    /// Parameters of the shared-file transport, in the listener's resources and in the query of its URL.
    names SharedFileParam(str) in "config.shared_file_param";

    /// Text, path: where listeners make their directories.
    ROOT_DIR = "root_dir", from "nvflare.fuel.f3.drivers.file_driver:ROOT_DIR";
    /// Float, seconds: shortest wait between two looks.
    POLL_INTERVAL = "poll_interval", from "nvflare.fuel.f3.drivers.file_driver:POLL_INTERVAL";
    /// Float, seconds: longest wait between two looks.
    MAX_POLL_INTERVAL = "max_poll_interval", from "nvflare.fuel.f3.drivers.file_driver:MAX_POLL_INTERVAL";
    /// Integer, bytes: when a log is full. Both sides must agree, so only the listener says it.
    MAX_LOG_SIZE = "max_log_size", from "nvflare.fuel.f3.drivers.file_driver:MAX_LOG_SIZE";
    /// Float, seconds: how often a side says that it lives.
    LEASE_INTERVAL = "lease_interval", from "nvflare.fuel.f3.drivers.file_driver:LEASE_INTERVAL";
    /// Float, seconds: when a silent side counts as gone.
    LEASE_TIMEOUT = "lease_timeout", from "nvflare.fuel.f3.drivers.file_driver:LEASE_TIMEOUT";
    /// Bool: whether each frame is forced to disk.
    FSYNC = "fsync", from "nvflare.fuel.f3.drivers.file_driver:FSYNC";
    /// Text, octal: permissions of directories.
    DIR_MODE = "dir_mode", from "nvflare.fuel.f3.drivers.file_driver:DIR_MODE";
    /// Text, octal: permissions of files.
    FILE_MODE = "file_mode", from "nvflare.fuel.f3.drivers.file_driver:FILE_MODE";
}

wire_table! {
    /// Names in the directory of the shared-file transport:
    /// `<root>/lst_<8 hex>/conns/<12 hex>/{active,passive}.<n>.{log,sealed}`.
    ///
    /// The dialling side makes the directory of a connection under a name with a dot before it and renames it when it
    /// is complete. Each side appends frames to its own log and reads the other's.
    names SharedFileName(str) in "config.shared_file_name";

    /// Begins the name of a listener's directory.
    LISTENER_PREFIX = "lst_", from "nvflare.fuel.f3.drivers.file_driver:LISTENER_PREFIX";
    /// File in it: it is such a directory.
    OWNER_MARKER = ".nvf_file_transport", from "nvflare.fuel.f3.drivers.file_driver:OWNER_MARKER";
    /// File in it: touched while the listener lives.
    LISTENER_LEASE = "lease", from "nvflare.fuel.f3.drivers.file_driver:LISTENER_LEASE_FILE";
    /// Directory in it: the connections.
    CONNS_DIR = "conns", from "nvflare.fuel.f3.drivers.file_driver:CONNS_DIR";
    /// Begins the name of what is not complete yet.
    TMP_PREFIX = ".", from "nvflare.fuel.f3.drivers.file_driver:TMP_PREFIX";
    /// Begins the files of the dialling side.
    ACTIVE_LOG = "active", from "nvflare.fuel.f3.drivers.file_driver:ACTIVE_LOG";
    /// Begins the files of the listening side.
    PASSIVE_LOG = "passive", from "nvflare.fuel.f3.drivers.file_driver:PASSIVE_LOG";
    /// Ends the name of a log, behind its number from 0.
    LOG_SUFFIX = ".log", from "literal:nvflare.fuel.f3.drivers.file_driver";
    /// Ends the name of the file that gives the final size of a full log, in decimal.
    SEALED_SUFFIX = ".sealed", from "literal:nvflare.fuel.f3.drivers.file_driver";
    /// Ends the name of the file that a side of a connection touches while it lives.
    LEASE_SUFFIX = ".lease", from "literal:nvflare.fuel.f3.drivers.file_driver";
    /// File: the connection is closed.
    CLOSED_FILE = "closed", from "nvflare.fuel.f3.drivers.file_driver:CLOSED_FILE";
}

wire_table! {
    /// Numbers of the shared-file transport; seconds where nothing else is said.
    quantities SharedFileNumber in "config.shared_file";

    /// Default of `poll_interval`.
    POLL_INTERVAL: f64 = 0.01, from "literal:nvflare.fuel.f3.drivers.file_driver";
    /// Least value of `poll_interval`.
    MIN_POLL_INTERVAL: f64 = 0.001, from "nvflare.fuel.f3.drivers.file_driver:MIN_POLL_INTERVAL";
    /// Default of `max_poll_interval`.
    MAX_POLL_INTERVAL: f64 = 2.0, from "literal:nvflare.fuel.f3.drivers.file_driver";
    /// Default of `max_log_size`, in bytes.
    MAX_LOG_SIZE: u64 = 1_073_741_824, from "literal:nvflare.fuel.f3.drivers.file_driver";
    /// Default of `lease_interval`.
    LEASE_INTERVAL: f64 = 15.0, from "literal:nvflare.fuel.f3.drivers.file_driver";
    /// Default of `lease_timeout`.
    LEASE_TIMEOUT: f64 = 60.0, from "literal:nvflare.fuel.f3.drivers.file_driver";
    /// Default of `dir_mode`.
    DIR_MODE: u32 = 0o770, from "literal:nvflare.fuel.f3.drivers.file_driver";
    /// Default of `file_mode`.
    FILE_MODE: u32 = 0o660, from "literal:nvflare.fuel.f3.drivers.file_driver";
    /// Age from which a dead listener's directory is removed by others.
    LISTENER_STALE_TIME: f64 = 3600.0, from "nvflare.fuel.f3.drivers.file_driver:LISTENER_STALE_TIME";
    /// Age from which an unfinished connection directory is removed.
    TMP_DIR_STALE_TIME: f64 = 3600.0, from "nvflare.fuel.f3.drivers.file_driver:TMP_DIR_STALE_TIME";
    /// Looks in a row that must find nothing new before a closed connection is left.
    DRAIN_GRACE_POLLS: u32 = 20, from "nvflare.fuel.f3.drivers.file_driver:DRAIN_GRACE_POLLS";
    /// Between two of those looks.
    DRAIN_POLL_INTERVAL: f64 = 0.05, from "nvflare.fuel.f3.drivers.file_driver:DRAIN_POLL_INTERVAL";
    /// Hex digits in the name of a listener's directory.
    LISTENER_NAME_LEN: usize = 8, from "literal:nvflare.fuel.f3.drivers.file_driver";
    /// Hex digits in the name of a connection's directory.
    CONN_NAME_LEN: usize = 12, from "literal:nvflare.fuel.f3.drivers.file_driver";
}
