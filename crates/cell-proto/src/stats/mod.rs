//! Statistics of a cell: counters and histograms by kind, channel and topic, as the network commands show them.
//!
//! ```text
//!  category              <0.0001  0.0001-0.0005 …  overall       a histogram, by channel and topic
//!  req:task:heart_beat        12              3         15
//!
//!  category              sent  ok  timeout                        a counter pool
//!  req:task:heart_beat     15  14        1
//! ```
//!
//! Peers choose channels and topics, so the number of categories is bounded; what is beyond is counted under one name.

mod category;
mod counter;
mod histogram;
mod number;
mod pools;

pub use category::{Categories, CategoryId};
pub use counter::CounterPool;
pub use histogram::{HistogramMode, HistogramPool, Marks};
pub use pools::{CellStats, PoolKind, Traffic};

/// A table as the network commands send it: texts only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Titles of the columns.
    pub headers: Vec<String>,
    /// Rows, each as long as the headers.
    pub rows: Vec<Vec<String>>,
}

#[cfg(test)]
mod tests;
