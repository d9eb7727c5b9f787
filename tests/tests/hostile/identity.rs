//! Names of others, with a valid certificate and without one; origins that are forged.

use core::time::Duration;
use std::io::Write;
use std::net::TcpStream;

use fedcell_tests::bench::cell::kit::tls_client;
use fedcell_tests::raw::hello;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixture::{Fixture, read_message, request, say};

const PATIENCE: Duration = Duration::from_secs(10);

/// What the victim answers to HELLO under `name`, spoken with the certificate of `certificate`: whether it is READY.
fn is_admitted(fixture: &Fixture, certificate: &str, name: &str) -> bool {
    let connector = tls_client(&fixture.kit(certificate).unwrap()).unwrap();
    let address = fixture.address().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let attempt = async {
            let stream = tokio::net::TcpStream::connect(address).await?;
            let mut stream = connector.connect("server".try_into().unwrap(), stream).await?;
            stream.write_all(&hello(name)).await?;
            stream.flush().await?;
            let mut prefix = [0; 16];
            stream.read_exact(&mut prefix).await
        };
        tokio::time::timeout(PATIENCE, attempt).await.expect("the victim answers or closes").is_ok()
    })
}

#[test]
fn a_valid_certificate_opens_its_own_names_only() {
    let mut fixture = Fixture::encrypted();
    // The case that must work, or the others prove nothing.
    assert!(is_admitted(&fixture, "site-2", "site-2"));
    assert!(is_admitted(&fixture, "site-2", "site-2.job"));
    for stolen in ["site-1", "site-1.job", "server", "server.job", "site-3", "site-2x", "relay-1.site-2"] {
        assert!(!is_admitted(&fixture, "site-2", stolen), "site-2 got in as {stolen}");
    }
    let longest = fixture.honest();
    say(&format!("names of others: refused, honest requests at most {longest:.1?}"));
}

#[test]
fn an_origin_outside_the_peers_own_subtree_reaches_no_handler() {
    let mut fixture = Fixture::clear();
    let mut attacker = fixture.known_as("site-2");
    let forged = ["site-1", "site-3.job", "server", "server.job", "relay-1"];
    let own = ["site-2", "site-2.job"];
    let total = 50;
    fixture.server.ask(&json!({"do": "expect", "count": own.len() * total})).unwrap();
    for origin in forged.iter().chain(&own) {
        for _ in 0..total {
            attacker.write_all(&request("site-2", origin, "count", None, &[0; 64])).unwrap();
        }
    }
    // The honest ones come last and in order, so all forged ones have been looked at by then.
    let counted = fixture.server.ask(&json!({"do": "counted", "timeout": 10})).unwrap();
    assert_eq!(counted["received"], own.len() * total, "messages handled");
    fixture.honest();
    // A neighbour named in the header is not believed either.
    fixture.server.ask(&json!({"do": "expect", "count": 1})).unwrap();
    attacker.write_all(&request("site-1", "site-1", "count", None, &[0; 64])).unwrap();
    attacker.write_all(&request("site-2", "site-2", "count", None, &[0; 64])).unwrap();
    let counted = fixture.server.ask(&json!({"do": "counted", "timeout": 10})).unwrap();
    assert_eq!(counted["received"], 1);
    say(&format!("forged origins: none of {} handled, all {} honest ones", forged.len() * total, own.len() * total));
}

#[test]
fn replies_that_nobody_asked_for_change_nothing() {
    let mut fixture = Fixture::clear();
    let mut attacker = fixture.known_as("site-2");
    let asked = request("site-2", "site-2", "echo", Some("11111111-2222-4333-8444-555555555555"), b"payload");
    // The answer to a real request, sent back as if it were one of the victim's own requests answered.
    attacker.write_all(&asked).unwrap();
    let answer = read_message(&mut attacker).unwrap();
    for _ in 0..1000 {
        attacker.write_all(&answer).unwrap();
    }
    assert_alive(&mut attacker);
    fixture.honest();
}

/// The connection still answers a request.
fn assert_alive(stream: &mut TcpStream) {
    let id = "99999999-2222-4333-8444-555555555555";
    stream.write_all(&request("site-2", "site-2", "echo", Some(id), b"alive")).unwrap();
    let answer = read_message(stream).expect("an answer");
    assert!(answer.ends_with(b"alive"), "the answer is the echo");
}
