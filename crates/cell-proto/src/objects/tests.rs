//! Both ends against each other, and streams that go wrong.

use core::time::Duration;

use fedcell_auth::UnixTime;
use fedcell_fobs::typed::Shareable;
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::federation::{ObjectStreamHeader, ShareableCode};

use super::*;
use crate::address::Fqcn;

const NOW: UnixTime = UnixTime::from_secs(1_767_225_600);

fn site() -> Fqcn<'static> {
    Fqcn::parse("site-1.job").unwrap()
}

fn stream() -> OutgoingObjects {
    let context: Map = [("kind", "log")].into_iter().collect();
    OutgoingObjects::new("tx".into(), "logs", "live", context)
}

fn next(stream: &mut OutgoingObjects) -> Shareable {
    let mut object = Shareable::new();
    stream.handle_object(&mut object).unwrap();
    object
}

fn ends(incoming: &mut IncomingObjects) -> Vec<String> {
    core::iter::from_fn(|| incoming.poll_event()).map(|ended| ended.code.as_str().to_owned()).collect()
}

#[test]
fn objects_arrive_one_by_one_until_the_receiver_has_enough() {
    let (mut out, mut incoming) = (stream(), IncomingObjects::default());
    for number in 0..3 {
        let accepted = incoming.handle_object(NOW, site(), &next(&mut out)).unwrap();
        assert_eq!((accepted.channel.as_str(), accepted.topic.as_str()), ("logs", "live"));
        let context = accepted.context.map(|context| context.get("kind").cloned());
        assert_eq!(context, (number == 0).then(|| Some(Value::from("log"))));
        let last = (number == 2).then_some("OK");
        incoming.handle_consumed(NOW, &accepted.key, last);
    }
    assert_eq!((ends(&mut incoming), incoming.len(), out.sent()), (vec!["OK".to_owned()], 0, 3));
    // The sender says so in any case.
    let abort = out.handle_end().unwrap();
    incoming.handle_abort(site(), &abort).unwrap();
    assert!(ends(&mut incoming).is_empty());
    assert_eq!((out.handle_end(), out.handle_object(&mut Shareable::new())), (None, Err(StreamOver)));
}

#[test]
fn a_stream_without_an_object_is_never_heard_of() {
    assert_eq!(stream().handle_end(), None);
}

#[test]
fn the_sender_may_end_it_even_while_an_object_is_being_used() {
    let (mut out, mut incoming) = (stream(), IncomingObjects::default());
    let accepted = incoming.handle_object(NOW, site(), &next(&mut out)).unwrap();
    let abort = out.handle_end().unwrap();
    // Nobody else can.
    incoming.handle_abort(Fqcn::parse("site-2").unwrap(), &abort).unwrap();
    incoming.handle_abort(site(), &abort).unwrap();
    assert_eq!((ends(&mut incoming).len(), incoming.len()), (0, 1));
    incoming.handle_consumed(NOW, &accepted.key, Some("OK"));
    assert_eq!((ends(&mut incoming), incoming.len()), (vec!["TASK_ABORTED".to_owned()], 0));
}

#[test]
fn silence_ends_a_stream() {
    let limits = ObjectLimits { silence: Duration::from_secs(5), ..ObjectLimits::default() };
    let (mut out, mut incoming) = (stream(), IncomingObjects::new(limits));
    let accepted = incoming.handle_object(NOW, site(), &next(&mut out)).unwrap();
    // A consumer may take its time.
    assert_eq!(incoming.poll_timeout(), None);
    let later = NOW.saturating_add(Duration::from_secs(60));
    incoming.handle_timeout(later);
    incoming.handle_consumed(later, &accepted.key, None);
    let due = incoming.poll_timeout().unwrap();
    assert_eq!(due, later.saturating_add(Duration::from_secs(5)));
    incoming.handle_timeout(later);
    assert!(ends(&mut incoming).is_empty());
    incoming.handle_timeout(due);
    assert_eq!(ends(&mut incoming), ["TIMEOUT"]);
}

#[track_caller]
fn check(before: usize, change: impl FnOnce(&mut Shareable), expected: ShareableCode<'_>, ended: &[&str]) {
    let limits = ObjectLimits { open: 1, ..ObjectLimits::default() };
    let (mut out, mut incoming) = (stream(), IncomingObjects::new(limits));
    for _ in 0..before {
        let accepted = incoming.handle_object(NOW, site(), &next(&mut out)).unwrap();
        incoming.handle_consumed(NOW, &accepted.key, None);
    }
    let mut object = next(&mut out);
    change(&mut object);
    assert_eq!(incoming.handle_object(NOW, site(), &object), Err(expected));
    assert_eq!(ends(&mut incoming), ended);
}

#[test]
fn what_is_no_next_object_is_refused() {
    let without = |header: ObjectStreamHeader<'static>| {
        move |object: &mut Shareable| object.set_header(header.as_str(), Value::Null)
    };
    let bad = ShareableCode::BAD_REQUEST_DATA;
    check(0, without(ObjectStreamHeader::TX_ID), bad, &[]);
    check(0, without(ObjectStreamHeader::SEQ), bad, &[]);
    check(0, without(ObjectStreamHeader::CTX), bad, &[]);
    check(1, without(ObjectStreamHeader::TX_ID), bad, &[]);
    check(1, without(ObjectStreamHeader::SEQ), bad, &["BAD_REQUEST_DATA"]);
    check(1, without(ObjectStreamHeader::TOPIC), bad, &["BAD_REQUEST_DATA"]);
    check(1, without(ObjectStreamHeader::CHANNEL), bad, &["BAD_REQUEST_DATA"]);
    let number =
        |number: i64| move |object: &mut Shareable| object.set_header(ObjectStreamHeader::SEQ.as_str(), number);
    check(0, number(1), bad, &[]);
    check(0, number(-1), bad, &[]);
    check(1, number(0), bad, &["BAD_REQUEST_DATA"]);
    check(2, number(1), bad, &["BAD_REQUEST_DATA"]);
    let other = |object: &mut Shareable| {
        object.set_header(ObjectStreamHeader::TX_ID.as_str(), "other");
        object.set_header(ObjectStreamHeader::SEQ.as_str(), 0);
        let context: Map = [("a", "b")].into_iter().collect();
        object.set_header(ObjectStreamHeader::CTX.as_str(), context);
    };
    check(1, other, ShareableCode::SERVICE_UNAVAILABLE, &[]);
}
