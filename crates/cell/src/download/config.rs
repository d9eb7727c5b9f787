//! Settings of the download service of a cell.

use core::time::Duration;

use fedcell_cell_proto::download::consumer::ConsumerConfig;
use fedcell_cell_proto::download::source::SourceConfig;
use fedcell_protocol_defs::download::Defaults;

/// Settings of the download service of a cell, with the defaults in their documentation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DownloadConfig {
    /// Whether values that are sent as streams leave their arrays behind to be fetched, as in the reference. Default
    /// yes. In values that are sent as one message arrays are always inside.
    pub arrays: bool,
    /// Bytes below which arrays are put together in one piece. Default 2 MiB.
    pub array_piece: u64,
    /// Bytes of a piece of a file or another long byte string. Default 5 MiB.
    pub byte_piece: u64,
    /// How long what a value leaves behind is kept without anybody asking for it. Default 600 s.
    pub lifetime: Duration,
    /// Bounds of what is offered.
    pub source: SourceConfig,
    /// Patience with sources. The default differs from that of the machine: a request may pass a minute without
    /// progress, nine times in a row, so that a lost one is noticed soon and patience is the reference's all the same.
    pub consumer: ConsumerConfig,
    /// Objects of one value that are fetched at a time. Default 4.
    pub concurrency: usize,
}

impl Default for DownloadConfig {
    fn default() -> Self {
        let mut consumer = ConsumerConfig::default();
        consumer.request_timeout = Duration::from_secs(60);
        consumer.retries = 9;
        Self {
            arrays: true,
            array_piece: Defaults::ARRAY_CHUNK_SIZE as u64,
            byte_piece: Defaults::FILE_CHUNK_SIZE as u64,
            lifetime: Duration::from_secs_f64(Defaults::STREAMING_IDLE_TIMEOUT),
            source: SourceConfig::default(),
            consumer,
            concurrency: 4,
        }
    }
}
