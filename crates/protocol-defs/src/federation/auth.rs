//! Headers that prove, on every message, that its sender has registered.

use crate::table::wire_table;

wire_table! {
    /// Headers that a registered participant adds to every request that leaves it, frames of streams included.
    ///
    /// They go on replies as well when the server is an end or the next hop, or when the reply crosses from one
    /// client's cells to another's. The server and the relays check them; the server takes them off messages between
    /// clients before it passes them on.
    names AuthHeaderKey(str) in "federation.auth_header", from "nvflare.apis.fl_constant:CellMessageAuthHeaderKey";

    /// Text: the name under which the sender registered.
    CLIENT_NAME = "client_name";
    /// Text: service session id that the server gave at registration.
    SSID = "ssid";
    /// Text (UUID): the token that the server gave at registration. In the server's reply to a registration the same
    /// key stands in the body.
    TOKEN = "__token__";
    /// Text, base64: the server's RSA-PSS signature over client name and token together.
    TOKEN_SIGNATURE = "__token_signature__";
}

wire_table! {
    /// Client names and tokens of senders that never register, because the server vouches for them itself.
    names AuthName(str) in "federation.auth_name";

    /// Client name, and token, of the server's own messages.
    SERVER = "server", from "literal:nvflare.private.fed.server.fed_server";
    /// Client name of a server job; its token is the job id.
    SERVER_JOB = "server_job", from "nvflare.private.defs:AUTH_CLIENT_NAME_FOR_SJ";
}

wire_table! {
    /// Stand-ins for values that a participant does not have.
    names AuthPlaceholder(str) in "federation.auth_placeholder";

    /// Service session id of a server that keeps no sessions, and token signature of one without a key. Echoed like
    /// any other.
    NOT_AVAILABLE = "NA", from "nvflare.private.fed.server.server_state:DEFAULT_SERVICE_SESSION_ID";
}
