//! # Requests
//!
//! What is sent. A request can be used again, also while operations started with it are under way:
//! they hold a copy. One thread at a time may change a request.

use std::ffi::{c_char, c_void};

use serde_json::Value;

use super::boundary::{self, Out, status};
use super::error::fal_error;
use super::status::fal_status;
use super::times;
use crate::codec::json;
use crate::codec::msgpack;
use crate::error::{Error, Result};
use crate::request::Request;
use crate::system::memory;

/// A request. Unique; freed with fal_request_free().
pub struct fal_request {
    request: Request,
}

impl fal_request {
    pub(super) fn get(&self) -> &Request {
        &self.request
    }

    pub(super) fn copy(&self) -> Request {
        self.request.clone()
    }
}

/// Changes a request by a step that may fail.
///
/// # Safety
/// `request` is NULL or live and used by nobody else.
pub(super) unsafe fn change(
    request: *mut fal_request,
    err: *mut *mut fal_error,
    step: impl FnOnce(&mut Request) -> Result<()>,
) -> fal_status {
    status(err, || {
        // SAFETY: by this function's own contract.
        step(&mut unsafe { boundary::borrow_mut(request, "request") }?.request)
    })
}

/// Sets a field of the input.
///
/// # Safety
/// As for [`change`]; `name` is NULL or a string.
unsafe fn set_field(
    request: *mut fal_request,
    name: *const c_char,
    name_len: usize,
    err: *mut *mut fal_error,
    value: impl FnOnce() -> Result<Value>,
) -> fal_status {
    // SAFETY: by this function's own contract.
    unsafe {
        change(request, err, |request| {
            let name = boundary::text(name, name_len, "name")?;
            request.set_field(name, value()?)
        })
    }
}

/// A call of an endpoint by its id, such as "fal-ai/flux/schnell", with an empty object as input;
/// for fal_client_run(), the queue, streams, sessions and channels.
///
/// FAL_E_INVALID_ARGUMENT if that is not an endpoint id; of an address such as
/// "https://fal.run/fal-ai/flux/dev" the remedy shows the id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_new(
    endpoint: *const c_char,
    endpoint_len: usize,
    out: *mut *mut fal_request,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or a string, by the header's contract.
        let endpoint = unsafe { boundary::text(endpoint, endpoint_len, "endpoint") }?;
        out.give(fal_request {
            request: Request::run(endpoint)?,
        });
        Ok(())
    })
}

/// A request of any method to an address of fal's, such as "https://api.fal.ai/v1/models", or to a
/// path of the Platform API, such as "/v1/keys"; for fal_client_send(). It has no body until one is
/// set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_new_http(
    method: *const c_char,
    method_len: usize,
    url: *const c_char,
    url_len: usize,
    out: *mut *mut fal_request,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or a string, by the header's contract.
        let method = unsafe { boundary::text(method, method_len, "method") }?;
        // SAFETY: NULL or a string, by the header's contract.
        let url = unsafe { boundary::text(url, url_len, "url") }?;
        out.give(fal_request {
            request: Request::new(method, url)?,
        });
        Ok(())
    })
}

/// Frees a request. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_free(request: *mut fal_request) {
    // SAFETY: the caller owns it.
    unsafe { boundary::free(request) }
}

/// Sets a field of the input to a string. name is a field of the top level ("prompt") or a JSON
/// Pointer ("/image_size/width") whose objects are made as needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_set_string(
    request: *mut fal_request,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        set_field(request, name, name_len, err, || {
            Ok(memory::text(boundary::text(value, value_len, "value")?)?.into())
        })
    }
}

/// Sets a field of the input to an integer. The name is as for fal_request_set_string().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_set_int(
    request: *mut fal_request,
    name: *const c_char,
    name_len: usize,
    value: i64,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { set_field(request, name, name_len, err, || Ok(value.into())) }
}

/// Sets a field of the input to a number; FAL_E_INVALID_ARGUMENT if it is not finite. The name is
/// as for fal_request_set_string().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_set_double(
    request: *mut fal_request,
    name: *const c_char,
    name_len: usize,
    value: f64,
    err: *mut *mut fal_error,
) -> fal_status {
    let number = || {
        serde_json::Number::from_f64(value).ok_or_else(|| Error::invalid("JSON has no such number"))
    };
    // SAFETY: as the header says of each pointer.
    unsafe {
        set_field(request, name, name_len, err, || {
            Ok(Value::Number(number()?))
        })
    }
}

/// Sets a field of the input to true or false. The name is as for fal_request_set_string().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_set_bool(
    request: *mut fal_request,
    name: *const c_char,
    name_len: usize,
    value: bool,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { set_field(request, name, name_len, err, || Ok(value.into())) }
}

/// Sets a field of an input for a realtime app to bytes, which are copied; in JSON they are
/// {"$bytes": "<base64>"}. Apps that are called otherwise take files, not bytes. The name is as for
/// fal_request_set_string().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_set_bytes(
    request: *mut fal_request,
    name: *const c_char,
    name_len: usize,
    data: *const c_void,
    data_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        set_field(request, name, name_len, err, || {
            msgpack::bytes_of(boundary::bytes(data, data_len, "data")?)
        })
    }
}

/// Sets a field of the input to any JSON, given as text. The name is as for
/// fal_request_set_string().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_set_json(
    request: *mut fal_request,
    name: *const c_char,
    name_len: usize,
    json: *const c_char,
    json_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        set_field(request, name, name_len, err, || {
            parse(boundary::text(json, json_len, "json")?)
        })
    }
}

/// Replaces the whole input, or body, by JSON, given as text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_set_body_json(
    request: *mut fal_request,
    json: *const c_char,
    json_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        change(request, err, |request| {
            request.set_json(parse(boundary::text(json, json_len, "json")?)?);
            Ok(())
        })
    }
}

/// Replaces the whole body by bytes, which are copied, of a content type such as "image/png".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_set_body(
    request: *mut fal_request,
    data: *const c_void,
    data_len: usize,
    content_type: *const c_char,
    content_type_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        change(request, err, |request| {
            let content_type = boundary::text(content_type, content_type_len, "content_type")?;
            request.set_bytes(boundary::copy(data, data_len, "data")?, content_type)
        })
    }
}

/// Calls another path of the app than the usual one: the endpoint id's own for a run, the queue and
/// a WebSocket, "stream" for a stream, "realtime" for a realtime session. Surrounding slashes are
/// dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_set_path(
    request: *mut fal_request,
    path: *const c_char,
    path_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        change(request, err, |request| {
            request.set_path(boundary::text(path, path_len, "path")?)
        })
    }
}

/// Sends another method than POST to an endpoint that defines it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_set_method(
    request: *mut fal_request,
    method: *const c_char,
    method_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        change(request, err, |request| {
            request.set_method(boundary::text(method, method_len, "method")?)
        })
    }
}

/// Sets a header, such as "X-Fal-Runner-Hint". Those that the transport owns, Authorization and
/// Host among them, are refused with FAL_E_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_set_header(
    request: *mut fal_request,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        change(request, err, |request| {
            let name = boundary::text(name, name_len, "name")?;
            request.set_header(name, boundary::text(value, value_len, "value")?)
        })
    }
}

/// The time for the whole call in milliseconds, from credential to decoded body, retries included.
/// Stronger than the client's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_request_set_timeout_ms(
    request: *mut fal_request,
    timeout_ms: i64,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe {
        change(request, err, |request| {
            request.set_timeout(times::longest(timeout_ms)?);
            Ok(())
        })
    }
}

pub(super) fn parse(json: &str) -> Result<Value> {
    json::tree(json.as_bytes())?.map_err(|e| Error::invalid(format!("json is not JSON: {e}")))
}
