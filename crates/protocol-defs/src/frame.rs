//! Frames: what stands on one connection between two neighbours.
//!
//! ```text
//!  0       4      6    7    8      10     12     14     16
//!  ┌───────┬──────┬────┬────┬──────┬──────┬──────┬──────┬─ ─ ─ ─ ┬─ ─ ─ ─ ┐
//!  │length │header│type│ 0  │flags │app id│stream│seq.  │headers │payload │
//!  └───────┴──────┴────┴────┴──────┴──────┴──────┴──────┴─ ─ ─ ─ ┴─ ─ ─ ─ ┘
//!  whole    its                                           one      the rest
//!  frame    bytes                                         msgpack
//!                                                         map
//! ```
//!
//! How two neighbours meet; either may send first once both have the name of the other:
//!
//! ```text
//!  side that dials                              side that listens
//!       │ HELLO {endpoint_name, timestamp, fqcn} ───────► │
//!       │ ◄─────── READY {endpoint_name, timestamp, fqcn} │
//!       │ DATA, app id 1 ───────────────────────────────► │
//!       │ ◄─────────────────────────────── DATA, app id 1 │
//!       │ PING (nothing moved for a minute) ────────────► │
//!       │ ◄────────────────────────────────────────── PONG │
//! ```

use crate::table::wire_table;

wire_table! {
    /// What a frame is for.
    ///
    /// The side that dials sends [`HELLO`](Self::HELLO) first, the side that listens answers [`READY`](Self::READY);
    /// from then on both send [`DATA`](Self::DATA).
    names FrameType(u8) in "frame.type", from "nvflare.fuel.f3.sfm.constants:Types";

    /// A message between cells: headers, then payload.
    DATA = 1;
    /// Part of a message; declared by the reference and never sent. A receiver logs an error.
    FRAG = 2;
    /// Acknowledgement of a frame; declared by the reference and never sent.
    ACK = 3;
    /// First frame of the side that dialled: its endpoint properties. Sent before anything else.
    HELLO = 4;
    /// Answer to HELLO by the side that listens: its endpoint properties. DATA may follow at once.
    READY = 5;
    /// Heartbeat question, sent when nothing has moved for the heartbeat interval.
    PING = 6;
    /// Heartbeat answer.
    PONG = 7;
}

wire_table! {
    /// Offsets and sizes, in bytes, of the fields of the frame prefix. All fields are unsigned and big endian.
    quantities PrefixLayout in "frame.prefix";

    /// Size of the whole prefix; also the length of the shortest legal frame.
    SIZE: usize = 16, from "nvflare.fuel.f3.sfm.prefix:PREFIX_LEN";
    /// Offset of the total length of the frame, prefix included.
    LENGTH_OFFSET: usize = 0, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:0:offset";
    /// Size of the total length.
    LENGTH_SIZE: usize = 4, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:0:size";
    /// Offset of the number of header bytes; 0 there means that the frame has no headers.
    HEADER_LEN_OFFSET: usize = 4, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:1:offset";
    /// Size of the number of header bytes, hence the cap of 65535 bytes of headers.
    HEADER_LEN_SIZE: usize = 2, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:1:size";
    /// Offset of the [`FrameType`].
    TYPE_OFFSET: usize = 6, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:2:offset";
    /// Size of the frame type.
    TYPE_SIZE: usize = 1, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:2:size";
    /// Offset of a byte that is written as 0 and not read.
    RESERVED_OFFSET: usize = 7, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:3:offset";
    /// Size of the reserved field.
    RESERVED_SIZE: usize = 1, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:3:size";
    /// Offset of the [`FrameFlag`] bits, 0 in practice.
    FLAGS_OFFSET: usize = 8, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:4:offset";
    /// Size of the flags.
    FLAGS_SIZE: usize = 2, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:4:size";
    /// Offset of the [`AppId`].
    APP_ID_OFFSET: usize = 10, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:5:offset";
    /// Size of the application id.
    APP_ID_SIZE: usize = 2, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:5:size";
    /// Offset of the stream id, a counter per endpoint; no receiver reads it.
    STREAM_ID_OFFSET: usize = 12, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:6:offset";
    /// Size of the stream id; the counter wraps to 0.
    STREAM_ID_SIZE: usize = 2, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:6:size";
    /// Offset of the sequence number, a counter per connection that starts at 1; no receiver checks it.
    SEQUENCE_OFFSET: usize = 14, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:7:offset";
    /// Size of the sequence number; the counter wraps to 0.
    SEQUENCE_SIZE: usize = 2, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:7:size";
}

wire_table! {
    /// Bits of the flags field of the prefix.
    ///
    /// The reference declares them and uses none: every frame that it sends has flags 0, and a receiver ignores them.
    names FrameFlag(u16) in "frame.flag", from "nvflare.fuel.f3.sfm.constants:Flags";

    /// Out of band.
    OOB = 0x8000;
    /// An acknowledgement is asked for.
    ACK = 0x4000;
    /// The frame is a request; its id would stand in the headers.
    REQ = 0x2000;
    /// The frame is a response; the id of its request would stand in the headers.
    RESP = 0x1000;
    /// The frame is a publication; its topic would stand in the headers.
    PUB_SUB = 0x0800;
}

wire_table! {
    /// The application on a connection that a frame is for.
    ///
    /// Only two values are ever seen: [`CELL`](Self::CELL) in DATA frames, [`ALL`](Self::ALL) in all others.
    names AppId(u16) in "frame.app_id", from "nvflare.fuel.f3.message:AppIds";

    /// No application in particular: HELLO, READY, PING and PONG.
    ALL = 0;
    /// The default application; a DATA frame for an id that nobody registered is dropped by the receiver.
    DEFAULT = 1;
    /// Reserved for the cell network by the reference, which then uses [`CELL`](Self::CELL) instead.
    CELL_NET = 2;
    /// Reserved for publish and subscribe; never sent.
    PUB_SUB = 3;
    /// The cell network: every DATA frame carries this id.
    CELL = 1, alias "the cell network registers itself under the default id",
        from "nvflare.fuel.f3.cellnet.core_cell:CoreCell.APP_ID";
}

wire_table! {
    /// Keys of the map that is the payload of HELLO and READY, in this order on the wire.
    ///
    /// The receiver takes [`ENDPOINT_NAME`](Self::ENDPOINT_NAME) as the name of its neighbour and keeps the rest as
    /// endpoint properties, uninterpreted.
    names HandshakeKey(str) in "frame.handshake", from "nvflare.fuel.f3.sfm.constants:HandshakeKeys";

    /// Text: the FQCN of the sending cell. Blanks around it are stripped; anything that is no FQCN closes the
    /// connection.
    ENDPOINT_NAME = "endpoint_name";
    /// Float: the sender's clock, in seconds since the epoch. Not checked.
    TIMESTAMP = "timestamp";
    /// Text: the FQCN once more, as an endpoint property.
    FQCN = "fqcn", from "nvflare.fuel.f3.cellnet.defs:CellPropertyKey.FQCN";
}

wire_table! {
    /// Largest frames and messages, in bytes.
    quantities FrameLimit in "frame.limit";

    /// Largest frame, prefix included: 2 GiB less 2 MiB, which is what gRPC can carry. A receiver closes the connection
    /// on a larger length.
    MAX_FRAME_SIZE: usize = 2_145_386_496, from "nvflare.fuel.f3.drivers.net_utils:MAX_FRAME_SIZE";
    /// Most bytes of encoded headers that a frame can have: what the 16-bit header length can say.
    MAX_HEADERS_LEN: usize = 65_535;
    /// Room that the payload limit leaves for headers; [`MAX_HEADERS_LEN`](Self::MAX_HEADERS_LEN) is the true cap.
    MAX_HEADER_SIZE: usize = 1_048_576, from "nvflare.fuel.f3.drivers.net_utils:MAX_HEADER_SIZE";
    /// Largest payload: the frame less prefix and header room. Also the default of the setting `max_message_size`; a
    /// larger message gets the return code `msg_too_big` from the sender's own cell.
    MAX_PAYLOAD_SIZE: usize = 2_144_337_904, from "nvflare.fuel.f3.drivers.net_utils:MAX_PAYLOAD_SIZE";
}

wire_table! {
    /// Numbers of the link layer that a peer can observe: ids, heartbeat and reconnection timing.
    quantities LinkDefaults in "frame.default";

    /// Stream id of HELLO and READY.
    HANDSHAKE_STREAM_ID: u16 = 1, from "literal:nvflare.fuel.f3.sfm.sfm_conn";
    /// Where the stream id counter of an endpoint starts; it is raised before use, so the first DATA or PING has 17.
    RESERVED_STREAM_ID: u16 = 16, from "nvflare.fuel.f3.sfm.sfm_endpoint:RESERVED_STREAM_ID";
    /// Connections kept per endpoint name; a newer one closes the older.
    MAX_CONN_PER_ENDPOINT: usize = 1, from "nvflare.fuel.f3.sfm.sfm_endpoint:MAX_CONN_PER_ENDPOINT";
    /// The one byte of payload in PING and PONG: the msgpack nil.
    HEARTBEAT_PAYLOAD: u8 = 0xc0;
    /// Seconds between two looks at the idle time of all connections.
    HEARTBEAT_TICK: u64 = 5, from "nvflare.fuel.f3.sfm.heartbeat_monitor:HEARTBEAT_TICK";
    /// Seconds without activity after which a PING is sent; default of the setting `heartbeat_interval`.
    HEARTBEAT_INTERVAL: u64 = 60, from "nvflare.fuel.f3.sfm.heartbeat_monitor:DEFAULT_HEARTBEAT_INTERVAL";
    /// Seconds that one send may take before it counts as stalled; default of the setting `sfm_send_stall_timeout`.
    SEND_STALL_TIMEOUT: f64 = 45.0, from "literal:nvflare.fuel.f3.sfm.heartbeat_monitor";
    /// Looks in a row that must find a send stalled; default of the setting `sfm_send_stall_consecutive_checks`.
    SEND_STALL_CONSECUTIVE_CHECKS: u32 = 3,
        from "nvflare.fuel.f3.sfm.heartbeat_monitor:DEFAULT_SEND_STALL_CONSECUTIVE_CHECKS";
    /// Whether a stalled connection is closed; default of the setting `sfm_close_stalled_connection`.
    CLOSE_STALLED_CONNECTION: bool = false,
        from "default:nvflare.fuel.f3.comm_config:CommConfigurator.get_sfm_close_stalled_connection:default";
    /// Seconds that one frame may take to leave on tcp before the connection is closed; default of the setting
    /// `streaming_send_timeout`.
    SEND_TIMEOUT: f64 = 30.0, from "literal:nvflare.fuel.f3.drivers.socket_conn";
    /// Seconds before the first attempt to dial again; doubled after each failure.
    RECONNECT_INIT_WAIT: u64 = 1, from "nvflare.fuel.f3.sfm.conn_manager:INIT_WAIT";
    /// Longest wait, in seconds, between two attempts to dial; a connection that lived longer resets the wait.
    RECONNECT_MAX_WAIT: u64 = 10, from "nvflare.fuel.f3.sfm.conn_manager:MAX_WAIT";
    /// Frames of one connection that a reference peer handles at the same time, hence in any order.
    FRAME_THREAD_POOL_SIZE: usize = 100, from "nvflare.fuel.f3.sfm.conn_manager:FRAME_THREAD_POOL_SIZE";
}
