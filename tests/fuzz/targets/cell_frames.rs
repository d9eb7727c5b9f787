//! See `fedcell_tests::fuzz::cell::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fedcell_tests::fuzz::cell::frames(bytes));
