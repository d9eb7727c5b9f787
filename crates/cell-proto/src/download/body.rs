//! The bodies of both topics, between an object of the payload codec and what the machines speak.

use fedcell_fobs::{Blob, Map, Text, Value};
use fedcell_protocol_defs::download::{BodyExtension, BodyKey, ConfirmStatus, ProduceStatus};

use super::digest::{ContentDigest, Digest};

/// A body of the download service makes no sense. The peer's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// It is no map.
    #[error("the body is a {0} and not a map")]
    NotAMap(&'static str),
    /// A key is missing or has a value of the wrong kind.
    #[error("the body has no usable `{0}`")]
    Key(&'static str),
}

/// What a receiver sends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FromReceiver {
    /// The next piece, please.
    Pull(Pull),
    /// What became of an object.
    Confirm(Confirm),
    /// The receiver gives an object up.
    Cancel {
        /// The object.
        ref_id: Text,
    },
}

/// A request for the next piece.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a body with a field for each key")]
pub struct Pull {
    /// The object.
    pub ref_id: Text,
    /// The state of the reply before; none in the first request.
    pub state: Option<Map>,
    /// Whether the receiver will confirm if asked.
    pub confirms: bool,
    /// Whether the receiver wants digests of the content; an extension.
    pub digests: bool,
    /// Bytes of a piece that the receiver would like; an extension.
    pub piece: Option<u64>,
    /// How many states the receiver would like beyond that of the next piece; an extension.
    pub ahead: usize,
}

/// What became of an object at a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a body with a field for each key")]
pub struct Confirm {
    /// The object.
    pub ref_id: Text,
    /// A [`ConfirmStatus`]; any other value is ignored by the source.
    pub status: Text,
    /// What came with the last reply.
    pub nonce: Option<Text>,
}

/// The word for success or failure in a confirmation.
#[must_use]
pub const fn confirm_word(is_success: bool) -> &'static str {
    if is_success { ConfirmStatus::SUCCESS.as_str() } else { ConfirmStatus::FAILED.as_str() }
}

impl FromReceiver {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// [`BodyError`]: it is no map, names no object, or a state that is no map.
    pub fn parse(body: Value) -> Result<Self, BodyError> {
        let mut body = map(body)?;
        let ref_id = match body.remove(BodyKey::REF_ID.as_str()) {
            Some(Value::Str(ref_id)) if !ref_id.is_empty() => ref_id,
            _ => return Err(BodyError::Key(BodyKey::REF_ID.as_str())),
        };
        match body.remove(BodyKey::CONFIRM.as_str()) {
            None | Some(Value::Null) => {}
            // A status of another kind is a confirmation all the same, and one that means nothing.
            Some(status) => {
                let status = text(Some(status)).unwrap_or(Text::EMPTY);
                let nonce = text(body.remove(BodyKey::CONFIRM_NONCE.as_str()));
                return Ok(Self::Confirm(Confirm { ref_id, status, nonce }));
            }
        }
        if body.get(BodyKey::CANCEL.as_str()) == Some(&Value::Bool(true)) {
            return Ok(Self::Cancel { ref_id });
        }
        let state = match body.remove(BodyKey::STATE.as_str()) {
            None | Some(Value::Null) => None,
            // An empty state is none, in the reference too.
            Some(Value::Map(state)) => Some(state).filter(|state| !state.is_empty()),
            Some(_) => return Err(BodyError::Key(BodyKey::STATE.as_str())),
        };
        let confirms = is_set(&body, BodyKey::CONFIRM_CAPABLE.as_str());
        let digests = is_set(&body, BodyExtension::CONTENT_XXH3_128.as_str());
        let number = |key: BodyExtension<'_>| body.get(key.as_str()).and_then(Value::as_u64);
        let piece = number(BodyExtension::PIECE_SIZE);
        let ahead = number(BodyExtension::STATES_AHEAD).unwrap_or_default();
        let ahead = usize::try_from(ahead).unwrap_or(usize::MAX);
        Ok(Self::Pull(Pull { ref_id, state, confirms, digests, piece, ahead }))
    }

    /// The body.
    #[must_use]
    pub fn into_value(self) -> Value {
        let mut body = Map::with_capacity(4);
        match self {
            Self::Pull(pull) => {
                put(&mut body, BodyKey::REF_ID, pull.ref_id);
                if pull.confirms {
                    put(&mut body, BodyKey::CONFIRM_CAPABLE, true);
                }
                if let Some(state) = pull.state {
                    put(&mut body, BodyKey::STATE, state);
                }
                if pull.digests {
                    extend(&mut body, BodyExtension::CONTENT_XXH3_128, true);
                }
                if let Some(piece) = pull.piece {
                    extend(&mut body, BodyExtension::PIECE_SIZE, piece);
                }
                if pull.ahead > 0 {
                    extend(&mut body, BodyExtension::STATES_AHEAD, pull.ahead as u64);
                }
            }
            Self::Confirm(confirm) => {
                put(&mut body, BodyKey::REF_ID, confirm.ref_id);
                put(&mut body, BodyKey::CONFIRM, confirm.status);
                put(&mut body, BodyKey::CONFIRM_NONCE, confirm.nonce);
            }
            Self::Cancel { ref_id } => {
                put(&mut body, BodyKey::REF_ID, ref_id);
                put(&mut body, BodyKey::CANCEL, true);
            }
        }
        body.into()
    }
}

/// What a source answers to a pull.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FromSource {
    /// A piece, and the state with which to ask for the next.
    Piece(Piece),
    /// Nothing follows.
    End(End),
}

/// One piece of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a body with a field for each key")]
pub struct Piece {
    /// To be sent back unchanged.
    pub state: Map,
    /// States with which the pieces behind the next one are asked for, in order; an extension.
    pub ahead: Vec<Map>,
    /// The content.
    pub data: Content,
    /// Digests of the byte strings of the content, in order, if the source gives them; an extension.
    pub digests: Option<Vec<Digest>>,
    /// Whether the source understands a cancel.
    pub cancels: bool,
}

/// Content of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Archives of arrays, or whatever else a list of byte strings may be.
    Items(Vec<Blob>),
    /// A part of a file or of another long byte string.
    Bytes(Blob),
    /// An object of an application's own producer; none if it has nothing to say.
    Other(Value),
}

/// The last answer of a source to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a body with a field for each key")]
pub struct End {
    /// Whether the receiver has everything now; if not, the source could not go on.
    pub is_complete: bool,
    /// To be given back in a confirmation, which is expected; none if none is.
    pub nonce: Option<Text>,
}

impl Content {
    /// Bytes of the content; zero for an object of an application's own producer.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Items(items) => items.iter().map(Blob::len).sum(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Other(_) => 0,
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of byte strings in a list; none if it is no list.
    #[must_use]
    pub const fn items(&self) -> Option<usize> {
        match self {
            Self::Items(items) => Some(items.len()),
            Self::Bytes(_) | Self::Other(_) => None,
        }
    }

    /// The byte strings that have a digest each.
    #[must_use]
    pub fn blobs(&self) -> &[Blob] {
        match self {
            Self::Items(items) => items,
            Self::Bytes(bytes) => core::slice::from_ref(bytes),
            Self::Other(_) => &[],
        }
    }
}

impl Piece {
    /// Whether the content is what the digests say; none if there are no digests.
    #[must_use]
    pub fn is_intact(&self) -> Option<bool> {
        let digests = self.digests.as_ref()?;
        let blobs = self.data.blobs();
        let is_same = |(blob, digest): (&Blob, &Digest)| ContentDigest::of(blob) == *digest;
        Some(blobs.len() == digests.len() && blobs.iter().zip(digests).all(is_same))
    }
}

impl FromSource {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// [`BodyError`]: it is no map, or a piece without a state.
    pub fn parse(body: Value) -> Result<Self, BodyError> {
        let mut body = map(body)?;
        let status = text(body.remove(BodyKey::STATUS.as_str())).ok_or(BodyError::Key(BodyKey::STATUS.as_str()))?;
        let is_complete = status == *ProduceStatus::EOF.as_str();
        if is_complete || status == *ProduceStatus::ERROR.as_str() {
            let nonce = text(body.remove(BodyKey::CONFIRM_NONCE.as_str()));
            let nonce = nonce.filter(|_| is_set(&body, BodyKey::CONFIRM_EXPECTED.as_str()));
            return Ok(Self::End(End { is_complete, nonce }));
        }
        let Some(Value::Map(state)) = body.remove(BodyKey::STATE.as_str()) else {
            return Err(BodyError::Key(BodyKey::STATE.as_str()));
        };
        let data = match body.remove(BodyKey::DATA.as_str()).unwrap_or_default() {
            Value::Bytes(bytes) => Content::Bytes(bytes),
            Value::List(items) if items.iter().all(|item| matches!(item, Value::Bytes(_))) => {
                let blob = |item| if let Value::Bytes(blob) = item { Some(blob) } else { None };
                Content::Items(items.into_iter().filter_map(blob).collect())
            }
            other => Content::Other(other),
        };
        let digests = body.remove(BodyExtension::CONTENT_XXH3_128.as_str()).and_then(read_digests);
        let ahead = body.remove(BodyExtension::STATES_AHEAD.as_str()).map(read_states).unwrap_or_default();
        let cancels = is_set(&body, BodyKey::CANCEL_CAPABLE.as_str());
        Ok(Self::Piece(Piece { state, ahead, data, digests, cancels }))
    }

    /// The body.
    #[must_use]
    pub fn into_value(self) -> Value {
        let mut body = Map::with_capacity(5);
        match self {
            Self::Piece(piece) => {
                put(&mut body, BodyKey::STATUS, ProduceStatus::OK.as_str());
                put(&mut body, BodyKey::STATE, piece.state);
                let data = match piece.data {
                    Content::Items(items) => Value::List(items.into_iter().map(Value::Bytes).collect()),
                    Content::Bytes(bytes) => Value::Bytes(bytes),
                    Content::Other(value) => value,
                };
                put(&mut body, BodyKey::DATA, data);
                if piece.cancels {
                    put(&mut body, BodyKey::CANCEL_CAPABLE, true);
                }
                if let Some(digests) = piece.digests {
                    let digests = digests.into_iter().map(|digest| Value::Bytes(digest.to_vec().into())).collect();
                    extend(&mut body, BodyExtension::CONTENT_XXH3_128, Value::List(digests));
                }
                if !piece.ahead.is_empty() {
                    let states = piece.ahead.into_iter().map(Value::Map).collect();
                    extend(&mut body, BodyExtension::STATES_AHEAD, Value::List(states));
                }
            }
            Self::End(end) => {
                let status = if end.is_complete { ProduceStatus::EOF } else { ProduceStatus::ERROR };
                put(&mut body, BodyKey::STATUS, status.as_str());
                if let Some(nonce) = end.nonce {
                    put(&mut body, BodyKey::CONFIRM_EXPECTED, true);
                    put(&mut body, BodyKey::CONFIRM_NONCE, nonce);
                }
            }
        }
        body.into()
    }
}

/// States as far as they are maps: what stands behind something else is not believed.
fn read_states(value: Value) -> Vec<Map> {
    let Value::List(states) = value else { return Vec::new() };
    states.into_iter().map_while(|state| map(state).ok()).collect()
}

fn read_digests(value: Value) -> Option<Vec<Digest>> {
    let Value::List(digests) = value else { return None };
    let digest = |value: &Value| match value {
        Value::Bytes(bytes) => bytes.to_bytes().as_ref().try_into().ok(),
        _ => None,
    };
    // A list with something else in it is a claim that cannot hold: no digest matches none.
    Some(digests.iter().map(|value| digest(value).unwrap_or_default()).collect())
}

fn map(body: Value) -> Result<Map, BodyError> {
    match body {
        Value::Map(map) => Ok(map),
        other => Err(BodyError::NotAMap(kind(&other))),
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "missing",
        Value::List(_) | Value::Numbers(_) => "list",
        Value::Bytes(_) => "byte string",
        Value::Str(_) => "text",
        _ => "value of another kind",
    }
}

fn text(value: Option<Value>) -> Option<Text> {
    match value {
        Some(Value::Str(text)) => Some(text),
        _ => None,
    }
}

/// Whether a key has a value that Python takes for true, as far as anybody would send one.
fn is_set(body: &Map, key: &str) -> bool {
    matches!(body.get(key), Some(Value::Bool(true)))
        || matches!(body.get(key), Some(Value::Int(number)) if *number != 0)
}

fn put(body: &mut Map, key: BodyKey<'static>, value: impl Into<Value>) {
    body.insert(Text::from_static(key.as_str()), value);
}

fn extend(body: &mut Map, key: BodyExtension<'static>, value: impl Into<Value>) {
    body.insert(Text::from_static(key.as_str()), value);
}
