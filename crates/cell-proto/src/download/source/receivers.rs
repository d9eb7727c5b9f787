//! Who is expected to fetch a transaction.

use crate::address::FqcnBuf;

/// Who is expected to fetch a transaction, and when it is therefore complete.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Receivers {
    /// Nobody knows: the transaction ends by its timeout or by being deleted, and is never certified.
    Unknown,
    /// So many, whoever they are.
    Count(usize),
    /// These. Others may fetch too and complete nothing.
    Named(Box<[FqcnBuf]>),
}

impl Receivers {
    /// These, each once; unknown if there are none.
    #[must_use]
    pub fn named(receivers: impl IntoIterator<Item = FqcnBuf>) -> Self {
        let mut known: Vec<FqcnBuf> = Vec::new();
        for receiver in receivers {
            if !known.contains(&receiver) {
                known.push(receiver);
            }
        }
        if known.is_empty() { Self::Unknown } else { Self::Named(known.into()) }
    }

    /// How many; zero if unknown.
    #[must_use]
    pub const fn count(&self) -> usize {
        match self {
            Self::Unknown => 0,
            Self::Count(count) => *count,
            Self::Named(named) => named.len(),
        }
    }

    /// Those that are known by name.
    #[must_use]
    pub const fn names(&self) -> &[FqcnBuf] {
        match self {
            Self::Named(named) => named,
            Self::Unknown | Self::Count(_) => &[],
        }
    }
}
