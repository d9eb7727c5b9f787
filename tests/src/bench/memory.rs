//! Memory of another process, as the kernel counts it.

use std::fs;

use anyhow::{Context, anyhow};

/// What a process holds at one moment, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Pages in memory, shared ones in full (RSS).
    pub resident: u64,
    /// Pages in memory, shared ones divided among those who share them (PSS).
    pub proportional: u64,
    /// Pages in memory that belong to no file: heap and stacks.
    pub anonymous: u64,
}

/// What the process `id` holds now.
///
/// # Errors
///
/// If there is no such process or it may not be looked at.
pub fn of(id: u32) -> anyhow::Result<Memory> {
    let text = read(id, "smaps_rollup")?;
    Ok(Memory {
        resident: field(&text, "Rss:")?,
        proportional: field(&text, "Pss:")?,
        anonymous: field(&text, "Anonymous:")?,
    })
}

/// The most that the process `id` has had in memory since it began or since [`forget_peak`].
///
/// # Errors
///
/// As [`of`].
pub fn peak(id: u32) -> anyhow::Result<u64> {
    field(&read(id, "status")?, "VmHWM:")
}

/// Lets the peak of the process `id` begin anew from what it holds now.
///
/// # Errors
///
/// If the process may not be written to.
pub fn forget_peak(id: u32) -> anyhow::Result<()> {
    // The fifth command of clear_refs, see proc(5).
    fs::write(format!("/proc/{id}/clear_refs"), "5").with_context(|| format!("cannot reset the peak of process {id}"))
}

/// What the kernel tells about the process `id` in that file.
pub(super) fn read(id: u32, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{id}/{file}");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
}

/// A line `NAME: NUMBER kB`, in bytes.
fn field(text: &str, name: &str) -> anyhow::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let number: u64 = kibibytes.ok_or_else(|| anyhow!("no {name} among what the kernel tells"))?.trim().parse()?;
    Ok(number * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_this_process_follows_what_it_holds() {
        let own = std::process::id();
        let before = of(own).expect("own memory");
        let held = vec![1_u8; 16 << 20];
        let during = of(own).expect("own memory");
        assert!(during.resident >= before.resident + (15 << 20), "{before:?} {during:?} with {}", held.len());
        assert!(peak(own).expect("own peak") >= during.resident - (1 << 20));
    }
}
