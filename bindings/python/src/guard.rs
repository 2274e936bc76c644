//! Calls from Rust into Python code, on a thread of libfal.
//!
//! When CPython before 3.14 shuts down, it terminates each thread that waits for the GIL with
//! `pthread_exit`. With glibc this unwinds the stack. A Rust frame on the stack then aborts the
//! process, or drops objects that the interpreter no longer protects. Therefore each call that may
//! release the GIL runs in [`parked`], which blocks the thread forever instead, as CPython 3.14
//! does. PyO3 does the same where a thread attaches.
//!
//! All other native code runs no Python code, creates no object that the garbage collector tracks,
//! and releases no object that may have a finalizer. It therefore never gives up the GIL, and a
//! daemon thread is terminated only where its stack has no Rust frame.
#![expect(unsafe_code, reason = "PyO3's own calls allow no unwinding")]

use std::marker::PhantomData;
use std::mem;
use std::ptr::{self, NonNull};
use std::time::Duration;

use pyo3::ffi;
use pyo3::prelude::*;

#[cfg(unix)]
mod forks;
mod returned;

#[cfg(unix)]
pub(crate) use forks::begin;
pub(crate) use returned::Returned;

#[cfg(unix)]
mod unwinding {
    use std::ffi::c_int;

    use pyo3::ffi::PyObject;

    // As PyO3 declares them, except that they may unwind.
    unsafe extern "C-unwind" {
        pub(super) fn PyObject_CallFunctionObjArgs(callable: *mut PyObject, ...) -> *mut PyObject;
        pub(super) fn PyErr_WriteUnraisable(object: *mut PyObject);
        pub(super) fn Py_DecRef(object: *mut PyObject);
        pub(super) fn PyGILState_Release(state: c_int);
    }
}

/// Windows terminates a thread without unwinding.
#[cfg(not(unix))]
mod unwinding {
    use std::ffi::c_int;

    use pyo3::ffi;
    pub(super) use pyo3::ffi::{Py_DecRef, PyErr_WriteUnraisable, PyObject_CallFunctionObjArgs};

    #[expect(non_snake_case, reason = "as Python calls it")]
    pub(super) unsafe fn PyGILState_Release(state: c_int) {
        let state = match state {
            0 => ffi::PyGILState_STATE::PyGILState_LOCKED,
            _ => ffi::PyGILState_STATE::PyGILState_UNLOCKED,
        };
        // SAFETY: passed on from the caller.
        unsafe { ffi::PyGILState_Release(state) }
    }
}

/// Blocks the thread forever when its stack is unwound.
struct Parked;

impl Drop for Parked {
    fn drop(&mut self) {
        loop {
            std::thread::sleep(Duration::from_secs(1 << 20));
        }
    }
}

/// Runs `call`, and blocks the thread forever if it is unwound. Between `call` and this frame, no
/// frame may have anything to drop.
fn parked<T>(call: impl FnOnce() -> T) -> T {
    let guard = Parked;
    let value = call();
    mem::forget(guard);
    value
}

/// Proof that this thread of libfal holds the GIL.
pub(crate) struct Attached(PhantomData<*mut ()>);

/// Runs `work` while holding the GIL. Does nothing if there is no interpreter.
pub(crate) fn attached(work: impl FnOnce(&Attached)) {
    // SAFETY: this function may be called at any time.
    if unsafe { ffi::Py_IsInitialized() } == 0 {
        return;
    }
    #[cfg(unix)]
    let added = forks::add();
    // SAFETY: there is an interpreter. If it shuts down now, PyO3's function blocks the thread.
    let state = unsafe { ffi::PyGILState_Ensure() };
    // The thread may be releasing an object while an exception is on its way.
    let mut raised = [ptr::null_mut(); 3];
    let [kind, value, trace] = &mut raised;
    // SAFETY: the thread holds the GIL.
    unsafe { ffi::PyErr_Fetch(kind, value, trace) };
    work(&Attached(PhantomData));
    let [kind, value, trace] = raised;
    // SAFETY: the thread holds the GIL, and owns what it has fetched.
    unsafe { ffi::PyErr_Restore(kind, value, trace) };
    #[cfg(unix)]
    if added {
        // SAFETY: `add` has counted once. The last release removes the thread.
        unsafe { ffi::PyGILState_Release(ffi::PyGILState_STATE::PyGILState_LOCKED) };
    }
    // SAFETY: `state` is from the call above. It may run finalizers of thread-local Python objects.
    parked(|| unsafe { unwinding::PyGILState_Release(state as i32) });
}

impl Attached {
    /// Returns the token of PyO3. The caller must not create objects that the collector tracks.
    pub(crate) fn python(&self) -> Python<'_> {
        // SAFETY: `self` exists only while the thread holds the GIL.
        unsafe { Python::assume_attached() }
    }

    pub(crate) fn object(&self, object: Py<PyAny>) -> Object<'_> {
        Object(object.into_ptr(), PhantomData)
    }

    /// Calls `function`. An exception goes to `sys.unraisablehook`.
    pub(crate) fn call(
        &self,
        function: &Object<'_>,
        first: &Object<'_>,
        second: Option<&Object<'_>>,
    ) -> Option<Object<'_>> {
        let (callable, first) = (function.0, first.0);
        let second = second.map_or(ptr::null_mut(), |object| object.0);
        let end = ptr::null_mut::<ffi::PyObject>();
        // SAFETY: the objects are alive, the thread holds the GIL, and NULL ends the arguments.
        let result = parked(|| unsafe {
            unwinding::PyObject_CallFunctionObjArgs(callable, first, second, end)
        });
        if NonNull::new(result).is_none() {
            // SAFETY: an exception is set, because the call returned NULL.
            parked(|| unsafe { unwinding::PyErr_WriteUnraisable(callable) });
            return None;
        }
        Some(Object(result, PhantomData))
    }
}

/// An owned reference to an object.
pub(crate) struct Object<'a>(*mut ffi::PyObject, PhantomData<&'a Attached>);

impl Object<'_> {
    pub(crate) fn is_none(&self) -> bool {
        // SAFETY: the pointer is only compared.
        ptr::eq(self.0, unsafe { ffi::Py_None() })
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        let object = self.0;
        // SAFETY: the reference is owned, and the thread holds the GIL while `Attached` exists.
        parked(|| unsafe { unwinding::Py_DecRef(object) });
    }
}

/// Whether this is the main interpreter.
#[cfg(not(windows))]
pub(crate) fn is_main_interpreter(_: Python<'_>) -> bool {
    // SAFETY: the thread holds the GIL.
    unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) == 0 }
}

/// Whether this is the main interpreter. `python3.dll` of 3.9 lacks the C function. CPython
/// versions without this module refuse the import in a sub-interpreter themselves.
#[cfg(windows)]
pub(crate) fn is_main_interpreter(py: Python<'_>) -> bool {
    let ask = || {
        let interpreters = py.import("_xxsubinterpreters")?;
        interpreters
            .call_method0("get_current")?
            .eq(interpreters.call_method0("get_main")?)
    };
    ask().unwrap_or(true)
}
