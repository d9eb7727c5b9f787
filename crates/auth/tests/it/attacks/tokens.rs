//! Hostile use of tokens, before the registry of the server and before a relay's verifier.

use core::time::Duration;

use fedcell_auth::UnixTime;
use fedcell_auth::identity::Purpose;
use fedcell_auth::token::{AuthHeaders, ClientCredential, PeerKind, RegistryLimits, TokenRegistry, TokenVerifier};

use super::{Attack, Outcome, outcome};
use crate::support::{
    NOW, Scheme, Spec, TestRng, base64, challenged, identity, identity_of, key_pem, later, name, request, root,
    secrets, server, sign,
};

/// What a client shows.
#[derive(Clone)]
struct Shown {
    client_name: String,
    token: String,
    signature: String,
}

impl Shown {
    fn headers(&self) -> AuthHeaders<'_> {
        AuthHeaders { client_name: &self.client_name, token: &self.token, signature: &self.signature }
    }

    /// A pair of the attacker's choice, under a signature of whose key it likes.
    fn minted(client_name: &str, token: &str, holder: &str) -> Self {
        let signature = base64(&sign(holder, Scheme::Pss, &format!("{client_name}{token}")));
        Self { client_name: client_name.into(), token: token.into(), signature }
    }
}

/// Registers `holder` from the origin of that name and gives its token.
fn registered(registry: &mut TokenRegistry, holder: &str, now: UnixTime) -> Shown {
    let mut server = server();
    let (challenge, reply) = challenged(&mut server, holder, now);
    let (registration, _) = challenge.verify_server(&reply, now).unwrap().register().unwrap();
    let client = server.handle_registration(now, holder, registration.claim()).unwrap();
    let credential = registry.issue(&client, now, &mut TestRng(now.as_secs())).unwrap();
    secrets(credential.expose_token().as_bytes());
    secrets(credential.signature_text().as_bytes());
    Shown {
        client_name: holder.into(),
        token: credential.expose_token().into(),
        signature: credential.signature_text(),
    }
}

fn registry(max_age: Option<Duration>) -> TokenRegistry {
    let mut limits = RegistryLimits::default();
    limits.max_age = max_age;
    TokenRegistry::new(identity("server"), limits).unwrap()
}

/// The honest token of `site-1`, spoiled, shown from `origin`.
fn spoil(origin: &str, edit: impl FnOnce(&mut Shown)) -> Outcome {
    let mut registry = registry(None);
    let mut shown = registered(&mut registry, "site-1", NOW);
    edit(&mut shown);
    outcome(registry.authenticate(&shown.headers(), origin, later(1)))
}

/// A pair under a signature, shown to a relay, which has no registry.
fn to_relay(shown: &Shown) -> Outcome {
    let server = root().verify(identity("server").chain(), NOW, Purpose::Server).unwrap();
    outcome(TokenVerifier::new(server).check_signature(&shown.headers()))
}

const TOKEN: &str = "780389ff-fd83-440b-954d-3fb4b55fd33f";

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "token: unknown, under a valid signature of the server",
        reason: "the token is not registered",
        run: || spoil("site-1", |shown| *shown = Shown::minted("site-1", TOKEN, "server")),
    },
    Attack {
        name: "token: of another client",
        reason: "belongs to another client",
        run: || {
            let mut registry = registry(None);
            let mut shown = registered(&mut registry, "site-1", NOW);
            shown.client_name = "site-2".into();
            outcome(registry.authenticate(&shown.headers(), "site-2", NOW))
        },
    },
    Attack {
        name: "token: of another client, under a signature for the thief",
        reason: "belongs to another client",
        run: || {
            let mut registry = registry(None);
            let victim = registered(&mut registry, "site-1", NOW);
            let shown = Shown::minted("site-2", &victim.token, "server");
            outcome(registry.authenticate(&shown.headers(), "site-2", NOW))
        },
    },
    Attack { name: "token: from another origin", reason: "bound to another origin", run: || spoil("site-2", |_| {}) },
    Attack {
        name: "token: from an origin whose name begins alike",
        reason: "bound to another origin",
        run: || spoil("site-1x", |_| {}),
    },
    Attack {
        name: "token: from below another origin of the same name",
        reason: "bound to another origin",
        run: || spoil("relay-1.site-1", |_| {}),
    },
    Attack { name: "token: from an empty origin", reason: "bound to another origin", run: || spoil("", |_| {}) },
    Attack {
        name: "token: revoked",
        reason: "the token is not registered",
        run: || {
            let mut registry = registry(None);
            let shown = registered(&mut registry, "site-1", NOW);
            assert!(registry.revoke_client(&name("site-1")) && !registry.revoke_client(&name("site-1")));
            outcome(registry.authenticate(&shown.headers(), "site-1", NOW))
        },
    },
    Attack {
        name: "token: replaced by a newer registration",
        reason: "the token is not registered",
        run: || {
            let mut registry = registry(None);
            let older = registered(&mut registry, "site-1", NOW);
            let newer = registered(&mut registry, "site-1", later(1));
            registry.authenticate(&newer.headers(), "site-1", later(1)).unwrap();
            assert_eq!(registry.len(), 1);
            outcome(registry.authenticate(&older.headers(), "site-1", later(1)))
        },
    },
    Attack {
        name: "token: too old",
        reason: "the token is too old",
        run: || {
            let mut registry = registry(Some(Duration::from_secs(100)));
            let shown = registered(&mut registry, "site-1", NOW);
            registry.authenticate(&shown.headers(), "site-1", later(99)).unwrap();
            outcome(registry.authenticate(&shown.headers(), "site-1", later(100)))
        },
    },
    Attack {
        name: "token: too old and cleaned up",
        reason: "the token is not registered",
        run: || {
            let mut registry = registry(Some(Duration::from_secs(100)));
            let shown = registered(&mut registry, "site-1", NOW);
            assert_eq!(registry.poll_timeout(), Some(later(100)));
            assert_eq!(registry.handle_timeout(later(100)), [name("site-1")]);
            outcome(registry.authenticate(&shown.headers(), "site-1", later(99)))
        },
    },
    Attack {
        name: "token: after the client's certificate has expired",
        reason: "certificate is no longer valid",
        run: || {
            let mut registry = registry(None);
            let shown = registered(&mut registry, "site-1", NOW);
            outcome(registry.authenticate(&shown.headers(), "site-1", UnixTime::from_secs(2_700_000_000)))
        },
    },
    Attack { name: "token: none", reason: "no token", run: || spoil("site-1", |shown| shown.token.clear()) },
    Attack {
        name: "token: not available",
        reason: "no token",
        run: || spoil("site-1", |shown| shown.token = "NA".into()),
    },
    Attack {
        name: "token: in capitals",
        reason: "canonical 36-character UUID",
        run: || spoil("site-1", |shown| shown.token = shown.token.to_uppercase()),
    },
    Attack {
        name: "token: without hyphens",
        reason: "canonical 36-character UUID",
        run: || spoil("site-1", |shown| shown.token = shown.token.replace('-', "")),
    },
    Attack {
        name: "token: with a letter of the name moved into it",
        reason: "canonical 36-character UUID",
        run: || {
            spoil("site-", |shown| {
                shown.client_name = "site-".into();
                shown.token = format!("1{}", shown.token);
            })
        },
    },
    Attack {
        name: "token: of a megabyte",
        reason: "canonical 36-character UUID",
        run: || spoil("site-1", |shown| shown.token = "0".repeat(1 << 20)),
    },
    Attack {
        name: "token: no client name",
        reason: "no client name",
        run: || spoil("site-1", |shown| shown.client_name.clear()),
    },
    Attack {
        name: "token: no signature",
        reason: "no token signature",
        run: || spoil("site-1", |shown| shown.signature.clear()),
    },
    Attack {
        name: "token: signature not available",
        reason: "no token signature",
        run: || spoil("site-1", |shown| shown.signature = "NA".into()),
    },
    Attack {
        name: "token: signature that is no base64",
        reason: "canonical base64",
        run: || spoil("site-1", |shown| shown.signature.push('\n')),
    },
    Attack {
        name: "token: signature of the client itself",
        reason: "signature does not cover",
        run: || spoil("site-1", |shown| *shown = Shown::minted("site-1", &shown.token, "site-1")),
    },
    Attack {
        name: "token: signature of another token",
        reason: "signature does not cover",
        run: || spoil("site-1", |shown| shown.signature = Shown::minted("site-1", TOKEN, "server").signature),
    },
    Attack {
        name: "token: signature by PKCS #1 v1.5",
        reason: "signature does not cover",
        run: || {
            spoil("site-1", |shown| {
                shown.signature = base64(&sign("server", Scheme::Pkcs1, &format!("site-1{}", shown.token)));
            })
        },
    },
    Attack {
        name: "token: signature of a megabyte",
        reason: "expected a signature of 1 to 1024 bytes",
        run: || spoil("site-1", |shown| shown.signature = "A".repeat(1 << 20)),
    },
    Attack {
        name: "token: the server's own, from a client",
        reason: "the server's own token from another origin",
        run: || spoil("site-1", |shown| *shown = Shown::minted("server", "server", "server")),
    },
    Attack {
        name: "token: the server's name with a UUID",
        reason: "the server's own token is its name",
        run: || spoil("server", |shown| *shown = Shown::minted("server", TOKEN, "server")),
    },
    Attack {
        name: "token: the server's own, under a client's signature",
        reason: "signature does not cover",
        run: || spoil("server", |shown| *shown = Shown::minted("server", "server", "site-1")),
    },
    Attack {
        name: "token: an answer to a challenge, as the server's own name",
        reason: "the token is not registered",
        run: || {
            let shown = answer_as_token();
            outcome(registry(None).authenticate(&shown.headers(), "site-1", NOW))
        },
    },
    Attack {
        name: "token: a job's, from another job",
        reason: "bound to another origin",
        run: || {
            let mut registry = registry(None);
            let job = registry.register_server_job(TOKEN, "server.job-1", NOW).unwrap();
            let (token, signature) = (job.expose_token().to_owned(), job.signature_text());
            let shown = Shown { client_name: "server_job".into(), token, signature };
            let peer = registry.authenticate(&shown.headers(), "server.job-1", NOW).unwrap();
            assert_eq!((peer.kind(), peer.registered_origin()), (PeerKind::ServerJob, "server.job-1"));
            outcome(registry.authenticate(&shown.headers(), "server.job-2", NOW))
        },
    },
    Attack {
        name: "token: a job's, after the job",
        reason: "the token is not registered",
        run: || {
            let mut registry = registry(None);
            registry.register_server_job(TOKEN, "server.job-1", NOW).unwrap();
            assert!(registry.revoke_server_job(TOKEN) && !registry.revoke_server_job(TOKEN));
            let shown = Shown::minted("server_job", TOKEN, "server");
            outcome(registry.authenticate(&shown.headers(), "server.job-1", NOW))
        },
    },
    Attack {
        name: "token: a job with the id of another",
        reason: "already has a token",
        run: || {
            let mut registry = registry(None);
            registry.register_server_job(TOKEN, "server.job-1", NOW).unwrap();
            outcome(registry.register_server_job(TOKEN, "server.job-2", NOW))
        },
    },
    Attack {
        name: "token: a job whose id is free text",
        reason: "not a canonical UUID",
        run: || outcome(registry(None).register_server_job("-evil", "server.job-1", NOW)),
    },
    Attack {
        name: "token: more than there may be",
        reason: "registry is full",
        run: || {
            let mut limits = RegistryLimits::default();
            limits.max_tokens = 1;
            let mut registry = TokenRegistry::new(identity("server"), limits).unwrap();
            registered(&mut registry, "site-1", NOW);
            registered(&mut registry, "site-1", later(1));
            outcome(registry.register_server_job(TOKEN, "server.job-1", NOW))
        },
    },
    Attack {
        name: "relay: token under a signature of a client",
        reason: "did not sign this name and token",
        run: || to_relay(&Shown::minted("site-1", TOKEN, "site-2")),
    },
    Attack {
        name: "relay: token that is free text",
        reason: "canonical 36-character UUID",
        run: || to_relay(&Shown::minted("site-1", "t", "server")),
    },
    Attack {
        name: "relay: an answer to a challenge, as the server's own name",
        reason: "the client name is the server's own",
        run: || to_relay(&answer_as_token()),
    },
    Attack {
        name: "relay: name with a control character",
        reason: "control character",
        run: || to_relay(&Shown::minted("site-1\r\n", TOKEN, "server")),
    },
    Attack { name: "relay: no token", reason: "no token", run: || to_relay(&Shown::minted("site-1", "", "server")) },
    Attack {
        name: "client: token that the server signed for another",
        reason: "did not sign this name and token",
        run: || {
            let server = root().verify(identity("server").chain(), NOW, Purpose::Server).unwrap();
            let shown = Shown::minted("site-2", TOKEN, "server");
            outcome(TokenVerifier::new(server).accept(&name("site-1"), &shown.token, &shown.signature))
        },
    },
    Attack {
        name: "client: token that is free text",
        reason: "canonical 36-character UUID",
        run: || {
            let server = root().verify(identity("server").chain(), NOW, Purpose::Server).unwrap();
            let shown = Shown::minted("site-1", "server", "server");
            outcome(TokenVerifier::new(server).accept(&name("site-1"), &shown.token, &shown.signature))
        },
    },
    Attack {
        name: "job: a token handed down that is free text",
        reason: "expected a token that is a canonical",
        run: || outcome(ClientCredential::handed_down(name("site-1"), "t", "NA")),
    },
    Attack {
        name: "job: a signature handed down that is no base64",
        reason: "expected a token signature in base64",
        run: || outcome(ClientCredential::handed_down(name("site-1"), TOKEN, "N A")),
    },
    Attack {
        name: "kit: a server whose answers would be tokens of jobs",
        reason: "reserved name",
        run: || {
            let identity = identity_of(&Spec::leaf("server_job", "server").by_root(), &key_pem("server"));
            let limits = fedcell_auth::challenge::ChallengeLimits::default();
            outcome(fedcell_auth::challenge::ServerChallenge::new(identity, root(), limits))
        },
    },
];

/// The server signs its own name and any nonce: shown as a pair of name and token, that is a valid signature.
fn answer_as_token() -> Shown {
    let ask = request("site-1", TOKEN);
    let reply = server().handle_challenge(NOW, &mut TestRng(1), "site-1", &ask).unwrap();
    Shown { client_name: reply.common_name, token: TOKEN.into(), signature: base64(&reply.signature) }
}

#[test]
pub(crate) fn honest_tokens_are_accepted() {
    spoil("site-1", |_| {}).unwrap();
    spoil("site-1.some-job", |_| {}).unwrap();
    spoil("site-1.some-job.trainer", |_| {}).unwrap();
    // Another valid signature of the server over the same pair is as good as the one that it issued.
    spoil("site-1", |shown| *shown = Shown::minted("site-1", &shown.token, "server")).unwrap();
    to_relay(&Shown::minted("site-1", TOKEN, "server")).unwrap();
    to_relay(&Shown::minted("server", "server", "server")).unwrap();
    to_relay(&Shown::minted("server_job", TOKEN, "server")).unwrap();

    let plain = ClientCredential::handed_down(name("site-1"), TOKEN, "NA").unwrap().with_session("ssid");
    let headers = plain.headers();
    let said: Vec<_> = headers.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
    let expected = [("client_name", "site-1"), ("__token__", TOKEN), ("__token_signature__", "NA"), ("ssid", "ssid")];
    assert_eq!(said, expected);

    let registry = registry(None);
    let own = registry.own_credential().unwrap();
    let headers = own.headers();
    assert_eq!(
        headers.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(),
        ["client_name", "__token__", "__token_signature__"]
    );
    let shown = Shown {
        client_name: headers[0].1.expose().into(),
        token: headers[1].1.expose().into(),
        signature: headers[2].1.expose().into(),
    };
    assert_eq!(registry.authenticate(&shown.headers(), "server", NOW).unwrap().kind(), PeerKind::Server);
}
