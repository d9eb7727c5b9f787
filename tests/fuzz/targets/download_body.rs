//! See `fedcell_tests::fuzz::download::body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fedcell_tests::fuzz::download::body(bytes));
