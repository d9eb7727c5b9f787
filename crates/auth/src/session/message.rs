//! The bodies of the handshake as keys and values: what goes out, and how what comes in is read.

use core::fmt;

use fedcell_protocol_defs::client_api::{Key, Topic};
use rand_core::CryptoRng;

use super::error::SecretError;
use super::hex;
use super::scope::{FieldValue, PresentedScope, ScopeField};
use super::token::random_hex;

/// A body that came from a peer, asked by key.
///
/// The layer that decodes bodies implements it for its own map type. A key that is missing is [`FieldValue::Absent`].
pub trait Body {
    /// The value under `key`.
    fn field(&self, key: &str) -> FieldValue<'_>;
}

/// One message of the handshake, to be encoded and sent.
///
/// It borrows from the machine that made it, proofs included; its `Debug` shows the keys only.
pub struct Message<'a> {
    topic: Topic<'static>,
    fields: Vec<(Key<'static>, FieldValue<'a>)>,
}

impl<'a> Message<'a> {
    pub(super) fn new(topic: Topic<'static>, fields: impl IntoIterator<Item = (Key<'static>, FieldValue<'a>)>) -> Self {
        Self { topic, fields: fields.into_iter().collect() }
    }

    /// The topic: of the request, or, for a reply, the one that its body names.
    #[must_use]
    pub const fn topic(&self) -> Topic<'static> {
        self.topic
    }

    /// Keys and values of the body.
    pub fn fields(&self) -> impl Iterator<Item = (Key<'static>, FieldValue<'a>)> + '_ {
        self.fields.iter().copied()
    }
}

impl Body for Message<'_> {
    fn field(&self, key: &str) -> FieldValue<'_> {
        self.fields().find_map(|(name, value)| (name == *key).then_some(value)).unwrap_or(FieldValue::Absent)
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.fields().map(|(key, _)| key).collect();
        f.debug_struct("Message").field("topic", &self.topic).field("keys", &keys).finish_non_exhaustive()
    }
}

/// The scope that a body presents.
pub(super) fn presented_scope<B: Body + ?Sized>(body: &B) -> PresentedScope<'_> {
    PresentedScope::from_fields(|field: ScopeField| body.field(field.key().as_str()))
}

/// Name of one session: 32 lower-case hex digits. Not a secret, and no proof of anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

impl SessionId {
    const BYTES: usize = 16;

    /// A new name.
    #[must_use]
    pub fn generate(generator: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self(random_hex(generator, Self::BYTES))
    }

    /// The name that a job sent.
    ///
    /// # Errors
    ///
    /// [`SecretError::NotASessionId`] unless it is 32 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let sound = text.len() == 2 * Self::BYTES && hex::is_lower_hex(text);
        if sound { Ok(Self(text.to_owned())) } else { Err(SecretError::NotASessionId) }
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
