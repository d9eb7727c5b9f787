//! What a message says about itself, as far as cells on its way need it.

use fedcell_protocol_defs::cell::{HeaderKey, MessageType};

use super::MessageError;
use crate::address::Fqcn;
use crate::headers::{HeaderError, HeaderMap, Known, RawValue, Route, Texts};

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

/// Longest channel or topic that goes back with a request whose headers are too long to go back whole, in bytes.
const LONGEST_NAME: usize = 1024;

impl<'a> Facts<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Result<Self, MessageError> {
        let text = |known, key| typed(headers.known(known), key, "text", RawValue::as_text);
        let mandatory = |known, key: HeaderKey<'static>| {
            let text = text(known, key)?.filter(|text| !text.is_empty());
            text.ok_or(HeaderError::Missing { key: key.as_str() })
        };
        let flag = |known, key| {
            let flag = typed(headers.known(known), key, "a truth value", RawValue::as_flag)?;
            Ok::<_, HeaderError>(flag.unwrap_or(false))
        };
        let message_type = MessageType::new(mandatory(Known::MsgType, HeaderKey::MSG_TYPE)?);
        let origin = mandatory(Known::Origin, HeaderKey::ORIGIN)?;
        let origin = Fqcn::parse(origin).map_err(MessageError::Origin)?;
        let destination = mandatory(Known::Destination, HeaderKey::DESTINATION)?;
        let destination = Fqcn::parse(destination).map_err(MessageError::Destination)?;
        let ids = headers.known(Known::ReqId);
        let ids = typed(ids, HeaderKey::REQ_ID, "a text or a list of texts", RawValue::as_texts)?;
        Ok(Self {
            message_type,
            origin,
            destination,
            channel: text(Known::Channel, HeaderKey::CHANNEL)?.unwrap_or_default(),
            topic: text(Known::Topic, HeaderKey::TOPIC)?.unwrap_or_default(),
            request_ids: ids,
            is_reply_expected: flag(Known::ReplyExpected, HeaderKey::REPLY_EXPECTED)?,
            is_transit_required: flag(Known::ServerTransitRequired, HeaderKey::SERVER_TRANSIT_REQUIRED)?,
            is_secure: flag(Known::Secure, HeaderKey::SECURE)?,
            is_encrypted: flag(Known::Encrypted, HeaderKey::ENCRYPTED)?,
            is_optional: flag(Known::Optional, HeaderKey::OPTIONAL)?,
            route: Route::of(headers.known(Known::Route)),
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
