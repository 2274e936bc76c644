//! A reference to the loaded library, which must stay mapped while its threads run.
//!
//! Windows unmaps it when the last reference is released, even while threads run its code, and so
//! does glibc, since `src/ffi/unload.rs` removes what made glibc keep it. Other systems keep it.

#[cfg(not(windows))]
pub(crate) use elsewhere::{has_ended, process_ends};
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) use glibc::Reference;
#[cfg(all(feature = "capi", target_os = "linux", target_env = "gnu"))]
#[allow(
    unused_imports,
    reason = "src/ffi/unload.rs is not for every processor"
)]
pub(crate) use glibc::is_held;
#[cfg(not(any(windows, all(target_os = "linux", target_env = "gnu"))))]
pub(crate) use nothing::Reference;
#[cfg(windows)]
pub(crate) use windows::{Reference, has_ended, process_ends};

#[cfg(not(any(windows, all(target_os = "linux", target_env = "gnu"))))]
mod nothing {
    /// Holds nothing.
    pub(crate) struct Reference;

    impl Reference {
        pub(crate) fn new() -> Option<Self> {
            None
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
mod glibc {
    use std::ffi::c_void;
    use std::mem::MaybeUninit;
    use std::ptr::NonNull;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static HELD: AtomicUsize = AtomicUsize::new(0);

    /// Whether there is a reference, so that the library is not being unloaded.
    #[allow(dead_code, reason = "only the shared library asks")]
    pub(crate) fn is_held() -> bool {
        HELD.load(Ordering::Acquire) > 0
    }

    /// A reference to the shared library that contains this code: the library, or the plug-in it is
    /// linked into.
    pub(crate) struct Reference(NonNull<c_void>);

    // SAFETY: a handle belongs to the process, not to a thread.
    unsafe impl Send for Reference {}

    impl Reference {
        /// Returns `None` if this code is part of the program, which is never unloaded.
        pub(crate) fn new() -> Option<Self> {
            let here: fn() -> Option<Self> = Self::new;
            let mut module = MaybeUninit::<libc::Dl_info>::uninit();
            // SAFETY: `module` is valid for writes.
            let found = unsafe { libc::dladdr(here as *const c_void, module.as_mut_ptr()) };
            if found == 0 {
                return None;
            }
            // SAFETY: dladdr() succeeded, so it has written a path that lives as long as the
            // library is loaded.
            let handle = unsafe {
                libc::dlopen(
                    module.assume_init().dli_fname,
                    libc::RTLD_LAZY | libc::RTLD_NOLOAD,
                )
            };
            let reference = NonNull::new(handle).map(Self)?;
            HELD.fetch_add(1, Ordering::AcqRel);
            Some(reference)
        }
    }

    impl Drop for Reference {
        fn drop(&mut self) {
            HELD.fetch_sub(1, Ordering::AcqRel);
            // SAFETY: `self` owns this reference. The caller of the library holds another one, so
            // this code stays mapped until it returns.
            unsafe { libc::dlclose(self.0.as_ptr()) };
        }
    }
}

#[cfg(not(windows))]
mod elsewhere {
    use std::thread::JoinHandle;

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
