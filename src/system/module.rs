//! A reference to the loaded library, which must stay mapped while its threads run.
//!
//! Unix systems keep it mapped. Windows unmaps it when the last reference is released, even while
//! threads run its code.

#[cfg(not(windows))]
pub(crate) use elsewhere::{Reference, has_ended, process_ends};
#[cfg(windows)]
pub(crate) use windows::{Reference, has_ended, process_ends};

#[cfg(not(windows))]
mod elsewhere {
    use std::thread::JoinHandle;

    /// Holds nothing.
    pub(crate) struct Reference;

    impl Reference {
        pub(crate) fn new() -> Option<Self> {
            None
        }
    }

    /// Returns false: threads keep running until the process has ended.
    pub(crate) fn process_ends() -> bool {
        false
    }

    /// Returns whether joining the thread does not block.
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

    /// A reference to the module that contains this code: the library, or the program or plug-in it
    /// is linked into.
    pub(crate) struct Reference(HMODULE);

    // SAFETY: a module handle belongs to the process, not to a thread.
    unsafe impl Send for Reference {}

    impl Reference {
        pub(crate) fn new() -> Option<Self> {
            let mut module: HMODULE = ptr::null_mut();
            let here: fn() -> bool = process_ends;
            // SAFETY: with this flag the name is any address in the module. `module` is valid for
            // writes.
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
            // SAFETY: `self` owns this reference. The caller of the library holds another one, so
            // this code stays mapped until it returns.
            unsafe { FreeLibrary(self.0) };
        }
    }

    /// Returns whether the system has already ended all other threads of the process. Locks that
    /// those threads held stay locked.
    pub(crate) fn process_ends() -> bool {
        // SAFETY: this function has no preconditions.
        unsafe { RtlDllShutdownInProgress() != 0 }
    }

    /// Returns whether joining the thread does not block. While a DLL is being unloaded, a thread
    /// that has finished its work cannot exit.
    pub(crate) fn has_ended(thread: &JoinHandle<()>) -> bool {
        // SAFETY: the handle is open until the thread is joined.
        thread.is_finished()
            && unsafe { WaitForSingleObject(thread.as_raw_handle(), 0) } == WAIT_OBJECT_0
    }
}
