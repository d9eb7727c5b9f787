//! The filters with real credentials: what passes where, and what a peer gets to see.

use std::sync::{Arc, Mutex};

use fedcell_auth::UnixTime;
use fedcell_auth::identity::Purpose;
use fedcell_auth::token::{ClientCredential, RegistryLimits, TokenRegistry, TokenVerifier};
use fedcell_protocol_defs::cell::HeaderKey;
use fedcell_protocol_defs::federation::AuthHeaderKey;

use super::{AttachCredential, Authenticator, CheckCredential, Checker, SignatureCheck};
use crate::address::Fqcn;
use crate::filter::{Filter, FilterContext, Place, Verdict};
use crate::headers::HeaderMap;
use crate::message::{Message, Payload, RequestHead};
use crate::testing::{NOW, TestRng, challenged_client, identity, root};

fn cell(text: &str) -> Fqcn<'_> {
    Fqcn::parse(text).unwrap()
}

fn shows_token(message: &Message) -> bool {
    message.headers.contains(AuthHeaderKey::TOKEN)
}

/// The registry of the server with `site-1` in it, and the credential that it gave.
fn registered() -> (Arc<Mutex<TokenRegistry>>, ClientCredential) {
    let client = challenged_client("site-1", "relay-1.site-1");
    let mut registry = TokenRegistry::new(identity("server"), RegistryLimits::default()).unwrap();
    let credential = registry.issue(&client, NOW, &mut TestRng(5)).unwrap();
    (Arc::new(Mutex::new(registry)), credential)
}

fn request(origin: &str, destination: &str, channel: &str, topic: &str) -> Message {
    let head = RequestHead {
        origin: cell(origin),
        destination: cell(destination),
        next_hop: cell("relay-1"),
        channel,
        topic,
        ids: Some("id"),
        is_secure: false,
        is_optional: false,
    };
    Message::request(HeaderMap::new(), &head, Payload::empty(), NOW)
}

fn context<'a>(place: Place, me: &'a str, from: Option<&'a str>, next: Option<&'a str>) -> FilterContext<'a> {
    FilterContext { now: NOW, place, me: cell(me), from: from.map(cell), common_name: None, next: next.map(cell) }
}

fn attached(credential: &ClientCredential, place: Place, next: &str, mut message: Message) -> Message {
    let attach = AttachCredential::new();
    attach.set(credential);
    let me = message.headers.text(HeaderKey::ORIGIN).unwrap().unwrap().to_owned();
    assert!(matches!(attach.judge(&context(place, &me, None, Some(next)), &mut message), Verdict::Pass));
    message
}

fn passes(check: &CheckCredential, me: &str, from: &str, message: &mut Message) -> bool {
    matches!(check.judge(&context(Place::Incoming, me, Some(from), None), message), Verdict::Pass)
}

#[test]
fn requests_to_the_server_pass_with_the_credential_and_only_from_its_origin() {
    let (registry, credential) = registered();
    let server = CheckCredential::new(Checker::Server, registry);
    let send = |origin: &str| {
        attached(&credential, Place::OutgoingRequest, "relay-1", request(origin, "server", "task", "heart_beat"))
    };
    for (origin, good) in [
        ("relay-1.site-1", true),
        ("relay-1.site-1.job", true),
        ("relay-1.site-10", false),
        ("relay-1.site-2", false),
        ("site-1", false),
    ] {
        assert_eq!(passes(&server, "server", "relay-1", &mut send(origin)), good, "{origin}");
    }
    for key in ["client_name", "__token__", "__token_signature__"] {
        let mut message = send("relay-1.site-1");
        assert!(message.headers.remove(key), "{key}");
        assert!(!passes(&server, "server", "relay-1", &mut message), "without {key}");
        let mut message = send("relay-1.site-1");
        message.headers.insert(key, "something else");
        assert!(!passes(&server, "server", "relay-1", &mut message), "another {key}");
    }
}

#[test]
fn a_server_sends_back_what_shows_a_credential_that_is_no_good_and_nothing_else() {
    let (registry, credential) = registered();
    let code = |checker, message: &mut Message| {
        let check = CheckCredential::new(checker, registry.clone());
        match check.judge(&context(Place::Incoming, "server", Some("relay-1"), None), message) {
            Verdict::Return(reply) => Some(reply.code().as_str().to_owned()),
            _ => None,
        }
    };
    let shown = |key: &str, text: &str| {
        let to_server = request("relay-1.site-1", "server", "task", "heart_beat");
        let mut message = attached(&credential, Place::OutgoingRequest, "relay-1", to_server);
        message.headers.insert(key, text);
        message
    };
    let again = Some("unauthenticated".to_owned());
    assert_eq!(code(Checker::Server, &mut shown("__token__", "00000000-0000-4000-8000-000000000000")), again);
    assert_eq!(code(Checker::Server, &mut shown("client_name", "site-2")), again);
    assert_eq!(code(Checker::Server, &mut shown("__token__", "")), None);
    assert_eq!(code(Checker::Relay, &mut shown("client_name", "site-2")), None, "a relay knows no tokens");
    let mut bare = request("relay-1.site-1", "server", "task", "heart_beat");
    assert_eq!(code(Checker::Server, &mut bare), None);
}

#[test]
fn joining_and_a_goodbye_that_ends_here_need_no_credential() {
    let (registry, _) = registered();
    let server = CheckCredential::new(Checker::Server, registry);
    for (destination, channel, topic, good) in [
        ("server", "task", "challenge", true),
        ("server", "task", "register", true),
        ("server", "admin", "challenge", false),
        ("server", "cellnet.channel", "bye", true),
        ("site-2", "cellnet.channel", "bye", false),
    ] {
        let mut message = request("relay-1.site-1", destination, channel, topic);
        assert_eq!(passes(&server, "server", "relay-1", &mut message), good, "{destination} {channel}:{topic}");
    }
}

#[test]
fn the_server_takes_the_credential_off_what_goes_to_another_client() {
    let (registry, credential) = registered();
    let server = CheckCredential::new(Checker::Server, registry);
    let to_peer = request("relay-1.site-1", "site-2", "aux_communication", "t");
    let mut crossing = attached(&credential, Place::OutgoingRequest, "relay-1", to_peer);
    crossing.headers.insert(HeaderKey::CONN_URL, "tcp://somewhere:1");
    assert!(crossing.facts().unwrap().is_transit_required && shows_token(&crossing));
    assert!(passes(&server, "server", "relay-1", &mut crossing));
    assert!(!shows_token(&crossing) && !crossing.headers.contains("client_name"));
    assert!(!crossing.headers.contains(HeaderKey::CONN_URL));
    assert!(crossing.facts().unwrap().is_transit_required, "the mark stays");

    let to_server = request("relay-1.site-1", "server", "task", "heart_beat");
    let mut ending = attached(&credential, Place::OutgoingRequest, "relay-1", to_server);
    assert!(passes(&server, "server", "relay-1", &mut ending));
    assert!(shows_token(&ending), "what ends at the server keeps its headers");
}

#[test]
fn replies_show_the_credential_only_where_the_server_looks() {
    let (_, credential) = registered();
    for (origin, destination, next, shows, crosses) in [
        ("relay-1.site-1", "server", "relay-1", true, false),
        ("relay-1.site-1.job", "relay-1.site-1", "relay-1.site-1", false, false),
        ("relay-1.site-1.job", "site-2.job", "relay-1.site-1", true, true),
    ] {
        let reply = attached(&credential, Place::OutgoingReply, next, request(origin, destination, "c", "t"));
        let facts = reply.facts().unwrap();
        assert_eq!((shows_token(&reply), facts.is_transit_required), (shows, crosses), "{origin} {destination}");
    }
}

#[test]
fn a_relay_checks_what_goes_up_and_lets_down_what_the_server_has_checked() {
    let (_, credential) = registered();
    let server = root().verify(identity("server").chain(), NOW, Purpose::Server).unwrap();
    let check = SignatureCheck::new(TokenVerifier::new(server));
    let relay = CheckCredential::new(Checker::Relay, Arc::new(check));
    let up = || {
        attached(&credential, Place::OutgoingRequest, "relay-1", request("relay-1.site-1", "server", "task", "quit"))
    };
    // Twice: the second time from memory.
    for _ in 0..2 {
        assert!(passes(&relay, "relay-1", "relay-1.site-1", &mut up()));
    }
    let mut forged = up();
    forged.headers.insert("client_name", "site-2");
    assert!(!passes(&relay, "relay-1", "relay-1.site-1", &mut forged));

    let mut down = request("site-2", "relay-1.site-1", "c", "t");
    down.headers.insert(HeaderKey::SERVER_TRANSIT_REQUIRED, true);
    down.headers.push_hop(cell("server"), 1.0).unwrap();
    assert!(passes(&relay, "relay-1", "server", &mut down.clone()));
    assert!(!passes(&relay, "relay-1", "relay-1.site-3", &mut down), "the route alone proves nothing");
}

#[test]
fn nothing_is_shown_before_and_after_the_credential_is_there() {
    let (_, credential) = registered();
    let attach = AttachCredential::new();
    let shown = |attach: &AttachCredential| {
        let mut message = request("relay-1.site-1", "server", "c", "t");
        attach.judge(&context(Place::OutgoingRequest, "relay-1.site-1", None, Some("relay-1")), &mut message);
        shows_token(&message)
    };
    assert!(!shown(&attach));
    attach.set(&credential);
    assert!(shown(&attach));
    attach.clear();
    assert!(!shown(&attach));
    assert!(!format!("{attach:?}{credential:?}").contains(credential.expose_token()));
}

/// An authenticator that must not be asked.
struct Unasked;

impl Authenticator for Unasked {
    fn authenticate(
        &self,
        _: UnixTime,
        _: &fedcell_auth::token::AuthHeaders<'_>,
        _: &str,
    ) -> Result<(), fedcell_auth::Unauthenticated> {
        panic!("asked about a message that is exempt");
    }
}

#[test]
fn exempt_messages_are_not_even_looked_at() {
    let admin = CheckCredential::new(Checker::Admin, Arc::new(Unasked));
    let mut bye = request("server", "site-2", "cellnet.channel", "bye");
    assert!(passes(&admin, "site-2", "server", &mut bye));
}
