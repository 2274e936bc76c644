#![no_main]

// Links the functions of `fal.h`, which `api_run` calls.
use fal as _;

unsafe extern "C" {
    fn api_run(data: *const u8, size: usize);
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // SAFETY: `api_run` reads `data.len()` bytes and keeps no pointer to them.
    unsafe { api_run(data.as_ptr(), data.len()) }
});
