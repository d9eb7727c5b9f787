//! What cells of a simulation seal and open with: real keys, certificates that they ask each other for, and work orders
//! that wait for one.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use fedcell_auth::UnixTime;
use fedcell_auth::identity::{CertificateChain, Identity, PrivateKey, ProjectRoot};
use fedcell_cell::SystemRandom;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::identity::IdentityPolicy;
use fedcell_cell_proto::message::{Message, Payload};
use fedcell_cell_proto::node::{OpenWork, SealWork};
use fedcell_cell_proto::request::{Outgoing, Reply};
use fedcell_cell_proto::secure::{ExchangeError, Sealing, SecureError};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256};

/// Most relays and sites that dial the server in a simulation.
const MOST: usize = 8;

/// A work order.
#[derive(Debug)]
pub(super) enum Order {
    /// A payload to be sealed.
    Seal(Box<SealWork>),
    /// A payload to be opened, of a message that answers so many requests.
    Open(Box<OpenWork>, u64),
}

/// What one cell seals and opens with.
#[derive(Debug)]
pub(super) struct Seals {
    /// Made when it is first wanted; none for cells without a certificate.
    sealing: OnceLock<Option<Sealing>>,
    identities: IdentityPolicy,
    /// What waits for the certificate of a cell that has been asked for it.
    waiting: BTreeMap<FqcnBuf, Vec<Order>>,
}

impl Seals {
    /// For a cell, which bears the certificate of the cell at the top of its address.
    pub(super) fn new(name: &FqcnBuf) -> Self {
        let root = name.as_fqcn().root();
        let below = |address: FqcnBuf, policy: IdentityPolicy| policy.with_prefix(address, root.as_str());
        let identities = below(name.clone(), below(root.to_owned(), IdentityPolicy::new(name.clone())));
        Self { sealing: OnceLock::new(), identities, waiting: BTreeMap::new() }
    }

    /// Whether the cell has a certificate: administrators have none.
    pub(super) fn has_certificate(&self) -> bool {
        !self.identities.local().as_fqcn().is_admin_session()
    }

    fn sealing(&self) -> Option<&Sealing> {
        let make = || {
            let project = self.has_certificate().then(project)?;
            let identity = project.of(self.identities.local().as_fqcn())?;
            let sealing = Sealing::new(identity, project.root.clone(), project.root_pem.as_bytes());
            Some(sealing.expect("keys of the usual size"))
        };
        self.sealing.get_or_init(make).as_ref()
    }

    /// Takes an order that can be carried out; one that needs a certificate waits for it. With the order comes the
    /// request that asks for it if nobody has yet.
    pub(super) fn take(&mut self, now: UnixTime, order: Order) -> Taken {
        let cell = order.cell().to_owned();
        let Some(sealing) = self.sealing() else { return Taken::Impossible(order) };
        if sealing.knows(now, cell.as_fqcn()) {
            return Taken::Ready(order);
        }
        let is_first = !self.waiting.contains_key(&cell);
        let first = is_first.then(|| Box::new((cell.clone(), sealing.exchange_request())));
        self.waiting.entry(cell).or_default().push(order);
        Taken::Waits(first)
    }

    /// What came of asking a cell for its certificate, and what waited for it.
    pub(super) fn end_exchange(
        &mut self,
        now: UnixTime,
        cell: &FqcnBuf,
        reply: Option<&Message>,
    ) -> (Result<(), ExchangeError>, Vec<Order>) {
        let waiting = self.waiting.remove(cell).unwrap_or_default();
        let outcome = match (self.sealing(), reply) {
            (Some(sealing), Some(reply)) => sealing.accept_exchange(now, &self.identities, reply).map(drop),
            _ => Err(ExchangeError::Refused { said: "no answer".into() }),
        };
        (outcome, waiting)
    }

    /// Answers a cell that asks for the certificate.
    pub(super) fn answer(&self, now: UnixTime, request: &Message) -> Reply {
        self.sealing().map_or_else(Reply::no_handler, |sealing| sealing.answer_exchange(now, &self.identities, request))
    }

    /// Seals a payload.
    pub(super) fn seal(&self, now: UnixTime, work: &SealWork) -> Result<Payload, SecureError> {
        let sealing = self.sealing().ok_or(SecureError::NeedsCertificate)?;
        sealing.seal(now, &mut SystemRandom::new(), work)
    }

    /// Opens one.
    pub(super) fn open(&self, now: UnixTime, work: &OpenWork) -> Result<Payload, SecureError> {
        self.sealing().ok_or(SecureError::NeedsCertificate)?.open(now, work)
    }
}

/// What becomes of an order.
#[derive(Debug)]
pub(super) enum Taken {
    /// It can be carried out.
    Ready(Order),
    /// It waits; the first that waits for a cell brings the request to that cell.
    Waits(Option<Box<(FqcnBuf, Outgoing)>>),
    /// The cell has no certificate.
    Impossible(Order),
}

impl Order {
    /// The cell at the other end.
    fn cell(&self) -> Fqcn<'_> {
        match self {
            Self::Seal(work) => work.target(),
            Self::Open(work, _) => work.origin(),
        }
    }
}

/// The certificates of everybody who may dial the server, made when the first is wanted.
struct Project {
    root: ProjectRoot,
    root_pem: String,
    identities: BTreeMap<String, Arc<Identity>>,
}

impl Project {
    fn of(&self, cell: Fqcn<'_>) -> Option<&Arc<Identity>> {
        self.identities.get(cell.root().as_str())
    }
}

fn project() -> &'static Project {
    static PROJECT: OnceLock<Project> = OnceLock::new();
    PROJECT.get_or_init(|| make_project().expect("certificates can be made"))
}

/// A certificate for each. All relays have one key, and so have all sites: keys take long to make.
fn make_project() -> anyhow::Result<Project> {
    let root_key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let mut root = named("fedcell simulation");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root_pem = root.self_signed(&root_key)?.pem();
    let issuer = Issuer::new(root, root_key);
    let mut identities = BTreeMap::new();
    let numbered = |kind: &str| (0..MOST).map(|number| format!("{kind}-{number}")).collect();
    for names in [vec!["server".to_owned()], numbered("relay"), numbered("site")] {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
        for name in names {
            let chain = named(&name).signed_by(&key, &issuer)?.pem();
            let chain = CertificateChain::from_pem(&name, chain.as_bytes())?;
            let key = PrivateKey::from_pem(&name, key.serialize_pem().as_bytes())?;
            identities.insert(name.clone(), Arc::new(Identity::new(&name, chain, key)?));
        }
    }
    Ok(Project { root: ProjectRoot::from_pem("root", root_pem.as_bytes())?, root_pem, identities })
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
