//! The JSON of a download datum: where the arrays of a container are.

use fedcell_protocol_defs::fobs::DownloadRefKey;

use crate::Text;
use crate::error::{Error, ErrorKind};
use crate::object::DownloadRef;

/// Reads `{"fqcn": "server.job", "ref_id": "…"}`, in any order.
pub(crate) fn parse(json: &Text, dot: u8) -> Result<DownloadRef, Error> {
    let malformed = |what| Error::new(ErrorKind::DownloadDatum(what));
    let (mut fqcn, mut ref_id) = (None, None);
    let mut input = Json(json.as_str());
    input.expect('{').ok_or_else(|| malformed("it is no json object"))?;
    if !input.skip('}') {
        loop {
            let (key, value) = input.entry().ok_or_else(|| malformed("it is no json object of texts"))?;
            if key == DownloadRefKey::FQCN.as_str() {
                fqcn = Some(value);
            } else if key == DownloadRefKey::REF_ID.as_str() {
                ref_id = Some(value);
            }
            if !input.skip(',') {
                input.expect('}').ok_or_else(|| malformed("it is no json object of texts"))?;
                break;
            }
        }
    }
    input.space();
    match (fqcn, ref_id) {
        _ if !input.0.is_empty() => Err(malformed("something follows the json object")),
        (Some(fqcn), Some(ref_id)) if !fqcn.is_empty() && !ref_id.is_empty() => {
            Ok(DownloadRef { fqcn: fqcn.into(), ref_id: ref_id.into(), dot })
        }
        _ => Err(malformed("it does not say both the cell and the batch")),
    }
}

/// The text of the datum, as Python's `json.dumps` writes it.
pub(crate) fn to_json(source: &DownloadRef) -> String {
    let mut json = String::from("{");
    quote(&mut json, DownloadRefKey::FQCN.as_str());
    json.push_str(": ");
    quote(&mut json, source.fqcn.as_str());
    json.push_str(", ");
    quote(&mut json, DownloadRefKey::REF_ID.as_str());
    json.push_str(": ");
    quote(&mut json, source.ref_id.as_str());
    json.push('}');
    json
}

fn quote(json: &mut String, text: &str) {
    json.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => json.extend(['\\', letter]),
            ' '..='~' => json.push(letter),
            _ => letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| json.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    json.push('"');
}

struct Json<'a>(&'a str);

impl Json<'_> {
    fn entry(&mut self) -> Option<(String, String)> {
        let key = self.text()?;
        self.expect(':')?;
        Some((key, self.text()?))
    }

    fn text(&mut self) -> Option<String> {
        self.expect('"')?;
        let mut units = String::new();
        let mut pending = Vec::new();
        loop {
            let letter = self.letter()?;
            if letter == '\\' && self.0.starts_with('u') {
                self.letter();
                pending.push(self.unit()?);
                continue;
            }
            units.push_str(&String::from_utf16(&pending).ok()?);
            pending.clear();
            match letter {
                '"' => return Some(units),
                '\\' => units.push(match self.letter()? {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    same @ ('"' | '\\' | '/') => same,
                    _ => return None,
                }),
                control if control < ' ' => return None,
                plain => units.push(plain),
            }
        }
    }

    fn unit(&mut self) -> Option<u16> {
        let (digits, rest) = self.0.split_at_checked(4)?;
        self.0 = rest;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
    }

    fn letter(&mut self) -> Option<char> {
        let mut letters = self.0.chars();
        let letter = letters.next();
        self.0 = letters.as_str();
        letter
    }

    fn expect(&mut self, letter: char) -> Option<()> {
        self.skip(letter).then_some(())
    }

    fn skip(&mut self, letter: char) -> bool {
        self.space();
        match self.0.strip_prefix(letter) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', '\r', '\n']);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Option<(&str, &str)>) {
        let found = parse(&json.into(), 3).ok();
        assert_eq!(found.as_ref().map(|it| (it.fqcn.as_str(), it.ref_id.as_str())), expected, "{json}");
    }

    #[test]
    fn what_the_reference_writes_is_read() {
        let source = DownloadRef::arrays("server.jöb\"\u{1f600}", "ref\n");
        let json = to_json(&source);
        assert_eq!(json, r#"{"fqcn": "server.j\u00f6b\"\ud83d\ude00", "ref_id": "ref\u000a"}"#);
        assert_eq!(parse(&json.into(), 3).unwrap(), source);
        check(r#" { "ref_id":"r" , "more" : "", "fqcn":"s\/1" } "#, Some(("s/1", "r")));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for wrong in [
            "",
            "{}",
            "[]",
            r#"{"fqcn": "a"}"#,
            r#"{"fqcn": "", "ref_id": "b"}"#,
            r#"{"fqcn": "a", "ref_id": 1}"#,
            r#"{"fqcn": "a", "ref_id": "b"} x"#,
            r#"{"fqcn": "a", "ref_id": "b""#,
            r#"{"fqcn": "\ud83d", "ref_id": "b"}"#,
            r#"{"fqcn": "\u+123", "ref_id": "b"}"#,
            r#"{"fqcn": "a", "ref_id": "b",}"#,
        ] {
            check(wrong, None);
        }
    }
}
