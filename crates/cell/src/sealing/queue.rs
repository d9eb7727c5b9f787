//! Work in queues by the cell that it is about, each worked off by one task that ends with its queue.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fedcell_cell_proto::address::FqcnBuf;

/// Work that may wait for one cell.
const LIMIT: usize = 4096;

/// What became of a piece of work.
pub(super) enum Taken<T> {
    /// It is the first of its queue: a task has to be started.
    First,
    /// The task of its queue will come to it.
    Behind,
    /// Too much waits.
    Refused(Box<T>),
}

/// Queues by cell. A queue exists while its task does.
pub(super) struct Queues<T> {
    by_cell: Mutex<HashMap<FqcnBuf, VecDeque<T>>>,
}

impl<T> Default for Queues<T> {
    fn default() -> Self {
        Self { by_cell: Mutex::default() }
    }
}

impl<T> Queues<T> {
    fn lock(&self) -> MutexGuard<'_, HashMap<FqcnBuf, VecDeque<T>>> {
        self.by_cell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, cell: &FqcnBuf, work: T) -> Taken<T> {
        let mut queues = self.lock();
        match queues.get_mut(cell) {
            Some(queue) if queue.len() >= LIMIT => Taken::Refused(Box::new(work)),
            Some(queue) => {
                queue.push_back(work);
                Taken::Behind
            }
            None => {
                queues.insert(cell.clone(), VecDeque::from([work]));
                Taken::First
            }
        }
    }

    /// The next work; none ends the queue and its task.
    pub(super) fn pop(&self, cell: &FqcnBuf) -> Option<T> {
        let mut queues = self.lock();
        let next = queues.get_mut(cell)?.pop_front();
        if next.is_none() {
            queues.remove(cell);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_lives_as_long_as_its_task() {
        let queues = Queues::default();
        let cell = FqcnBuf::parse("site-1").unwrap();
        assert!(matches!(queues.push(&cell, 1), Taken::First));
        assert_eq!(queues.pop(&cell), Some(1));
        // The task is at work: what comes now is behind.
        assert!(matches!(queues.push(&cell, 2), Taken::Behind));
        assert_eq!((queues.pop(&cell), queues.pop(&cell)), (Some(2), None));
        assert!(matches!(queues.push(&cell, 3), Taken::First));
    }

    #[test]
    fn too_much_is_refused() {
        let queues = Queues::default();
        let cell = FqcnBuf::parse("site-1").unwrap();
        let refused = (0..=LIMIT).filter(|&work| matches!(queues.push(&cell, work), Taken::Refused(_))).count();
        assert_eq!(refused, 1);
    }
}
