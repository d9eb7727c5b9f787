//! Models, metrics and other results: how the application data of tasks and results reads.

use crate::table::wire_table;

wire_table! {
    /// Keys of a data exchange object (DXO) inside a shareable.
    names DxoKey(str) in "federation.dxo_key";

    /// In the shareable, map: the object, with the three keys below.
    DXO = "DXO", from "nvflare.apis.dxo:_KEY_DXO";
    /// Text, or an enum value written by name: one of [`DataKind`]. Both forms occur.
    KIND = "kind", from "nvflare.apis.dxo:_KEY_KIND";
    /// Map in most kinds: the data.
    DATA = "data", from "nvflare.apis.dxo:_KEY_DATA";
    /// Map, see [`MetaKey`]; applications add keys.
    META = "meta", from "nvflare.apis.dxo:_KEY_META";
}

wire_table! {
    /// What the data of a DXO is.
    ///
    /// Written as an enum value the name of the constant travels, written as text the value; here they are the same.
    names DataKind(str) in "federation.data_kind", from "nvflare.apis.dxo:DataKind";

    /// A whole model.
    FL_MODEL = "FL_MODEL";
    /// Weights by name.
    WEIGHTS = "WEIGHTS";
    /// Changes of weights by name.
    WEIGHT_DIFF = "WEIGHT_DIFF";
    /// Metrics by name.
    METRICS = "METRICS";
    /// One record of experiment tracking, see `federation.analytics_key`.
    ANALYTIC = "ANALYTIC";
    /// A map or list of DXOs.
    COLLECTION = "COLLECTION";
    /// Statistics of data.
    STATISTICS = "STATISTICS";
    /// A step of private set intersection.
    PSI = "PSI";
    /// The application knows.
    APP_DEFINED = "APP_DEFINED";
}

wire_table! {
    /// Keys in the meta map of a DXO or a model.
    names MetaKey(str) in "federation.meta", from "nvflare.apis.fl_constant:FLMetaKey";

    /// Result, whole number: training steps of the round; the weight of the result in an average.
    NUM_STEPS_CURRENT_ROUND = "NUM_STEPS_CURRENT_ROUND";
    /// Text: by which algorithm a filter has changed the data.
    PROCESSED_ALGORITHM = "PROCESSED_ALGORITHM";
    /// List of texts: which weights it has changed.
    PROCESSED_KEYS = "PROCESSED_KEYS";
    /// Map: metrics of the model before it was trained.
    INITIAL_METRICS = "initial_metrics";
    /// List of texts: filters that the data has passed.
    FILTER_HISTORY = "filter_history";
    /// Map: configuration for the executor.
    CONFIGS = "configs";
    /// Text, one of [`ValidateType`](crate::federation::ValidateType).
    VALIDATE_TYPE = "validate_type";
    /// Whole number: the first round of the job.
    START_ROUND = "start_round";
    /// Whole number: the round.
    CURRENT_ROUND = "current_round";
    /// Whole number: how many rounds there will be.
    TOTAL_ROUNDS = "total_rounds";
    /// Text: the job.
    JOB_ID = "job_id";
    /// Text: the site.
    SITE_NAME = "site_name";
    /// Text: which model is handed in.
    SUBMIT_MODEL_NAME = "submit_model_name";
    /// Text: token of the site, told to its trainer.
    AUTH_TOKEN = "auth_token";
    /// Text: signature of the token, told to the trainer.
    AUTH_TOKEN_SIGNATURE = "auth_token_signature";
    /// Name of a file in which a job process leaves its exit code.
    PROCESS_RC_FILE = "_process_rc.txt";
}

wire_table! {
    /// Parts of a model as a client API trainer sees it; their names wherever a model is written as a map.
    names ModelKey(str) in "federation.model_key", from "nvflare.app_common.abstract.fl_model:FLModelConst";

    /// One of [`ParamsType`].
    PARAMS_TYPE = "params_type";
    /// Map of texts to arrays in most cases: the weights, or their changes.
    PARAMS = "params";
    /// Map: state of the optimizer.
    OPTIMIZER_PARAMS = "optimizer_params";
    /// Map of texts to numbers.
    METRICS = "metrics";
    /// Whole number from 0.
    CURRENT_ROUND = "current_round";
    /// Whole number.
    START_ROUND = "start_round";
    /// Whole number.
    TOTAL_ROUNDS = "total_rounds";
    /// Map, see [`MetaKey`].
    META = "meta";
}

wire_table! {
    /// Whether the parameters of a model are the model or what changed.
    ///
    /// Written as an enum value the name of the constant travels, written as text the value; here they are the same.
    names ParamsType(str) in "federation.params_type", from "nvflare.app_common.abstract.fl_model:ParamsType";

    /// All parameters.
    FULL = "FULL";
    /// The difference from the parameters received.
    DIFF = "DIFF";
}

wire_table! {
    /// Keys of a model that a server has learned.
    names LearnableKey(str) in "federation.learnable", from "nvflare.app_common.abstract.model:ModelLearnableKey";

    /// Map: the weights.
    WEIGHTS = "weights";
    /// Map, see [`MetaKey`].
    META = "meta";
}
