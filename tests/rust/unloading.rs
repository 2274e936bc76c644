//! The library in a process that exits, under the loader lock of Windows, and as a DLL that is
//! unloaded. Each test runs in a process of its own, because a defect here hangs or crashes it.

#![cfg(windows)]
#![allow(clippy::unwrap_used, clippy::panic)]
#![allow(unsafe_code)]

mod logged;

use std::ffi::{CStr, c_char, c_void};
use std::net::TcpListener;
use std::os::windows::ffi::OsStrExt;
use std::process::Command;
use std::ptr;
use std::time::{Duration, Instant};

use fal::credentials::Environment;
use fal::{Client, Op, Request, runtime};
use windows_sys::Win32::Foundation::{FreeLibrary, HANDLE, HMODULE};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress, LoadLibraryW};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};

/// How long a test waits for an event before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// The exit code of a child whose last shutdown returned the expected result.
const WELL: u32 = 42;

/// A service that accepts connections and never responds.
fn silence() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// Runs an ignored test of this file in another process, and returns its exit code.
fn exit_code(test: &str) -> Option<i32> {
    let service = silence();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("FAL_KEY", "fake-id:fake-secret");
    command.env(
        "FAL_EMULATOR_HOST",
        service.local_addr().unwrap().to_string(),
    );
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    let mut hangs = true;
    while hangs && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
        hangs = child.try_wait().unwrap().is_none();
    }
    if hangs {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    assert!(!hangs, "{test} hangs");
    status.code()
}

/// Starts a call that gets no response.
fn begun() -> (Client, Op) {
    let client = logged::builder()
        .environment(Environment::process())
        .build()
        .unwrap();
    let op = client
        .run_start(Request::run("emulator/echo").unwrap())
        .unwrap();
    std::thread::sleep(Duration::from_millis(200));
    (client, op)
}

#[link(name = "ntdll", kind = "raw-dylib")]
unsafe extern "system" {
    fn NtTerminateProcess(process: HANDLE, code: i32) -> i32;
    fn LdrShutdownProcess();
    fn LdrLockLoaderLock(flags: u32, state: *mut u32, cookie: *mut usize) -> i32;
    fn LdrUnlockLoaderLock(flags: u32, cookie: usize) -> i32;
}

#[test]
#[ignore = "the child process of another test"]
fn ending_child() {
    let _under_way = begun();
    // These are the steps of `ExitProcess`, which runs the static destructors of DLLs. SAFETY: the
    // first call ends all threads but this one, and nothing afterwards needs the others.
    unsafe {
        NtTerminateProcess(ptr::null_mut(), 0);
        LdrShutdownProcess();
    }
    let code = if runtime::shutdown(None).is_ok() {
        WELL
    } else {
        1
    };
    // SAFETY: the pseudo handle is always valid.
    unsafe { TerminateProcess(GetCurrentProcess(), code) };
}

#[test]
fn a_shutdown_in_a_process_that_ends_does_not_wait_for_threads_that_are_gone() {
    assert_eq!(exit_code("ending_child"), Some(WELL.cast_signed()));
}

#[test]
#[ignore = "the child process of another test"]
fn locking_child() {
    let under_way = begun();
    let mut cookie = 0;
    // SAFETY: the pointer is valid for writes.
    let status = unsafe { LdrLockLoaderLock(0, ptr::null_mut(), &raw mut cookie) };
    assert_eq!(status, 0);
    let start = Instant::now();
    let shutdown = runtime::shutdown(Duration::from_secs(1));
    let took = start.elapsed();
    // SAFETY: this thread holds the lock.
    assert_eq!(unsafe { LdrUnlockLoaderLock(0, cookie) }, 0);
    assert!(took < PATIENCE / 2, "{took:?}");
    assert_eq!(
        shutdown.map_err(|error| error.code()),
        Err(fal::Code::Deadline),
        "no thread ends under that lock"
    );
    drop(under_way);
    runtime::shutdown(PATIENCE).unwrap();
}

/// In `DllMain` when a DLL is unloaded and the process continues.
#[test]
fn a_shutdown_under_the_lock_of_the_loader_keeps_to_its_limit() {
    assert_eq!(exit_code("locking_child"), Some(0));
}

type Made<T> = unsafe extern "C" fn(*const T, *mut *mut c_void, *mut *mut c_void) -> i32;

/// The library as the host of a plug-in uses it: by the names of its functions.
struct Dll(HMODULE);

impl Dll {
    fn load() -> Self {
        let path = std::env::current_exe().unwrap().with_file_name("fal.dll");
        let wide: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
        // SAFETY: the path ends with a NUL.
        let module = unsafe { LoadLibraryW(wide.as_ptr()) };
        assert!(
            !module.is_null(),
            "{}: {}",
            path.display(),
            std::io::Error::last_os_error()
        );
        Self(module)
    }

    fn function(&self, name: &CStr) -> unsafe extern "system" fn() -> isize {
        // SAFETY: the module is loaded and the name ends with a NUL.
        unsafe { GetProcAddress(self.0, name.as_ptr().cast()) }.unwrap()
    }

    /// Starts a call that gets no response.
    fn begin(&self) {
        let (none, mut client, mut request, mut op) = (
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
        );
        // SAFETY: the functions have these types in `fal.h`, and the pointers are valid for writes.
        unsafe {
            let made: Made<c_void> = std::mem::transmute(self.function(c"fal_client_new"));
            assert_eq!(made(ptr::null(), &raw mut client, none), 0);
            let made: unsafe extern "C" fn(
                *const c_char,
                usize,
                *mut *mut c_void,
                *mut *mut c_void,
            ) -> i32 = std::mem::transmute(self.function(c"fal_request_new"));
            assert_eq!(
                made(
                    c"emulator/echo".as_ptr(),
                    usize::MAX,
                    &raw mut request,
                    none
                ),
                0
            );
            let start: unsafe extern "C" fn(
                *const c_void,
                *const c_void,
                *mut *mut c_void,
                *mut *mut c_void,
            ) -> i32 = std::mem::transmute(self.function(c"fal_client_run_start"));
            assert_eq!(start(client, request, &raw mut op, none), 0);
        }
    }

    fn shut_down(&self) {
        // SAFETY: the function has this type in `fal.h`.
        let ended = unsafe {
            let shutdown: unsafe extern "C" fn(i64, *mut *mut c_void) -> i32 =
                std::mem::transmute(self.function(c"fal_shutdown"));
            shutdown(20_000, ptr::null_mut())
        };
        assert_eq!(ended, 0);
    }

    fn free(self) {
        // SAFETY: loaded above, and freed once.
        assert_ne!(unsafe { FreeLibrary(self.0) }, 0);
    }

    fn is_loaded() -> bool {
        let name: Vec<u16> = "fal.dll".encode_utf16().chain([0]).collect();
        // SAFETY: the name ends with a NUL.
        !unsafe { GetModuleHandleW(name.as_ptr()) }.is_null()
    }
}

#[test]
#[ignore = "the child process of another test"]
fn unloading_child() {
    let dll = Dll::load();
    dll.begin();
    dll.free();
    assert!(Dll::is_loaded(), "its threads run in it");
    std::thread::sleep(Duration::from_secs(1));
    // A host that loads it again finds it in its initial state, and may unload it properly.
    let dll = Dll::load();
    dll.shut_down();
    dll.free();
    assert!(!Dll::is_loaded());
}

#[test]
#[ignore = "the child process of another test"]
fn orderly_child() {
    for _ in 0..3 {
        let dll = Dll::load();
        dll.begin();
        dll.shut_down();
        assert!(Dll::is_loaded());
        dll.free();
        assert!(!Dll::is_loaded());
    }
}

#[test]
fn a_dll_that_is_freed_without_a_shutdown_stays_as_long_as_its_threads_run() {
    assert_eq!(exit_code("unloading_child"), Some(0));
}

#[test]
fn a_dll_that_was_shut_down_is_unloaded() {
    assert_eq!(exit_code("orderly_child"), Some(0));
}
