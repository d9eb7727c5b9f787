//! Processes that do not outlive whoever has started them.

use core::ops::{Deref, DerefMut};
use std::process::Child;

/// A process; it is killed with this value.
#[derive(Debug)]
pub(crate) struct Killed(pub(crate) Child);

impl Deref for Killed {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Killed {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended; nobody is left who could do more.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
