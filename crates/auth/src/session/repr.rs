//! Text as Python's `repr` writes it, for ASCII: the form in which a scope field enters a proof.
//!
//! The rules are those of CPython's `str.__repr__`: single quotes, unless the text has single quotes and no double
//! ones; a backslash before a backslash and before the chosen quote; `\t`, `\n` and `\r` by letter, every other control
//! character and DEL as `\x` and two lower-case digits; the rest as it is. What lies beyond ASCII is decided in Python
//! by a table of printable characters that changes with its version, so it is refused here.

use core::fmt::Write as _;

/// `text` as Python's `repr` writes it.
///
/// # Errors
///
/// The byte position of the first character that is not ASCII.
pub(super) fn python_repr(text: &str) -> Result<String, usize> {
    if let Some(at) = text.bytes().position(|byte| !byte.is_ascii()) {
        return Err(at);
    }
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut repr = String::with_capacity(text.len() + 2);
    repr.push(quote);
    for character in text.chars() {
        match character {
            '\\' => repr.push_str(r"\\"),
            '\t' => repr.push_str(r"\t"),
            '\n' => repr.push_str(r"\n"),
            '\r' => repr.push_str(r"\r"),
            '\0'..='\x1f' | '\x7f' => {
                // Writing into a `String` cannot fail.
                let _ = write!(repr, r"\x{:02x}", u32::from(character));
            }
            _ if character == quote => {
                repr.push('\\');
                repr.push(quote);
            }
            _ => repr.push(character),
        }
    }
    repr.push(quote);
    Ok(repr)
}
