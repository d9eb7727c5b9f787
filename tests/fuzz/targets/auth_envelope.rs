//! See `fedcell_tests::fuzz::auth::envelope`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fedcell_tests::fuzz::auth::envelope(bytes));
