//! A log and a folder of entries, stopped at every step and started again on what the disk has kept.

use fedcell_durable::bincode::{Decode, Encode};
use fedcell_durable::{Entries, Error, Files, Log, SimulatedDisk};
use proptest::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "fedcell_durable::bincode")]
struct Head {
    number: u32,
    text: String,
}

type Stored = (Head, Vec<u8>);

fn head(number: usize) -> Head {
    Head { number: u32::try_from(number).unwrap(), text: format!("record {number}") }
}

fn records(sizes: &[usize]) -> Vec<Stored> {
    sizes.iter().enumerate().map(|(at, size)| (head(at), vec![u8::try_from(at % 251).unwrap(); *size])).collect()
}

/// A source of choices that a failing test can print.
fn choices(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |most| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % (most + 1)
    }
}

fn open(disk: &SimulatedDisk) -> Result<(Log<SimulatedDisk, Head>, Vec<Stored>), Error> {
    let mut seen = Vec::new();
    let (log, replay) = Log::open(disk.clone(), "log", |head, body| seen.push((head, body)))?;
    assert_eq!(replay.records, seen.len() as u64);
    Ok((log, seen))
}

/// Appends all; how many were confirmed.
fn append_all(disk: &SimulatedDisk, records: &[Stored]) -> usize {
    let Ok((mut log, _)) = open(disk) else { return 0 };
    records.iter().take_while(|(head, body)| log.append(head, &[body]).is_ok()).count()
}

#[track_caller]
fn check_log(records: &[Stored], steps: u64, seed: u64) {
    let disk = SimulatedDisk::new();
    disk.stop_after(steps);
    let confirmed = append_all(&disk, records);
    let after = disk.crash(choices(seed));
    let (mut log, seen) = open(&after).unwrap();
    assert!(seen.len() >= confirmed, "{} of {confirmed} confirmed records are left", seen.len());
    assert!(seen.len() <= confirmed + 1, "a record that was never written");
    assert_eq!(seen, records[..seen.len()]);
    // It goes on where it was, and nothing of the torn record shows.
    let (head, body) = (head(77), b"after".to_vec());
    log.append(&head, &[&body]).unwrap();
    drop(log);
    let mut expected = seen;
    expected.push((head, body));
    assert_eq!(open(&after.crash(choices(seed + 1))).unwrap().1, expected);
}

#[test]
fn a_log_keeps_what_it_confirmed_at_every_step() {
    let records = records(&[0, 1, 30, 5]);
    let disk = SimulatedDisk::new();
    assert_eq!(append_all(&disk, &records), records.len());
    for steps in 0..=disk.steps() {
        for seed in 0..8 {
            check_log(&records, steps, seed);
        }
    }
}

#[test]
fn a_restarted_log_is_the_old_one_or_the_new_one() {
    let old = records(&[3, 4]);
    let new = [head(9), head(10)];
    for steps in 0..400 {
        for seed in 0..8 {
            let disk = SimulatedDisk::new();
            assert_eq!(append_all(&disk, &old), 2);
            let (mut log, _) = open(&disk).unwrap();
            disk.stop_after(steps);
            let done = log.restart(&new).is_ok();
            let (mut log, seen) = open(&disk.crash(choices(seed))).unwrap();
            let is_new = seen.len() == 2 && seen[0].0 == new[0];
            assert!(is_new || !done, "confirmed and lost after {steps} steps");
            if is_new {
                assert_eq!(seen, new.clone().map(|head| (head, Vec::new())));
            } else {
                assert_eq!(seen, old);
            }
            log.append(&head(11), &[]).unwrap();
        }
    }
}

#[test]
fn entries_are_there_whole_or_not_at_all() {
    for steps in 0..300 {
        for seed in 0..8 {
            let disk = SimulatedDisk::new();
            let mut entries = Entries::open(disk.clone()).unwrap();
            entries.put("first", &head(1), &[b"one"]).unwrap();
            disk.stop_after(steps);
            let put = entries.put("second", &head(2), &[b"tw", b"o"]).is_ok();
            let removed = put && entries.remove("first").is_ok();
            let mut after = Entries::open(disk.crash(choices(seed))).unwrap();
            let (first, second) = (after.read("first").unwrap(), after.read("second").unwrap());
            assert!(second.is_some() || !put);
            assert!(first.is_none() || !removed);
            assert!(first.is_some() || put, "gone without being removed");
            for (found, expected) in [(&first, (head(1), b"one".to_vec())), (&second, (head(2), b"two".to_vec()))] {
                assert!(found.as_ref().is_none_or(|found| *found == expected));
            }
            let names: Vec<_> =
                [("first", &first), ("second", &second)].iter().filter(|(_, e)| e.is_some()).map(|(n, _)| *n).collect();
            assert_eq!(after.names().unwrap(), names);
            after.put("first", &head(3), &[b"three"]).unwrap();
            assert_eq!(after.read("first").unwrap(), Some((head(3), b"three".to_vec())));
        }
    }
}

#[test]
fn a_log_on_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/here");
    let records = records(&[10, 0, 5000]);
    let open = || {
        let mut seen = Vec::new();
        let (log, replay) = Log::open(Files::at(&path).unwrap(), "log", |head, body| seen.push((head, body)))?;
        Ok::<_, Error>((log, replay, seen))
    };
    let (mut log, _, _) = open().unwrap();
    for (head, body) in &records {
        log.append(head, &[body]).unwrap();
    }
    let length = log.length();
    drop(log);
    let whole = std::fs::read(path.join("log")).unwrap();
    assert_eq!(whole.len() as u64, length);
    // Cut anywhere, the whole records before the cut are there.
    for cut in (0..whole.len()).step_by(211) {
        std::fs::write(path.join("log"), &whole[..cut]).unwrap();
        let (log, replay, seen) = open().unwrap();
        assert_eq!(seen, records[..seen.len()]);
        assert_eq!(log.length() + replay.cut, cut as u64);
    }
    // A byte turned in what was confirmed and followed by more is never passed over.
    let mut damaged = whole.clone();
    damaged[30] ^= 1;
    std::fs::write(path.join("log"), &damaged).unwrap();
    assert!(matches!(open(), Err(Error::Damaged { at: 0, .. })));
    for (foreign, byte) in [(b"#!/bin/sh and more than a preamble".to_vec(), 0), (whole.clone(), 3)] {
        let mut foreign = foreign;
        foreign[byte] = foreign[byte].wrapping_add(1);
        std::fs::write(path.join("log"), &foreign).unwrap();
        assert!(matches!(open(), Err(Error::Version { .. })));
        assert_eq!(std::fs::read(path.join("log")).unwrap(), foreign, "what is not ours is left alone");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("log"))), (0o700, 0o600));
    }
}

#[test]
fn what_cannot_be_stored_is_refused() {
    let mut entries: Entries<_, Head> = Entries::open(SimulatedDisk::new()).unwrap();
    for name in ["", "a/b", "..", "a.b", &"x".repeat(65)] {
        assert!(matches!(entries.put(name, &head(1), &[]), Err(Error::Name(_))), "{name}");
    }
    let large = Head { number: 0, text: "x".repeat(fedcell_durable::MAX_HEAD) };
    assert!(matches!(entries.put("large", &large, &[]), Err(Error::Size { .. } | Error::Encode(_))));
    assert_eq!(entries.names().unwrap(), Vec::<String>::new());
    assert!(!entries.remove("absent").unwrap());
    assert_eq!(entries.read("absent").unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_keeps_what_it_confirmed(
        sizes in prop::collection::vec(0_usize..200, 0..8),
        steps in 0_u64..2000,
        seed in any::<u64>(),
    ) {
        check_log(&records(&sizes), steps, seed >> 1);
    }

    #[test]
    fn bytes_from_elsewhere_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("log"), &bytes).unwrap();
        // A log or an error; a panic would fail the test.
        let opened = Log::open(Files::at(folder.path()).unwrap(), "log", |_: Head, _| {});
        prop_assert!(opened.is_ok() || opened.is_err());
    }
}

#[cfg(unix)]
#[test]
fn a_folder_is_made_with_those_above_it_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let above = tempfile::tempdir().unwrap();
    let (outer, inner) = (above.path().join("site-1"), above.path().join("site-1/outbox"));
    for _ in 0..2 {
        Files::at(&inner).unwrap();
        let modes = [&outer, &inner].map(|folder| std::fs::metadata(folder).unwrap().permissions().mode() & 0o777);
        assert_eq!(modes, [0o700; 2]);
    }
    std::fs::write(outer.join("file"), "").unwrap();
    assert!(Files::at(outer.join("file/outbox")).is_err());
}
