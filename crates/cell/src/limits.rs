//! Bounds and waiting times of one cell. Every queue and table that a peer can fill has one.

use core::time::Duration;

use fedcell_cell_proto::frame::FrameLimits;
use fedcell_cell_proto::stream::StreamConfig;
use fedcell_protocol_defs::cell::CellLimit;
use fedcell_protocol_defs::frame::LinkDefaults;
use fedcell_protocol_defs::stream::Defaults;

/// Bounds and waiting times of one cell, with the defaults in their documentation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest frames, in bytes. Before the handshake 64 KiB, afterwards what the reference accepts.
    pub frames: FrameLimits,
    /// Connections whose peer is not known yet. Default 512; when there are more, the oldest one is closed.
    pub unknown_peers: usize,
    /// The same for each address. Default 128.
    pub unknown_peers_per_address: usize,
    /// How long a peer may take for the TLS handshake. Default 10 s.
    pub tls_handshake: Duration,
    /// How long a dialled peer may take to accept the connection, and again for the TLS handshake. Default 10 s.
    pub dial: Duration,
    /// How long to wait before a neighbour is dialled again, at first; the wait doubles with each attempt. Default 1 s, as in
    /// the reference.
    pub redial_first: Duration,
    /// The same, at most. A connection that lasted longer starts the waits over. Default 10 s.
    pub redial_longest: Duration,
    /// Bytes that wait to leave on one connection before senders wait. Default 16 MiB.
    pub outgoing_soft: usize,
    /// Bytes of streams of others that wait to leave on one connection before the connections that bring them are read
    /// more slowly. Default 4 MiB.
    pub passing_soft: usize,
    /// Bytes that wait to leave on one connection before no more frames are taken: a request of this cell fails then, one
    /// of others is sent back. Default 128 MiB, which hardly anything but messages passed on for others can reach.
    pub outgoing_hard: usize,
    /// Bytes that wait to leave on all connections of the cell together; when there are more, a connection takes one
    /// frame at a time. Default 512 MiB.
    pub outgoing_total: usize,
    /// How long a peer may take no byte before its connection is closed. Default 30 s.
    pub send_stall: Duration,
    /// How long one peer that takes nothing holds up others whose messages it should get. Default 5 s.
    pub patience: Duration,
    /// How often the certificate of a connected peer is verified again, and in any case when its time is over. Default
    /// 600 s.
    pub certificate_recheck: Duration,
    /// Largest request or reply that is collected from a stream, in bytes. Default 4 GiB, as in the reference.
    pub blob_size: u64,
    /// Bytes of all requests and replies that are being collected from streams. Default 16 GiB; what goes beyond is
    /// refused.
    pub blobs_total: u64,
    /// Chunks, windows, waiting times and bounds of streams. Default: those of [`StreamConfig`], with chunks of 256 KiB, of
    /// which two at least are on their way.
    pub streams: StreamConfig,
    /// Handlers that run at a time, in the whole cell. Default 1024.
    pub handlers: usize,
    /// Requests of one neighbour that wait for their handler before no more are read. Default 16 384.
    pub waiting_requests: usize,
    /// Bytes of such requests. Default 32 MiB.
    pub waiting_bytes: usize,
    /// Bytes of such requests of all neighbours together; when there are more, a neighbour that has 64 KiB of them is read
    /// no further. Default 256 MiB.
    pub waiting_total: usize,
    /// How long a stopping cell waits for the answers to its goodbye. Default 0.5 s, as in the reference.
    pub goodbye: Duration,
    /// How long a stopping cell waits for its handlers and for queued frames to leave, once its streams, which it waits for
    /// as long as something of them moves, have left. Default 5 s.
    pub drain: Duration,
}

/// Streams that keep small messages prompt. A chunk is not interrupted, and what is on its way is before whatever comes
/// next: a quarter of what the reference takes for a chunk is a compromise between that and the cost of each chunk.
fn prompt_streams() -> StreamConfig {
    let mut streams = StreamConfig::default();
    streams.chunk_size = Defaults::CHUNK_SIZE / 4;
    streams.ack_interval = streams.chunk_size as u64;
    streams.least_in_flight = 2 * streams.chunk_size as u64;
    streams
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            frames: FrameLimits::default(),
            unknown_peers: 512,
            unknown_peers_per_address: 128,
            tls_handshake: Duration::from_secs(10),
            dial: Duration::from_secs(10),
            redial_first: Duration::from_secs(LinkDefaults::RECONNECT_INIT_WAIT),
            redial_longest: Duration::from_secs(LinkDefaults::RECONNECT_MAX_WAIT),
            outgoing_soft: 16 * MIB,
            passing_soft: 4 * MIB,
            outgoing_hard: 128 * MIB,
            outgoing_total: 512 * MIB,
            send_stall: Duration::from_secs_f64(LinkDefaults::SEND_TIMEOUT),
            patience: Duration::from_secs(5),
            certificate_recheck: Duration::from_secs(600),
            blob_size: Defaults::MAX_BLOB_SIZE,
            blobs_total: 4 * Defaults::MAX_BLOB_SIZE,
            streams: prompt_streams(),
            handlers: 1024,
            waiting_requests: 16_384,
            waiting_bytes: 32 * MIB,
            waiting_total: 256 * MIB,
            goodbye: Duration::from_secs_f64(CellLimit::BYE_TIMEOUT),
            drain: Duration::from_secs(5),
        }
    }
}
