//! What a message says about itself, as far as cells on its way need it.

use fedcell_protocol_defs::cell::{HeaderKey, MessageType};

use super::MessageError;
use crate::address::Fqcn;
use crate::headers::{HeaderError, HeaderMap, RawValue, Route, Texts};

/// A view of the headers by which a message is routed and dispatched, checked and typed.
///
/// The sender wrote them all; only the addresses have been checked for their form.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Facts<'a> {
    /// Request, reply or return; a peer may invent others.
    pub message_type: MessageType<'a>,
    /// The cell that made the message.
    pub origin: Fqcn<'a>,
    /// The cell that is to have it.
    pub destination: Fqcn<'a>,
    /// First half of the dispatch key; empty if absent.
    pub channel: &'a str,
    /// Second half of the dispatch key; empty if absent.
    pub topic: &'a str,
    /// What a reply refers to: one id, or several.
    pub request_ids: Option<Texts<'a>>,
    /// Whether the origin waits for a reply.
    pub is_reply_expected: bool,
    /// Whether the message must cross the server.
    pub is_transit_required: bool,
    /// Whether the payload has to be sealed end to end.
    pub is_secure: bool,
    /// Whether the payload is sealed now.
    pub is_encrypted: bool,
    /// Whether a failure to deliver is not worth a warning.
    pub is_optional: bool,
    /// Where the message has been.
    pub route: Route<'a>,
}

/// The values of the headers that count, found in one pass: each message on its way is asked for all of them.
#[derive(Default)]
struct Found<'a> {
    message_type: Option<RawValue<'a>>,
    origin: Option<RawValue<'a>>,
    destination: Option<RawValue<'a>>,
    channel: Option<RawValue<'a>>,
    topic: Option<RawValue<'a>>,
    request_ids: Option<RawValue<'a>>,
    reply_expected: Option<RawValue<'a>>,
    transit_required: Option<RawValue<'a>>,
    secure: Option<RawValue<'a>>,
    encrypted: Option<RawValue<'a>>,
    optional: Option<RawValue<'a>>,
    route: Option<RawValue<'a>>,
}

/// Longest channel or topic that goes back with a request whose headers are too long to go back whole, in bytes.
const LONGEST_NAME: usize = 1024;

/// The bytes of a key, to match against.
const fn bytes(key: HeaderKey<'static>) -> &'static [u8] {
    key.as_str().as_bytes()
}

const MSG_TYPE: &[u8] = bytes(HeaderKey::MSG_TYPE);
const ORIGIN: &[u8] = bytes(HeaderKey::ORIGIN);
const DESTINATION: &[u8] = bytes(HeaderKey::DESTINATION);
const CHANNEL: &[u8] = bytes(HeaderKey::CHANNEL);
const TOPIC: &[u8] = bytes(HeaderKey::TOPIC);
const REQ_ID: &[u8] = bytes(HeaderKey::REQ_ID);
const REPLY_EXPECTED: &[u8] = bytes(HeaderKey::REPLY_EXPECTED);
const SERVER_TRANSIT_REQUIRED: &[u8] = bytes(HeaderKey::SERVER_TRANSIT_REQUIRED);
const SECURE: &[u8] = bytes(HeaderKey::SECURE);
const ENCRYPTED: &[u8] = bytes(HeaderKey::ENCRYPTED);
const OPTIONAL: &[u8] = bytes(HeaderKey::OPTIONAL);
const ROUTE: &[u8] = bytes(HeaderKey::ROUTE);

impl<'a> Found<'a> {
    fn among(headers: &'a HeaderMap) -> Self {
        let mut found = Self::default();
        for (key, value) in headers.entries() {
            let place = match key {
                MSG_TYPE => &mut found.message_type,
                ORIGIN => &mut found.origin,
                DESTINATION => &mut found.destination,
                CHANNEL => &mut found.channel,
                TOPIC => &mut found.topic,
                REQ_ID => &mut found.request_ids,
                REPLY_EXPECTED => &mut found.reply_expected,
                SERVER_TRANSIT_REQUIRED => &mut found.transit_required,
                SECURE => &mut found.secure,
                ENCRYPTED => &mut found.encrypted,
                OPTIONAL => &mut found.optional,
                ROUTE => &mut found.route,
                _ => continue,
            };
            *place = Some(value);
        }
        found
    }
}

impl<'a> Facts<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Result<Self, MessageError> {
        let found = Found::among(headers);
        let text = |value, key| typed(value, key, "text", RawValue::as_text);
        let mandatory = |value, key: HeaderKey<'static>| {
            let text = text(value, key)?.filter(|text| !text.is_empty());
            text.ok_or(HeaderError::Missing { key: key.as_str() })
        };
        let flag =
            |value, key| Ok::<_, HeaderError>(typed(value, key, "a truth value", RawValue::as_flag)?.unwrap_or(false));
        let message_type = MessageType::new(mandatory(found.message_type, HeaderKey::MSG_TYPE)?);
        let origin = Fqcn::parse(mandatory(found.origin, HeaderKey::ORIGIN)?).map_err(MessageError::Origin)?;
        let destination = mandatory(found.destination, HeaderKey::DESTINATION)?;
        let destination = Fqcn::parse(destination).map_err(MessageError::Destination)?;
        let ids = typed(found.request_ids, HeaderKey::REQ_ID, "a text or a list of texts", RawValue::as_texts)?;
        Ok(Self {
            message_type,
            origin,
            destination,
            channel: text(found.channel, HeaderKey::CHANNEL)?.unwrap_or_default(),
            topic: text(found.topic, HeaderKey::TOPIC)?.unwrap_or_default(),
            request_ids: ids,
            is_reply_expected: flag(found.reply_expected, HeaderKey::REPLY_EXPECTED)?,
            is_transit_required: flag(found.transit_required, HeaderKey::SERVER_TRANSIT_REQUIRED)?,
            is_secure: flag(found.secure, HeaderKey::SECURE)?,
            is_encrypted: flag(found.encrypted, HeaderKey::ENCRYPTED)?,
            is_optional: flag(found.optional, HeaderKey::OPTIONAL)?,
            route: Route::of(found.route),
        })
    }

    /// Headers that say of a request which one it was, and no more: where it was to go, and on which channel and topic.
    #[must_use]
    pub fn essential(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderKey::DESTINATION, self.destination);
        headers.insert(HeaderKey::ORIGIN, self.origin);
        headers.insert(HeaderKey::MSG_TYPE, self.message_type.as_str());
        for (key, text) in [(HeaderKey::CHANNEL, self.channel), (HeaderKey::TOPIC, self.topic)] {
            if text.len() <= LONGEST_NAME {
                headers.insert(key, text);
            }
        }
        headers
    }

    /// Whether this is a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.message_type == MessageType::REQ
    }
}

/// A value as what it has to be; none if it is absent or nil.
fn typed<'a, T>(
    value: Option<RawValue<'a>>,
    key: HeaderKey<'static>,
    expected: &'static str,
    read: impl FnOnce(RawValue<'a>) -> Option<T>,
) -> Result<Option<T>, HeaderError> {
    let Some(value) = value else { return Ok(None) };
    match read(value) {
        None if value.is_nil() => Ok(None),
        None => Err(HeaderError::WrongType { key: key.as_str().into(), expected }),
        read => Ok(read),
    }
}
