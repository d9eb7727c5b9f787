//! The headers of one received stream message, checked and typed.

use fedcell_protocol_defs::cell::HeaderKey as CellKey;
use fedcell_protocol_defs::stream::HeaderKey;

use crate::address::Fqcn;
use crate::headers::{HeaderMap, RawValue};

/// What a stream message says. Headers of the wrong type count as absent, as in the reference; what has no number and no
/// origin is no stream message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    pub(super) origin: Fqcn<'a>,
    /// The stream topic.
    pub(super) verb: &'a str,
    pub(super) id: i64,
    pub(super) data_type: Option<i64>,
    pub(super) channel: Option<&'a str>,
    pub(super) topic: Option<&'a str>,
    pub(super) request_id: Option<&'a str>,
    /// In an acknowledgement -1 before the first chunk has come.
    pub(super) sequence: Option<i64>,
    pub(super) offset: Option<u64>,
    pub(super) error: Option<&'a str>,
    pub(super) error_type: Option<&'a str>,
    pub(super) failed_destination: Option<&'a str>,
    pub(super) reliable: bool,
    pub(super) chunk_size: Option<u64>,
    pub(super) window: Option<u64>,
    pub(super) ack_interval: Option<u64>,
    pub(super) retry_wait: Option<f64>,
    pub(super) retry_timeout: Option<f64>,
    /// The sender has no use for an acknowledgement.
    pub(super) no_ack: bool,
    /// The sender takes acknowledgements of several streams in one message.
    pub(super) takes_collected: bool,
    /// Such acknowledgements.
    pub(super) collected: &'a [u8],
}

/// The bytes of a key, to match against.
const fn bytes(key: HeaderKey<'static>) -> &'static [u8] {
    key.as_str().as_bytes()
}

const ID: &[u8] = bytes(HeaderKey::STREAM_ID);
const DATA_TYPE: &[u8] = bytes(HeaderKey::DATA_TYPE);
const CHANNEL: &[u8] = bytes(HeaderKey::CHANNEL);
const TOPIC: &[u8] = bytes(HeaderKey::TOPIC);
const REQUEST_ID: &[u8] = bytes(HeaderKey::STREAM_REQ_ID);
const SEQUENCE: &[u8] = bytes(HeaderKey::SEQUENCE);
const OFFSET: &[u8] = bytes(HeaderKey::OFFSET);
const ERROR: &[u8] = bytes(HeaderKey::ERROR_MSG);
const ERROR_TYPE: &[u8] = bytes(HeaderKey::ERROR_TYPE);
const FAILED_DESTINATION: &[u8] = bytes(HeaderKey::FAILED_DESTINATION);
const RELIABLE: &[u8] = bytes(HeaderKey::RELIABLE);
const CHUNK_SIZE: &[u8] = bytes(HeaderKey::CHUNK_SIZE);
const WINDOW: &[u8] = bytes(HeaderKey::WINDOW_SIZE);
const ACK_INTERVAL: &[u8] = bytes(HeaderKey::ACK_INTERVAL);
const RETRY_WAIT: &[u8] = bytes(HeaderKey::RETRY_WAIT);
const RETRY_TIMEOUT: &[u8] = bytes(HeaderKey::RETRY_TIMEOUT);
const NO_ACK: &[u8] = bytes(HeaderKey::NO_ACK);
const COLLECTED_ACKS: &[u8] = bytes(HeaderKey::COLLECTED_ACKS);
const ACKED_STREAMS: &[u8] = bytes(HeaderKey::ACKED_STREAMS);
const CELL_ORIGIN: &[u8] = CellKey::ORIGIN.as_str().as_bytes();
const CELL_TOPIC: &[u8] = CellKey::TOPIC.as_str().as_bytes();

impl<'a> Fields<'a> {
    /// The fields among these headers; none if they are not those of a stream message.
    pub(super) fn among(headers: &'a HeaderMap) -> Option<Self> {
        let mut id = None;
        let mut fields = Self {
            origin: Fqcn::SERVER,
            verb: "",
            id: 0,
            data_type: None,
            channel: None,
            topic: None,
            request_id: None,
            sequence: None,
            offset: None,
            error: None,
            error_type: None,
            failed_destination: None,
            reliable: false,
            chunk_size: None,
            window: None,
            ack_interval: None,
            retry_wait: None,
            retry_timeout: None,
            no_ack: false,
            takes_collected: false,
            collected: &[],
        };
        let mut origin = None;
        for (key, value) in headers.entries() {
            match key {
                ID => id = value.as_integer(),
                DATA_TYPE => fields.data_type = value.as_integer(),
                CHANNEL => fields.channel = value.as_text(),
                TOPIC => fields.topic = value.as_text(),
                REQUEST_ID => fields.request_id = value.as_text().filter(|id| !id.is_empty()),
                SEQUENCE => fields.sequence = value.as_integer(),
                OFFSET => fields.offset = count(value),
                ERROR => fields.error = value.as_text().filter(|text| !text.is_empty()),
                ERROR_TYPE => fields.error_type = value.as_text(),
                FAILED_DESTINATION => fields.failed_destination = value.as_text(),
                RELIABLE => fields.reliable = value.as_flag().unwrap_or(false),
                CHUNK_SIZE => fields.chunk_size = positive(value),
                WINDOW => fields.window = positive(value),
                ACK_INTERVAL => fields.ack_interval = positive(value),
                RETRY_WAIT => fields.retry_wait = seconds(value),
                RETRY_TIMEOUT => fields.retry_timeout = seconds(value),
                NO_ACK => fields.no_ack = value.as_flag().unwrap_or(false),
                COLLECTED_ACKS => fields.takes_collected = value.as_flag().unwrap_or(false),
                ACKED_STREAMS => fields.collected = value.as_blob().unwrap_or_default(),
                CELL_ORIGIN => origin = value.as_text(),
                CELL_TOPIC => fields.verb = value.as_text().unwrap_or_default(),
                _ => {}
            }
        }
        fields.id = id?;
        fields.origin = Fqcn::parse(origin?).ok()?;
        Some(fields)
    }
}

/// A whole number that is not negative.
pub(super) fn count(value: RawValue<'_>) -> Option<u64> {
    value.as_integer().and_then(|number| u64::try_from(number).ok())
}

/// A whole number above zero.
fn positive(value: RawValue<'_>) -> Option<u64> {
    count(value).filter(|number| *number > 0)
}

/// A finite number of seconds that is not negative.
fn seconds(value: RawValue<'_>) -> Option<f64> {
    value.as_number().filter(|number| number.is_finite() && *number >= 0.0)
}
