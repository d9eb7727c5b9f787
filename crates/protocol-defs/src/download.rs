//! Downloads: large objects that are pulled by whoever needs them, instead of being pushed inside a message.
//!
//! A message names an object by the cell that owns it and a reference id; the object stays there until every expected
//! receiver has confirmed it, or nobody has asked for anything for the length of the transaction's timeout.
//!
//! ```text
//!  receiver                                                      source
//!    │ {ref_id, confirm_capable} ────────────────────────────────► │
//!    │ ◄────────── {status: ok, state, data, cancel_capable: true} │  again and again, with the state
//!    │ {ref_id, confirm_capable, state} ─────────────────────────► │  of the reply before
//!    │ ◄───────── {status: eof, confirm_expected: true, confirm_nonce}
//!    │ {ref_id, confirm: success, confirm_nonce} ────────────────► │  no reply
//! ```

use crate::table::wire_table;

wire_table! {
    /// The channel of the download service.
    names Channel(str) in "download.channel";

    /// Pulls, confirmations, cancels and source failures.
    DOWNLOAD_SERVICE = "download_service__", from "nvflare.fuel.f3.streaming.download_service:OBJ_DOWNLOADER_CHANNEL";
}

wire_table! {
    /// Topics on [`Channel::DOWNLOAD_SERVICE`].
    names Topic(str) in "download.topic";

    /// Receiver to source. A request for the next piece; also, without reply, a confirmation or a cancel.
    DOWNLOAD = "download_service__download", from "nvflare.fuel.f3.streaming.download_service:OBJ_DOWNLOADER_TOPIC";
    /// Parent of a source to the receivers: the source is gone, do not wait for it. A request with an empty reply;
    /// carries the keys of [`SourceFailureKey`] and is refused unless it comes from the parent cell of the source.
    SOURCE_FAILURE = "download_service__source_failure",
        from "nvflare.fuel.f3.streaming.download_service:SOURCE_FAILURE_TOPIC";
}

wire_table! {
    /// Keys of the bodies on [`Topic::DOWNLOAD`], in both directions.
    names BodyKey(str) in "download.key", from "nvflare.fuel.f3.streaming.download_service:_PropKey";

    /// Text, receiver to source, always: the object that is asked for.
    REF_ID = "ref_id";
    /// Map: which piece. The source makes it up, the receiver sends it back unchanged to get the piece that follows;
    /// absent in the first request. Its keys are those of [`ArrayStateKey`] or [`FileStateKey`].
    STATE = "state";
    /// Source to receiver: the piece. For arrays a list of byte strings, for files a byte string.
    DATA = "data";
    /// Text, source to receiver, always: a [`ProduceStatus`].
    STATUS = "status";
    /// Text, receiver to source: a [`ConfirmStatus`], what became of the whole object. Sent once, and only when asked
    /// for.
    CONFIRM = "confirm";
    /// Text, 32 hex digits: given with the last reply, repeated in the confirmation, which is ignored without it.
    CONFIRM_NONCE = "confirm_nonce";
    /// Bool, receiver to source, in every pull: the receiver will confirm if asked.
    CONFIRM_CAPABLE = "confirm_capable";
    /// Bool, source to receiver, in the last reply: a confirmation is awaited.
    CONFIRM_EXPECTED = "confirm_expected";
    /// Bool, receiver to source: the receiver gives the object up.
    CANCEL = "cancel";
    /// Bool, source to receiver: a cancel will be understood.
    CANCEL_CAPABLE = "cancel_capable";
}

wire_table! {
    /// Further keys of the same bodies, of ours. The reference looks for the keys that it knows and for no others.
    names BodyExtension(str) in "download.key_extension";

    /// As [`CONTENT_XXH3_128`](Self::CONTENT_XXH3_128), with SHA-256, 32 bytes.
    CONTENT_SHA256 = "content_sha256", extension, retired;
    /// As [`CONTENT_XXH3_128`](Self::CONTENT_XXH3_128), with BLAKE3, 32 bytes.
    CONTENT_BLAKE3 = "content_blake3", extension, retired;
    /// Receiver to source, bool: the receiver wants to know the hash of what it gets. Source to receiver, beside
    /// [`DATA`](BodyKey::DATA), to those that want it: a list with the XXH3-128, 16 bytes, the most significant first, of
    /// each byte string of the piece, in order; one for a piece of a file. Guards against damage and not against malice.
    CONTENT_XXH3_128 = "content_xxh3_128", extension;
    /// Receiver to source, whole number, bytes: the receiver takes pieces as large as this, if the source is ready to make
    /// them so.
    PIECE_SIZE = "piece_size", extension;
    /// Receiver to source, whole number: how many states it would like to know beyond that of the next piece. Source to
    /// receiver, beside [`STATE`](BodyKey::STATE): a list of at most so many maps, the states with which the pieces behind
    /// the next one are asked for, in order, as long as each brings a piece. With them the receiver asks ahead.
    STATES_AHEAD = "states_ahead", extension;
}

wire_table! {
    /// What a reply to a pull is; the value of [`BodyKey::STATUS`].
    ///
    /// A reference id that is unknown or expired has no status: the reply has the return code `invalid_request`.
    names ProduceStatus(str) in "download.status", from "nvflare.fuel.f3.streaming.download_service:ProduceRC";

    /// A piece, and the state with which to ask for the next.
    OK = "ok";
    /// The source could not make the piece. Nothing follows.
    ERROR = "error";
    /// Nothing is left; the receiver has all.
    EOF = "eof";
}

wire_table! {
    /// What became of a download at its receiver; the value of [`BodyKey::CONFIRM`].
    names ConfirmStatus(str) in "download.confirm", from "nvflare.fuel.f3.streaming.transfer_outcome:DownloadStatus";

    /// The object arrived and was accepted.
    SUCCESS = "success";
    /// The object did not arrive whole, or could not be used.
    FAILED = "failed";
}

wire_table! {
    /// Keys of the body on [`Topic::SOURCE_FAILURE`].
    names SourceFailureKey(str) in "download.source_failure",
        from "nvflare.fuel.f3.streaming.download_service:_SourceFailureKey";

    /// Text, FQCN: the source that is gone; a child of the sender.
    SOURCE_FQCN = "source_fqcn";
    /// List of text, at least one: the objects that it owned.
    REF_IDS = "ref_ids";
    /// Text, not empty: why; cut after 1024 characters.
    REASON = "reason";
}

wire_table! {
    /// Keys of the state when the object is a set of arrays.
    names ArrayStateKey(str) in "download.array_state", from "nvflare.fuel.f3.streaming.cacheable:_StateKey";

    /// Integer: index of the first array of the piece.
    START = "start";
    /// Integer: how many arrays the piece has.
    COUNT = "count";
}

wire_table! {
    /// Key of the state when the object is a file.
    names FileStateKey(str) in "download.file_state", from "nvflare.fuel.f3.streaming.file_downloader:_StateKey";

    /// Integer: bytes that the receiver has.
    RECEIVED_BYTES = "received_bytes";
}

wire_table! {
    /// How the ids of the download service begin; a version 4 UUID follows.
    names IdPrefix(str) in "download.id_prefix";

    /// A reference id.
    REF = "R", from "literal:nvflare.fuel.f3.streaming.download_service";
    /// A transaction, which several references may share; known to its source only.
    TRANSACTION = "T", from "literal:nvflare.fuel.f3.streaming.download_service";
}

wire_table! {
    /// Settings of a job or process that change how it downloads, by name.
    ///
    /// Those said to be used with a prefix exist once per data type, behind a [`SettingPrefix`].
    names Setting(str) in "download.setting";

    /// Bool: whether this process asks for and sends confirmations; default true.
    RECEIVER_CONFIRM = "streaming_receiver_confirm_enabled",
        from "nvflare.fuel.f3.streaming.download_service:RECEIVER_CONFIRM_CONFIG_VAR";
    /// Float, seconds: how long a source waits for the first pull of an expected receiver; default unlimited.
    RECEIVER_ACQUIRE_TIMEOUT = "streaming_receiver_acquire_timeout",
        from "nvflare.fuel.f3.streaming.download_service:RECEIVER_ACQUIRE_TIMEOUT_CONFIG_VAR";
    /// Float, seconds: how long a source waits between two pulls of one receiver; default unlimited.
    RECEIVER_IDLE_TIMEOUT = "streaming_receiver_idle_timeout",
        from "nvflare.fuel.f3.streaming.download_service:RECEIVER_IDLE_TIMEOUT_CONFIG_VAR";
    /// Float, seconds: how long a transaction lives without any pull.
    STREAMING_IDLE_TIMEOUT = "streaming_idle_timeout",
        from "nvflare.fuel.f3.streaming.transfer_progress:STREAMING_IDLE_TIMEOUT";
    /// Float, seconds: how long a waiting peer tolerates that nothing is heard of a transfer.
    STREAMING_MAX_PEER_SILENCE = "streaming_max_peer_silence",
        from "nvflare.fuel.f3.streaming.transfer_progress:STREAMING_MAX_PEER_SILENCE";
    /// Float, seconds, used with a prefix: timeout of one pull.
    STREAMING_PER_REQUEST_TIMEOUT = "streaming_per_request_timeout",
        from "nvflare.apis.fl_constant:ConfigVarName.STREAMING_PER_REQUEST_TIMEOUT";
    /// Integer, bytes, used with a prefix: size of a piece; 0 turns downloads off, the objects then travel inline.
    DOWNLOAD_CHUNK_SIZE = "download_chunk_size", from "nvflare.apis.fl_constant:ConfigVarName.DOWNLOAD_CHUNK_SIZE";
    /// Float, seconds, used with a prefix: least lifetime of a transaction.
    MIN_DOWNLOAD_TIMEOUT = "min_download_timeout", from "nvflare.apis.fl_constant:ConfigVarName.MIN_DOWNLOAD_TIMEOUT";
    /// Integer, bytes: files below this size are put into the message.
    MIN_FILE_SIZE_FOR_STREAMING = "min_file_size_for_streaming",
        from "nvflare.apis.fl_constant:ConfigVarName.MIN_FILE_SIZE_FOR_STREAMING";
}

wire_table! {
    /// Stands before a setting that exists once per data type.
    names SettingPrefix(str) in "download.setting_prefix";

    /// Numpy arrays.
    NUMPY = "np_", from "literal:nvflare.app_common.decomposers.numpy_decomposers";
    /// Torch tensors.
    TENSOR = "tensor_", from "literal:nvflare.app_opt.pt.decomposers";
}

wire_table! {
    /// How a piece of arrays is written: an uncompressed ZIP archive for each array, with one member.
    names ArchiveSyntax(str) in "download.archive";

    /// Follows the item id in the name of the member, whose content is the array in numpy's own file format.
    MEMBER_SUFFIX = ".npy";
}

wire_table! {
    /// The numbers of such an archive: what stands before the member, behind it, and at the end. Little endian.
    ///
    /// A reader takes the lengths from the directory at the end, since a writer that cannot seek leaves those before
    /// the member open.
    quantities ArchiveLayout in "download.archive_layout";

    /// Signature of what stands before the member.
    LOCAL_SIGNATURE: u32 = 0x0403_4b50;
    /// Size of it without name and extra field.
    LOCAL_SIZE: usize = 30;
    /// Signature of the member's entry in the directory.
    ENTRY_SIGNATURE: u32 = 0x0201_4b50;
    /// Size of the entry without name, extra field and comment.
    ENTRY_SIZE: usize = 46;
    /// Signature of the end of the directory.
    END_SIGNATURE: u32 = 0x0605_4b50;
    /// Size of the end without comment.
    END_SIZE: usize = 22;
    /// Signature of the end in its long form, for offsets of four gigabytes and more.
    LONG_END_SIGNATURE: u32 = 0x0606_4b50;
    /// Size of the end in its long form.
    LONG_END_SIZE: usize = 56;
    /// Signature of what says where the long form is.
    LOCATOR_SIGNATURE: u32 = 0x0706_4b50;
    /// Size of what says where the long form is.
    LOCATOR_SIZE: usize = 20;
    /// Version needed to read: 4.5, which has the long form.
    VERSION: u16 = 45;
    /// Where the archive was made, in the upper byte of the version in the directory: Unix.
    MADE_ON: u16 = 3;
    /// Method of a member that is not compressed; no other is used.
    STORED: u16 = 0;
    /// Time of day of each member.
    TIME: u16 = 0;
    /// Date of each member: 1980-01-01.
    DATE: u16 = 33;
    /// File attributes of the member, in the directory: a file that its owner may read and write.
    ATTRIBUTES: u32 = 0x0180_0000;
    /// Id of the extra field that has the long lengths.
    LONG_FIELD: u16 = 1;
    /// Stands for a length or offset that is in the extra field.
    IN_LONG_FIELD: u32 = 0xffff_ffff;
    /// Bit of the flags: the member is encrypted. Such an archive is refused.
    FLAG_ENCRYPTED: u16 = 1;
    /// Bit of the flags: the lengths stand behind the member and in the directory only.
    FLAG_LENGTHS_BEHIND: u16 = 8;
    /// Bit of the flags: the name is UTF-8.
    FLAG_UTF8: u16 = 0x0800;
}

wire_table! {
    /// Defaults and bounds of the download service.
    quantities Defaults in "download.default";

    /// Bytes up to which arrays are put together in one piece; one larger array is a piece by itself.
    ARRAY_CHUNK_SIZE: usize = 2_097_152, from "default:nvflare.app_common.np.np_downloader:add_arrays:max_chunk_size";
    /// Bytes in a piece of a file.
    FILE_CHUNK_SIZE: usize = 5_242_880, from "nvflare.fuel.f3.streaming.file_downloader:DEFAULT_CHUNK_SIZE";
    /// Seconds that a pull waits for its reply.
    PER_REQUEST_TIMEOUT: f64 = 600.0, from "literal:nvflare.fuel.utils.fobs.decomposers.via_downloader";
    /// Times that a pull without reply is repeated, with the same state.
    MAX_RETRIES: u32 = 3, from "default:nvflare.fuel.f3.streaming.download_service:download_object:max_retries";
    /// Seconds before the first repetition; doubled for each further one.
    RETRY_BACKOFF: f64 = 2.0, from "literal:nvflare.fuel.f3.streaming.download_service";
    /// Longest such wait in seconds.
    MAX_RETRY_BACKOFF: f64 = 60.0, from "literal:nvflare.fuel.f3.streaming.download_service";
    /// Seconds without any pull after which a transaction ends; `streaming_idle_timeout`.
    STREAMING_IDLE_TIMEOUT: f64 = 600.0,
        from "nvflare.fuel.f3.streaming.transfer_progress:DEFAULT_STREAMING_IDLE_TIMEOUT";
    /// Seconds without a sign of a peer; `streaming_max_peer_silence`.
    STREAMING_MAX_PEER_SILENCE: f64 = 900.0,
        from "nvflare.fuel.f3.streaming.transfer_progress:DEFAULT_STREAMING_MAX_PEER_SILENCE";
    /// Seconds that a source remembers a finished reference, so as to answer a pull that comes late.
    FINISHED_REFS_TTL: f64 = 1800.0,
        from "nvflare.fuel.f3.streaming.download_service:DownloadService.FINISHED_REFS_TTL";
    /// Seconds that a source remembers how a transaction ended.
    TX_OUTCOME_TTL: f64 = 1800.0, from "nvflare.fuel.f3.streaming.download_service:DownloadService.TX_OUTCOME_TTL";
    /// Seconds between two looks of a source for transactions that have ended.
    MONITOR_INTERVAL: f64 = 5.0, from "literal:nvflare.fuel.f3.streaming.download_service";
    /// Seconds that a receiver remembers that a source is gone.
    SOURCE_FAILURE_TTL: f64 = 1800.0, from "nvflare.fuel.f3.streaming.download_service:_SOURCE_FAILURE_TTL";
    /// Most references in one source failure; a longer list is refused.
    MAX_SOURCE_FAILURE_REFS: usize = 256, from "nvflare.fuel.f3.streaming.download_service:_MAX_SOURCE_FAILURE_REFS";
    /// Most references that a receiver remembers as gone.
    MAX_SOURCE_FAILURE_TOMBSTONES: usize = 4096,
        from "nvflare.fuel.f3.streaming.download_service:_MAX_SOURCE_FAILURE_TOMBSTONES";
    /// Characters of a reason that are kept.
    MAX_SOURCE_FAILURE_REASON: usize = 1024, from "literal:nvflare.fuel.f3.streaming.download_service";
    /// Seconds that one source failure waits for its reply.
    SOURCE_FAILURE_NOTIFY_TIMEOUT: f64 = 3.0,
        from "nvflare.fuel.f3.streaming.download_service:_SOURCE_FAILURE_NOTIFY_TIMEOUT";
    /// Seconds that all attempts to tell of a source failure may take.
    SOURCE_FAILURE_NOTIFY_TOTAL_TIMEOUT: f64 = 10.0,
        from "nvflare.fuel.f3.streaming.download_service:_SOURCE_FAILURE_NOTIFY_TOTAL_TIMEOUT";
    /// Attempts to tell of a source failure.
    SOURCE_FAILURE_NOTIFY_ATTEMPTS: u32 = 4,
        from "nvflare.fuel.f3.streaming.download_service:_SOURCE_FAILURE_NOTIFY_ATTEMPTS";
}
