//! Committed texts that what is said must equal; `FEDCELL_BLESS=1` writes them anew.

use std::fs;
use std::path::Path;

/// Compares with `testdata/NAME`.
#[track_caller]
pub(crate) fn check(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    if std::env::var_os("FEDCELL_BLESS").is_some() {
        fs::write(&file, text).expect("the snapshot is written");
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    if let Some((number, (found, expected))) =
        text.lines().chain([""]).zip(expected.lines().chain([""])).enumerate().find(|(_, (one, other))| one != other)
    {
        let line = number + 1;
        panic!("{}:{line}\nexpected: {expected}\nfound:    {found}\nFEDCELL_BLESS=1 writes it anew", file.display());
    }
    assert_eq!(text, expected, "{}", file.display());
}
