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

    /// Size of the whole prefix.
    SIZE: usize = 16, from "nvflare.fuel.f3.sfm.prefix:PREFIX_LEN";
    /// Offset of the total length of the frame, prefix included.
    LENGTH_OFFSET: usize = 0, from "struct:nvflare.fuel.f3.sfm.prefix:PREFIX_STRUCT:0:offset";
}
