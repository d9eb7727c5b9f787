//! What a message says about itself, as far as cells on its way need it.

use fedcell_protocol_defs::cell::{HeaderKey, MessageType};

use super::MessageError;
use crate::address::Fqcn;
use crate::headers::{HeaderError, HeaderMap, Route, Texts};

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

impl<'a> Facts<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Result<Self, MessageError> {
        let mandatory = |key: HeaderKey<'static>| {
            let text = headers.text(key)?.filter(|text| !text.is_empty());
            text.ok_or(HeaderError::Missing { key: key.as_str() })
        };
        let flag = |key: HeaderKey<'static>| Ok::<_, HeaderError>(headers.flag(key)?.unwrap_or(false));
        let message_type = MessageType::new(mandatory(HeaderKey::MSG_TYPE)?);
        let origin = Fqcn::parse(mandatory(HeaderKey::ORIGIN)?).map_err(MessageError::Origin)?;
        let destination = Fqcn::parse(mandatory(HeaderKey::DESTINATION)?).map_err(MessageError::Destination)?;
        Ok(Self {
            message_type,
            origin,
            destination,
            channel: headers.text(HeaderKey::CHANNEL)?.unwrap_or_default(),
            topic: headers.text(HeaderKey::TOPIC)?.unwrap_or_default(),
            request_ids: headers.texts(HeaderKey::REQ_ID)?,
            is_reply_expected: flag(HeaderKey::REPLY_EXPECTED)?,
            is_transit_required: flag(HeaderKey::SERVER_TRANSIT_REQUIRED)?,
            is_secure: flag(HeaderKey::SECURE)?,
            is_encrypted: flag(HeaderKey::ENCRYPTED)?,
            is_optional: flag(HeaderKey::OPTIONAL)?,
            route: headers.route(),
        })
    }

    /// Whether this is a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.message_type == MessageType::REQ
    }
}
