//! The fuzz target of `quarry_fuzz::extract_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quarry_fuzz::extract_text(data));
