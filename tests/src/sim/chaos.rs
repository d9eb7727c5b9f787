//! Random trees with failures: every request ends, nothing goes in circles, nothing stays behind, and the network heals.

use core::time::Duration;
use std::collections::HashMap;

use fedcell_cell_proto::request::RequestId;
use fedcell_netsim::{LinkProfile, SimRng};
use fedcell_protocol_defs::cell::ReturnCode;

use super::{CellId, Conduct, Outcome, Tree};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// What one seed went through.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Targets of requests.
    pub targets: u64,
    /// Those that were answered.
    pub answered: u64,
    /// Those whose request came back.
    pub returned: u64,
    /// Those that the own cell gave up: no way, no connection.
    pub failed: u64,
    /// Those that ran into their deadline.
    pub timed_out: u64,
    /// Messages seen on links.
    pub messages: u64,
    /// Those of them that had crossed the server by order.
    pub transits: u64,
    /// Crashes, partitions and goodbyes.
    pub faults: u64,
}

/// A random federation: relays, sites, jobs; jobs may also dial the server.
fn random_tree(rng: &mut SimRng) -> Tree {
    let latency = rng.span(20 * MS) + MS;
    let mut profile = LinkProfile::PERFECT.with_latency(latency, rng.span(30 * MS));
    if rng.chance(0.3) {
        profile = profile.with_bandwidth(20_000 + rng.below(100_000) as u64);
    }
    if rng.chance(0.5) {
        profile = profile.with_mean_lifetime(Duration::from_secs(5 + rng.below(40) as u64));
    }
    let mut tree = Tree::new(rng.bits(), profile);
    let conduct = |rng: &mut SimRng| Conduct {
        scatter: if rng.chance(0.4) { rng.span(50 * MS) } else { Duration::ZERO },
        repeat_every: if rng.chance(0.3) { 5 + rng.below(40) as u64 } else { 0 },
    };
    let how = conduct(rng);
    let server = tree.add("server", &[], how);
    let mut hubs = vec![server];
    for number in 0..rng.below(4) {
        let above = *rng.choose(&hubs).expect("there is the server");
        let name = below(&tree, server, above, &format!("relay-{number}"));
        let how = conduct(rng);
        hubs.push(tree.add(&name, &[above], how));
    }
    let mut sites = Vec::new();
    for number in 0..1 + rng.below(5) {
        let above = *rng.choose(&hubs).expect("there is the server");
        let name = below(&tree, server, above, &format!("site-{number}"));
        let how = conduct(rng);
        sites.push((tree.add(&name, &[above], how), above == server));
    }
    for (site, is_direct) in sites {
        for job in ["j1", "j2"] {
            if rng.chance(0.4) {
                let name = format!("{}.{job}", tree.cell(site).name);
                let also_dials = is_direct && rng.chance(0.7);
                let parents = if also_dials { vec![site, server] } else { vec![site] };
                let how = conduct(rng);
                tree.add(&name, &parents, how);
            }
        }
    }
    if rng.chance(0.5) {
        let how = conduct(rng);
        tree.add("server.j1", &[server], how);
    }
    tree
}

fn below(tree: &Tree, server: CellId, above: CellId, segment: &str) -> String {
    if above == server { segment.to_owned() } else { format!("{}.{segment}", tree.cell(above).name) }
}

/// Runs one seed.
///
/// # Panics
///
/// If anything that must hold does not, with the seed in the text.
pub fn run(seed: u64) -> Summary {
    let mut rng = SimRng::new(seed);
    let mut tree = random_tree(&mut rng);
    let mut summary = Summary::default();
    let cells: Vec<CellId> = (0..tree.cells.len()).map(CellId).collect();
    let mut asked: HashMap<(CellId, RequestId), Vec<CellId>> = HashMap::new();
    let mut cuts: Vec<(CellId, CellId)> = Vec::new();
    let pick = |rng: &mut SimRng| *rng.choose(&cells).expect("there are cells");
    tree.run(rng.span(SECOND));

    for _ in 0..40 + rng.below(60) {
        tree.run(rng.span(400 * MS));
        let cell = pick(&mut rng);
        match rng.below(100) {
            0..70 if tree.is_up(cell) => {
                let topic = *rng.choose(&["echo", "echo", "echo", "slow", "silent"]).expect("there are topics");
                let mut targets = vec![pick(&mut rng)];
                while rng.chance(0.3) {
                    targets.push(pick(&mut rng));
                }
                targets.sort_unstable();
                targets.dedup();
                let timeout = SECOND + rng.span(9 * SECOND);
                let id = tree.request(cell, &targets, topic, timeout);
                asked.insert((cell, id), targets);
            }
            70..78 if tree.is_up(cell) => tree.fire(cell, pick(&mut rng)),
            78..84 if tree.is_up(cell) => {
                tree.crash(cell);
                // Its requests died with it; nobody is left to be told.
                asked.retain(|(asker, _), _| *asker != cell);
                summary.faults += 1;
            }
            84..90 if !tree.is_up(cell) => tree.restart(cell),
            90..94 => {
                let other = pick(&mut rng);
                if other != cell {
                    tree.cut(cell, other, true);
                    cuts.push((cell, other));
                    summary.faults += 1;
                }
            }
            94..98 => {
                if let Some((one, other)) = cuts.pop() {
                    tree.cut(one, other, false);
                }
            }
            98.. if tree.is_up(cell) => {
                if let Some(id) = tree.goodbye(cell) {
                    asked.insert((cell, id), Vec::new());
                    summary.faults += 1;
                }
            }
            _ => {}
        }
    }
    for (one, other) in cuts {
        tree.cut(one, other, false);
    }
    for cell in &cells {
        if !tree.is_up(*cell) {
            tree.restart(*cell);
        }
    }
    // All deadlines pass, and all neighbours find each other again.
    tree.run(15 * SECOND);
    check_ended(seed, &tree, &asked, &mut summary);
    (summary.messages, summary.transits) = tree.messages_seen();
    summary
}

/// Every target of every request has ended once, and no cell remembers anything.
fn check_ended(seed: u64, tree: &Tree, asked: &HashMap<(CellId, RequestId), Vec<CellId>>, summary: &mut Summary) {
    for ((asker, id), targets) in asked {
        let cell = tree.cell(*asker);
        for target in targets {
            let name = tree.cell(*target).name.clone();
            let outcomes = cell.ended.get(&(id.clone(), name.clone())).map_or(&[][..], Vec::as_slice);
            let [outcome] = outcomes else {
                panic!("seed {seed}: the request of {} to {name} ended with {outcomes:?}", cell.name)
            };
            summary.targets += 1;
            match outcome {
                Outcome::Reply(code, payload) if code == ReturnCode::OK.as_str() => {
                    assert_eq!(payload, format!("from {}", cell.name).as_bytes(), "seed {seed}");
                    summary.answered += 1;
                }
                Outcome::Reply(code, _) => {
                    assert_eq!(code, ReturnCode::COMM_ERROR.as_str(), "seed {seed}");
                    summary.returned += 1;
                }
                Outcome::Failed(failure) if failure.return_code() == ReturnCode::TIMEOUT => summary.timed_out += 1,
                Outcome::Failed(_) => summary.failed += 1,
            }
        }
    }
    let connections: usize = tree.cells.iter().map(|cell| cell.node.connections()).sum();
    assert!(connections <= 2 * tree.network.links().len(), "seed {seed}: {connections} connections remembered");
    for cell in &tree.cells {
        assert_eq!(cell.node.exchange().pending_requests(), 0, "seed {seed}: {} still waits", cell.name);
        assert!(cell.ended.values().all(|outcomes| outcomes.len() == 1), "seed {seed}: {} heard twice", cell.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Pair;

    /// Seeds 0 to 1199, and those that once failed.
    const SEEDS: core::ops::Range<u64> = 0..1200;

    #[test]
    fn every_request_ends_and_nothing_goes_in_circles() {
        let mut total = Summary::default();
        for seed in SEEDS {
            let one = run(seed);
            total.targets += one.targets;
            total.answered += one.answered;
            total.returned += one.returned;
            total.failed += one.failed;
            total.timed_out += one.timed_out;
            total.messages += one.messages;
            total.transits += one.transits;
            total.faults += one.faults;
        }
        // A simulation in which nothing happens proves nothing.
        assert!(total.answered > total.targets / 4, "{total:?}");
        assert!(total.returned > 500 && total.failed > 500 && total.timed_out > 500, "{total:?}");
        assert!(total.transits > 5_000 && total.faults > 5_000, "{total:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_course() {
        assert_eq!(run(77), run(77));
    }

    #[test]
    fn a_whole_network_answers_everybody() {
        for seed in 0..60 {
            let mut rng = SimRng::new(seed);
            let mut tree = Tree::new(seed, LinkProfile::PERFECT.with_latency(5 * MS, 5 * MS));
            let server = tree.add("server", &[], Conduct::default());
            let relay = tree.add("relay-1", &[server], Conduct::default());
            let inner = tree.add("relay-1.relay-2", &[relay], Conduct::default());
            let near = tree.add("site-1", &[server], Conduct::default());
            let far = tree.add("relay-1.relay-2.site-2", &[inner], Conduct::default());
            tree.add("site-1.j", &[near, server], Conduct::default());
            tree.add("relay-1.relay-2.site-2.j", &[far], Conduct::default());
            tree.add("server.j", &[server], Conduct::default());
            tree.run(5 * SECOND);
            let all: Vec<CellId> = (0..tree.cells.len()).map(CellId).collect();
            let from = *rng.choose(&all).expect("there are cells");
            let id = tree.request(from, &all, "echo", 5 * SECOND);
            tree.run(6 * SECOND);
            for target in &all {
                let key = (id.clone(), tree.cell(*target).name.clone());
                let outcome = &tree.cell(from).ended[&key];
                assert!(
                    matches!(outcome.as_slice(), [Outcome::Reply(code, _)] if code == ReturnCode::OK.as_str()),
                    "{} to {}: {outcome:?}",
                    tree.cell(from).name,
                    key.1
                );
            }
        }
    }

    #[test]
    fn after_a_goodbye_nothing_is_routed_there() {
        let Pair { mut tree, server, site } = Pair::connected(1, LinkProfile::PERFECT.with_latency(MS, MS));
        let said = tree.goodbye(site).expect("there is a neighbour");
        tree.run(SECOND);
        let answered = &tree.cell(site).ended[&(said, tree.cell(server).name.clone())];
        assert!(matches!(answered.as_slice(), [Outcome::Reply(code, _)] if code == ReturnCode::OK.as_str()));
        let id = tree.request(server, &[site], "echo", SECOND);
        let ended = &tree.cell(server).ended[&(id, tree.cell(site).name.clone())];
        let [Outcome::Failed(failure)] = ended.as_slice() else { panic!("{ended:?}") };
        assert_eq!(failure.return_code(), ReturnCode::TARGET_UNREACHABLE);
    }
}
