//! The last envelopes of one sender, to tell a repeat from a fresh one.

use std::collections::{HashSet, VecDeque};

/// A window over the ids of the envelopes that were opened last.
#[derive(Debug)]
pub(super) struct ReplayWindow {
    capacity: usize,
    order: VecDeque<u64>,
    seen: HashSet<u64>,
}

impl ReplayWindow {
    /// A capacity of 0 counts as 1.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), order: VecDeque::new(), seen: HashSet::new() }
    }

    /// Notes an id; `false` if it is in the window already.
    pub(super) fn note(&mut self, id: u64) -> bool {
        if !self.seen.insert(id) {
            return false;
        }
        if self.order.len() >= self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.order.push_back(id);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_seen_as_long_as_the_window_reaches() {
        let mut window = ReplayWindow::new(3);
        assert!([1, 2, 3].into_iter().all(|id| window.note(id)));
        assert!(![1, 2, 3].into_iter().any(|id| window.note(id)));
        assert!(window.note(4), "pushes 1 out");
        assert!(!window.note(2));
        assert!(window.note(1));
        assert_eq!((window.order.len(), window.seen.len()), (3, 3));
    }
}
