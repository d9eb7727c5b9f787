//! The reference's own types as Rust types, over the object model.
//!
//! Each takes its parts out of a decoded [`Value`] by moving them: no array and no text is copied. What a type has
//! that the crate does not name (further headers, further entries) stays in it and goes out again.

mod admin;
mod application;
mod context;
mod dxo;
mod fl_model;
mod learnable;
mod shareable;

pub use admin::{AdminMessage, Signal, Workspace};
pub use application::Application;
pub use context::{FlContext, Property};
pub use dxo::Dxo;
pub use fl_model::FlModel;
pub use learnable::{Learnable, ModelLearnable};
pub use shareable::Shareable;

use fedcell_protocol_defs::fobs::{DataClassKey, TypeName};

use crate::{Error, ErrorKind, Map, Object, Text, Value};

/// A type that travels as a FOBS object.
pub trait FobsType: Sized {
    /// The object, made of the parts of this one.
    fn into_value(self) -> Value;

    /// Takes the parts out of an object.
    ///
    /// # Errors
    ///
    /// The object is of another type, or lacks a part; the error's path says which.
    fn from_value(value: Value) -> Result<Self, Error>;
}

/// A user's own type that travels as an instance of a Python data class, by its attributes.
///
/// The peer must have registered a class of that name.
///
/// ```
/// use fedcell_fobs::typed::{DataClass, FobsType};
/// use fedcell_fobs::{Error, ErrorKind, Map, Value, decode, encode};
///
/// #[derive(Debug, PartialEq)]
/// struct Report {
///     epochs: i64,
/// }
///
/// impl DataClass for Report {
///     const TYPE_NAME: &'static str = "my_app.report.Report";
///
///     fn into_attributes(self) -> Map {
///         Map::from([("epochs", self.epochs)])
///     }
///
///     fn from_attributes(attributes: Map) -> Result<Self, Error> {
///         let epochs = attributes.get("epochs").and_then(Value::as_i64).ok_or(ErrorKind::Missing("epochs"))?;
///         Ok(Self { epochs })
///     }
/// }
///
/// let sent = encode(&Report { epochs: 3 }.into_value())?;
/// assert_eq!(Report::from_value(decode(sent.segments())?)?, Report { epochs: 3 });
/// # Ok::<(), Error>(())
/// ```
pub trait DataClass: Sized {
    /// Module and class in Python.
    const TYPE_NAME: &'static str;

    /// The attributes, in order.
    fn into_attributes(self) -> Map;

    /// Makes an instance of attributes.
    ///
    /// # Errors
    ///
    /// An attribute is missing or of another kind.
    fn from_attributes(attributes: Map) -> Result<Self, Error>;
}

impl<T: DataClass> FobsType for T {
    fn into_value(self) -> Value {
        Object::data_class(Text::from_static(T::TYPE_NAME), self.into_attributes()).into()
    }

    fn from_value(value: Value) -> Result<Self, Error> {
        let mut data = map(take_object(value, T::TYPE_NAME)?, "the map of a data class")?;
        let key = DataClassKey::DATA;
        let attributes = data.remove(key.as_str()).ok_or(ErrorKind::Missing("the attributes of a data class"))?;
        map(attributes, "a map of attributes")
            .and_then(T::from_attributes)
            .map_err(|error| error.in_field(key.as_str()))
    }
}

/// The reduced form of an object that must be of this type.
fn take_object(value: Value, type_name: &'static str) -> Result<Value, Error> {
    match value {
        Value::Object(object) if *object.type_name() == *type_name => Ok(object.into_data()),
        Value::Object(object) => {
            Err(ErrorKind::Unexpected { expected: type_name, found: object.type_name().clone() }.into())
        }
        other => Err(unexpected(type_name, &other)),
    }
}

fn take(value: Value, type_name: TypeName<'static>) -> Result<Value, Error> {
    take_object(value, type_name.as_str())
}

fn unexpected(expected: &'static str, found: &Value) -> Error {
    ErrorKind::Unexpected { expected, found: Text::from_static(found.kind()) }.into()
}

fn map(value: Value, expected: &'static str) -> Result<Map, Error> {
    match value {
        Value::Map(map) | Value::OrderedDict(map) => Ok(map),
        other => Err(unexpected(expected, &other)),
    }
}

fn text(value: Value, expected: &'static str) -> Result<Text, Error> {
    match value {
        Value::Str(text) => Ok(text),
        other => Err(unexpected(expected, &other)),
    }
}

/// The parts of a list or tuple of a fixed length.
fn parts<const N: usize>(value: Value, expected: &'static str) -> Result<[Value; N], Error> {
    match value {
        Value::List(items) | Value::Tuple(items) => {
            items.try_into().map_err(|items: Vec<Value>| unexpected(expected, &Value::List(items)))
        }
        other => Err(unexpected(expected, &other)),
    }
}

const fn word(word: &'static str) -> Text {
    Text::from_static(word)
}
