//! Cores that stay awake while something is measured, for all columns alike.
//!
//! Between two messages of a single caller every core has nothing to do. How long it takes to come back from that is the
//! machine's, and can be several times what the programs under test do: a virtual machine that gives its core away on
//! every pause turns a round trip of bare TCP of 16 µs into one of 60 µs. While an [`Awake`] lives the system is asked for
//! no delay at all, so that the idle loop of the kernel waits by looking. Nobody's program runs for it, no core is taken
//! from anybody, and the columns cannot tell.

use std::fs::{File, OpenOptions};
use std::io::Write;

/// Where Linux takes the longest delay that a core may have in coming back; it counts for as long as the file is open.
const LATENCY: &str = "/dev/cpu_dma_latency";

/// While it lives, cores do not sleep.
#[derive(Debug)]
pub struct Awake(#[expect(dead_code, reason = "held open")] File);

impl Awake {
    /// Keeps the cores awake, if this process may.
    ///
    /// # Errors
    ///
    /// If the system does not offer it, or not to this user.
    pub fn keep() -> std::io::Result<Self> {
        let mut file = OpenOptions::new().write(true).open(LATENCY)?;
        // Microseconds, as a number of 32 bits.
        file.write_all(&0_i32.to_ne_bytes())?;
        Ok(Self(file))
    }
}
