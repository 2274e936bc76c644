//! A response, or an event.

use std::sync::Arc;

use bytes::Bytes;
use fal::webhook::{Delivery, Status};
use fal::{Code, Error, Event, EventKind, Response};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};
use serde_json::json;

use crate::json as decoding;
use crate::values::{bytes, caught, failed, value_or_failure};

/// Where the content comes from.
enum Origin {
    Service(Arc<Response>),
    Event(Event),
    Program(Bytes),
}

#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Answer(Origin);

impl From<Arc<Response>> for Answer {
    fn from(response: Arc<Response>) -> Self {
        Answer(Origin::Service(response))
    }
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Arc::new(response).into()
    }
}

impl From<Event> for Answer {
    fn from(event: Event) -> Self {
        Answer(Origin::Event(event))
    }
}

impl Answer {
    fn response(&self) -> Option<&Response> {
        match &self.0 {
            Origin::Service(response) => Some(response),
            Origin::Event(event) => Some(event.content()),
            Origin::Program(_) => None,
        }
    }

    fn delivered(&self) -> fal::Result<Delivery> {
        let none = || Error::new(Code::WrongType, "it is no response".to_owned());
        Delivery::of(self.response().ok_or_else(none)?)
    }

    pub(crate) fn content(&self) -> &Bytes {
        match &self.0 {
            Origin::Service(response) => response.body(),
            Origin::Event(event) => event.content().body(),
            Origin::Program(content) => content,
        }
    }
}

#[pymethods]
impl Answer {
    #[new]
    #[pyo3(signature = (content, /))]
    fn new(content: PyBackedBytes) -> Self {
        Answer(Origin::Program(Bytes::from_owner(content)))
    }

    /// Return the kind of an event; "" for a response.
    fn kind(&self) -> &'static str {
        let Origin::Event(event) = &self.0 else {
            return "";
        };
        match event.kind() {
            EventKind::Status => "status",
            EventKind::Log => "log",
            EventKind::Progress => "progress",
            EventKind::Item => "item",
            EventKind::Message => "message",
            EventKind::Connection => "connection",
            _ => "other",
        }
    }

    /// Return whether it is an event with bytes, not with text or JSON.
    fn is_bytes(&self) -> bool {
        matches!(&self.0, Origin::Event(event) if event.is_bytes())
    }

    /// Return the frame of a realtime message as the app sent it, with its secrets; None for any other
    /// content.
    fn frame<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let Origin::Event(event) = &self.0 else {
            return Ok(None);
        };
        event.frame().map(|frame| bytes(py, frame)).transpose()
    }

    /// Return the HTTP status.
    fn status(&self) -> u16 {
        self.response().map_or(0, Response::status)
    }

    /// Return the headers as pairs of name and value.
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let headers = self.response().map(Response::headers);
        let headers: Vec<_> = headers.into_iter().flatten().collect();
        decoding::made(py, json!(headers))
    }

    /// Return the length of the body in bytes.
    fn size(&self) -> usize {
        self.content().len()
    }

    /// Return a copy of the body.
    fn body<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        bytes(py, self.content())
    }

    /// Return the body as text.
    fn text<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match std::str::from_utf8(self.content()) {
            Ok(_) => PyString::from_bytes(py, self.content()).map(Bound::into_any),
            Err(cause) => {
                let error = Error::new(Code::WrongType, format!("the body is not text: {cause}"));
                value_or_failure::<bool>(py, || Err(error))
            }
        }
    }

    /// Return the body as JSON, or NotImplemented if Python's own decoder must read it.
    fn json<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        decoding::decode(py, self.content()).unwrap_or_else(|| py.NotImplemented().into_bound(py))
    }

    /// Return the facts of a verified webhook without its payload.
    fn delivery<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let delivery = match caught(|| self.delivered()) {
            Ok(delivery) => delivery,
            Err(error) => return failed(py, error),
        };
        let status = if delivery.status == Status::Ok {
            "OK"
        } else {
            "ERROR"
        };
        let facts = json!({
            "request_id": delivery.request_id,
            "gateway_request_id": delivery.gateway_request_id,
            "status": status,
            "error": delivery.error,
            "http_status": delivery.http_status,
            "payload_error": delivery.payload_error,
        });
        decoding::made(py, facts)
    }

    /// Return the error of the job of a verified webhook.
    fn delivered_failure<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match caught(|| Ok(self.delivered()?.failure())) {
            Ok(failure) => failure.map(|error| failed(py, error)).transpose(),
            Err(error) => failed(py, error).map(Some),
        }
    }
}
