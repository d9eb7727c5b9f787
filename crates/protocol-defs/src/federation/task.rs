//! Tasks: how a client job asks for work, brings results back and shows that it is alive.

use crate::table::wire_table;

wire_table! {
    /// Task names that no workflow may use: what a server job answers when there is nothing to do.
    names SpecialTaskName(str) in "federation.special_task", from "nvflare.private.defs:SpecialTaskName";

    /// Ask again after the wait time that the reply carries.
    TRY_AGAIN = "__try_again__";
    /// The run is over; ask no more.
    END_RUN = "__end_run__";
}

wire_table! {
    /// Headers of a task that concern the loop, not the work.
    names TaskHeader(str) in "federation.task_header", from "nvflare.private.defs:TaskConstant";

    /// Seconds, float: how long to wait before the next request for a task.
    WAIT_TIME = "__wait_time__";
}

wire_table! {
    /// Topics on channel `aux_communication` that job cells use among themselves.
    ///
    /// Applications register topics of their own on the same channel.
    names AuxTopic(str) in "federation.aux_topic", from "nvflare.apis.fl_constant:ReservedTopic";

    /// Server job to all client jobs, no reply: the run is over.
    END_RUN = "__end_run__";
    /// Declared by the reference and not sent; a task is ended with the client command `abort_task`.
    ABORT_ASK = "__abort_task__", unspoken;
    /// Controller of a workflow, mostly another client job, to client job, request: take this task. The result comes
    /// as a request of the same kind or in the reply, as the workflow has it.
    DO_TASK = "__do_task__";
    /// Operator's aux command. Declared by the reference and not sent.
    AUX_COMMAND = "__aux_command__", unspoken;
    /// Client job to server job (or to the job of the site above it), request, before the first task: are you there?
    SYNC_RUNNER = "__sync_runner__";
    /// Client job to the same, no reply: I am alive.
    JOB_HEART_BEAT = "__job_heartbeat__";
    /// Client job to the same, request with header `__task_id__`: do you still want the result of this task? Reply code
    /// OK or TASK_UNKNOWN.
    TASK_CHECK = "__task_check__";
    /// Name of a channel within one process of the reference; never sent.
    APP_METRICS = "__app_metrics__", unspoken;
    /// Name of an event within one process of the reference, followed by the message root; never sent.
    MSG_ROOT_DELETED = "__msg_root_deleted__", unspoken;
    /// Name of an event within one process of the reference; never sent.
    STOP_CELLNET = "__stop_cellnet__", unspoken;
}

wire_table! {
    /// Topics on channel `aux_communication` of the standard components.
    names ComponentTopic(str) in "federation.component_topic";

    /// An event that one site raises for others; see `federation.event_header`.
    FED_EVENT = "fed.event", from "nvflare.widgets.fed_event:FED_EVENT_TOPIC";
}

wire_table! {
    /// Headers of an event that travels between sites.
    names EventHeader(str) in "federation.event_header", from "nvflare.apis.fl_constant:FedEventHeader";

    /// Float, seconds since the epoch: when the event was raised. Mandatory.
    TIMESTAMP = "_timestamp";
    /// Text (UUID as hex): tells repeats apart.
    EVENT_ID = "_event_id";
    /// Text: name of the event. Mandatory.
    EVENT_TYPE = "_event_type";
    /// Text, one of [`EventDirection`]; set by each side for itself.
    DIRECTION = "_direction";
    /// Text: name of the site that raised it.
    ORIGIN = "_origin";
    /// List of texts: sites that are to have it; without it a client's events go to the server and the server's to all.
    TARGETS = "_targets";
}

wire_table! {
    /// Whether an event came from another site: the header `_direction`.
    names EventDirection(str) in "federation.event_direction";

    /// Came from another site; not sent on.
    IN = "in", from "literal:nvflare.widgets.fed_event";
    /// Raised here.
    OUT = "out", from "literal:nvflare.widgets.fed_event";
}

wire_table! {
    /// Who hears an event.
    names EventScope(str) in "federation.event_scope", from "nvflare.apis.fl_constant:EventScope";

    /// Other sites too.
    FEDERATION = "federation";
    /// The process in which it was raised.
    LOCAL = "local";
}

wire_table! {
    /// Keys in the header `__task_operator__` of a task: how a hierarchy of clients hands the task on.
    names TaskOperatorKey(str) in "federation.task_operator", from "nvflare.apis.controller_spec:TaskOperatorKey";

    /// Text: id of the operator.
    OP_ID = "op_id";
    /// Text, one of [`OperatorMethod`].
    METHOD = "method";
    /// Whole number: how often the task goes round.
    NUM_ROUNDS = "num_rounds";
    /// List of texts: the leaf sites.
    TARGETS = "targets";
    /// Filters for the task's data.
    DATA_FILTERS = "data_filters";
    /// Filters for its results.
    RESULT_FILTERS = "result_filters";
    /// Text, broadcasts only: component that puts the results together.
    AGGREGATOR = "aggregator";
    /// Text, relays only: component that makes the next shareable.
    SHAREABLE_GENERATOR = "shareable_gen";
    /// Text, relays only: component that stores the model.
    PERSISTOR = "persistor";
    /// Seconds: how long the task may take.
    TIMEOUT = "timeout";
    /// Seconds, relays only: how long a site has to ask for the task.
    TASK_ASSIGNMENT_TIMEOUT = "task_assign_timeout";
    /// Whole number: how many results are enough.
    MIN_TARGETS = "min_targets";
    /// Seconds: how long to wait for more when there are enough.
    WAIT_TIME_AFTER_MIN_RESPS = "wait_time_after_min_received";
}

wire_table! {
    /// How a task operator hands a task on.
    names OperatorMethod(str) in "federation.operator_method", from "nvflare.apis.controller_spec:OperatorMethod";

    /// To all sites below at once.
    BROADCAST = "bcast";
    /// From one site to the next.
    RELAY = "relay";
}

wire_table! {
    /// Names of the tasks that the standard workflows give out.
    names WorkflowTask(str) in "federation.workflow_task", from "nvflare.app_common.app_constant:AppConstants";

    /// Train the model that comes with the task; the result is a model.
    TASK_TRAIN = "train";
    /// Validate the model that comes with the task; the result is metrics.
    TASK_VALIDATION = "validate";
    /// Hand in the local model named by the task.
    TASK_SUBMIT_MODEL = "submit_model";
    /// Hand in the initial weights.
    TASK_GET_WEIGHTS = "get_weights";
    /// Take the configuration that comes with the task.
    TASK_CONFIGURE = "configure";
    /// A workflow's own end task.
    TASK_END_RUN = "_end_run_";
}

wire_table! {
    /// Waiting times of the task loop in seconds: defaults, settable by the job.
    quantities TaskDefaults in "federation.task_default";

    /// Pause of a client job before it asks again when it got no answer at all.
    FETCH_INTERVAL: f64 = 0.5,
        from "default:nvflare.private.fed.client.client_runner:ClientRunnerConfig.__init__:default_task_fetch_interval";
    /// Wait time that a running workflow sends with `__try_again__`.
    REQUEST_INTERVAL: f64 = 2.0, from "literal:nvflare.private.fed.server.server_json_config";
    /// Wait time that a server job sends with `__try_again__` before its workflow runs.
    NOT_READY_INTERVAL: f64 = 1.0, from "literal:nvflare.private.fed.server.server_commands";
    /// How long a client job waits for the reply to `__task_check__`.
    TASK_CHECK_TIMEOUT: f64 = 5.0, from "literal:nvflare.private.fed.client.client_runner";
    /// Pause between repeats of `__task_check__` and of a result.
    TASK_CHECK_INTERVAL: f64 = 5.0, from "literal:nvflare.private.fed.client.client_runner";
    /// Pause between job heartbeats.
    JOB_HEARTBEAT_INTERVAL: f64 = 10.0, from "literal:nvflare.private.fed.client.client_runner";
    /// Pause before each `__sync_runner__`.
    RUNNER_SYNC_PAUSE: f64 = 0.5, from "literal:nvflare.private.fed.client.client_runner";
    /// How long a client job waits for the reply to one `__sync_runner__`.
    RUNNER_SYNC_TIMEOUT: f64 = 2.0, from "literal:nvflare.private.fed.client.client_runner";
    /// How long it goes on trying before it gives up the job.
    MAX_RUNNER_SYNC_TIMEOUT: f64 = 60.0, from "literal:nvflare.private.fed.client.client_runner";
    /// How long a job waits for its components to be ready for the end of the run.
    END_RUN_READINESS_TIMEOUT: f64 = 5.0, from "literal:nvflare.private.fed.tbi";
    /// Pause between looks at them.
    END_RUN_READINESS_CHECK_INTERVAL: f64 = 0.5, from "literal:nvflare.private.fed.tbi";
    /// How long a client job waits for its parent to take a job status.
    NOTIFY_CP_MSG_TIMEOUT: f64 = 5.0, from "literal:nvflare.private.fed.client.client_app_runner";
    /// How long it repeats the first one.
    NOTIFY_CP_RETRY_TIMEOUT: f64 = 15.0, from "literal:nvflare.private.fed.client.client_app_runner";
}
