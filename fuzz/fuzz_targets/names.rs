#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fal::fuzz::run("names", data));
