//! Two cells: how requests end, and what a connection's end does to them.

use core::time::Duration;

use fedcell_cell_proto::request::{Failure, RequestId};
use fedcell_netsim::LinkProfile;
use fedcell_protocol_defs::cell::ReturnCode;
use fedcell_tests::sim::{CellId, Conduct, Outcome, Pair, Request, Topic, Tree};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn pair() -> Pair {
    Pair::connected(1, LinkProfile::PERFECT.with_latency(5 * MS, Duration::ZERO))
}

/// How the only target of a request has ended, in a word: a return code, `-` if it has not.
fn ending(tree: &Tree, from: CellId, id: &RequestId) -> String {
    let asked = &tree.cell(from).asked[id];
    assert_eq!(asked.outcomes.len(), 1, "one target was asked");
    match asked.outcomes.values().next().and_then(Option::as_ref) {
        None => "-".to_owned(),
        Some(Outcome::Reply(code, _)) => code.clone(),
        Some(Outcome::Failed(failure)) => failure.return_code().to_string(),
    }
}

/// The request has not ended after `before`, and has ended as `expected` after `within`.
#[track_caller]
fn check(request: &Request, before: Duration, within: Duration, expected: ReturnCode<'_>) {
    let Pair { mut tree, server, site } = pair();
    let id = tree.request(site, &["server"], request);
    tree.run(before);
    assert_eq!(ending(&tree, site, &id), "-", "{request:?} after {before:?}");
    tree.run(within - before);
    assert_eq!(ending(&tree, site, &id), expected.as_str(), "{request:?} after {within:?}");
    assert_eq!(tree.cell(server).handled.values().sum::<u64>(), 1);
}

#[test]
fn requests_end_when_and_as_they_should() {
    let request = |topic| Request::new(topic, 4 * SECOND);
    check(&request(Topic::Echo), 9 * MS, 10 * MS, ReturnCode::OK);
    check(&request(Topic::Slow), 9 * MS, 3010 * MS, ReturnCode::OK);
    check(&request(Topic::Delayed), 9 * MS, 1010 * MS, ReturnCode::OK);
    check(&request(Topic::Twice), 9 * MS, 10 * MS, ReturnCode::OK);
    check(&request(Topic::Nobody), 9 * MS, 10 * MS, ReturnCode::PROCESS_EXCEPTION);
    check(&request(Topic::Silent), 4 * SECOND - MS, 4 * SECOND, ReturnCode::TIMEOUT);
    check(&Request::new(Topic::Echo, 8 * MS), 7 * MS, 8 * MS, ReturnCode::TIMEOUT);
}

#[test]
fn late_and_second_replies_are_dropped_and_counted() {
    let Pair { mut tree, site, .. } = pair();
    let late = tree.request(site, &["server"], &Request::new(Topic::Echo, 8 * MS));
    tree.run(SECOND);
    assert_eq!(ending(&tree, site, &late), ReturnCode::TIMEOUT.as_str());
    assert_eq!(tree.cell(site).node.exchange().drops().late, 1);

    // With another target open the request still stands when the second reply comes.
    tree.request(site, &["server", "site-1"], &Request::new(Topic::Twice, SECOND));
    tree.run(SECOND);
    let drops = tree.cell(site).node.exchange().drops();
    assert_eq!((drops.late, drops.second), (2, 1), "the cell's own second reply came first, the server's last");
    assert_eq!(tree.cell(site).answers_taken, 2);
    assert_eq!(tree.cell(site).answers_given, 5);
}

#[test]
fn a_request_on_a_connection_that_breaks_ends_at_its_deadline() {
    let Pair { mut tree, site, .. } = pair();
    let id = tree.request(site, &["server"], &Request::new(Topic::Echo, 2 * SECOND));
    tree.change_links(LinkProfile::PERFECT);
    tree.run(2 * SECOND - MS);
    assert!(tree.is_whole(), "the site has dialled again");
    assert_eq!(ending(&tree, site, &id), "-");
    tree.run(MS);
    assert_eq!(ending(&tree, site, &id), ReturnCode::TIMEOUT.as_str());
}

#[test]
fn what_a_cell_asked_survives_its_sleep_and_not_its_death() {
    for sleeps in [true, false] {
        let Pair { mut tree, site, .. } = pair();
        let id = tree.request(site, &["server"], &Request::new(Topic::Silent, SECOND));
        if sleeps {
            tree.suspend(site);
        } else {
            tree.crash(site);
        }
        tree.run(5 * SECOND);
        tree.restart(site);
        tree.run(2 * SECOND);
        assert!(tree.is_whole());
        if sleeps {
            assert_eq!(ending(&tree, site, &id), ReturnCode::TIMEOUT.as_str());
        } else {
            assert!(tree.cell(site).asked.is_empty());
        }
        assert_eq!(tree.cell(site).node.exchange().pending_requests(), 0);
    }
}

#[test]
fn after_a_goodbye_nothing_is_routed_there_until_the_cell_comes_back() {
    let Pair { mut tree, server, site } = pair();
    let said = tree.goodbye(site).expect("there is a neighbour");
    tree.run(100 * MS);
    assert_eq!(ending(&tree, site, &said), ReturnCode::OK.as_str());
    let request = Request::new(Topic::Echo, SECOND);
    let id = tree.request(server, &["site-1"], &request);
    let outcome = tree.cell(server).asked[&id].outcomes.values().next();
    assert!(matches!(outcome, Some(Some(Outcome::Failed(Failure::Unreachable(_))))), "{outcome:?}");
    tree.run(3 * SECOND);
    let id = tree.request(server, &["site-1"], &request);
    tree.run(SECOND);
    assert_eq!(ending(&tree, server, &id), ReturnCode::OK.as_str());
}

#[test]
fn a_silent_peer_is_taken_for_dead_and_found_again() {
    let mut tree = Tree::new(3, LinkProfile::PERFECT.with_latency(5 * MS, Duration::ZERO));
    let conduct = Conduct { heartbeat: Some(SECOND), ..Conduct::default() };
    let server = tree.add("server", &[], conduct);
    let site = tree.add("site-1", &[server], conduct);
    tree.run(60 * SECOND);
    assert!(tree.is_whole(), "questions and answers keep the connection up");
    tree.cut(server, site, true);
    // The last answer may have come a second before the partition.
    tree.run(2500 * MS);
    assert!(tree.is_whole(), "not silent for long enough");
    tree.run(2 * SECOND);
    for cell in [server, site] {
        assert_eq!(
            tree.cell(cell).node.exchange().neighbours().count(),
            0,
            "after a silence of more than four seconds"
        );
    }
    let id = tree.request(site, &["server"], &Request::new(Topic::Echo, SECOND));
    assert_eq!(ending(&tree, site, &id), ReturnCode::TARGET_UNREACHABLE.as_str());
    tree.cut(server, site, false);
    tree.run(3 * SECOND);
    assert!(tree.is_whole());
}

#[test]
fn a_narrow_link_delays_and_loses_nothing() {
    let Pair { mut tree, site, .. } = Pair::connected(4, LinkProfile::PERFECT.with_bandwidth(10_000));
    let large = Request { size: 50_000, ..Request::new(Topic::Echo, 60 * SECOND) };
    let ids: Vec<_> = (0..3).map(|_| tree.request(site, &["server"], &large)).collect();
    tree.run(9 * SECOND);
    assert!(ids.iter().all(|id| ending(&tree, site, id) == "-"), "50 kB there and back take ten seconds");
    tree.run(13 * SECOND);
    assert!(ids.iter().all(|id| ending(&tree, site, id) == ReturnCode::OK.as_str()));
}

#[test]
fn sealed_requests_are_answered_sealed_or_end_otherwise() {
    let Pair { mut tree, site, .. } = pair();
    let sealed = Request { is_sealed: true, ..Request::new(Topic::Echo, 2 * SECOND) };
    let ids: Vec<_> = (0..200).map(|_| tree.request(site, &["server"], &sealed)).collect();
    tree.run(2 * SECOND);
    let ended = |code: ReturnCode<'_>| ids.iter().filter(|id| ending(&tree, site, id) == code.as_str()).count();
    // One in twenty cannot be sealed, and one in twenty cannot be opened, on either side.
    let (ok, not_sealed, lost) = (ended(ReturnCode::OK), ended(ReturnCode::COMM_ERROR), ended(ReturnCode::TIMEOUT));
    assert_eq!(ok + not_sealed + lost, 200);
    assert!(ok > 120 && not_sealed > 0 && lost > 0, "{ok} {not_sealed} {lost}");
}
