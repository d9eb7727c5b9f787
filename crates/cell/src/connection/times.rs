//! How long it takes to hand frames to the system, for the statistics.

use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use fedcell_cell_proto::stats::{Categories, HistogramMode, HistogramPool, Marks, Table};

use crate::driver::TransportKind;

/// Times of writes, by transport, of all connections of a cell. What leaves with one call is counted once.
#[derive(Debug)]
pub(crate) struct WriteTimes {
    pools: Mutex<(Categories, HistogramPool)>,
}

/// Transports are few.
const CATEGORIES: usize = 16;

impl WriteTimes {
    pub(crate) fn new() -> Self {
        Self { pools: Mutex::new((Categories::new(CATEGORIES), HistogramPool::new(Marks::SECONDS))) }
    }

    pub(super) fn record(&self, transport: TransportKind, took: Duration) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let category = pools.0.named(transport.driver_name());
        pools.1.record(category, took.as_secs_f64());
    }

    /// As the network commands show it.
    pub(crate) fn table(&self, mode: HistogramMode) -> Table {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.1.table(&pools.0, mode)
    }
}
