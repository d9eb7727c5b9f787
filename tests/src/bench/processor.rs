//! Time that another process has had on processors, as the kernel counts it.

use core::time::Duration;

use anyhow::Context as _;

use super::memory::read;

/// Ticks of a second in what the kernel tells programs (`USER_HZ`), whatever its own clock does.
const TICKS: u32 = 100;

/// Where the ticks of the program and of the kernel for it stand in `stat` after the name, see proc(5).
const TIMES: core::ops::Range<usize> = 11..13;

/// What the process `id` has spent until now with all its threads, those that have ended among them; in ticks of 10 ms.
///
/// # Errors
///
/// If there is no such process.
pub fn spent(id: u32) -> anyhow::Result<Duration> {
    // The name stands in parentheses, and may have anything in it.
    let text = read(id, "stat")?;
    let (_, fields) = text.rsplit_once(')').context("no name among what the kernel tells")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let times = fields.get(TIMES).context("no times among what the kernel tells")?;
    let ticks: u32 = times.iter().map(|time| time.parse::<u32>()).sum::<Result<_, _>>()?;
    Ok(Duration::from_secs(1) * ticks / TICKS)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_this_process_spends_is_counted() {
        let own = std::process::id();
        let (before, started) = (spent(own).expect("own time"), Instant::now());
        while started.elapsed() < Duration::from_secs(10)
            && spent(own).expect("own time") < before + Duration::from_millis(50)
        {}
        let spent = spent(own).expect("own time") - before;
        assert!(spent >= Duration::from_millis(50) && spent <= started.elapsed() * 64, "{spent:?}");
    }
}
