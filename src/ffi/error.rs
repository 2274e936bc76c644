//! # Errors
//!
//! An error says what happened (message), what to do (remedy), and what it means for the request
//! (may_have_executed, retryable). It never contains a secret. Strings are borrowed from the error
//! and are valid until it is freed. Every function here accepts NULL. All but fal_error_free() may
//! be called by several threads at once.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use super::boundary::{self, plain};
use super::report::fal_credentials;
use super::status::{FAL_OK, fal_status};
use super::texts::{self, Texts, set_len};
use crate::error::{Error, LockReason};
use crate::key::Scope;

/// What went wrong. Unique: its receiver frees it with fal_error_free(). It is immutable: several
/// threads may read it at once.
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

/// A string that every error has; `none` without an error.
///
/// # Safety
/// `err` is NULL or live; `len` is NULL or writable.
unsafe fn sentence(
    err: *const fal_error,
    name: &str,
    len: *mut usize,
    none: &'static CStr,
    get: impl FnOnce(&Error) -> String,
) -> *const c_char {
    let text = plain(ptr::null(), || {
        // SAFETY: by this function's own contract.
        match unsafe { err.as_ref() } {
            // SAFETY: by this function's own contract.
            Some(err) => unsafe {
                let make = || Some(get(&err.inner));
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
    /// Frees an error. NULL is ignored.
    fn fal_error_free(err: *mut fal_error);
}

infallible! {
    /// Returns the FAL_E_ code that the failed function returned; FAL_OK for NULL.
    fn fal_error_code(err: &fal_error) -> fal_status = FAL_OK {
        err.inner.code().number()
    }
}

/// Returns what happened, as English text; "no error" for NULL. The result is never NULL, so it can
/// be printed unchecked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_message(
    err: *const fal_error,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        sentence(err, "message", len, c"no error", |error| {
            error.message().to_owned()
        })
    }
}

/// Returns what to do about the error, as English text; "nothing" for NULL. The result is never
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_remedy(err: *const fal_error, len: *mut usize) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        sentence(err, "remedy", len, c"nothing", |error| {
            error.remedy().to_owned()
        })
    }
}

/// Returns the whole error as a block of lines to be printed, without a newline at the end: the
/// message, the remedy, the rejected fields, fal's id of the request and, if the credential may be
/// the cause, the report on its sources, as far as the error has them; "no error" for NULL. The
/// result is never NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_describe(
    err: *const fal_error,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { sentence(err, "describe", len, c"no error", Error::describe) }
}

infallible! {
    /// Returns the HTTP status of the response, 100 to 599; 0 if there was no response.
    fn fal_error_http_status(err: &fal_error) -> i32 = 0 {
        err.inner.http_status().map_or(0, i32::from)
    }
}

strings! {
    /// Returns fal's name of the error, such as "image_too_large" or "runner_disconnected"; NULL if
    /// the service sent none.
    fn fal_error_type(err: &fal_error) {
        err.inner.error_type().map(str::to_owned)
    }

    /// Returns fal's id of the request, which its support asks for; NULL if the service sent none.
    fn fal_error_request_id(err: &fal_error) {
        err.inner.request_id().map(str::to_owned)
    }
}

infallible! {
    /// Returns the operating system's code of the failure: errno on Unix, and the code of
    /// GetLastError() on Windows; 0 if the operating system gave none. FAL_E_IO has one if a file, a
    /// folder or a thread was refused, and FAL_E_CONNECT and FAL_E_CONNECTION_LOST if a connection
    /// was.
    fn fal_error_os_code(err: &fal_error) -> i32 = 0 {
        err.inner.os_code().unwrap_or(0)
    }
}

strings! {
    /// Returns the path of the file or folder that could not be read or written, or that exists
    /// already or not at all; NULL if the error is not about one. Bytes that are not UTF-8 are
    /// replaced.
    fn fal_error_path(err: &fal_error) {
        err.inner.path().map(|path| path.to_string_lossy().into_owned())
    }
}

/// Returns the value of a header of the response; NULL if the response has no such header. Upper
/// and lower case of the name do not matter.
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

/// Returns the body of the response, *len bytes without a terminating NUL; NULL if there is none.
///
/// At most 16 MiB are kept. A key that the service repeated in the body is replaced by asterisks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_body(err: *const fal_error, len: *mut usize) -> *const c_void {
    plain(ptr::null(), || {
        // SAFETY: NULL or live and NULL or writable, by the header's contract.
        unsafe { texts::bytes(err.as_ref().map(|err| err.inner.body()), len) }
    })
}

infallible! {
    /// Returns whether the service may have executed the request although the call failed. If true,
    /// the outcome is unknown: sending the request again may run it, and bill it, twice.
    fn fal_error_may_have_executed(err: &fal_error) -> bool = false {
        err.inner.may_have_executed()
    }

    /// Returns whether the same request may succeed if it is sent again later.
    fn fal_error_is_retryable(err: &fal_error) -> bool = false {
        err.inner.is_retryable()
    }

    /// Returns how many milliseconds the service asks to wait before the next attempt; -1 if it
    /// does not say.
    fn fal_error_retry_after_ms(err: &fal_error) -> i64 = (-1) {
        err.inner.retry_after().map_or(-1, |after| {
            i64::try_from(after.as_millis()).unwrap_or(i64::MAX)
        })
    }
}

strings! {
    /// Returns the scope that the rejected operation needs, "API" or "ADMIN"; NULL if fal does not
    /// say or the error is another one.
    fn fal_error_needed_scope(err: &fal_error) {
        err.inner.needed_scope().map(Scope::as_str).map(str::to_owned)
    }

    /// Returns why the account is locked, for FAL_E_ACCOUNT_LOCKED: "balance", "payment_method",
    /// "budget", "admin", "archived" or "unknown"; NULL for any other error.
    fn fal_error_lock_reason(err: &fal_error) {
        err.inner.lock_reason().map(LockReason::as_str).map(str::to_owned)
    }
}

infallible! {
    /// Returns how many fields of the input the service rejected, at most 1000; 0 if it named none,
    /// and for NULL. The functions fal_error_field_… take an index from 0 to this count minus 1,
    /// and return NULL for a larger one.
    fn fal_error_field_count(err: &fal_error) -> usize = 0 {
        err.inner.fields().len()
    }
}

strings! {
    /// Returns the path of a rejected field, such as "body.image_size.width".
    fn fal_error_field_path(err: &fal_error, index: usize) {
        Some(err.inner.fields().get(index)?.path().to_owned())
    }

    /// Returns the path of a rejected field as a JSON array of member names and array indices, such
    /// as `["body","images",0,"url"]`.
    fn fal_error_field_location(err: &fal_error, index: usize) {
        serde_json::to_string(err.inner.fields().get(index)?.location()).ok()
    }

    /// Returns what is wrong with the field, as English text.
    fn fal_error_field_message(err: &fal_error, index: usize) {
        Some(err.inner.fields().get(index)?.message().to_owned())
    }

    /// Returns fal's name of what is wrong with the field, such as "image_too_large"; NULL if the
    /// service sent none.
    fn fal_error_field_type(err: &fal_error, index: usize) {
        err.inner.fields().get(index)?.error_type().map(str::to_owned)
    }

    /// Returns the URL of the documentation of this error; NULL if the service sent none.
    fn fal_error_field_url(err: &fal_error, index: usize) {
        err.inner.fields().get(index)?.url().map(str::to_owned)
    }

    /// Returns the limits that the field violates, as JSON text, such as
    /// `{"max_height":1024,"max_width":1024}`; NULL if the service sent none.
    fn fal_error_field_context(err: &fal_error, index: usize) {
        err.inner.fields().get(index)?.context().map(ToString::to_string)
    }

    /// Returns the rejected value as JSON text; NULL if the service did not repeat it. It may be
    /// private.
    fn fal_error_field_input(err: &fal_error, index: usize) {
        err.inner.fields().get(index)?.input().map(ToString::to_string)
    }
}

infallible! {
    /// Returns the report on the sources of the credential that the failed call used or looked for;
    /// NULL if the error does not concern credentials. The report is borrowed from the error and
    /// must not be freed.
    fn fal_error_credentials(err: &fal_error) -> *const fal_credentials = (ptr::null()) {
        err.credentials.as_ref().map_or(ptr::null(), ptr::from_ref)
    }
}
