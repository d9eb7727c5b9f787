//! What a setting is when nobody sets it.

use crate::table::wire_table;

wire_table! {
    /// Defaults of the [communication settings](super::Setting), under the same names.
    ///
    /// Numbers in seconds or bytes. The stream and link layers have the same values in their own tables, with their
    /// meaning.
    quantities SettingDefault in "config.default";

    /// Bytes.
    MAX_MESSAGE_SIZE: usize = 2_144_337_904, from "nvflare.fuel.f3.comm_config:DEFAULT_MAX_MSG_SIZE";
    /// Off: all traffic between families goes through the server.
    ALLOW_ADHOC_CONNS: bool = false, from "nvflare.fuel.f3.cellnet.connector_manager:_Defaults.ALLOW_ADHOC_CONNECTIONS";
    /// Server, sites, and the job processes of sites dial the server.
    BACKBONE_CONN_GEN: u32 = 2, from "literal:nvflare.fuel.f3.cellnet.connector_manager";
    /// Seconds.
    SUBNET_HEARTBEAT_INTERVAL: f64 = 5.0, from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Seconds.
    HEARTBEAT_INTERVAL: u64 = 60, from "nvflare.fuel.f3.sfm.heartbeat_monitor:DEFAULT_HEARTBEAT_INTERVAL";
    /// Bytes.
    STREAMING_CHUNK_SIZE: usize = 1_048_576, from "nvflare.fuel.f3.streaming.stream_const:STREAM_CHUNK_SIZE";
    /// Bytes.
    STREAMING_MAX_BLOB_SIZE: u64 = 4_294_967_296, from "nvflare.fuel.f3.comm_config:DEFAULT_STREAMING_MAX_BLOB_SIZE";
    /// Seconds.
    STREAMING_ACK_WAIT: u64 = 300, from "nvflare.fuel.f3.streaming.byte_streamer:STREAM_ACK_WAIT";
    /// Bytes.
    STREAMING_WINDOW_SIZE: usize = 67_108_864, from "nvflare.fuel.f3.streaming.stream_const:STREAM_WINDOW_SIZE";
    /// Bytes, at a sender; a receiver without word from the sender takes a quarter of it.
    STREAMING_ACK_INTERVAL: usize = 16_777_216, from "nvflare.fuel.f3.streaming.stream_const:STREAM_ACK_INTERVAL";
    /// Seconds.
    STREAMING_READ_TIMEOUT: u64 = 300, from "nvflare.fuel.f3.streaming.byte_receiver:READ_TIMEOUT";
    /// Seconds.
    STREAMING_SEND_TIMEOUT: f64 = 30.0, from "literal:nvflare.fuel.f3.drivers.socket_conn";
    /// Seconds.
    STREAMING_ACK_PROGRESS_TIMEOUT: f64 = 60.0, from "literal:nvflare.fuel.f3.streaming.byte_streamer";
    /// Seconds.
    STREAMING_ACK_PROGRESS_CHECK_INTERVAL: f64 = 5.0, from "literal:nvflare.fuel.f3.streaming.byte_streamer";
    /// Only replies are reliable.
    STREAMING_RELIABLE: bool = false, from "literal:nvflare.fuel.f3.streaming.byte_streamer";
    /// Seconds.
    STREAMING_RETRY_WAIT: f64 = 5.0, from "nvflare.fuel.f3.streaming.byte_streamer:STREAM_RETRY_WAIT";
    /// Seconds.
    STREAMING_RETRY_TIMEOUT: f64 = 60.0, from "nvflare.fuel.f3.streaming.byte_streamer:STREAM_RETRY_TIMEOUT";
    /// Bytes, or twice the window if that is more.
    STREAMING_RETRY_MAX_PENDING_BYTES: usize = 134_217_728,
        from "nvflare.fuel.f3.streaming.stream_const:STREAM_RETRY_MAX_PENDING_BYTES";
    /// Seconds.
    SFM_SEND_STALL_TIMEOUT: f64 = 45.0, from "literal:nvflare.fuel.f3.sfm.heartbeat_monitor";
    /// A stalled connection is only reported.
    SFM_CLOSE_STALLED_CONNECTION: bool = false,
        from "default:nvflare.fuel.f3.comm_config:CommConfigurator.get_sfm_close_stalled_connection:default";
    /// Looks in a row.
    SFM_SEND_STALL_CONSECUTIVE_CHECKS: u32 = 3,
        from "default:nvflare.fuel.f3.comm_config:CommConfigurator.get_sfm_send_stall_consecutive_checks:default";
    /// Small frames leave at once.
    TCP_NO_DELAY: bool = true, from "default:nvflare.fuel.f3.comm_config:CommConfigurator.get_tcp_no_delay:default";
}

wire_table! {
    /// Defaults that are texts, of settings and of members of `comm_config.json`.
    names SettingDefaultText(str) in "config.default_text";

    /// Scheme of the listener for a cell's own children.
    INTERNAL_CONN_SCHEME = "tcp",
        from "nvflare.fuel.f3.cellnet.connector_manager:_Defaults.SCHEME_FOR_INTERNAL_CONNECTIONS";
    /// Scheme of direct connections between families.
    ADHOC_CONN_SCHEME = "tcp", alias "both schemes are tcp",
        from "nvflare.fuel.f3.cellnet.connector_manager:_Defaults.SCHEME_FOR_ADHOC_CONNECTIONS";
    /// Host of the listener for a cell's own children.
    INTERNAL_HOST = "localhost", from "literal:nvflare.fuel.f3.cellnet.connector_manager";
    /// Connection security of that listener.
    INTERNAL_CONNECTION_SECURITY = "clear", from "nvflare.apis.fl_constant:ConnectionSecurity.CLEAR";
    /// Scheme of a server whose start-up file names none.
    SERVICE_SCHEME = "grpc", from "literal:nvflare.private.fed.server.fed_server";
    /// Connection security of a participant whose start-up file names none.
    CONNECTION_SECURITY = "mtls", from "nvflare.apis.fl_constant:ConnectionSecurity.MTLS";
}
