//! Streams: payloads of any size, cut into chunks that travel as ordinary cell messages.
//!
//! ```text
//!  sender                                                        receiver
//!    │ DATA  id 7, seq 0, offset 0, CHUNK, channel, topic ─────────► │ looks up the consumer
//!    │ DATA  id 7, seq 1, offset 1 MiB, CHUNK ─────────────────────► │
//!    │ DATA  id 7, seq 2, offset 2 MiB, FINAL ─────────────────────► │
//!    │ ◄─────────────────────── ACK  id 7, seq 2, offset = all bytes │
//!    │                or                                             │
//!    │ ◄─────── ERROR id 7, error message (and the same on the topic │
//!    │                ACK, for senders older than 2.9)               │
//! ```
//!
//! A request of the cell layer is such a stream, with a request id; its reply is another stream in the other direction,
//! on the channel `return_only`, that carries the same request id.

use crate::table::wire_table;

wire_table! {
    /// The channel on which all stream messages travel; the application's own channel stands in a header.
    names Channel(str) in "stream.channel";

    /// Chunks, acknowledgements and errors of all streams.
    STREAM = "sm__STREAM", from "nvflare.fuel.f3.streaming.stream_const:STREAM_CHANNEL";
}

wire_table! {
    /// Topics on [`Channel::STREAM`]. All are requests without reply.
    names Topic(str) in "stream.topic";

    /// Sender to receiver: one chunk, or the sender's failure.
    DATA = "sm__DATA", from "nvflare.fuel.f3.streaming.stream_const:STREAM_DATA_TOPIC";
    /// Receiver to sender: how far the stream has come. Also carries the receiver's failure for senders before 2.9.
    ACK = "sm__ACK", from "nvflare.fuel.f3.streaming.stream_const:STREAM_ACK_TOPIC";
    /// Receiver, or a cell on the way that cannot pass the stream on, to sender: the stream has failed.
    ERROR = "sm__ERROR", from "nvflare.fuel.f3.streaming.stream_const:STREAM_ERROR_TOPIC";
    /// Declared by the reference for certificates and never sent.
    CERT = "sm__CERT", from "nvflare.fuel.f3.streaming.stream_const:STREAM_CERT_TOPIC";
}

wire_table! {
    /// How the words of the stream layer are put together.
    names Syntax(str) in "stream.syntax";

    /// Beginning of the channel, of every topic and of every header key of this layer.
    PREFIX = "sm__", from "nvflare.fuel.f3.streaming.stream_const:STREAM_PREFIX";
    /// Between channel and topic of the request, in the topic of a reply stream.
    REPLY_TOPIC_SEPARATOR = ":", from "literal:nvflare.fuel.f3.cellnet.cell";
}

wire_table! {
    /// Header keys of stream messages, beside the headers of the cell layer.
    ///
    /// Sent in every DATA message: stream id, data type, size, sequence, offset, reliable, optional, channel, topic,
    /// chunk and window size. Sent with sequence 0 only: ack interval and, if reliable, retry wait and timeout.
    names HeaderKey(str) in "stream.header", from "nvflare.fuel.f3.streaming.stream_const:StreamHeaderKey";

    /// Integer: the stream, unique in its sending process; together with the origin it is unique in the network.
    STREAM_ID = "sm__id";
    /// Integer: the [`DataType`].
    DATA_TYPE = "sm__dt";
    /// Integer, bytes: size of the whole stream; 0 if the sender does not know it.
    SIZE = "sm__sz";
    /// Integer: number of the chunk, from 0. In an ACK: the highest number up to which nothing is missing.
    SEQUENCE = "sm__sq";
    /// Integer, bytes: where the chunk begins. In an ACK: how much the reader has taken, or the total at the end.
    OFFSET = "sm__os";
    /// Text: what went wrong.
    ERROR_MSG = "sm__em";
    /// Text: an [`ErrorType`].
    ERROR_TYPE = "sm__et";
    /// Text, FQCN: the destination that a cell on the way could not reach.
    FAILED_DESTINATION = "sm__fd";
    /// Text: the application's channel.
    CHANNEL = "sm__ch";
    /// Text: name of the file that is streamed.
    FILE_NAME = "sm__fn";
    /// Text: the application's topic; in a reply the request's `channel:topic`.
    TOPIC = "sm__tp";
    /// Text: id of the stream of objects that this stream is one of.
    OBJECT_STREAM_ID = "sm__os",
        alias "the reference gives object stream id and offset one key; object streams are not sent in 2.9.0";
    /// Integer: index of the object in its stream of objects.
    OBJECT_INDEX = "sm__oi";
    /// Text, UUID: the request that this stream is, or is the reply to; absent if no reply is wanted.
    STREAM_REQ_ID = "sm__ri";
    /// Text: payload encoding of the whole stream, a value of the cell layer.
    PAYLOAD_ENCODING = "sm__pe";
    /// Bool: the sender keeps chunks and sends them again until they are acknowledged.
    RELIABLE = "sm__rs";
    /// Float, seconds: how long a reliable sender waits before it sends again.
    RETRY_WAIT = "sm__rw";
    /// Float, seconds: how long a reliable sender goes on sending again.
    RETRY_TIMEOUT = "sm__rt";
    /// Integer, bytes: the sender's chunk size.
    CHUNK_SIZE = "sm__cs";
    /// Integer, bytes: how much the sender sends ahead of the acknowledgements.
    WINDOW_SIZE = "sm__ws";
    /// Integer, bytes: how often the sender wants an ACK.
    ACK_INTERVAL = "sm__ai";
    /// Integer, bytes: how much a reliable sender keeps for sending again.
    RETRY_MAX_PENDING_BYTES = "sm__mp";
    /// Bool: failure is expected at times; cells on the way report it back instead of dropping the chunk.
    OPTIONAL = "sm__op";
    /// Bool, in the only chunk of a stream that is not reliable: the sender has no use for an acknowledgement.
    NO_ACK = "sm__na", extension;
    /// Bool, in the only chunk of a reliable stream: the sender takes acknowledgements of several streams in one message.
    COLLECTED_ACKS = "sm__ca", extension;
    /// Bytes, in an ACK: more streams of one chunk that are acknowledged completely, each as eight bytes, big-endian.
    /// Only to senders that have said that they take it.
    ACKED_STREAMS = "sm__as", extension;
}

wire_table! {
    /// What a stream message is; the value of [`HeaderKey::DATA_TYPE`].
    names DataType(u8) in "stream.data_type", from "nvflare.fuel.f3.streaming.stream_const:StreamDataType";

    /// A chunk that is not the last; as long as the chunk size.
    CHUNK = 1;
    /// The last chunk; the only one of an empty stream, and then empty itself.
    FINAL = 2;
    /// Acknowledgement, receiver to sender.
    ACK = 3;
    /// Question how to resume; declared by the reference and never sent.
    RESUME = 4;
    /// Answer to RESUME; declared by the reference and never sent.
    RESUME_ACK = 5;
    /// The stream has failed; either direction.
    ERROR = 6;
}

wire_table! {
    /// Kind of a stream's failure: the value of [`HeaderKey::ERROR_TYPE`], the name of the reference's exception class.
    names ErrorType(str) in "stream.error_type";

    /// Any failure without a name of its own.
    STREAM_ERROR = "StreamError", from "nvflare.fuel.f3.streaming.stream_types:StreamError.__name__";
    /// A cell on the way has no connection towards the destination.
    TARGET_UNREACHABLE = "StreamTargetUnreachable",
        from "nvflare.fuel.f3.streaming.stream_types:StreamTargetUnreachable.__name__";
    /// The announced size is above the receiver's limit. A server job of the reference that is told so exits.
    BLOB_SIZE = "BlobSizeError", from "nvflare.fuel.f3.streaming.stream_types:BlobSizeError.__name__";
    /// The stream was cancelled.
    CANCELLED = "StreamCancelled", from "nvflare.fuel.f3.streaming.stream_types:StreamCancelled.__name__";
    /// The server does not know the credential of the stream: its sender has to register again. Not in the reference,
    /// whose servers say nothing, and whose senders take it for a [`STREAM_ERROR`](Self::STREAM_ERROR).
    UNAUTHENTICATED = "Unauthenticated", extension;
}

wire_table! {
    /// Defaults of the stream layer; each can be set in the communication settings under the name given.
    quantities Defaults in "stream.default";

    /// Bytes in a chunk; `streaming_chunk_size`.
    CHUNK_SIZE: usize = 1_048_576, from "nvflare.fuel.f3.streaming.stream_const:STREAM_CHUNK_SIZE";
    /// Bytes that may be on their way without an ACK; `streaming_window_size`.
    WINDOW_SIZE: usize = 67_108_864, from "nvflare.fuel.f3.streaming.stream_const:STREAM_WINDOW_SIZE";
    /// Bytes between two ACKs, as announced by a sender; `streaming_ack_interval`.
    ACK_INTERVAL: usize = 16_777_216, from "nvflare.fuel.f3.streaming.stream_const:STREAM_ACK_INTERVAL";
    /// Bytes between two ACKs if the sender announced nothing; `streaming_ack_interval` at the receiver.
    ACK_INTERVAL_FALLBACK: usize = 4_194_304, from "nvflare.fuel.f3.streaming.byte_receiver:ACK_INTERVAL";
    /// Bytes that a reliable sender keeps, or twice the window if that is more; `streaming_retry_max_pending_bytes`.
    RETRY_MAX_PENDING_BYTES: usize = 134_217_728,
        from "nvflare.fuel.f3.streaming.stream_const:STREAM_RETRY_MAX_PENDING_BYTES";
    /// Largest stream, in bytes, that a receiver collects in memory; `streaming_max_blob_size`.
    MAX_BLOB_SIZE: u64 = 4_294_967_296, from "nvflare.fuel.f3.comm_config:DEFAULT_STREAMING_MAX_BLOB_SIZE";
    /// Seconds that a sender waits for room in the window before it gives up; `streaming_ack_wait`.
    ACK_WAIT: u64 = 300, from "nvflare.fuel.f3.streaming.byte_streamer:STREAM_ACK_WAIT";
    /// Seconds without any progress of the ACKs before a sender gives up; `streaming_ack_progress_timeout`.
    ACK_PROGRESS_TIMEOUT: f64 = 60.0, from "literal:nvflare.fuel.f3.streaming.byte_streamer";
    /// Seconds between two looks at that progress; `streaming_ack_progress_check_interval`.
    ACK_PROGRESS_CHECK_INTERVAL: f64 = 5.0, from "literal:nvflare.fuel.f3.streaming.byte_streamer";
    /// Seconds that a reader waits for the next chunk; `streaming_read_timeout`.
    READ_TIMEOUT: u64 = 300, from "nvflare.fuel.f3.streaming.byte_receiver:READ_TIMEOUT";
    /// Whether a stream is reliable if its sender does not say; `streaming_reliable`. Replies always are.
    RELIABLE: bool = false, from "literal:nvflare.fuel.f3.streaming.byte_streamer";
    /// Seconds before a reliable sender sends a chunk again; `streaming_retry_wait`.
    RETRY_WAIT: f64 = 5.0, from "nvflare.fuel.f3.streaming.byte_streamer:STREAM_RETRY_WAIT";
    /// Seconds from the first repetition until a reliable sender gives up; `streaming_retry_timeout`.
    RETRY_TIMEOUT: f64 = 60.0, from "nvflare.fuel.f3.streaming.byte_streamer:STREAM_RETRY_TIMEOUT";
}

wire_table! {
    /// Bounds of the stream layer that no setting changes.
    quantities Limit in "stream.limit";

    /// Chunks ahead of a missing one that a receiver keeps at least, whatever window the sender announced.
    MIN_OUT_SEQ_CHUNKS: usize = 16, from "nvflare.fuel.f3.streaming.byte_receiver:MIN_OUT_SEQ_CHUNKS";
    /// Chunks ahead of a missing one that a receiver keeps at most on the sender's word; more are a stream error. The
    /// setting `streaming_max_out_seq_chunks` overrides both bounds.
    MAX_PEER_DERIVED_OUT_SEQ_CHUNKS: usize = 1024,
        from "nvflare.fuel.f3.streaming.byte_receiver:MAX_PEER_DERIVED_OUT_SEQ_CHUNKS";
    /// Seconds that a receiver remembers a finished reliable stream, so as to acknowledge repetitions, before the wait
    /// is added.
    COMPLETED_TASK_TTL: f64 = 60.0, from "nvflare.fuel.f3.streaming.byte_receiver:COMPLETED_TASK_TTL";
    /// Longest such time, in seconds, on the sender's word.
    MAX_COMPLETED_TASK_TTL: f64 = 3600.0, from "nvflare.fuel.f3.streaming.byte_receiver:MAX_COMPLETED_TASK_TTL";
    /// Seconds that a receiver swallows chunks of a stream that failed and is not reliable.
    FAILED_NON_RELIABLE_TASK_TTL: f64 = 5.0,
        from "nvflare.fuel.f3.streaming.byte_receiver:FAILED_NON_RELIABLE_TASK_TTL";
    /// Smallest retry wait, retry timeout and progress check, in seconds; smaller settings are raised to it.
    MIN_RETRY_WAIT: f64 = 0.01, from "literal:nvflare.fuel.f3.streaming.byte_streamer";
    /// Ended streams whose context a sender remembers, for errors that arrive late.
    MAX_STREAM_ERROR_CONTEXTS: usize = 10_000, from "nvflare.fuel.f3.streaming.byte_streamer:MAX_STREAM_ERROR_CONTEXTS";
    /// Seconds that a sender remembers them.
    STREAM_ERROR_CONTEXT_TTL: u64 = 300, from "nvflare.fuel.f3.streaming.byte_streamer:STREAM_ERROR_CONTEXT_TTL";
}
