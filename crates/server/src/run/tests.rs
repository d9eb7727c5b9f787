//! Runs against sites that are functions of the model, stopped at every step of the disk.

use core::time::Duration;

use fedcell_durable::SimulatedDisk;
use fedcell_fobs::Map;
use fedcell_fobs::array::Array;
use proptest::prelude::*;

use super::*;
use crate::round::RoundPolicy;
use crate::selection::Better;

const SITES: usize = 3;
const ROUNDS: u32 = 3;

fn config() -> RunConfig {
    let sites = (0..SITES).map(|n| format!("site-{n}")).collect();
    let mut config = RunConfig::new("job", sites, ROUNDS);
    config.metric = Some(("accuracy".to_owned(), Better::Higher));
    config
}

fn initial() -> Model {
    Model::new(vec![("w".to_owned(), Array::from_elements([2], &[0.1_f32, -0.7]).unwrap())]).unwrap()
}

fn weights(model: &Model) -> Vec<f32> {
    model.get("w").unwrap().to_vec().unwrap()
}

/// What a site makes of a task: its weights, steps and metric depend on the site and the model alone.
fn trained(site: usize, task: &Task) -> Shareable {
    let mut data = task.data.clone();
    let model = Model::from_map(data.take_dxo().unwrap().data.as_map().unwrap().clone()).unwrap();
    let number = f32::from(u8::try_from(site).unwrap());
    let values: Vec<f32> = weights(&model).iter().map(|w| w * 0.9 + (number + 1.0) / 7.0).collect();
    let mut dxo = Dxo::new(DataKind::WEIGHTS, Map::from([("w", Array::from_elements([2], &values).unwrap())]));
    dxo.meta.insert("NUM_STEPS_CURRENT_ROUND", f64::from(number) + 1.0);
    dxo.meta.insert("initial_metrics", Map::from([("accuracy", f64::from(weights(&model)[0]))]));
    answer(task, dxo)
}

fn answer(task: &Task, dxo: Dxo) -> Shareable {
    let mut result = Shareable::reply(ShareableCode::OK);
    result.set_dxo(dxo);
    result.set_cookie_jar(task.data.cookie_jar().unwrap().clone());
    result
}

fn task(step: Step) -> Task {
    match step {
        Step::Task(task) => task,
        other => panic!("{other:?}"),
    }
}

/// Sites keep their results until they are acknowledged, as an outbox does.
#[derive(Default)]
struct Sites {
    outbox: [Option<Shareable>; SITES],
    /// Every acknowledgement, and what it said.
    receipts: Vec<Receipt>,
}

impl Sites {
    /// One process of the coordinator, until its disk stops or the run has ended.
    fn process(&mut self, disk: &SimulatedDisk) -> Result<Run<SimulatedDisk>, RunError> {
        let now = Instant::now();
        let mut run = Run::open(config(), initial(), disk.clone(), now)?;
        while !run.is_ended() {
            for site in 0..SITES {
                let name = format!("site-{site}");
                if self.outbox[site].is_none() {
                    match run.task_for(&name, now)? {
                        Step::Task(task) => self.outbox[site] = Some(trained(site, &task)),
                        Step::Wait(_) => continue,
                        Step::End => break,
                    }
                }
                if let Some(result) = &self.outbox[site] {
                    self.receipts.push(run.result(&name, result.clone(), now)?);
                    self.outbox[site] = None;
                }
            }
        }
        Ok(run)
    }
}

#[track_caller]
fn check(undisturbed: &Run<SimulatedDisk>, stops: &[u64], mut choice: impl FnMut(usize) -> usize) {
    let mut sites = Sites::default();
    let mut disk = SimulatedDisk::new();
    for stop in stops {
        disk.stop_after(*stop);
        // Stopped or not, the next process starts.
        _ = sites.process(&disk);
        disk = disk.crash(&mut choice);
    }
    let run = sites.process(&disk).unwrap();
    assert_eq!(weights(run.model()), weights(undisturbed.model()));
    assert_eq!((run.ending(), run.best()), (undisturbed.ending(), undisturbed.best()));
    let counted = sites.receipts.iter().filter(|receipt| **receipt == Receipt::Counted).count();
    assert!(counted <= SITES * ROUNDS as usize, "{counted} results were counted");
    assert!(!sites.receipts.contains(&Receipt::Refused));
    let mut rounds = 0..;
    for closing in run.closings() {
        assert_eq!(Some(closing.round), rounds.next());
        let mut counted: Vec<_> = closing.counted.iter().map(|(site, _)| site.as_str()).collect();
        counted.sort_unstable();
        assert_eq!(counted, ["site-0", "site-1", "site-2"]);
    }
    assert_eq!(rounds.next(), Some(ROUNDS), "every round is closed once");
    assert_eq!(crate::closings(disk.clone()).unwrap(), run.closings());
    let file = Model::load(&disk, &final_model_file()).unwrap();
    assert_eq!(weights(&file), weights(run.model()));
}

fn choices(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |most| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % (most + 1)
    }
}

#[test]
fn a_run_that_is_stopped_ends_with_the_same_model() {
    let disk = SimulatedDisk::new();
    let run = Sites::default().process(&disk).unwrap();
    assert_eq!(run.ending(), Some(Ending::AllRounds));
    // Every 19th byte; no length of a record is a multiple of it, so that all places in a record come by.
    for stop in (0..disk.steps()).step_by(19) {
        // Killed, and without power.
        check(&run, &[stop], |all| all);
        check(&run, &[stop], choices(stop));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_run_that_is_stopped_often_ends_with_the_same_model(
        stops in prop::collection::vec(0_u64..4000, 1..8),
        seed in 0_u64..1 << 40,
    ) {
        check(&Sites::default().process(&SimulatedDisk::new()).unwrap(), &stops, choices(seed));
    }
}

fn open(config: RunConfig) -> Result<Run<SimulatedDisk>, RunError> {
    Run::open(config, initial(), SimulatedDisk::new(), Instant::now())
}

#[test]
fn a_task_is_what_the_reference_sends() {
    let mut run = open(config()).unwrap();
    let task = task(run.task_for("site-1", Instant::now()).unwrap());
    assert_eq!((task.name.as_str(), task.id.as_str()), ("train", "round-0-site-1"));
    let header = |name: &str| task.data.header(name).cloned();
    assert_eq!(header("current_round"), Some(0.into()));
    assert_eq!(header("num_rounds"), Some(3.into()));
    assert_eq!(task.data.cookie("contribution_round"), Some(&0.into()));
    assert_eq!(task.data.cookie("__task_id__"), Some(&"round-0-site-1".into()));
    assert_eq!(task.data.clone().take_dxo().unwrap().kind(), DataKind::WEIGHTS);
}

#[test]
fn differences_are_added_to_the_model() {
    let mut config = config();
    (config.rounds, config.kind) = (1, DataKind::WEIGHT_DIFF);
    let mut run = open(config).unwrap();
    for site in ["site-0", "site-1", "site-2"] {
        let task = task(run.task_for(site, Instant::now()).unwrap());
        let step = Array::from_elements([2], &[1.0_f32, 2.0]).unwrap();
        let result = answer(&task, Dxo::new(DataKind::WEIGHT_DIFF, Map::from([("w", step)])));
        assert_eq!(run.result(site, result, Instant::now()).unwrap(), Receipt::Counted);
    }
    assert_eq!(weights(run.model()), [1.1, 1.3]);
    assert!(matches!(run.task_for("site-0", Instant::now()), Ok(Step::End)));
}

#[test]
fn a_bad_result_costs_its_site_the_round_and_the_run_goes_on() {
    let now = Instant::now();
    let mut config = config();
    config.round = RoundPolicy::new(2, Duration::ZERO, None);
    let mut run = open(config).unwrap();
    let first = task(run.task_for("site-0", now).unwrap());
    let nan = Array::from_elements([2], &[f32::NAN, 0.0]).unwrap();
    let bad = answer(&first, Dxo::new(DataKind::WEIGHTS, Map::from([("w", nan)])));
    assert_eq!(run.result("site-0", bad.clone(), now).unwrap(), Receipt::Refused);
    assert_eq!(run.result("site-0", bad.clone(), now).unwrap(), Receipt::Repeated);
    assert_eq!(run.result("site-1", bad, now).unwrap(), Receipt::Unknown);
    assert!(matches!(run.task_for("site-0", now), Ok(Step::Wait(_))));
    for site in [1, 2] {
        let name = format!("site-{site}");
        let task = task(run.task_for(&name, now).unwrap());
        assert_eq!(run.result(&name, trained(site, &task), now).unwrap(), Receipt::Counted);
    }
    assert_eq!(run.round(), Some((1, 0)));
    let events: Vec<_> = core::iter::from_fn(|| run.poll_event()).collect();
    let refused = events.iter().find(|event| matches!(event, RunEvent::Refused { .. }));
    assert!(
        matches!(refused, Some(RunEvent::Refused { site, reason, .. }) if site == "site-0" && reason.contains("finite"))
    );
    assert!(events.iter().any(|event| matches!(event, RunEvent::RoundClosed { round: 0, counted: 2, .. })));
}

#[test]
fn a_run_ends_early() {
    let now = Instant::now();
    let mut config = config();
    config.stop = Some("accuracy >= 0.2".parse().unwrap());
    let mut run = open(config).unwrap();
    let mut rounds = 0;
    while !run.is_ended() {
        for site in 0..SITES {
            let name = format!("site-{site}");
            let task = task(run.task_for(&name, now).unwrap());
            run.result(&name, trained(site, &task), now).unwrap();
        }
        rounds += 1;
    }
    // The second round reports of the first one's model.
    assert_eq!((rounds, run.ending()), (2, Some(Ending::Stopped)));

    let mut few = open(self::config()).unwrap();
    let first = task(few.task_for("site-0", now).unwrap());
    let mut failed = Shareable::reply(ShareableCode::EXECUTION_EXCEPTION);
    failed.set_cookie_jar(first.data.cookie_jar().unwrap().clone());
    assert_eq!(few.result("site-0", failed, now).unwrap(), Receipt::Refused);
    assert_eq!(few.ending(), Some(Ending::TooFewResults));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let refused = |change: fn(&mut RunConfig)| {
        let mut config = config();
        change(&mut config);
        matches!(open(config), Err(RunError::Config(_)))
    };
    assert!(refused(|config| config.sites.clear()));
    assert!(refused(|config| config.sites.push(config.sites[0].clone())));
    assert!(refused(|config| config.rounds = 0));
    assert!(refused(|config| config.round.min_responses = SITES + 1));
    assert!(refused(|config| config.kind = DataKind::METRICS));
    assert!(refused(|config| config.stop = Some("loss < 1".parse().unwrap())));

    let disk = SimulatedDisk::new();
    Run::open(config(), initial(), disk.clone(), Instant::now()).unwrap();
    let mut other = config();
    other.job = "another".to_owned();
    let error = Run::open(other, initial(), disk, Instant::now()).unwrap_err();
    assert!(matches!(error, RunError::OtherRun { found } if found == "job"));
}
