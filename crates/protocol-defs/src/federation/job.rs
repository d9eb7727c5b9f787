//! Jobs: keys of their meta data and states of their runs.

use crate::table::wire_table;

wire_table! {
    /// Keys of a job's meta data: in the file `meta.json` of the job and in the header `job_meta`.
    ///
    /// As a key of a map the enum value can stand as well, written by the name of the constant; the server sends
    /// [`JOB_CLIENTS`](Self::JOB_CLIENTS) in that form. Readers accept both.
    names JobMetaKey(str) in "federation.job_meta", from "nvflare.apis.job_def:JobMetaKey";

    /// Text (UUID): the job.
    JOB_ID = "job_id";
    /// Text: its name.
    JOB_NAME = "name";
    /// Text: folder from which it was handed in.
    JOB_FOLDER_NAME = "job_folder_name";
    /// Text: who handed it in.
    SUBMITTER_NAME = "submitter_name";
    /// Text: organization of that one.
    SUBMITTER_ORG = "submitter_org";
    /// Text: role of that one.
    SUBMITTER_ROLE = "submitter_role";
    /// Text, one of [`RunStatus`].
    STATUS = "status";
    /// Whole number: format of the stored job.
    DATA_STORAGE_FORMAT = "data_storage_format";
    /// Map of application to list of sites.
    DEPLOY_MAP = "deploy_map";
    /// Map of site to map: resources that the job wants there.
    RESOURCE_SPEC = "resource_spec";
    /// Text: where the job is stored.
    CONTENT_LOCATION = "content_location";
    /// Text: where its results are.
    RESULT_LOCATION = "result_location";
    /// Approvals.
    APPROVALS = "approvals";
    /// Whole number: so many sites it needs.
    MIN_CLIENTS = "min_clients";
    /// List of texts: sites without which it does not run.
    MANDATORY_CLIENTS = "mandatory_clients";
    /// Float, seconds since the epoch.
    SUBMIT_TIME = "submit_time";
    /// Text: the same as a date and time.
    SUBMIT_TIME_ISO = "submit_time_iso";
    /// Text: when the run began.
    START_TIME = "start_time";
    /// Text: how long the run took.
    DURATION = "duration";
    /// List of texts: how the deployment went, site by site.
    JOB_DEPLOY_DETAIL = "job_deploy_detail";
    /// Whole number: how often it was tried to schedule it.
    SCHEDULE_COUNT = "schedule_count";
    /// Text: privacy scope.
    SCOPE = "scope";
    /// Text: the job of which it is a copy.
    CLONED_FROM = "cloned_from";
    /// Float, seconds since the epoch.
    LAST_SCHEDULE_TIME = "last_schedule_time";
    /// List of texts: what came of the tries.
    SCHEDULE_HISTORY = "schedule_history";
    /// Map: statistics pools to keep.
    STATS_POOL_CONFIG = "stats_pool_config";
    /// Map: the application's own.
    CUSTOM_PROPS = "custom_props";
    /// Text: method of an edge job.
    EDGE_METHOD = "edge_method";
    /// List of maps, see [`ClientDictKey`](crate::federation::ClientDictKey): sites that take part.
    JOB_CLIENTS = "job_clients";
    /// Text: the study.
    STUDY = "study";
    /// Map of site to map: how the job is launched there.
    JOB_LAUNCHER_SPEC = "launcher_spec";
}

wire_table! {
    /// Keys that the server itself adds to a job's meta data when it takes the job.
    names JobFindingKey(str) in "federation.job_finding", from "nvflare.apis.app_validation:AppValidationKey";

    /// Bool: the job brings code of its own, which a site's policy may forbid.
    BYOC = "byoc";
}

wire_table! {
    /// Site names with a meaning in a job's meta data.
    names JobSite(str) in "federation.job_site";

    /// Every site, in a deploy map.
    ALL = "@ALL", from "nvflare.apis.job_def:ALL_SITES";
    /// The server.
    SERVER = "server", from "nvflare.apis.job_def:SERVER_SITE_NAME";
}

wire_table! {
    /// State of the run inside a server job: `status` in the reply to `get_run_info`.
    names MachineStatus(str) in "federation.machine_status", from "nvflare.apis.fl_constant:MachineStatus";

    /// Comes up.
    STARTING = "starting";
    /// Runs.
    STARTED = "started";
    /// Ends.
    STOPPING = "stopping";
    /// Has ended, or has not begun.
    STOPPED = "stopped";
}

wire_table! {
    /// State of a job as the server keeps and shows it.
    names RunStatus(str) in "federation.run_status", from "nvflare.apis.job_def:RunStatus";

    /// Handed in.
    SUBMITTED = "SUBMITTED";
    /// Approved.
    APPROVED = "APPROVED";
    /// On its way to the sites.
    DISPATCHED = "DISPATCHED";
    /// Runs.
    RUNNING = "RUNNING";
    /// Ended well.
    FINISHED_COMPLETED = "FINISHED:COMPLETED";
    /// Ended from outside.
    FINISHED_ABORTED = "FINISHED:ABORTED";
    /// Ended by an exception.
    FINISHED_EXECUTION_EXCEPTION = "FINISHED:EXECUTION_EXCEPTION";
    /// Ended in some other way.
    FINISHED_ABNORMAL = "FINISHED:ABNORMAL";
    /// Never found its sites or resources.
    FINISHED_CANT_SCHEDULE = "FINISHED:CAN_NOT_SCHEDULE";
    /// Could not be brought to the sites or started there.
    FAILED_TO_RUN = "FINISHED:FAILED_TO_RUN";
    /// Given up.
    ABANDONED = "FINISHED:ABANDONED";
}
