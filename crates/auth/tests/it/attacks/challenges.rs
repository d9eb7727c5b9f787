//! Hostile servers: replies to a client's challenge. Hostile clients: challenges to a server.

use core::time::Duration;

use fedcell_auth::UnixTime;
use fedcell_auth::challenge::{ChallengeLimits, ChallengeReply, ClientParty, Rate, ServerChallenge};

use super::{Attack, Outcome, outcome};
use crate::support::{NOW, Scheme, TestRng, challenged, client, identity, later, name, request, root, server, sign};

/// The honest exchange, with the reply spoiled on its way; `edit` is told what the client wants signed.
fn reply_spoiled(at: UnixTime, edit: impl FnOnce(&mut ChallengeReply, &str)) -> Outcome {
    let (challenge, mut reply) = challenged(&mut server(), "site-1", NOW);
    let nonce = challenge.request().nonce;
    edit(&mut reply, &nonce);
    outcome(challenge.verify_server(&reply, at))
}

fn spoil(edit: impl FnOnce(&mut ChallengeReply)) -> Outcome {
    reply_spoiled(NOW, |reply, _| edit(reply))
}

/// The reply signed by another key or in another way, over what it should cover.
fn signed(holder: &str, scheme: Scheme) -> Outcome {
    reply_spoiled(NOW, |reply, nonce| reply.signature = sign(holder, scheme, &format!("server1{nonce}")))
}

/// A challenge to an honest server, by the name and with the nonce given.
fn ask(origin: &str, name: &str, nonce: &str) -> Outcome {
    outcome(server().handle_challenge(NOW, &mut TestRng(1), origin, &request(name, nonce)))
}

const NONCE: &str = "6f978619-4d59-4599-8d3c-872cfa36f2b9";

const UNSIGNED: &str = "the signature does not cover this name and nonce";

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "server: name of another",
        reason: "not the configured one",
        run: || spoil(|reply| reply.common_name = "server2".into()),
    },
    Attack {
        name: "server: empty name",
        reason: "name is not usable",
        run: || spoil(|reply| reply.common_name.clear()),
    },
    Attack {
        name: "server: name with a control character",
        reason: "name is not usable",
        run: || spoil(|reply| reply.common_name = "server1\n".into()),
    },
    Attack {
        name: "server: name of 257 bytes",
        reason: "name is not usable",
        run: || spoil(|reply| reply.common_name = "s".repeat(257)),
    },
    Attack {
        name: "server: the client's own name",
        reason: "the name is our own",
        run: || spoil(|reply| reply.common_name = "site-1".into()),
    },
    Attack {
        name: "server: name in other case",
        reason: "not the configured one",
        run: || spoil(|reply| reply.common_name = "Server1".into()),
    },
    Attack { name: "server: empty nonce", reason: "not a canonical UUID", run: || spoil(|reply| reply.nonce.clear()) },
    Attack {
        name: "server: nonce that is none",
        reason: "not a canonical UUID",
        run: || spoil(|reply| reply.nonce = "x".into()),
    },
    Attack {
        name: "server: nonce in capitals",
        reason: "not a canonical UUID",
        run: || spoil(|reply| reply.nonce = reply.nonce.to_uppercase()),
    },
    Attack {
        name: "server: nonce that has us sign a token",
        reason: "not a canonical UUID",
        run: || spoil(|reply| reply.nonce = format!("-2{}", reply.nonce)),
    },
    Attack {
        name: "server: nonce of a megabyte",
        reason: "not a canonical UUID",
        run: || spoil(|reply| reply.nonce = "0".repeat(1 << 20)),
    },
    Attack {
        name: "server: our own nonce",
        reason: "the nonce is our own",
        run: || reply_spoiled(NOW, |reply, nonce| reply.nonce = nonce.to_owned()),
    },
    Attack {
        name: "server: reply to an earlier challenge",
        reason: UNSIGNED,
        run: || {
            let mut server = server();
            let (_, earlier) = challenged(&mut server, "site-1", NOW);
            let (challenge, _) = challenged(&mut server, "site-1", later(1));
            outcome(challenge.verify_server(&earlier, later(1)))
        },
    },
    Attack {
        name: "server: reply to another client",
        reason: UNSIGNED,
        run: || {
            let mut server = server();
            let (_, other) = challenged(&mut server, "site-2", later(7));
            let (challenge, _) = challenged(&mut server, "site-1", NOW);
            outcome(challenge.verify_server(&other, later(7)))
        },
    },
    Attack {
        name: "server: signature over the name alone",
        reason: UNSIGNED,
        run: || spoil(|reply| reply.signature = sign("server", Scheme::Pss, "server1")),
    },
    Attack {
        name: "server: signature over the nonce alone",
        reason: UNSIGNED,
        run: || reply_spoiled(NOW, |reply, nonce| reply.signature = sign("server", Scheme::Pss, nonce)),
    },
    Attack { name: "server: signature of another key", reason: UNSIGNED, run: || signed("site-2", Scheme::Pss) },
    Attack { name: "server: signature of a longer key", reason: UNSIGNED, run: || signed("rsa3072", Scheme::Pss) },
    Attack { name: "server: PKCS #1 v1.5", reason: UNSIGNED, run: || signed("server", Scheme::Pkcs1) },
    Attack { name: "server: salt of 0 bytes", reason: UNSIGNED, run: || signed("server", Scheme::PssSalt(0)) },
    Attack { name: "server: salt of 32 bytes", reason: UNSIGNED, run: || signed("server", Scheme::PssSalt(32)) },
    Attack { name: "server: salt one byte short", reason: UNSIGNED, run: || signed("server", Scheme::PssSalt(221)) },
    Attack { name: "server: SHA-384", reason: UNSIGNED, run: || signed("server", Scheme::PssSha384) },
    Attack { name: "server: SHA-512", reason: UNSIGNED, run: || signed("server", Scheme::PssSha512) },
    Attack {
        name: "server: empty signature",
        reason: "no possible length",
        run: || spoil(|reply| reply.signature.clear()),
    },
    Attack {
        name: "server: signature one byte short",
        reason: UNSIGNED,
        run: || spoil(|reply| reply.signature.truncate(255)),
    },
    Attack {
        name: "server: signature one byte long",
        reason: UNSIGNED,
        run: || spoil(|reply| reply.signature.push(0)),
    },
    Attack {
        name: "server: signature of a megabyte",
        reason: "no possible length",
        run: || spoil(|reply| reply.signature.resize(1 << 20, 0)),
    },
    Attack {
        name: "server: reply after its time",
        reason: "came too late",
        run: || reply_spoiled(later(61), |_, _| {}),
    },
    Attack {
        name: "client: nonce that is none",
        reason: "nonce is not a canonical UUID",
        run: || ask("site-1", "site-1", "x"),
    },
    Attack {
        name: "client: nonce that has the server sign a token for another",
        reason: "nonce is not a canonical UUID",
        run: || ask("site-1", "site-1", &format!("-job{NONCE}")),
    },
    Attack {
        name: "client: nonce of a megabyte",
        reason: "nonce is not a canonical UUID",
        run: || ask("site-1", "site-1", &"0".repeat(1 << 20)),
    },
    Attack { name: "client: empty name", reason: "name is not usable", run: || ask("site-1", "", NONCE) },
    Attack {
        name: "client: name of a megabyte",
        reason: "name is not usable",
        run: || ask("site-1", &"s".repeat(1 << 20), NONCE),
    },
    Attack { name: "client: the server's name", reason: "own name", run: || ask("site-1", "server1", NONCE) },
    Attack { name: "client: empty origin", reason: "origin is empty", run: || ask("", "site-1", NONCE) },
    Attack {
        name: "client: origin of a megabyte",
        reason: "longer than 1024",
        run: || ask(&"s".repeat(1 << 20), "site-1", NONCE),
    },
    Attack {
        name: "client: flood from one origin",
        reason: "too many challenges, try again",
        run: || {
            let mut server = server();
            (0..9).try_for_each(|_| {
                outcome(server.handle_challenge(NOW, &mut TestRng(1), "site-1", &request("site-1", NONCE)))
            })
        },
    },
    Attack {
        name: "client: flood from many origins",
        reason: "too many challenges, try again",
        run: || {
            let mut limits = ChallengeLimits::default();
            limits.overall = Rate { burst: 20, interval: Duration::from_secs(1) };
            let mut server = ServerChallenge::new(identity("server"), root(), limits).unwrap();
            (0..21).try_for_each(|index| {
                let origin = format!("site-{index}");
                outcome(server.handle_challenge(NOW, &mut TestRng(1), &origin, &request(&origin, NONCE)))
            })
        },
    },
    Attack {
        name: "client: more challenges than may be open",
        reason: "too many challenges are open",
        run: || {
            let mut limits = ChallengeLimits::default();
            limits.max_open = 3;
            let mut server = ServerChallenge::new(identity("server"), root(), limits).unwrap();
            (0..4).try_for_each(|index| {
                let origin = format!("site-{index}");
                outcome(server.handle_challenge(NOW, &mut TestRng(1), &origin, &request(&origin, NONCE)))
            })
        },
    },
    Attack {
        name: "kit: a server configured by the client's own name",
        reason: "own name",
        run: || outcome(ClientParty::new(identity("site-1"), root(), name("site-1"))),
    },
];

#[test]
fn the_honest_exchange_is_accepted() {
    reply_spoiled(NOW, |_, _| {}).unwrap();
    reply_spoiled(later(60), |_, _| {}).unwrap();
    signed("server", Scheme::Pss).unwrap();
    ask("site-1", "site-1", NONCE).unwrap();
    assert_eq!(client("site-1").expected_server().as_str(), "server1");
}
