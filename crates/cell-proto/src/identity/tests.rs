//! The identity vectors of the reference, and names in use.

use serde_json::Value;

use super::*;
use crate::address::{Fqcn, FqcnBuf};

fn address(text: &str) -> FqcnBuf {
    FqcnBuf::parse(text).unwrap()
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../testdata/identity.json")).unwrap()
}

#[test]
fn every_address_requires_the_name_that_the_reference_expects() {
    let mut compared = 0;
    for row in vectors()["resolve"].as_array().unwrap() {
        let mut policy = IdentityPolicy::new(address(row["local"].as_str().unwrap()));
        for (key, value) in row["exact_map"].as_object().unwrap() {
            policy = policy.with_exact(address(key), value.as_str().unwrap());
        }
        for (key, value) in row["prefix_map"].as_object().unwrap() {
            policy = policy.with_prefix(address(key), value.as_str().unwrap());
        }
        for (key, value) in row["resolve"].as_object().unwrap() {
            assert_eq!(policy.required(Fqcn::parse(key).unwrap()), value, "{key} at {}", row["local"]);
            compared += 1;
        }
    }
    assert!(compared > 25, "{compared}");
}

#[test]
fn claims_are_judged_as_by_the_reference_on_the_server() {
    let policy = IdentityPolicy::new(address("server"))
        .with_exact(address("server"), "server1")
        .with_prefix(address("server"), "server1");
    for row in vectors()["require_match(on server)"].as_array().unwrap() {
        let name = address(row["fqcn"].as_str().unwrap());
        // The reference writes N/A where a certificate has no common name; a driver of ours says none.
        let proven = row["cn"].as_str().filter(|cn| *cn != "N/A").map(str::to_owned);
        let facts = ConnectionFacts::mutual_tls(Side::Listener, proven.clone()).through_admin_listener();
        let expected = match row["result"].as_str().unwrap() {
            "ok" => Ok(()),
            text if text.contains("does not have") => Err(IdentityError::NoCommonName { name: name.clone() }),
            text => Err(IdentityError::Mismatch {
                name: name.clone(),
                proven: proven.unwrap(),
                required: text.rsplit('\'').nth(1).unwrap().to_owned(),
            }),
        };
        assert_eq!(policy.admit(&name, &facts).map(drop), expected, "{row}");
    }
}

#[test]
fn attached_trainers_ask_their_parent_again_with_all_rules() {
    let policy = IdentityPolicy::new(address("relay-0.relay-1"))
        .with_exact(address("relay-0.relay-1.site-1"), "by exact entry")
        .with_prefix(address("relay-0"), "does not count below this cell");
    let required = |text| policy.required(Fqcn::parse(text).unwrap());
    assert_eq!(required("relay-0.relay-1.site-1.-client_api_x"), "by exact entry");
    assert_eq!(required("relay-0.relay-1.site-2.-client_api_x"), "site-2");
    assert_eq!(required("relay-0.relay-1.site-1.job"), "site-1");
    assert_eq!(required("relay-0.site-3"), "does not count below this cell");
    assert_eq!(required("-client_api_x"), "-client_api_x");
}

#[test]
fn what_is_checked_on_which_connection() {
    let policy = IdentityPolicy::new(address("server"));
    let admin = address("_admin_3f1f0c5e-9c4f-4d55-8f60-0a1b2c3d4e5f");
    let mutual = |side, name: &str| ConnectionFacts::mutual_tls(side, Some(name.to_owned()));
    let check = |name: &FqcnBuf, facts: &ConnectionFacts, expected| {
        assert_eq!(policy.admit(name, facts).map(|admitted| admitted.identity().clone()), expected, "{name} {facts:?}");
    };
    let site = address("site-1");
    check(&site, &ConnectionFacts::unproven(Side::Listener), Ok(PeerIdentity::Unproven));
    check(&site, &mutual(Side::Dialer, "site-1"), Ok(PeerIdentity::Certificate("site-1".into())));
    let none = ConnectionFacts::mutual_tls(Side::Dialer, None);
    check(&site, &none, Err(IdentityError::NoCommonName { name: site.clone() }));
    check(&admin, &mutual(Side::Listener, "lead"), Err(IdentityError::AdminElsewhere { name: admin.clone() }));
    let listener = mutual(Side::Listener, "lead").through_admin_listener();
    check(&admin, &listener, Ok(PeerIdentity::Certificate("lead".into())));
    check(&admin, &ConnectionFacts::unproven(Side::Listener), Ok(PeerIdentity::Unproven));
    let expecting = |facts: ConnectionFacts, peer| facts.expecting(peer);
    let dialled = || ConnectionFacts::unproven(Side::Dialer);
    let another = |expected| Err(IdentityError::NotExpected { name: site.clone(), expected });
    let parent = ExpectedPeer::Cell(address("relay-1"));
    check(&site, &expecting(dialled(), ExpectedPeer::Cell(site.clone())), Ok(PeerIdentity::Unproven));
    check(&site, &expecting(dialled(), parent.clone()), another(parent.clone()));
    check(&site, &expecting(mutual(Side::Dialer, "site-1"), parent.clone()), another(parent));
    check(&site, &expecting(dialled(), ExpectedPeer::OnServer), another(ExpectedPeer::OnServer));
    check(&address("server.job"), &expecting(dialled(), ExpectedPeer::OnServer), Ok(PeerIdentity::Unproven));
    let own = address("server");
    check(&own, &ConnectionFacts::unproven(Side::Listener), Err(IdentityError::OwnName { name: own.clone() }));
    check(&own, &mutual(Side::Listener, "server"), Err(IdentityError::OwnName { name: own.clone() }));
}

#[test]
fn a_live_name_goes_to_the_newest_connection_of_its_identity_and_to_nobody_else() {
    let policy = IdentityPolicy::new(address("server")).with_prefix(address("site-2"), "site-1");
    let admit = |name: &str, facts| policy.admit(&address(name), &facts).unwrap();
    let unproven = admit("site-1", ConnectionFacts::unproven(Side::Listener));
    let proven = admit("site-1", ConnectionFacts::mutual_tls(Side::Listener, Some("site-1".to_owned())));
    let renamed = IdentityPolicy::new(address("server")).with_exact(address("site-1"), "mallory");
    let facts = ConnectionFacts::mutual_tls(Side::Listener, Some("mallory".to_owned()));
    let mallory = renamed.admit(&address("site-1"), &facts).unwrap();

    let mut live = LiveNames::new();
    assert_eq!(live.take(&unproven, 1), Ok(None));
    assert_eq!(live.take(&unproven, 2), Ok(Some(1)));
    assert!(!live.release(&address("site-1"), 1), "a replaced connection frees nothing");
    assert_eq!(live.take(&proven, 3), Ok(Some(2)));
    let taken = IdentityError::Taken { name: address("site-1") };
    assert_eq!(live.take(&mallory, 4), Err(taken.clone()));
    assert_eq!(live.take(&unproven, 5), Err(taken));
    assert_eq!(live.holder("site-1"), Some(3));
    assert_eq!(live.take(&proven, 6), Ok(Some(3)));
    assert!(live.release(&address("site-1"), 6) && live.is_empty());
    assert_eq!(live.take(&mallory, 7), Ok(None));
}
