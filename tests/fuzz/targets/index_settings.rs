//! The fuzz target of `quarry_fuzz::index_settings`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quarry_fuzz::index_settings(data));
