//! # Responses
//!
//! What the service answered, bare as it came. Values are read by JSON Pointer (RFC 6901):
//! "/images/0/url", or "" for the whole. A value that is missing or of another type is
//! FAL_E_WRONG_TYPE; where there is no memory to read it, FAL_E_IO. Strings are borrowed from the
//! response. A response is immutable: several threads may read it at once.

use std::ffi::{c_char, c_void};
use std::ptr;

use serde_json::Value;

use super::boundary::{self, Out, plain, status};
use super::error::fal_error;
use super::status::fal_status;
use super::texts::{Texts, set_len};
use crate::error::{Error, Result};
use crate::response::Response;

/// A successful answer. Unique; freed with fal_response_free().
pub struct fal_response {
    response: Response,
    texts: Texts,
}

impl fal_response {
    pub(super) fn new(response: Response) -> Self {
        fal_response {
            response,
            texts: Texts::default(),
        }
    }

    pub(super) fn get(&self) -> &Response {
        &self.response
    }
}

/// Reads a value at a pointer into a place of the caller's.
///
/// # Safety
/// Each pointer is NULL or valid for its type.
unsafe fn get<T>(
    response: *const fal_response,
    pointer: *const c_char,
    pointer_len: usize,
    out: (*mut T, T),
    err: *mut *mut fal_error,
    read: impl FnOnce(&fal_response, &str) -> Result<T>,
) -> fal_status {
    status(err, || {
        // SAFETY: by this function's own contract.
        let out = unsafe { Out::new(out.0, out.1, "out") }?;
        // SAFETY: by this function's own contract.
        let response = unsafe { boundary::borrow(response, "response") }?;
        // SAFETY: by this function's own contract.
        let pointer = unsafe { boundary::text(pointer, pointer_len, "pointer") }?;
        out.set(read(response, pointer)?);
        Ok(())
    })
}

/// Frees a response. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_free(response: *mut fal_response) {
    // SAFETY: the caller owns it.
    unsafe { boundary::free(response) }
}

/// The HTTP status, 200 to 299; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_http_status(response: *const fal_response) -> i32 {
    plain(0, || {
        // SAFETY: NULL or live, by the header's contract.
        unsafe { response.as_ref() }.map_or(0, |response| response.response.status().into())
    })
}

/// fal's id of the request; NULL if the service gave none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_request_id(
    response: *const fal_response,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: as the header says of both pointers.
    unsafe {
        fal_response_header(
            response,
            c"x-fal-request-id".as_ptr(),
            boundary::NUL_TERMINATED,
            len,
        )
    }
}

/// A header's value by its name, in any case; NULL if it is not there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_header(
    response: *const fal_response,
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
            let Some(response) = response.as_ref() else {
                return ptr::null();
            };
            let value = || response.response.header(&name).map(str::to_owned);
            response.texts.get(&format!("header {name}"), len, value)
        }
    })
}

/// The body as it came, as many bytes as *len says and without a NUL; NULL if it is empty. It is
/// not copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_body(
    response: *const fal_response,
    len: *mut usize,
) -> *const c_void {
    plain(ptr::null(), || {
        // SAFETY: NULL or live and NULL or writable, by the header's contract.
        unsafe {
            let body = response
                .as_ref()
                .map_or(&[][..], |response| response.response.body());
            set_len(len, body.len());
            if body.is_empty() {
                ptr::null()
            } else {
                body.as_ptr().cast()
            }
        }
    })
}

/// The body as text with a NUL: for most endpoints, JSON. FAL_E_WRONG_TYPE if it is not UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_get_text(
    response: *const fal_response,
    out: *mut *const c_char,
    len: *mut usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        get(
            response,
            c"".as_ptr(),
            0,
            (out, ptr::null()),
            err,
            |response, _| {
                set_len(len, 0);
                let text = response.response.text()?;
                response.texts.copy("text", len, text)
            },
        )
    }
}

/// The string at a pointer. len may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_get_string(
    response: *const fal_response,
    pointer: *const c_char,
    pointer_len: usize,
    out: *mut *const c_char,
    len: *mut usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        set_len(len, 0);
        get(
            response,
            pointer,
            pointer_len,
            (out, ptr::null()),
            err,
            |response, pointer| {
                let text = response.response.get_str(pointer)?;
                response.texts.copy(&format!("string {pointer}"), len, text)
            },
        )
    }
}

/// The integer at a pointer. FAL_E_WRONG_TYPE if the number has a fraction or does not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_get_int(
    response: *const fal_response,
    pointer: *const c_char,
    pointer_len: usize,
    out: *mut i64,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        get(
            response,
            pointer,
            pointer_len,
            (out, 0),
            err,
            |response, pointer| {
                response
                    .response
                    .get_as(pointer, "an integer of 64 bits", Value::as_i64)
            },
        )
    }
}

/// The number at a pointer, or the double next to it: fal_response_get_json() gives every digit, of
/// amounts of money say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_get_double(
    response: *const fal_response,
    pointer: *const c_char,
    pointer_len: usize,
    out: *mut f64,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        get(
            response,
            pointer,
            pointer_len,
            (out, 0.0),
            err,
            |response, pointer| response.response.get_as(pointer, "a number", Value::as_f64),
        )
    }
}

/// The boolean at a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_get_bool(
    response: *const fal_response,
    pointer: *const c_char,
    pointer_len: usize,
    out: *mut bool,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        get(
            response,
            pointer,
            pointer_len,
            (out, false),
            err,
            |response, pointer| {
                response
                    .response
                    .get_as(pointer, "a boolean", Value::as_bool)
            },
        )
    }
}

/// Any value at a pointer, as the JSON text that came: a number has every digit that the service
/// wrote, which a double may not hold. len may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_get_json(
    response: *const fal_response,
    pointer: *const c_char,
    pointer_len: usize,
    out: *mut *const c_char,
    len: *mut usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        set_len(len, 0);
        get(
            response,
            pointer,
            pointer_len,
            (out, ptr::null()),
            err,
            |response, pointer| {
                let value = response.response.get_raw(pointer)?;
                response.texts.copy(&format!("json {pointer}"), len, value)
            },
        )
    }
}

/// How many elements the array, or members the object, at a pointer has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_get_count(
    response: *const fal_response,
    pointer: *const c_char,
    pointer_len: usize,
    out: *mut usize,
    err: *mut *mut fal_error,
) -> fal_status {
    let count = |value: &Value| {
        value
            .as_array()
            .map(Vec::len)
            .or_else(|| value.as_object().map(serde_json::Map::len))
    };
    // SAFETY: as the header says of each pointer.
    unsafe {
        get(
            response,
            pointer,
            pointer_len,
            (out, 0),
            err,
            |response, pointer| {
                response
                    .response
                    .get_as(pointer, "an array or an object", count)
            },
        )
    }
}

/// Whether there is a value, null included, at a pointer. false for NULL, for a body that is not
/// JSON, and where there is no memory to read it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_has(
    response: *const fal_response,
    pointer: *const c_char,
    pointer_len: usize,
) -> bool {
    plain(false, || {
        // SAFETY: NULL or live, by the header's contract.
        let response = unsafe { boundary::borrow(response, "response") };
        // SAFETY: NULL or a string, by the header's contract.
        let pointer = unsafe { boundary::text(pointer, pointer_len, "pointer") };
        let found =
            |response: &fal_response| Ok::<_, Error>(response.response.get(pointer?).is_ok());
        response.and_then(found).unwrap_or(false)
    })
}
