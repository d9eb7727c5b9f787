//! The source against the answers of the reference, and in virtual time.

use core::time::Duration;

use fedcell_auth::UnixTime;
use fedcell_fobs::{Map, Text, Value};
use serde_json::Value as Json;

use super::*;
use crate::address::FqcnBuf;
use crate::download::body::{Confirm, Content, End, FromReceiver, FromSource, Piece, Pull};

const NOW: UnixTime = UnixTime::from_secs(1_767_225_600);

fn after(seconds: u64) -> UnixTime {
    NOW.saturating_add(Duration::from_secs(seconds))
}

fn cell(name: &str) -> FqcnBuf {
    FqcnBuf::parse(name).unwrap()
}

fn pull(ref_id: &str, state: Option<(u64, u64)>) -> Pull {
    let state = state.map(|(start, count)| Map::from([("start", start), ("count", count)]));
    Pull { ref_id: ref_id.into(), state, confirms: true, digests: false, piece: None, ahead: 0 }
}

/// A value of the payload codec for a JSON value of the vectors.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(bit) => (*bit).into(),
        Json::Number(number) => number.as_i64().unwrap().into(),
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(entries) => entries.iter().map(|(key, item)| (key.as_str(), value(item))).collect::<Map>().into(),
    }
}

/// The same with the entries of every map in the order of their keys: the vectors have lost theirs.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Map(map) => {
            let mut entries: Vec<(String, Value)> =
                map.iter().map(|(key, item)| (key.as_str().unwrap().to_owned(), sorted(item))).collect();
            entries.sort_by(|ours, theirs| ours.0.cmp(&theirs.0));
            entries.into_iter().collect::<Map>().into()
        }
        other => other.clone(),
    }
}

fn source(receivers: Receivers, lengths: &[u64]) -> (Source, TransactionId) {
    let mut source = Source::new(SourceConfig::default());
    let id = source.open(NOW, Transaction::new(receivers));
    source.add(id, "ref-1".into(), Offer::items(lengths)).unwrap();
    (source, id)
}

fn settled(source: &mut Source) -> Option<Outcome> {
    let mut outcome = None;
    while let Some(event) = source.poll_event() {
        if let SourceEvent::Settled(settled) = event {
            assert!(outcome.replace(*settled).is_none(), "settled once");
        }
    }
    outcome
}

/// Answers a body as a cell does, in the form of the vectors: the return code and the body of the reply.
fn answer(source: &mut Source, origin: &str, body: Value, nonce: [u8; 16]) -> (&'static str, Option<FromSource>) {
    let origin = cell(origin);
    match FromReceiver::parse(body) {
        Err(_) => ("invalid_request", None),
        Ok(FromReceiver::Confirm(confirm)) => {
            source.handle_confirm(NOW, origin.as_fqcn(), &confirm);
            ("ok", None)
        }
        Ok(FromReceiver::Cancel { ref_id }) => {
            source.handle_cancel(NOW, origin.as_fqcn(), &ref_id);
            ("ok", None)
        }
        Ok(FromReceiver::Pull(pull)) => match source.handle_pull(NOW, origin.as_fqcn(), &pull, nonce) {
            PullAnswer::Unknown => ("invalid_request", None),
            PullAnswer::Broken => ("process_exception", None),
            PullAnswer::End(end) => ("ok", Some(FromSource::End(end))),
            PullAnswer::Produce(production) => {
                let Plan::Items { count, state, .. } = production.plan.clone() else { panic!("{production:?}") };
                source.handle_produced(NOW, &production, 274);
                let data = Content::Items(vec![vec![0; 274].into(); count]);
                let piece = Piece { state, ahead: production.ahead, data, digests: None, cancels: true };
                ("ok", Some(FromSource::Piece(piece)))
            }
        },
    }
}

#[test]
fn answers_are_those_of_the_reference() {
    let cases: Vec<Json> = serde_json::from_str(include_str!("../../../testdata/download_service.json")).unwrap();
    let (mut source, _) = source(Receivers::Count(2), &[274]);
    // The transaction of the vectors is complete with one more receiver than confirms: the one that does not confirm.
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let expected = &case["reply_body"];
        let nonce = expected["confirm_nonce"].as_str().map_or([0; 16], |text| {
            core::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        });
        let origin = case["origin"].as_str().unwrap();
        let (code, body) = answer(&mut source, origin, value(&case["request"]), nonce);
        assert_eq!(Some(code), case["reply_headers"]["cn__return_code"].as_str(), "{name}");
        let body = body.map_or(Value::Null, FromSource::into_value);
        match expected["data"].as_str() {
            // The vectors describe long data in words.
            Some("<1 items: [274] bytes>") => {
                let body = body.as_map().unwrap();
                assert_eq!(body.get("state").map(sorted), Some(value(&expected["state"])), "{name}");
                assert_eq!(body.get("status"), Some(&"ok".into()), "{name}");
                assert_eq!(body.get("cancel_capable"), Some(&true.into()), "{name}");
                assert_eq!(body.len(), 4, "{name}");
            }
            Some(other) => panic!("{other}"),
            None => assert_eq!(sorted(&body), value(expected), "{name}"),
        }
    }
    assert_eq!(cases.len(), 12);
}

#[test]
fn pieces_are_cut_as_the_reference_cuts_them() {
    let vectors: Json = serde_json::from_str(include_str!("../../../testdata/download_items.json")).unwrap();
    let mut requests = 0;
    for case in vectors["chunk_packing"].as_array().unwrap() {
        let lengths: Vec<u64> = case["item_sizes"].as_array().unwrap().iter().map(|it| it.as_u64().unwrap()).collect();
        let offer = Offer::Items { lengths: lengths.into(), piece: case["max_chunk_size"].as_u64().unwrap() };
        let mut state = None;
        for request in case["requests"].as_array().unwrap() {
            requests += 1;
            match offer.plan(state.as_ref(), 0) {
                Plan::Complete => assert_eq!(request["status"], "eof"),
                Plan::Items { count, state: next, .. } => {
                    assert_eq!(Some(count as u64), request["items"].as_u64());
                    assert_eq!(sorted(&Value::Map(next.clone())), value(&request["state_out"]));
                    state = Some(next);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(requests > 30, "{requests}");
}

#[track_caller]
fn check_plan(offer: &Offer, state: &[(&str, i64)], expected: &str) {
    let state: Map = state.iter().map(|&(key, number)| (key, number)).collect();
    let found = match offer.plan(Some(&state), 0) {
        Plan::Bytes { offset, length, .. } => format!("{length} at {offset}"),
        Plan::Items { first, count, .. } => format!("{count} from {first}"),
        other => format!("{other:?}"),
    };
    assert_eq!(found, expected);
}

#[test]
fn states_that_nobody_was_given_lead_nowhere() {
    let file = Offer::bytes(12_000_000);
    check_plan(&file, &[], "5242880 at 0");
    check_plan(&file, &[("received_bytes", 10_485_760)], "1514240 at 10485760");
    check_plan(&file, &[("received_bytes", 12_000_000)], "Complete");
    check_plan(&file, &[("received_bytes", i64::MAX)], "Complete");
    check_plan(&file, &[("received_bytes", -1)], "Failed");
    let items = Offer::items([10, 20, 30]);
    check_plan(&items, &[("start", 1), ("count", 1)], "1 from 2");
    check_plan(&items, &[("start", i64::MAX), ("count", i64::MAX)], "Complete");
    check_plan(&items, &[("start", -1), ("count", 1)], "Broken");
    check_plan(&Offer::bytes(0), &[], "Complete");
    check_plan(&Offer::items([]), &[], "Complete");
}

/// A receiver fetches everything; what it has to repeat in its confirmation.
fn fetch(source: &mut Source, now: UnixTime, receiver: &str, ref_id: &str, nonce: u8) -> Option<Text> {
    let receiver = cell(receiver);
    let first = source.handle_pull(now, receiver.as_fqcn(), &pull(ref_id, None), [0; 16]);
    let PullAnswer::Produce(production) = first else { panic!("{first:?}") };
    source.handle_produced(now, &production, 10);
    let end = source.handle_pull(now, receiver.as_fqcn(), &pull(ref_id, Some((0, 1000))), [nonce; 16]);
    let PullAnswer::End(End { is_complete: true, nonce }) = end else { panic!("{end:?}") };
    nonce
}

fn confirm(source: &mut Source, now: UnixTime, receiver: &str, status: &str, nonce: Option<Text>) -> bool {
    let confirm = Confirm { ref_id: "ref-1".into(), status: status.into(), nonce };
    source.handle_confirm(now, cell(receiver).as_fqcn(), &confirm)
}

#[test]
fn a_transaction_ends_with_the_last_confirmation() {
    let (mut source, id) = source(Receivers::named([cell("a"), cell("b"), cell("a")]), &[10]);
    let a = fetch(&mut source, NOW, "a", "ref-1", 1);
    let b = fetch(&mut source, NOW, "b", "ref-1", 2);
    // A stranger completes nothing.
    let stranger = fetch(&mut source, NOW, "x", "ref-1", 3);
    assert!(confirm(&mut source, NOW, "x", "success", stranger));
    assert!(!confirm(&mut source, NOW, "a", "success", b.clone()), "the nonce of another");
    assert!(!confirm(&mut source, NOW, "a", "success", None));
    assert!(!confirm(&mut source, NOW, "a", "maybe", a.clone()));
    // Served once more, only the last nonce counts.
    let again = fetch(&mut source, NOW, "a", "ref-1", 4);
    assert!(!confirm(&mut source, NOW, "a", "success", a));
    assert!(confirm(&mut source, NOW, "a", "success", again.clone()));
    assert!(!confirm(&mut source, NOW, "a", "failed", again), "the first word counts");
    assert!(settled(&mut source).is_none() && source.is_open(id));
    assert!(confirm(&mut source, NOW, "b", "success", b));
    let outcome = settled(&mut source).unwrap();
    assert_eq!(
        (outcome.verdict, outcome.reason, outcome.cause),
        (Verdict::Completed, Reason::AllSucceeded, Cause::Finished)
    );
    assert!(outcome.is_quorum_met && !source.is_open(id));
    // Remembered for half an hour, and per receiver.
    let late = |source: &mut Source, at| source.handle_pull(at, cell("a").as_fqcn(), &pull("ref-1", None), [0; 16]);
    assert!(matches!(late(&mut source, after(1799)), PullAnswer::End(End { is_complete: true, nonce: None })));
    assert_eq!(source.poll_timeout(), Some(after(1800)));
    source.handle_timeout(after(1800));
    assert!(matches!(late(&mut source, after(1800)), PullAnswer::Unknown));
    assert_eq!(source.poll_timeout(), None);
}

#[test]
fn a_receiver_that_fails_makes_the_outcome_a_failure() {
    for (status, quorum) in [("failed", 1), ("cancelled", 2)] {
        let mut source = Source::new(SourceConfig::default());
        let terms = Transaction { least: Some(1), ..Transaction::new(Receivers::Count(2)) };
        let id = source.open(NOW, terms);
        source.add(id, "ref-1".into(), Offer::items([10])).unwrap();
        let a = fetch(&mut source, NOW, "a", "ref-1", 1);
        confirm(&mut source, NOW, "a", "success", a);
        let b = fetch(&mut source, NOW, "b", "ref-1", 2);
        assert!(!source.handle_cancel(NOW, cell("c").as_fqcn(), &"ref-1".into()), "nobody that has begun");
        match quorum {
            1 => assert!(confirm(&mut source, NOW, "b", status, b)),
            _ => assert!(source.handle_cancel(NOW, cell("b").as_fqcn(), &"ref-1".into())),
        }
        let outcome = settled(&mut source).unwrap();
        assert_eq!((outcome.verdict, outcome.reason), (Verdict::Failed, Reason::ReceiverFailed));
        assert!(outcome.is_quorum_met, "one was enough");
        let again = source.handle_pull(NOW, cell("b").as_fqcn(), &pull("ref-1", None), [0; 16]);
        assert!(matches!(again, PullAnswer::End(End { is_complete: false, nonce: None })));
    }
}

#[test]
fn silence_ends_a_transaction_and_activity_does_not() {
    let (mut source, id) = source(Receivers::Count(1), &[10]);
    assert_eq!(source.poll_timeout(), Some(after(600)));
    source.handle_timeout(after(599));
    let pulled = source.handle_pull(after(599), cell("a").as_fqcn(), &pull("ref-1", None), [0; 16]);
    assert!(matches!(pulled, PullAnswer::Produce(_)));
    source.handle_timeout(after(600));
    assert!(source.is_open(id));
    assert_eq!(source.poll_timeout(), Some(after(1199)));
    source.handle_timeout(after(1199));
    let outcome = settled(&mut source).unwrap();
    assert_eq!((outcome.verdict, outcome.reason), (Verdict::Failed, Reason::TimedOut));
    let late = source.handle_pull(after(1199), cell("a").as_fqcn(), &pull("ref-1", None), [0; 16]);
    assert!(matches!(late, PullAnswer::Unknown), "what timed out is not remembered");
}

#[test]
fn receivers_have_budgets_of_their_own() {
    let mut source = Source::new(SourceConfig::default());
    let budgets = (Some(Duration::from_secs(30)), Some(Duration::from_secs(60)));
    let terms = Transaction {
        acquire_timeout: budgets.0,
        idle_timeout: budgets.1,
        ..Transaction::new(Receivers::named([cell("a"), cell("b")]))
    };
    let id = source.open(NOW, terms);
    source.add(id, "ref-1".into(), Offer::items([10])).unwrap();
    source.add(id, "ref-2".into(), Offer::items([10])).unwrap();
    assert_eq!(source.poll_timeout(), Some(after(30)));
    let _ = source.handle_pull(after(20), cell("a").as_fqcn(), &pull("ref-1", None), [0; 16]);
    source.handle_timeout(after(30));
    assert_eq!(source.poll_timeout(), Some(after(80)), "what a did with one object counts for the other");
    source.handle_timeout(after(80));
    let outcome = settled(&mut source).unwrap();
    assert_eq!((outcome.verdict, outcome.cause), (Verdict::Failed, Cause::Finished));
    for object in outcome.objects {
        assert_eq!(object.receivers.into_iter().collect::<Vec<_>>(), [(cell("a"), false), (cell("b"), false)]);
    }
}

#[test]
fn what_peers_can_fill_is_bounded() {
    let config = SourceConfig { receivers: 2, objects: 2, finished: 1, ..SourceConfig::default() };
    let mut source = Source::new(config);
    let id = source.open(NOW, Transaction::new(Receivers::Count(1)));
    source.add(id, "r1".into(), Offer::items([10])).unwrap();
    assert_eq!(source.add(id, "r1".into(), Offer::items([10])), Err(OpenError::Taken));
    source.add(id, "r2".into(), Offer::items([10])).unwrap();
    assert_eq!(source.add(id, "r3".into(), Offer::items([10])), Err(OpenError::Full { limit: 2 }));
    for (receiver, is_known) in [("a", true), ("b", true), ("c", false), ("a", true)] {
        let answer = source.handle_pull(NOW, cell(receiver).as_fqcn(), &pull("r1", None), [0; 16]);
        assert_eq!(matches!(answer, PullAnswer::Produce(_)), is_known, "{receiver}");
    }
    source.delete(NOW, id);
    assert_eq!(settled(&mut source).unwrap().verdict, Verdict::Aborted);
    assert_eq!(source.add(id, "r3".into(), Offer::items([10])), Err(OpenError::NoTransaction));
    assert_eq!((source.open_transactions(), source.poll_timeout()), (0, None));
}
