//! The frames of HTTP/2 that a client sends.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice::fuzz::frames(bytes));
