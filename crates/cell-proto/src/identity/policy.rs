//! Certificate names held against claimed addresses.

use core::fmt;
use std::collections::HashMap;
use std::sync::Arc;

use fedcell_auth::UnixTime;

use super::IdentityError;
use crate::address::{Fqcn, FqcnBuf};

/// Which end of a connection this cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Side {
    /// It dialled; it sends HELLO.
    Dialer,
    /// It listens; it answers READY.
    Listener,
}

/// Whom a connection was dialled to reach.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpectedPeer {
    /// This cell and no other: a parent, or a cell that offered a direct connection.
    Cell(FqcnBuf),
    /// The server, or a cell below it.
    OnServer,
}

impl ExpectedPeer {
    /// Whether a peer of that name is the one.
    #[must_use]
    pub fn is_met_by(&self, name: Fqcn<'_>) -> bool {
        match self {
            Self::Cell(expected) => name == *expected,
            Self::OnServer => name.is_on_server(),
        }
    }
}

impl fmt::Display for ExpectedPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cell(name) => name.fmt(f),
            Self::OnServer => f.write_str("the server"),
        }
    }
}

/// What a driver knows about a connection before the first frame.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionFacts {
    /// Which end this cell is.
    pub side: Side,
    /// Whether both sides had to prove a certificate of the project. Only then is the claimed address held against it.
    pub is_mutual_tls: bool,
    /// Common name in the certificate that the peer has proved to own; none without TLS, or if it has no such name.
    pub peer_common_name: Option<String>,
    /// Whether the URL of this listener says `admin_listener=true`.
    pub is_admin_listener: bool,
    /// Whom this cell dialled to reach, if it is the dialer and its configuration says so.
    pub expected: Option<ExpectedPeer>,
    /// Whether the transport needs PING to notice that a peer is gone.
    pub needs_heartbeat: bool,
    /// When the certificate expires that the peer showed; none if it showed none.
    pub certified_until: Option<UnixTime>,
}

impl ConnectionFacts {
    /// A connection on which nobody has proved anything: no TLS, or TLS that only the listener has proved.
    #[must_use]
    pub const fn unproven(side: Side) -> Self {
        Self {
            side,
            is_mutual_tls: false,
            peer_common_name: None,
            is_admin_listener: false,
            expected: None,
            needs_heartbeat: true,
            certified_until: None,
        }
    }

    /// A connection with mutual TLS whose peer has proved a certificate with that common name, if it has one.
    #[must_use]
    pub const fn mutual_tls(side: Side, peer_common_name: Option<String>) -> Self {
        Self {
            side,
            is_mutual_tls: true,
            peer_common_name,
            is_admin_listener: false,
            expected: None,
            needs_heartbeat: true,
            certified_until: None,
        }
    }

    /// The same connection, accepted by a listener for administrators.
    #[must_use]
    pub fn through_admin_listener(self) -> Self {
        Self { is_admin_listener: true, ..self }
    }

    /// The same connection, over a transport that notices by itself when the peer is gone: nobody is asked for signs of
    /// life.
    #[must_use]
    pub fn without_heartbeat(self) -> Self {
        Self { needs_heartbeat: false, ..self }
    }

    /// The same connection, whose peer showed a certificate that expires then: it is to be verified again.
    #[must_use]
    pub fn certified_until(self, until: UnixTime) -> Self {
        Self { certified_until: Some(until), ..self }
    }

    /// The same connection, dialled to reach that peer.
    #[must_use]
    pub fn expecting(self, peer: ExpectedPeer) -> Self {
        Self { expected: Some(peer), ..self }
    }
}

/// What the peer of a connection has proved about itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerIdentity {
    /// The owner of a certificate of the project with this common name.
    Certificate(Arc<str>),
    /// Nothing; any name goes.
    Unproven,
}

impl PeerIdentity {
    /// The proven common name, if there is one.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        match self {
            Self::Certificate(name) => Some(name),
            Self::Unproven => None,
        }
    }
}

/// An address that a peer may bear on its connection. Only [`IdentityPolicy::admit`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmittedName {
    name: FqcnBuf,
    identity: PeerIdentity,
}

impl AdmittedName {
    /// The address.
    #[must_use]
    pub const fn name(&self) -> &FqcnBuf {
        &self.name
    }

    /// What was proved.
    #[must_use]
    pub const fn identity(&self) -> &PeerIdentity {
        &self.identity
    }
}

impl fmt::Display for AdmittedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.identity {
            PeerIdentity::Certificate(name) => write!(f, "{} (certificate {name:?})", self.name),
            PeerIdentity::Unproven => write!(f, "{} (unproven)", self.name),
        }
    }
}

/// Which certificate name each address requires.
///
/// The first rule that applies to an address gives the name:
///
/// 1. an exact entry;
/// 2. the entry of the longest prefix; for a cell below this one, entries of cells above this one do not count;
/// 3. a training process that attached itself below a site: what its parent requires;
/// 4. a cell below this one: the first segment below this one;
/// 5. the first segment.
#[derive(Debug, Clone)]
pub struct IdentityPolicy {
    local: FqcnBuf,
    exact: HashMap<FqcnBuf, String>,
    prefixes: HashMap<FqcnBuf, String>,
}

impl IdentityPolicy {
    /// The policy of the cell `local`, without any entry.
    #[must_use]
    pub fn new(local: FqcnBuf) -> Self {
        Self { local, exact: HashMap::new(), prefixes: HashMap::new() }
    }

    /// Adds an entry for one address. An empty identity adds nothing, as in the reference.
    #[must_use]
    pub fn with_exact(mut self, address: FqcnBuf, identity: impl Into<String>) -> Self {
        insert(&mut self.exact, address, identity.into());
        self
    }

    /// Adds an entry for an address and all below it. An empty identity adds nothing, as in the reference.
    #[must_use]
    pub fn with_prefix(mut self, address: FqcnBuf, identity: impl Into<String>) -> Self {
        insert(&mut self.prefixes, address, identity.into());
        self
    }

    /// The address of the cell whose policy this is.
    #[must_use]
    pub const fn local(&self) -> &FqcnBuf {
        &self.local
    }

    /// The certificate name that `address` requires.
    #[must_use]
    pub fn required<'a>(&'a self, address: Fqcn<'a>) -> &'a str {
        let local = self.local.as_fqcn();
        let mut address = address;
        // Each turn of the loop goes one address up, for rule 3.
        loop {
            if let Some(identity) = self.exact.get(address.as_str()) {
                return identity;
            }
            let is_below = local.is_ancestor_of(address);
            let entry = address
                .prefixes()
                .filter(|prefix| !(is_below && prefix.is_ancestor_of(local)))
                .find_map(|prefix| self.prefixes.get(prefix.as_str()));
            if let Some(identity) = entry {
                return identity;
            }
            match address.parent() {
                Some(site) if address.is_attached_trainer() => address = site,
                _ => return local.child_towards(address).map_or_else(|| address.root().as_str(), Fqcn::leaf),
            }
        }
    }

    /// Holds a claimed address against what the connection has proved.
    ///
    /// # Errors
    ///
    /// [`IdentityError::OwnName`] and [`IdentityError::NotExpected`] on any connection; the others, except
    /// [`IdentityError::Taken`], only with mutual TLS. The reference takes whoever answers a dial, and is not ready then.
    /// Unlike the reference, a dialling side does not let a listener without a certificate name pass: our drivers always
    /// know it.
    pub fn admit(&self, claimed: &FqcnBuf, facts: &ConnectionFacts) -> Result<AdmittedName, IdentityError> {
        let name = claimed.clone();
        if name == self.local {
            return Err(IdentityError::OwnName { name });
        }
        if let Some(expected) = &facts.expected
            && !expected.is_met_by(name.as_fqcn())
        {
            return Err(IdentityError::NotExpected { name, expected: expected.clone() });
        }
        if !facts.is_mutual_tls {
            return Ok(AdmittedName { name, identity: PeerIdentity::Unproven });
        }
        let is_admin = name.as_fqcn().is_admin_session();
        if is_admin && facts.side == Side::Listener && !facts.is_admin_listener {
            return Err(IdentityError::AdminElsewhere { name });
        }
        let Some(proven) = facts.peer_common_name.as_deref().filter(|name| !name.is_empty()) else {
            return Err(IdentityError::NoCommonName { name });
        };
        // The address of an administrator's session is made up for the session; the person is the certificate's.
        let required = self.required(claimed.as_fqcn());
        if !is_admin && proven != required {
            return Err(IdentityError::Mismatch { name, proven: proven.to_owned(), required: required.to_owned() });
        }
        Ok(AdmittedName { name, identity: PeerIdentity::Certificate(Arc::from(proven)) })
    }
}

fn insert(entries: &mut HashMap<FqcnBuf, String>, address: FqcnBuf, identity: String) {
    if !identity.is_empty() {
        entries.insert(address, identity);
    }
}
