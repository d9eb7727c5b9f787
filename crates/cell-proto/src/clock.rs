//! Clock readings as headers carry them.

use fedcell_auth::UnixTime;

/// Seconds since the epoch with floating point: what stands in `cn__send_time`, in a hop and in a handshake.
pub(crate) fn seconds(now: UnixTime) -> f64 {
    now.saturating_since(UnixTime::from_secs(0)).as_secs_f64()
}
