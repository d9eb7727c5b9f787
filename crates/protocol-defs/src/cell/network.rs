//! In-band commands by which an operator looks into the network of cells: channel `_net_manager`.

use crate::table::wire_table;

wire_table! {
    /// The channel of the in-band network commands.
    names NetChannel(str) in "cell.net_channel";

    /// Every cell listens here; requests come from the cell at which the operator sits, usually the server.
    NET_MANAGER = "_net_manager", from "nvflare.fuel.f3.cellnet.net_agent:_CHANNEL";
}

wire_table! {
    /// Topics of the channel `_net_manager`.
    ///
    /// Requests marked *spreads* are passed on by every cell to the cells below it before it answers. Answering is
    /// optional for a peer: the asking side takes `process_exception` for an answer.
    names NetTopic(str) in "cell.net_topic";

    /// Request without a body; reply: list of the FQCNs of the neighbours.
    PEERS = "peers", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_PEERS";
    /// Request without a body, spreads; reply: list of the FQCNs of the cell and of all below it.
    CELLS = "cells", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_CELLS";
    /// Request without a body; reply: map of the headers with which the request arrived.
    ROUTE = "route", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_ROUTE";
    /// Request with a FQCN as body: ask that cell for `route` and report the headers of both directions.
    START_ROUTE = "start_route", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_START_ROUTE";
    /// Request without a body, spreads, no reply: stop this cell.
    STOP = "stop", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_STOP";
    /// Request without a body: stop this cell and what is below it; answered with an empty reply.
    STOP_CELL = "stop_cell", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_STOP_CELL";
    /// Request with a URL as body, spreads; reply: map of FQCN to how that cell uses the URL.
    URL_USE = "url_use", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_URL_USE";
    /// Request without a body; reply: map of the cell's listeners and connectors, keys in `cell.net_connector_key`.
    CONNS = "conns", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_CONNS";
    /// Request: exchange so many echoes of such a size with that cell and report the times.
    SPEED = "speed", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_SPEED";
    /// Request with any body; the reply carries the same body.
    ECHO = "echo", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_ECHO";
    /// Request: send echoes of 1024 random bytes to these cells by chance and report counts and errors.
    STRESS = "stress", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_STRESS";
    /// Request with a URL as body, spreads, no reply: connect to the root at this URL from now on.
    CHANGE_ROOT = "change_root", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_CHANGE_ROOT";
    /// Request with a whole number as body: send the server so many messages by way of bulks; reply: text that lists
    /// the numbers sent.
    BULK_TEST = "bulk_test", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_BULK_TEST";
    /// One message of a bulk test, a number as body; no reply.
    BULK_ITEM = "bulk_item", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_BULK_ITEM";
    /// Request with a statistics mode; reply: table of request and response times.
    MSG_STATS = "msg_stats", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_MSG_STATS";
    /// Request without a body; reply: table of the statistics pools of the process.
    LIST_POOLS = "list_pools", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_LIST_POOLS";
    /// Request with a pool and a mode; reply: table of that pool, or `invalid_request`.
    SHOW_POOL = "show_pool", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_SHOW_POOL";
    /// Request without a body; reply: map with the communication settings in force, keys in `cell.net_config_key`.
    COMM_CONFIG = "comm_config", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_COMM_CONFIG";
    /// Request without a body; reply: map of every configuration variable that the process has read to its value.
    CONFIG_VARS = "config_vars", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_CONFIG_VARS";
    /// Request without a body; reply: table of process id, memory and threads.
    PROCESS_INFO = "process_info", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_PROCESS_INFO";
    /// No reply: the member of a subnet tells its monitor that it is alive.
    HEARTBEAT = "heartbeat", from "nvflare.fuel.f3.cellnet.net_agent:_TOPIC_HEARTBEAT";
}

wire_table! {
    /// Operator's commands at the console that make the requests above; their answers are made of the replies.
    names NetCommand(str) in "cell.net_command";

    /// All cells.
    CELLS = "cells", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Way to a cell and back, from the server or from another cell.
    ROUTE = "route", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Neighbours of a cell.
    PEERS = "peers", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Listeners and connectors of a cell.
    CONNS = "conns", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Use of a URL by all cells.
    URL_USE = "url_use", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Speed between two cells.
    SPEED = "speed", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Stress test among all cells.
    STRESS = "stress", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Bulk test: topic `bulk_test`.
    BULK = "bulk", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Another root for all cells.
    CHANGE_ROOT = "change_root", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Request statistics of a cell.
    MSG_STATS = "msg_stats", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Statistics pools of a cell.
    LIST_POOLS = "list_pools", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// One statistics pool.
    SHOW_POOL = "show_pool", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Communication settings of a cell: topic `comm_config`.
    SHOW_COMM_CONFIG = "show_comm_config", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Configuration variables of a cell: topic `config_vars`.
    SHOW_CONFIG_VARS = "show_config_vars", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Process of a cell.
    PROCESS_INFO = "process_info", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Stop a cell and what is below it.
    STOP_CELL = "stop_cell", from "literal:nvflare.fuel.f3.cellnet.net_manager";
    /// Stop all cells: topic `stop`.
    STOP_NET = "stop_net", from "literal:nvflare.fuel.f3.cellnet.net_manager";
}

wire_table! {
    /// Body keys of the in-band network commands, requests and replies.
    names NetKey(str) in "cell.net_key";

    /// Heartbeat, text: which subnet the sender is a member of.
    SUBNET_ID = "subnet_id", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Reply to `start_route`, map: headers of the `route` request as the far cell saw them.
    REQUEST = "request", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Reply to `start_route`, map: headers of the reply that came back. In an error: headers of the failed reply.
    REPLY = "reply", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Any reply, text: what went wrong.
    ERROR = "error", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Request `speed`, text: FQCN of the other end.
    TO = "to", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Requests `speed` and `stress`, whole number: how many echoes. `speed` without it: 100.
    NUM = "num", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Request `speed`, whole number, units of 1024 bytes: size of an echo. Without it: 1000.
    SIZE = "size", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Request `stress`, list of FQCNs: the cells to choose from.
    TARGETS = "targets", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Requests `msg_stats` and `show_pool`, text, one of [`StatsMode`].
    MODE = "mode", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Request `show_pool`, text: name of the pool, in any case.
    POOL = "pool", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Replies that are tables, list of texts: titles of the columns.
    HEADERS = "headers", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Replies that are tables, list of lists of texts: the cells of the table.
    ROWS = "rows", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Reply to `speed`, text: what was done.
    TEST = "test", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Reply to `speed`, seconds: time to make the payload.
    PREP = "prep", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Reply to `speed`, whole number: echoes that timed out.
    TIMEOUTS = "timeouts", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Reply to `speed`, whole number: echoes lost to a connection.
    COMM_ERRORS = "comm_errors", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Reply to `speed`, whole number: echoes that were too large to send.
    SIZE_ERRORS = "size_errors", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Reply to `speed`, whole number: echoes that came back altered.
    PROC_ERRORS = "proc_errors", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Reply to `speed`, whole number: all other failures.
    OTHER_ERRORS = "other_errors", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Reply to `speed`, seconds: time for all echoes.
    TOTAL = "total", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Reply to `speed`, seconds: time for one echo.
    AVERAGE = "average", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Added to the reply to `speed` by the asking side, seconds: time for the whole command.
    TEST_TIME = "test_time", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Reply to `stress`, map of FQCN to whole number: echoes sent.
    COUNTS = "counts", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Reply to `stress`, map of FQCN to whole number: echoes that failed.
    ERRORS = "errors", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Reply to `stress`, seconds: time for all of it.
    TIME = "time", from "literal:nvflare.fuel.f3.cellnet.net_agent";
}

wire_table! {
    /// Keys of the reply to `conns`: which listeners and connectors a cell has, and what is told of each.
    names NetConnectorKey(str) in "cell.net_connector_key";

    /// Map, one listener: the one for job processes and trainers.
    INT_LISTENER = "int_listener", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// List of maps: listeners for the outside.
    EXT_LISTENERS = "ext_listeners", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Map, one connector: the connection to the root.
    BB_EXT_CONNECTOR = "bb_ext_connector", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Map, one connector: the connection to the parent.
    BB_INT_CONNECTOR = "bb_int_connector", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Map of FQCN to connector: ad-hoc connections.
    ADHOC_CONNECTORS = "adhoc_connectors", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Within one of them, text: its URL.
    URL = "url", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Within one of them, text: its handle in the process.
    HANDLE = "handle", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Within one of them, text, one of [`NetConnectorType`].
    TYPE = "type", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Within one of them, map: parameters of the transport.
    PARAMS = "params", from "literal:nvflare.fuel.f3.cellnet.net_agent";
}

wire_table! {
    /// Which side of a connection is meant in the reply to `conns`.
    names NetConnectorType(str) in "cell.net_connector_type";

    /// The cell dials.
    CONNECTOR = "connector", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// The cell listens.
    LISTENER = "listener", from "literal:nvflare.fuel.f3.cellnet.net_agent";
}

wire_table! {
    /// What a cell uses a URL for: the values in the reply to `url_use`.
    names NetUrlUse(str) in "cell.net_url_use";

    /// It listens there for the cells below it.
    INT_LISTEN = "int_listen", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// It listens there for the outside.
    EXT_LISTEN = "ext_listen", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// It dials the root there.
    BB_EXT_CONNECT = "bb_ext_connect", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// It dials its parent there.
    INT_CONNECT = "int_connect", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// It dials another cell directly there.
    ADHOC_CONNECT = "adhoc_connect", from "literal:nvflare.fuel.f3.cellnet.net_agent";
    /// Nothing.
    NONE = "none", from "literal:nvflare.fuel.f3.cellnet.net_agent";
}

wire_table! {
    /// Keys of the reply to `comm_config`.
    names NetConfigKey(str) in "cell.net_config_key";

    /// Bool: whether ad-hoc connections are allowed.
    ALLOW_ADHOC = "allow_adhoc", from "literal:nvflare.fuel.f3.cellnet.connector_manager";
    /// Text: URL scheme of ad-hoc connections.
    ADHOC_SCHEME = "adhoc_scheme", from "literal:nvflare.fuel.f3.cellnet.connector_manager";
    /// Map: parameters of ad-hoc connections.
    ADHOC_RESOURCES = "adhoc_resources", from "literal:nvflare.fuel.f3.cellnet.connector_manager";
    /// Text: URL scheme of the internal listener.
    INTERNAL_SCHEME = "internal_scheme", from "literal:nvflare.fuel.f3.cellnet.connector_manager";
    /// Map: parameters of the internal listener.
    INTERNAL_RESOURCES = "internal_resources", from "literal:nvflare.fuel.f3.cellnet.connector_manager";
    /// Map: the configuration file as read, or the text `none`.
    CONFIG = "config", from "literal:nvflare.fuel.f3.cellnet.connector_manager";
}

wire_table! {
    /// Names of the statistics pools that a cell keeps.
    ///
    /// Pools of the cell itself get `@` and the FQCN as a suffix where the name is taken already, which happens with
    /// several cells in one process. Looked up without regard to case.
    names StatsPool(str) in "cell.stats_pool";

    /// Histogram, seconds, by channel and topic: from a request to its reply, as seen by the requester.
    REQUEST_RESPONSE = "request_response";
    /// Histogram, seconds: how long handlers took.
    REQUEST_PROCESSING = "request_processing";
    /// Histogram, seconds: how long messages were on their way, by the clocks of both ends.
    MSG_TRAVEL = "msg_travel";
    /// Histogram, megabytes: sizes of messages sent.
    SENT_MSG_SIZES = "sent_msg_sizes";
    /// Histogram, megabytes: sizes of messages received.
    RECEIVED_MSG_SIZES = "received_msg_sizes";
    /// Counters of messages sent, by outcome.
    SENT_MSG_COUNTERS = "sent_msg_counters";
    /// Counters of messages received, by outcome.
    RECEIVED_MSG_COUNTERS = "received_msg_counters";
    /// Histogram, megabytes: sizes of streams sent.
    SENT_STREAM_SIZES = "sent_stream_sizes";
    /// Histogram, megabytes: sizes of streams received.
    RECEIVED_STREAM_SIZES = "received_stream_sizes";
    /// Counters of streams sent.
    SENT_STREAM_COUNTERS = "sent_stream_counters";
    /// Counters of streams received.
    RECEIVED_STREAM_COUNTERS = "received_stream_counters";
    /// Histogram, seconds: how long it took to hand a frame to its connection.
    SFM_SEND_FRAME = "sfm_send_frame", from "literal:nvflare.fuel.f3.sfm.conn_manager";
}

wire_table! {
    /// What a histogram table shows in its cells; any word that starts like the first three is taken for them.
    names StatsMode(str) in "cell.stats_mode", from "nvflare.fuel.f3.stats_pool:StatsMode";

    /// How many values fell into the bin. The default.
    COUNT = "count";
    /// Which part of all values fell into the bin, from 0 to 1.
    PERCENT = "percent";
    /// Mean of the values in the bin.
    AVERAGE = "avg";
    /// Smallest value in the bin.
    MIN = "min";
    /// Largest value in the bin.
    MAX = "max";
}

wire_table! {
    /// Names of the counters in the pools `sent_msg_counters` and `received_msg_counters`; columns of their tables.
    ///
    /// Return codes are counted under their own names beside these, so any other word may be a counter too.
    names StatsCounter(str) in "cell.stats_counter", from "nvflare.fuel.f3.cellnet.core_cell:_CounterName";

    /// A message went out.
    SENT = "sent";
    /// A request of this cell came back undelivered.
    RETURN = "return";
    /// A message of others was passed on, or should have been.
    FORWARD = "forward";
    /// A reply came when nobody waited for it any more.
    LATE = "late";
    /// A message came in.
    RECEIVED = "received";
    /// A request was answered.
    REPLIED = "replied";
    /// The handler of a request gave no answer.
    REPLY_NONE = "no_reply:none";
    /// Declared by the reference and not counted.
    NO_REPLY_LATE = "no_reply:late", unspoken;
    /// The handler of a request gave an answer that the requester had not asked for.
    REPLY_NOT_EXPECTED = "no_reply_expected";
    /// Declared by the reference and not counted.
    REQ_FILTER_ERROR = "req_filter_error", unspoken;
    /// Declared by the reference and not counted.
    REP_FILTER_ERROR = "rep_filter_error", unspoken;
}
