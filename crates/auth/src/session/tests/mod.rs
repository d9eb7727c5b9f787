//! Tests of the session proofs that need more than one of its files, and what they share.

mod attacks;
mod golden;
mod handshake;
mod hygiene;
mod model;
mod properties;
mod threads;

use core::convert::Infallible;
use core::time::Duration;
use std::io::Write;
use std::sync::{Arc, Mutex};

use rand_core::{TryCryptoRng, TryRng};

use super::{ScopeText, SessionLimits, SessionToken, SessionTokenManager, TokenScope};
use crate::time::UnixTime;

/// A generator whose output a test can repeat (SplitMix64).
pub(super) struct Seeded(pub(super) u64);

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|wide| (wide >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(mixed ^ (mixed >> 31))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Seeded {}

pub(super) const TOKEN: &str = "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e";

pub(super) const SCOPE: ScopeText<'static> = ScopeText {
    job_id: "17",
    site_name: "site-1",
    attach_id: "attach-1",
    target_fqcn: "site-1.17",
    trainer_fqcn: "site-1.-client_api_attach-1",
    rank_policy: "0",
};

pub(super) fn scope() -> TokenScope {
    TokenScope::new(SCOPE).unwrap()
}

pub(super) fn token(text: &str) -> SessionToken {
    SessionToken::from_text(text.to_owned()).unwrap()
}

pub(super) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_epoch(Duration::from_secs(1_800_000_000 + seconds))
}

pub(super) fn manager(limits: SessionLimits) -> SessionTokenManager {
    SessionTokenManager::new(scope(), token(TOKEN), limits, at(0)).unwrap()
}

/// Runs `work` and gives back what it logged at any level.
pub(super) fn logged<T>(work: impl FnOnce() -> T) -> (T, String) {
    let sink = Sink::default();
    let writer = sink.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let result = tracing::subscriber::with_default(subscriber, work);
    let bytes = sink.0.lock().unwrap().clone();
    (result, String::from_utf8(bytes).unwrap())
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
