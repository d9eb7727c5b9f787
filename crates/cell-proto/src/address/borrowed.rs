//! An address as a view into text that somebody else owns.

use core::fmt;

use fedcell_protocol_defs::address::{ReservedPrefix, ReservedSegment};

use super::syntax::{self, SEPARATOR};
use super::{FqcnBuf, FqcnError};

/// The address of a cell: a fully qualified cell name, checked and canonical.
///
/// Two words and free to copy. Ordering is by bytes, which is how the reference orders addresses where the greater one
/// has a duty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fqcn<'a>(&'a str);

impl Fqcn<'static> {
    /// The root of the server's tree.
    pub const SERVER: Self = Self(ReservedSegment::ROOT_SERVER.as_str());
}

impl<'a> Fqcn<'a> {
    /// Reads an address; blanks around it do not belong to it. Does not allocate for up to 16 segments.
    ///
    /// # Errors
    ///
    /// The first fault of the text, in the order of the reference: empty, a wrong character, then segment by segment an
    /// empty or a repeated one. Letter case matters.
    pub fn parse(text: &'a str) -> Result<Self, FqcnError> {
        let text = syntax::strip(text);
        syntax::check(text)?;
        Ok(Self(text))
    }

    /// For parts of an address that has been checked already.
    pub(super) const fn from_checked(text: &'a str) -> Self {
        Self(text)
    }

    /// The canonical text.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// A copy that owns its text.
    #[must_use]
    pub fn to_owned(self) -> FqcnBuf {
        FqcnBuf::from(self)
    }

    /// The segments from the root down.
    #[must_use]
    pub fn segments(self) -> Segments<'a> {
        Segments(self.0.split(SEPARATOR))
    }

    /// How many segments the address has: 1 for a root.
    #[must_use]
    pub fn generation(self) -> usize {
        self.segments().count()
    }

    /// Whether the address has only one segment.
    #[must_use]
    pub fn is_root(self) -> bool {
        !self.0.contains(SEPARATOR)
    }

    /// The address made of the first segment.
    #[must_use]
    pub fn root(self) -> Self {
        Self(self.0.split_once(SEPARATOR).map_or(self.0, |(first, _)| first))
    }

    /// The last segment.
    #[must_use]
    pub fn leaf(self) -> &'a str {
        self.0.rsplit_once(SEPARATOR).map_or(self.0, |(_, last)| last)
    }

    /// The address without its last segment, or none for a root.
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        self.0.rsplit_once(SEPARATOR).map(|(parent, _)| Self(parent))
    }

    /// The addresses on the way up, this one first: `a.b.c`, `a.b`, `a`.
    #[must_use]
    pub const fn prefixes(self) -> Prefixes<'a> {
        Prefixes(Some(self))
    }

    /// The addresses above this one, the parent first.
    #[must_use]
    pub fn ancestors(self) -> Prefixes<'a> {
        Prefixes(self.parent())
    }

    /// Whether this is the root of the server's tree.
    #[must_use]
    pub fn is_server(self) -> bool {
        self == Fqcn::SERVER
    }

    /// Whether the cell runs on the server: the server itself and the cells below it.
    #[must_use]
    pub fn is_on_server(self) -> bool {
        self.root().is_server()
    }

    /// Whether both have the same root. With relays that is the relay, so the clients of one relay are one family for
    /// routing; for authentication they are not.
    #[must_use]
    pub fn is_same_family(self, other: Fqcn<'_>) -> bool {
        self.root().0 == other.root().0
    }

    /// Whether this is the address right above `other`.
    #[must_use]
    pub fn is_parent_of(self, other: Fqcn<'_>) -> bool {
        other.parent().is_some_and(|parent| parent.0 == self.0)
    }

    /// Whether this lies above `other`, however far. Nobody is an ancestor of itself.
    #[must_use]
    pub fn is_ancestor_of(self, other: Fqcn<'_>) -> bool {
        other.0.strip_prefix(self.0).is_some_and(|rest| rest.starts_with(SEPARATOR))
    }

    /// Whether this lies below `other`, however far.
    #[must_use]
    pub fn is_descendant_of(self, other: Fqcn<'_>) -> bool {
        other.is_ancestor_of(self)
    }

    /// Whether this is `other` or lies below it: the subtree for which an identity or a token stands.
    #[must_use]
    pub fn is_within(self, other: Fqcn<'_>) -> bool {
        self.0 == other.0 || other.is_ancestor_of(self)
    }

    /// The address right below `self` on the way to `descendant`, or none if that is not below.
    #[must_use]
    pub fn child_towards(self, descendant: Self) -> Option<Self> {
        let below = descendant.0.strip_prefix(self.0)?.strip_prefix(SEPARATOR)?;
        let first = below.split_once(SEPARATOR).map_or(below, |(first, _)| first);
        let end = self.0.len() + SEPARATOR.len_utf8() + first.len();
        descendant.0.get(..end).map(Self)
    }

    /// Whether this is the name of an administrator's session: `_admin_` and a version 4 UUID, in one segment.
    #[must_use]
    pub fn is_admin_session(self) -> bool {
        syntax::is_admin_session(self.0)
    }

    /// Whether this is a training process that attached itself below a site: its last segment says so, and it is no
    /// root. Such a cell proves itself with the certificate of its parent.
    #[must_use]
    pub fn is_attached_trainer(self) -> bool {
        !self.is_root() && self.leaf().starts_with(ReservedPrefix::CLIENT_API_ATTACH_LEAF.as_str())
    }

    /// The address one segment below.
    ///
    /// # Errors
    ///
    /// If `segment` is not one segment, or stands in this address already. Positions count from the start of the joined
    /// address.
    pub fn child(self, segment: &str) -> Result<FqcnBuf, FqcnError> {
        let joined = format!("{self}{SEPARATOR}{segment}");
        if let Some(at) = segment.find(|c: char| c.is_whitespace()) {
            return Err(FqcnError::InvalidCharacter { at: self.0.len() + SEPARATOR.len_utf8() + at });
        }
        if let Some(dot) = segment.find(SEPARATOR) {
            return Err(FqcnError::InvalidCharacter { at: self.0.len() + SEPARATOR.len_utf8() + dot });
        }
        Fqcn::parse(&joined).map(Fqcn::to_owned)
    }
}

impl AsRef<str> for Fqcn<'_> {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl PartialEq<str> for Fqcn<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<FqcnBuf> for Fqcn<'_> {
    fn eq(&self, other: &FqcnBuf) -> bool {
        self.0 == other.as_str()
    }
}

impl<'a> TryFrom<&'a str> for Fqcn<'a> {
    type Error = FqcnError;

    fn try_from(text: &'a str) -> Result<Self, FqcnError> {
        Self::parse(text)
    }
}

/// The canonical text.
impl fmt::Display for Fqcn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl fmt::Debug for Fqcn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fqcn({})", self.0)
    }
}

/// The segments of an address from the root down; see [`Fqcn::segments`].
#[derive(Debug, Clone)]
pub struct Segments<'a>(core::str::Split<'a, char>);

impl<'a> Iterator for Segments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }
}

impl DoubleEndedIterator for Segments<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back()
    }
}

/// An address and those above it; see [`Fqcn::prefixes`].
#[derive(Debug, Clone)]
pub struct Prefixes<'a>(Option<Fqcn<'a>>);

impl<'a> Iterator for Prefixes<'a> {
    type Item = Fqcn<'a>;

    fn next(&mut self) -> Option<Fqcn<'a>> {
        let here = self.0?;
        self.0 = here.parent();
        Some(here)
    }
}
