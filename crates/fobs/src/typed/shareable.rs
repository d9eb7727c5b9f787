//! `Shareable`: the body of tasks, results and requests.

use fedcell_protocol_defs::federation::{ContentType, DxoKey, ShareableCode, ShareableHeader};
use fedcell_protocol_defs::fobs::TypeName;

use super::{Dxo, FlContext, FobsType, map, take, word};
use crate::{Error, ErrorKind, Map, Object, Text, Value};

/// A map with headers: what server and clients exchange.
///
/// The headers are an entry of the map, as in the reference; the methods find them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shareable(Map);

impl Default for Shareable {
    fn default() -> Self {
        Self::new()
    }
}

impl Shareable {
    /// A shareable with empty headers and nothing else.
    pub fn new() -> Self {
        Self(Map::from([(word(ShareableHeader::HEADERS.as_str()), Map::new())]))
    }

    /// A reply with this return code and nothing else.
    pub fn reply(code: ShareableCode<'_>) -> Self {
        let mut reply = Self::new();
        reply.set_return_code(code);
        reply
    }

    /// All entries, the headers among them.
    pub const fn entries(&self) -> &Map {
        &self.0
    }

    /// All entries, to be changed.
    pub const fn entries_mut(&mut self) -> &mut Map {
        &mut self.0
    }

    /// The headers, if there are any.
    pub fn headers(&self) -> Option<&Map> {
        self.0.get(ShareableHeader::HEADERS.as_str())?.as_map()
    }

    /// A header by its name: one of [`ShareableHeader`], or an application's.
    pub fn header(&self, name: &str) -> Option<&Value> {
        self.headers()?.get(name)
    }

    /// Sets a header.
    pub fn set_header(&mut self, name: impl Into<Text>, value: impl Into<Value>) {
        if let Some(headers) = self.0.map_at(word(ShareableHeader::HEADERS.as_str())) {
            headers.insert(name.into(), value);
        }
    }

    /// The return code; a shareable without one counts as a success.
    pub fn return_code(&self) -> ShareableCode<'_> {
        let code = self.header(ShareableHeader::RC.as_str()).and_then(Value::as_str);
        code.map_or(ShareableCode::OK, ShareableCode::new)
    }

    /// Sets the return code.
    pub fn set_return_code(&mut self, code: ShareableCode<'_>) {
        self.set_header(word(ShareableHeader::RC.as_str()), code.as_str());
    }

    /// The cookies, which a client sends back as they came.
    pub fn cookie_jar(&self) -> Option<&Map> {
        self.header(ShareableHeader::COOKIE_JAR.as_str())?.as_map()
    }

    /// Sets all cookies: what a client does with those of the task that it answers.
    pub fn set_cookie_jar(&mut self, jar: Map) {
        self.set_header(word(ShareableHeader::COOKIE_JAR.as_str()), jar);
    }

    /// A cookie.
    pub fn cookie(&self, name: &str) -> Option<&Value> {
        self.cookie_jar()?.get(name)
    }

    /// Adds a cookie: what a server does.
    pub fn add_cookie(&mut self, name: impl Into<Text>, value: impl Into<Value>) {
        let headers = self.0.map_at(word(ShareableHeader::HEADERS.as_str()));
        if let Some(jar) = headers.and_then(|headers| headers.map_at(word(ShareableHeader::COOKIE_JAR.as_str()))) {
            jar.insert(name.into(), value);
        }
    }

    /// The public properties of the peer's context.
    pub fn peer_props(&self) -> Option<&Map> {
        self.header(ShareableHeader::PEER_PROPS.as_str())?.as_map()
    }

    /// Sets the public properties that the peer is to see.
    pub fn set_peer_props(&mut self, props: Map) {
        self.set_header(word(ShareableHeader::PEER_PROPS.as_str()), props);
    }

    /// The peer's context.
    ///
    /// # Errors
    ///
    /// The header is no context.
    pub fn peer_context(&self) -> Result<Option<FlContext>, Error> {
        let header = ShareableHeader::PEER_CTX;
        match self.header(header.as_str()) {
            None | Some(Value::Null) => Ok(None),
            Some(context) => FlContext::from_value(context.clone())
                .map(Some)
                .map_err(|error| error.in_field(header.as_str()).in_field(ShareableHeader::HEADERS.as_str())),
        }
    }

    /// Sets the context that the peer is to see.
    pub fn set_peer_context(&mut self, context: FlContext) {
        self.set_header(word(ShareableHeader::PEER_CTX.as_str()), context.into_value());
    }

    /// Name of the task.
    pub fn task_name(&self) -> Option<&str> {
        self.header(ShareableHeader::TASK_NAME.as_str())?.as_str()
    }

    /// Id of the task.
    pub fn task_id(&self) -> Option<&str> {
        self.header(ShareableHeader::TASK_ID.as_str())?.as_str()
    }

    /// Puts a data exchange object in.
    pub fn set_dxo(&mut self, dxo: Dxo) {
        self.set_header(word(ShareableHeader::CONTENT_TYPE.as_str()), word(ContentType::DXO.as_str()));
        self.0.insert(word(DxoKey::DXO.as_str()), dxo.into_map());
    }

    /// Takes the data exchange object out.
    ///
    /// # Errors
    ///
    /// The content type is another, or the entry is missing or malformed.
    pub fn take_dxo(&mut self) -> Result<Dxo, Error> {
        let content = self.header(ShareableHeader::CONTENT_TYPE.as_str()).and_then(Value::as_str);
        if content != Some(ContentType::DXO.as_str()) {
            let found = content.map_or(word("none"), Text::from);
            return Err(ErrorKind::Unexpected { expected: "a shareable with the content type of a dxo", found }.into());
        }
        let key = DxoKey::DXO;
        let dxo = self.0.remove(key.as_str()).ok_or(ErrorKind::Missing("the dxo of the shareable"))?;
        map(dxo, "the map of a dxo").and_then(Dxo::from_map).map_err(|error| error.in_field(key.as_str()))
    }
}

impl FobsType for Shareable {
    fn into_value(self) -> Value {
        Object::dict(word(TypeName::SHAREABLE.as_str()), self.0).into()
    }

    fn from_value(value: Value) -> Result<Self, Error> {
        map(take(value, TypeName::SHAREABLE)?, "the entries of a shareable").map(Self)
    }
}
