//! See `fedcell_tests::fuzz::session::handshake`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fedcell_tests::fuzz::session::handshake(bytes));
