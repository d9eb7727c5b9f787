//! Channels and topics: the two halves of the key by which a cell finds the handler of a message.

use crate::table::wire_table;

wire_table! {
    /// Channels of the core protocol: the value of `cn__channel`, or of the stream header for it.
    ///
    /// Requests on the channels marked *direct* are single messages. On every other channel the body of a request, and
    /// of its reply, is sent as a stream; a receiver takes the direct form there too. What a cell sends for itself
    /// (bye, bulk, certificate exchange, the frames of streams) is always direct, and so is a request to many targets
    /// with a body for each of them.
    names Channel(str) in "cell.channel", from "nvflare.fuel.f3.cellnet.defs:CellChannel";

    /// Server to client parent: deploy, start, abort, check a job; client job to its parent: job status. Direct.
    CLIENT_MAIN = "admin";
    /// Messages between job cells and of applications; the topic belongs to whoever registered it. Streamed.
    AUX_COMMUNICATION = "aux_communication";
    /// Client to server parent: challenge, register, heartbeat, quit, end of a job. Direct.
    SERVER_MAIN = "task";
    /// Client job to server job: ask for a task, submit a result; server parent to server job: control. Streamed.
    SERVER_COMMAND = "server_command";
    /// Server job to server parent: list of clients, heartbeat, end of the run. Direct.
    SERVER_PARENT_LISTENER = "server_parent_listener";
    /// Client parent to client job: abort, status, statistics. Direct.
    CLIENT_COMMAND = "client_command";
    /// Client job to the extra processes of a multi-process executor. Direct.
    CLIENT_SUB_WORKER_COMMAND = "client_sub_worker_command";
    /// Extra processes of a multi-process executor to their client job. Direct.
    MULTI_PROCESS_EXECUTOR = "multi_process_executor";
    /// Between the processes of a simulator. Direct, and not spoken in a federation.
    SIMULATOR_RUNNER = "simulator_runner";
    /// Replies to streamed requests; the topic is `channel:topic` of the request. Always a stream of its own; excluded
    /// from the rule above because a reply is never asked for.
    RETURN_ONLY = "return_only";
    /// Requests of edge devices through a hierarchy of clients. Streamed.
    EDGE_REQUEST = "edge_request";
    /// Admin console to server. Streamed.
    HCI = "hci_channel";
    /// Cells about themselves: bye and bulk. Direct.
    CELLNET = "cellnet.channel";
}

wire_table! {
    /// Stands for any channel or any topic when a handler is registered; it is never sent.
    ///
    /// Look-up order: the exact pair, then the channel with any topic, then any channel with any topic.
    names Wildcard(str) in "cell.wildcard";

    /// Any channel, or any topic.
    ANY = "*", from "literal:nvflare.fuel.f3.cellnet.registry";
}

wire_table! {
    /// Topics of the core channels: the value of `cn__topic`.
    ///
    /// The topics of `server_command`, `client_command` and `admin` are in the groups `federation.server_command`,
    /// `federation.client_command` and `federation.admin.*`.
    names Topic(str) in "cell.topic", from "nvflare.fuel.f3.cellnet.defs:CellChannelTopic";

    /// Channel `task`, request of a client, relay or admin to the server: prove who you are, here is my nonce.
    CHALLENGE = "challenge", from "nvflare.fuel.f3.cellnet.defs:CellChannelTopic.Challenge";
    /// Channel `task`, request: let me in, here is the proof; the reply carries the token.
    REGISTER = "register", from "nvflare.fuel.f3.cellnet.defs:CellChannelTopic.Register";
    /// Channel `cellnet.channel`, request to every neighbour: this cell stops. Answered with an empty reply, never
    /// forwarded.
    BYE = "bye", from "nvflare.fuel.f3.cellnet.defs:CellChannelTopic.Bye";
    /// Channel `task`, request of a client parent to the server: remove me.
    QUIT = "quit", from "nvflare.fuel.f3.cellnet.defs:CellChannelTopic.Quit";
    /// Declared by the reference and not sent; tasks are asked for with the server command of the same name.
    GET_TASK = "get_task", unspoken;
    /// Declared by the reference and not sent; results go by the server command `submit_update`.
    SUBMIT_RESULT = "submit_result", unspoken;
    /// Channel `task`, request of a client parent to the server: I am alive, these jobs run here.
    HEART_BEAT = "heart_beat";
    /// Channel `multi_process_executor`, request of an extra process to its client job: result of a task.
    EXECUTE_RESULT = "execute_result";
    /// Channel `multi_process_executor`, request of an extra process to its client job: an event happened.
    FIRE_EVENT = "fire_event";
    /// Channel `task`, request of a client parent to the server: a job process ended with this code.
    REPORT_JOB_FAILURE = "report_job_failure";
    /// Declared by the reference for its simulator and not sent.
    SIMULATOR_WORKER_INIT = "simulator_worker_init", unspoken;
}

wire_table! {
    /// Topics that a cell handles itself, besides bye.
    names CellTopic(str) in "cell.own_topic";

    /// Channel `cellnet.channel`, no reply: several messages in one.
    BULK = "bulk", from "nvflare.fuel.f3.cellnet.core_cell:_TOPIC_BULK";
}

wire_table! {
    /// Keys of one item in the list that a bulk message has as payload.
    ///
    /// Each item is dispatched as if it had come alone, with the headers of the bulk message laid over its own.
    names BulkKey(str) in "cell.bulk_key";

    /// Text: FQCN of the destination.
    TARGET = "target", from "literal:nvflare.fuel.f3.cellnet.core_cell";
    /// Text: channel of the message.
    CHANNEL = "channel", from "literal:nvflare.fuel.f3.cellnet.core_cell";
    /// Text: topic of the message.
    TOPIC = "topic", from "literal:nvflare.fuel.f3.cellnet.core_cell";
    /// Map: the message itself, with the two keys below.
    MESSAGE = "message", from "literal:nvflare.fuel.f3.cellnet.core_cell";
    /// Within the message, map: its headers.
    HEADERS = "headers", from "literal:nvflare.fuel.f3.cellnet.core_cell";
    /// Within the message, any value: its payload, not encoded by itself.
    PAYLOAD = "payload", from "literal:nvflare.fuel.f3.cellnet.core_cell";
}

wire_table! {
    /// Limits and waiting times of cells, in seconds where nothing else is said.
    quantities CellLimit in "cell.limit";

    /// How long a request without a timeout of its own waits for its reply.
    MAX_TIMEOUT: f64 = 3600.0, from "literal:nvflare.fuel.f3.cellnet.core_cell";
    /// How long a stopping cell waits for the answers to its bye.
    BYE_TIMEOUT: f64 = 0.5, from "literal:nvflare.fuel.f3.cellnet.core_cell";
    /// How many messages one bulk message holds at most.
    MAX_BULK_SIZE: usize = 100, from "default:nvflare.fuel.f3.cellnet.core_cell:CoreCell.__init__:max_bulk_size";
    /// How long the sender of a streamed request waits in each phase when it is not told otherwise.
    REQUEST_TIMEOUT: f64 = 10.0, from "default:nvflare.fuel.f3.cellnet.cell:Cell._send_request:timeout";
}
