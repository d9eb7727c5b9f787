//! An outbox that is stopped at every step, and a server that loses and repeats answers.

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use fedcell_durable::SimulatedDisk;
use proptest::prelude::*;

use super::*;

const TASKS: usize = 4;

fn key(task: usize) -> TaskKey {
    TaskKey::new("job", format!("task/{task}"))
}

fn result(task: usize) -> Vec<u8> {
    vec![u8::try_from(task).unwrap(); 20 + task]
}

fn choices(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |most| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % (most + 1)
    }
}

/// What survives every crash, because it is not ours: the server, and what executors have done to the world.
#[derive(Default)]
struct World {
    executed: [u32; TASKS],
    /// Each result that the server has seen, and how often it arrived.
    received: BTreeMap<TaskKey, (Vec<u8>, u32)>,
    submitted: [bool; TASKS],
}

impl World {
    /// One process from its start: executes, submits, sends. Ends with an error where the disk stops.
    fn process(&mut self, disk: &SimulatedDisk, mut chance: impl FnMut(usize) -> usize) -> Result<(), OutboxError> {
        let mut now = Instant::now();
        let mut outbox = Outbox::open(disk.clone(), OutboxLimits::default(), RetryPolicy::default(), now)?;
        for task in 0..TASKS {
            // A task whose result was acknowledged is not given out again.
            if self.received.contains_key(&key(task)) {
                continue;
            }
            match outbox.begin(&key(task), "train")? {
                Begin::Fresh => self.executed[task] += 1,
                // What an interrupted task did is not repeated here; its result says that it failed.
                Begin::Interrupted => {}
                Begin::Submitted | Begin::Running => continue,
            }
            outbox.submit(&key(task), "train", &[&result(task)], now)?;
            self.submitted[task] = true;
        }
        while let Some(at) = outbox.next_at() {
            now = now.max(at);
            let Some(submission) = outbox.next("job", now)? else { continue };
            // The request arrives or not, the answer arrives or not.
            let chance = chance(3);
            if chance > 0 {
                let seen = self.received.entry(submission.key.clone()).or_insert((submission.result, 0));
                seen.1 += 1;
            }
            if chance > 1 {
                outbox.settled(&submission.key)?;
            } else {
                outbox.unanswered(&submission.key, now);
            }
        }
        Ok(())
    }
}

/// Processes are stopped after so many steps each; the last one runs to its end.
#[track_caller]
fn check(stops: &[u64], seed: u64) {
    let mut world = World::default();
    let mut disk = SimulatedDisk::new();
    for (at, stop) in stops.iter().enumerate() {
        disk.stop_after(*stop);
        // Stopped or not, the next process starts.
        _ = world.process(&disk, choices(seed + at as u64));
        disk = disk.crash(choices(seed + 100 + at as u64));
        for (task, submitted) in world.submitted.iter().enumerate() {
            let outbox = Outbox::open(disk.clone(), OutboxLimits::default(), RetryPolicy::default(), Instant::now());
            let waits = outbox.unwrap().tasks.contains_key(&key(task));
            assert!(!submitted || waits || world.received.contains_key(&key(task)), "result of {task} is lost");
        }
    }
    world.process(&disk, choices(seed)).unwrap();
    assert_eq!(world.received.len(), TASKS);
    for task in 0..TASKS {
        assert_eq!(world.received[&key(task)].0, result(task));
        assert!(world.executed[task] <= 1, "task {task} was executed {} times", world.executed[task]);
    }
    assert!(disk.clone().crash(|all| all).names_of_records().is_empty());
}

trait Names {
    fn names_of_records(&self) -> Vec<String>;
}

impl Names for SimulatedDisk {
    fn names_of_records(&self) -> Vec<String> {
        Entries::<_, Head>::open(self.clone()).unwrap().names().unwrap()
    }
}

#[test]
fn nothing_is_lost_or_done_twice_wherever_it_is_stopped() {
    let disk = SimulatedDisk::new();
    World::default().process(&disk, |most| most).unwrap();
    for stop in 0..disk.steps() {
        check(&[stop], stop);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_by_many_crashes(stops in prop::collection::vec(0_u64..1500, 1..6), seed in 0_u64..1 << 40) {
        check(&stops, seed);
    }
}

#[test]
fn a_result_is_sent_again_later_and_after_a_reconnection_at_once() {
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let limits = OutboxLimits::default();
    let mut outbox = Outbox::open(SimulatedDisk::new(), limits, RetryPolicy::default(), start).unwrap();
    assert_eq!(outbox.begin(&key(0), "train").unwrap(), Begin::Fresh);
    assert_eq!(outbox.begin(&key(0), "train").unwrap(), Begin::Running);
    assert!(outbox.submit(&key(0), "train", &[b"re", b"sult"], start).unwrap());
    assert!(!outbox.submit(&key(0), "train", &[b"another"], start).unwrap());
    assert_eq!(outbox.begin(&key(0), "train").unwrap(), Begin::Submitted);
    let expected = Submission { key: key(0), task_name: "train".to_owned(), result: b"result".to_vec() };
    assert_eq!(outbox.next("job", start).unwrap().as_ref(), Some(&expected));
    // Under way, it is not sent a second time.
    assert_eq!((outbox.next("job", after(99)).unwrap(), outbox.next_at()), (None, None));
    outbox.unanswered(&key(0), start);
    assert_eq!(outbox.next_at(), Some(after(1)));
    assert_eq!(outbox.next("job", start).unwrap(), None);
    assert_eq!(outbox.next("job", after(1)).unwrap().as_ref(), Some(&expected));
    outbox.unanswered(&key(0), after(1));
    assert_eq!(outbox.next_at(), Some(after(3)));
    outbox.reconnected("job", after(2));
    assert_eq!(outbox.next("job", after(2)).unwrap().as_ref(), Some(&expected));
    assert_eq!(outbox.waiting(), 1);
    assert!(outbox.settled(&key(0)).unwrap());
    assert!(!outbox.settled(&key(0)).unwrap());
    assert_eq!((outbox.waiting(), outbox.bytes, outbox.next_at()), (0, 0, None));
}

#[test]
fn what_is_too_much_is_refused_and_room_comes_back() {
    let now = Instant::now();
    let mut outbox = Outbox::open(SimulatedDisk::new(), OutboxLimits::new(2, 10), RetryPolicy::default(), now).unwrap();
    assert!(matches!(outbox.submit(&key(0), "train", &[&[0; 11]], now), Err(OutboxError::Full { .. })));
    assert!(outbox.submit(&key(0), "train", &[&[0; 10]], now).unwrap());
    assert_eq!(outbox.begin(&key(1), "train").unwrap(), Begin::Fresh);
    assert!(matches!(outbox.begin(&key(2), "train"), Err(OutboxError::Full { entries: 2, bytes: 10 })));
    assert!(matches!(outbox.submit(&key(1), "train", &[&[0]], now), Err(OutboxError::Full { .. })));
    assert_eq!(outbox.end_job("another").unwrap(), 0);
    assert_eq!(outbox.end_job("job").unwrap(), 2);
    assert!(outbox.submit(&key(2), "train", &[&[0; 10]], now).unwrap());
}

#[test]
fn results_leave_in_the_order_of_their_tasks() {
    let now = Instant::now();
    let disk = SimulatedDisk::new();
    let open = || Outbox::open(disk.clone(), OutboxLimits::default(), RetryPolicy::default(), now).unwrap();
    let mut outbox = open();
    for task in 0..20 {
        outbox.submit(&key(task), "train", &[&result(task)], now).unwrap();
    }
    assert_eq!(outbox.begin(&key(20), "train").unwrap(), Begin::Fresh);
    let mut outbox = open();
    assert_eq!(outbox.interrupted().collect::<Vec<_>>(), [&key(20)]);
    let order: Vec<_> =
        core::iter::from_fn(|| outbox.next("job", now).unwrap()).map(|submission| submission.key).collect();
    assert_eq!(order, (0..20).map(key).collect::<Vec<_>>());
}

#[test]
fn who_takes_a_job_over_finds_what_was_left_in_the_middle_and_nothing_of_other_jobs() {
    let now = Instant::now();
    let mut outbox = Outbox::open(SimulatedDisk::new(), OutboxLimits::default(), RetryPolicy::default(), now).unwrap();
    let other = TaskKey::new("other", "task");
    outbox.submit(&other, "train", &[b"other"], now).unwrap();
    outbox.submit(&key(0), "train", &[b"result"], now).unwrap();
    assert_eq!(outbox.begin(&key(1), "train").unwrap(), Begin::Fresh);
    // Whoever sends it, and does the other task, is dropped in the middle.
    assert_eq!(outbox.next("job", now).unwrap().map(|submission| submission.key), Some(key(0)));
    assert_eq!(outbox.next("job", now).unwrap(), None);

    outbox.take_over("job", now);
    assert_eq!(outbox.begin(&key(1), "train").unwrap(), Begin::Interrupted);
    assert_eq!(outbox.next("job", now).unwrap().map(|submission| submission.key), Some(key(0)));
    assert_eq!(outbox.next("job", now).unwrap(), None);
    assert_eq!(outbox.next("other", now).unwrap().map(|submission| submission.key), Some(other));
}
