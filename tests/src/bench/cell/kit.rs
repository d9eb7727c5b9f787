//! Certificates as a startup kit has them, made for one run: a root, and a folder for each participant.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256};

/// The kits of one root certificate.
#[derive(Debug)]
pub struct Kits {
    folder: tempfile::TempDir,
}

impl Kits {
    /// Makes the kits of `server` and of these clients; RSA with 2048 bits, as the reference provisions.
    ///
    /// # Errors
    ///
    /// If a key cannot be made or a file cannot be written.
    pub fn make(clients: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let root_key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
        let mut root = named("fedcell bench")?;
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_pem = root.self_signed(&root_key)?.pem();
        let issuer = Issuer::new(root, root_key);
        let roles = clients.iter().map(|client| ("client", *client)).chain([("server", "server")]);
        for (role, name) in roles {
            let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
            let mut leaf = named(name)?;
            leaf.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into()?)];
            let leaf = leaf.signed_by(&key, &issuer)?;
            let kit = folder.path().join(name);
            fs::create_dir_all(&kit).with_context(|| format!("cannot make {}", kit.display()))?;
            fs::write(kit.join("rootCA.pem"), &root_pem)?;
            fs::write(kit.join(format!("{role}.crt")), leaf.pem())?;
            fs::write(kit.join(format!("{role}.key")), key.serialize_pem())?;
        }
        Ok(Self { folder })
    }

    /// The kit of one of the participants.
    pub fn of(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn named(name: &str) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

/// What a client needs to dial a server of these kits with rustls.
///
/// # Errors
///
/// If the files of the kit cannot be read.
pub fn tls_client(kit: &Path) -> anyhow::Result<tokio_rustls::TlsConnector> {
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};

    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(kit.join("rootCA.pem"))?)?;
    let chain = vec![CertificateDer::from_pem_file(kit.join("client.crt"))?];
    let key = PrivateKeyDer::from_pem_file(kit.join("client.key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    // A thousand connections of one process are to cost the server what those of a thousand processes do.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(tokio_rustls::TlsConnector::from(Arc::new(config)))
}

/// What a server of these kits needs to accept clients of theirs with rustls.
///
/// # Errors
///
/// If the files of the kit cannot be read.
pub fn tls_server(kit: &Path) -> anyhow::Result<tokio_rustls::TlsAcceptor> {
    use rustls_pki_types::pem::PemObject;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};

    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(kit.join("rootCA.pem"))?)?;
    // A relay listens with the pair that it dials with.
    let role = if kit.join("server.crt").exists() { "server" } else { "client" };
    let chain = vec![CertificateDer::from_pem_file(kit.join(role).with_extension("crt"))?];
    let key = PrivateKeyDer::from_pem_file(kit.join(role).with_extension("key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)?;
    Ok(tokio_rustls::TlsAcceptor::from(Arc::new(config)))
}
