//! Lower-case hexadecimal, written without a table or a branch that depends on the value: tokens and tags pass here.

/// Writes `bytes` as lower-case hex digits.
///
/// The text is allocated once at its final size, so that no shorter copy of a secret is left behind by a reallocation.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(digit(byte >> 4)));
        text.push(char::from(digit(byte & 0x0f)));
    }
    text
}

/// Whether `text` is made of lower-case hex digits only.
pub(super) fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// One digit; for values over nine the distance between `'9' + 1` and `'a'` is added by a mask.
const fn digit(nibble: u8) -> u8 {
    let over_nine = (9_u8.wrapping_sub(nibble) >> 7) & 1;
    b'0' + nibble + over_nine * (b'a' - b'9' - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_written_as_the_formatter_writes_it() {
        for byte in 0..=u8::MAX {
            let text = encode(&[byte]);
            assert_eq!(text, format!("{byte:02x}"));
            assert!(is_lower_hex(&text));
        }
        assert_eq!(encode(&[]), "");
    }

    #[test]
    fn only_lower_case_digits_count_as_hex() {
        for text in ["A", "g", "0x", " ", "é", "0 ", "\u{ff11}"] {
            assert!(!is_lower_hex(text), "{text:?}");
        }
    }
}
