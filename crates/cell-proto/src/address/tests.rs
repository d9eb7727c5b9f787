//! The address vectors of the reference, and properties of every address.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../testdata/fqcn.json")).unwrap()
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    let found = match Fqcn::parse(text).unwrap_err() {
        FqcnError::Empty => "empty".to_owned(),
        FqcnError::InvalidCharacter { .. } => "invalid char".to_owned(),
        FqcnError::EmptySegment { .. } => "empty part".to_owned(),
        FqcnError::DuplicateSegment { at } => {
            format!("dup '{}'", syntax::strip(text)[at..].split('.').next().unwrap())
        }
    };
    assert_eq!(found, expected, "{text:?}");
}

#[test]
fn every_address_vector_is_judged_as_the_reference_judges_it() {
    let vectors = vectors();
    let mut valid = 0;
    for row in vectors["validate"].as_array().unwrap() {
        // Rows whose address is not text at all belong to the header map, where a header of another type is refused.
        let Some(text) = row["fqcn"].as_str() else { continue };
        let error = row["error"].as_str().unwrap();
        if !error.is_empty() {
            check_error(text, error);
            continue;
        }
        valid += 1;
        let address = Fqcn::parse(text).unwrap();
        assert_eq!(address.as_str(), row["normalized"], "{text:?}");
        let path: Vec<_> = row["path"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
        assert_eq!(address.segments().collect::<Vec<_>>(), path, "{text:?}");
        assert_eq!(address.generation() as u64, row["gen"].as_u64().unwrap(), "{text:?}");
        assert_eq!(address.is_root(), row["is_root"].as_bool().unwrap(), "{text:?}");
        assert_eq!(address.root().as_str(), row["root"], "{text:?}");
        assert_eq!(address.is_on_server(), row["is_on_server"].as_bool().unwrap(), "{text:?}");
        assert_eq!(address.parent().map_or("", Fqcn::as_str), row["parent"], "{text:?}");
        assert_eq!(address.is_admin_session(), row["admin_name"].as_bool().unwrap(), "{text:?}");
    }
    assert!(valid >= 10, "{valid} valid rows");
}

#[test]
fn relations_are_those_of_the_reference() {
    for row in vectors()["relations"].as_array().unwrap() {
        let (a, b) = (row["a"].as_str().unwrap(), row["b"].as_str().unwrap());
        if a.is_empty() {
            // The reference calls the empty text the parent of a root; here the empty text is no address.
            assert_eq!(Fqcn::parse(a), Err(FqcnError::Empty));
            assert_eq!(Fqcn::parse(b).unwrap().parent(), None);
            continue;
        }
        let (a, b) = (Fqcn::parse(a).unwrap(), Fqcn::parse(b).unwrap());
        assert_eq!(a.is_parent_of(b), row["is_parent(a,b)"].as_bool().unwrap(), "{a} {b}");
        assert_eq!(a.is_ancestor_of(b), row["is_ancestor(a,b)"].as_bool().unwrap(), "{a} {b}");
        assert_eq!(b.is_descendant_of(a), a.is_ancestor_of(b), "{a} {b}");
    }
}

#[test]
fn administrator_sessions_are_recognised_as_by_the_reference() {
    for row in vectors()["admin_names"].as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        assert_eq!(Fqcn::parse(name).unwrap().is_admin_session(), row["valid"].as_bool().unwrap(), "{name}");
    }
}

#[test]
fn the_way_down_to_a_descendant() {
    #[track_caller]
    fn check(from: &str, to: &str, expected: Option<&str>) {
        let found = Fqcn::parse(from).unwrap().child_towards(Fqcn::parse(to).unwrap());
        assert_eq!(found.map(Fqcn::as_str), expected);
    }
    check("a", "a.b.c", Some("a.b"));
    check("a.b", "a.b.c", Some("a.b.c"));
    check("a", "a", None);
    check("a", "ab.c", None);
    check("a.b", "a", None);
}

#[test]
fn a_child_is_one_segment_more() {
    #[track_caller]
    fn check(segment: &str, expected: Result<&str, FqcnError>) {
        let found = Fqcn::parse("site-1.job").unwrap().child(segment);
        assert_eq!(found.as_ref().map(FqcnBuf::as_str), expected.as_ref().copied());
    }
    check("client_api_trainer_1", Ok("site-1.job.client_api_trainer_1"));
    check("", Err(FqcnError::EmptySegment { at: 11 }));
    check("a.b", Err(FqcnError::InvalidCharacter { at: 12 }));
    check(" a", Err(FqcnError::InvalidCharacter { at: 11 }));
    check("job", Err(FqcnError::DuplicateSegment { at: 11 }));
}

#[test]
fn blanks_that_python_strips_are_stripped() {
    for blank in ["\u{1c}", "\u{1f}", "\u{85}", "\u{a0}", "\u{2003}", "\u{3000}", "\r\n\t "] {
        let text = format!("{blank}site-1{blank}");
        assert_eq!(Fqcn::parse(&text).unwrap().as_str(), "site-1", "{blank:?}");
    }
    // A zero-width space is none.
    assert_eq!(Fqcn::parse("\u{200b}a"), Err(FqcnError::InvalidCharacter { at: 0 }));
}

#[test]
fn the_first_fault_is_named() {
    check_error("a.a..b", "dup 'a'");
    check_error("a..a", "empty part");
    check_error("a..b!", "invalid char");
}

#[test]
fn an_address_of_many_segments_is_read_in_reasonable_time() {
    let segments: Vec<_> = (0..13_000).map(|n| format!("{n:x}")).collect();
    let text = segments.join(".");
    assert_eq!(Fqcn::parse(&text).unwrap().generation(), 13_000);
    let twice = format!("{text}.0");
    assert_eq!(Fqcn::parse(&twice), Err(FqcnError::DuplicateSegment { at: text.len() + 1 }));
}

#[test]
fn owned_addresses_are_found_by_their_text() {
    let mut names = std::collections::HashMap::new();
    names.insert(FqcnBuf::parse("a.b").unwrap(), 1);
    assert_eq!(names.get("a.b"), Some(&1));
    assert_eq!(names.get(Fqcn::parse(" a.b ").unwrap().as_str()), Some(&1));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        if let Ok(address) = Fqcn::parse(&text) {
            prop_assert_eq!(Fqcn::parse(address.as_str()), Ok(address));
        }
    }

    #[test]
    fn an_address_is_the_sum_of_its_segments(segments in prop::collection::btree_set("[A-Za-z0-9_~-]{1,4}", 1..30)) {
        let text = segments.iter().cloned().collect::<Vec<_>>().join(".");
        let address = Fqcn::parse(&text).unwrap();
        prop_assert_eq!(address.generation(), segments.len());
        prop_assert_eq!(address.prefixes().count(), segments.len());
        prop_assert_eq!(address.ancestors().count(), segments.len() - 1);
        for prefix in address.ancestors() {
            prop_assert!(prefix.is_ancestor_of(address) && address.is_within(prefix) && !prefix.is_within(address));
            prop_assert!(prefix.is_parent_of(prefix.child_towards(address).unwrap()));
            prop_assert!(prefix.is_same_family(address));
        }
        prop_assert!(address.is_within(address) && !address.is_ancestor_of(address));
        let owned = address.to_owned();
        prop_assert_eq!(owned.as_fqcn(), address);
    }
}
