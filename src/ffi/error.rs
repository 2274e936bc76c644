//! # Errors
//!
//! An error says what happened (message), what to do (remedy) and what it means for the request
//! (may_have_executed, retryable). It never contains a secret. Strings are borrowed from the error
//! and valid until it is freed. Every function here may be called by several threads at once and
//! accepts NULL.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use super::boundary::{self, plain};
use super::report::fal_credentials;
use super::status::{FAL_OK, fal_status};
use super::texts::{self, Texts, set_len};
use crate::error::{Error, LockReason};
use crate::key::Scope;

/// What went wrong. Owned by the caller who received it; freed with fal_error_free().
pub struct fal_error {
    inner: Error,
    credentials: Option<fal_credentials>,
    texts: Texts,
}

impl fal_error {
    pub(super) fn new(inner: Error) -> Self {
        let credentials = inner.resolution().cloned().map(fal_credentials::new);
        fal_error {
            inner,
            credentials,
            texts: Texts::default(),
        }
    }
}

/// One of the strings that every error has; `none` where there is no error.
///
/// # Safety
/// `err` is NULL or live; `len` is NULL or writable.
unsafe fn sentence(
    err: *const fal_error,
    name: &str,
    len: *mut usize,
    none: &'static CStr,
    get: impl FnOnce(&Error) -> &str,
) -> *const c_char {
    let text = plain(ptr::null(), || {
        // SAFETY: by this function's own contract.
        match unsafe { err.as_ref() } {
            // SAFETY: by this function's own contract.
            Some(err) => unsafe {
                let make = || Some(get(&err.inner).to_owned());
                err.texts.get(name, len, make)
            },
            None => ptr::null(),
        }
    });
    if !text.is_null() {
        return text;
    }
    // SAFETY: by this function's own contract.
    unsafe { set_len(len, none.count_bytes()) };
    none.as_ptr()
}

frees! {
    /// Frees an error. NULL does nothing.
    fn fal_error_free(err: *mut fal_error);
}

infallible! {
    /// The FAL_E_ code, the same that the failed function returned; FAL_OK for NULL.
    fn fal_error_code(err: &fal_error) -> fal_status = FAL_OK {
        err.inner.code().number()
    }
}

/// What happened, for people; "no error" for NULL. Never NULL, so it can be printed as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_message(
    err: *const fal_error,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { sentence(err, "message", len, c"no error", Error::message) }
}

/// What to do about it, for people; "nothing" for NULL. Never NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_remedy(err: *const fal_error, len: *mut usize) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { sentence(err, "remedy", len, c"nothing", Error::remedy) }
}

infallible! {
    /// The HTTP status of the service's answer, 100 to 599; 0 if there was none.
    fn fal_error_http_status(err: &fal_error) -> i32 = 0 {
        err.inner.http_status().map_or(0, i32::from)
    }
}

strings! {
    /// fal's own name of the error, such as "image_too_large" or "runner_disconnected"; NULL if it
    /// gave none.
    fn fal_error_type(err: &fal_error) {
        err.inner.error_type().map(str::to_owned)
    }

    /// fal's id of the request, for its support; NULL if the service gave none.
    fn fal_error_request_id(err: &fal_error) {
        err.inner.request_id().map(str::to_owned)
    }
}

/// A header of the service's answer by its name, in any case; NULL if it is not there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_header(
    err: *const fal_error,
    name: *const c_char,
    name_len: usize,
    len: *mut usize,
) -> *const c_char {
    plain(ptr::null(), || {
        // SAFETY: NULL or a string, by the header's contract.
        let name = unsafe { boundary::text(name, name_len, "name") }
            .unwrap_or_default()
            .to_ascii_lowercase();
        // SAFETY: NULL or live and NULL or writable, by the header's contract.
        unsafe {
            set_len(len, 0);
            let Some(err) = err.as_ref() else {
                return ptr::null();
            };
            let value = || err.inner.header(&name).map(str::to_owned);
            err.texts.get(&format!("header {name}"), len, value)
        }
    })
}

/// The body of the service's answer, as many bytes as *len says and without a NUL; NULL if there is
/// none.
///
/// At most 16 MiB of it are kept. A key that the service repeated is replaced by asterisks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_body(err: *const fal_error, len: *mut usize) -> *const c_void {
    plain(ptr::null(), || {
        // SAFETY: NULL or live and NULL or writable, by the header's contract.
        unsafe { texts::bytes(err.as_ref().map(|err| err.inner.body()), len) }
    })
}

infallible! {
    /// Whether the service may have executed the request although no success arrived: the outcome
    /// is unknown, and sending the request again may run, and bill, it twice.
    fn fal_error_may_have_executed(err: &fal_error) -> bool = false {
        err.inner.may_have_executed()
    }

    /// Whether the same request may succeed if it is sent again later.
    fn fal_error_is_retryable(err: &fal_error) -> bool = false {
        err.inner.is_retryable()
    }

    /// How long the service asked to wait before the next attempt, in milliseconds; -1 if it did
    /// not.
    fn fal_error_retry_after_ms(err: &fal_error) -> i64 = (-1) {
        err.inner.retry_after().map_or(-1, |after| {
            i64::try_from(after.as_millis()).unwrap_or(i64::MAX)
        })
    }
}

strings! {
    /// The scope that the refused operation needs, "API" or "ADMIN"; NULL where fal does not say or
    /// nothing was refused.
    fn fal_error_needed_scope(err: &fal_error) {
        err.inner.needed_scope().map(Scope::as_str).map(str::to_owned)
    }

    /// Why the account is locked, where the code is FAL_E_ACCOUNT_LOCKED: "balance",
    /// "payment_method", "budget", "admin", "archived" or "unknown"; NULL for any other error.
    fn fal_error_lock_reason(err: &fal_error) {
        err.inner.lock_reason().map(LockReason::as_str).map(str::to_owned)
    }
}

infallible! {
    /// How many fields of the input the service refused, at most 1000; 0 if it named none, and for
    /// NULL.
    fn fal_error_field_count(err: &fal_error) -> usize = 0 {
        err.inner.fields().len()
    }
}

strings! {
    /// Where the refused field at an index from 0 is, such as "body.image_size.width"; NULL past
    /// the last.
    fn fal_error_field_path(err: &fal_error, index: usize) {
        Some(err.inner.fields().get(index)?.path().to_owned())
    }

    /// The same as a JSON array of names and of places in lists, such as
    /// `["body","images",0,"url"]`; NULL past the last.
    fn fal_error_field_location(err: &fal_error, index: usize) {
        serde_json::to_string(err.inner.fields().get(index)?.location()).ok()
    }

    /// What is wrong with the field, for people; NULL past the last.
    fn fal_error_field_message(err: &fal_error, index: usize) {
        Some(err.inner.fields().get(index)?.message().to_owned())
    }

    /// fal's own name of what is wrong with the field, such as "image_too_large"; NULL if it gave
    /// none.
    fn fal_error_field_type(err: &fal_error, index: usize) {
        err.inner.fields().get(index)?.error_type().map(str::to_owned)
    }

    /// The page that documents it; NULL if the service names none.
    fn fal_error_field_url(err: &fal_error, index: usize) {
        err.inner.fields().get(index)?.url().map(str::to_owned)
    }

    /// What would be right, as JSON text, such as `{"max_height":1024,"max_width":1024}`; NULL if
    /// the service does not say.
    fn fal_error_field_context(err: &fal_error, index: usize) {
        err.inner.fields().get(index)?.context().map(ToString::to_string)
    }

    /// The value that was refused, as JSON text; NULL if the service does not repeat it. It may be
    /// private.
    fn fal_error_field_input(err: &fal_error, index: usize) {
        err.inner.fields().get(index)?.input().map(ToString::to_string)
    }
}

infallible! {
    /// Where the credential of the failed call came from, every source that was tried included;
    /// NULL if the error has nothing to do with credentials. It belongs to the error and must not
    /// be freed.
    fn fal_error_credentials(err: &fal_error) -> *const fal_credentials = (ptr::null()) {
        err.credentials.as_ref().map_or(ptr::null(), ptr::from_ref)
    }
}
