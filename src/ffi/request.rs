//! # Requests
//!
//! What is sent. A request can be used again, also while operations started with it are under way:
//! they hold a copy. One thread at a time may change a request.

use serde_json::{Number, Value};

use super::boundary::copy;
use super::times;
use crate::codec::json;
use crate::codec::msgpack;
use crate::error::{Error, Result};
use crate::request::Request;
use crate::system::memory;

/// A request. Unique; freed with fal_request_free().
pub struct fal_request {
    pub(super) inner: Request,
}

fallible! {
    /// A call of an endpoint by its id, such as "fal-ai/flux/schnell", with an empty object as
    /// input; for fal_client_run(), the queue, streams, sessions and channels.
    ///
    /// FAL_E_INVALID_ARGUMENT if that is not an endpoint id; of an address such as
    /// "https://fal.run/fal-ai/flux/dev" the remedy shows the id.
    fn fal_request_new(endpoint: text[endpoint_len]) -> fal_request {
        fal_request { inner: Request::run(endpoint)? }
    }

    /// A request of any method to an address of fal's, such as "https://api.fal.ai/v1/models", or
    /// to a path of the Platform API, such as "/v1/keys"; for fal_client_send(). It has no body
    /// until one is set.
    fn fal_request_new_http(method: text[method_len], url: text[url_len]) -> fal_request {
        fal_request { inner: Request::new(method, url)? }
    }
}

frees! {
    /// Frees a request. NULL does nothing.
    fn fal_request_free(request: *mut fal_request);
}

fallible! {
    /// Sets a field of the input to a string. name is a field of the top level ("prompt") or a JSON
    /// Pointer ("/image_size/width") whose objects are made as needed.
    fn fal_request_set_string(
        request: &mut fal_request,
        name: text[name_len],
        value: text[value_len],
    ) {
        request.inner.set_field(name, memory::text(value)?.into())?;
    }

    /// Sets a field of the input to an integer. The name is as for fal_request_set_string().
    fn fal_request_set_int(request: &mut fal_request, name: text[name_len], value: i64) {
        request.inner.set_field(name, value.into())?;
    }

    /// Sets a field of the input to a number; FAL_E_INVALID_ARGUMENT if it is not finite. The name
    /// is as for fal_request_set_string().
    fn fal_request_set_double(request: &mut fal_request, name: text[name_len], value: f64) {
        let number = Number::from_f64(value);
        let number = number.ok_or_else(|| Error::invalid("JSON has no such number"))?;
        request.inner.set_field(name, number.into())?;
    }

    /// Sets a field of the input to true or false. The name is as for fal_request_set_string().
    fn fal_request_set_bool(request: &mut fal_request, name: text[name_len], value: bool) {
        request.inner.set_field(name, value.into())?;
    }

    /// Sets a field of an input for a realtime app to bytes, which are copied; in JSON they are
    /// {"$bytes": "<base64>"}. Apps that are called otherwise take files, not bytes. The name is as
    /// for fal_request_set_string().
    fn fal_request_set_bytes(
        request: &mut fal_request,
        name: text[name_len],
        data: bytes[data_len],
    ) {
        request.inner.set_field(name, msgpack::bytes_of(data)?)?;
    }

    /// Sets a field of the input to any JSON, given as text. The name is as for
    /// fal_request_set_string().
    fn fal_request_set_json(
        request: &mut fal_request,
        name: text[name_len],
        json: text[json_len],
    ) {
        request.inner.set_field(name, parse(json)?)?;
    }

    /// Replaces the whole input, or body, by JSON, given as text.
    fn fal_request_set_body_json(request: &mut fal_request, json: text[json_len]) {
        request.inner.set_json(parse(json)?);
    }

    /// Replaces the whole body by bytes, which are copied, of a content type such as "image/png".
    fn fal_request_set_body(
        request: &mut fal_request,
        data: bytes[data_len],
        content_type: text[content_type_len],
    ) {
        request.inner.set_bytes(copy(data)?, content_type)?;
    }

    /// Calls another path of the app than the usual one: the endpoint id's own for a run, the queue
    /// and a WebSocket, "stream" for a stream, "realtime" for a realtime session. Surrounding
    /// slashes are dropped.
    fn fal_request_set_path(request: &mut fal_request, path: text[path_len]) {
        request.inner.set_path(path)?;
    }

    /// Sends another method than POST to an endpoint that defines it.
    fn fal_request_set_method(request: &mut fal_request, method: text[method_len]) {
        request.inner.set_method(method)?;
    }

    /// Sets a header, such as "X-Fal-Runner-Hint". Those that the transport owns, Authorization and
    /// Host among them, are refused with FAL_E_INVALID_ARGUMENT.
    fn fal_request_set_header(
        request: &mut fal_request,
        name: text[name_len],
        value: text[value_len],
    ) {
        request.inner.set_header(name, value)?;
    }

    /// The time for the whole call in milliseconds, from credential to decoded body, retries
    /// included. Stronger than the client's.
    fn fal_request_set_timeout_ms(request: &mut fal_request, timeout_ms: i64) {
        request.inner.set_timeout(times::longest(timeout_ms)?);
    }
}

pub(super) fn parse(json: &str) -> Result<Value> {
    json::tree(json.as_bytes())?.map_err(|e| Error::invalid(format!("json is not JSON: {e}")))
}
