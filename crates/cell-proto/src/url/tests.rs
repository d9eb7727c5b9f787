//! URLs that the reference took apart, and what is refused here instead of being misread.

use fedcell_protocol_defs::config::Scheme;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

/// The parts under the names that the reference gives them; parts of the query join them.
fn parts(url: &ConnUrl) -> Map<String, Value> {
    let mut parts = Map::new();
    parts.insert("scheme".to_owned(), url.scheme().as_str().into());
    parts.insert("host".to_owned(), url.host().unwrap_or_default().into());
    parts.insert("path".to_owned(), url.path().into());
    parts.insert("params".to_owned(), url.path_parameters().into());
    parts.insert("query".to_owned(), url.query().into());
    parts.insert("frag".to_owned(), url.fragment().into());
    if let Some(port) = url.port() {
        parts.insert("port".to_owned(), port.into());
    }
    for (key, value) in url.parameters() {
        parts.insert(key.to_owned(), value.into());
    }
    parts
}

/// The port as a number, where it is one: the reference keeps the text.
fn with_number(mut parts: Map<String, Value>) -> Map<String, Value> {
    parts.remove("url");
    if let Some(port) = parts.get_mut("port")
        && let Ok(number) = port.as_str().unwrap().parse::<u16>()
    {
        *port = number.into();
    }
    parts
}

#[test]
fn urls_are_taken_apart_as_by_the_reference() {
    let vectors: Value = serde_json::from_str(include_str!("../../testdata/urls.json")).unwrap();
    for row in vectors["parse"].as_array().unwrap() {
        let text = row["url"].as_str().unwrap();
        let expected = row["params"].as_object().unwrap().clone();
        if text.is_empty() {
            // The reference gives no parts at all, and then finds no driver.
            assert_eq!(ConnUrl::parse(text), Err(UrlError::NoScheme));
            continue;
        }
        assert_eq!(parts(&ConnUrl::parse(text).unwrap()), with_number(expected), "{text}");
    }
    let secure: Vec<_> = vectors["SECURE_SCHEMES"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
    for scheme in secure.iter().copied().chain(["tcp", "grpc", "http", "agrpc", "atcp", "shared-file"]) {
        let url = ConnUrl::parse(&format!("{scheme}://h:1")).unwrap();
        assert_eq!(url.is_secure_scheme(), secure.contains(&scheme), "{scheme}");
    }
}

#[test]
fn random_urls_are_taken_apart_as_by_the_reference_or_refused_for_a_reason() {
    let rows: Value = serde_json::from_str(include_str!("../../testdata/url_cases.json")).unwrap();
    let (mut same, mut refused) = (0, 0);
    for row in rows.as_array().unwrap() {
        let (text, theirs) = (row[0].as_str().unwrap(), row[1].as_object());
        match (ConnUrl::parse(text), theirs) {
            (Ok(url), Some(theirs)) => {
                same += 1;
                assert_eq!(parts(&url), with_number(theirs.clone()), "{text:?}");
            }
            (Ok(_), None) => panic!("{text:?} is taken, the reference says {}", row[1]),
            (Err(_), None) => refused += 1,
            (Err(error), Some(theirs)) => {
                refused += 1;
                let part = |name| theirs.get(name).and_then(Value::as_str).unwrap_or_default();
                match error {
                    // The reference finds no driver for an empty scheme, and no host without the slashes.
                    UrlError::NoScheme => assert!(part("scheme").is_empty() || part("host").is_empty(), "{text:?}"),
                    UrlError::Host { .. } => assert!(text.contains(['[', '@', '%', 'é', ' ', ']', ';']), "{text:?}"),
                    UrlError::Port { port } => {
                        let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
                        assert!(!is_port && text.contains(&port), "{text:?}");
                    }
                    UrlError::ReservedKey { key } => assert!(text.contains(&key), "{text:?}"),
                    error => panic!("{text:?}: {error}"),
                }
            }
        }
    }
    assert!(same > 300 && refused > 100, "{same} the same, {refused} refused");
}

#[test]
fn urls_are_put_together_as_by_the_reference() {
    let vectors: Value = serde_json::from_str(include_str!("../../testdata/urls.json")).unwrap();
    for row in vectors["encode"].as_array().unwrap() {
        let given = row["params"].as_object().unwrap();
        let port = given["port"].as_u64().or_else(|| given["port"].as_str()?.parse().ok()).unwrap();
        let scheme = Scheme::new(given["scheme"].as_str().unwrap());
        let port = u16::try_from(port).unwrap();
        let mut url = ConnUrl::of_host(scheme, given["host"].as_str(), Some(port)).unwrap();
        for (key, value) in given.iter().filter(|(key, _)| !["scheme", "host", "port"].contains(&&***key)) {
            url = url.with_parameter(key, value.as_str().unwrap()).unwrap();
        }
        assert_eq!(url.as_str(), row["url"]);
    }
}

#[test]
fn what_a_kit_may_name() {
    #[track_caller]
    fn check(scheme: &str, is_secure: bool, expected: Option<&str>) {
        let made = ConnUrl::of_kit(Scheme::new(scheme), "h:8002", is_secure);
        match expected {
            Some(expected) => assert_eq!(made.unwrap().as_str(), expected),
            None => assert_eq!(made, Err(UrlError::Unprovisionable { scheme: scheme.to_owned() })),
        }
    }
    check("grpc", true, Some("grpcs://h:8002"));
    check("grpc", false, Some("grpc://h:8002"));
    check("https", true, Some("https://h:8002"));
    check("https", false, Some("http://h:8002"));
    check("tcp", true, Some("stcp://h:8002"));
    check("agrpc", true, None);
    check("atcp", false, None);
    check("shared-file", false, None);
}

#[test]
fn what_a_listener_asks_for() {
    let url = ConnUrl::parse("grpc://0:8002?admin_listener=True&connection_security=tls").unwrap();
    assert!(url.is_admin_listener());
    assert_eq!(url.connection_security().unwrap().as_str(), "tls");
    assert_eq!((url.host(), url.port(), url.transport()), (None, Some(8002), Some(Transport::Grpc)));
    for off in ["false", "0", "2", "on", "truer"] {
        assert!(!ConnUrl::parse(&format!("tcp://0:1?admin_listener={off}")).unwrap().is_admin_listener(), "{off}");
    }
    assert_eq!(ConnUrl::parse("ngrpcs://h:1").unwrap().transport(), None);
}

#[test]
fn ports_to_choose_from() {
    let vectors: Value = serde_json::from_str(include_str!("../../testdata/urls.json")).unwrap();
    for row in vectors["port_list"].as_array().unwrap() {
        let specs = row["spec"].as_array().cloned().unwrap_or_else(|| vec![row["spec"].clone()]);
        for (spec, expected) in specs.iter().zip(row["ranges"].as_array().unwrap()) {
            let text = spec.as_str().map_or_else(|| spec.to_string(), str::to_owned);
            let ports = PortRange::parse(&text).unwrap().ports();
            // Theirs end before the second number.
            let found = serde_json::json!([ports.start(), u32::from(*ports.end()) + 1]);
            assert_eq!(&found, expected, "{text}");
        }
    }
    for wrong in ["", "x", "70000", "2-1", "1-x", "1-2-3"] {
        assert_eq!(PortRange::parse(wrong), Err(UrlError::Port { port: wrong.to_owned() }), "{wrong}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = ConnUrl::parse(&text);
        let _ = ConnUrl::parse(&format!("tcp://h:1{text}"));
        let _ = PortRange::parse(&text);
    }

    #[test]
    fn a_parameter_comes_back_as_it_was_put_in(key in "[^\u{0}]{1,8}", value in any::<String>()) {
        let url = ConnUrl::parse("http://h:1/p;x?y=z#f").unwrap();
        match url.with_parameter(&key, &value) {
            Ok(with) => {
                // A pair without a value does not count.
                prop_assert_eq!(with.parameter(&key), Some(&*value).filter(|value| !value.is_empty()));
                prop_assert_eq!((with.path(), with.path_parameters(), with.fragment()), ("/p", "x", "f"));
            }
            Err(error) => prop_assert_eq!(error, UrlError::ReservedKey { key }),
        }
    }
}
