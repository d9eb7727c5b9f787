//! The certificate authority of a project, and the certificates that it issues.

use core::time::Duration;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, RsaKeySize, SanType,
};

/// Type of the attribute in which a certificate carries a role, `unstructuredName`.
const UNSTRUCTURED_NAME: [u64; 7] = [1, 2, 840, 113_549, 1, 9, 2];

/// By how much certificates are valid before now, for clocks that are behind.
const BACKDATED: Duration = Duration::from_secs(300);

/// A certificate and its private key, as PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// The authority of one project.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) own: Pair,
    validity: Validity,
}

/// For whom a certificate is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subject<'a> {
    pub(crate) name: &'a str,
    pub(crate) organization: &'a str,
    /// Role of an administrator.
    pub(crate) role: Option<&'a str>,
    /// Names and addresses of its host; its own name if there are none.
    pub(crate) hosts: Vec<&'a str>,
}

#[derive(Debug, Clone, Copy)]
struct Validity {
    /// Since the epoch.
    from: Duration,
    until: Duration,
}

impl Authority {
    /// A new authority of this name, all of whose certificates are valid for so many days from now.
    ///
    /// # Errors
    ///
    /// The library cannot make it.
    pub(crate) fn new(name: &str, days: u32, now: SystemTime) -> Result<Self> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).context("the clock of this machine stands before 1970")?;
        let until = now.saturating_add(Duration::from_secs(u64::from(days) * 24 * 3600));
        let validity = Validity { from: now.saturating_sub(BACKDATED), until };
        let subject = Subject { name, ..Subject::default() };
        let mut params = parameters(&subject, validity)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = new_key()?;
        let certificate = params.self_signed(&key).context("cannot sign the root certificate")?;
        let own = Pair { certificate: certificate.pem(), key: key.serialize_pem() };
        Ok(Self { issuer: Issuer::new(params, key), own, validity })
    }

    /// Issues a certificate for a new key.
    ///
    /// # Errors
    ///
    /// The name cannot stand in a certificate.
    pub(crate) fn issue(&self, subject: &Subject<'_>) -> Result<Pair> {
        let key = new_key()?;
        let certificate = parameters(subject, self.validity)?
            .signed_by(&key, &self.issuer)
            .with_context(|| format!("cannot sign a certificate for {}", subject.name))?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// The parties of the reference have RSA keys of 2048 bits, and seal messages with them.
fn new_key() -> Result<KeyPair> {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).context("cannot make a private key")
}

fn parameters(subject: &Subject<'_>, validity: Validity) -> Result<CertificateParams> {
    let mut hosts = subject.hosts.clone();
    if hosts.is_empty() {
        hosts.push(subject.name);
    }
    let mut params = CertificateParams::default();
    for host in hosts {
        params.subject_alt_names.push(match host.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => {
                SanType::DnsName(host.try_into().with_context(|| format!("{host} cannot stand in a certificate"))?)
            }
        });
    }
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, subject.name);
    if !subject.organization.is_empty() {
        name.push(DnType::OrganizationName, subject.organization);
    }
    if let Some(role) = subject.role {
        name.push(DnType::CustomDnType(UNSTRUCTURED_NAME.to_vec()), role);
    }
    params.distinguished_name = name;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + validity.from;
    params.not_after = epoch + validity.until;
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
