//! Hostile envelopes.

use std::sync::Arc;

use fedcell_auth::UnixTime;
use fedcell_auth::identity::{Identity, Purpose, VerifiedCertificate};
use fedcell_auth::sealed::{OpenLimits, Opener, PeerCertificates, SealLimits, Sealer};

use super::{Attack, Outcome, outcome};
use crate::support::{NOW, Spec, TestRng, data, identity, identity_of, key_pem, later, logged, name, root};

fn certificate_of(identity: &Identity) -> VerifiedCertificate {
    root().verify(identity.chain(), NOW, Purpose::Sealing).unwrap()
}

fn sealer(holder: &str) -> Sealer {
    Sealer::new(identity(holder), SealLimits::default()).unwrap()
}

fn opener(holder: &str) -> Opener {
    Opener::new(identity(holder), OpenLimits::default()).unwrap()
}

fn seal(from: &str, to: &str, plaintext: &[u8], seed: u64) -> Vec<u8> {
    sealer(from).seal(NOW, &mut TestRng(seed), &certificate_of(&identity(to)), plaintext).unwrap()
}

/// Has `site-2` open an envelope that is said to come from `from`.
fn open(from: &str, envelope: &[u8]) -> Outcome {
    outcome(opener("site-2").open(NOW, &certificate_of(&identity(from)), envelope))
}

/// An honest envelope from `site-1` to `site-2`, spoiled on its way.
fn spoil(edit: impl FnOnce(&mut Vec<u8>)) -> Outcome {
    let mut envelope = seal("site-1", "site-2", b"weights", 1);
    edit(&mut envelope);
    open("site-1", &envelope)
}

const UNSIGNED: &str = "the sender did not sign this envelope";

pub(super) const ATTACKS: &[Attack] = &[
    Attack { name: "envelope: empty", reason: "shorter than 541", run: || spoil(Vec::clear) },
    Attack {
        name: "envelope: one byte short of the least",
        reason: "shorter than 541",
        run: || spoil(|envelope| envelope.truncate(540)),
    },
    Attack { name: "envelope: version 0", reason: "version is not 1", run: || spoil(|envelope| envelope[0] = 0) },
    Attack { name: "envelope: version 2", reason: "version is not 1", run: || spoil(|envelope| envelope[0] = 2) },
    Attack { name: "envelope: nonce changed", reason: UNSIGNED, run: || spoil(|envelope| envelope[1] ^= 1) },
    Attack { name: "envelope: wrapped key changed", reason: UNSIGNED, run: || spoil(|envelope| envelope[13] ^= 1) },
    Attack { name: "envelope: signature changed", reason: UNSIGNED, run: || spoil(|envelope| envelope[269] ^= 1) },
    Attack { name: "envelope: content changed", reason: UNSIGNED, run: || spoil(|envelope| envelope[525] ^= 1) },
    Attack {
        name: "envelope: tag changed",
        reason: UNSIGNED,
        run: || spoil(|envelope| *envelope.last_mut().unwrap() ^= 1),
    },
    Attack { name: "envelope: longer", reason: UNSIGNED, run: || spoil(|envelope| envelope.push(0)) },
    Attack {
        name: "envelope: longer than allowed",
        reason: "longer than allowed",
        run: || {
            let mut limits = OpenLimits::default();
            limits.max_length = 1000;
            let opener = Opener::new(identity("site-2"), limits).unwrap();
            let envelope = seal("site-1", "site-2", &[0; 460], 1);
            outcome(opener.open(NOW, &certificate_of(&identity("site-1")), &envelope))
        },
    },
    Attack {
        name: "envelope: claimed by another sender",
        reason: UNSIGNED,
        run: || open("admin", &seal("site-1", "site-2", b"weights", 1)),
    },
    Attack {
        name: "envelope: for another target",
        reason: "the key was not wrapped for us",
        run: || open("site-1", &seal("site-1", "server", b"weights", 1)),
    },
    Attack {
        name: "envelope: reflected to its sender",
        reason: UNSIGNED,
        run: || {
            let envelope = seal("site-2", "site-1", b"weights", 1);
            open("site-1", &envelope)
        },
    },
    Attack {
        name: "envelope: wrapped key of another envelope",
        reason: UNSIGNED,
        run: || {
            let other = seal("site-1", "site-2", b"weights", 2);
            spoil(|envelope| envelope[13..269].copy_from_slice(&other[13..269]))
        },
    },
    Attack {
        name: "envelope: signature of another envelope",
        reason: UNSIGNED,
        run: || {
            let other = seal("site-1", "site-2", b"weights", 2);
            spoil(|envelope| envelope[269..525].copy_from_slice(&other[269..525]))
        },
    },
    Attack {
        name: "envelope: content of another envelope",
        reason: UNSIGNED,
        run: || {
            let other = seal("site-1", "site-2", b"wages!!", 2);
            spoil(|envelope| envelope[525..].copy_from_slice(&other[525..]))
        },
    },
    Attack {
        name: "envelope: another's content, signed anew",
        reason: "the key was not wrapped for us",
        run: || {
            // site-1 cannot read what admin sealed for the server, and has site-2 try.
            let stolen = seal("admin", "server", b"secret", 3);
            open("site-1", &resigned(stolen, "site-1"))
        },
    },
    Attack {
        name: "envelope: two wrapped keys swapped and signed anew",
        reason: "the content is not what was sealed",
        run: || {
            let mut envelope = seal("site-1", "site-2", b"weights", 1);
            envelope[13..269].copy_from_slice(&seal("site-1", "site-2", b"weights", 2)[13..269]);
            open("site-1", &resigned(envelope, "site-1"))
        },
    },
    Attack {
        name: "envelope: nonce changed and signed anew",
        reason: "the content is not what was sealed",
        run: || {
            let mut envelope = seal("site-1", "site-2", b"weights", 1);
            envelope[1] ^= 1;
            open("site-1", &resigned(envelope, "site-1"))
        },
    },
    Attack {
        name: "envelope: replayed",
        reason: "has been received before",
        run: || {
            let opener = opener("site-2");
            let sender = certificate_of(&identity("site-1"));
            let envelope = seal("site-1", "site-2", b"weights", 1);
            opener.open(NOW, &sender, &envelope).unwrap().into_fresh().unwrap();
            opener.open(later(1), &sender, &seal("site-1", "site-2", b"weights", 2)).unwrap().into_fresh().unwrap();
            outcome(opener.open(later(2), &sender, &envelope).unwrap().into_fresh())
        },
    },
    Attack {
        name: "envelope: after the sender's certificate has expired",
        reason: "certificate is not valid now",
        run: || {
            let envelope = seal("site-1", "site-2", b"weights", 1);
            let sender = certificate_of(&identity("site-1"));
            outcome(opener("site-2").open(UnixTime::from_secs(2_700_000_000), &sender, &envelope))
        },
    },
    Attack {
        name: "exchange: certificate of another root",
        reason: "UnknownIssuer",
        run: || exchange("site-1", &data("reference/keys/site-1-badca.crt")),
    },
    Attack {
        name: "exchange: certificate of another cell",
        reason: "another name than the cell's",
        run: || exchange("site-1", &data("reference/keys/site-2.crt")),
    },
    Attack { name: "exchange: no certificate", reason: "certificate is missing", run: || exchange("site-1", "") },
    Attack {
        name: "exchange: expired certificate",
        reason: "CertExpired",
        run: || exchange("site-1", &Spec::leaf("site-1", "site-1").years(2020, 2025).by_root()),
    },
    Attack {
        name: "seal: for a certificate that has expired",
        reason: "certificate is not valid now",
        run: || {
            let target = certificate_of(&identity("site-2"));
            let late = UnixTime::from_secs(2_700_000_000);
            outcome(sealer("site-1").seal(late, &mut TestRng(1), &target, b"weights"))
        },
    },
    Attack {
        name: "seal: for a key of 3072 bits",
        reason: "target's key is not of 2048 bits",
        run: || {
            let target = certificate_of(&longer_key());
            outcome(sealer("site-1").seal(NOW, &mut TestRng(1), &target, b"weights"))
        },
    },
    Attack {
        name: "seal: with a key of 3072 bits",
        reason: "this party's key has 3072 bits",
        run: || outcome(Sealer::new(longer_key(), SealLimits::default())),
    },
    Attack {
        name: "open: with a key of 3072 bits",
        reason: "this party's key has 3072 bits",
        run: || outcome(Opener::new(longer_key(), OpenLimits::default())),
    },
    Attack {
        name: "envelope: from a key of 3072 bits",
        reason: UNSIGNED,
        run: || {
            let envelope = seal("site-1", "site-2", b"weights", 1);
            outcome(opener("site-2").open(NOW, &certificate_of(&longer_key()), &envelope))
        },
    },
];

fn longer_key() -> Arc<Identity> {
    identity_of(&Spec::leaf("site-3", "rsa3072").by_root(), &key_pem("rsa3072"))
}

fn exchange(cell: &str, certificate: &str) -> Outcome {
    let peers = PeerCertificates::new(root(), 10);
    let result = outcome(peers.accept(NOW, cell, &name(cell), certificate.as_bytes()));
    assert!(peers.is_empty());
    result
}

/// The envelope with a correct signature of `holder` in the place of the one that it has.
fn resigned(mut envelope: Vec<u8>, holder: &str) -> Vec<u8> {
    let signed = [&envelope[..269], &envelope[525..]].concat();
    let signature = crate::support::sign_bytes(holder, crate::support::Scheme::Pss, &signed);
    envelope[269..525].copy_from_slice(&signature);
    envelope
}

#[test]
pub(crate) fn honest_envelopes_are_opened() {
    spoil(|_| {}).unwrap();
    let envelope = seal("admin", "site-2", b"secret", 3);
    open("admin", &resigned(envelope, "admin")).unwrap();

    let peers = PeerCertificates::new(root(), 1);
    peers.accept(NOW, "site-1", &name("site-1"), data("reference/keys/site-1.crt").as_bytes()).unwrap();
    assert_eq!(peers.of(NOW, "site-1").unwrap().name().as_str(), "site-1");
    assert!(peers.of(NOW, "site-2").is_none());
    assert!(peers.of(UnixTime::from_secs(2_700_000_000), "site-1").is_none(), "expired: ask again");
    assert!(peers.is_empty());
}

#[test]
fn an_envelope_cut_off_at_any_byte_is_refused() {
    let envelope = seal("site-1", "site-2", b"some weights of a model", 1);
    let opener = opener("site-2");
    let sender = certificate_of(&identity("site-1"));
    for length in 0..envelope.len() {
        let (_, result) = logged(|| opener.open(NOW, &sender, &envelope[..length]));
        assert!(result.is_err(), "cut to {length} bytes");
    }
    assert!(opener.open(NOW, &sender, &envelope).is_ok());
}
