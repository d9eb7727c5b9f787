//! Why something could not be kept in the outbox.

/// Why a task or a result could not be kept, read or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// As much waits for the server as may.
    #[error(
        "the outbox is full, {entries} tasks and {bytes} bytes wait: see why the server does not take them, or raise \
         the limits"
    )]
    Full {
        /// Tasks that were begun and results.
        entries: usize,
        /// Bytes of all results.
        bytes: u64,
    },
    /// The disk does not do what it must.
    #[error("the outbox on disk cannot be used")]
    Disk(#[from] fedcell_durable::Error),
}
