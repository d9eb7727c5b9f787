//! See `fedcell_tests::fuzz::fobs::decoding`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fedcell_tests::fuzz::fobs::decoding(bytes));
