//! The chunked coding, as clients and targets send it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sluice::fuzz::chunks(bytes));
