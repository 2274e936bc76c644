//! The end of functions that return a status and an error.

use std::ptr;

use super::boundary::caught;
use super::error::fal_error;
use super::status::{FAL_OK, fal_status};
use crate::error::{Error, Result};

/// Runs the body of a function, and returns its status and its error to the caller.
pub(super) fn outcome(
    err: *mut *mut fal_error,
    body: impl FnOnce() -> Result<fal_status>,
) -> fal_status {
    let outcome = caught(body).unwrap_or_else(Err);
    match outcome {
        Ok(status) => {
            give_error(err, ptr::null_mut());
            status
        }
        Err(error) => failed(err, error),
    }
}

/// Out of line, because nearly every function has it.
#[cold]
#[inline(never)]
fn failed(err: *mut *mut fal_error, error: Error) -> fal_status {
    let code = error.code().number();
    if !err.is_null() {
        give_error(err, Box::into_raw(Box::new(fal_error::new(error))));
    }
    code
}

/// Runs a body that succeeds with `FAL_OK` or fails.
pub(super) fn status(err: *mut *mut fal_error, body: impl FnOnce() -> Result<()>) -> fal_status {
    outcome(err, || body().map(|()| FAL_OK))
}

fn give_error(err: *mut *mut fal_error, error: *mut fal_error) {
    if !err.is_null() {
        // SAFETY: writable, by the header's contract.
        unsafe { err.write(error) }
    }
}
