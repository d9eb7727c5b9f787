//! What a setting is when nobody sets it.

use crate::table::wire_table;

wire_table! {
    /// Defaults of those [communication settings](super::Setting) that belong to no other layer, under the same names.
    ///
    /// The defaults of `sfm_*`, `heartbeat_interval` and `streaming_send_timeout` are in
    /// [`LinkDefaults`](crate::frame::LinkDefaults), of the other `streaming_*` in
    /// [`stream::Defaults`](crate::stream::Defaults), of `max_message_size` in
    /// [`FrameLimit`](crate::frame::FrameLimit::MAX_PAYLOAD_SIZE).
    quantities SettingDefaults in "config.default";

    /// Off: all traffic between families goes through the server.
    ALLOW_ADHOC_CONNS: bool = false, from "nvflare.fuel.f3.cellnet.connector_manager:_Defaults.ALLOW_ADHOC_CONNECTIONS";
    /// Server, sites, and the job processes of sites dial the server.
    BACKBONE_CONN_GEN: u32 = 2, from "literal:nvflare.fuel.f3.cellnet.connector_manager";
    /// Seconds.
    SUBNET_HEARTBEAT_INTERVAL: f64 = 5.0, from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Small frames leave at once.
    TCP_NO_DELAY: bool = true, from "default:nvflare.fuel.f3.comm_config:CommConfigurator.get_tcp_no_delay:default";
}

wire_table! {
    /// Defaults that are texts, of settings and of members of `comm_config.json`.
    names SettingDefaultTexts(str) in "config.default_text";

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
