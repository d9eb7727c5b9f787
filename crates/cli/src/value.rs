//! Objects: written as JSON on the command line, shown as JSON in results.

use fedcell_fobs::convert::JsonView;
use fedcell_fobs::{Map, Value as Fobs};
use serde_json::Value;

use crate::exit::{Failure, Kind};

/// How many bytes of a byte string, or elements of an array, are shown.
const SHOWN: usize = 4096;

/// The object that a JSON text describes: numbers without a fraction become integers.
///
/// # Errors
///
/// [`Failure`] if the text is no JSON.
pub(crate) fn parse(text: &str) -> Result<Fobs, Failure> {
    let value = serde_json::from_str(text)
        .map_err(|error| Failure::new(Kind::Usage, error).context("--fobs is no JSON text"))?;
    Ok(to_fobs(&value))
}

fn to_fobs(value: &Value) -> Fobs {
    match value {
        Value::Null => Fobs::Null,
        Value::Bool(bit) => (*bit).into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => Fobs::List(items.iter().map(to_fobs).collect()),
        Value::Object(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                map.insert(key.as_str(), to_fobs(value));
            }
            map.into()
        }
    }
}

/// What can be shown of an object.
///
/// # Errors
///
/// [`Failure`] if it has no form in JSON.
pub(crate) fn show(value: &Fobs) -> Result<Value, Failure> {
    serde_json::to_value(JsonView::new(value).showing(SHOWN)).map_err(Failure::local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str) {
        let shown = show(&parse(text).unwrap()).unwrap();
        assert_eq!(shown, serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn json_survives_the_way_through_an_object() {
        check("null");
        check(r#"{"a": [1, -2, 18446744073709551615, 0.5, true, null], "b": {"text": "Grüße"}, "c": []}"#);
    }

    #[test]
    fn what_is_no_json_is_a_mistake_of_the_caller() {
        assert_eq!(parse("{").unwrap_err().kind(), Kind::Usage);
    }
}
