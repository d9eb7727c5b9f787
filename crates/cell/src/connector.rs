//! The task that keeps one connection to a neighbour: it dials, waits for the end, and dials again.

use std::io;
use std::sync::Arc;

use tokio::time::{Instant, sleep};

use crate::backoff::Backoff;
use crate::driver::{DialContext, Facts, Link};
use crate::random::SystemRandom;

/// Failures in a row after which they are worth a warning; a peer that is just starting is not.
const QUIET_FAILURES: u32 = 3;

/// Dials until it is dropped. `run` gets each connection and ends with it, `failed` each attempt that brought none.
pub(crate) async fn connect_loop<F, R>(dial: Arc<DialContext>, run: F, failed: impl Fn(&io::Error))
where
    F: Fn(Link, Facts) -> R,
    R: Future<Output = ()>,
{
    let mut backoff = Backoff::new(dial.redial.0, dial.redial.1);
    let mut random = SystemRandom::new();
    let mut failures = 0;
    loop {
        let started = Instant::now();
        match dial.dial().await {
            Ok((link, facts)) => {
                failures = 0;
                run(link, facts).await;
            }
            Err(error) => {
                failures += 1;
                report(&dial, &error, failures);
                failed(&error);
            }
        }
        sleep(backoff.after(started.elapsed(), random.fraction())).await;
    }
}

fn report(dial: &DialContext, error: &io::Error, failures: u32) {
    // Waiting longer does not turn a certificate into another.
    if failures == QUIET_FAILURES
        || matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidData)
    {
        tracing::warn!(url = %dial.url, %error, failures, "cannot connect");
    } else {
        tracing::debug!(url = %dial.url, %error, failures, "cannot connect");
    }
}
