//! The kit report: what is wrong with the certificates and keys of a startup kit, and what to do about it.

use std::path::Path;

use core::fmt;
use core::time::Duration;

use fedcell_protocol_defs::cell::Envelope;
use fedcell_protocol_defs::config::KitFile as FileName;
use zeroize::Zeroizing;

use super::chain::CertificateChain;
use super::error::{Field, IdentityError, Problem};
use super::key::PrivateKey;
use super::local::Identity;
use super::root::{ChainProblem, ProjectRoot, Purpose};
use super::{Certificate, pem};
use crate::name::CommonName;
use crate::time::UnixTime;

/// How soon an end of validity is worth a warning.
const SOON: Duration = Duration::from_secs(30 * 24 * 3600);

/// Whose kit it is, and so what its certificate has to be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KitRole {
    /// The server's.
    Server,
    /// A client's, a relay's or an admin's.
    Client,
}

/// The files of a kit, each as its bytes or as the error of reading it.
///
/// [`Kit::read`] takes them from a folder; tests and tools may fill the fields themselves.
#[derive(Debug)]
pub struct Kit {
    /// Root certificate.
    pub root: KitFile,
    /// Certificate chain.
    pub certificate: KitFile,
    /// Private key.
    pub key: KitFile,
}

/// One file of a kit.
pub struct KitFile {
    /// What findings call it.
    name: String,
    bytes: Result<Zeroizing<Vec<u8>>, IdentityError>,
    /// Whether others than its owner may read it, where that can be known.
    readable_by_others: bool,
}

impl KitFile {
    /// A file that is at hand.
    #[must_use]
    pub fn new(name: &str, bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), bytes: Ok(Zeroizing::new(bytes)), readable_by_others: false }
    }

    fn read(path: &Path) -> Self {
        Self {
            name: path.display().to_string(),
            bytes: pem::read(path),
            readable_by_others: is_readable_by_others(path),
        }
    }
}

impl fmt::Debug for KitFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KitFile").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(unix)]
fn is_readable_by_others(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_readable_by_others(_: &Path) -> bool {
    false
}

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// It works, and should be looked at.
    Warning,
    /// This party cannot join.
    Error,
}

/// One thing that is wrong with a kit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file.
    pub file: String,
    /// The part of the file.
    pub field: Field,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}; {}", self.file, self.field, self.problem, self.remedy)
    }
}

/// What is known about a kit after looking at it.
#[derive(Debug)]
#[non_exhaustive]
pub struct KitReport {
    /// Everything that is wrong, worst first.
    pub findings: Vec<Finding>,
    /// The certificate, if it could be read.
    pub certificate: Option<Certificate>,
}

impl KitReport {
    /// Whether this party can join with the kit.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity < Severity::Error)
    }
}

impl Kit {
    /// Reads the files of the folder `startup` that a kit of this role has.
    ///
    /// A file that cannot be read is a finding, not an error.
    #[must_use]
    pub fn read(startup: &Path, role: KitRole) -> Self {
        let (certificate, key) = match role {
            KitRole::Server => (FileName::SERVER_CERT, FileName::SERVER_PRIVATE_KEY),
            KitRole::Client => (FileName::CLIENT_CERT, FileName::CLIENT_PRIVATE_KEY),
        };
        Self {
            root: KitFile::read(&startup.join(FileName::ROOT_CERT.as_str())),
            certificate: KitFile::read(&startup.join(certificate.as_str())),
            key: KitFile::read(&startup.join(key.as_str())),
        }
    }

    /// Looks for everything that would keep this party from joining at the moment `now`, or soon after.
    ///
    /// `name` is what the kit's configuration calls the party, if it is known.
    #[must_use]
    pub fn examine(self, role: KitRole, name: Option<&CommonName>, now: UnixTime) -> KitReport {
        let mut findings = Findings(Vec::new());
        let root = findings.take(&self.root, ProjectRoot::from_pem);
        let chain = findings.take(&self.certificate, CertificateChain::from_pem);
        let key = findings.take(&self.key, PrivateKey::from_pem);
        if key.is_some() && self.key.readable_by_others {
            findings.warn(
                &self.key,
                Field::File,
                "can be read by others than its owner",
                "take the rights of group and others away",
            );
        }
        if let Some(chain) = &chain {
            findings.leaf(&self.certificate, chain, name, now);
        }
        if let (Some(root), Some(chain)) = (&root, &chain) {
            findings.path(&self, root, chain, role, now);
        }
        if let (Some(chain), Some(key)) = (&chain, key)
            && let Err(error) = Identity::new(&self.certificate.name, chain.clone(), key)
        {
            findings.read(&error);
        }
        let mut findings = findings.0;
        findings.sort_by_key(|finding| core::cmp::Reverse(finding.severity));
        KitReport { findings, certificate: chain.map(|chain| chain.leaf().clone()) }
    }
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, severity: Severity, file: &str, field: Field, problem: String, remedy: &'static str) {
        let finding = Finding { severity, file: file.to_owned(), field, problem, remedy };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    fn warn(&mut self, file: &KitFile, field: Field, problem: &str, remedy: &'static str) {
        self.add(Severity::Warning, &file.name, field, problem.to_owned(), remedy);
    }

    fn fail(&mut self, file: &KitFile, field: Field, problem: &str, remedy: &'static str) {
        self.add(Severity::Error, &file.name, field, problem.to_owned(), remedy);
    }

    fn read(&mut self, error: &IdentityError) {
        let remedy = match error.problem() {
            Problem::Unreadable => "copy the file from the provisioned kit and let this user read it",
            Problem::Encrypted => "store the key without a passphrase, readable by its owner only",
            Problem::Mismatch => "take certificate and key from one and the same kit",
            Problem::NotAuthority => "take rootCA.pem from the provisioned kit",
            Problem::NotRsa => "have the project provision this party with an RSA key",
            _ => "take the file from the provisioned kit",
        };
        let cause = core::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
        self.add(Severity::Error, error.file(), error.field(), format!("{}{cause}", error.problem()), remedy);
    }

    fn take<T>(&mut self, file: &KitFile, parse: impl FnOnce(&str, &[u8]) -> Result<T, IdentityError>) -> Option<T> {
        let parsed = match &file.bytes {
            Ok(bytes) => parse(&file.name, bytes),
            Err(error) => {
                self.read(error);
                return None;
            }
        };
        parsed.map_err(|error| self.read(&error)).ok()
    }

    fn leaf(&mut self, file: &KitFile, chain: &CertificateChain, name: Option<&CommonName>, now: UnixTime) {
        let leaf = chain.leaf();
        if let Some(expected) = name
            && leaf.common_name().is_some_and(|found| found != expected)
        {
            self.fail(
                file,
                Field::CommonName,
                "is not the name in the kit's configuration",
                "use the kit that was provisioned for this party",
            );
        }
        if leaf.rsa_bits() != Some(Envelope::RSA_BITS) {
            self.warn(
                file,
                Field::PublicKey,
                "is not RSA-2048, so that sealed messages cannot be used",
                "have the project provision this party with an RSA key of 2048 bits",
            );
        }
        if now <= leaf.not_after() && now.saturating_add(SOON) > leaf.not_after() {
            self.warn(
                file,
                Field::Certificate,
                "expires within 30 days",
                "have the project provision this party again",
            );
        }
    }

    fn path(&mut self, kit: &Kit, root: &ProjectRoot, chain: &CertificateChain, role: KitRole, now: UnixTime) {
        let purpose = match role {
            KitRole::Server => Purpose::Server,
            KitRole::Client => Purpose::Client,
        };
        let (leaf, authority) = (&kit.certificate, &kit.root);
        match root.examine(chain, now, purpose) {
            Ok(_) => {}
            Err(problem @ (ChainProblem::RootExpired | ChainProblem::RootNotYetValid)) => self.fail(
                authority,
                Field::Certificate,
                &format!("cannot be used: {problem}"),
                "check the clock of this machine, then have the whole project provisioned again",
            ),
            Err(ChainProblem::NoCommonName) => {
                self.fail(leaf, Field::CommonName, "is missing", "take the file from the provisioned kit");
            }
            Err(ChainProblem::KeyUsage) => self.fail(
                leaf,
                Field::KeyUsage,
                "does not allow digitalSignature",
                "have the project provision this party with a certificate that may sign",
            ),
            Err(ChainProblem::ExtendedKeyUsage) => self.fail(
                leaf,
                Field::ExtendedKeyUsage,
                "does not allow this party's role",
                "have the project provision this party with a certificate for its role",
            ),
            Err(ChainProblem::NotRsa) => self.fail(
                leaf,
                Field::PublicKey,
                "is not an RSA key of 2048 to 8192 bits",
                "have the project provision this party with an RSA key",
            ),
            Err(ChainProblem::Path(_)) if now > chain.leaf().not_after() => self.fail(
                leaf,
                Field::Certificate,
                &format!("has expired on {}", chain.leaf().not_after().date()),
                "check the clock of this machine, then have the project provision this party again",
            ),
            Err(ChainProblem::Path(_)) if now < chain.leaf().not_before() => self.fail(
                leaf,
                Field::Certificate,
                &format!("is not valid before {}", chain.leaf().not_before().date()),
                "check the clock of this machine",
            ),
            Err(ChainProblem::Path(webpki::Error::RequiredEkuNotFoundContext(_))) => self.fail(
                leaf,
                Field::ExtendedKeyUsage,
                "does not allow this party's role",
                "have the project provision this party with a certificate for its role",
            ),
            Err(ChainProblem::Path(webpki::Error::UnknownIssuer)) => self.fail(
                leaf,
                Field::Certificate,
                &format!("is of another authority than {}", authority.name),
                "take both files from one and the same kit",
            ),
            Err(problem @ (ChainProblem::Path(_) | ChainProblem::IntermediateNotAuthority)) => self.fail(
                leaf,
                Field::Certificate,
                &format!("is not believed by {}: {problem}", authority.name),
                "check the clock of this machine, and that both files come from one project",
            ),
        }
    }
}
