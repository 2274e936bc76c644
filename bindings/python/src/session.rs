//! Sessions with an app over a WebSocket.

use fal::{Realtime, SocketOptions, WebSocket, WhenFull};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::collector::Paused;
use crate::dict::{Content, from_dict};
use crate::op::Op;
use crate::values::{count, invalid, none_or_failure, parsed, seconds};

from_dict! {
    pub(crate) struct Options {
        max_buffering: Option<i64>,
        use_header: Option<bool>,
        token_lifetime: Option<f64>,
        queue_size: Option<i64>,
        drop_oldest: Option<bool>,
        keep_newest: Option<bool>,
        max_message_bytes: Option<i64>,
        ping: Option<f64>,
    }
}

/// The core's default (`SocketOptions::queue`).
const QUEUE: i64 = 64;

impl Options {
    pub(crate) fn options(&self) -> fal::Result<SocketOptions> {
        let mut options = SocketOptions::new().use_header(self.use_header.unwrap_or_default());
        if let Some(most) = self.max_buffering {
            options = options.max_buffering(count("max_buffering", most)?)?;
        }
        if let Some(lifetime) = self.token_lifetime {
            options = options.token_lifetime(seconds("token_lifetime", lifetime)?)?;
        }
        let when_full = match (self.drop_oldest, self.keep_newest) {
            (_, Some(true)) => WhenFull::KeepNewest,
            (Some(true), _) => WhenFull::DropOldest,
            _ => WhenFull::Refuse,
        };
        let most = count("queue_size", self.queue_size.unwrap_or(QUEUE))?;
        options = options.queue(most, when_full)?;
        if let Some(most) = self.max_message_bytes {
            options = options.max_message_bytes(count("max_message_bytes", most)?);
        }
        if let Some(idle) = self.ping {
            // 0 disables pings.
            options = options.ping(Some(seconds("ping", idle)?));
        }
        Ok(options)
    }
}

/// A session. Dropping it closes it.
#[pyclass(frozen, module = "libfal._libfal")]
pub(crate) struct Session {
    connection: Connection,
    op: Py<Op>,
}

enum Connection {
    Realtime(Realtime),
    WebSocket(WebSocket),
}

impl Session {
    pub(crate) fn realtime(py: Python<'_>, session: Realtime) -> PyResult<Self> {
        let op = session.op().clone();
        Session::of(py, Connection::Realtime(session), op)
    }

    pub(crate) fn websocket(py: Python<'_>, socket: WebSocket) -> PyResult<Self> {
        let op = socket.op().clone();
        Session::of(py, Connection::WebSocket(socket), op)
    }

    fn of(py: Python<'_>, connection: Connection, op: fal::Op) -> PyResult<Self> {
        let _paused = Paused::new(py);
        let op = Py::new(py, Op::of_session(op))?;
        Ok(Session { connection, op })
    }
}

#[pymethods]
impl Session {
    /// Return the operation, whose events are the messages.
    fn op(&self, py: Python<'_>) -> Py<Op> {
        self.op.clone_ref(py)
    }

    /// Send an input, which is JSON; on a WebSocket, send a text.
    #[pyo3(signature = (input, /))]
    fn send<'py>(&self, input: &Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyAny>> {
        none_or_failure(input.py(), || match &self.connection {
            Connection::Realtime(session) => session.send(&parsed(input.as_bytes())?),
            Connection::WebSocket(socket) => {
                let text = std::str::from_utf8(input.as_bytes());
                socket.send_text(text.map_err(|_| invalid("a text message must be UTF-8"))?)
            }
        })
    }

    /// Send bytes as they are.
    #[pyo3(signature = (data, /))]
    fn send_bytes<'py>(&self, py: Python<'py>, data: Content) -> PyResult<Bound<'py, PyAny>> {
        none_or_failure(py, || match &self.connection {
            Connection::Realtime(session) => session.send_bytes(data.0),
            Connection::WebSocket(socket) => socket.send_bytes(data.0),
        })
    }

    /// Return how many messages were accepted but not sent.
    fn unsent(&self) -> u64 {
        match &self.connection {
            Connection::Realtime(session) => session.unsent(),
            Connection::WebSocket(socket) => socket.unsent(),
        }
    }

    /// Close it once the messages that wait are sent.
    fn close(&self) {
        match &self.connection {
            Connection::Realtime(session) => session.close(),
            Connection::WebSocket(socket) => socket.close(),
        }
    }
}
