//! The fixed first 16 bytes of every frame.

use bytes::BufMut;
use fedcell_protocol_defs::frame::{AppId, FrameType, PrefixLayout};

use super::FrameError;

/// The prefix of a frame, as it stands on the wire. No field has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the layout is fixed for as long as the protocol lives")]
pub struct Prefix {
    /// Bytes of the whole frame, prefix included.
    pub length: u32,
    /// Bytes of headers; 0 says that there are none.
    pub header_len: u16,
    /// What the frame is for; a peer may send a type that is not known here.
    pub frame_type: FrameType,
    /// Written as 0, not read.
    pub reserved: u8,
    /// Written as 0, not read.
    pub flags: u16,
    /// The application that the frame is for.
    pub app_id: AppId,
    /// Counter of the sending endpoint; informational.
    pub stream_id: u16,
    /// Counter of the sending side of the connection, 1 for the first frame; informational.
    pub sequence: u16,
}

// The fields are read and written in order, so their offsets must be those of the registry.
const _: () = assert!(
    PrefixLayout::LENGTH_OFFSET == 0
        && PrefixLayout::HEADER_LEN_OFFSET == 4
        && PrefixLayout::TYPE_OFFSET == 6
        && PrefixLayout::RESERVED_OFFSET == 7
        && PrefixLayout::FLAGS_OFFSET == 8
        && PrefixLayout::APP_ID_OFFSET == 10
        && PrefixLayout::STREAM_ID_OFFSET == 12
        && PrefixLayout::SEQUENCE_OFFSET == 14
        && PrefixLayout::SIZE == 16
);

impl Prefix {
    /// Bytes of a prefix.
    pub const SIZE: usize = PrefixLayout::SIZE;

    /// Reads the prefix at the start of `bytes`; more bytes may follow.
    ///
    /// # Errors
    ///
    /// [`FrameError::Short`] if there are fewer than 16 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let Some(&[l0, l1, l2, l3, h0, h1, kind, reserved, f0, f1, a0, a1, i0, i1, s0, s1]) =
            bytes.first_chunk::<{ Self::SIZE }>()
        else {
            return Err(FrameError::Short { len: bytes.len() });
        };
        Ok(Self {
            length: u32::from_be_bytes([l0, l1, l2, l3]),
            header_len: u16::from_be_bytes([h0, h1]),
            frame_type: FrameType::new(kind),
            reserved,
            flags: u16::from_be_bytes([f0, f1]),
            app_id: AppId::new(u16::from_be_bytes([a0, a1])),
            stream_id: u16::from_be_bytes([i0, i1]),
            sequence: u16::from_be_bytes([s0, s1]),
        })
    }

    /// The 16 bytes of the prefix.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let mut out = bytes.as_mut_slice();
        out.put_u32(self.length);
        out.put_u16(self.header_len);
        out.put_u8(self.frame_type.get());
        out.put_u8(self.reserved);
        out.put_u16(self.flags);
        out.put_u16(self.app_id.get());
        out.put_u16(self.stream_id);
        out.put_u16(self.sequence);
        bytes
    }

    /// Checks what the prefix states against itself and against `limit`, in bytes of the whole frame.
    ///
    /// # Errors
    ///
    /// [`FrameError::LengthBelowPrefix`], [`FrameError::TooLong`] or [`FrameError::HeadersBeyondFrame`].
    pub fn check(&self, limit: usize) -> Result<(), FrameError> {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        if length < Self::SIZE {
            return Err(FrameError::LengthBelowPrefix { length: self.length });
        }
        if length > limit {
            return Err(FrameError::TooLong { length: self.length, limit });
        }
        if usize::from(self.header_len) > length - Self::SIZE {
            return Err(FrameError::HeadersBeyondFrame { header_len: self.header_len, length: self.length });
        }
        Ok(())
    }
}
