//! Names of the types that an envelope may hold.

use crate::table::wire_table;

wire_table! {
    /// Type names in envelopes: module and class of the reference, builtins without a module.
    ///
    /// The reference decodes a type if it is registered or stands in its list of allowed types; these are both. Types
    /// outside this table exist (applications register their own) and are refused by a peer that has not registered
    /// them.
    names TypeName(str) in "fobs.type";

    /// Tuple; reduced to a list.
    TUPLE = "tuple", from "type:";
    /// Set; reduced to a list in no particular order.
    SET = "set", from "type:";
    /// Ordered dict; reduced to a list of tuples of key and value.
    ORDERED_DICT = "collections.OrderedDict", from "type:";
    /// Date and time; reduced to its ISO 8601 text, with an offset if it has a time zone.
    DATETIME = "datetime.datetime", from "type:";
    /// Bag of attributes from a command line parser; a data class.
    NAMESPACE = "argparse.Namespace", from "type:";

    /// Array; reduced to a map with the keys of [`ArrayKey`](super::ArrayKey).
    NDARRAY = "numpy.ndarray", from "type:";
    /// Scalar of 64-bit float; reduced to a number.
    FLOAT64 = "numpy.float64", from "type:";
    /// Scalar of 32-bit float; reduced to a number, which msgpack carries as a 64-bit float.
    FLOAT32 = "numpy.float32", from "type:";
    /// Scalar of 64-bit integer; reduced to a number.
    INT64 = "numpy.int64", from "type:";
    /// Scalar of 32-bit integer; reduced to a number.
    INT32 = "numpy.int32", from "type:";
    /// PyTorch tensor; reduced like an array, its native form a safetensors file.
    TENSOR = "torch.Tensor";

    /// Reference to a value that was set aside into a datum section; a data class.
    DATUM_REF = "nvflare.fuel.utils.fobs.datum.DatumRef", from "type:";
    /// Datum; a data class.
    DATUM = "nvflare.fuel.utils.fobs.datum.Datum", from "type:";
    /// Kind of a datum; an enum.
    DATUM_TYPE = "nvflare.fuel.utils.fobs.datum.DatumType", from "type:";
    /// Array that is still to be downloaded, passed on by a cell that did not; a map with the keys of
    /// [`ArrayKey`](super::ArrayKey).
    LAZY_DOWNLOAD_REF = "nvflare.fuel.utils.fobs.decomposers.via_downloader.LazyDownloadRef", from "type:";

    /// Shareable, the body of tasks, results and requests; reduced to a plain map, headers under a key of it.
    SHAREABLE = "nvflare.apis.shareable.Shareable", from "type:";
    /// Data exchange object by itself; reduced to a tuple, see [`DxoLayout`](super::DxoLayout).
    DXO = "nvflare.apis.dxo.DXO", from "type:";
    /// Kind of a data exchange object; an enum.
    DATA_KIND = "nvflare.apis.dxo.DataKind", from "type:";
    /// Context; reduced to a list, see [`ContextLayout`](super::ContextLayout).
    FL_CONTEXT = "nvflare.apis.fl_context.FLContext", from "type:";
    /// Folders of a site; reduced to a list, see [`WorkspaceLayout`](super::WorkspaceLayout).
    WORKSPACE = "nvflare.apis.workspace.Workspace", from "type:";
    /// Abort flag; a data class.
    SIGNAL = "nvflare.apis.signal.Signal", from "type:";
    /// Server's record of a client; a data class.
    CLIENT = "nvflare.apis.client.Client", from "type:";
    /// State of a run's components; a data class.
    RUN_SNAPSHOT = "nvflare.apis.fl_snapshot.RunSnapshot", from "type:";
    /// Key of a job's meta data; an enum, which also stands as the key of a map in messages that start a job.
    JOB_META_KEY = "nvflare.apis.job_def.JobMetaKey", from "type:";
    /// Type of a logged value; an enum.
    ANALYTICS_DATA_TYPE = "nvflare.apis.analytix.AnalyticsDataType", from "type:";
    /// Name of a log writer; an enum.
    LOG_WRITER_NAME = "nvflare.apis.analytix.LogWriterName", from "type:";

    /// Message between a server and a site's admin processors; a data class.
    MESSAGE = "nvflare.private.admin_defs.Message", from "type:";
    /// What a server job is running; a data class.
    RUN_INFO = "nvflare.private.fed.server.run_info.RunInfo", from "type:";
    /// State of a server in service; a data class.
    HOT_STATE = "nvflare.private.fed.server.server_state.HotState", from "type:";

    /// Model as frameworks see it; reduced to a tuple, see [`FlModelLayout`](super::FlModelLayout).
    FL_MODEL = "nvflare.app_common.abstract.fl_model.FLModel", from "type:";
    /// Whether parameters are whole or a difference; an enum.
    PARAMS_TYPE = "nvflare.app_common.abstract.fl_model.ParamsType", from "type:";
    /// What is learned, any map; reduced to a plain map.
    LEARNABLE = "nvflare.app_common.abstract.learnable.Learnable", from "type:";
    /// What is learned, with weights and meta; reduced to a plain map.
    MODEL_LEARNABLE = "nvflare.app_common.abstract.model.ModelLearnable", from "type:";
    /// What a context property is required to be, in recorded events; a data class.
    CTX_PROP_REQ = "nvflare.app_common.widgets.event_recorder._CtxPropReq", from "type:";
    /// What an event requires of the contexts; a data class.
    EVENT_REQ = "nvflare.app_common.widgets.event_recorder._EventReq", from "type:";
    /// Counters of an event; a data class.
    EVENT_STATS = "nvflare.app_common.widgets.event_recorder._EventStats", from "type:";

    /// Bin of a histogram; reduced to a list of low value, high value, count.
    BIN = "nvflare.app_common.abstract.statistics_spec.Bin", from "type:";
    /// Range of a histogram; reduced to a list of lowest and highest value.
    BIN_RANGE = "nvflare.app_common.abstract.statistics_spec.BinRange", from "type:";
    /// Type of a feature; an enum that is reduced to its number, not its name.
    DATA_TYPE = "nvflare.app_common.abstract.statistics_spec.DataType", from "type:";
    /// Feature of a data set; reduced to a list of name and type.
    FEATURE = "nvflare.app_common.abstract.statistics_spec.Feature", from "type:";
    /// Histogram; reduced to a list of type, bins, name.
    HISTOGRAM = "nvflare.app_common.abstract.statistics_spec.Histogram", from "type:";
    /// Type of a histogram; an enum that is reduced to its number, not its name.
    HISTOGRAM_TYPE = "nvflare.app_common.abstract.statistics_spec.HistogramType", from "type:";
    /// Wanted statistic; reduced to a list of name and configuration.
    STATISTIC_CONFIG = "nvflare.app_common.abstract.statistics_spec.StatisticConfig", from "type:";

    /// Edge device; a data class that is a dict as well, like the edge types below.
    EDGE_DEVICE_INFO = "nvflare.edge.web.models.device_info.DeviceInfo", from "type:";
    /// User of an edge device.
    EDGE_USER_INFO = "nvflare.edge.web.models.user_info.UserInfo", from "type:";
    /// What an edge device can do.
    EDGE_CAPABILITIES = "nvflare.edge.web.models.capabilities.Capabilities", from "type:";
    /// Edge device asks for a job.
    EDGE_JOB_REQUEST = "nvflare.edge.web.models.job_request.JobRequest", from "type:";
    /// Answer to it.
    EDGE_JOB_RESPONSE = "nvflare.edge.web.models.job_response.JobResponse", from "type:";
    /// Edge device asks for a task.
    EDGE_TASK_REQUEST = "nvflare.edge.web.models.task_request.TaskRequest", from "type:";
    /// Answer to it.
    EDGE_TASK_RESPONSE = "nvflare.edge.web.models.task_response.TaskResponse", from "type:";
    /// Edge device asks whether it is selected.
    EDGE_SELECTION_REQUEST = "nvflare.edge.web.models.selection_request.SelectionRequest", from "type:";
    /// Answer to it.
    EDGE_SELECTION_RESPONSE = "nvflare.edge.web.models.selection_response.SelectionResponse", from "type:";
    /// Edge device reports a result.
    EDGE_RESULT_REPORT = "nvflare.edge.web.models.result_report.ResultReport", from "type:";
    /// Answer to it.
    EDGE_RESULT_RESPONSE = "nvflare.edge.web.models.result_response.ResultResponse", from "type:";
    /// Refusal of an edge device's request.
    EDGE_ERROR_RESPONSE = "nvflare.edge.web.models.error_response.ErrorResponse", from "type:";

    /// Homomorphically encrypted vector of TenSEAL; reduced to its bytes.
    CKKS_VECTOR = "tenseal.CKKSVector", from "literal:nvflare.fuel.utils.fobs.builtin_decomposers";
    /// How XGBoost splits its data; an enum.
    DATA_SPLIT_MODE = "xgboost.core.DataSplitMode", from "literal:nvflare.fuel.utils.fobs.builtin_decomposers";
}
