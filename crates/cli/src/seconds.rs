//! Times on a command line: seconds, with parts of them.

use core::time::Duration;

/// A time that may be nothing at all.
pub(crate) fn any(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or("expected seconds")
}

/// A time in which something can happen.
pub(crate) fn some(text: &str) -> Result<Duration, &'static str> {
    any(text).ok().filter(|time| !time.is_zero()).ok_or("expected seconds, more than 0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, is_any: bool, is_some: bool) {
        assert_eq!((any(text).is_ok(), some(text).is_ok()), (is_any, is_some));
    }

    #[test]
    fn only_times_are_taken() {
        check("0.5", true, true);
        check("0", true, false);
        for text in ["-1", "NaN", "inf", "1e30", "soon", ""] {
            check(text, false, false);
        }
    }
}
