//! Tables by names: hashed with a secret of the process, so that who chooses a name does not choose where it lies, and
//! several times faster than by the standard library's hash, which is made for keys of any kind and length.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// A table whose keys are short texts: addresses, ids, channels, topics.
pub type ByName<K, V> = HashMap<K, V, RandomState>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_finds_owned_names_by_borrowed_ones() {
        let mut table = ByName::<Box<str>, u8>::default();
        table.insert("site-1".into(), 1);
        assert_eq!((table.get("site-1"), table.get("site-2")), (Some(&1), None));
    }
}
