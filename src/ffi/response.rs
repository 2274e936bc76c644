//! # Responses
//!
//! A response is what the service returned, unchanged. Values are read by JSON Pointer (RFC 6901):
//! "/images/0/url", or "" for the whole body. A missing value or one of another type is
//! FAL_E_WRONG_TYPE; too little memory to read it is FAL_E_IO. Strings are borrowed from the
//! response. A response is immutable: several threads may read it at once.

use std::ffi::{c_char, c_void};
use std::ptr;

use serde_json::{Map, Value};

use super::boundary::{self, Out, plain};
use super::error::fal_error;
use super::outcome::status;
use super::status::fal_status;
use super::texts::{Texts, bytes, set_len};
use crate::error::{Error, Result};
use crate::response::Response;

/// A successful response. Unique; freed with fal_response_free(). It is immutable: several threads may
/// read it at once.
pub struct fal_response {
    pub(super) inner: Response,
    pub(super) texts: Texts,
}

impl fal_response {
    pub(super) fn new(inner: Response) -> Self {
        fal_response {
            inner,
            texts: Texts::default(),
        }
    }
}

/// Gets a text of the response, found by `read`, as a string that the response owns.
///
/// # Safety
/// Each pointer is NULL or valid for its type.
unsafe fn get_text(
    response: *const fal_response,
    key: &str,
    pointer: (*const c_char, usize),
    out: *mut *const c_char,
    len: *mut usize,
    err: *mut *mut fal_error,
    read: impl for<'a> FnOnce(&'a Response, &str) -> Result<&'a str>,
) -> fal_status {
    // SAFETY: by this function's own contract.
    status(err, || unsafe {
        set_len(len, 0);
        let out = Out::new(out, ptr::null(), "out")?;
        let response = boundary::borrow(response, "response")?;
        let pointer = boundary::text(pointer.0, pointer.1, "pointer")?;
        let text = read(&response.inner, pointer)?;
        out.set(
            response
                .texts
                .copy(&format!("{key} {pointer}"), len, text)?,
        );
        Ok(())
    })
}

frees! {
    /// Frees a response. NULL is ignored.
    fn fal_response_free(response: *mut fal_response);
}

infallible! {
    /// Returns the HTTP status, 200 to 299; 0 for NULL.
    fn fal_response_http_status(response: &fal_response) -> i32 = 0 {
        response.inner.status().into()
    }
}

strings! {
    /// Returns fal's id of the request; NULL if the service sent none.
    fn fal_response_request_id(response: &fal_response) {
        response.inner.header("x-fal-request-id").map(str::to_owned)
    }
}

/// Returns the value of a header; NULL if the response has no such header. Upper and lower case of
/// the name do not matter.
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
            let value = || response.inner.header(&name).map(str::to_owned);
            response.texts.get(&format!("header {name}"), len, value)
        }
    })
}

/// Returns the body, *len bytes without a terminating NUL; NULL if it is empty. It is borrowed, not
/// copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_body(
    response: *const fal_response,
    len: *mut usize,
) -> *const c_void {
    plain(ptr::null(), || {
        // SAFETY: NULL or live and NULL or writable, by the header's contract.
        unsafe {
            bytes(
                response.as_ref().map(|response| &response.inner.body()[..]),
                len,
            )
        }
    })
}

/// Gets the body as text that ends with a NUL; for most endpoints this is JSON. FAL_E_WRONG_TYPE if
/// it is not UTF-8. len may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_response_get_text(
    response: *const fal_response,
    out: *mut *const c_char,
    len: *mut usize,
    err: *mut *mut fal_error,
) -> fal_status {
    let body = (c"".as_ptr(), 0);
    // SAFETY: as the header says of each pointer.
    unsafe {
        get_text(response, "text", body, out, len, err, |response, _| {
            response.text()
        })
    }
}

/// Gets the string at a pointer. len may be NULL.
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
        let pointer = (pointer, pointer_len);
        get_text(
            response,
            "string",
            pointer,
            out,
            len,
            err,
            Response::get_str,
        )
    }
}

fallible! {
    /// Gets the integer at a pointer. FAL_E_WRONG_TYPE if the number has a fraction or does not
    /// fit.
    fn fal_response_get_int(response: &fal_response, pointer: text[pointer_len]) -> i64 = 0 {
        response.inner.get_as(pointer, "an integer of 64 bits", Value::as_i64)?
    }

    /// Gets the number at a pointer, rounded to the nearest double. fal_response_get_json() returns
    /// all its digits, as needed for amounts of money.
    fn fal_response_get_double(response: &fal_response, pointer: text[pointer_len]) -> f64 = 0.0 {
        response.inner.get_as(pointer, "a number", Value::as_f64)?
    }

    /// Gets the boolean at a pointer.
    fn fal_response_get_bool(response: &fal_response, pointer: text[pointer_len]) -> bool = false {
        response.inner.get_as(pointer, "a boolean", Value::as_bool)?
    }
}

/// Gets any value at a pointer as JSON text, exactly as it was received: a number has all its
/// digits. len may be NULL.
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
        let pointer = (pointer, pointer_len);
        get_text(response, "json", pointer, out, len, err, Response::get_raw)
    }
}

fallible! {
    /// Gets how many elements the array, or members the object, at a pointer has.
    fn fal_response_get_count(response: &fal_response, pointer: text[pointer_len]) -> usize = 0 {
        let count = |value: &Value| {
            let elements = value.as_array().map(Vec::len);
            elements.or_else(|| value.as_object().map(Map::len))
        };
        response.inner.get_as(pointer, "an array or an object", count)?
    }
}

/// Returns whether there is a value at a pointer; null is a value. Returns false for NULL, for a
/// body that is not JSON, and if there is not enough memory to read it.
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
        let found = |response: &fal_response| Ok::<_, Error>(response.inner.get(pointer?).is_ok());
        response.and_then(found).unwrap_or(false)
    })
}
