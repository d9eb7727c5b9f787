//! Keys of the headers that a message between cells carries.

use crate::table::wire_table;

wire_table! {
    /// What the cell layer puts before the header keys that are its own.
    ///
    /// Applications put keys of theirs, without the prefix, into the same map. A forwarder keeps keys that it does not
    /// know.
    names HeaderPrefix(str) in "cell.header_prefix";

    /// Prefix of every key in the group `cell.header`, and of nothing else.
    CELL = "cn__", from "nvflare.fuel.f3.cellnet.defs:CELLNET_PREFIX";
}

wire_table! {
    /// Keys in the header map of a message between cells.
    ///
    /// The origin writes them; a forwarder changes only [`FROM_CELL`](Self::FROM_CELL), [`TO_CELL`](Self::TO_CELL),
    /// [`ROUTE`](Self::ROUTE) and [`SEND_TIME`](Self::SEND_TIME). Headers are never encrypted.
    names HeaderKey(str) in "cell.header", from "nvflare.fuel.f3.cellnet.defs:MessageHeaderKey";

    /// Text, one of [`MessageType`](crate::cell::MessageType). Mandatory: a message without it is dropped.
    MSG_TYPE = "cn__msg_type";
    /// Correlates a reply with its request. Text (a UUID) in requests and usual replies; a list of texts in a reply
    /// that answers several requests at once and in every RETURN message. Receivers accept both.
    REQ_ID = "cn__req_id";
    /// Bool, requests only: whether the origin waits for a reply.
    REPLY_EXPECTED = "cn__reply_expected";
    /// Text: what the message is about within its channel; the second half of the dispatch key.
    TOPIC = "cn__topic";
    /// Text: FQCN of the cell that made the message. Mandatory, never changed on the way.
    ORIGIN = "cn__origin";
    /// Text: FQCN of the cell that is to have the message. Mandatory, never changed on the way.
    DESTINATION = "cn__destination";
    /// Text: FQCN of the neighbour that sent the message over this hop. Rewritten on every hop.
    FROM_CELL = "cn__from";
    /// Text: FQCN of the neighbour that gets the message over this hop. Rewritten on every hop.
    TO_CELL = "cn__to";
    /// Text: URL of a listener that the sender offers for a direct connection; only with ad-hoc connections switched
    /// on, which they are not by default. May be ignored.
    CONN_URL = "cn__conn_url";
    /// Text: first half of the dispatch key.
    CHANNEL = "cn__channel";
    /// Text, replies only: one of [`ReturnCode`](crate::cell::ReturnCode). Absent means ok.
    RETURN_CODE = "cn__return_code";
    /// Text, replies only: explains a return code other than ok.
    ERROR = "cn__error";
    /// Text, one of [`PayloadEncoding`](crate::cell::PayloadEncoding): how the payload is decoded.
    PAYLOAD_ENCODING = "cn__payload_encoding";
    /// List of `[FQCN, seconds since the epoch]`, one per cell that the message has passed, the origin first. The loop
    /// guard reads it.
    ROUTE = "cn__route";
    /// Map, RETURN messages only: all headers of the message that could not be delivered.
    ORIGINAL_HEADERS = "cn__original_headers";
    /// Float, seconds since the epoch: when the last hop sent the message. The last header to be written.
    SEND_TIME = "cn__send_time";
    /// Text, RETURN messages only: one of [`ReturnReason`](crate::cell::ReturnReason).
    RETURN_REASON = "cn__return_reason";
    /// Bool: the payload has to be sealed end to end. Copied from a request to its reply.
    SECURE = "cn__secure";
    /// Whole number, bytes: length of the encoded payload before it was sealed.
    PAYLOAD_LEN = "cn__payload_len";
    /// Whole number, bytes, only with a sealed payload: its length after opening. The receiver insists on it.
    CLEAR_PAYLOAD_LEN = "cn__clear_payload_len";
    /// True while the payload is sealed; keeps a forwarder from sealing it again. Removed by the cell that opens it.
    ENCRYPTED = "cn__encrypted";
    /// Bool: a failure to deliver is not worth a warning. It also makes a forwarder report a stream that it cannot pass
    /// on instead of dropping it in silence. Copied from a request to its reply.
    OPTIONAL = "cn__optional";
    /// True on messages between cells of different clients: they must cross the server, even where a shorter way
    /// exists.
    SERVER_TRANSIT_REQUIRED = "cn__server_transit_required";
    /// Text (UUID): the task or result to which the downloads behind this payload belong; they live and die together.
    MSG_ROOT_ID = "cn__msg_root_id";
    /// Number, seconds: how long the downloads of the message root must stay available.
    MSG_ROOT_TTL = "cn__msg_root_ttl";
    /// Bool: the receiver keeps references to large values unresolved, because it hands them on.
    PASS_THROUGH = "cn__pass_through";
}
