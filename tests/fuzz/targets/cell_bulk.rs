//! See `fedcell_tests::fuzz::cell::bulk`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fedcell_tests::fuzz::cell::bulk(bytes));
