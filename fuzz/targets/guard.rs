//! The bytes of a connection of HTTP/1.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice::fuzz::guard(bytes));
