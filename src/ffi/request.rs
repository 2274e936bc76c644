//! # Requests
//!
//! A request describes what is sent. It can be used again, also while operations that were started
//! with it are running: they have a copy. Only one thread at a time may change a request.

use serde_json::{Number, Value};

use super::boundary::copy;
use super::times;
use crate::codec::json;
use crate::codec::msgpack;
use crate::error::{Error, Result};
use crate::request::Request;
use crate::system::memory;

/// A request. Unique; freed with fal_request_free(). Only one thread at a time may change it; several
/// may start operations with it, which have a copy.
pub struct fal_request {
    pub(super) inner: Request,
}

fallible! {
    /// Creates a request to an endpoint, given by its id, such as "fal-ai/flux/schnell", with an
    /// empty JSON object as its input. It is for fal_client_run(), the queue, streams, sessions and
    /// channels. Free it with fal_request_free().
    ///
    /// FAL_E_INVALID_ARGUMENT if endpoint is not an endpoint id. For a URL such as
    /// "https://fal.run/fal-ai/flux/dev" the remedy names the id.
    fn fal_request_new(endpoint: text[endpoint_len]) -> fal_request {
        fal_request { inner: Request::run(endpoint)? }
    }

    /// Creates a request of any HTTP method to one of fal's URLs, such as
    /// "https://api.fal.ai/v1/models", or to a path of the Platform API, such as "/v1/keys". It is
    /// for fal_client_send(), and has no body until one is set. Free it with fal_request_free().
    fn fal_request_new_http(method: text[method_len], url: text[url_len]) -> fal_request {
        fal_request { inner: Request::new(method, url)? }
    }
}

frees! {
    /// Frees a request. NULL is ignored.
    fn fal_request_free(request: *mut fal_request);
}

fallible! {
    /// Sets a field of the input to a string. name is a top-level member ("prompt") or a JSON
    /// Pointer ("/image_size/width"), which begins with a slash, also where a value is read. Missing
    /// objects on the path of a pointer are created.
    ///
    /// FAL_E_INVALID_ARGUMENT if name is empty, or has a slash but does not begin with one; if the
    /// pointer passes through something that is neither an object nor an array; if the body is not a
    /// JSON object, or would have more than 128 levels.
    fn fal_request_set_string(
        request: &mut fal_request,
        name: text[name_len],
        value: text[value_len],
    ) {
        request.inner.set_field(name, memory::text(value)?.into())?;
    }

    /// Sets a field of the input to an integer. name is as in fal_request_set_string().
    fn fal_request_set_int(request: &mut fal_request, name: text[name_len], value: i64) {
        request.inner.set_field(name, value.into())?;
    }

    /// Sets a field of the input to a number. name is as in fal_request_set_string().
    /// FAL_E_INVALID_ARGUMENT if value is infinite or NaN.
    fn fal_request_set_double(request: &mut fal_request, name: text[name_len], value: f64) {
        let number = Number::from_f64(value);
        let number = number.ok_or_else(|| Error::invalid("value must be a finite number"))?;
        request.inner.set_field(name, number.into())?;
    }

    /// Sets a field of the input to a boolean. name is as in fal_request_set_string().
    fn fal_request_set_bool(request: &mut fal_request, name: text[name_len], value: bool) {
        request.inner.set_field(name, value.into())?;
    }

    /// Sets a field of the input of a realtime app to bytes, which are copied. As JSON they are
    /// {"$bytes": "<base64>"}. Only realtime sessions carry bytes; other calls take files. name is
    /// as in fal_request_set_string().
    fn fal_request_set_bytes(
        request: &mut fal_request,
        name: text[name_len],
        data: bytes[data_len],
    ) {
        request.inner.set_field(name, msgpack::bytes_of(data)?)?;
    }

    /// Sets a field of the input to any JSON value, given as text. name is as in
    /// fal_request_set_string().
    fn fal_request_set_json(
        request: &mut fal_request,
        name: text[name_len],
        json: text[json_len],
    ) {
        request.inner.set_field(name, parse(json)?)?;
    }

    /// Replaces the whole input, or body, by a JSON value, given as text.
    fn fal_request_set_body_json(request: &mut fal_request, json: text[json_len]) {
        request.inner.set_json_text(json)?;
    }

    /// Replaces the whole body by bytes, which are copied, and sets their content type, such as
    /// "image/png".
    fn fal_request_set_body(
        request: &mut fal_request,
        data: bytes[data_len],
        content_type: text[content_type_len],
    ) {
        request.inner.set_bytes(copy(data)?, content_type)?;
    }

    /// Sets the path of the app to call. The default is the endpoint id's own path for a run, the
    /// queue and a WebSocket, "stream" for a stream, and "realtime" for a realtime session. Leading
    /// and trailing slashes are removed.
    fn fal_request_set_path(request: &mut fal_request, path: text[path_len]) {
        request.inner.set_path(path)?;
    }

    /// Sets the HTTP method, for an endpoint that defines another one than POST.
    fn fal_request_set_method(request: &mut fal_request, method: text[method_len]) {
        request.inner.set_method(method)?;
    }

    /// Sets a header, such as "X-Fal-Runner-Hint". FAL_E_INVALID_ARGUMENT for headers that libfal
    /// sets itself, such as Authorization and Host.
    fn fal_request_set_header(
        request: &mut fal_request,
        name: text[name_len],
        value: text[value_len],
    ) {
        request.inner.set_header(name, value)?;
    }

    /// Sets the timeout of the whole call in milliseconds, from the credential to the decoded body,
    /// retries included. It takes precedence over the client's.
    fn fal_request_set_timeout_ms(request: &mut fal_request, timeout_ms: i64) {
        request.inner.set_timeout(times::longest(timeout_ms)?);
    }
}

pub(super) fn parse(json: &str) -> Result<Value> {
    json::tree(json.as_bytes())?.map_err(|e| Error::invalid(format!("json is not JSON: {e}")))
}
