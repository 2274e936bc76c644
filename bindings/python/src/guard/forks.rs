//! Keeps a fork away from the moment in which a thread of libfal adds itself to the interpreter.
//!
//! A thread without the GIL adds itself, under a lock. Before CPython 3.12, a child takes this lock
//! before it makes a new one, and waits for ever if it was locked during the fork. So a fork waits
//! until no thread adds itself, and a thread adds itself when no fork is under way. The fork waits
//! without the GIL, because a thread that adds itself takes it while tracemalloc is on.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering::SeqCst};
use std::thread;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The interpreter; null if it needs no care.
static INTERPRETER: AtomicPtr<ffi::PyInterpreterState> = AtomicPtr::new(ptr::null_mut());
/// How many forks are under way.
static FORKS: AtomicU32 = AtomicU32::new(0);
/// How many threads are adding themselves.
static ADDING: AtomicU32 = AtomicU32::new(0);

pub(crate) fn begin(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    if py.version_info() >= (3, 12) {
        return Ok(());
    }
    let hooks = PyDict::new(py);
    hooks.set_item("before", wrap_pyfunction!(before, module)?)?;
    hooks.set_item(
        "after_in_parent",
        wrap_pyfunction!(after_in_parent, module)?,
    )?;
    hooks.set_item("after_in_child", wrap_pyfunction!(after_in_child, module)?)?;
    let register = py.import("os")?.getattr("register_at_fork")?;
    register.call((), Some(&hooks))?;
    // SAFETY: the thread holds the GIL.
    INTERPRETER.store(unsafe { ffi::PyInterpreterState_Get() }, SeqCst);
    Ok(())
}

#[pyfunction]
fn before(py: Python<'_>) {
    FORKS.fetch_add(1, SeqCst);
    if ADDING.load(SeqCst) > 0 {
        py.detach(none_adds_itself);
    }
}

fn none_adds_itself() {
    while ADDING.load(SeqCst) > 0 {
        thread::yield_now();
    }
}

#[pyfunction]
fn after_in_parent() {
    // A fork that began before the hooks were registered was not counted.
    let _ = FORKS.fetch_update(SeqCst, SeqCst, |forks| forks.checked_sub(1));
}

#[pyfunction]
fn after_in_child() {
    FORKS.store(0, SeqCst);
    ADDING.store(0, SeqCst);
}

/// Adds this thread to the interpreter, if it is not there yet. Returns whether it did.
pub(super) fn add() -> bool {
    let interpreter = INTERPRETER.load(SeqCst);
    // SAFETY: this function may be called at any time once there is an interpreter.
    if interpreter.is_null() || !unsafe { ffi::PyGILState_GetThisThreadState() }.is_null() {
        return false;
    }
    ADDING.fetch_add(1, SeqCst);
    while FORKS.load(SeqCst) > 0 {
        ADDING.fetch_sub(1, SeqCst);
        thread::yield_now();
        ADDING.fetch_add(1, SeqCst);
    }
    // SAFETY: the interpreter is the only one in which the module is imported. The function needs
    // no GIL.
    let state = unsafe { ffi::PyThreadState_New(interpreter) };
    ADDING.fetch_sub(1, SeqCst);
    !state.is_null()
}
