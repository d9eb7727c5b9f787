//! The agent protocol that the Client API replaces.
//!
//! Nothing here is spoken by this project. The words are registered so that a test can show that none of the Client
//! API's collides with them: both may be in use on one cell.

use crate::table::wire_table;

wire_table! {
    /// The channel of the legacy agent protocol.
    names LegacyChannel(str) in "client_api.legacy_channel";

    /// Requests between an agent process and its job.
    FLARE_AGENT = "flare_agent", from "nvflare.client.ipc.defs:CHANNEL";
}

wire_table! {
    /// Topics on [`LegacyChannel::FLARE_AGENT`].
    names LegacyTopic(str) in "client_api.legacy_topic";

    /// Job to agent, request: here is a task.
    GET_TASK = "get_task", from "nvflare.client.ipc.defs:TOPIC_GET_TASK";
    /// Agent to job, request: here is its result.
    SUBMIT_RESULT = "submit_result", from "nvflare.client.ipc.defs:TOPIC_SUBMIT_RESULT";
    /// Job to agent, request: are you alive?
    HEARTBEAT = "heartbeat", from "nvflare.client.ipc.defs:TOPIC_HEARTBEAT";
    /// Declared by the reference and never sent.
    HELLO = "hello", from "nvflare.client.ipc.defs:TOPIC_HELLO";
    /// Job to agent: the job ends.
    BYE = "bye", from "nvflare.client.ipc.defs:TOPIC_BYE";
    /// Job to agent: drop the task.
    ABORT = "abort", from "nvflare.client.ipc.defs:TOPIC_ABORT";
}
