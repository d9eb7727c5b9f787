//! Containers that mean no good, and the error that each gets.

use core::slice::from_ref;

use bytes::Bytes;
use fedcell_fobs::{Budget, Error, Value, decode, decode_within, encode};
use serde_json::Value as Json;

use crate::support::testdata;

fn section(marker: u8, dot: u8, body: &[u8]) -> Vec<u8> {
    let mut section = vec![marker, dot];
    section.extend_from_slice(&(body.len() as u64).to_be_bytes());
    section.extend_from_slice(body);
    section
}

fn main_section(body: &[u8]) -> Vec<u8> {
    section(100, 0, body)
}

fn text(text: &str) -> Vec<u8> {
    let mut out = vec![0xd9, u8::try_from(text.len()).unwrap()];
    out.extend_from_slice(text.as_bytes());
    out
}

fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![0x80 | u8::try_from(entries.len()).unwrap()];
    for (key, value) in entries {
        out.extend(text(key));
        out.extend_from_slice(value);
    }
    out
}

fn envelope(type_name: &str, data: Vec<u8>) -> Vec<u8> {
    map(&[("__fobs_type__", text(type_name)), ("__fobs_data__", data)])
}

fn datum_ref(id: &str) -> Vec<u8> {
    let attributes = map(&[("datum_id", text(id)), ("unwrap", vec![0xc3])]);
    envelope("nvflare.fuel.utils.fobs.datum.DatumRef", map(&[("data", attributes)]))
}

fn array(file: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xc5];
    bytes.extend_from_slice(&u16::try_from(file.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(file);
    envelope("numpy.ndarray", map(&[("type", text("native")), ("data", bytes)]))
}

fn npy(header: &str, elements: usize) -> Vec<u8> {
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend_from_slice(&u16::try_from(header.len()).unwrap().to_le_bytes());
    file.extend_from_slice(header.as_bytes());
    file.resize(file.len() + elements, 0);
    file
}

fn repeated(byte: u8, count: usize, last: &[u8]) -> Vec<u8> {
    let mut out = vec![byte; count];
    out.extend_from_slice(last);
    out
}

#[track_caller]
fn refused(container: Vec<u8>) -> Error {
    let container = Bytes::from(container);
    let error = decode(from_ref(&container)).expect_err("a bomb is refused");
    // However the bytes are cut, the same thing is said about them.
    for step in [1, 5, 64] {
        if container.len() > 4096 {
            break;
        }
        let segments: Vec<_> =
            (0..container.len()).step_by(step).map(|at| container.slice(at..container.len().min(at + step))).collect();
        assert_eq!(decode(&segments).expect_err("a bomb in pieces is refused").to_string(), error.to_string());
    }
    error
}

#[track_caller]
fn check(container: Vec<u8>, expected: &str) {
    assert_eq!(refused(container).to_string(), expected);
}

#[test]
fn sections() {
    let object = main_section(&[0xc0]);
    let then = |more: Vec<u8>| [object.clone(), more].concat();
    let datum = |id: u8, value: &[u8]| section(102, 0, &[[id; 16].as_slice(), value].concat());
    check(vec![], "the container is empty: the sender must send a main section, at byte 0");
    check(vec![100, 0, 0], "a section header of 10 bytes was cut off after 3, at byte 0");
    check(main_section(&[]), "a section declares no content: the sender must not send an empty section, at byte 0");
    check(section(101, 0, &[0; 20]), "a section is marked 101, but the main section was expected here, at byte 0");
    check(section(7, 0, &[0]), "a section is marked 7, but the main section was expected here, at byte 0");
    check(
        [&[100, 0][..], &u64::MAX.to_be_bytes(), &[0xc0]].concat(),
        "a section declares 18446744073709551615 bytes, but only 1 follow, at byte 0",
    );
    check(then(vec![0]), "a section header of 10 bytes was cut off after 1, at byte 11");
    check(then(object.clone()), "a section is marked 100, but a datum section was expected here, at byte 11");
    check(then(section(99, 0, &[0; 20])), "a section is marked 99, but a datum section was expected here, at byte 11");
    check(then(section(102, 0, &[0; 15])), "a datum section of 15 bytes has no room for the datum's id, at byte 11");
    check(
        then(datum(1, b"")),
        "datum 01010101-0101-0101-0101-010101010101 is empty, which no receiver accepts, at byte 11",
    );
    check(
        then([datum(2, b"a"), datum(1, b"b"), datum(2, b"c")].concat()),
        "datum 02020202-0202-0202-0202-020202020202 comes twice",
    );
    check(then(section(102, 9, &[1; 20])), "datum object type 9 has no meaning here, at byte 11");
    check(then(section(102, 3, &[1; 20])), "a download datum is malformed: it must be text, at byte 11");
    check(
        then(section(101, 3, b"0123456789abcdef{\"fqcn\": 1}")),
        "a download datum is malformed: it is no json object of texts, at byte 11",
    );
    let batch = |id: u8| section(101, 3, &[&[id; 16][..], br#"{"fqcn": "server", "ref_id": "r"}"#].concat());
    check(
        then([batch(1), batch(2)].concat()),
        "two batches of datum object type 3 in one container: an item would belong to either, at byte 70",
    );
    check(then(section(101, 0, &[[1; 16].as_slice(), b"a\xff"].concat())), "text is not utf-8, at byte 38");
    check(main_section(&[0xc0, 0xc0]), "1 bytes follow the object in the main section, at byte 11");
}

#[test]
fn declared_lengths() {
    check(main_section(&[0xc1]), "byte 0xc1 begins no msgpack value, at byte 10");
    check(
        main_section(&[0xdb, 0xff, 0xff, 0xff, 0xff]),
        "a text of 4294967295 bytes exceeds the limit of 1073741824, at byte 10",
    );
    check(
        main_section(&[0xda, 0xff, 0xff]),
        "the main section ends within a value that needs 65535 more bytes, at byte 13",
    );
    check(
        main_section(&[0xc6, 0xff, 0xff, 0xff, 0xff]),
        "the main section ends within a value that needs 4294967295 more bytes, at byte 15",
    );
    check(
        main_section(&[0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0]),
        "a list declares 4294967295 items, but only 1 bytes follow, at byte 10",
    );
    check(
        main_section(&[0xdf, 0, 0, 0, 2, 0xc0, 0xc0, 0xc0]),
        "a map declares 2 items, but only 3 bytes follow, at byte 10",
    );
    check(
        main_section(&[0xc9, 0, 0, 0, 9, 1, 0]),
        "the main section ends within a value that needs 8 more bytes, at byte 17",
    );
    for (cut, needed) in [(&[0xcb, 0, 0][..], 6), (&[0xcd, 0], 1), (&[0xd9], 1), (&[0xdf, 0], 3), (&[0xd8, 1], 16)] {
        let at = 10 + cut.len();
        check(
            main_section(cut),
            &format!("the main section ends within a value that needs {needed} more bytes, at byte {at}"),
        );
    }
    check(main_section(&[0x92, 0xa1, 0xff, 0]), "text is not utf-8, at byte 12, in [0]");
}

#[test]
fn budgets() {
    let path = "[0]".repeat(64);
    check(
        main_section(&repeated(0x91, 65, &[0])),
        &format!("the object nests deeper than 64 levels, at byte 74, in {path}"),
    );
    assert!(decode(&[main_section(&repeated(0x91, 64, &[0])).into()]).is_ok());
    let deepest = Budget::default();
    let mut deeper = Budget::default();
    deeper.depth = usize::MAX;
    let container = Bytes::from(main_section(&repeated(0x91, 100_000, &[0])));
    for budget in [&deepest, &deeper] {
        let error = decode_within(from_ref(&container), budget).unwrap_err().to_string();
        assert!(error.starts_with("the object nests deeper than "), "{error}");
    }

    // A million and one parts: the list itself is one.
    let mut many = [&[0xdd][..], &1_000_000_u32.to_be_bytes()].concat();
    many.resize(many.len() + 1_000_000, 0);
    check(main_section(&many), "the object has more than 1000000 parts, at byte 10");

    // Empty lists cost a byte each and forty in memory.
    let mut lists = [&[0xdd][..], &900_000_u32.to_be_bytes()].concat();
    lists.resize(lists.len() + 900_000, 0x90);
    check(main_section(&lists), "the object needs more than 4648636 bytes of memory, at byte 10");

    let mut long_key = vec![0x81, 0xdb, 0, 1, 0, 1];
    long_key.resize(long_key.len() + 0x1_0001, b'k');
    long_key.push(0);
    check(main_section(&long_key), "a map key of 65537 bytes exceeds the limit of 65536, at byte 11");

    let mut budget = Budget::default();
    budget.text_length = 2;
    let error = decode_within(&[main_section(b"\xa3abc").into()], &budget).unwrap_err();
    assert_eq!(error.to_string(), "a text of 3 bytes exceeds the limit of 2, at byte 10");
}

#[test]
fn envelopes() {
    let plain = |data: &[u8]| main_section(&envelope("tuple", data.to_vec()));
    check(plain(&[0x01]), "a tuple must be reduced to a list, but this one is a integer, at byte 10");
    check(
        main_section(&map(&[("__fobs_type__", text("tuple"))])),
        "the envelope of type \"tuple\" has no data, at byte 10",
    );
    check(
        main_section(&map(&[("__fobs_type__", vec![5]), ("__fobs_data__", vec![0x90])])),
        "an envelope names its type by a integer instead of a text, at byte 10",
    );
    check(
        main_section(&map(&[("__fobs_data__", vec![0x90]), ("__fobs_type__", vec![0xc0])])),
        "an envelope names its type by a none instead of a text, at byte 10",
    );
    check(main_section(&envelope("set", vec![0x91, 0x90])), "a list cannot be a map key or a set member, at byte 10");
    check(main_section(&[0x81, 0x90, 0]), "a list cannot be a map key or a set member, at byte 11");
    check(
        main_section(&envelope("collections.OrderedDict", vec![0x91, 0x91, 0])),
        "a ordered dict must be reduced to a list of pairs, but this one is a list, at byte 10",
    );
    check(
        main_section(&envelope("datetime.datetime", text("yesterday"))),
        "a datetime must be reduced to an iso 8601 text, but this one is a text, at byte 10",
    );
    check(
        main_section(&envelope("numpy.int32", vec![0xce, 0xff, 0xff, 0xff, 0xff])),
        "a numpy scalar must be reduced to a number in its range, but this one is a integer, at byte 10",
    );
    check(
        main_section(&envelope("nvflare.apis.dxo.DataKind", vec![1])),
        "a enum must be reduced to the name of a member, but this one is a integer, at byte 10",
    );
    let remote = |dot: u8| {
        let data = map(&[("type", text("ref")), ("data", text("T0")), ("lazy_dot", vec![dot])]);
        envelope("nvflare.fuel.utils.fobs.decomposers.via_downloader.LazyDownloadRef", data)
    };
    check(main_section(&remote(3)), "item \"T0\" is to be downloaded, but no datum says from where, at byte 10");
    check(
        main_section(&datum_ref("01010101-0101-0101-0101-010101010101")),
        "datum \"01010101-0101-0101-0101-010101010101\" is referred to but not there, at byte 10",
    );
    check(main_section(&datum_ref("x")), "datum \"x\" is referred to but not there, at byte 10");
}

#[test]
fn arrays() {
    #[track_caller]
    fn wrong(file: &[u8], cause: &str) {
        let error = refused(main_section(&array(file)));
        assert_eq!(error.to_string(), "an array is malformed, at byte 10");
        assert_eq!(core::error::Error::source(&error).unwrap().to_string(), cause);
    }
    let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
    assert!(decode(&[main_section(&array(&npy(good, 8))).into()]).is_ok());
    wrong(b"PK", "the bytes are not a complete .npy file");
    wrong(b"\x93NUMPY\x01\x00\xff", "the bytes are not a complete .npy file");
    wrong(b"\x93NUMPY\x09\x00\x00\x00", "the bytes are not a complete .npy file");
    wrong(&npy(good, 8)[..30], "the bytes are not a complete .npy file");
    wrong(b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "a .npy header of 4294967295 bytes is longer than any reader accepts");
    wrong(&npy(good, 7), "type and shape need 8 bytes, but there are 7");
    wrong(&npy(good, 9), "type and shape need 8 bytes, but there are 9");
    for header in [
        "",
        "{",
        "{}",
        "[]",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x",
        "{'descr': '<\\'f4', 'fortran_order': False, 'shape': (2,)}",
    ] {
        wrong(&npy(header, 8), "the .npy header does not say type, order and shape");
    }
    let of = |descr: &str, shape: &str| format!("{{'descr': {descr}, 'fortran_order': False, 'shape': ({shape}), }}");
    wrong(&npy(&of("'|O'", "2,"), 8), "arrays of python objects cannot be sent: the format forbids them");
    wrong(&npy(&of("[('a', '<f4')]", "2,"), 8), "arrays of structures are not supported: send one array per field");
    wrong(&npy(&of("'<q9'", "2,"), 8), "unknown element type \"<q9\"");
    wrong(&npy(&of("'<f8'", "4294967296, 4294967296"), 8), "type and shape need too many bytes, but there are 8");
    wrong(&npy(&of("'<f8'", "99999999999999999999999"), 8), "the .npy header does not say type, order and shape");
    wrong(&npy(&of("'<f8'", "1152921504606846976, 0"), 8), "type and shape need 0 bytes, but there are 8");
}

#[test]
fn the_path_leads_to_the_part() {
    let wrong = array(b"PK");
    let weights = map(&[("fc1", wrong)]);
    let container = main_section(&map(&[("ok", vec![0xc0]), ("data", map(&[("weights", weights)]))]));
    let error = refused(container);
    assert_eq!(error.path(), "data.weights[\"fc1\"]");
    assert_eq!(error.to_string(), "an array is malformed, at byte 38, in data.weights[\"fc1\"]");
    let container = main_section(&map(&[("a", vec![0x92, 0x01, 0x81, 0x07, 0xc1])]));
    assert_eq!(refused(container).path(), "a[1][\"7\"]");
}

/// What the reference refuses is refused, except for what only Python cannot do: hold a type it does not know.
#[test]
fn published_bad_containers() {
    let cases: Json = serde_json::from_slice(&testdata("vectors/fobs_bad.json")).unwrap();
    let mut seen = 0;
    for case in cases.as_array().unwrap() {
        let (name, hex) = (case["name"].as_str().unwrap(), case["hex"].as_str().unwrap());
        let container: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let accepted = decode(&[container.into()]).is_ok();
        let theirs = case.get("error").is_none_or(Json::is_null);
        let ours = match name {
            // Kept as an object of an unknown type.
            "unknown_type" | "unknown_decomposer" | "no_dc_registered_type" => true,
            // Deeper than the default budget; the reference fails at about a thousand levels.
            "deep_nesting_600" => false,
            _ => theirs,
        };
        assert_eq!(accepted, ours, "{name}");
        seen += 1;
    }
    assert!(seen >= 20, "only {seen} cases");
}

#[test]
fn encoding_refuses_what_no_peer_reads() {
    let mut deep = Value::Null;
    for _ in 0..300 {
        deep = Value::List(vec![deep]);
    }
    assert!(encode(&deep).unwrap_err().to_string().starts_with("the object nests deeper than 256 levels"));
    let mut map = fedcell_fobs::Map::new();
    map.insert(Value::List(vec![]), 1);
    assert_eq!(encode(&map.into()).unwrap_err().to_string(), "a list cannot be a map key or a set member");
    assert_eq!(
        fedcell_fobs::Encoder::new().max_value_size(1023).unwrap_err().to_string(),
        "a threshold of 1023 bytes is below the smallest allowed, 1024"
    );
}
