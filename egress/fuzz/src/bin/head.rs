//! The fuzzer's entry: see `posthouse_egress_fuzz::head`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| posthouse_egress_fuzz::head(bytes));
