//! Every way in which a round ends, and what late and repeated results are.

use super::*;

fn sites(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("site-{n}")).collect()
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// What happens in a round: `a` answers, `f` fails, `l` is lost, `t` waits for the next timeout.
#[track_caller]
fn check(count: usize, policy: RoundPolicy, events: &[(&str, usize)], expected: Option<Outcome>, after: u64) {
    let start = Instant::now();
    let mut now = start;
    let mut round = Round::new(3, &sites(count), policy, now);
    for (event, number) in events {
        let site = format!("site-{number}");
        match *event {
            "a" | "f" => {
                assert_eq!(round.assign(&site), Assignment::Task(format!("round-3-{site}")));
                assert_eq!(round.standing(&site, &round.task_id(&site)), Standing::Awaited);
                round.answered(&site, *event == "a", now);
            }
            "l" => round.lost(&site),
            "t" => {
                now = round.poll_timeout().unwrap();
                round.handle_timeout(now);
            }
            _ => now += seconds(*number as u64),
        }
    }
    assert_eq!(round.outcome(), expected, "{events:?}");
    assert_eq!(now - start, seconds(after));
    assert!(round.outcome().is_none() || round.poll_timeout().is_none());
}

#[test]
fn ends() {
    let all = RoundPolicy::default();
    check(2, all, &[("a", 1)], None, 0);
    check(2, all, &[("a", 1), ("a", 2)], Some(Outcome::Complete), 0);
    check(2, all, &[("a", 1), ("f", 2)], Some(Outcome::TooFew), 0);
    check(2, all, &[("l", 1), ("a", 1), ("a", 2)], Some(Outcome::Complete), 0);
    check(0, all, &[], Some(Outcome::TooFew), 0);
    let two = RoundPolicy::new(2, seconds(5), Some(seconds(60)));
    check(3, two, &[("a", 1), ("a", 3)], None, 0);
    check(3, two, &[("a", 1), ("wait", 7), ("a", 3), ("t", 0)], Some(Outcome::Complete), 12);
    check(3, two, &[("a", 1), ("a", 3), ("a", 2)], Some(Outcome::Complete), 0);
    check(3, two, &[("f", 1), ("a", 3), ("a", 2)], Some(Outcome::Complete), 0);
    check(3, two, &[("f", 1), ("f", 3)], Some(Outcome::TooFew), 0);
    check(3, two, &[("a", 1), ("t", 0)], Some(Outcome::TimedOut { is_enough: false }), 60);
    check(3, two, &[("wait", 58), ("a", 1), ("a", 2), ("t", 0)], Some(Outcome::TimedOut { is_enough: true }), 60);
    check(1, two, &[], Some(Outcome::TooFew), 0);
    check(3, RoundPolicy::new(1, Duration::ZERO, None), &[("a", 2)], Some(Outcome::Complete), 0);
    check(3, RoundPolicy::new(1, Duration::MAX, None), &[("a", 2)], None, 0);
}

#[test]
fn a_site_that_asks_again_gets_the_same_task() {
    let now = Instant::now();
    let mut round = Round::new(0, &sites(2), RoundPolicy::default(), now);
    let first = round.assign("site-1");
    assert_eq!(first, round.assign("site-1"));
    round.lost("site-1");
    assert_eq!(first, round.assign("site-1"));
    round.answered("site-1", true, now);
    assert_eq!(round.assign("site-1"), Assignment::Wait);
    assert_eq!(round.assign("site-9"), Assignment::None);
    round.assign("site-2");
    round.answered("site-2", true, now);
    assert_eq!(round.assign("site-1"), Assignment::None);
}

#[test]
fn results_that_are_repeated_late_or_foreign_change_nothing() {
    let now = Instant::now();
    let mut round = Round::new(4, &sites(3), RoundPolicy::new(2, Duration::ZERO, None), now);
    let ids: Vec<_> = sites(3).iter().map(|site| round.task_id(site)).collect();
    // A site may have the task from an earlier process of the coordinator.
    assert_eq!(round.standing("site-1", &ids[0]), Standing::Awaited);
    assert_eq!(round.standing("site-1", &ids[1]), Standing::Unknown);
    assert_eq!(round.standing("site-9", &ids[0]), Standing::Unknown);
    assert_eq!(round.standing("site-1", "round-3-site-1"), Standing::Unknown);
    round.answered("site-1", true, now);
    assert_eq!(round.standing("site-1", &ids[0]), Standing::Repeated);
    round.answered("site-1", false, now);
    assert_eq!(round.counted(), 1);
    round.answered("site-2", true, now);
    assert_eq!(round.outcome(), Some(Outcome::Complete));
    assert_eq!(round.standing("site-3", &ids[2]), Standing::Unknown);
    assert_eq!(round.standing("site-2", &ids[1]), Standing::Repeated);
    round.answered("site-3", true, now);
    assert_eq!(round.counted(), 2);
}
