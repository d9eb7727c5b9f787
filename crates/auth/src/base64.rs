//! Base64 in the standard alphabet, strict: the only text form of a signature, and the body of a PEM block.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Why text is not canonical base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected canonical base64 of the standard alphabet with padding")]
pub(crate) struct NotBase64;

/// Encodes with padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for group in bytes.chunks(3) {
        let mut word = 0_u32;
        for position in 0..3 {
            word = (word << 8) | u32::from(group.get(position).copied().unwrap_or(0));
        }
        for position in 0..4_usize {
            if position <= group.len() {
                let sextet = (word >> (18 - 6 * position)) & 0x3f;
                text.push(letter(sextet));
            } else {
                text.push('=');
            }
        }
    }
    text
}

fn letter(sextet: u32) -> char {
    usize::try_from(sextet).ok().and_then(|index| ALPHABET.get(index)).map_or('A', |&byte| char::from(byte))
}

/// Decodes text that is padded, without white space, and has no stray bits in its last letter.
///
/// `out` is appended to, so that a caller that decodes a secret can bring a buffer that is wiped.
pub(crate) fn decode_into(text: impl Iterator<Item = u8>, out: &mut Vec<u8>) -> Result<(), NotBase64> {
    let mut word = 0_u32;
    let mut letters = 0_u32;
    let mut padding = 0_u32;
    for byte in text {
        let sextet = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if letters >= 2 => {
                padding += 1;
                if letters + padding > 4 {
                    return Err(NotBase64);
                }
                continue;
            }
            _ => return Err(NotBase64),
        };
        if padding > 0 {
            return Err(NotBase64);
        }
        word = (word << 6) | u32::from(sextet);
        letters += 1;
        if letters == 4 {
            let [_, first, second, third] = word.to_be_bytes();
            out.extend_from_slice(&[first, second, third]);
            (word, letters) = (0, 0);
        }
    }
    match (letters, padding) {
        (0, 0) => Ok(()),
        (2, 2) if word & 0x0f == 0 => {
            let [_, _, _, first] = (word >> 4).to_be_bytes();
            out.push(first);
            Ok(())
        }
        (3, 1) if word & 0x03 == 0 => {
            let [_, _, first, second] = (word >> 2).to_be_bytes();
            out.extend_from_slice(&[first, second]);
            Ok(())
        }
        _ => Err(NotBase64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&[u8]>) {
        let mut out = Vec::new();
        let decoded = decode_into(text.bytes(), &mut out).map(|()| out);
        assert_eq!(decoded.as_deref().ok(), expected, "{text}");
        if let Some(bytes) = expected {
            assert_eq!(encode(bytes), text);
        }
    }

    #[test]
    fn only_canonical_text_is_decoded() {
        check("", Some(b""));
        check("Zg==", Some(b"f"));
        check("Zm8=", Some(b"fo"));
        check("Zm9v", Some(b"foo"));
        check("Zm9vYg==", Some(b"foob"));
        check("+/+/", Some(&[0xfb, 0xff, 0xbf]));
        for bad in
            ["Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm8", "Zg===", "====", "Zm9v=", "Zm 9v", "Zm9v\n", "-_-_", "Zg==Zg=="]
        {
            check(bad, None);
        }
    }
}
