//! Places for peers that have not said who they are: bounded in number, the oldest silent one gives way.
//!
//! A place is held from the moment a connection is accepted until its handshake is done. Whoever comes always gets one:
//! when there are too many, in all or from one address, the one that has been silent longest is closed. So thousands of
//! connections that never speak cost a bounded number of file descriptors, and an honest peer, whose handshake takes
//! milliseconds, comes through.

use core::net::IpAddr;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// How many peers may be unknown at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AdmissionLimits {
    pub(crate) total: usize,
    pub(crate) per_address: usize,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self { total: 512, per_address: 128 }
    }
}

#[derive(Debug, Default)]
struct Pending {
    /// By order of arrival, so that the first entry is the oldest.
    arrivals: BTreeMap<u64, (IpAddr, Arc<Notify>)>,
    addresses: HashMap<IpAddr, BTreeMap<u64, ()>>,
    next: u64,
    evicted: u64,
}

impl Pending {
    fn remove(&mut self, arrival: u64) -> Option<Arc<Notify>> {
        let (address, notify) = self.arrivals.remove(&arrival)?;
        if let Some(places) = self.addresses.get_mut(&address) {
            places.remove(&arrival);
            if places.is_empty() {
                self.addresses.remove(&address);
            }
        }
        Some(notify)
    }

    fn evict(&mut self, arrival: Option<u64>) {
        if let Some(notify) = arrival.and_then(|arrival| self.remove(arrival)) {
            self.evicted += 1;
            notify.notify_one();
        }
    }
}

/// The places of one cell, shared by its listeners.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    limits: AdmissionLimits,
    pending: Arc<Mutex<Pending>>,
}

impl Admission {
    pub(crate) fn new(limits: AdmissionLimits) -> Self {
        Self { limits, pending: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from `address`.
    pub(crate) fn admit(&self, address: IpAddr) -> Slot {
        let mut pending = self.lock();
        let same = pending.addresses.get(&address);
        if same.is_some_and(|places| places.len() >= self.limits.per_address) {
            let oldest = same.and_then(|places| places.keys().next().copied());
            pending.evict(oldest);
        } else if pending.arrivals.len() >= self.limits.total {
            let oldest = pending.arrivals.keys().next().copied();
            pending.evict(oldest);
        }
        let arrival = pending.next;
        pending.next += 1;
        let notify = Arc::new(Notify::new());
        pending.arrivals.insert(arrival, (address, notify.clone()));
        pending.addresses.entry(address).or_default().insert(arrival, ());
        Slot { admission: self.clone(), arrival, notify }
    }

    /// Closes the oldest silent connection, because the process has run out of descriptors.
    pub(crate) fn make_room(&self) {
        let mut pending = self.lock();
        let oldest = pending.arrivals.keys().next().copied();
        pending.evict(oldest);
    }

    /// Connections that have a place now, and how many had to give theirs up since the start.
    pub(crate) fn counts(&self) -> (usize, u64) {
        let pending = self.lock();
        (pending.arrivals.len(), pending.evicted)
    }
}

/// One place; dropping it frees it.
#[derive(Debug)]
pub(crate) struct Slot {
    admission: Admission,
    arrival: u64,
    notify: Arc<Notify>,
}

impl Slot {
    /// What is notified when the place is needed by somebody else; never after the place was given back.
    pub(crate) fn eviction(&self) -> Arc<Notify> {
        self.notify.clone()
    }

    /// Waits until the place is needed by somebody else.
    pub(crate) async fn evicted(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.admission.lock().remove(self.arrival);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1));

    async fn is_evicted(slot: &Slot) -> bool {
        tokio::select! {
            biased;
            () = slot.evicted() => true,
            () = core::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn the_oldest_of_the_same_address_gives_way() {
        let admission = Admission::new(AdmissionLimits { total: 10, per_address: 2 });
        let elsewhere = admission.admit(THERE);
        let (first, second) = (admission.admit(HERE), admission.admit(HERE));
        let third = admission.admit(HERE);
        assert!(is_evicted(&first).await);
        for kept in [&elsewhere, &second, &third] {
            assert!(!is_evicted(kept).await);
        }
        assert_eq!(admission.counts(), (3, 1));
    }

    #[tokio::test]
    async fn the_oldest_of_all_gives_way() {
        let admission = Admission::new(AdmissionLimits { total: 2, per_address: 2 });
        let (first, second) = (admission.admit(THERE), admission.admit(HERE));
        let third = admission.admit(HERE);
        assert!(is_evicted(&first).await);
        assert!(!is_evicted(&second).await);
        assert!(!is_evicted(&third).await);
    }

    #[tokio::test]
    async fn a_dropped_place_is_free_again() {
        let admission = Admission::new(AdmissionLimits { total: 1, per_address: 1 });
        for _ in 0..3 {
            let slot = admission.admit(HERE);
            assert!(!is_evicted(&slot).await);
        }
        assert_eq!(admission.counts(), (0, 0));
        assert!(admission.lock().addresses.is_empty());
    }

    #[tokio::test]
    async fn running_out_of_descriptors_costs_the_oldest_its_place() {
        let admission = Admission::new(AdmissionLimits::default());
        let (first, second) = (admission.admit(HERE), admission.admit(HERE));
        admission.make_room();
        assert!(is_evicted(&first).await);
        assert!(!is_evicted(&second).await);
    }
}
