//! Shareables: the maps in which tasks, results and application messages travel.

use crate::table::wire_table;

wire_table! {
    /// Keys of a shareable's headers, and the key under which the map of headers itself stands.
    ///
    /// A shareable is a map; all its keys but [`HEADERS`](Self::HEADERS) belong to the application.
    names ShareableHeader(str) in "federation.shareable_header", from "nvflare.apis.shareable:ReservedHeaderKey";

    /// In the shareable itself, map: its headers. All other entries of this group stand within that map.
    HEADERS = "__headers__";
    /// Channel `aux_communication`, text: the topic once more, as the application knows it.
    TOPIC = "__topic__";
    /// Reply or result, text, one of [`ShareableCode`]. Absent means OK.
    RC = "__rc__";
    /// Task, map: what the server wants back unchanged with the result, `__task_id__` and `__workflow__` at least.
    COOKIE_JAR = "__cookie_jar__";
    /// Channel `aux_communication`, map of texts to values: public context of the sender.
    PEER_PROPS = "__peer_props__";
    /// Bool, set by the server for its own use: the result came when its task was over.
    REPLY_IS_LATE = "__reply_is_late__";
    /// Task and result, text: name of the task.
    TASK_NAME = "__task_name__";
    /// Task, result and `__task_check__`, text (UUID): the task. In the cookie jar as well.
    TASK_ID = "__task_id__";
    /// In the cookie jar, text: the workflow that gave the task out.
    WORKFLOW = "__workflow__";
    /// Text: entry of the sender's audit log.
    AUDIT_EVENT_ID = "__audit_event_id__";
    /// Text, one of [`ContentType`]: how the application data reads.
    CONTENT_TYPE = "__content_type__";
    /// Task, map: how to hand it on to sites below, see `federation.task_operator`.
    TASK_OPERATOR = "__task_operator__";
    /// Reply, text: explains a code other than OK.
    ERROR = "__error__";
    /// Context of the sender, public properties only.
    PEER_CTX = "__peer_ctx__";
    /// Text (UUID): lifetime group of the downloads behind the data. Stands in the message header of the same meaning
    /// too.
    MSG_ROOT_ID = "__msg_root_id__";
    /// Seconds: how long those downloads stay.
    MSG_ROOT_TTL = "__msg_root_ttl__";
    /// Bool: the receiving client job keeps references to large values unresolved.
    PASS_THROUGH = "__pass_through__";
}

wire_table! {
    /// What kind of data a shareable holds: the header `__content_type__`.
    names ContentType(str) in "federation.content_type";

    /// The key of the same text holds a data exchange object, see `federation.dxo_key`.
    DXO = "DXO", from "literal:nvflare.apis.dxo";
}

wire_table! {
    /// How the handling of a task or of an application message ended: the header `__rc__`.
    names ShareableCode(str) in "federation.return_code", from "nvflare.apis.fl_constant:ReturnCode";

    /// Well.
    OK = "OK";
    /// The context of the other side does not read.
    BAD_PEER_CONTEXT = "BAD_PEER_CONTEXT";
    /// The request does not read.
    BAD_REQUEST_DATA = "BAD_REQUEST_DATA";
    /// The task does not read.
    BAD_TASK_DATA = "BAD_TASK_DATA";
    /// The message did not arrive. Local: given by the sender's own side.
    COMMUNICATION_ERROR = "COMMUNICATION_ERROR";
    /// No answer came in time.
    TIMEOUT = "TIMEOUT";
    /// Failed, no more is known.
    ERROR = "ERROR";
    /// The executor of the task failed; the server ends the job.
    EXECUTION_EXCEPTION = "EXECUTION_EXCEPTION";
    /// The executor gave something that is not a result.
    EXECUTION_RESULT_ERROR = "EXECUTION_RESULT_ERROR";
    /// The handler of an application message failed.
    HANDLER_EXCEPTION = "HANDLER_EXCEPTION";
    /// The context of the other side is missing.
    MISSING_PEER_CONTEXT = "MISSING_PEER_CONTEXT";
    /// The message belongs to another job.
    RUN_MISMATCH = "RUN_MISMATCH";
    /// The task was ended from outside.
    TASK_ABORTED = "TASK_ABORTED";
    /// A filter of the site failed on the task.
    TASK_DATA_FILTER_ERROR = "TASK_DATA_FILTER_ERROR";
    /// A filter of the site failed on the result.
    TASK_RESULT_FILTER_ERROR = "TASK_RESULT_FILTER_ERROR";
    /// No executor has this task, or the server no longer knows it.
    TASK_UNKNOWN = "TASK_UNKNOWN";
    /// The executor does not do this task.
    TASK_UNSUPPORTED = "TASK_UNSUPPORTED";
    /// Nobody listens to the topic.
    TOPIC_UNKNOWN = "TOPIC_UNKNOWN";
    /// The model is not one that the site can use.
    MODEL_UNRECOGNIZED = "MODEL_UNRECOGNIZED";
    /// The kind of validation is not known.
    VALIDATE_TYPE_UNKNOWN = "VALIDATE_TYPE_UNKNOWN";
    /// There is no result.
    EMPTY_RESULT = "EMPTY_RESULT";
    /// The site regards the job as unsafe; the server ends it.
    UNSAFE_JOB = "UNSAFE_JOB";
    /// The site left off early.
    EARLY_TERMINATION = "EARLY_TERMINATION";
    /// The server job is not ready; ask again.
    SERVER_NOT_READY = "SERVER_NOT_READY";
    /// The receiver does not take requests now.
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE";
}

wire_table! {
    /// Headers of shareables in which the standard workflows keep count of rounds and models.
    names WorkflowHeader(str) in "federation.workflow_header", from "nvflare.app_common.app_constant:AppConstants";

    /// Task and result, whole number from 0: the round.
    CURRENT_ROUND = "current_round";
    /// Task, whole number: how many rounds there will be.
    NUM_ROUNDS = "num_rounds";
    /// In the cookie jar, whole number: the round for which the result counts.
    CONTRIBUTION_ROUND = "contribution_round";
    /// Task `submit_model`, text: which model, one of [`ModelName`].
    SUBMIT_MODEL_NAME = "submit_model_name";
    /// Task `validate`, text, one of [`ValidateType`].
    VALIDATE_TYPE = "_validate_type";
    /// Task `validate`, text: whose model it is.
    MODEL_OWNER = "_model_owner_";
}

wire_table! {
    /// Which local model a site is asked for.
    names ModelName(str) in "federation.model_name", from "nvflare.app_common.app_constant:ModelName";

    /// The best so far.
    BEST_MODEL = "best_model";
    /// The last.
    FINAL_MODEL = "final_model";
}

wire_table! {
    /// What a site is to validate a model for.
    names ValidateType(str) in "federation.validate_type", from "nvflare.app_common.app_constant:ValidateType";

    /// The model of the round, before it is trained.
    BEFORE_TRAIN_VALIDATE = "before_train_validate";
    /// A finished model.
    MODEL_VALIDATE = "model_validate";
}
