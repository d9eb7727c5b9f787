//! The operating system's random bytes, fetched in blocks: a request id must not cost a system call.

use core::convert::Infallible;
use core::fmt;

use fedcell_auth::rand_core::{TryCryptoRng, TryRng};

/// Bytes fetched at a time.
const BLOCK: usize = 1024;

/// A generator of unpredictable bytes, seeded and refilled by the system by way of the TLS provider.
pub struct SystemRandom {
    block: Box<[u8; BLOCK]>,
    used: usize,
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl SystemRandom {
    /// A generator that has fetched nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { block: Box::new([0; BLOCK]), used: BLOCK }
    }

    /// A fraction from 0 to 1, for waiting times that should not coincide.
    pub(crate) fn fraction(&mut self) -> f64 {
        let mut bytes = [0; 4];
        self.take(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
    }

    /// Microseconds within a second.
    pub(crate) fn micros(&mut self) -> u128 {
        let mut bytes = [0; 4];
        self.take(&mut bytes);
        u128::from(u32::from_le_bytes(bytes) % 1_000_000)
    }

    fn take(&mut self, wanted: &mut [u8]) {
        if wanted.len() > BLOCK {
            fetch(wanted);
            return;
        }
        if wanted.len() > BLOCK - self.used {
            fetch(self.block.as_mut_slice());
            self.used = 0;
        }
        let end = self.used + wanted.len();
        let fresh = &mut self.block[self.used..end];
        wanted.copy_from_slice(fresh);
        // What has been given out must not be readable here any more.
        fresh.fill(0);
        self.used = end;
    }
}

/// # Panics
///
/// If the system has no random bytes: nothing that needs them may go on then.
fn fetch(bytes: &mut [u8]) {
    let source = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    assert!(source.fill(bytes).is_ok(), "the operating system gives no random bytes");
}

impl TryRng for SystemRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.take(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.take(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.take(bytes);
        Ok(())
    }
}

impl TryCryptoRng for SystemRandom {}

impl fmt::Debug for SystemRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemRandom").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use fedcell_auth::rand_core::Rng;

    use super::*;

    #[test]
    fn gives_out_no_byte_twice() {
        let mut random = SystemRandom::new();
        let seen: HashSet<[u8; 16]> = (0..1000)
            .map(|_| {
                let mut id = [0; 16];
                random.fill_bytes(&mut id);
                id
            })
            .collect();
        assert_eq!(seen.len(), 1000);
        assert!(random.block[..random.used].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn fills_more_than_a_block() {
        let mut bytes = [0; 3 * BLOCK];
        SystemRandom::new().fill_bytes(&mut bytes);
        assert!(bytes.chunks(64).all(|chunk| chunk.iter().any(|&byte| byte != 0)));
    }

    #[test]
    fn fractions_stay_between_zero_and_one() {
        let mut random = SystemRandom::new();
        assert!((0..1000).map(|_| random.fraction()).all(|fraction| (0.0..=1.0).contains(&fraction)));
    }
}
