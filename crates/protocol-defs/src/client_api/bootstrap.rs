//! How a training process finds its job: the profile that it reads, its environment, and the directory in which an
//! attached process and its job meet.

use crate::table::wire_table;

wire_table! {
    /// Keys of the profile, a JSON object in a file.
    ///
    /// For a process that the job launches the job writes it anew for each launch, readable by its owner only. For an
    /// attached process whoever runs it writes it, once. A file with neither `schema_version` nor `execution_mode` is
    /// of the time before the protocol.
    names BootstrapKey(str) in "client_api.bootstrap_key", from "nvflare.client.cell.bootstrap:BootstrapKey";

    /// Integer: [`BootstrapNumber::SCHEMA_VERSION`]; anything else is refused.
    SCHEMA_VERSION = "schema_version";
    /// Text: an [`ExecutionMode`] other than in process.
    EXECUTION_MODE = "execution_mode";
    /// Text, URL: where to dial. Launched: the job's own listener. Attached: the site's listener, unless there is a
    /// rendezvous directory.
    CONNECT_URL = "connect_url";
    /// Text, FQCN, attached: the site's cell, if it is not simply the site name.
    CP_FQCN = "cp_fqcn";
    /// Text, FQCN: the job's cell. Attached: optional, only that job is then accepted.
    CJ_FQCN = "cj_fqcn";
    /// Integer, launched: the job's process id; the training process ends when that process is gone.
    CJ_PID = "cj_pid";
    /// Text, FQCN, launched: the name of the training process itself.
    TRAINER_FQCN = "trainer_fqcn";
    /// Text, secret, launched: the token to show in HELLO; one per launch.
    LAUNCH_TOKEN = "launch_token";
    /// Text, launched: the job.
    JOB_ID = "job_id";
    /// Text: the site.
    SITE_NAME = "site_name";
    /// Bool: whether the federation authenticates its messages.
    SECURE_MODE = "secure_mode";
    /// Text, attached: connection security of the URL, `clear` or `mtls`.
    CONNECTION_SECURITY = "connection_security";
    /// Text, path, attached: root certificate; the process's own certificate and key lie beside it.
    CA_CERT = "ca_cert";
    /// Text, attached: common name that the site's certificate must have, if it is not the site name.
    AUTH_IDENTITY = "auth_identity";
    /// Text, attached: the name by which the job will ask for this process.
    ATTACH_ID = "attach_id";
    /// Text, absolute path, attached: the directory where to wait for the job, in place of a URL.
    RENDEZVOUS_DIR = "rendezvous_dir";
    /// Float or null, seconds, attached: how long to wait for a job; null for ever.
    JOB_WAIT_TIMEOUT = "job_wait_timeout";
    /// Map, launched: how models are exchanged, with the keys of [`TaskExchangeKey`].
    TASK_EXCHANGE = "task_exchange";
    /// Integer, launched: after how many rounds the process frees memory; 0 for never.
    MEMORY_GC_ROUNDS = "memory_gc_rounds";
    /// Bool, launched: whether it then also empties the cache of the accelerator.
    CUDA_EMPTY_CACHE = "cuda_empty_cache";
}

wire_table! {
    /// Numbers of the profile.
    quantities BootstrapNumber in "client_api.bootstrap";

    /// The only version of the profile; independent of the protocol version.
    SCHEMA_VERSION: u32 = 1, from "nvflare.client.cell.bootstrap:BOOTSTRAP_SCHEMA_VERSION";
    /// Permissions of the file that a job writes: its owner reads and writes.
    FILE_PERMISSION: u32 = 0o600, from "nvflare.client.cell.bootstrap:BOOTSTRAP_FILE_PERMISSION";
    /// Random bytes in a launch token, which is written as URL-safe base64.
    LAUNCH_TOKEN_BYTES: usize = 32, from "literal:nvflare.app_common.executors.client_api.external_process_backend";
}

wire_table! {
    /// The file name of the profile of a launch: prefix, number of the launch from 1, suffix.
    names BootstrapFile(str) in "client_api.bootstrap_file";

    /// Before the number.
    PREFIX = "client_api_bootstrap_", from "literal:nvflare.client.cell.bootstrap";
    /// After the number.
    SUFFIX = ".json", from "literal:nvflare.client.cell.bootstrap";
}

wire_table! {
    /// Environment variables of a training process.
    names Environment(str) in "client_api.environment";

    /// Path of the profile.
    BOOTSTRAP = "NVFLARE_CLIENT_API_BOOTSTRAP", from "nvflare.client.cell.bootstrap:BOOTSTRAP_FILE_ENV_VAR";
    /// Kind of Client API of the time before profiles; removed by the job from the environment of what it launches.
    API_TYPE = "CLIENT_API_TYPE", from "nvflare.client.api_context:CLIENT_API_TYPE_KEY";
    /// Rank of the process within a group that trains together; set by the launcher of that group, taken as "0" if
    /// absent.
    RANK = "RANK", from "literal:nvflare.client.cell.api";
}

wire_table! {
    /// Where the training code runs; the value of [`BootstrapKey::EXECUTION_MODE`] and of the job's own setting.
    names ExecutionMode(str) in "client_api.execution_mode",
        from "nvflare.app_common.executors.client_api_executor:ExecutionMode";

    /// In the job's own process; no session, never in a profile.
    IN_PROCESS = "in_process";
    /// In a process that the job launches.
    EXTERNAL_PROCESS = "external_process";
    /// In a process that runs anyway and attaches itself.
    ATTACH = "attach";
}

wire_table! {
    /// Keys of the map that says how models are exchanged.
    ///
    /// The map stands in the profile of a launched process and in SESSION_OPEN.
    names TaskExchangeKey(str) in "client_api.task_exchange", from "nvflare.client.config:ConfigKey";

    /// Text: the [`ExchangeFormat`] that the training code wants.
    EXCHANGE_FORMAT = "exchange_format";
    /// Text: the [`ExchangeFormat`] that the server works with.
    SERVER_EXPECTED_FORMAT = "server_expected_format";
    /// Text: a [`TransferType`].
    TRANSFER_TYPE = "transfer_type";
    /// Bool: whether training also evaluates.
    TRAIN_WITH_EVAL = "train_with_eval";
    /// Text: name of the task that trains, by default `train`.
    TRAIN_TASK_NAME = "train_task_name";
    /// Text: name of the task that evaluates, by default `validate`.
    EVAL_TASK_NAME = "eval_task_name";
    /// Text: name of the task that hands in a model, by default `submit_model`.
    SUBMIT_MODEL_TASK_NAME = "submit_model_task_name";
    /// Bool: whether one launch serves all tasks.
    LAUNCH_ONCE = "launch_once";
    /// Text: name of the current task, for code in the job's own process.
    TASK_NAME = "TASK_NAME";
    /// The name of this map in configurations for code in the job's own process.
    TASK_EXCHANGE = "TASK_EXCHANGE";
    /// As [`BootstrapKey::MEMORY_GC_ROUNDS`], in such configurations.
    MEMORY_GC_ROUNDS = "memory_gc_rounds";
    /// As [`BootstrapKey::CUDA_EMPTY_CACHE`], in such configurations.
    CUDA_EMPTY_CACHE = "cuda_empty_cache";
}

wire_table! {
    /// What the parameters of a model are.
    names ExchangeFormat(str) in "client_api.exchange_format", from "nvflare.client.config:ExchangeFormat";

    /// Whatever arrives is handed on.
    RAW = "raw";
    /// Torch tensors by name.
    PYTORCH = "pytorch";
    /// Numpy arrays by name.
    NUMPY = "numpy";
    /// Numpy arrays by layer.
    KERAS_LAYER_WEIGHTS = "keras_layer_weights";
}

wire_table! {
    /// Whether a result is the model or its change.
    names TransferType(str) in "client_api.transfer_type", from "nvflare.client.config:TransferType";

    /// The whole model.
    FULL = "FULL";
    /// What training changed.
    DIFF = "DIFF";
}

wire_table! {
    /// What the value of a log record is. Travels as an enum of the reference, by the name of its member, which is the
    /// value.
    names AnalyticsDataType(str) in "client_api.analytics_data_type", from "nvflare.apis.analytix:AnalyticsDataType";

    /// Several numbers by name.
    SCALARS = "SCALARS";
    /// One number.
    SCALAR = "SCALAR";
    /// A picture.
    IMAGE = "IMAGE";
    /// A text.
    TEXT = "TEXT";
    /// A line of the log.
    LOG_RECORD = "LOG_RECORD";
    /// One parameter of the experiment.
    PARAMETER = "PARAMETER";
    /// Several parameters.
    PARAMETERS = "PARAMETERS";
    /// One metric.
    METRIC = "METRIC";
    /// Several metrics.
    METRICS = "METRICS";
    /// A model.
    MODEL = "MODEL";
    /// One tag.
    TAG = "TAG";
    /// Several tags.
    TAGS = "TAGS";
    /// What the tracking system needs at its start.
    INIT_DATA = "INIT_DATA";
}

wire_table! {
    /// Names in the rendezvous directory:
    /// `<directory>/.nvflare/client_api_attach/<site>/<attach id>.claim/{owner.json, endpoint.json}`, and the lock
    /// `.<attach id>.lock` beside the claim.
    ///
    /// The job holds the lock while it lives, creates the claim, and publishes where it listens; the training process
    /// waits for that.
    names AttachFile(str) in "client_api.attach_file";

    /// Path below the directory, before the site.
    SUBDIR = ".nvflare/client_api_attach", from "nvflare.client.cell.attach_rendezvous:ATTACH_RENDEZVOUS_SUBDIR";
    /// Ends the name of a claim directory.
    CLAIM_SUFFIX = ".claim", from "literal:nvflare.client.cell.attach_rendezvous";
    /// Begins the name of the lock.
    LOCK_PREFIX = ".", from "literal:nvflare.client.cell.attach_rendezvous";
    /// Ends the name of the lock.
    LOCK_SUFFIX = ".lock", from "nvflare.client.cell.attach_rendezvous:ATTACH_CLAIM_LOCK_SUFFIX";
    /// Who claims: a JSON object with the instance id alone.
    OWNER = "owner.json", from "nvflare.client.cell.attach_rendezvous:ATTACH_OWNER_FILE";
    /// Where the job listens: a JSON object with all keys of [`AttachEndpointKey`].
    ENDPOINT = "endpoint.json", from "nvflare.client.cell.attach_rendezvous:ATTACH_ENDPOINT_FILE";
    /// Not in the directory: the section of the job's `comm_config.json` that describes the listener it offers to
    /// attached processes.
    COMM_CONFIG = "client_api_attach", from "nvflare.client.cell.attach_rendezvous:ATTACH_COMM_CONFIG";
}

wire_table! {
    /// Keys of [`AttachFile::ENDPOINT`]; the instance id also stands in [`AttachFile::OWNER`].
    names AttachEndpointKey(str) in "client_api.attach_endpoint",
        from "nvflare.client.cell.attach_rendezvous:AttachEndpointKey";

    /// Integer: [`AttachNumber::SCHEMA_VERSION`].
    SCHEMA_VERSION = "schema_version";
    /// Text, 32 hex digits: the claim; both files must agree in it.
    INSTANCE_ID = "instance_id";
    /// Text: the attach id; must be the reader's.
    ATTACH_ID = "attach_id";
    /// Text: the site; must be the reader's.
    SITE_NAME = "site_name";
    /// Text, FQCN: the job.
    CJ_FQCN = "cj_fqcn";
    /// Text, FQCN: what the training process must call itself.
    TRAINER_FQCN = "trainer_fqcn";
    /// Text, URL: a listener of the scheme `shared-file` right below the directory.
    CONNECT_URL = "connect_url";
    /// Text: always `clear`, since the directory's permissions are the protection.
    CONNECTION_SECURITY = "connection_security";
}

wire_table! {
    /// Numbers of the rendezvous.
    quantities AttachNumber in "client_api.attach";

    /// The only version of [`AttachFile::ENDPOINT`].
    SCHEMA_VERSION: u32 = 1, from "nvflare.client.cell.attach_rendezvous:ATTACH_ENDPOINT_SCHEMA_VERSION";
    /// Permissions of the directories: owner and group.
    DIR_MODE: u32 = 0o770, from "nvflare.client.cell.attach_rendezvous:ATTACH_RENDEZVOUS_DIR_MODE";
    /// Permissions of the files: owner and group. A file that others may touch is refused.
    FILE_MODE: u32 = 0o660, from "nvflare.client.cell.attach_rendezvous:ATTACH_RENDEZVOUS_FILE_MODE";
    /// Seconds between two looks of a waiting training process.
    WAIT_INTERVAL: f64 = 0.2, from "nvflare.client.cell.attach_rendezvous:_WAIT_INTERVAL";
    /// Most characters of an attach id.
    MAX_ATTACH_ID_LEN: usize = 64;
}
