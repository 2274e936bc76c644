//! # Errors
//!
//! An error says what happened (message), what to do (remedy) and what it means for the request
//! (may_have_executed, retryable). It never contains a secret. Strings are borrowed from the error
//! and valid until it is freed. Every function here may be called by several threads at once and
//! accepts NULL.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use super::boundary::{self, plain};
use super::credentials::fal_credentials;
use super::status::{FAL_OK, fal_status};
use super::texts::{Texts, set_len};
use crate::error::{Error, FieldError, LockReason};
use crate::key::Scope;

/// What went wrong. Owned by the caller who received it; freed with fal_error_free().
pub struct fal_error {
    error: Error,
    credentials: Option<fal_credentials>,
    texts: Texts,
}

impl fal_error {
    pub(super) fn new(error: Error) -> Self {
        let credentials = error.resolution().cloned().map(fal_credentials::new);
        fal_error {
            error,
            credentials,
            texts: Texts::default(),
        }
    }
}

/// Reads from an error that may be NULL.
///
/// # Safety
/// `err` is NULL or live.
unsafe fn read<T>(err: *const fal_error, fallback: T, get: impl FnOnce(&fal_error) -> T) -> T
where
    T: Copy,
{
    // SAFETY: by this function's own contract.
    plain(fallback, || unsafe { err.as_ref() }.map_or(fallback, get))
}

/// One of an error's strings.
///
/// # Safety
/// `err` is NULL or live; `len` is NULL or writable.
unsafe fn string<'a>(
    err: *const fal_error,
    name: &str,
    len: *mut usize,
    get: impl FnOnce(&'a Error) -> Option<&'a str>,
) -> *const c_char {
    // SAFETY: by this function's own contract.
    plain(ptr::null(), || unsafe {
        match err.as_ref() {
            Some(err) => err
                .texts
                .get(name, len, || get(&err.error).map(str::to_owned)),
            None => {
                set_len(len, 0);
                ptr::null()
            }
        }
    })
}

/// One of the strings that every error has; `none` where there is no error.
///
/// # Safety
/// As for [`string`].
unsafe fn sentence(
    err: *const fal_error,
    name: &str,
    len: *mut usize,
    none: &'static CStr,
    get: impl FnOnce(&Error) -> &str,
) -> *const c_char {
    // SAFETY: by this function's own contract.
    let text = unsafe { string(err, name, len, |error| Some(get(error))) };
    if !text.is_null() {
        return text;
    }
    // SAFETY: by this function's own contract.
    unsafe { set_len(len, none.count_bytes()) };
    none.as_ptr()
}

/// One of the strings of a field that was refused.
///
/// # Safety
/// `err` is NULL or live; `len` is NULL or writable.
unsafe fn field(
    err: *const fal_error,
    name: &str,
    index: usize,
    len: *mut usize,
    get: impl FnOnce(&FieldError) -> Option<String>,
) -> *const c_char {
    // SAFETY: by this function's own contract.
    plain(ptr::null(), || unsafe {
        set_len(len, 0);
        let Some(err) = err.as_ref() else {
            return ptr::null();
        };
        let Some(field) = err.error.fields().get(index) else {
            return ptr::null();
        };
        err.texts
            .get(&format!("field {index} {name}"), len, || get(field))
    })
}

/// Frees an error. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_free(err: *mut fal_error) {
    // SAFETY: the caller owns the error.
    unsafe { boundary::free(err) }
}

/// The FAL_E_ code, the same that the failed function returned; FAL_OK for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_code(err: *const fal_error) -> fal_status {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { read(err, FAL_OK, |err| err.error.code().number()) }
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

/// The HTTP status of the service's answer, 100 to 599; 0 if there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_http_status(err: *const fal_error) -> i32 {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { read(err, 0, |err| err.error.http_status().map_or(0, i32::from)) }
}

/// fal's own name of the error, such as "image_too_large" or "runner_disconnected"; NULL if it gave
/// none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_type(err: *const fal_error, len: *mut usize) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { string(err, "type", len, Error::error_type) }
}

/// fal's id of the request, for its support; NULL if the service gave none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_request_id(
    err: *const fal_error,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { string(err, "request id", len, Error::request_id) }
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
        let name = unsafe { boundary::text(name, name_len, "name") }.unwrap_or_default();
        // SAFETY: NULL or live, by the header's contract.
        unsafe {
            string(
                err,
                &format!("header {}", name.to_ascii_lowercase()),
                len,
                |error| error.header(name),
            )
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
        unsafe {
            let body = err.as_ref().map_or(&[][..], |err| err.error.body());
            set_len(len, body.len());
            if body.is_empty() {
                ptr::null()
            } else {
                body.as_ptr().cast()
            }
        }
    })
}

/// Whether the service may have executed the request although no success arrived: the outcome is
/// unknown, and sending the request again may run, and bill, it twice.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_may_have_executed(err: *const fal_error) -> bool {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { read(err, false, |err| err.error.may_have_executed()) }
}

/// Whether the same request may succeed if it is sent again later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_is_retryable(err: *const fal_error) -> bool {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { read(err, false, |err| err.error.is_retryable()) }
}

/// How long the service asked to wait before the next attempt, in milliseconds; -1 if it did not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_retry_after_ms(err: *const fal_error) -> i64 {
    let milliseconds = |err: &fal_error| {
        let after = err.error.retry_after()?;
        Some(i64::try_from(after.as_millis()).unwrap_or(i64::MAX))
    };
    // SAFETY: NULL or live, by the header's contract.
    unsafe { read(err, -1, |err| milliseconds(err).unwrap_or(-1)) }
}

/// The scope that the refused operation needs, "API" or "ADMIN"; NULL where fal does not say or
/// nothing was refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_needed_scope(
    err: *const fal_error,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        string(err, "needed scope", len, |error| {
            error.needed_scope().map(Scope::as_str)
        })
    }
}

/// Why the account is locked, where the code is FAL_E_ACCOUNT_LOCKED: "balance", "payment_method",
/// "budget", "admin", "archived" or "unknown"; NULL for any other error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_lock_reason(
    err: *const fal_error,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        string(err, "lock reason", len, |error| {
            error.lock_reason().map(LockReason::as_str)
        })
    }
}

/// How many fields of the input the service refused, at most 1000; 0 if it named none, and for
/// NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_field_count(err: *const fal_error) -> usize {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { read(err, 0, |err| err.error.fields().len()) }
}

/// Where the refused field at an index from 0 is, such as "body.image_size.width"; NULL past the
/// last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_field_path(
    err: *const fal_error,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        field(err, "path", index, len, |field| {
            Some(field.path().to_owned())
        })
    }
}

/// The same as a JSON array of names and of places in lists, such as `["body","images",0,"url"]`;
/// NULL past the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_field_location(
    err: *const fal_error,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        field(err, "location", index, len, |field| {
            serde_json::to_string(field.location()).ok()
        })
    }
}

/// What is wrong with the field, for people; NULL past the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_field_message(
    err: *const fal_error,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        field(err, "message", index, len, |field| {
            Some(field.message().to_owned())
        })
    }
}

/// fal's own name of what is wrong with the field, such as "image_too_large"; NULL if it gave none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_field_type(
    err: *const fal_error,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        field(err, "type", index, len, |field| {
            field.error_type().map(str::to_owned)
        })
    }
}

/// The page that documents it; NULL if the service names none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_field_url(
    err: *const fal_error,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        field(err, "url", index, len, |field| {
            field.url().map(str::to_owned)
        })
    }
}

/// What would be right, as JSON text, such as `{"max_height":1024,"max_width":1024}`; NULL if the
/// service does not say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_field_context(
    err: *const fal_error,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        field(err, "context", index, len, |field| {
            field.context().map(ToString::to_string)
        })
    }
}

/// The value that was refused, as JSON text; NULL if the service does not repeat it. It may be
/// private.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_field_input(
    err: *const fal_error,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        field(err, "input", index, len, |field| {
            field.input().map(ToString::to_string)
        })
    }
}

/// Where the credential of the failed call came from, every source that was tried included; NULL if
/// the error has nothing to do with credentials. It belongs to the error and must not be freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_error_credentials(err: *const fal_error) -> *const fal_credentials {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        read(err, ptr::null(), |err| {
            err.credentials.as_ref().map_or(ptr::null(), ptr::from_ref)
        })
    }
}
