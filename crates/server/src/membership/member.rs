//! One participant, as the server knows it.

use std::collections::BTreeSet;

use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_fobs::Map;
use fedcell_protocol_defs::federation::ClientType;

/// Whether a participant is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// It has registered, and nothing was heard of it since: it may not have its token yet.
    Joined,
    /// Heard of lately.
    Alive,
    /// Not heard of for too long.
    Dead,
}

/// A participant.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Member {
    /// Its name: the common name of its certificate.
    pub name: String,
    /// Its cell.
    pub fqcn: FqcnBuf,
    /// What kind of participant it is, one of [`ClientType`].
    pub kind: String,
    /// Path in the hierarchy of sites.
    pub fqsn: String,
    /// Whether no site stands below it.
    pub is_leaf: bool,
    /// Organisation in its certificate.
    pub organisation: Option<String>,
    /// What it told about itself.
    pub site_config: Option<Map>,
    /// Address that it believes to have. Only shown.
    pub address: String,
    /// Software that it says it runs. Only shown.
    pub software: String,
    /// When it registered.
    pub joined: UnixTime,
    /// When it was last heard of.
    pub seen: UnixTime,
    /// Whether it is there.
    pub presence: Presence,
    /// Jobs that it said run there.
    pub jobs: BTreeSet<String>,
}

impl Member {
    /// Whether it is a site, and not a relay.
    #[must_use]
    pub fn is_site(&self) -> bool {
        self.kind == ClientType::REGULAR.as_str()
    }

    /// Whether it is a site that has been heard of lately, or has just come.
    #[must_use]
    pub fn is_living_site(&self) -> bool {
        self.is_site() && self.presence != Presence::Dead
    }
}
