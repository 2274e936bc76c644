//! The library as the system has loaded it, which must be there as long as its threads are.
//!
//! A Unix keeps it mapped by itself. Windows unmaps it with the last reference, whoever runs in it.

#[cfg(not(windows))]
pub(crate) use elsewhere::{Reference, has_ended, process_ends};
#[cfg(windows)]
pub(crate) use windows::{Reference, has_ended, process_ends};

#[cfg(not(windows))]
mod elsewhere {
    use std::thread::JoinHandle;

    /// Nothing has to be held.
    pub(crate) struct Reference;

    impl Reference {
        pub(crate) fn new() -> Option<Self> {
            None
        }
    }

    /// The threads of a process that ends go on until it has ended.
    pub(crate) fn process_ends() -> bool {
        false
    }

    /// Whether a join of the thread does not wait.
    pub(crate) fn has_ended(thread: &JoinHandle<()>) -> bool {
        thread.is_finished()
    }
}

#[cfg(windows)]
#[allow(unsafe_code)]
mod windows {
    use std::os::windows::io::AsRawHandle;
    use std::ptr;
    use std::thread::JoinHandle;

    use windows_sys::Win32::Foundation::{FreeLibrary, HMODULE, WAIT_OBJECT_0};
    use windows_sys::Win32::System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GetModuleHandleExW,
    };
    use windows_sys::Win32::System::Threading::WaitForSingleObject;

    #[link(name = "ntdll", kind = "raw-dylib")]
    unsafe extern "system" {
        fn RtlDllShutdownInProgress() -> u8;
    }

    /// A reference to the module that this code is in, be it the library or a program or plug-in
    /// that it was linked into.
    pub(crate) struct Reference(HMODULE);

    // SAFETY: a module is not a thread's.
    unsafe impl Send for Reference {}

    impl Reference {
        pub(crate) fn new() -> Option<Self> {
            let mut module: HMODULE = ptr::null_mut();
            let here: fn() -> bool = process_ends;
            // SAFETY: with this flag the name is any address in the module, and the place is valid
            // for writes.
            let found = unsafe {
                GetModuleHandleExW(
                    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                    here as *const u16,
                    &raw mut module,
                )
            };
            (found != 0).then_some(Self(module))
        }
    }

    impl Drop for Reference {
        fn drop(&mut self) {
            // SAFETY: the reference is ours. Whoever called the library has another, so that this
            // code stays until it returns.
            unsafe { FreeLibrary(self.0) };
        }
    }

    /// Whether the process is past the point where the system has ended all threads but this one,
    /// be they in the middle of what they did. What they held is held for ever.
    pub(crate) fn process_ends() -> bool {
        // SAFETY: has no requirements.
        unsafe { RtlDllShutdownInProgress() != 0 }
    }

    /// Whether a join of the thread does not wait: as long as a DLL is being unloaded, no thread
    /// ends that has come to its end.
    pub(crate) fn has_ended(thread: &JoinHandle<()>) -> bool {
        // SAFETY: the handle is open as long as the thread is not joined.
        thread.is_finished()
            && unsafe { WaitForSingleObject(thread.as_raw_handle(), 0) } == WAIT_OBJECT_0
    }
}
