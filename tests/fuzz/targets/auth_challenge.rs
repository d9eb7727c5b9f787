//! See `fedcell_tests::fuzz::auth::challenge`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fedcell_tests::fuzz::auth::challenge(bytes));
