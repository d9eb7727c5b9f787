//! See `fedcell_tests::fuzz::fobs::round_trip`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fedcell_tests::fuzz::fobs::round_trip(bytes));
