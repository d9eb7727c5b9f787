//! The operating system's random bytes, for the machines that want a generator as an argument.

use core::convert::Infallible;

use fedcell_auth::rand_core::{TryCryptoRng, TryRng};

/// Asks AWS-LC for every byte.
pub(crate) struct SystemRandom;

impl SystemRandom {
    fn bytes<const N: usize>() -> [u8; N] {
        let mut bytes = [0; N];
        aws_lc_rs::rand::fill(&mut bytes).unwrap_or_else(|_| panic!("the system has no random bytes"));
        bytes
    }
}

impl TryRng for SystemRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(Self::bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(Self::bytes()))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        aws_lc_rs::rand::fill(dst).unwrap_or_else(|_| panic!("the system has no random bytes"));
        Ok(())
    }
}

impl TryCryptoRng for SystemRandom {}
