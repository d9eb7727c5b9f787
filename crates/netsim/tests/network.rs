//! The network as its users see it: what arrives, when, and who learns of what.

use core::time::Duration;

use fedcell_netsim::{Happening, LinkId, LinkProfile, Network, NodeId};

const MS: Duration = Duration::from_millis(1);
const LATER: Duration = Duration::from_secs(3_600);

/// Two nodes and a link that stands.
fn pair(profile: LinkProfile) -> (Network<u32>, NodeId, NodeId, LinkId) {
    let mut network = Network::new(11);
    let (one, other) = (network.add_node(), network.add_node());
    let link = network.dial(one, other, profile);
    for _ in 0..2 {
        assert!(matches!(network.step(LATER), Some(Happening::Opened { .. })));
    }
    (network, one, other, link)
}

/// Everything that still happens, as short text.
fn rest(network: &mut Network<u32>) -> Vec<String> {
    let mut out = Vec::new();
    while let Some(happening) = network.step(LATER) {
        out.push(match happening {
            Happening::Opened { at, dialled, .. } => format!("{} opened {dialled}", at.index()),
            Happening::Delivered { at, packet, .. } => format!("{} got {packet}", at.index()),
            Happening::Closed { at, .. } => format!("{} closed", at.index()),
            _ => "?".to_owned(),
        });
    }
    out
}

#[test]
fn a_closing_side_still_delivers_what_it_sent() {
    let (mut network, one, other, link) = pair(LinkProfile::PERFECT.with_latency(5 * MS, 5 * MS));
    assert!(network.send(link, one, 1, 1));
    assert!(network.send(link, one, 1, 2));
    network.close(link, one);
    assert!(!network.send(link, one, 1, 3));
    assert_eq!(rest(&mut network), ["1 got 1", "1 got 2", "1 closed"]);
    assert!(!network.send(link, other, 1, 4));
    assert!(network.links().is_empty());
}

#[test]
fn a_broken_link_loses_what_is_under_way_and_tells_both() {
    let (mut network, one, other, link) = pair(LinkProfile::PERFECT.with_latency(5 * MS, Duration::ZERO));
    assert!(network.send(link, one, 1, 1));
    assert!(network.send(link, other, 1, 2));
    network.break_link(link);
    assert_eq!(rest(&mut network), ["0 closed", "1 closed"]);
}

#[test]
fn a_crashed_node_notices_nothing_and_cannot_be_dialled() {
    let (mut network, one, other, link) = pair(LinkProfile::PERFECT);
    assert!(network.send(link, one, 1, 1));
    network.crash(other);
    assert_eq!(rest(&mut network), ["0 closed"]);
    network.dial(one, other, LinkProfile::PERFECT);
    assert_eq!(rest(&mut network), ["0 closed"]);
    network.restart(other);
    network.dial(one, other, LinkProfile::PERFECT);
    assert_eq!(rest(&mut network), ["1 opened false", "0 opened true"]);
}

#[test]
fn a_partition_holds_everything_back_until_it_heals() {
    let (mut network, one, other, link) = pair(LinkProfile::PERFECT.with_latency(MS, Duration::ZERO));
    network.cut(other, one);
    for packet in 1..=3 {
        assert!(network.send(link, one, 1, packet));
    }
    assert_eq!(network.step(network.now() + 10 * MS), None);
    network.heal(one, other);
    assert_eq!(rest(&mut network), ["1 got 1", "1 got 2", "1 got 3"]);
}

#[test]
fn duplicates_arrive_twice() {
    let (mut network, one, _, link) = pair(LinkProfile::PERFECT.with_duplicates(1.0));
    assert!(network.send(link, one, 1, 9));
    assert_eq!(rest(&mut network), ["1 got 9", "1 got 9"]);
}

#[test]
fn a_connection_with_a_lifetime_ends() {
    let (mut network, ..) = pair(LinkProfile::PERFECT.with_mean_lifetime(Duration::from_secs(10)));
    let ended = rest(&mut network);
    assert_eq!(ended, ["0 closed", "1 closed"]);
    assert!(network.links().is_empty());
}

#[test]
fn nothing_is_left_of_a_link_that_both_sides_have_closed() {
    let profile = LinkProfile::PERFECT.with_latency(MS, MS).with_mean_lifetime(Duration::from_secs(1000));
    let (mut network, one, other, link) = pair(profile);
    network.send(link, one, 1, 1);
    network.close(link, one);
    network.close(link, other);
    while network.step(network.now() + 10 * MS).is_some() {}
    assert!(network.links().is_empty());
    assert_eq!(network.next_at(), None, "the link would have broken some day");
}

#[test]
fn the_same_seed_gives_the_same_course() {
    let course = |seed| {
        let mut network = Network::new(seed);
        let nodes: Vec<_> = (0..4).map(|_| network.add_node()).collect();
        let profile = LinkProfile::PERFECT
            .with_latency(3 * MS, 9 * MS)
            .with_reorder(0.3, 20 * MS)
            .with_duplicates(0.2)
            .with_mean_lifetime(Duration::from_secs(1));
        let links: Vec<_> = nodes.windows(2).map(|ends| (network.dial(ends[0], ends[1], profile), ends[0])).collect();
        let mut log = Vec::new();
        for packet in 0..200_usize {
            let until = network.now() + 5 * MS;
            while let Some(happening) = network.step(until) {
                log.push(format!("{happening:?}"));
            }
            let (link, from) = links[packet % links.len()];
            network.send(link, from, 100, u32::try_from(packet).unwrap());
        }
        log
    };
    assert_eq!(course(5), course(5));
    assert_ne!(course(5), course(6));
}
