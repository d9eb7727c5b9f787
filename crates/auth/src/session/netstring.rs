//! Netstrings: the framing that keeps neighbouring items of a proof message apart.
//!
//! An item is its length in bytes as a decimal number, a colon, the bytes, a comma. Two different sequences of items
//! never give the same bytes, which is what lets a proof stand for each of its fields.

use fedcell_protocol_defs::client_api::ProofSyntax;

/// Appends `item` to `message` as one netstring.
pub(super) fn append(message: &mut Vec<u8>, item: &[u8]) {
    message.extend_from_slice(item.len().to_string().as_bytes());
    message.extend_from_slice(ProofSyntax::NETSTRING_SEPARATOR.as_str().as_bytes());
    message.extend_from_slice(item);
    message.extend_from_slice(ProofSyntax::NETSTRING_END.as_str().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::append;

    #[track_caller]
    fn check(items: &[&str], expected: &str) {
        let mut message = Vec::new();
        for item in items {
            append(&mut message, item.as_bytes());
        }
        assert_eq!(core::str::from_utf8(&message), Ok(expected));
    }

    #[test]
    fn items_keep_their_borders() {
        check(&[], "");
        check(&[""], "0:,");
        check(&["a", "b"], "1:a,1:b,");
        check(&["ab", ""], "2:ab,0:,");
        check(&["5:hello,"], "8:5:hello,,");
        check(&["0123456789"], "10:0123456789,");
    }

    #[test]
    fn the_length_counts_bytes() {
        check(&["é"], "2:é,");
    }
}
