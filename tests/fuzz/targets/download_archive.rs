//! See `fedcell_tests::fuzz::download::archive`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fedcell_tests::fuzz::download::archive(bytes));
