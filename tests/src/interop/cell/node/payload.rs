//! Payloads of the rows: made after a description, told by encoding and digest.

use anyhow::{Context as _, Result};
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use fedcell_cell::fobs_body;
use fedcell_cell::proto::headers::HeaderMap;
use fedcell_cell::proto::message::Payload;
use fedcell_cell::proto::request::Body;
use fedcell_fobs::convert::JsonView;
use fedcell_fobs::{Map, Value as Fobs};
use fedcell_protocol_defs::cell::{HeaderKey, PayloadEncoding};
use serde_json::{Value, json};

/// A body after its description.
pub(super) fn make(description: &Value) -> Result<Body> {
    if let Some(object) = description.get("fobs") {
        return Ok(fobs_body(&to_fobs(object)?)?);
    }
    if let Some(text) = description["text"].as_str() {
        return Ok(Body::bytes(Bytes::copy_from_slice(text.as_bytes())));
    }
    if let Some(size) = description["random"].as_u64() {
        let mut bytes = vec![0; usize::try_from(size)?];
        aws_lc_rs::rand::fill(&mut bytes).ok().context("no randomness")?;
        return Ok(Body::bytes(Bytes::from(bytes)));
    }
    Ok(Body::none())
}

/// What a body is, to be compared with what arrives.
pub(super) fn tell(body: &Body) -> Result<Value> {
    tell_encoded(body.encoding(), body.payload())
}

/// What a received payload is.
pub(super) fn tell_received(headers: &HeaderMap, payload: &Payload) -> Result<Value> {
    let encoding = headers.text(HeaderKey::PAYLOAD_ENCODING)?.map_or(PayloadEncoding::NONE, PayloadEncoding::new);
    tell_encoded(encoding, payload)
}

/// What a payload is as it travels, whatever it means.
pub(super) fn tell_raw(payload: &Payload) -> Result<Value> {
    tell_encoded(PayloadEncoding::BYTES, payload)
}

fn tell_encoded(encoding: PayloadEncoding<'_>, payload: &Payload) -> Result<Value> {
    Ok(match encoding {
        PayloadEncoding::NONE => json!({"encoding": "none", "len": 0}),
        PayloadEncoding::FOBS => {
            let segments: Vec<_> = payload.segments().cloned().collect();
            let value = fedcell_fobs::decode(&segments)?;
            json!({"encoding": "fobs", "value": JsonView::new(&value)})
        }
        _ => {
            let bytes = payload.clone().into_bytes();
            let hash: String = digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            json!({"encoding": "bytes", "len": bytes.len(), "sha256": hash})
        }
    })
}

/// A JSON value as an object of FOBS.
pub(crate) fn to_fobs(value: &Value) -> Result<Fobs> {
    Ok(match value {
        Value::Null => Fobs::Null,
        Value::Bool(bit) => (*bit).into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => number.as_f64().context("no number")?.into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => Fobs::List(items.iter().map(to_fobs).collect::<Result<_>>()?),
        Value::Object(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                map.insert(key.as_str(), to_fobs(value)?);
            }
            map.into()
        }
    })
}
