//! Server-sent events in the forms that apps send (docs/protocol.md §6).

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use tokio::sync::mpsc;

use crate::answer::Answer;
use crate::body::Payload;

/// The form of events on the wire; by default one `data:` line each, ended by LF.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    pub(crate) line_end: &'static str,
    /// The `event:` line.
    pub(crate) event: Option<String>,
    /// Whether each event has an `id:` line, counted from 1.
    pub(crate) ids: bool,
    /// The milliseconds of a `retry:` line before the first event.
    pub(crate) retry: Option<u64>,
    /// Whether a comment precedes each event.
    pub(crate) comments: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            line_end: "\n",
            event: None,
            ids: false,
            retry: None,
            comments: false,
        }
    }
}

impl Style {
    /// The event with the number `index`, counted from 0. Each line of `data` has its own `data:`.
    pub(crate) fn write(&self, index: usize, data: &str) -> Bytes {
        let mut lines = Vec::new();
        if let Some(retry) = self.retry.filter(|_| index == 0) {
            lines.push(format!("retry: {retry}"));
        }
        if self.comments {
            lines.push(": a comment".into());
        }
        if self.ids {
            lines.push(format!("id: {}", index + 1));
        }
        if let Some(event) = &self.event {
            lines.push(format!("event: {event}"));
        }
        lines.extend(data.split('\n').map(|line| format!("data: {line}")));
        lines.push(String::new());
        lines
            .iter()
            .flat_map(|line| [line.as_str(), self.line_end])
            .collect::<String>()
            .into()
    }
}

/// The pieces of a body, and the pause between two.
pub(crate) struct Script {
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) pause: Duration,
    /// Whether the connection breaks after the last piece.
    pub(crate) cut: bool,
}

impl Script {
    /// 200 with these pieces, sent one by one.
    pub(crate) fn answer(self, content_type: HeaderValue) -> Answer {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            for (index, piece) in self.pieces.into_iter().enumerate() {
                if index > 0 {
                    tokio::time::sleep(self.pause).await;
                }
                if sender.send(piece).await.is_err() {
                    break;
                }
            }
        });
        let payload = if self.cut {
            Payload::Broken(receiver)
        } else {
            Payload::Stream(receiver)
        };
        Answer::payload(StatusCode::OK, content_type, payload).billable_units(1)
    }
}

/// The media type of server-sent events.
pub(crate) fn content_type() -> HeaderValue {
    HeaderValue::from_static("text/event-stream")
}
