//! What is sent, made after a description; what has come, told in the words of both nodes.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use fedcell_cell::download::{Fetch, SpilledArray};
use fedcell_cell::proto::frame::Payload;
use fedcell_cell::proto::headers::HeaderMap;
use fedcell_cell::proto::request::Body;
use fedcell_fobs::array::{Array, ArrayLayout, DType, Order};
use fedcell_fobs::convert::JsonView;
use fedcell_fobs::typed::{FobsType as _, Shareable};
use fedcell_fobs::{Blob, Map, Text, Value as Fobs};
use fedcell_protocol_defs::cell::{HeaderKey, PayloadEncoding};
use fedcell_protocol_defs::federation::{DxoKey, ShareableHeader};
use fedcell_protocol_defs::stream;
use serde_json::{Value, json};

use crate::interop::cell::node::to_fobs;

/// No multiple of any chunk: bytes of two chunks never agree.
const PERIOD: usize = (1 << 20) + 7;
/// Bytes of an array that are written at a time.
const PART: usize = 8 << 20;

/// Bytes that no two chunks of share, and no two calls.
pub(super) fn content(size: usize) -> Result<Bytes> {
    let mut block = vec![0; size.min(PERIOD)];
    aws_lc_rs::rand::fill(&mut block).ok().context("no randomness")?;
    if size <= PERIOD {
        return Ok(block.into());
    }
    let mut bytes = Vec::with_capacity(size);
    for index in 0..u32::try_from(size.div_ceil(PERIOD))? {
        let start = bytes.len();
        bytes.extend_from_slice(&block[..PERIOD.min(size - start)]);
        for (place, stamp) in bytes[start..].iter_mut().zip(index.to_be_bytes()) {
            *place = stamp;
        }
    }
    Ok(bytes.into())
}

/// Writes arrays into `.npy` files of this folder, never more than a part of one in memory; what they are.
pub(super) fn array_files(description: &Value, folder: &Path) -> Result<(Vec<(Text, SpilledArray)>, Value)> {
    let Wanted { count, elements, dtype } = Wanted::read(description)?;
    let layout = ArrayLayout::new(dtype, [elements], Order::C);
    let length = layout.data_len().context("too large")?;
    let (mut files, mut sent) = (Vec::new(), serde_json::Map::new());
    for index in 0..count {
        let path = folder.join(format!("layer{index}.npy"));
        let (mut file, mut digest, mut written) = (File::create(&path)?, Context::new(&SHA256), 0);
        file.write_all(&layout.npy_header())?;
        while written < length {
            let part = content(PART.min(length - written))?;
            digest.update(&part);
            file.write_all(&part)?;
            written += part.len();
        }
        sent.insert(format!("layer{index}"), array(&layout, digest));
        files.push((format!("layer{index}").into(), SpilledArray::open_npy(path)?));
    }
    Ok((files, sent.into()))
}

/// What an object of the rows is made of.
pub(super) fn object(description: &Value) -> Result<Option<Fobs>> {
    if description.get("arrays").is_some() {
        let made = Fobs::Map(arrays(description)?.into_iter().collect());
        if description["shareable"] != true {
            let entries: [(&str, Fobs); 2] = [("round", 3.into()), ("model", made)];
            return Ok(Some(Fobs::Map(entries.into_iter().collect())));
        }
        let mut shareable = Shareable::new();
        let dxo = [(DxoKey::KIND, "WEIGHTS".into()), (DxoKey::DATA, made), (DxoKey::META, Map::new().into())];
        let dxo: Map = dxo.into_iter().map(|(key, value)| (key.as_str(), value)).collect();
        shareable.entries_mut().insert("DXO", dxo);
        shareable.set_header(ShareableHeader::CONTENT_TYPE.as_str(), "DXO");
        return Ok(Some(shareable.into_value()));
    }
    description.get("fobs").map(to_fobs).transpose()
}

/// A body without arrays, after its description.
pub(super) fn body(description: &Value) -> Result<Body> {
    match description["random"].as_u64() {
        Some(size) => Ok(Body::bytes(content(usize::try_from(size)?)?)),
        None => Ok(Body::none()),
    }
}

/// The arrays of a description.
struct Wanted {
    count: u64,
    elements: usize,
    dtype: DType,
}

impl Wanted {
    fn read(description: &Value) -> Result<Self> {
        let wanted = &description["arrays"];
        let number = |key: &str| wanted[key].as_u64().with_context(|| format!("no {key}"));
        let dtype = DType::parse(wanted["dtype"].as_str().context("no dtype")?.as_bytes())?;
        Ok(Self { count: number("count")?, elements: usize::try_from(number("elements")?)?, dtype })
    }
}

/// Arrays that differ, with their names.
pub(super) fn arrays(description: &Value) -> Result<Vec<(Fobs, Fobs)>> {
    let Wanted { count, elements, dtype } = Wanted::read(description)?;
    let one = |index| {
        let data = Blob::from(content(elements * dtype.item_size())?);
        let array = Array::new(dtype.clone(), [elements], Order::C, data)?;
        anyhow::Ok((format!("layer{index}").as_str().into(), Fobs::Array(Box::new(array))))
    };
    (0..count).map(one).collect()
}

/// What bytes are.
pub(super) fn told<'a>(segments: impl IntoIterator<Item = &'a Bytes>) -> Value {
    let (mut context, mut length) = (Context::new(&SHA256), 0);
    for segment in segments {
        context.update(segment);
        length += segment.len();
    }
    json!({"len": length, "sha256": hex(context.finish().as_ref())})
}

/// What a file is.
pub(crate) fn told_file(path: &Path) -> std::io::Result<Value> {
    let (mut file, mut context, mut length) = (File::open(path)?, Context::new(&SHA256), 0);
    let mut piece = vec![0; PERIOD];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            break;
        }
        context.update(&piece[..read]);
        length += read;
    }
    Ok(json!({"len": length, "sha256": hex(context.finish().as_ref())}))
}

/// The digest of bytes that come piece by piece.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a body is, by its encoding.
pub(super) fn describe(encoding: PayloadEncoding<'_>, payload: &Payload) -> Result<Value> {
    Ok(match encoding {
        PayloadEncoding::NONE => json!({"encoding": "none"}),
        PayloadEncoding::FOBS => {
            let segments: Vec<_> = payload.segments().cloned().collect();
            match fedcell_fobs::decode(&segments)? {
                // The reference does not tell an encoded nothing from no body.
                Fobs::Null => json!({"encoding": "none"}),
                value => json!({"encoding": "fobs", "value": tree(&value)}),
            }
        }
        _ => {
            let mut told = told(payload.segments());
            told["encoding"] = json!("bytes");
            told
        }
    })
}

/// What a received body is, everything that it refers to being fetched; streams have a header of their own for its
/// encoding.
pub(super) async fn describe_received(headers: &HeaderMap, payload: &Payload, fetch: Fetch) -> Result<Value> {
    match received_encoding(headers)? {
        PayloadEncoding::FOBS => Ok(match fetch.await? {
            // The reference does not tell an encoded nothing from no body.
            Fobs::Null => json!({"encoding": "none"}),
            value => json!({"encoding": "fobs", "value": tree(&value)}),
        }),
        encoding => describe(encoding, payload),
    }
}

/// How a received body is encoded.
pub(super) fn received_encoding(headers: &HeaderMap) -> Result<PayloadEncoding<'_>> {
    let text = match headers.text(stream::HeaderKey::PAYLOAD_ENCODING)? {
        Some(text) => Some(text),
        None => headers.text(HeaderKey::PAYLOAD_ENCODING)?,
    };
    Ok(text.map_or(PayloadEncoding::NONE, PayloadEncoding::new))
}

/// What an object is: arrays by their content, references by their address, all else as it stands.
pub(super) fn tree(value: &Fobs) -> Value {
    match value {
        Fobs::Array(it) => {
            let mut digest = Context::new(&SHA256);
            it.data().segments().iter().for_each(|segment| digest.update(segment));
            array(it.layout(), digest)
        }
        Fobs::Remote(item) => json!({"lazy": item.item.as_str(), "fqcn": item.source.fqcn.as_str()}),
        Fobs::Map(map) | Fobs::OrderedDict(map) => entries(map),
        Fobs::Object(object) => tree(object.data()),
        Fobs::Bytes(blob) => told(blob.segments()),
        Fobs::List(items) | Fobs::Tuple(items) => items.iter().map(tree).collect::<Vec<_>>().into(),
        other => json!(JsonView::new(other)),
    }
}

/// What an array is whose elements have this digest.
fn array(layout: &ArrayLayout, digest: Context) -> Value {
    let sha256 = hex(digest.finish().as_ref());
    json!({"dtype": layout.dtype().to_string(), "shape": layout.shape(), "sha256": sha256})
}

fn entries(map: &Map) -> Value {
    let named = map.iter().filter_map(|(key, value)| Some((key.as_str()?, value)));
    let shown = named.filter(|(key, _)| *key != ShareableHeader::HEADERS.as_str());
    shown.map(|(key, value)| (key.to_owned(), tree(value))).collect::<serde_json::Map<_, _>>().into()
}
