//! Two cells that exchange certificates and seal for each other.

use fedcell_protocol_defs::cell::{HeaderKey, ReturnCode};

use super::{ExchangeError, Sealing, SecureError};
use crate::address::{Fqcn, FqcnBuf};
use crate::frame::Payload;
use crate::identity::IdentityPolicy;
use crate::message::{Message, ReplyHead};
use crate::node::testing::{Duo, outcome_of};
use crate::request::{Body, Outgoing, Reply};
use crate::testing::{NOW, TestRng, identity, root, root_pem};

fn sealing(holder: &str) -> Sealing {
    Sealing::new(&identity(holder), root(), root_pem()).unwrap()
}

/// The server's certificate bears another name than its address.
fn policy(local: &str) -> IdentityPolicy {
    IdentityPolicy::new(FqcnBuf::parse(local).unwrap()).with_prefix(FqcnBuf::server(), "server1")
}

/// The message that the answer of `from` to an exchange makes.
fn exchange_message(from: &str, reply: Reply) -> Message {
    let head = ReplyHead {
        origin: Fqcn::parse(from).unwrap(),
        destination: Fqcn::SERVER,
        next_hop: Fqcn::SERVER,
        channel: "credential_manager",
        topic: "key_exchange",
        ids: "id".into(),
        is_secure: false,
        is_optional: false,
    };
    let mut headers = reply.headers.clone();
    headers.insert(HeaderKey::RETURN_CODE, reply.code().as_str());
    Message::reply(headers, &head, reply.body.into_payload(), NOW)
}

#[test]
fn a_request_sealed_by_one_is_opened_by_the_other_and_answered_sealed() {
    let mut duo = Duo::connected();
    let (server, site) = (sealing("server"), sealing("site-1"));
    let mut rng = TestRng(9);
    let request = Outgoing::new("aux", "t", Body::bytes(b"for your eyes".to_vec())).sealed();
    let id = duo.site.exchange_mut().send_request(NOW, &[FqcnBuf::server()], &request).unwrap();
    let work = duo.site_seal();
    assert_eq!(site.seal(NOW, &mut rng, &work), Err(SecureError::NeedsCertificate));

    // The exchange goes over the cells like any request.
    duo.site.exchange_mut().send_request(NOW, &[FqcnBuf::server()], &site.exchange_request()).unwrap();
    let asked = duo.server_request();
    assert!(Sealing::is_exchange(asked.reply_to.channel(), asked.reply_to.topic()));
    let answer = server.answer_exchange(NOW, &policy("server"), &asked.message);
    duo.server.exchange_mut().send_reply(NOW, &asked.reply_to, answer).unwrap();
    let reply = outcome_of(duo.site_event()).unwrap();
    site.accept_exchange(NOW, &policy("site-1"), &reply).unwrap();

    let envelope = site.seal(NOW, &mut rng, &work).unwrap();
    assert!(!envelope.clone().into_bytes().windows(8).any(|part| part == b"for your"));
    duo.site.exchange_mut().handle_sealed(NOW, work, envelope);
    let work = duo.server_open();
    let plaintext = server.open(NOW, &work).unwrap();
    duo.server.exchange_mut().handle_opened(NOW, work, plaintext);
    let opened = duo.server_request();
    assert_eq!(opened.message.payload.clone().into_bytes(), b"for your eyes".as_slice());
    assert!(!opened.message.headers.contains(HeaderKey::ENCRYPTED));

    let answer = Reply::ok(Body::bytes(b"and yours".to_vec()));
    duo.server.exchange_mut().send_reply(NOW, &opened.reply_to, answer).unwrap();
    let work = duo.server_seal();
    let envelope = server.seal(NOW, &mut rng, &work).unwrap();
    duo.server.exchange_mut().handle_sealed(NOW, work, envelope.clone());
    let work = duo.site_open();
    let plaintext = site.open(NOW, &work).unwrap();
    assert!(matches!(site.open(NOW, &work), Err(SecureError::Replayed(_))));
    duo.site.exchange_mut().handle_opened(NOW, work, plaintext);
    let reply = outcome_of(duo.site_event()).unwrap();
    assert_eq!(reply.payload.into_bytes(), b"and yours".as_slice());
    assert_eq!(duo.site.exchange().pending_requests(), 0);
    assert!(!id.as_str().is_empty());
}

#[test]
fn a_certificate_of_another_name_or_none_is_not_accepted() {
    let site = sealing("site-1");
    let offered = |from: &str, holder: &str| exchange_message(from, Reply::ok(sealing(holder).offer_body()));
    let accept = |message: &Message| site.accept_exchange(NOW, &policy("site-1"), message).map(drop);
    assert_eq!(accept(&offered("site-2", "site-2")), Ok(()));
    assert!(site.knows(NOW, Fqcn::parse("site-2").unwrap()));
    site.forget(Fqcn::parse("site-2").unwrap());
    assert!(!site.knows(NOW, Fqcn::parse("site-2").unwrap()));
    assert!(matches!(accept(&offered("site-3", "site-2")), Err(ExchangeError::Unauthenticated(_))));
    assert_eq!(accept(&offered("server", "server")), Ok(()));

    let refused = exchange_message("site-2", Reply::failed(ReturnCode::PROCESS_EXCEPTION, "no"));
    assert!(matches!(accept(&refused), Err(ExchangeError::Refused { .. })));
    let mut broken = exchange_message("site-2", Reply::ok(Body::none()));
    broken.payload = Payload::from(b"no document".to_vec());
    assert_eq!(accept(&broken), Err(ExchangeError::Malformed));
}
