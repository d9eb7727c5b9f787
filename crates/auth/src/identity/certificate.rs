//! One X.509 certificate, parsed once: the fields that the federation uses.

use core::fmt;

use aws_lc_rs::digest;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::AttributeTypeAndValue;

use super::error::{Field, IdentityError, Problem};
use crate::name::CommonName;
use crate::time::UnixTime;

/// Object identifier of `unstructuredName` (PKCS #9), where the provisioner writes the role.
const ROLE_OID: &str = "1.2.840.113549.1.9.2";

/// SHA-256 of a certificate's DER bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(crate) fn of(der: &[u8]) -> Self {
        let mut bytes = [0_u8; 32];
        for (to, from) in bytes.iter_mut().zip(digest::digest(&digest::SHA256, der).as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }

    /// The 32 bytes of the digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// The key usage extension, as far as the federation looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyUsages {
    /// The key may sign data: what the identity challenge needs.
    pub digital_signature: bool,
    /// The key may have other keys wrapped for it.
    pub key_encipherment: bool,
    /// The key may sign certificates.
    pub certificate_sign: bool,
}

/// The extended key usage extension, as far as the federation looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExtendedUsages {
    /// `serverAuth`.
    pub server_auth: bool,
    /// `clientAuth`.
    pub client_auth: bool,
    /// `anyExtendedKeyUsage`, which the challenge does not count as either of the others.
    pub any: bool,
}

/// One certificate. Nothing is known about who made it until a [`ProjectRoot`](super::ProjectRoot) has verified it.
#[derive(Clone)]
pub struct Certificate {
    der: CertificateDer<'static>,
    fingerprint: Fingerprint,
    common_name: Option<CommonName>,
    organisation: Option<String>,
    role: Option<String>,
    not_before: UnixTime,
    not_after: UnixTime,
    authority: bool,
    key_usages: Option<KeyUsages>,
    extended_usages: Option<ExtendedUsages>,
    spki: Vec<u8>,
    rsa_public_key: Option<Vec<u8>>,
    rsa_bits: Option<usize>,
}

impl Certificate {
    /// Reads the DER bytes of one certificate; `file` is what errors call it.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] if the bytes are not exactly one certificate, or a field that is looked at is malformed or
    /// stands twice.
    pub fn from_der(file: &str, der: &[u8]) -> Result<Self, IdentityError> {
        let fail = |field, problem| IdentityError::new(file, field, problem);
        let (rest, parsed) =
            X509Certificate::from_der(der).map_err(|_| fail(Field::Certificate, Problem::Malformed))?;
        if !rest.is_empty() {
            return Err(fail(Field::Certificate, Problem::Malformed));
        }

        let subject = parsed.subject();
        let common_name = single(file, Field::CommonName, subject.iter_common_name())?
            .map(|text| CommonName::parse(&text).map_err(|bad| fail(Field::CommonName, Problem::BadName(bad))))
            .transpose()?;
        let organisation = single(file, Field::Organisation, subject.iter_organization())?;
        let roles = subject.iter_attributes().filter(|attribute| attribute.attr_type().to_id_string() == ROLE_OID);
        let role = single(file, Field::Role, roles)?;

        let constraints = parsed.basic_constraints().map_err(|_| fail(Field::BasicConstraints, Problem::Malformed))?;
        let key_usages =
            parsed.key_usage().map_err(|_| fail(Field::KeyUsage, Problem::Malformed))?.map(|extension| KeyUsages {
                digital_signature: extension.value.digital_signature(),
                key_encipherment: extension.value.key_encipherment(),
                certificate_sign: extension.value.key_cert_sign(),
            });
        let extended_usages = parsed
            .extended_key_usage()
            .map_err(|_| fail(Field::ExtendedKeyUsage, Problem::Malformed))?
            .map(|extension| ExtendedUsages {
                server_auth: extension.value.server_auth,
                client_auth: extension.value.client_auth,
                any: extension.value.any,
            });

        let spki = parsed.public_key();
        let (rsa_public_key, rsa_bits) = match spki.parsed() {
            Ok(PublicKey::RSA(key)) => (Some(spki.subject_public_key.data.to_vec()), Some(key.key_size())),
            _ => (None, None),
        };

        Ok(Self {
            fingerprint: Fingerprint::of(der),
            common_name,
            organisation,
            role,
            not_before: moment(parsed.validity().not_before.timestamp()),
            not_after: moment(parsed.validity().not_after.timestamp()),
            authority: constraints.is_some_and(|extension| extension.critical && extension.value.ca),
            key_usages,
            extended_usages,
            spki: spki.raw.to_vec(),
            rsa_public_key,
            rsa_bits,
            der: CertificateDer::from(der.to_vec()),
        })
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub(crate) const fn der_certificate(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// SHA-256 of the DER bytes.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Common name of the subject; an authority may have none.
    #[must_use]
    pub const fn common_name(&self) -> Option<&CommonName> {
        self.common_name.as_ref()
    }

    /// Organisation of the subject.
    #[must_use]
    pub fn organisation(&self) -> Option<&str> {
        self.organisation.as_deref()
    }

    /// Role of the subject: `lead`, `project_admin` and the like, in an admin's certificate.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// First moment at which it is valid.
    #[must_use]
    pub const fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// Last moment at which it is valid.
    #[must_use]
    pub const fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// The key usage extension, `None` if there is none, which means no restriction.
    #[must_use]
    pub const fn key_usages(&self) -> Option<KeyUsages> {
        self.key_usages
    }

    /// The extended key usage extension, `None` if there is none, which means no restriction.
    #[must_use]
    pub const fn extended_usages(&self) -> Option<ExtendedUsages> {
        self.extended_usages
    }

    /// Bits of the RSA modulus, `None` for another kind of key.
    #[must_use]
    pub const fn rsa_bits(&self) -> Option<usize> {
        self.rsa_bits
    }

    /// Whether it may sign certificates: critical basic constraints with the authority flag, and the usage to do so.
    #[must_use]
    pub fn is_authority(&self) -> bool {
        self.authority && self.key_usages.is_some_and(|usages| usages.certificate_sign)
    }

    /// `SubjectPublicKeyInfo` in DER.
    pub(crate) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// `RSAPublicKey` in DER, if the key is one.
    pub(crate) fn rsa_public_key(&self) -> Option<&[u8]> {
        self.rsa_public_key.as_deref()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("common_name", &self.common_name.as_ref().map(CommonName::as_str))
            .field("organisation", &self.organisation)
            .field("role", &self.role)
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// The one attribute of a kind. Two would leave open which one a reader takes.
fn single<'a>(
    file: &str,
    field: Field,
    mut attributes: impl Iterator<Item = &'a AttributeTypeAndValue<'a>>,
) -> Result<Option<String>, IdentityError> {
    let Some(first) = attributes.next() else { return Ok(None) };
    if attributes.next().is_some() {
        return Err(IdentityError::new(file, field, Problem::Repeated));
    }
    let text = first.as_str().map_err(|_| IdentityError::new(file, field, Problem::Malformed))?;
    Ok(Some(text.to_owned()))
}

/// A date before 1970 counts as the epoch: it is in the past for every clock.
fn moment(timestamp: i64) -> UnixTime {
    UnixTime::from_secs(u64::try_from(timestamp).unwrap_or(0))
}
