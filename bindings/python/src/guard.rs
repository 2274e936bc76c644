//! Python code that runs on a thread of ours, below frames of Rust.
//!
//! While it ends, CPython before 3.14 ends each thread that wants the GIL by `pthread_exit`. With
//! glibc that unwinds the stack, and frames of Rust abort the process where that is not allowed, or
//! clean up what the interpreter no longer protects. So each call into code that may give the GIL
//! away is made in [`parked`]: the thread stops there for ever, as CPython 3.14 itself has it. PyO3
//! does the same where a thread attaches.
//!
//! Everywhere else the native half runs no Python code, makes no object that the collector tracks,
//! and lets none go that may have a finalizer: a daemon thread that is ended has only frames of C
//! and Python then.
#![expect(unsafe_code, reason = "PyO3's own calls allow no unwinding")]

use std::marker::PhantomData;
use std::mem;
use std::ptr::{self, NonNull};
use std::time::Duration;

use pyo3::ffi;
use pyo3::prelude::*;

#[cfg(unix)]
mod unwinding {
    use std::ffi::c_int;

    use pyo3::ffi::PyObject;

    // As PyO3 declares them, but that they may unwind.
    unsafe extern "C-unwind" {
        pub(super) fn PyObject_CallFunctionObjArgs(callable: *mut PyObject, ...) -> *mut PyObject;
        pub(super) fn PyErr_WriteUnraisable(object: *mut PyObject);
        pub(super) fn Py_DecRef(object: *mut PyObject);
        pub(super) fn PyGILState_Release(state: c_int);
    }
}

/// Windows ends a thread without unwinding it.
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

/// Stops the thread for ever where it is unwound.
struct Parked;

impl Drop for Parked {
    fn drop(&mut self) {
        loop {
            std::thread::sleep(Duration::from_secs(1 << 20));
        }
    }
}

/// Nothing between `call` and here may need cleaning up.
fn parked<T>(call: impl FnOnce() -> T) -> T {
    let guard = Parked;
    let value = call();
    mem::forget(guard);
    value
}

/// A thread of ours that holds the GIL.
pub(crate) struct Attached(PhantomData<*mut ()>);

/// Does the work with the GIL; not at all where there is no interpreter.
pub(crate) fn attached(work: impl FnOnce(&Attached)) {
    // SAFETY: it may be asked at any time.
    if unsafe { ffi::Py_IsInitialized() } == 0 {
        return;
    }
    // SAFETY: there is an interpreter. If it ends meanwhile, PyO3's function stops the thread.
    let state = unsafe { ffi::PyGILState_Ensure() };
    work(&Attached(PhantomData));
    // SAFETY: of the call above. What the thread kept for Python goes here, finalizers included.
    parked(|| unsafe { unwinding::PyGILState_Release(state as i32) });
}

impl Attached {
    /// What may be made with it must not be tracked by the collector.
    pub(crate) fn python(&self) -> Python<'_> {
        // SAFETY: this exists only while the thread holds the GIL.
        unsafe { Python::assume_attached() }
    }

    pub(crate) fn object(&self, object: Py<PyAny>) -> Object<'_> {
        Object(object.into_ptr(), PhantomData)
    }

    /// Calls `function`. What it raises goes to `sys.unraisablehook`.
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
            // SAFETY: an exception is set, since the call gave nothing.
            parked(|| unsafe { unwinding::PyErr_WriteUnraisable(callable) });
            return None;
        }
        Some(Object(result, PhantomData))
    }
}

/// A reference of its own to an object.
pub(crate) struct Object<'a>(*mut ffi::PyObject, PhantomData<&'a Attached>);

impl Object<'_> {
    pub(crate) fn is_none(&self) -> bool {
        // SAFETY: it is only compared.
        ptr::eq(self.0, unsafe { ffi::Py_None() })
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        let object = self.0;
        // SAFETY: it is a reference of ours, and the thread holds the GIL as long as `Attached`
        // lives.
        parked(|| unsafe { unwinding::Py_DecRef(object) });
    }
}

/// Whether this is the interpreter that the program began with.
#[cfg(not(windows))]
pub(crate) fn is_main_interpreter(_: Python<'_>) -> bool {
    // SAFETY: the thread holds the GIL.
    unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) == 0 }
}

/// The same; `python3.dll` of 3.9 lacks the function. Where the module is missing, CPython refuses
/// by itself.
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
