//! Which part of an object follows a state.

use fedcell_fobs::{Map, Text, Value};
use fedcell_protocol_defs::download::{ArrayStateKey, Defaults, FileStateKey};

/// What an object is, as far as cutting it into pieces goes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offer {
    /// A list of items that are never cut, such as archives of arrays.
    Items {
        /// Bytes of each as it is sent.
        lengths: Box<[u64]>,
        /// Bytes below which items are put together; one larger item is a piece by itself.
        piece: u64,
    },
    /// One long byte string, such as a file.
    Bytes {
        /// Its length.
        length: u64,
        /// Bytes of a piece.
        piece: u64,
    },
    /// Something that only the application knows how to cut.
    Other,
}

impl Offer {
    /// A list of items with the reference's size of pieces.
    #[must_use]
    pub fn items(lengths: impl Into<Box<[u64]>>) -> Self {
        Self::Items { lengths: lengths.into(), piece: Defaults::ARRAY_CHUNK_SIZE as u64 }
    }

    /// A long byte string with the reference's size of pieces.
    #[must_use]
    pub const fn bytes(length: u64) -> Self {
        Self::Bytes { length, piece: Defaults::FILE_CHUNK_SIZE as u64 }
    }

    /// The part that follows a state; none stands for the beginning. `wanted` is how many bytes a piece should have at
    /// least, if the receiver likes larger pieces than the offer has.
    #[must_use]
    pub fn plan(&self, state: Option<&Map>, wanted: u64) -> Plan {
        match self {
            Self::Items { lengths, piece } => items(lengths, wanted.max(*piece), state),
            Self::Bytes { length, piece } => bytes(*length, wanted.max(*piece), state),
            Self::Other => Plan::Ask { state: state.cloned() },
        }
    }

    /// The states behind that of a plan, at most `most`: with each of them there is a piece to be asked for.
    #[must_use]
    pub fn ahead(&self, plan: &Plan, wanted: u64, most: usize) -> Vec<Map> {
        let after = |state: &Map| self.plan(Some(state), wanted).state().cloned();
        let states = core::iter::successors(plan.state().cloned(), after);
        let mut states: Vec<Map> = states.skip(1).take(most.saturating_add(1)).collect();
        // Of the last it is not known whether a piece follows.
        states.pop();
        states
    }
}

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Plan {
    /// These items.
    Items {
        /// Index of the first.
        first: usize,
        /// How many; at least one.
        count: usize,
        /// The state that goes with them.
        state: Map,
    },
    /// This part of the byte string.
    Bytes {
        /// Where it begins.
        offset: u64,
        /// How long it is; at least one byte.
        length: u64,
        /// The state that goes with it.
        state: Map,
    },
    /// The application is to be asked.
    Ask {
        /// What the receiver sent.
        state: Option<Map>,
    },
    /// Nothing: the receiver has everything.
    Complete,
    /// Nothing: the state is none that this object ever had. The receiver is told that the source failed.
    Failed,
    /// Nothing: the state has values of the wrong kind. Answered as an exception.
    Broken,
}

impl Plan {
    /// The state that goes with a part; none if it is the application that makes it up, or if nothing is to be sent.
    #[must_use]
    pub const fn state(&self) -> Option<&Map> {
        match self {
            Self::Items { state, .. } | Self::Bytes { state, .. } => Some(state),
            _ => None,
        }
    }
}

fn items(lengths: &[u64], piece: u64, state: Option<&Map>) -> Plan {
    let field = |key: ArrayStateKey<'_>| number(state, key.as_str());
    let (Some(start), Some(count)) = (field(ArrayStateKey::START), field(ArrayStateKey::COUNT)) else {
        return Plan::Broken;
    };
    let first = usize::try_from(start.saturating_add(count)).unwrap_or(usize::MAX);
    let Some((next, rest)) = lengths.get(first..).and_then(<[u64]>::split_first) else { return Plan::Complete };
    let mut total = *next;
    let more = rest.iter().take_while(|length| {
        total = total.saturating_add(**length);
        total < piece
    });
    let count = 1 + more.count();
    let mut state = Map::with_capacity(2);
    state.insert(Text::from_static(ArrayStateKey::START.as_str()), first as u64);
    state.insert(Text::from_static(ArrayStateKey::COUNT.as_str()), count as u64);
    Plan::Items { first, count, state }
}

fn bytes(length: u64, piece: u64, state: Option<&Map>) -> Plan {
    let Some(offset) = number(state, FileStateKey::RECEIVED_BYTES.as_str()) else { return Plan::Failed };
    let left = length.saturating_sub(offset);
    if left == 0 {
        return Plan::Complete;
    }
    let length = left.min(piece.max(1));
    let mut state = Map::with_capacity(1);
    state.insert(Text::from_static(FileStateKey::RECEIVED_BYTES.as_str()), offset.saturating_add(length));
    Plan::Bytes { offset, length, state }
}

/// A number of a state that is not negative, zero if the key is missing.
fn number(state: Option<&Map>, key: &str) -> Option<u64> {
    match state.and_then(|state| state.get(key)) {
        None => Some(0),
        Some(Value::Int(number)) => u64::try_from(*number).ok(),
        Some(Value::UInt(number)) => Some(*number),
        Some(_) => None,
    }
}
