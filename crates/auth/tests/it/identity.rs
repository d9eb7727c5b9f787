//! Reading certificates and keys: fields, errors that name file and field, the kit report.

use core::error::Error as _;
use std::path::Path;

use fedcell_auth::UnixTime;
use fedcell_auth::identity::{
    CertificateChain, Field, Identity, IdentityError, Kit, KitFile, KitRole, PrivateKey, Problem, ProjectRoot, Severity,
};
use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose};

use crate::support::{NOW, Spec, as_pkcs8_pem, data, key_pem, name, pem, pkcs1_der};

fn chain(text: &str) -> CertificateChain {
    CertificateChain::from_pem("test.crt", text.as_bytes()).unwrap()
}

#[test]
fn the_fields_of_a_certificate_are_read() {
    let admin = chain(&data("reference/keys/admin.crt"));
    let leaf = admin.leaf();
    assert_eq!(leaf.common_name().unwrap().as_str(), "admin@nvidia.com");
    assert_eq!((leaf.organisation(), leaf.role()), (Some("nvidia"), Some("project_admin")));
    assert_eq!((leaf.not_before().as_secs(), leaf.not_after().as_secs()), (1_735_689_600, 2_682_374_400));
    assert_eq!((leaf.rsa_bits(), leaf.is_authority()), (Some(2048), false));
    assert_eq!((leaf.key_usages(), leaf.extended_usages()), (None, None));
    // openssl x509 -fingerprint -sha256
    assert_eq!(
        chain(&data("reference/keys/rootCA.pem")).leaf().fingerprint().to_string(),
        "fc38c03749c369bcef9d7d23b3de7d6cf95cfb18d80bf3cc411ccca23d667f96"
    );
    assert!(chain(&data("reference/keys/rootCA.pem")).leaf().is_authority());

    let eku = chain(&data("reference/keys/site-1-eku-client.crt")).leaf().extended_usages().unwrap();
    assert_eq!((eku.client_auth, eku.server_auth, eku.any), (true, false, false));
    let ku = chain(&data("reference/keys/site-1-ku-nosign.crt")).leaf().key_usages().unwrap();
    assert!(!ku.digital_signature);
}

#[test]
fn text_around_the_blocks_and_other_blocks_are_skipped() {
    let plain = data("reference/keys/site-1.crt");
    let dressed = format!("subject=site-1\r\n\r\n{}{}tail", key_pem("site-1"), plain.replace('\n', "\r\n"));
    assert_eq!(chain(&dressed).leaf().der(), chain(&plain).leaf().der());
}

#[track_caller]
fn check_key(pem: &str, expected: Result<usize, (Field, Problem)>) {
    let read = PrivateKey::from_pem("client.key", pem.as_bytes());
    if let Err(error) = &read {
        assert_eq!(error.file(), "client.key");
        assert!(error.to_string().starts_with("client.key: "), "{error}");
    }
    assert_eq!(read.map(|key| key.bits()).map_err(|error| (error.field(), error.problem())), expected);
}

#[test]
pub(crate) fn keys_are_read_or_refused_with_file_and_field() {
    check_key(&key_pem("site-1"), Ok(2048));
    check_key(&as_pkcs8_pem("site-1"), Ok(2048));
    check_key(&pem("RSA PRIVATE KEY", pkcs1_der("rsa3072").secret_pkcs1_der()), Ok(3072));
    check_key(&key_pem("rsa4096"), Ok(4096));
    check_key(&key_pem("rsa1024"), Err((Field::PrivateKey, Problem::NotRsa)));
    check_key(&key_pem("ec256"), Err((Field::PrivateKey, Problem::NotRsa)));
    check_key(&key_pem("rsa2048-encrypted-pkcs1"), Err((Field::PrivateKey, Problem::Encrypted)));
    check_key(&key_pem("rsa2048-encrypted-pkcs8"), Err((Field::PrivateKey, Problem::Encrypted)));
    check_key(&(key_pem("site-1") + &key_pem("site-2")), Err((Field::PrivateKey, Problem::Repeated)));
    check_key(&data("reference/keys/site-1.crt"), Err((Field::PrivateKey, Problem::Missing)));
    check_key("", Err((Field::PrivateKey, Problem::Missing)));
    check_key(&key_pem("site-1")[..300], Err((Field::Pem, Problem::Malformed)));
    check_key(&key_pem("site-1").replace("-----END RSA", "-----END DSA"), Err((Field::Pem, Problem::Malformed)));
    check_key(&key_pem("site-1").replacen("MII", "MI!", 1), Err((Field::Pem, Problem::Malformed)));
    check_key(&pem("RSA PRIVATE KEY", &[0x30, 0x00]), Err((Field::PrivateKey, Problem::NotRsa)));
}

#[track_caller]
fn check_error(error: &IdentityError, field: Field, problem: Problem, text: &str) {
    assert_eq!((error.field(), error.problem()), (field, problem));
    assert_eq!(error.to_string(), text);
    if let Some(cause) = error.source() {
        assert!(!text.contains(&cause.to_string()), "the cause is not repeated");
    }
}

#[test]
fn errors_of_files_name_the_file_and_keep_the_cause() {
    let missing = CertificateChain::load(Path::new("no/such/client.crt")).unwrap_err();
    check_error(&missing, Field::File, Problem::Unreadable, "no/such/client.crt: file cannot be read");
    assert!(missing.source().is_some());

    let key = PrivateKey::from_pem("client.key", key_pem("site-2").as_bytes()).unwrap();
    let mismatch = Identity::new("client.crt", chain(&data("reference/keys/site-1.crt")), key).unwrap_err();
    let text = "client.crt: private key does not belong to the certificate";
    check_error(&mismatch, Field::PrivateKey, Problem::Mismatch, text);

    let leaf = ProjectRoot::from_pem("rootCA.pem", data("reference/keys/site-1.crt").as_bytes()).unwrap_err();
    let text = "rootCA.pem: basic constraints does not allow signing certificates";
    check_error(&leaf, Field::BasicConstraints, Problem::NotAuthority, text);
}

#[test]
fn files_are_loaded_from_a_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/reference/keys");
    let identity = Identity::load(&folder.join("site-1.crt"), &folder.join("site-1.key")).unwrap();
    assert_eq!(identity.name(), &name("site-1"));
    assert!(ProjectRoot::load(&folder.join("rootCA.pem")).is_ok());
    let report = Kit::read(&folder, KitRole::Server).examine(KitRole::Server, Some(&name("server1")), NOW);
    assert!(report.is_usable(), "{:?}", report.findings);
}

/// Looks at a kit of these three files and compares what was found.
#[track_caller]
fn check_kit(files: [&str; 3], role: KitRole, now: UnixTime, expected: &[(Severity, &str)]) {
    let [root, certificate, key] = files;
    let file = |name: &str, text: &str| KitFile::new(name, text.as_bytes().to_vec());
    let kit = Kit {
        root: file("rootCA.pem", root),
        certificate: file("client.crt", certificate),
        key: file("client.key", key),
    };
    let report = kit.examine(role, Some(&name("site-1")), now);
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.severity, finding.to_string())).collect();
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((severity, text), (expected_severity, expected_text)) in found.iter().zip(expected) {
        assert_eq!(severity, expected_severity, "{text}");
        assert!(text.contains(expected_text), "{text}");
    }
    assert_eq!(report.is_usable(), !expected.iter().any(|(severity, _)| *severity == Severity::Error));
}

#[test]
pub(crate) fn the_kit_report_says_what_is_wrong_and_what_to_do() {
    use KitRole::{Client, Server};
    use Severity::{Error, Warning};
    let root = &data("reference/keys/rootCA.pem");
    let leaf = &data("reference/keys/site-1.crt");
    let key = &key_pem("site-1");
    let site = || Spec::leaf("site-1", "site-1");

    check_kit([root, leaf, key], Client, NOW, &[]);
    check_kit([root, leaf, key], Server, NOW, &[]);
    let old = &site().years(2020, 2025).by_root();
    check_kit([root, old, key], Client, NOW, &[(Error, "client.crt: certificate has expired on 2025-01-01; check")]);
    let ending = &site().years(2025, 2026).by_root();
    let soon = UnixTime::from_secs(NOW.as_secs() - 10 * 24 * 3600);
    check_kit([root, ending, key], Client, soon, &[(Warning, "client.crt: certificate expires within 30 days; have")]);
    let far = UnixTime::from_secs(2_700_000_000);
    let expired =
        [(Error, "rootCA.pem: certificate cannot be used: the root certificate has expired; check the clock")];
    check_kit([root, leaf, key], Client, far, &expired);
    check_kit(
        [root, &data("reference/keys/site-1-badca.crt"), key],
        Client,
        NOW,
        &[(Error, "of another authority than rootCA.pem; take")],
    );
    check_kit([leaf, leaf, key], Client, NOW, &[(Error, "rootCA.pem: basic constraints does not allow")]);
    check_kit([root, leaf, &key_pem("site-2")], Client, NOW, &[(Error, "client.crt: private key does not belong")]);
    check_kit([root, leaf, &key_pem("rsa2048-encrypted-pkcs8")], Client, NOW, &[(Error, "without a passphrase")]);
    check_kit([root, "", key], Client, NOW, &[(Error, "client.crt: certificate is missing")]);
    check_kit(
        [root, &data("reference/keys/site-2.crt"), &key_pem("site-2")],
        Client,
        NOW,
        &[(Error, "client.crt: common name is not the name in the kit's configuration")],
    );
    let for_servers = &site().purpose(ExtendedKeyUsagePurpose::ServerAuth).by_root();
    check_kit(
        [root, for_servers, key],
        Client,
        NOW,
        &[(Error, "client.crt: extended key usage does not allow this party")],
    );
    check_kit([root, for_servers, key], Server, NOW, &[]);
    let no_signing = &site().usage(KeyUsagePurpose::KeyEncipherment).by_root();
    check_kit([root, no_signing, key], Client, NOW, &[(Error, "client.crt: key usage does not allow")]);
    let longer = &Spec::leaf("site-1", "rsa3072").by_root();
    check_kit([root, longer, &key_pem("rsa3072")], Client, NOW, &[(Warning, "so that sealed messages cannot be used")]);

    let nothing = Kit::read(Path::new("no/such/startup"), Client).examine(Client, None, NOW);
    assert_eq!(nothing.findings.len(), 3);
    assert!(nothing.findings.iter().all(|finding| finding.field == Field::File && finding.severity == Error));
}
