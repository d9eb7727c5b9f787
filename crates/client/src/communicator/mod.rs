//! The Communicator: what a site says to its server, from registration to goodbye.
//!
//! ```text
//!   Config ─► Communicator ── register ─► credential ─► on every message that the server looks at
//!                 │            ▲ again when the server has forgotten us
//!                 ├── send_heartbeat, heartbeats
//!                 ├── sync_runner, pull_task, check_task, submit_update
//!                 ├── offer: the sites below this one ask it, as it asks its parent
//!                 └── quit
//! ```

mod children;
mod config;
mod error;
mod heartbeat;
mod machine;
mod register;
mod task;
mod wording;

pub use children::{ChildEvent, Offer};
pub use config::Config;
pub use error::{HeartbeatError, QuitError, RegisterError, Step};
pub use heartbeat::{HeartbeatReply, Jobs};
pub use machine::{Communicator, Registered};
pub use task::{Pulled, Task, TaskError};
