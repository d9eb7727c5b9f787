//! See `fedcell_tests::fuzz::auth::certificate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fedcell_tests::fuzz::auth::certificate(bytes));
