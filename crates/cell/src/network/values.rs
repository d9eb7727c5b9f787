//! Objects in the bodies of the commands: headers, tables, lists of names.

use bytes::Bytes;
use fedcell_cell_proto::headers::{HeaderLimits, HeaderMap, RawValue};
use fedcell_cell_proto::request::Reply;
use fedcell_cell_proto::stats::Table;
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::{HeaderKey, NetKey};

use crate::error::BodyError;
use crate::handler::fobs_body;

/// A reply with an object.
pub(super) fn reply(value: &Value) -> Result<Reply, BodyError> {
    Ok(Reply::ok(fobs_body(value)?))
}

/// Headers as a dict. What says how the payload was encoded is left out: for the reader the payload is decoded.
pub(super) fn of_headers(headers: &HeaderMap) -> Value {
    let entries = headers.iter().filter(|(key, _)| *key != HeaderKey::PAYLOAD_ENCODING.as_str());
    Value::Map(entries.map(|(key, raw)| (Value::from(key), of_raw(raw))).collect::<Map>())
}

fn of_raw(raw: RawValue<'_>) -> Value {
    const FALSE: u8 = 0xc2;
    const TRUE: u8 = 0xc3;
    if raw.is_nil() {
        return Value::Null;
    }
    if let [bit @ (FALSE | TRUE)] = raw.as_bytes() {
        return Value::from(*bit == TRUE);
    }
    if let Some(text) = raw.as_text() {
        return Value::from(text);
    }
    if let Some(whole) = raw.as_integer() {
        return Value::from(whole);
    }
    if let Some(number) = raw.as_number() {
        return Value::from(number);
    }
    if let Some(blob) = raw.as_blob() {
        return Value::Bytes(Bytes::copy_from_slice(blob).into());
    }
    if let Some(items) = raw.items() {
        return Value::List(items.map(of_raw).collect());
    }
    match HeaderMap::decode(Bytes::copy_from_slice(raw.as_bytes()), &HeaderLimits::default()) {
        Ok(map) => of_headers(&map),
        Err(_) => Value::Null,
    }
}

/// A table as the commands send it.
pub(super) fn of_table(table: Table) -> Value {
    let row = |row: Vec<String>| Value::List(row.into_iter().map(Value::from).collect());
    let rows = Value::List(table.rows.into_iter().map(row).collect());
    let headers = row(table.headers);
    Value::Map(Map::from([(NetKey::HEADERS.as_str(), headers), (NetKey::ROWS.as_str(), rows)]))
}

/// A table as it came.
pub(super) fn to_table(value: &Value) -> Option<Table> {
    let map = value.as_map()?;
    let headers = texts(map.get(NetKey::HEADERS.as_str())?)?;
    let rows = map.get(NetKey::ROWS.as_str())?.items()?;
    let rows = rows.map(|row| texts(&row)).collect::<Option<_>>()?;
    Some(Table { headers, rows })
}

/// A list of texts.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    value.items()?.map(|item| item.as_str().map(ToOwned::to_owned)).collect()
}

/// A text in a dict.
pub(super) fn text<'a>(value: &'a Value, key: NetKey<'_>) -> Option<&'a str> {
    value.as_map()?.get(key.as_str())?.as_str()
}

/// A whole number in a dict.
pub(super) fn number(value: &Value, key: NetKey<'_>) -> Option<i64> {
    value.as_map()?.get(key.as_str())?.as_i64()
}
