//! Decisions held against those of the reference: recorded ones and generated ones.

use std::collections::BTreeSet;

use fedcell_protocol_defs::cell::ReturnCode;
use serde_json::Value;

use super::{Hop, MessageFacts, Neighbours, Unreachable, next_hop};
use crate::address::Fqcn;

struct Connected<'a>(BTreeSet<&'a str>);

impl Neighbours for Connected<'_> {
    fn is_neighbour(&self, cell: Fqcn<'_>) -> bool {
        self.0.contains(cell.as_str())
    }
}

/// One situation: `-` in the outcome stands for nothing, `=` for this cell, `!code` for an error.
struct Case<'a> {
    me: &'a str,
    neighbours: Vec<&'a str>,
    target: &'a str,
    transit: bool,
    route: Vec<&'a str>,
    from: Option<&'a str>,
}

impl Case<'_> {
    fn outcome(&self) -> String {
        let me = Fqcn::parse(self.me).unwrap();
        let Ok(target) = Fqcn::parse(self.target) else { return format!("!{}", ReturnCode::INVALID_TARGET) };
        let facts = MessageFacts {
            transit_required: self.transit,
            route: self.route.as_slice(),
            arrived_from: self.from.map(|from| Fqcn::parse(from).unwrap()),
        };
        match next_hop(me, &Connected(self.neighbours.iter().copied().collect()), target, &facts) {
            Ok(Hop::Here) => "=".to_owned(),
            Ok(Hop::Neighbour(next)) => next.as_str().to_owned(),
            Err(Unreachable { .. }) => format!("!{}", ReturnCode::TARGET_UNREACHABLE),
        }
    }
}

#[track_caller]
fn check(case: &Case<'_>, expected: &str) {
    assert_eq!(
        case.outcome(),
        expected,
        "at {} with {:?}: to {}, transit {}, route {:?}, from {:?}",
        case.me,
        case.neighbours,
        case.target,
        case.transit,
        case.route,
        case.from
    );
}

fn list(field: &str) -> Vec<&str> {
    if field == "-" { Vec::new() } else { field.split(' ').collect() }
}

#[test]
fn generated_situations_are_decided_as_by_the_reference() {
    let (mut me, mut neighbours, mut messages) = ("", Vec::new(), 0);
    for line in include_str!("../../testdata/routing.tsv").lines() {
        let fields: Vec<_> = line.split('\t').collect();
        match *fields.as_slice() {
            ["C", cell, connected] => (me, neighbours) = (cell, list(connected)),
            ["M", target, transit, route, from, outcome] => {
                let from = (from != "-").then_some(from);
                let neighbours = neighbours.clone();
                let case = Case { me, neighbours, target, transit: transit == "1", route: list(route), from };
                check(&case, outcome);
                messages += 1;
            }
            _ => panic!("unknown line {line:?}"),
        }
    }
    assert!(messages >= 2_000, "only {messages} cases");
}

#[test]
fn recorded_situations_are_decided_as_by_the_reference() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../testdata/routing.json")).unwrap();
    for case in &cases {
        let texts = |key: &str| -> Vec<&str> {
            case[key].as_array().into_iter().flatten().map(|item| item.as_str().unwrap()).collect()
        };
        let text = |key: &str| case[key].as_str();
        let me = text("me").unwrap();
        let expected = match (text("next"), text("error")) {
            (Some(next), _) if next == me => "=".to_owned(),
            (Some(next), _) => next.to_owned(),
            (None, Some(error)) => format!("!{error}"),
            other => panic!("no outcome in {other:?}"),
        };
        let transit = case["transit"].as_bool().unwrap();
        let target = text("target").unwrap();
        let (neighbours, route, from) = (texts("agents"), texts("route"), text("from"));
        check(&Case { me, neighbours, target, transit, route, from }, &expected);
    }
    assert_eq!(cases.len(), 42);
}

#[test]
fn a_refusal_names_the_cells_and_the_reason() {
    let refusal = |me: &'static str, connected: &[&'static str], target: &'static str, route: &[&str]| {
        let facts = MessageFacts { transit_required: false, route, arrived_from: None };
        let neighbours = Connected(connected.iter().copied().collect());
        next_hop(Fqcn::parse(me).unwrap(), &neighbours, Fqcn::parse(target).unwrap(), &facts).unwrap_err().to_string()
    };
    assert_eq!(
        refusal("site-1", &["server"], "site-1.j", &[]),
        "no way from site-1 to site-1.j: the target is a child of this cell and is not connected"
    );
    assert_eq!(
        refusal("server", &["site-1"], "site-1.j", &["site-1.j", "site-1"]),
        "no way from server to site-1.j: the next hop would be site-1, where the message has been already"
    );
}
