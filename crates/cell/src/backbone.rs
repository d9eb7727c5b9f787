//! Listeners and connectors of a cell: what it is told to listen on and to dial, and what became of it.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::adhoc::AdhocPolicy;
use fedcell_cell_proto::identity::{ExpectedPeer, IdentityPolicy};
use fedcell_cell_proto::url::ConnUrl;
use fedcell_fobs::Value;
use fedcell_protocol_defs::config::{ConnectionSecurity, DriverParam};
use tokio_util::sync::CancellationToken;

use crate::connector::connect_loop;
use crate::driver::{
    AcceptContext, Accepting, DialContext, Facts, Link, MemoryNetwork, Slot, TcpListener, TransportKind, accept_loop,
};
use crate::endpoint::Endpoint;
use crate::error::StartError;
use crate::events::CellEvent;
use crate::security::{Credentials, SecurityMode, TlsClient, TlsServer};

/// What a listener or connector is for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectorUse {
    /// It listens for the outside: sites, relays, administrators.
    ExternalListener,
    /// It listens for the cells below this one.
    InternalListener,
    /// It dials the server.
    RootConnector,
    /// It dials the parent.
    ParentConnector,
    /// It dials a cell that offered a direct connection.
    AdhocConnector(FqcnBuf),
}

impl ConnectorUse {
    /// Which cell it dials; `parent` is who is at the parent's URL.
    pub(crate) fn dials(&self, parent: Option<&FqcnBuf>) -> Option<FqcnBuf> {
        match self {
            Self::RootConnector => Some(FqcnBuf::server()),
            Self::ParentConnector => parent.cloned(),
            Self::AdhocConnector(peer) => Some(peer.clone()),
            Self::ExternalListener | Self::InternalListener => None,
        }
    }
}

/// Whether the cell that answers a dial must bear the name that the configuration implies: the server, the parent, the
/// cell that offered the connection. Counts on every kind of connection; with mutual TLS the certificate is checked, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PeerNameCheck {
    /// It must; others are refused before a message leaves.
    #[default]
    Enforced,
    /// Anybody may answer, as with the reference, which is just never ready then.
    DangerOff,
}

/// Who answers a dial.
#[derive(Debug)]
pub(crate) struct Dialled {
    /// Whether that is looked at.
    pub(crate) check: PeerNameCheck,
    /// Who is at the parent's URL: the parent, unless this cell is a guest of another.
    pub(crate) parent: Option<FqcnBuf>,
}

/// A listener or connector of a running cell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectorInfo {
    /// What it is for.
    pub purpose: ConnectorUse,
    /// Its URL; of a listener, one by which it can be reached from this host, with the port that was really bound.
    pub url: String,
    /// Its name in this process.
    pub handle: String,
    /// How its connections are protected.
    pub security: SecurityMode,
    /// Address that was bound, for a listener on TCP.
    pub bound: Option<SocketAddr>,
}

#[derive(Debug)]
struct Connector {
    info: ConnectorInfo,
    cancel: CancellationToken,
}

/// What one URL is to be used for, and how.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) purpose: ConnectorUse,
    pub(crate) url: String,
    /// Protection that was asked for this URL; otherwise it follows from the cell's and from what the URL is for.
    pub(crate) security: Option<SecurityMode>,
}

/// Settings of a cell that are told to those who ask over the network.
#[derive(Debug, Clone)]
pub(crate) struct ShownSettings {
    pub(crate) max_message_size: usize,
    pub(crate) heartbeat: Duration,
    pub(crate) backbone_generation: usize,
}

/// The transports of one cell.
#[derive(Debug)]
pub(crate) struct Backbone {
    pub(crate) security: SecurityMode,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) memory: MemoryNetwork,
    pub(crate) identities: IdentityPolicy,
    pub(crate) adhoc: AdhocPolicy,
    pub(crate) dialled: Dialled,
    /// Settings of other parts of the cell, for those who ask over the network.
    pub(crate) shown: ShownSettings,
    connectors: Mutex<Vec<Connector>>,
}

impl Backbone {
    pub(crate) fn new(
        security: SecurityMode,
        credentials: Option<Credentials>,
        memory: MemoryNetwork,
        identities: IdentityPolicy,
        adhoc: AdhocPolicy,
        dialled: Dialled,
        shown: ShownSettings,
    ) -> Self {
        Self { security, credentials, memory, identities, adhoc, dialled, shown, connectors: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connector>> {
        self.connectors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn connectors(&self) -> Vec<ConnectorInfo> {
        self.lock().iter().map(|connector| connector.info.clone()).collect()
    }

    /// Whether the neighbour that makes this cell part of the network is there.
    pub(crate) fn is_ready(&self, endpoint: &Endpoint) -> bool {
        let (mut has_root, mut has_parent, mut listens) = (false, false, false);
        for connector in self.lock().iter() {
            match connector.info.purpose {
                ConnectorUse::RootConnector => has_root = true,
                ConnectorUse::ParentConnector => has_parent = true,
                ConnectorUse::ExternalListener | ConnectorUse::InternalListener => listens = true,
                ConnectorUse::AdhocConnector(_) => {}
            }
        }
        if has_parent {
            self.dialled.parent.as_ref().is_some_and(|parent| endpoint.is_connected(parent.as_fqcn()))
        } else if has_root {
            endpoint.is_connected(Fqcn::SERVER)
        } else {
            listens
        }
    }

    /// Starts a listener or connector. A listener is bound when this returns; a connector dials from then on.
    pub(crate) async fn start(&self, endpoint: &Endpoint, planned: Planned) -> Result<(), StartError> {
        let bad_url = |problem: &dyn core::fmt::Display| StartError::Url {
            url: planned.url.clone(),
            problem: problem.to_string(),
        };
        let url = ConnUrl::parse(&planned.url).map_err(|error| bad_url(&error))?;
        let Some(transport) = TransportKind::of_scheme(url.scheme().as_str()) else {
            return Err(StartError::Transport { url: planned.url, problem: "is not built in" });
        };
        let security = self.protection(&planned, &url, transport)?;
        match planned.purpose {
            ConnectorUse::ExternalListener | ConnectorUse::InternalListener => {
                self.listen(endpoint, planned, &url, transport, security).await
            }
            _ => {
                let port = url.port().or_else(|| (transport == TransportKind::Memory).then_some(0));
                let port = port.ok_or_else(|| bad_url(&"a port is missing"))?;
                self.connect(endpoint, planned, url.host().unwrap_or_default(), port, transport, security)
            }
        }
    }

    /// How the connections of a URL are protected.
    ///
    /// What goes to the outside is protected as the cell is; what stays within a site is not, unless its scheme or its
    /// configuration says so. A scheme that means TLS means it, whatever the mode.
    fn protection(
        &self,
        planned: &Planned,
        url: &ConnUrl,
        transport: TransportKind,
    ) -> Result<SecurityMode, StartError> {
        let is_internal = matches!(planned.purpose, ConnectorUse::InternalListener | ConnectorUse::ParentConnector);
        let wanted = match planned.security {
            Some(mode) => mode,
            None if is_internal && !url.is_secure_scheme() => SecurityMode::Clear,
            None => self.security,
        };
        let wanted = if url.is_secure_scheme() && wanted == SecurityMode::Clear { SecurityMode::Mtls } else { wanted };
        if wanted == SecurityMode::Clear {
            return Ok(wanted);
        }
        if !transport.capabilities().tls {
            // Nobody else can hear a pipe within the process.
            return if transport == TransportKind::Memory {
                Ok(SecurityMode::Clear)
            } else {
                Err(StartError::Transport { url: planned.url.clone(), problem: "cannot be protected" })
            };
        }
        if self.credentials.is_none() {
            return Err(StartError::NoCredentials { url: planned.url.clone(), mode: wanted });
        }
        Ok(wanted)
    }

    async fn listen(
        &self,
        endpoint: &Endpoint,
        planned: Planned,
        url: &ConnUrl,
        transport: TransportKind,
        security: SecurityMode,
    ) -> Result<(), StartError> {
        let failed = |cause: io::Error| StartError::Listen { url: planned.url.clone(), cause };
        let host = url.host().unwrap_or_default();
        let tls = match &self.credentials {
            Some(credentials) => TlsServer::load(credentials, security)?,
            None => None,
        };
        let (listener, bound, reachable) = match transport {
            TransportKind::Memory => {
                (Accepting::Memory(self.memory.listen(host).map_err(failed)?), None, planned.url.clone())
            }
            TransportKind::Tcp => {
                let listener = TcpListener::bind(host, url.port().unwrap_or(0)).await.map_err(failed)?;
                let address = listener.address();
                let host =
                    if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.to_string() } else { host.to_owned() };
                let reachable = format!("{}://{host}:{}", url.scheme().as_str(), address.port());
                (Accepting::Tcp(listener), Some(address), reachable)
            }
        };
        let context = AcceptContext {
            url: reachable.as_str().into(),
            security,
            tls,
            admin_listener: url.is_admin_listener(),
            admission: endpoint.admission().clone(),
            handshake_timeout: endpoint.limits().tls_handshake,
        };
        let cancel = self.add(planned.purpose, reachable, security, bound);
        let start = {
            let endpoint = endpoint.clone();
            move |link: Link, facts: Facts, slot: Slot| {
                let running = endpoint.clone();
                endpoint.spawn(async move { running.run_connection(link, facts, Some(slot)).await });
            }
        };
        endpoint.spawn(async move {
            cancel.run_until_cancelled(accept_loop(listener, Arc::new(context), start)).await;
        });
        Ok(())
    }

    fn connect(
        &self,
        endpoint: &Endpoint,
        planned: Planned,
        host: &str,
        port: u16,
        transport: TransportKind,
        security: SecurityMode,
    ) -> Result<(), StartError> {
        let expected = planned.purpose.dials(self.dialled.parent.as_ref());
        let tls = match &self.credentials {
            Some(credentials) => TlsClient::load(credentials, security)?,
            None => None,
        };
        let expected_identity = expected
            .as_ref()
            .filter(|_| security == SecurityMode::Mtls)
            .map(|peer| self.identities.required(peer.as_fqcn()).to_owned());
        let dial = Arc::new(DialContext {
            url: planned.url.as_str().into(),
            transport,
            host: host.to_owned(),
            port,
            security,
            tls,
            expected_identity,
            expected_peer: self.expected_peer(&planned.purpose),
            memory: self.memory.clone(),
            timeout: endpoint.limits().dial,
            redial: (endpoint.limits().redial_first, endpoint.limits().redial_longest),
        });
        let cancel = self.add(planned.purpose, planned.url, security, None);
        let task = {
            let endpoint = endpoint.clone();
            async move {
                // A task of its own: it outlives the connector until it is closed in its own way.
                let run = |link, facts| {
                    let running = endpoint.clone();
                    let task = endpoint.spawn(async move { running.run_connection(link, facts, None).await });
                    async { drop(task.await) }
                };
                let failed = |reason: &io::Error| {
                    endpoint.tell(CellEvent::DialFailed { url: dial.url.to_string(), reason: reason.to_string() });
                };
                cancel.run_until_cancelled(connect_loop(dial.clone(), run, failed)).await;
            }
        };
        endpoint.spawn(task);
        Ok(())
    }

    /// Whose name may come back on a connection for that purpose.
    fn expected_peer(&self, purpose: &ConnectorUse) -> Option<ExpectedPeer> {
        match purpose {
            _ if self.dialled.check == PeerNameCheck::DangerOff => None,
            ConnectorUse::RootConnector => Some(ExpectedPeer::OnServer),
            ConnectorUse::ParentConnector => self.dialled.parent.clone().map(ExpectedPeer::Cell),
            ConnectorUse::AdhocConnector(peer) => Some(ExpectedPeer::Cell(peer.clone())),
            ConnectorUse::ExternalListener | ConnectorUse::InternalListener => None,
        }
    }

    fn add(
        &self,
        purpose: ConnectorUse,
        url: String,
        security: SecurityMode,
        bound: Option<SocketAddr>,
    ) -> CancellationToken {
        let mut connectors = self.lock();
        let cancel = CancellationToken::new();
        let handle = format!("CH{:05}", connectors.len() + 1);
        let info = ConnectorInfo { purpose, url, handle, security, bound };
        connectors.push(Connector { info, cancel: cancel.clone() });
        cancel
    }

    /// Ends the listeners and connectors that `choose` picks. Their connections stay.
    pub(crate) fn remove(&self, choose: impl Fn(&ConnectorInfo) -> bool) {
        self.lock().retain(|connector| {
            let is_chosen = choose(&connector.info);
            if is_chosen {
                connector.cancel.cancel();
            }
            !is_chosen
        });
    }
}

impl ConnectorInfo {
    /// Parameters of the transport, under the names and of the types that the reference gives them in its network
    /// commands. Paths of certificates are left out.
    #[must_use]
    pub fn params(&self) -> Vec<(String, Value)> {
        let security = match self.security {
            SecurityMode::Clear => ConnectionSecurity::CLEAR,
            SecurityMode::Tls => ConnectionSecurity::TLS,
            SecurityMode::Mtls => ConnectionSecurity::MTLS,
        };
        let mut params = vec![
            (DriverParam::SECURE, Value::from(self.security != SecurityMode::Clear)),
            (DriverParam::CONNECTION_SECURITY, Value::from(security.as_str())),
            (DriverParam::IMPLEMENTED_CONN_SEC, Value::from(security.as_str())),
            (DriverParam::URL, Value::from(self.url.as_str())),
        ];
        let mut of_query = Vec::new();
        // The URL was understood when the connector was started.
        if let Ok(url) = ConnUrl::parse(&self.url) {
            let host = self.bound.map_or_else(|| url.host().unwrap_or_default().to_owned(), |at| at.ip().to_string());
            params.push((DriverParam::SCHEME, Value::from(url.scheme().as_str())));
            params.push((DriverParam::HOST, Value::from(host)));
            if let Some(port) = url.port() {
                params.push((DriverParam::PORT, Value::from(port.to_string())));
            }
            params.push((DriverParam::PATH, Value::from(url.path())));
            params.push((DriverParam::PARAMS, Value::from(url.path_parameters())));
            params.push((DriverParam::QUERY, Value::from(url.query())));
            params.push((DriverParam::FRAG, Value::from(url.fragment())));
            of_query.extend(url.parameters().map(|(key, value)| (key.to_owned(), Value::from(value))));
        }
        params.into_iter().map(|(key, value)| (key.as_str().to_owned(), value)).chain(of_query).collect()
    }
}
