#![no_main]

// Whose exported functions `api_run` calls.
use fal as _;

unsafe extern "C" {
    fn api_run(data: *const u8, size: usize);
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // SAFETY: it reads so many bytes and keeps none.
    unsafe { api_run(data.as_ptr(), data.len()) }
});
