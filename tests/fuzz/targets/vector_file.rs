//! The fuzz target of `quarry_fuzz::vector_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| quarry_fuzz::vector_file(data));
