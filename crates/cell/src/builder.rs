//! What a cell is told before it starts.

use core::time::Duration;

use fedcell_auth::identity::CertificateChain;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::adhoc::AdhocPolicy;
use fedcell_cell_proto::filter::Filters;
use fedcell_cell_proto::identity::{IdentityPolicy, Side};
use fedcell_cell_proto::link::LinkConfig;
use fedcell_cell_proto::node::{Node, NodeConfig, OriginCheck};

use fedcell_protocol_defs::cell::{CertChannel, CertTopic};

use crate::backbone::{Backbone, ConnectorUse, Dialled, PeerNameCheck, Planned, ShownSettings};
use crate::cell::Cell;
use crate::download::{self, DownloadConfig};
use crate::driver::MemoryNetwork;
use crate::endpoint::Endpoint;
use crate::error::StartError;
use crate::limits::Limits;
use crate::network;
use crate::prepared::PreparedCell;
use crate::random::SystemRandom;
use crate::sealing::{self, Sealing};
use crate::security::{Credentials, SecurityMode};

/// How long messages on a new connection wait for the peer to know it. A reference peer needs about a millisecond.
const SETTLE: Duration = Duration::from_millis(500);

/// Describes a cell, and makes or starts it.
///
/// The server listens on its root URLs. A site dials the server's; a cell below another dials its parent, and the
/// server too as long as it is not deeper than the backbone reaches.
#[derive(Debug, Clone)]
#[must_use = "a cell starts with `start`"]
pub struct CellBuilder {
    address: String,
    root_urls: Vec<String>,
    parent: Option<(String, Option<SecurityMode>)>,
    external: Vec<(String, Option<SecurityMode>)>,
    internal: Vec<(String, Option<SecurityMode>)>,
    security: SecurityMode,
    credentials: Option<Credentials>,
    own_identity: Option<String>,
    identities: Vec<(String, String)>,
    backbone_generation: usize,
    adhoc: AdhocPolicy,
    origin_check: OriginCheck,
    peer_names: PeerNameCheck,
    host: Option<String>,
    max_message_size: Option<usize>,
    heartbeat: Option<Duration>,
    limits: Limits,
    memory: MemoryNetwork,
    network_commands: bool,
    downloads: DownloadConfig,
}

impl CellBuilder {
    pub(crate) fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            root_urls: Vec::new(),
            parent: None,
            external: Vec::new(),
            internal: Vec::new(),
            security: SecurityMode::default(),
            credentials: None,
            own_identity: None,
            identities: Vec::new(),
            backbone_generation: 2,
            adhoc: AdhocPolicy::default(),
            origin_check: OriginCheck::default(),
            peer_names: PeerNameCheck::default(),
            host: None,
            max_message_size: None,
            heartbeat: None,
            limits: Limits::default(),
            memory: MemoryNetwork::new(),
            network_commands: true,
            downloads: DownloadConfig::default(),
        }
    }

    /// Adds a URL of the server: the server listens on it, everybody else dials it. Of several, one is dialled.
    pub fn root_url(mut self, url: impl Into<String>) -> Self {
        self.root_urls.push(url.into());
        self
    }

    /// Sets the URL of the parent's internal listener. Clear unless its scheme says otherwise.
    pub fn parent_url(mut self, url: impl Into<String>) -> Self {
        self.parent = Some((url.into(), None));
        self
    }

    /// As [`parent_url`](Self::parent_url), with the protection that the parent's listener has.
    pub fn parent_url_with(mut self, url: impl Into<String>, security: SecurityMode) -> Self {
        self.parent = Some((url.into(), Some(security)));
        self
    }

    /// Adds a URL to listen on for the outside, with the cell's protection. Port 0 is any free port.
    pub fn listen(mut self, url: impl Into<String>) -> Self {
        self.external.push((url.into(), None));
        self
    }

    /// As [`listen`](Self::listen), with protection of its own.
    pub fn listen_with(mut self, url: impl Into<String>, security: SecurityMode) -> Self {
        self.external.push((url.into(), Some(security)));
        self
    }

    /// Adds a URL to listen on for the cells below this one. Clear unless its scheme says otherwise. Port 0 is any free
    /// port.
    pub fn listen_internal(mut self, url: impl Into<String>) -> Self {
        self.internal.push((url.into(), None));
        self
    }

    /// As [`listen_internal`](Self::listen_internal), with protection of its own, as a relay has it.
    pub fn listen_internal_with(mut self, url: impl Into<String>, security: SecurityMode) -> Self {
        self.internal.push((url.into(), Some(security)));
        self
    }

    /// Sets how connections to the outside are protected. Default [`SecurityMode::Mtls`].
    pub const fn security(mut self, mode: SecurityMode) -> Self {
        self.security = mode;
        self
    }

    /// Sets what protected connections show and believe.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Sets the common name that stands for this cell. Default: that in its certificate.
    pub fn own_identity(mut self, common_name: impl Into<String>) -> Self {
        self.own_identity = Some(common_name.into());
        self
    }

    /// Says which common name stands for an address and all below it, where the rule by segments does not fit.
    pub fn identity(mut self, address: impl Into<String>, common_name: impl Into<String>) -> Self {
        self.identities.push((address.into(), common_name.into()));
        self
    }

    /// Sets to which generation cells dial the server beside their parent. Default 2: the job processes of sites do.
    pub const fn backbone_generation(mut self, generation: usize) -> Self {
        self.backbone_generation = generation;
        self
    }

    /// Sets whether direct connections are made on offer. Default off.
    pub const fn adhoc(mut self, policy: AdhocPolicy) -> Self {
        self.adhoc = policy;
        self
    }

    /// Sets whether a neighbour may speak only for cells that can lie behind it. Default: only for those.
    pub const fn origin_check(mut self, check: OriginCheck) -> Self {
        self.origin_check = check;
        self
    }

    /// Sets whether the cell that answers a dial must bear the expected name. Default: it must.
    pub const fn peer_name_check(mut self, check: PeerNameCheck) -> Self {
        self.peer_names = check;
        self
    }

    /// Says that the cell at the parent's URL is this one, which stands above the parent: for a tool below a participant that
    /// may not be running. Everything that the cell sends goes there.
    pub fn guest_of(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Sets the largest payload that this cell sends, in bytes.
    pub const fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = Some(bytes);
        self
    }

    /// Sets after how long a silence a peer is asked whether it lives. Default 60 s.
    pub const fn heartbeat(mut self, interval: Duration) -> Self {
        self.heartbeat = Some(interval);
        self
    }

    /// Sets bounds and waiting times.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the namespace of the URLs with scheme `memory`.
    pub fn memory(mut self, network: MemoryNetwork) -> Self {
        self.memory = network;
        self
    }

    /// Sets what becomes of large objects: what is left behind to be fetched, and the patience with sources.
    pub fn downloads(mut self, config: DownloadConfig) -> Self {
        self.downloads = config;
        self
    }

    /// Says whether the cell answers the in-band network commands. Default yes.
    pub const fn network_commands(mut self, answered: bool) -> Self {
        self.network_commands = answered;
        self
    }

    /// Makes the cell, which neither listens nor dials yet: what answers others is attached to it now, and then it is
    /// [started](PreparedCell::start).
    ///
    /// # Errors
    ///
    /// [`StartError`] if the description makes no sense.
    pub fn build(self) -> Result<PreparedCell, StartError> {
        let address = parse(&self.address)?;
        let planned = self.plan(address.as_fqcn())?;
        let identities = self.policy(&address)?;
        let mut config = NodeConfig::new(address);
        config.identities = identities.clone();
        config.adhoc = self.adhoc;
        config.origin_check = self.origin_check;
        let host = self.host.as_deref().map(parse).transpose()?;
        config.is_guest = host.is_some();
        let parent = host.or_else(|| config.address().as_fqcn().parent().map(Fqcn::to_owned));
        config.limits.held_bytes = self.limits.outgoing_hard;
        if let Some(bytes) = self.max_message_size {
            config.limits.message_size = bytes;
        }
        let max_message_size = config.limits.message_size;
        let mut link = LinkConfig::new(config.address().clone(), Side::Dialer);
        link.stall_timeout = None;
        link.settle = Some(SETTLE);
        link.recheck_interval = self.limits.certificate_recheck;
        if let Some(interval) = self.heartbeat {
            link.heartbeat_interval = Some(interval);
        }
        let shown = ShownSettings {
            max_message_size,
            heartbeat: link.heartbeat_interval.unwrap_or_default(),
            backbone_generation: self.backbone_generation,
        };
        let node = Node::new(config, Filters::new(), link, Box::new(id_source()));
        let sealing = Sealing::load(self.credentials.as_ref(), identities.clone());
        let dialled = Dialled { check: self.peer_names, parent };
        let backbone =
            Backbone::new(self.security, self.credentials, self.memory, identities, self.adhoc, dialled, shown);
        let endpoint = Endpoint::new(node, self.limits, backbone, sealing);
        endpoint.downloads().configure(self.downloads);
        let cell = Cell::held(endpoint);
        cell.handle(CertChannel::CREDENTIAL_MANAGER, CertTopic::KEY_EXCHANGE, sealing::answer);
        download::answer(&cell);
        if self.network_commands {
            network::answer(&cell);
        }
        Ok(PreparedCell::new(cell, planned))
    }

    /// Makes the cell and starts it, for a cell that asks and is not asked, or knows what to answer only later.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build) and [`PreparedCell::start`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends what has been started.
    pub async fn start(self) -> Result<Cell, StartError> {
        self.build()?.start().await
    }

    /// What to listen on and what to dial.
    fn plan(&self, address: Fqcn<'_>) -> Result<Vec<Planned>, StartError> {
        let mut planned = Vec::new();
        let mut add = |purpose, url: &str, security| planned.push(Planned { purpose, url: url.to_owned(), security });
        if address.is_server() {
            for url in &self.root_urls {
                add(ConnectorUse::ExternalListener, url, None);
            }
        }
        for (url, security) in &self.external {
            add(ConnectorUse::ExternalListener, url, *security);
        }
        for (url, security) in &self.internal {
            add(ConnectorUse::InternalListener, url, *security);
        }
        if let Some((url, security)) = &self.parent
            && !address.is_root()
        {
            add(ConnectorUse::ParentConnector, url, *security);
        }
        let dials_root =
            !address.is_on_server() && (address.is_root() || address.generation() <= self.backbone_generation);
        if dials_root && let Some(url) = self.choose_root() {
            add(ConnectorUse::RootConnector, url, None);
        }
        if planned.is_empty() { Err(StartError::Isolated { name: self.address.clone() }) } else { Ok(planned) }
    }

    /// One of the server's URLs, by chance, so that its listeners share the sites.
    fn choose_root(&self) -> Option<&str> {
        use fedcell_auth::rand_core::Rng;
        let count = u64::try_from(self.root_urls.len()).ok().filter(|&count| count > 0)?;
        let chosen = usize::try_from(SystemRandom::new().next_u64() % count).ok()?;
        self.root_urls.get(chosen).map(String::as_str)
    }

    /// Which common name may claim which address.
    fn policy(&self, address: &FqcnBuf) -> Result<IdentityPolicy, StartError> {
        let mut policy = IdentityPolicy::new(address.clone());
        let own = match (&self.own_identity, &self.credentials) {
            (Some(name), _) => Some(name.clone()),
            (None, Some(credentials)) => certificate_name(credentials),
            (None, None) => None,
        };
        for (address, name) in &self.identities {
            policy = policy.with_prefix(parse(address)?, name.as_str());
        }
        if let Some(name) = own {
            if address.as_fqcn().is_on_server() {
                policy = policy.with_prefix(FqcnBuf::server(), name.as_str());
            }
            policy = policy.with_exact(address.clone(), name);
        }
        Ok(policy)
    }
}

fn parse(name: &str) -> Result<FqcnBuf, StartError> {
    FqcnBuf::parse(name).map_err(|cause| StartError::Address { name: name.to_owned(), cause })
}

/// The common name in the certificate that stands for this participant. One that cannot be read fails with TLS itself.
fn certificate_name(credentials: &Credentials) -> Option<String> {
    let chain = CertificateChain::load(&credentials.identity_pair()?.certificate).ok()?;
    chain.leaf().common_name().map(ToString::to_string)
}

fn id_source() -> impl FnMut() -> [u8; 16] + Send {
    use fedcell_auth::rand_core::Rng;
    let mut random = SystemRandom::new();
    move || {
        let mut bytes = [0; 16];
        random.fill_bytes(&mut bytes);
        bytes
    }
}
