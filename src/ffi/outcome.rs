//! How a function that returns a status ends.

use std::ptr;

use super::boundary::caught;
use super::error::fal_error;
use super::status::{FAL_OK, fal_status};
use crate::error::Result;

/// Runs the body of a function that returns a status, and hands its error out.
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
        Err(error) => {
            let code = error.code().number();
            if !err.is_null() {
                give_error(err, Box::into_raw(Box::new(fal_error::new(error))));
            }
            code
        }
    }
}

/// The same for a body that either succeeds or fails.
pub(super) fn status(err: *mut *mut fal_error, body: impl FnOnce() -> Result<()>) -> fal_status {
    outcome(err, || body().map(|()| FAL_OK))
}

fn give_error(err: *mut *mut fal_error, error: *mut fal_error) {
    if !err.is_null() {
        // SAFETY: the caller gives a valid place for an error pointer, or NULL.
        unsafe { err.write(error) }
    }
}
