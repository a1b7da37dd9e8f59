//! The fuzz target of `quarry_fuzz::query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quarry_fuzz::query(data));
