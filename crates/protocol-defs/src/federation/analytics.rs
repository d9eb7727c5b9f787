//! Experiment tracking: metrics and log records that a site sends while a job runs.

use crate::table::wire_table;

wire_table! {
    /// Names of the events that carry records of experiment tracking and log records.
    names AnalyticsEvent(str) in "federation.analytics_event";

    /// A record raised by a component of the same process.
    LOG_STATS = "analytix_log_stats", from "nvflare.apis.analytix:ANALYTIC_EVENT_TYPE";
    /// The same record on its way to the server, as an event of the federation.
    FED_LOG_STATS = "fed.analytix_log_stats",
        from "nvflare.app_common.executors.client_api_executor:FED_ANALYTIC_EVENT_TYPE";
}

wire_table! {
    /// What stands before the name of a local event when it becomes one of the federation.
    names EventPrefix(str) in "federation.event_prefix";

    /// The usual prefix.
    FED = "fed.", from "nvflare.app_common.widgets.convert_to_fed_event:FED_EVENT_PREFIX";
}

wire_table! {
    /// Keys of a record of experiment tracking: in the data of its DXO, and where said in the meta map.
    names AnalyticsKey(str) in "federation.analytics_key", from "nvflare.apis.analytix:TrackConst";

    /// Meta, enum value written by name, one of [`AnalyticsWriter`]: who wrote it.
    TRACKER_KEY = "tracker_key";
    /// Text: name of the metric.
    TRACK_KEY = "track_key";
    /// The value; its type follows from the data type.
    TRACK_VALUE = "track_value";
    /// Text: name of a tag.
    TAG_KEY = "tag_key";
    /// Map: tags.
    TAGS_KEY = "tags_key";
    /// Map: tags of the experiment.
    EXP_TAGS_KEY = "tags_key", alias "the reference has two names for the same key";
    /// Whole number from 0: the step.
    GLOBAL_STEP_KEY = "global_step";
    /// Text: where a file or model belongs.
    PATH_KEY = "path";
    /// Meta, enum value written by name, one of [`AnalyticsDataType`](crate::client_api::AnalyticsDataType).
    DATA_TYPE_KEY = "analytics_data_type";
    /// Map: further arguments of the writer.
    KWARGS_KEY = "analytics_kwargs";
    /// Text: project of the tracking system.
    PROJECT_NAME = "project_name";
    /// Tags of the project.
    PROJECT_TAGS = "project_name", alias "the reference gives the tags the key of the name";
    /// Text: experiment of the tracking system.
    EXPERIMENT_NAME = "experiment_name";
    /// Text: run of the tracking system.
    RUN_NAME = "run_name";
    /// Map: tags of the experiment, in the set-up of a tracking system.
    EXPERIMENT_TAGS = "experiment_tags";
    /// Map: configuration that is tracked with the run.
    INIT_CONFIG = "init_config";
    /// Map: tags of the run.
    RUN_TAGS = "run_tags";
    /// Text: the site.
    SITE_KEY = "site";
    /// Text: the job.
    JOB_ID_KEY = "job_id";
}

wire_table! {
    /// After which tracking system the record was written.
    ///
    /// As an enum value the name of the constant travels, not the value.
    names AnalyticsWriter(str) in "federation.analytics_writer", from "nvflare.apis.analytix:LogWriterName";

    /// TensorBoard.
    TORCH_TB = "TORCH_TENSORBOARD";
    /// MLflow.
    MLFLOW = "MLFLOW";
    /// Weights and Biases.
    WANDB = "WEIGHTS_AND_BIASES";
}

wire_table! {
    /// Tags of log messages that components raise as events.
    names LogTag(str) in "federation.log_tag", from "nvflare.apis.fl_constant:LogMessageTag";

    /// Debug message.
    DEBUG = "log/debug";
    /// Error.
    ERROR = "log/error";
    /// Exception.
    EXCEPTION = "log/exception";
    /// Information.
    INFO = "log/info";
    /// Warning.
    WARNING = "log/warning";
    /// Critical error.
    CRITICAL = "log/critical";
    /// A whole record of the logging system.
    LOG_RECORD = "log_record";
}
