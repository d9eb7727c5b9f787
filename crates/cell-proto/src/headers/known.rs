//! The keys of the cell layer by number: reading a header map sorts them once, and nobody searches for them again.

use fedcell_protocol_defs::cell::HeaderKey;

use super::span::fingerprint;

macro_rules! known {
    ($($name:ident = $key:ident;)+) => {
        /// A key that the cell layer itself reads or writes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Known {
            $($name,)+
        }

        impl Known {
            /// The fingerprint of the key.
            pub(super) const fn fingerprint(self) -> u32 {
                match self {
                    $(Self::$name => const { fingerprint(HeaderKey::$key.as_str().as_bytes()) },)+
                }
            }

            /// The key.
            pub(super) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => HeaderKey::$key.as_str(),)+
                }
            }
        }

        const KEYS: [&[u8]; COUNT] = [$(HeaderKey::$key.as_str().as_bytes(),)+];

        /// How many such keys there are.
        pub(super) const COUNT: usize = [$(Known::$name),+].len();
    };
}

known! {
    MsgType = MSG_TYPE;
    ReqId = REQ_ID;
    ReplyExpected = REPLY_EXPECTED;
    Topic = TOPIC;
    Origin = ORIGIN;
    Destination = DESTINATION;
    FromCell = FROM_CELL;
    ToCell = TO_CELL;
    ConnUrl = CONN_URL;
    Channel = CHANNEL;
    ReturnCode = RETURN_CODE;
    Error = ERROR;
    PayloadEncoding = PAYLOAD_ENCODING;
    Route = ROUTE;
    OriginalHeaders = ORIGINAL_HEADERS;
    SendTime = SEND_TIME;
    Secure = SECURE;
    PayloadLen = PAYLOAD_LEN;
    ClearPayloadLen = CLEAR_PAYLOAD_LEN;
    Encrypted = ENCRYPTED;
    Optional = OPTIONAL;
    ServerTransitRequired = SERVER_TRANSIT_REQUIRED;
}

/// Slots of the table below; enough for keys not to meet in one.
const SLOTS: usize = 256;

/// Which bits of a fingerprint give the slot: the first choice by which no two keys meet.
const SHIFT: u32 = {
    let mut shift = 0;
    // Were there none, shifting by 32 would end the compilation.
    while do_keys_meet(shift) {
        shift += 1;
    }
    shift
};

/// The number of the key in each slot, counted from 1; 0 for none.
#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "done by the compiler")]
const TABLE: [u8; SLOTS] = {
    let mut table = [0; SLOTS];
    let mut number = 0;
    while number < COUNT {
        table[slot(fingerprint(KEYS[number]), SHIFT)] = number as u8 + 1;
        number += 1;
    }
    table
};

const fn slot(fingerprint: u32, shift: u32) -> usize {
    (fingerprint >> shift) as usize & (SLOTS - 1)
}

#[expect(clippy::indexing_slicing, reason = "done by the compiler")]
const fn do_keys_meet(shift: u32) -> bool {
    let mut is_taken = [false; SLOTS];
    let mut number = 0;
    while number < COUNT {
        let slot = slot(fingerprint(KEYS[number]), shift);
        if is_taken[slot] {
            return true;
        }
        is_taken[slot] = true;
        number += 1;
    }
    false
}

/// The number of a key with this fingerprint, if it is one of the cell layer.
#[inline]
pub(super) fn number_of(key: &[u8], fingerprint: u32) -> Option<usize> {
    let number = usize::from(*TABLE.get(slot(fingerprint, SHIFT))?).checked_sub(1)?;
    KEYS.get(number).is_some_and(|known| *known == key).then_some(number)
}

/// Where the entries with known keys are in the list of a map. An entry far behind is marked as such: then the list has
/// to be searched.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Places([u8; COUNT]);

/// Where a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Nowhere,
    At(usize),
    FarBehind,
}

const FAR_BEHIND: u8 = u8::MAX;

impl Places {
    #[inline]
    pub(super) fn of(&self, number: usize) -> Place {
        match self.0.get(number) {
            None | Some(0) => Place::Nowhere,
            Some(&FAR_BEHIND) => Place::FarBehind,
            Some(place) => Place::At(usize::from(*place) - 1),
        }
    }

    #[inline]
    pub(super) fn set(&mut self, number: usize, at: usize) {
        if let Some(place) = self.0.get_mut(number) {
            *place = u8::try_from(at + 1).unwrap_or(FAR_BEHIND);
        }
    }

    /// The entry at `at` has been taken out of the list.
    pub(super) fn close_gap(&mut self, at: usize) {
        for place in self.0.iter_mut().filter(|place| !matches!(**place, 0 | FAR_BEHIND)) {
            match usize::from(*place).cmp(&(at + 1)) {
                core::cmp::Ordering::Less => {}
                core::cmp::Ordering::Equal => *place = 0,
                core::cmp::Ordering::Greater => *place -= 1,
            }
        }
    }

    /// The entry of a key has been taken out of the list, wherever it was.
    pub(super) fn clear(&mut self, number: usize) {
        if let Some(place) = self.0.get_mut(number) {
            *place = 0;
        }
    }
}
