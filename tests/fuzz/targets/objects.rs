//! See `fedcell_tests::fuzz::objects::requests`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fedcell_tests::fuzz::objects::requests(bytes));
