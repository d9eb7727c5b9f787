//! Trees of cells: who reaches whom, by which way, and who is told when there is none.

use core::time::Duration;

use fedcell_cell_proto::request::RequestId;
use fedcell_netsim::LinkProfile;
use fedcell_protocol_defs::cell::ReturnCode;
use fedcell_tests::sim::{CellId, Conduct, Outcome, Request, Topic, Tree};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A server with relays, sites and jobs; the job of the near site dials the server, too.
fn federation(conduct: Conduct) -> Tree {
    let mut tree = Tree::new(5, LinkProfile::PERFECT.with_latency(5 * MS, 5 * MS));
    let server = tree.add("server", &[], conduct);
    let relay = tree.add("relay-1", &[server], conduct);
    let inner = tree.add("relay-1.relay-2", &[relay], conduct);
    let near = tree.add("site-1", &[server], conduct);
    let far = tree.add("relay-1.relay-2.site-2", &[inner], conduct);
    tree.add("relay-1.relay-2.site-3", &[inner], conduct);
    tree.add("site-1.j", &[near, server], conduct);
    tree.add("relay-1.relay-2.site-2.j", &[far], conduct);
    tree.add("server.j", &[server], conduct);
    tree.add("_admin_0123456789ab4def8123456789abcdef", &[server], conduct);
    tree.run(5 * SECOND);
    assert!(tree.is_whole());
    tree
}

fn find(tree: &Tree, name: &str) -> CellId {
    tree.ids().find(|id| tree.cell(*id).name.as_str() == name).expect("a cell of the tree")
}

/// How each target of a request has ended: a return code, `-` if it has not.
fn endings(tree: &Tree, from: CellId, id: &RequestId) -> Vec<String> {
    let word = |outcome: &Option<Outcome>| match outcome {
        None => "-".to_owned(),
        Some(Outcome::Reply(code, _)) => code.clone(),
        Some(Outcome::Failed(failure)) => failure.return_code().to_string(),
    };
    tree.cell(from).asked[id].outcomes.values().map(word).collect()
}

/// Asks, waits for a second, and says how it ended and how many messages went down from the server by order.
fn ask(tree: &mut Tree, from: &str, to: &str) -> (String, u64) {
    let from = find(tree, from);
    let (_, before) = tree.messages_seen();
    let id = tree.request(from, &[to], &Request::new(Topic::Echo, SECOND));
    tree.run(SECOND);
    let (_, after) = tree.messages_seen();
    (endings(tree, from, &id).concat(), after - before)
}

#[test]
fn everybody_answers_everybody() {
    let scattered = Conduct { scatter: 50 * MS, repeat_every: 7, ..Conduct::default() };
    for conduct in [Conduct::default(), scattered] {
        let mut tree = federation(conduct);
        let names: Vec<String> = tree.cells.iter().map(|cell| cell.name.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for topic in [Topic::Echo, Topic::Delayed] {
            let request = Request::new(topic, 10 * SECOND);
            let ids: Vec<_> = tree.ids().map(|from| (from, tree.request(from, &names, &request))).collect();
            tree.run(10 * SECOND);
            for (from, id) in ids {
                let endings = endings(&tree, from, &id);
                assert!(endings.iter().all(|code| code == ReturnCode::OK.as_str()), "{from:?} {topic:?}: {endings:?}");
                assert_eq!(endings.len(), names.len());
            }
        }
    }
}

/// The request is answered, and so many messages over links came down from the server because they had to cross it.
#[track_caller]
fn check_way(from: &str, to: &str, transits: u64) {
    let mut tree = federation(Conduct::default());
    assert_eq!(ask(&mut tree, from, to), (ReturnCode::OK.as_str().to_owned(), transits), "from {from} to {to}");
}

#[test]
fn messages_between_clients_cross_the_server_and_others_do_not() {
    check_way("site-1.j", "site-1", 0);
    check_way("site-1.j", "server", 0);
    check_way("relay-1.relay-2.site-2.j", "server.j", 0);
    // Down three links to the site, and down one on the way back.
    check_way("site-1", "relay-1.relay-2.site-2", 4);
    // Two sites below one relay, and still over the server: three links down each way.
    check_way("relay-1.relay-2.site-3", "relay-1.relay-2.site-2", 6);
    // The job has a connection to the server of its own.
    check_way("site-1.j", "relay-1.relay-2.site-2.j", 5);
}

/// The request ends so, long before its deadline.
#[track_caller]
fn check_refusal(from: &str, to: &str, expected: ReturnCode<'_>) {
    let mut tree = federation(Conduct::default());
    let from = find(&tree, from);
    let id = tree.request(from, &[to], &Request::new(Topic::Echo, 600 * SECOND));
    tree.run(SECOND);
    assert_eq!(endings(&tree, from, &id), [expected.as_str()], "{to}");
}

#[test]
fn whoever_asks_for_nobody_is_told_at_once() {
    // Known here, or only far away.
    check_refusal("site-1", "site-1.nobody", ReturnCode::TARGET_UNREACHABLE);
    check_refusal("server", "site-9", ReturnCode::TARGET_UNREACHABLE);
    check_refusal("site-1", "server.nobody", ReturnCode::COMM_ERROR);
    check_refusal("site-1.j", "relay-1.relay-2.site-9", ReturnCode::COMM_ERROR);
    check_refusal("relay-1.relay-2.site-2.j", "site-1.nobody", ReturnCode::COMM_ERROR);
}

#[test]
fn a_dead_relay_parts_the_tree_and_each_part_goes_on() {
    let mut tree = federation(Conduct::default());
    let relay = find(&tree, "relay-1");
    tree.crash(relay);
    tree.run(SECOND);
    let code = |ending: (String, u64)| ending.0;
    assert_eq!(code(ask(&mut tree, "relay-1.relay-2", "relay-1.relay-2.site-2.j")), ReturnCode::OK.as_str());
    assert_eq!(code(ask(&mut tree, "site-1.j", "server")), ReturnCode::OK.as_str());
    assert_eq!(code(ask(&mut tree, "server", "relay-1.relay-2.site-2")), ReturnCode::TARGET_UNREACHABLE.as_str());
    assert_eq!(code(ask(&mut tree, "relay-1.relay-2.site-2", "site-1")), ReturnCode::COMM_ERROR.as_str());
    tree.restart(relay);
    tree.run(5 * SECOND);
    assert!(tree.is_whole());
    assert_eq!(code(ask(&mut tree, "relay-1.relay-2.site-2", "site-1")), ReturnCode::OK.as_str());
}

#[test]
fn a_long_chain_carries_messages_from_end_to_end() {
    let mut tree = Tree::new(6, LinkProfile::PERFECT.with_latency(MS, Duration::ZERO));
    let mut above = tree.add("server", &[], Conduct::default());
    let mut name = String::new();
    for level in 0..30 {
        name = if level == 0 { "relay-0".to_owned() } else { format!("{name}.relay-{level}") };
        above = tree.add(&name, &[above], Conduct::default());
    }
    tree.run(5 * SECOND);
    assert!(tree.is_whole());
    assert_eq!(ask(&mut tree, "server", &name).0, ReturnCode::OK.as_str());
    assert_eq!(ask(&mut tree, &name, "server").0, ReturnCode::OK.as_str());
}
