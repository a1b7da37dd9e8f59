//! The fuzz target of `quarry_fuzz::fvecs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quarry_fuzz::fvecs(data));
