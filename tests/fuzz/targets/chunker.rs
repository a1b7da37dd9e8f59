//! The fuzz target of `quarry_fuzz::chunker`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quarry_fuzz::chunker(data));
