//! One text for one object: the notation in which the Rust and the Python side of the tests compare what they hold.
//!
//! The Python half is `tests/reference/fobs_notation.py`; the two must say the same of the same object.

use core::fmt::Write;

use fedcell_fobs::array::Order;
use fedcell_fobs::{Blob, DatumContent, Map, Scalar, Value};

/// The notation of a value.
pub(crate) fn note(value: &Value) -> String {
    let mut out = String::new();
    put(&mut out, value);
    out
}

fn put(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("none"),
        Value::Bool(bit) => push(out, bit),
        Value::Int(number) => push(out, format_args!("int {number}")),
        Value::UInt(number) => push(out, format_args!("int {number}")),
        Value::Float(number) => push(out, format_args!("float {:016x}", number.to_bits())),
        Value::Str(text) => put_text(out, text.as_str()),
        Value::Bytes(blob) => {
            out.push_str("bytes ");
            put_hex(out, blob);
        }
        Value::List(_) | Value::Numbers(_) => {
            put_items(out, "[", value.items().into_iter().flatten().map(|item| note(&item)), "]");
        }
        Value::Tuple(items) => put_items(out, "tuple (", items.iter().map(note), ")"),
        Value::Set(members) => {
            let mut members: Vec<_> = members.iter().map(note).collect();
            members.sort();
            put_items(out, "set {", members.into_iter(), "}");
        }
        Value::Map(map) => put_map(out, map),
        Value::OrderedDict(map) => {
            out.push_str("ordered ");
            put_map(out, map);
        }
        Value::DateTime(moment) => push(out, format_args!("datetime {moment}")),
        Value::Ext(ext) => {
            push(out, format_args!("ext {} ", ext.code));
            put_hex(out, &ext.data);
        }
        Value::Enum(member) => push(out, format_args!("enum {}.{}", member.type_name, member.member)),
        Value::Scalar(Scalar::Float64(number)) => push(out, format_args!("scalar f8 {:016x}", number.to_bits())),
        Value::Scalar(Scalar::Float32(number)) => push(out, format_args!("scalar f4 {:08x}", number.to_bits())),
        Value::Scalar(Scalar::Int64(number)) => push(out, format_args!("scalar i8 {number}")),
        Value::Scalar(Scalar::Int32(number)) => push(out, format_args!("scalar i4 {number}")),
        Value::Array(array) => {
            let shape: Vec<_> = array.shape().iter().map(ToString::to_string).collect();
            // Fewer than two axes of more than one element: both orders are one, and Python calls it C.
            let flat = array.is_empty() || array.shape().iter().filter(|axis| **axis > 1).count() < 2;
            let order = if array.order() == Order::Fortran && !flat { 'F' } else { 'C' };
            push(out, format_args!("array {} [{}] {order} ", array.dtype(), shape.join(", ")));
            put_hex(out, array.data());
        }
        Value::Remote(reference) => {
            push(out, format_args!("remote {} ", reference.source.dot));
            put_text(out, reference.source.fqcn.as_str());
            out.push(' ');
            put_text(out, reference.source.ref_id.as_str());
            out.push(' ');
            put_text(out, reference.item.as_str());
        }
        Value::Datum(datum) => {
            let (kind, held) = match &datum.content {
                DatumContent::Text(text) => ("text", Value::Str(text.clone())),
                DatumContent::Blob(blob) => ("blob", Value::Bytes(blob.clone())),
                DatumContent::File(blob) => ("file", Value::Bytes(blob.clone())),
                _ => ("unknown", Value::Null),
            };
            push(out, format_args!("datum {kind} {} ", datum.dot));
            put(out, &held);
        }
        Value::Object(object) => {
            let decomposer = object.decomposer().map_or("nothing", |name| name.as_str());
            push(out, format_args!("object {} via {decomposer} ", object.type_name()));
            put(out, object.data());
        }
        other => push(out, format_args!("unknown {}", other.kind())),
    }
}

fn push(out: &mut String, text: impl core::fmt::Display) {
    write!(out, "{text}").expect("a string takes everything");
}

fn put_items(out: &mut String, open: &str, items: impl Iterator<Item = String>, close: &str) {
    out.push_str(open);
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        out.push_str(&item);
    }
    out.push_str(close);
}

fn put_map(out: &mut String, map: &Map) {
    put_items(out, "{", map.iter().map(|(key, value)| format!("{}: {}", note(key), note(value))), "}");
}

fn put_hex(out: &mut String, blob: &Blob) {
    for byte in blob.iter() {
        push(out, format_args!("{byte:02x}"));
    }
}

/// As Python's `json.dumps` with ASCII only.
fn put_text(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    push(out, format_args!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}
