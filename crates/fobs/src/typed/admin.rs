//! The admin message, the abort flag, and the folders of a site.

use fedcell_protocol_defs::fobs::{DecomposerName, MessageField, SignalField, TypeName, WorkspaceLayout};

use super::{DataClass, FobsType, map, parts, take, text, word};
use crate::{Error, ErrorKind, Map, Object, Text, Value};

/// The message in which a server tells a site what to do, and a site answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminMessage {
    /// Id of this message.
    pub id: Text,
    /// What it is about; in an answer, the topic of answers.
    pub topic: Text,
    /// Its body, depending on the topic.
    pub body: Value,
    /// Its headers.
    pub headers: Map,
}

impl DataClass for AdminMessage {
    const TYPE_NAME: &'static str = TypeName::MESSAGE.as_str();

    fn into_attributes(self) -> Map {
        Map::from([
            (word(MessageField::ID.as_str()), Value::Str(self.id)),
            (word(MessageField::TOPIC.as_str()), Value::Str(self.topic)),
            (word(MessageField::BODY.as_str()), self.body),
            (word(MessageField::HEADERS.as_str()), self.headers.into()),
        ])
    }

    fn from_attributes(mut attributes: Map) -> Result<Self, Error> {
        let mut part = |key: MessageField<'static>| attributes.remove(key.as_str()).unwrap_or_default();
        let at = |error: Error, key: MessageField<'static>| error.in_field(key.as_str());
        Ok(Self {
            id: text(part(MessageField::ID), "a message id").map_err(|error| at(error, MessageField::ID))?,
            topic: text(part(MessageField::TOPIC), "a topic").map_err(|error| at(error, MessageField::TOPIC))?,
            body: part(MessageField::BODY),
            headers: map(part(MessageField::HEADERS), "a map of headers")
                .map_err(|error| at(error, MessageField::HEADERS))?,
        })
    }
}

/// The abort flag.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signal {
    /// What was given when it was triggered.
    pub value: Value,
    /// When it was triggered, in seconds since 1970.
    pub trigger_time: Option<f64>,
    /// Whether it was triggered itself.
    pub triggered: bool,
    /// A signal that counts as well.
    pub parent: Option<Box<Self>>,
}

impl Signal {
    /// Whether this signal or one above it was triggered.
    pub fn is_triggered(&self) -> bool {
        self.triggered || self.parent.as_ref().is_some_and(|parent| parent.is_triggered())
    }
}

impl DataClass for Signal {
    const TYPE_NAME: &'static str = TypeName::SIGNAL.as_str();

    fn into_attributes(self) -> Map {
        Map::from([
            (word(SignalField::VALUE.as_str()), self.value),
            (word(SignalField::TRIGGER_TIME.as_str()), self.trigger_time.into()),
            (word(SignalField::TRIGGERED.as_str()), self.triggered.into()),
            (word(SignalField::PARENT.as_str()), self.parent.map_or(Value::Null, |parent| parent.into_value())),
        ])
    }

    fn from_attributes(mut attributes: Map) -> Result<Self, Error> {
        let mut part = |key: SignalField<'static>| attributes.remove(key.as_str()).unwrap_or_default();
        let parent = match part(SignalField::PARENT) {
            Value::Null => None,
            parent => {
                let parent = Self::from_value(parent).map_err(|error| error.in_field(SignalField::PARENT.as_str()))?;
                Some(Box::new(parent))
            }
        };
        Ok(Self {
            value: part(SignalField::VALUE),
            trigger_time: part(SignalField::TRIGGER_TIME).as_f64(),
            triggered: part(SignalField::TRIGGERED).as_bool().ok_or(ErrorKind::Missing("whether it was triggered"))?,
            parent,
        })
    }
}

/// The folders of a site. Paths as text: they are the sender's, not this machine's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Root folder.
    pub root_dir: Text,
    /// Name of the site.
    pub site_name: Text,
    /// Name of the configuration folder.
    pub config_folder: Text,
}

impl FobsType for Workspace {
    fn into_value(self) -> Value {
        let parts = [self.root_dir, self.site_name, self.config_folder].map(Value::Str);
        let (type_name, decomposer) = (TypeName::WORKSPACE, DecomposerName::WORKSPACE);
        Object::new(word(type_name.as_str()), word(decomposer.as_str()), Value::List(parts.into())).into()
    }

    fn from_value(value: Value) -> Result<Self, Error> {
        let data = take(value, TypeName::WORKSPACE)?;
        let [root_dir, site_name, config_folder] = parts::<{ WorkspaceLayout::LEN }>(data, "a list of three folders")?;
        Ok(Self {
            root_dir: text(root_dir, "a folder")?,
            site_name: text(site_name, "the name of a site")?,
            config_folder: text(config_folder, "a folder")?,
        })
    }
}
