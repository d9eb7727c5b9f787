//! See `fedcell_tests::fuzz::stream::messages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fedcell_tests::fuzz::stream::messages(bytes));
