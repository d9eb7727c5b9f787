//! No secret reaches the log or a `Debug` text: the suite runs at TRACE, and everything it said is searched.

use fedcell_auth::identity::Purpose;
use fedcell_auth::sealed::{CertificateOffer, OpenLimits, Opener, PeerCertificates, SealLimits, Sealer};
use fedcell_auth::token::{AuthHeaders, RegistryLimits, TokenRegistry};
use fedcell_auth::{Nonce, SecretBytes, SecretText, Token};

use crate::support::{
    NOW, TestRng, all_logs, base64, challenged, data, identity, key_pem, logged, root, secrets, server,
};

/// Every form in which bytes could have been printed.
fn forms(secret: &[u8]) -> Vec<String> {
    let list = |secret: &[u8]| secret.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let mut forms = vec![
        list(secret),
        base64(secret).trim_end_matches('=').to_owned(),
        secret.iter().map(|byte| format!("{byte:02x}")).collect(),
        secret.iter().map(|byte| format!("{byte:02X}")).collect(),
        secret.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"),
    ];
    if let Ok(text) = str::from_utf8(secret) {
        forms.push(text.to_owned());
    }
    forms
}

/// Values of every type that holds a secret, as `Debug` prints them, after a whole run of the protocol.
fn everything_printed() -> String {
    let mut rng = TestRng(2024);
    let mut out = String::new();
    let mut print = |value: &dyn core::fmt::Debug| out.push_str(&format!("{value:?}\n{value:#?}\n"));
    let mut server = server();
    let (challenge, reply) = challenged(&mut server, "site-1", NOW);
    print(&challenge);
    print(&reply);
    let verified = challenge.verify_server(&reply, NOW).unwrap();
    print(&verified);
    let (registration, verifier) = verified.register().unwrap();
    print(&registration);
    print(&verifier);
    let client = server.handle_registration(NOW, "site-1", registration.claim()).unwrap();
    print(&client);
    print(&server);
    let mut registry = TokenRegistry::new(identity("server"), RegistryLimits::default()).unwrap();
    let credential = registry.issue(&client, NOW, &mut rng).unwrap().with_session("session");
    let (token, signature) = (credential.expose_token().to_owned(), credential.signature_text());
    secrets(token.as_bytes());
    secrets(signature.as_bytes());
    print(&credential);
    print(&credential.headers());
    print(&registry);
    print(&AuthHeaders { client_name: "site-1", token: &token, signature: &signature });
    print(&verifier.accept(client.name(), &token, &signature).unwrap());
    let identity = identity("site-1");
    print(&identity);
    let sealer = Sealer::new(identity.clone(), SealLimits::default()).unwrap();
    let target = root().verify(crate::support::identity("site-2").chain(), NOW, Purpose::Sealing).unwrap();
    let envelope = sealer.seal(NOW, &mut rng, &target, b"plaintext of a sealed message").unwrap();
    secrets(b"plaintext of a sealed message");
    print(&sealer);
    let opener = Opener::new(crate::support::identity("site-2"), OpenLimits::default()).unwrap();
    let sender = root().verify(identity.chain(), NOW, Purpose::Sealing).unwrap();
    print(&opener.open(NOW, &sender, &envelope).unwrap());
    print(&opener);
    print(&CertificateOffer::of(&identity, data("reference/keys/rootCA.pem").as_bytes()));
    print(&PeerCertificates::new(root(), 3));
    print(&Nonce::random(&mut rng));
    print(&Token::random(&mut rng));
    print(&SecretText::new("a secret text".to_owned()));
    secrets(b"a secret text");
    print(&SecretBytes::new(b"some secret bytes".to_vec()));
    secrets(b"some secret bytes");
    out
}

#[test]
fn nothing_that_the_suite_says_holds_a_secret() {
    for holder in ["server", "site-1", "site-2", "admin", "rsa3072", "rsa4096"] {
        for line in key_pem(holder).lines().filter(|line| !line.starts_with('-')) {
            secrets(line.as_bytes());
        }
    }
    logged(|| {
        crate::attacks::no_attack_is_accepted();
        crate::attacks::sealed::honest_envelopes_are_opened();
        crate::attacks::tokens::honest_tokens_are_accepted();
        crate::golden::verdicts_on_registrations_are_those_of_the_reference();
        crate::golden::verdicts_on_auth_headers_are_those_of_the_reference();
        crate::golden::envelopes_of_the_reference_open();
        crate::identity::keys_are_read_or_refused_with_file_and_field();
        crate::identity::the_kit_report_says_what_is_wrong_and_what_to_do();
        crate::limits::content_keys_are_renewed_by_count_and_by_age();
        crate::properties::every_byte_of_a_challenge_signature_counts();
        crate::properties::every_byte_of_a_token_and_of_its_signature_counts();
    });
    let printed = everything_printed();
    let said = all_logs() + &printed;
    assert!(said.contains("verification failed"), "the log was not captured");

    // The search itself must find what is there.
    assert!(forms(b"verification failed").iter().any(|form| said.contains(form)));

    let secrets = crate::support::all_secrets();
    assert!(secrets.len() > 200, "only {} secrets were issued", secrets.len());
    for secret in &secrets {
        for form in forms(secret) {
            assert!(!said.contains(&form), "a secret of {} bytes was said: {form}", secret.len());
        }
    }
}
