//! Certificates that must not be believed, shown by a server that knows the private key and signs correctly.

use fedcell_auth::UnixTime;
use fedcell_auth::challenge::ClientChallenge;
use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};

use super::{Attack, Outcome, outcome};
use crate::support::{NOW, Scheme, Spec, TestRng, challenged, client, data, later, pem, server, sign};

/// The honest exchange, with another certificate in the reply, signed by its key `holder`.
fn shown(certificate: &str, holder: &str) -> Outcome {
    shown_at(NOW, certificate, holder)
}

fn shown_at(now: UnixTime, certificate: &str, holder: &str) -> Outcome {
    let challenge = ClientChallenge::start(&client("site-1"), now, &mut TestRng(3));
    let (_, mut reply) = challenged(&mut server(), "site-1", NOW);
    reply.certificate = certificate.as_bytes().to_vec();
    reply.signature = sign(holder, Scheme::Pss, &format!("server1{}", challenge.request().nonce));
    outcome(challenge.verify_server(&reply, now))
}

fn server1() -> Spec {
    Spec::leaf("server1", "server")
}

fn intermediate() -> Spec {
    Spec::authority("department", "site-2")
}

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "certificate: of another root",
        reason: "UnknownIssuer",
        run: || shown(&server1().by(&Spec::authority("other_project", "otherCA")), "server"),
    },
    Attack {
        name: "certificate: of another root of the same name",
        reason: "no valid path to the root",
        run: || shown(&server1().by(&Spec::root("otherCA")), "server"),
    },
    Attack {
        name: "certificate: signed by itself",
        reason: "no valid path to the root",
        run: || shown(&server1().by_itself(), "server"),
    },
    Attack {
        name: "certificate: signed by itself as an authority",
        reason: "no valid path to the root",
        run: || shown(&Spec::authority("server1", "server").by_itself(), "server"),
    },
    Attack {
        name: "certificate: an authority's in place of a leaf",
        reason: "no valid path to the root",
        run: || shown(&Spec::authority("server1", "server").by_root(), "server"),
    },
    Attack {
        name: "certificate: expired",
        reason: "CertExpired",
        run: || shown(&server1().years(2020, 2025).by_root(), "server"),
    },
    Attack {
        name: "certificate: not yet valid",
        reason: "CertNotValidYet",
        run: || shown(&server1().years(2027, 2030).by_root(), "server"),
    },
    Attack {
        name: "certificate: root expired",
        reason: "the root certificate has expired",
        run: || shown_at(UnixTime::from_secs(2_700_000_000), &server1().years(2025, 2100).by_root(), "server"),
    },
    Attack {
        name: "certificate: root not yet valid",
        reason: "the root certificate is not valid yet",
        run: || shown_at(UnixTime::from_secs(1_700_000_000), &server1().years(2020, 2100).by_root(), "server"),
    },
    Attack {
        name: "certificate: usage client only",
        reason: "RequiredEkuNotFound",
        run: || shown(&server1().purpose(ExtendedKeyUsagePurpose::ClientAuth).by_root(), "server"),
    },
    Attack {
        name: "certificate: usage any is not usage server",
        reason: "extended key usage does not allow",
        run: || shown(&server1().purpose(ExtendedKeyUsagePurpose::Any).by_root(), "server"),
    },
    Attack {
        name: "certificate: usage without signing",
        reason: "key usage does not allow digitalSignature",
        run: || shown(&server1().usage(KeyUsagePurpose::KeyEncipherment).by_root(), "server"),
    },
    Attack {
        name: "certificate: chain without its intermediate",
        reason: "UnknownIssuer",
        run: || shown(&server1().by(&intermediate()), "server"),
    },
    Attack {
        name: "certificate: intermediate that is no authority",
        reason: "an intermediate certificate is not an authority's",
        run: || {
            let site = Spec::leaf("site-2", "site-2");
            shown(&(server1().by(&site) + &site.by_root()), "server")
        },
    },
    Attack {
        name: "certificate: intermediate that may not sign certificates",
        reason: "an intermediate certificate is not an authority's",
        run: || {
            let mut department = intermediate();
            department.usages = vec![KeyUsagePurpose::DigitalSignature];
            shown(&(server1().by(&department) + &department.by_root()), "server")
        },
    },
    Attack {
        name: "certificate: intermediate expired",
        reason: "CertExpired",
        run: || {
            let department = intermediate().years(2020, 2025);
            shown(&(server1().by(&department) + &department.by_root()), "server")
        },
    },
    Attack {
        name: "certificate: intermediate for clients only",
        reason: "RequiredEkuNotFound",
        run: || {
            let department = intermediate().purpose(ExtendedKeyUsagePurpose::ClientAuth);
            shown(&(server1().by(&department) + &department.by_root()), "server")
        },
    },
    Attack {
        name: "certificate: intermediate of another root",
        reason: "no valid path to the root",
        run: || {
            let other = Spec::authority("other_project", "otherCA");
            shown(&(server1().by(&intermediate()) + &intermediate().by(&other)), "server")
        },
    },
    Attack {
        name: "certificate: of another name",
        reason: "bears another name",
        run: || shown(&Spec::leaf("site-2", "server").by_root(), "server"),
    },
    Attack {
        name: "certificate: without a name",
        reason: "bears another name",
        run: || {
            let mut spec = server1();
            spec.names.clear();
            shown(&spec.by_root(), "server")
        },
    },
    Attack {
        name: "certificate: with two names",
        reason: "common name stands more than once",
        run: || {
            let mut spec = server1();
            spec.names.push("site-2");
            shown(&spec.by_root(), "server")
        },
    },
    Attack {
        name: "certificate: elliptic curve key",
        reason: "not RSA of 2048",
        run: || shown(&Spec::leaf("server1", "ec256").by_root(), "server"),
    },
    Attack {
        name: "certificate: RSA of 1024 bits",
        reason: "not RSA of 2048",
        run: || shown(&data("generated/rsa1024.crt"), "server"),
    },
    Attack {
        name: "certificate: of the right name and another key",
        reason: "signature does not cover",
        run: || shown(&Spec::leaf("server1", "site-2").by_root(), "server"),
    },
    Attack { name: "certificate: none", reason: "certificate is missing", run: || shown("", "server") },
    Attack {
        name: "certificate: a private key in its place",
        reason: "certificate is missing",
        run: || shown(&data("generated/rsa2048.key"), "server"),
    },
    Attack {
        name: "certificate: PEM cut off",
        reason: "PEM armour is malformed",
        run: || shown(&server1().by_root()[..500], "server"),
    },
    Attack {
        name: "certificate: DER cut off",
        reason: "certificate is malformed",
        run: || shown(&pem("CERTIFICATE", &[0x30, 0x82, 0x7f, 0xff, 0x30]), "server"),
    },
    Attack {
        name: "certificate: declared length of 4 GiB",
        reason: "certificate is malformed",
        run: || shown(&pem("CERTIFICATE", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30]), "server"),
    },
    Attack {
        name: "certificate: PEM of a megabyte",
        reason: "PEM armour is longer than",
        run: || shown(&("\n".repeat(1 << 20) + &server1().by_root()), "server"),
    },
    Attack {
        name: "certificate: chain of nine",
        reason: "certificate has more than 8 certificates",
        run: || shown(&server1().by_root().repeat(9), "server"),
    },
];

#[test]
fn honest_certificates_of_every_kind_are_accepted() {
    shown(&server1().by_root(), "server").unwrap();
    shown(&server1().purpose(ExtendedKeyUsagePurpose::ServerAuth).by_root(), "server").unwrap();
    shown(&server1().usage(KeyUsagePurpose::DigitalSignature).by_root(), "server").unwrap();
    shown(&(server1().by(&intermediate()) + &intermediate().by_root()), "server").unwrap();
    shown(&(server1().by_root() + &data("reference/keys/rootCA.pem")), "server").unwrap();
    for key in ["rsa3072", "rsa4096"] {
        shown(&Spec::leaf("server1", key).by_root(), key).unwrap();
    }
    let any_and_server = server1().purpose(ExtendedKeyUsagePurpose::Any).purpose(ExtendedKeyUsagePurpose::ServerAuth);
    shown_at(later(1), &any_and_server.by_root(), "server").unwrap();
}
