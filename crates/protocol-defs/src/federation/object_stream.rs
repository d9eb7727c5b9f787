//! Applications' own streams over channel `aux_communication`: objects, files, logs, and requests that must not get
//! lost.
//!
//! They are built from requests of that channel and have nothing to do with the byte streams of the cell layer.

use crate::table::wire_table;

wire_table! {
    /// Topics of object streams on channel `aux_communication`.
    names ObjectStreamTopic(str) in "federation.object_stream_topic";

    /// Producer to consumer, request: the next object. Its reply steers the producer.
    REQUEST = "ObjectStreamer.Request", from "nvflare.private.stream_runner:TOPIC_STREAM_REQUEST";
    /// Either side to the other, no reply: the stream ends here.
    ABORT = "ObjectStreamer.Abort", from "nvflare.private.stream_runner:TOPIC_STREAM_ABORT";
}

wire_table! {
    /// Headers of the shareables of an object stream.
    names ObjectStreamHeader(str) in "federation.object_stream_header", from "nvflare.private.stream_runner:HeaderKey";

    /// Text (UUID): the stream. In an abort the only one.
    TX_ID = "ObjectStreamer.TX_ID";
    /// Whole number from 0: which object.
    SEQ = "ObjectStreamer.SEQ";
    /// Text: topic under which the consumer registered.
    TOPIC = "ObjectStreamer.TOPIC";
    /// Text: channel under which the consumer registered.
    CHANNEL = "ObjectStreamer.CHANNEL";
    /// First object, map: context of the stream, for the consumer.
    CTX = "ObjectStreamer.CTX";
    /// Last reply, any value: what the consumer makes of the whole.
    END_RESULT = "ObjectStreamer.END_RESULT";
}

wire_table! {
    /// Keys in the context of an object stream.
    names ObjectStreamContextKey(str) in "federation.object_stream_context",
        from "nvflare.apis.streaming:StreamContextKey";

    /// Text: the application's channel.
    CHANNEL = "__channel__";
    /// Text: the application's topic.
    TOPIC = "__topic__";
    /// Text, one of [`ShareableCode`](crate::federation::ShareableCode): how the stream ended, for the consumer.
    RC = "__RC__";
    /// By which the consumer ends the stream; its own use, never sent.
    END_STREAM = "__end_stream__", unspoken;
}

wire_table! {
    /// Keys of the objects and contexts of file and log streams.
    names ChunkKey(str) in "federation.chunk", from "nvflare.app_common.streamers.streamer_base";

    /// What stands before the first four.
    CHUNK_PREFIX = "Streamer.";
    /// Context, text: name of the file, without folders.
    KEY_FILE_NAME = "Streamer.file_name";
    /// Object, bytes or nil: the chunk.
    KEY_DATA = "Streamer.data";
    /// Object, whole number, bytes: size of the chunk.
    KEY_DATA_SIZE = "Streamer.size";
    /// Object, bool: there is no more.
    KEY_EOF = "Streamer.eof";
    /// Context, text: where the consumer put the file; its own use.
    KEY_FILE_LOCATION = "FileStreamer.file_location";
    /// Context, whole number, bytes: size of the file.
    KEY_FILE_SIZE = "FileStreamer.file_size";
    /// Object of a log stream, bool: nothing new, still alive.
    KEY_HEARTBEAT = "LogStreamer.heartbeat";
    /// Context of a log stream: the consumer's own use, never sent.
    KEY_STREAM_DONE_CB = "LogStreamer.stream_done_cb", unspoken;
}

wire_table! {
    /// Channel of the object streams by which sites send their logs to the server.
    names LogStreamChannel(str) in "federation.log_stream_channel";

    /// The channel.
    LOG_STREAMING = "log_streaming", from "nvflare.app_common.logging.constants:Channels.LOG_STREAMING_CHANNEL";
}

wire_table! {
    /// Topics and types of log streams.
    names LogStreamTopic(str) in "federation.log_stream_topic";

    /// The log as it is written.
    LIVE_LOG = "live_log", from "nvflare.app_common.logging.constants:LIVE_LOG_TOPIC";
    /// Type of an error log that is sent when the job has ended.
    ERROR_LOG = "ERRORLOG", from "nvflare.app_common.logging.constants:Channels.ERROR_LOG_LOG_TYPE";
}

wire_table! {
    /// Keys in the context of a log stream.
    names LogStreamKey(str) in "federation.log_stream_key", from "nvflare.apis.fl_constant:StreamCtxKey";

    /// Text: the job.
    JOB_ID = "job_id";
    /// Text: the site.
    CLIENT_NAME = "client_name";
    /// Text: the type of the log.
    LOG_TYPE = "log_type";
}

wire_table! {
    /// Topics of requests that are repeated until they are answered, on channel `aux_communication`.
    names ReliableTopic(str) in "federation.reliable_topic", from "nvflare.apis.utils.reliable_message";

    /// Requester to responder: the request, or the question how it stands.
    REQUEST = "RM.RELIABLE_REQUEST", from "nvflare.apis.utils.reliable_message:TOPIC_RELIABLE_REQUEST";
    /// Responder to requester: the result.
    REPLY = "RM.RELIABLE_REPLY", from "nvflare.apis.utils.reliable_message:TOPIC_RELIABLE_REPLY";
}

wire_table! {
    /// Headers of such requests.
    names ReliableHeader(str) in "federation.reliable_header", from "nvflare.apis.utils.reliable_message";

    /// Text, one of [`ReliableOp`].
    HEADER_OP = "rm.op";
    /// Text: topic under which the responder registered.
    HEADER_TOPIC = "rm.topic";
    /// Text (UUID): the request.
    HEADER_TX_ID = "rm.tx_id";
    /// Seconds: how long the requester waits for each message.
    HEADER_PER_MSG_TIMEOUT = "rm.per_msg_timeout";
    /// Seconds: how long it waits for the result.
    HEADER_TX_TIMEOUT = "rm.tx_timeout";
    /// Reply, text, one of [`ReliableStatus`].
    HEADER_STATUS = "rm.status";
}

wire_table! {
    /// What a message of such a request is: the header `rm.op`.
    names ReliableOp(str) in "federation.reliable_op", from "nvflare.apis.utils.reliable_message";

    /// The request.
    OP_REQUEST = "req";
    /// How does it stand?
    OP_QUERY = "query";
    /// The result.
    OP_REPLY = "reply";
}

wire_table! {
    /// How such a request stands: the header `rm.status`.
    names ReliableStatus(str) in "federation.reliable_status", from "nvflare.apis.utils.reliable_message";

    /// Being worked on.
    STATUS_IN_PROCESS = "in_process";
    /// The result is on its way.
    STATUS_IN_REPLY = "in_reply";
    /// Not known here; send it again.
    STATUS_NOT_RECEIVED = "not_received";
    /// The result has been sent.
    STATUS_REPLIED = "replied";
    /// Given up.
    STATUS_ABORTED = "aborted";
    /// Received already.
    STATUS_DUP_REQUEST = "dup_request";
}
