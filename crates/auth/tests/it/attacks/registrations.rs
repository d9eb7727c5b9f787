//! Hostile clients: registrations.

use fedcell_auth::UnixTime;
use fedcell_auth::challenge::{RegistrationClaim, ServerChallenge};
use rcgen::ExtendedKeyUsagePurpose;

use super::{Attack, Outcome, outcome};
use crate::support::{NOW, Scheme, Spec, challenged, data, later, server, sign};

/// An honest server and an honest registration of `holder`, from the origin of that name.
fn prepared(holder: &str) -> (ServerChallenge, RegistrationClaim, String) {
    let mut server = server();
    let (registration, nonce) = answer(&mut server, holder, NOW);
    (server, registration, nonce)
}

/// Has the server challenge the origin `holder`, and answers it.
fn answer(server: &mut ServerChallenge, holder: &str, now: UnixTime) -> (RegistrationClaim, String) {
    let (challenge, reply) = challenged(server, holder, now);
    let (registration, _) = challenge.verify_server(&reply, now).unwrap().register().unwrap();
    (registration.into_claim(), reply.nonce)
}

/// The honest registration, spoiled on its way; `edit` is told what the server wants signed.
fn spoil(edit: impl FnOnce(&mut RegistrationClaim, &str)) -> Outcome {
    let (mut server, mut registration, nonce) = prepared("site-1");
    edit(&mut registration, &nonce);
    outcome(server.handle_registration(NOW, "site-1", &registration))
}

fn signed(holder: &str, scheme: Scheme) -> Outcome {
    spoil(|registration, nonce| registration.signature = sign(holder, scheme, &format!("site-1{nonce}")))
}

const CLOSED: &str = "no challenge is open for this origin";
const UNSIGNED: &str = "the signature does not cover this name and nonce";

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "registration: without a challenge",
        reason: CLOSED,
        run: || {
            let (_, registration, _) = prepared("site-1");
            outcome(server().handle_registration(NOW, "site-1", &registration))
        },
    },
    Attack {
        name: "registration: replayed",
        reason: CLOSED,
        run: || {
            let (mut server, registration, _) = prepared("site-1");
            server.handle_registration(NOW, "site-1", &registration).unwrap();
            outcome(server.handle_registration(NOW, "site-1", &registration))
        },
    },
    Attack {
        name: "registration: replayed to a new challenge",
        reason: UNSIGNED,
        run: || {
            let (mut server, registration, _) = prepared("site-1");
            server.handle_registration(NOW, "site-1", &registration).unwrap();
            challenged(&mut server, "site-1", later(5));
            outcome(server.handle_registration(later(5), "site-1", &registration))
        },
    },
    Attack {
        name: "registration: after the nonce has expired",
        reason: CLOSED,
        run: || {
            let (mut server, registration, _) = prepared("site-1");
            outcome(server.handle_registration(later(60), "site-1", &registration))
        },
    },
    Attack {
        name: "registration: after the server has cleaned up",
        reason: CLOSED,
        run: || {
            let (mut server, registration, _) = prepared("site-1");
            assert_eq!(server.poll_timeout(), Some(later(60)));
            server.handle_timeout(later(60));
            assert_eq!(server.open_challenges(), 0);
            outcome(server.handle_registration(NOW, "site-1", &registration))
        },
    },
    Attack {
        name: "registration: from another origin",
        reason: CLOSED,
        run: || {
            let (mut server, registration, _) = prepared("site-1");
            outcome(server.handle_registration(NOW, "relay-1.site-1", &registration))
        },
    },
    Attack {
        name: "registration: crossed with another client's challenge",
        reason: "the challenge was for another name",
        run: || {
            let (mut server, registration, _) = prepared("site-1");
            challenged(&mut server, "site-2", later(1));
            outcome(server.handle_registration(later(1), "site-2", &registration))
        },
    },
    Attack {
        name: "registration: of a challenge that a newer one has replaced",
        reason: UNSIGNED,
        run: || {
            let (mut server, older, _) = prepared("site-1");
            challenged(&mut server, "site-1", later(1));
            outcome(server.handle_registration(later(1), "site-1", &older))
        },
    },
    Attack {
        name: "registration: the right one after a failed attempt",
        reason: CLOSED,
        run: || {
            let (mut server, registration, _) = prepared("site-1");
            let mut spoiled = registration.clone();
            spoiled.signature.clear();
            server.handle_registration(NOW, "site-1", &spoiled).unwrap_err();
            outcome(server.handle_registration(NOW, "site-1", &registration))
        },
    },
    Attack {
        name: "registration: another name than the challenge's",
        reason: "the challenge was for another name",
        run: || {
            spoil(|registration, _| {
                registration.client_name = "site-2".into();
                registration.common_name = "site-2".into();
            })
        },
    },
    Attack {
        name: "registration: client name and common name differ",
        reason: "client name and common name differ",
        run: || spoil(|registration, _| registration.common_name = "site-2".into()),
    },
    Attack {
        name: "registration: empty name",
        reason: "name is not usable",
        run: || spoil(|registration, _| registration.client_name.clear()),
    },
    Attack {
        name: "registration: the server's name",
        reason: "the name is our own",
        run: || spoil(|registration, _| registration.client_name = "server1".into()),
    },
    Attack {
        name: "registration: a reserved name",
        reason: "the name is reserved",
        run: || spoil(|registration, _| registration.client_name = "server_job".into()),
    },
    Attack {
        name: "registration: the server's own answer sent back",
        reason: "bears another name",
        run: || {
            let mut server = server();
            let (_, reply) = challenged(&mut server, "site-1", NOW);
            let registration = RegistrationClaim {
                client_name: "site-1".into(),
                common_name: "site-1".into(),
                certificate: reply.certificate,
                signature: reply.signature,
            };
            outcome(server.handle_registration(NOW, "site-1", &registration))
        },
    },
    Attack {
        name: "registration: certificate of another client",
        reason: "bears another name",
        run: || spoil(|registration, _| registration.certificate = data("reference/keys/site-2.crt").into_bytes()),
    },
    Attack {
        name: "registration: certificate of another root",
        reason: "UnknownIssuer",
        run: || {
            spoil(|registration, _| registration.certificate = data("reference/keys/site-1-badca.crt").into_bytes())
        },
    },
    Attack {
        name: "registration: certificate for servers",
        reason: "RequiredEkuNotFound",
        run: || {
            spoil(|registration, _| {
                let spec = Spec::leaf("site-1", "site-1").purpose(ExtendedKeyUsagePurpose::ServerAuth);
                registration.certificate = spec.by_root().into_bytes();
            })
        },
    },
    Attack {
        name: "registration: certificate that may not sign",
        reason: "key usage does not allow",
        run: || {
            spoil(|registration, _| registration.certificate = data("reference/keys/site-1-ku-nosign.crt").into_bytes())
        },
    },
    Attack { name: "registration: signature of another key", reason: UNSIGNED, run: || signed("site-2", Scheme::Pss) },
    Attack { name: "registration: PKCS #1 v1.5", reason: UNSIGNED, run: || signed("site-1", Scheme::Pkcs1) },
    Attack { name: "registration: salt of 32 bytes", reason: UNSIGNED, run: || signed("site-1", Scheme::PssSalt(32)) },
    Attack { name: "registration: SHA-512", reason: UNSIGNED, run: || signed("site-1", Scheme::PssSha512) },
    Attack {
        name: "registration: signature of a megabyte",
        reason: "no possible length",
        run: || spoil(|registration, _| registration.signature.resize(1 << 20, 1)),
    },
    Attack {
        name: "registration: certificate of a megabyte",
        reason: "PEM armour is longer than",
        run: || spoil(|registration, _| registration.certificate.resize(1 << 20, b'\n')),
    },
];

#[test]
fn honest_registrations_are_accepted() {
    spoil(|_, _| {}).unwrap();
    signed("site-1", Scheme::Pss).unwrap();
    for file in ["site-1-eku-client", "site-1-ku-sign"] {
        spoil(|registration, _| registration.certificate = data(&format!("reference/keys/{file}.crt")).into_bytes())
            .unwrap();
    }
    let (mut server, registration, _) = prepared("admin");
    let client = server.handle_registration(later(59), "admin", &registration).unwrap();
    assert_eq!(client.organisation(), Some("nvidia"));
}
