//! Kinds of messages between cells, their payload encodings and outcomes.

use crate::table::wire_table;

wire_table! {
    /// What a message between cells is: the value of `cn__msg_type`.
    names MessageType(str) in "cell.message_type", from "nvflare.fuel.f3.cellnet.defs:MessageType";

    /// A request, whether or not a reply is expected. Every frame of a stream is one too.
    REQ = "req";
    /// The answer to a request; goes back over the connection on which the request came.
    REPLY = "reply";
    /// A request that comes back to its origin because somebody on the way could not or would not deliver it.
    RETURN = "return";
}

wire_table! {
    /// How the payload of a message is encoded: the value of `cn__payload_encoding`, and of its like for a stream.
    names PayloadEncoding(str) in "cell.payload_encoding", from "nvflare.fuel.f3.cellnet.defs:Encoding";

    /// Bytes as they are.
    BYTES = "bytes";
    /// One FOBS document.
    FOBS = "fobs";
    /// There is no payload.
    NONE = "none";
}

wire_table! {
    /// How a request ended: the value of `cn__return_code` in a reply.
    ///
    /// Some codes are only ever given by a cell to its own caller; they are part of the vocabulary because bodies and
    /// error texts of other messages quote them.
    names ReturnCode(str) in "cell.return_code", from "nvflare.fuel.f3.cellnet.defs:ReturnCode";

    /// The request was handled.
    OK = "ok";
    /// Nobody answered in time. Local: given by the requester's own cell.
    TIMEOUT = "timeout";
    /// The destination is not a valid FQCN. Local.
    INVALID_TARGET = "invalid_target";
    /// No route to the destination, or the next hop would close a loop. Local.
    TARGET_UNREACHABLE = "target_unreachable";
    /// The connection or the stream failed; also the server's refusal to serve right now, with a text.
    COMM_ERROR = "comm_error";
    /// The encoded message exceeds the size limit of the sender. Local.
    MSG_TOO_BIG = "msg_too_big";
    /// A filter of the sender refused the message. Local.
    FILTER_ERROR = "filter_error";
    /// The responder understands the topic, but not this body; also an unknown download reference.
    INVALID_REQUEST = "invalid_request";
    /// The handler failed, or there is none for this channel and topic.
    PROCESS_EXCEPTION = "process_exception";
    /// The requester is not registered, or not for this job.
    AUTHENTICATION_ERROR = "authentication_error";
    /// The responder is alive and not ready; ask again.
    SERVICE_UNAVAILABLE = "service_unavailable";
    /// The session named by the request is not the current one.
    INVALID_SESSION = "invalid_session";
    /// The requester shall end its job.
    ABORT_RUN = "abort_run";
    /// Registration refused, or the client has been removed or disabled.
    UNAUTHENTICATED = "unauthenticated";
}

wire_table! {
    /// Why a message came back: the value of `cn__return_reason` in a RETURN message.
    names ReturnReason(str) in "cell.return_reason", from "nvflare.fuel.f3.cellnet.defs:ReturnReason";

    /// A cell on the way has no connection towards the destination.
    CANT_FORWARD = "cant_forward";
    /// An interceptor of a cell on the way took the message out.
    INTERCEPT = "intercept";
}

wire_table! {
    /// Error texts that a cell puts into `cn__error` and that peers or operators meet.
    names ErrorText(str) in "cell.error_text";

    /// With `comm_error` in a RETURN message whose reason is `cant_forward`.
    CANNOT_FORWARD = "cannot forward", from "literal:nvflare.fuel.f3.cellnet.core_cell";
    /// With `process_exception`: nothing is registered for the channel and topic.
    NO_CALLBACK = "no callback", from "literal:nvflare.fuel.f3.cellnet.core_cell";
    /// With `process_exception`: the handler answered with something that is not a message.
    BAD_CALLBACK_RESULT = "bad cb result", from "literal:nvflare.fuel.f3.cellnet.core_cell";
}
