//! The table of waiting requests: who ends how, and that nothing stays behind.

use core::time::Duration;

use fedcell_auth::UnixTime;
use proptest::prelude::*;

use super::{PendingRequests, Refused, RequestId, Resolution};
use crate::address::{Fqcn, FqcnBuf};

fn cells(names: &[&str]) -> Vec<FqcnBuf> {
    names.iter().map(|name| FqcnBuf::parse(name).unwrap()).collect()
}

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

fn answer(table: &mut PendingRequests, id: &str, from: &str) -> &'static str {
    match table.resolve(at(1), id, Fqcn::parse(from).unwrap()) {
        Resolution::Answers { open, .. } if open > 0 => "one of several",
        Resolution::Answers { .. } => "last",
        Resolution::Late => "late",
        Resolution::Unexpected => "unexpected",
        Resolution::Second => "second",
    }
}

#[test]
fn each_target_of_a_broadcast_is_answered_once() {
    let mut table = PendingRequests::new(4);
    let id = RequestId::from_wire("r");
    table.register(&id, at(0), Duration::from_secs(9), cells(&["site-1", "site-2", "site-1"])).unwrap();
    for (from, said) in [
        ("site-3", "unexpected"),
        ("site-1", "one of several"),
        ("site-1", "second"),
        ("site-2", "last"),
        ("site-2", "late"),
    ] {
        assert_eq!(answer(&mut table, "r", from), said, "{from}");
    }
    assert!(table.is_empty());
    assert_eq!(table.next_deadline(), None);
    assert_eq!(table.high_water(), 1);
}

#[test]
fn deadlines_end_what_is_open() {
    let mut table = PendingRequests::new(4);
    for (id, secs) in [("slow", 9), ("quick", 3)] {
        let targets = cells(&["site-1", "site-2"]);
        table.register(&RequestId::from_wire(id), at(0), Duration::from_secs(secs), targets).unwrap();
    }
    assert_eq!(answer(&mut table, "quick", "site-2"), "one of several");
    assert_eq!(table.next_deadline(), Some(at(3)));
    assert_eq!(table.expire(at(2)), []);
    let names = |expired: Vec<super::Expired>| -> Vec<String> {
        expired.iter().map(|entry| format!("{} {} {}", entry.id, entry.target, entry.open)).collect()
    };
    assert_eq!(names(table.expire(at(3))), ["quick site-1 0"]);
    assert_eq!(names(table.expire(at(99))), ["slow site-1 1", "slow site-2 0"]);
    assert!(table.is_empty());
}

#[test]
fn refusals_change_nothing() {
    let mut table = PendingRequests::new(1);
    let (id, other) = (RequestId::from_wire("a"), RequestId::from_wire("b"));
    let minute = Duration::from_secs(60);
    assert_eq!(table.register(&id, at(0), minute, cells(&[])), Err(Refused::NoTarget));
    table.register(&id, at(0), minute, cells(&["x"])).unwrap();
    assert_eq!(table.register(&other, at(0), minute, cells(&["x"])), Err(Refused::Full { limit: 1 }));
    assert_eq!(table.len(), 1);
    assert_eq!(table.fail(&id, Fqcn::parse("x").unwrap()), Some(0));
    assert_eq!(table.fail(&id, Fqcn::parse("x").unwrap()), None);
    assert!(table.is_empty());
}

#[test]
fn ids_are_canonical_uuids_of_version_four() {
    assert_eq!(RequestId::from_random([0xff; 16]).as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    let counted: [u8; 16] = core::array::from_fn(|at| u8::try_from(at).unwrap());
    assert_eq!(RequestId::from_random(counted).as_str(), "00010203-0405-4607-8809-0a0b0c0d0e0f");
    assert!(fedcell_auth::Nonce::parse(RequestId::from_random(counted).as_str()).is_ok());
}

proptest! {
    #[test]
    fn whatever_happens_every_target_ends_exactly_once(
        actions in proptest::collection::vec((0_u8..4, 0_usize..6, 0_usize..4), 1..120),
    ) {
        let names = ["a", "b", "c", "d"];
        let mut table = PendingRequests::new(1000);
        let (mut registered, mut ended, mut next, mut ids) = (0, 0, 0_u64, Vec::new());
        for (now, (action, pick, who)) in actions.into_iter().enumerate() {
            let now = at(now as u64);
            match action {
                0 => {
                    let id = RequestId::from_wire(&next.to_string());
                    next += 1;
                    table.register(&id, now, Duration::from_secs(pick as u64), cells(&names[..=who])).unwrap();
                    registered += who + 1;
                    ids.push(id);
                }
                1 => {
                    if let Some(id) = ids.get(pick) {
                        let said = table.resolve(now, id.as_str(), Fqcn::parse(names[who]).unwrap());
                        ended += usize::from(matches!(said, Resolution::Answers { .. }));
                    }
                }
                2 => ended += ids.get(pick).map_or(0, |id| table.cancel(id).len()),
                _ => ended += table.expire(now).len(),
            }
        }
        ended += table.expire(at(u64::MAX)).len();
        prop_assert_eq!(registered, ended);
        prop_assert!(table.is_empty());
        prop_assert_eq!(table.next_deadline(), None);
    }
}
