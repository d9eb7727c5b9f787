//! The workflow of a job on its cell `server.JOB`: sites ask for tasks and bring results.

mod error;
mod service;
mod wording;

pub use error::TaskServiceError;
pub use service::TaskService;
