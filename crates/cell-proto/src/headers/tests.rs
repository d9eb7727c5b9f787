//! Header maps against the frames of the reference, hostile maps, and rewriting as a forwarder does it.

use bytes::Bytes;
use fedcell_protocol_defs::cell::HeaderKey;
use proptest::prelude::*;

use super::*;
use crate::address::Fqcn;

fn decode(bytes: &[u8]) -> Result<HeaderMap, HeaderError> {
    HeaderMap::decode(Bytes::copy_from_slice(bytes), &HeaderLimits::default())
}

fn encode(map: &HeaderMap) -> Vec<u8> {
    let mut out = Vec::new();
    map.write_to(&mut out);
    assert!(out.len() <= map.size_hint(), "{} > {}", out.len(), map.size_hint());
    assert_eq!(out.len(), map.encoded_len());
    out
}

/// The same map, read from bytes.
fn received(map: &HeaderMap) -> HeaderMap {
    decode(&encode(map)).unwrap()
}

fn sample() -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert("client_name", "site-1");
    map.insert("__token__", "a secret");
    map.insert(HeaderKey::TOPIC, "challenge");
    map.insert(HeaderKey::REPLY_EXPECTED, true);
    map.insert(HeaderKey::PAYLOAD_LEN, 1625_usize);
    map.insert(HeaderKey::SEND_TIME, 1_795_329_067.25);
    map.insert(HeaderKey::REQ_ID, ["a", "b"].as_slice());
    map.insert("blob", [0_u8, 255].as_slice());
    map.insert("nothing", HeaderValue::Nil);
    map
}

#[test]
fn the_headers_of_the_reference_are_read_and_written_back() {
    let rows: serde_json::Value = serde_json::from_str(include_str!("../../testdata/frames.json")).unwrap();
    let row = rows.as_array().unwrap().iter().find(|row| row["name"] == "data_route_tuple").unwrap();
    let hex = row["hex"].as_str().unwrap();
    let frame: Vec<u8> = (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
    let frame = crate::frame::Frame::decode_whole(frame.into(), 1 << 20).unwrap();
    let map = HeaderMap::decode(frame.headers.clone(), &HeaderLimits::default()).unwrap();
    assert_eq!(map.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["cn__route", "i", "u", "f", "raw"]);
    assert_eq!(map.integer("i"), Ok(Some(-1)));
    assert_eq!(map.integer("u"), Ok(Some(70_000)));
    assert_eq!(map.number("f"), Ok(Some(1.5)));
    assert_eq!(map.raw("raw").unwrap().as_blob(), Some(&[0, 1][..]));
    let hops: Vec<_> = map.route().hops().collect();
    assert_eq!(hops, [Hop { cell: "site-1", seconds: Some(f64::from_bits(0x41d9_54fc_4020_0000)) }]);
    assert_eq!(encode(&map), frame.headers);

    // Written anew, value by value, the bytes are the same.
    let mut anew = HeaderMap::new();
    anew.push_hop(Fqcn::parse("site-1").unwrap(), hops[0].seconds.unwrap()).unwrap();
    anew.insert("i", -1);
    anew.insert("u", 70_000_u32);
    anew.insert("f", 1.5);
    anew.insert("raw", [0_u8, 1].as_slice());
    assert_eq!(encode(&anew), frame.headers);
}

#[test]
fn values_are_read_as_what_they_are_and_as_nothing_else() {
    for map in [sample(), received(&sample())] {
        assert_eq!(map.text("client_name"), Ok(Some("site-1")));
        assert_eq!(map.flag(HeaderKey::REPLY_EXPECTED), Ok(Some(true)));
        assert_eq!(map.flag(HeaderKey::PAYLOAD_LEN), Ok(Some(true)));
        assert_eq!(map.integer(HeaderKey::PAYLOAD_LEN), Ok(Some(1625)));
        assert_eq!(map.number(HeaderKey::PAYLOAD_LEN), Ok(Some(1625.0)));
        assert_eq!(map.texts(HeaderKey::TOPIC).unwrap().unwrap().single(), Some("challenge"));
        let ids = map.texts(HeaderKey::REQ_ID).unwrap().unwrap();
        assert_eq!((ids.iter().collect::<Vec<_>>(), ids.single()), (vec!["a", "b"], None));
        assert_eq!((map.text("nothing"), map.contains("nothing")), (Ok(None), true));
        assert_eq!((map.text("absent"), map.contains("absent")), (Ok(None), false));
        let wrong = |key: &str, expected| HeaderError::WrongType { key: key.into(), expected };
        assert_eq!(map.text("blob"), Err(wrong("blob", "text")));
        assert_eq!(map.flag("client_name"), Err(wrong("client_name", "a truth value")));
        assert_eq!(map.integer("cn__send_time"), Err(wrong("cn__send_time", "a whole number")));
        assert_eq!(map.texts("cn__send_time"), Err(wrong("cn__send_time", "a text or a list of texts")));
        let limits = HeaderLimits::default();
        assert_eq!(map.map("blob", &limits), Err(wrong("blob", "a map")));
    }
}

#[test]
fn a_header_keeps_its_place_when_it_is_set_again() {
    for mut map in [sample(), received(&sample())] {
        map.insert("client_name", "site-2, with a longer name");
        map.insert("last", 7);
        assert!(map.remove("blob") && !map.remove("blob"));
        map.insert(HeaderKey::TOPIC, "x");
        let read = received(&map);
        assert_eq!(read, map);
        let keys: Vec<_> = read.iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            [
                "client_name",
                "__token__",
                "cn__topic",
                "cn__reply_expected",
                "cn__payload_len",
                "cn__send_time",
                "cn__req_id",
                "nothing",
                "last"
            ]
        );
        assert_eq!(read.text("client_name"), Ok(Some("site-2, with a longer name")));
        assert_eq!(read.text(HeaderKey::TOPIC), Ok(Some("x")));
    }
}

#[test]
fn hops_are_appended_to_what_came_and_to_what_was_added() {
    let mut map = HeaderMap::new();
    let mut expected = Vec::new();
    for n in 0..20 {
        let cell = format!("cell-{n}");
        map.push_hop(Fqcn::parse(&cell).unwrap(), f64::from(n)).unwrap();
        expected.push(cell);
        if n % 3 == 0 {
            map = received(&map);
        }
    }
    let hops: Vec<_> = map.route().hops().map(|hop| hop.cell.to_owned()).collect();
    assert_eq!(hops, expected);
    assert!(map.route().contains(Fqcn::parse("cell-19").unwrap()));
    assert!(!map.route().contains(Fqcn::parse("cell-1.x").unwrap()));
}

#[test]
fn a_route_of_another_kind_is_kept_and_stands_for_none() {
    let mut map = HeaderMap::new();
    map.insert(HeaderKey::ROUTE, "server");
    assert_eq!(map.route().hops().count(), 0);
    let error = HeaderError::WrongType { key: "cn__route".into(), expected: "a list" };
    assert_eq!(map.push_hop(Fqcn::SERVER, 1.0), Err(error));
    assert_eq!(map.text(HeaderKey::ROUTE), Ok(Some("server")));
    // [["server"], "server", [7, 1.0], [], ["a", 2]]: two of these are hops.
    let odd = [b"\x81\xa9cn__route\x95".as_slice(), b"\x91\xa6server\xa6server\x92\x07\x01\x90\x92\xa1a\x02"].concat();
    let map = decode(&odd).unwrap();
    let hops: Vec<_> = map.route().hops().collect();
    assert_eq!(hops, [Hop { cell: "server", seconds: None }, Hop { cell: "a", seconds: Some(2.0) }]);
    // Nil is as good as no route.
    let mut map = decode(b"\x81\xa9cn__route\xc0").unwrap();
    map.push_hop(Fqcn::SERVER, 1.0).unwrap();
    assert_eq!(map.route().hops().count(), 1);
}

#[test]
fn a_map_within_the_map_shares_the_received_bytes() {
    let mut outer = HeaderMap::new();
    outer.insert(HeaderKey::ORIGINAL_HEADERS, &sample());
    outer.insert("empty", &HeaderMap::new());
    for map in [outer.clone(), received(&outer)] {
        let limits = HeaderLimits::default();
        assert_eq!(map.map(HeaderKey::ORIGINAL_HEADERS, &limits).unwrap().unwrap(), sample());
        assert!(map.map("empty", &limits).unwrap().unwrap().is_empty());
        assert_eq!(map.map("absent", &limits), Ok(None));
    }
}

#[track_caller]
fn check_refused(bytes: &[u8], expected: &HeaderError) {
    assert_eq!(decode(bytes).unwrap_err(), *expected);
}

#[test]
fn what_is_no_map_is_refused() {
    assert!(decode(b"").unwrap().is_empty());
    assert!(decode(b"\x80").unwrap().is_empty());
    check_refused(b"\xc0", &HeaderError::Malformed);
    check_refused(b"\x91\x80", &HeaderError::Malformed);
    check_refused(b"\x81\xa1a", &HeaderError::Malformed);
    check_refused(b"\x81\xa2a", &HeaderError::Malformed);
    check_refused(b"\x81\xa1a\xc1", &HeaderError::Malformed);
    check_refused(b"\x81\xa1a\x92\x01", &HeaderError::Malformed);
    check_refused(b"\x81\xa1a\xdf\xff\xff\xff\xff", &HeaderError::Malformed);
    check_refused(b"\x82\xa1a\x01", &HeaderError::Malformed);
    check_refused(b"\x81\xa1a\x01\x01", &HeaderError::TrailingBytes { len: 1 });
    check_refused(b"\x81\x01\x01", &HeaderError::KeyNotText { index: 0 });
    check_refused(b"\x82\xa1a\x01\xa1\xff\x01", &HeaderError::KeyNotText { index: 1 });
    check_refused(b"\x82\xa1a\x01\xa1a\x02", &HeaderError::DuplicateKey { index: 1 });
    // The same text under a longer spelling of its length.
    check_refused(b"\x82\xa1a\x01\xd9\x01a\x02", &HeaderError::DuplicateKey { index: 1 });
    check_refused(b"\xdf\xff\xff\xff\xff", &HeaderError::TooMany { count: u32::MAX, limit: 1024 });
    check_refused(b"\xde\x04\x00", &HeaderError::Malformed);
    check_refused(b"\xde\x04\x01", &HeaderError::TooMany { count: 1025, limit: 1024 });
}

#[test]
fn deep_values_cost_no_stack() {
    let mut deep = b"\x81\xa1a".to_vec();
    deep.resize(60_000, 0x91);
    check_refused(&deep, &HeaderError::Malformed);
    deep.push(0xc0);
    assert_eq!(decode(&deep).unwrap().len(), 1);
}

#[test]
fn tokens_are_not_printed() {
    let printed = format!("{:?}", sample());
    assert!(printed.contains("challenge") && printed.contains("__token__"), "{printed}");
    assert!(!printed.contains("secret") && !printed.contains("site-1"), "{printed}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(map) = decode(&bytes) {
            prop_assert_eq!(encode(&map), if map.is_empty() { Vec::new() } else { bytes });
            for (key, value) in &map {
                prop_assert_eq!(map.raw(key), Some(value));
                drop(format!("{value:?}"));
            }
        }
    }

    #[test]
    fn a_map_behaves_like_a_dict(
        steps in prop::collection::vec(("[a-d]{1,9}", prop::option::of(any::<i64>()), any::<bool>()), 0..60)
    ) {
        let mut map = HeaderMap::new();
        let mut model: Vec<(String, i64)> = Vec::new();
        for (key, value, reread) in steps {
            let at = model.iter().position(|(k, _)| *k == key);
            match (value, at) {
                (Some(value), Some(at)) => model[at].1 = value,
                (Some(value), None) => model.push((key.clone(), value)),
                (None, Some(at)) => drop(model.remove(at)),
                (None, None) => {}
            }
            match value {
                Some(value) => map.insert(&key, value),
                None => prop_assert_eq!(map.remove(&key), at.is_some()),
            }
            if reread {
                map = received(&map);
            }
        }
        let found: Vec<_> = map.iter().map(|(k, v)| (k.to_owned(), v.as_integer().unwrap())).collect();
        prop_assert_eq!(found, model);
        prop_assert_eq!(received(&map), map);
    }
}

#[test]
fn keys_of_the_cell_layer_are_found_wherever_they_stand() {
    // Places are kept for the first 254 entries; what is behind them is searched for.
    for before in [0, 1, 200, 252, 253, 254, 255, 300] {
        let mut map = HeaderMap::new();
        for number in 0..before {
            map.insert(format!("key {number}"), number);
        }
        map.insert(HeaderKey::ORIGIN, "site-1");
        map.insert(HeaderKey::SECURE, true);
        map.insert(HeaderKey::TOPIC, "t");
        for mut map in [received(&map), map] {
            let check = |map: &HeaderMap, origin, secure| {
                assert_eq!(map.text(HeaderKey::ORIGIN), Ok(origin), "behind {before}");
                assert_eq!(map.known(Known::Origin).and_then(RawValue::as_text), origin, "behind {before}");
                assert_eq!(map.flag(HeaderKey::SECURE), Ok(secure), "behind {before}");
                assert_eq!(map.text(HeaderKey::TOPIC), Ok(Some("t")), "behind {before}");
                assert_eq!(map.known(Known::Route), None);
                encode(map);
            };
            check(&map, Some("site-1"), Some(true));
            map.set(Known::Origin, "site-2");
            check(&map, Some("site-2"), Some(true));
            assert!(map.remove(HeaderKey::SECURE) && !map.remove(HeaderKey::SECURE));
            check(&map, Some("site-2"), None);
            if before > 0 {
                assert!(map.remove("key 0"));
                check(&map, Some("site-2"), None);
            }
            map.insert(HeaderKey::SECURE, false);
            check(&received(&map), Some("site-2"), Some(false));
            let twice = [encode(&map), encode(&map)[1..].to_vec()].concat();
            assert!(decode(&twice).is_err(), "behind {before}");
        }
    }
}
