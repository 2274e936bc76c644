//! A response on its way to the client.

use std::sync::{Arc, Weak};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use serde_json::Value;
use tokio::sync::mpsc;

use super::capture::{self, Body};
use super::coding;
use super::input::Input;
use super::jobs;
use super::pending::Pending;
use super::recorder::{At, Recorder, kept_headers, text_of};
use super::tape::{Recorded, Way};
use crate::server::Request;
use crate::stream::Wire;

/// What a request is about.
pub(super) enum Subject {
    /// A direct run or a stream.
    Call(Input),
    Submit(Input),
    /// The status of the queued request of this id, once or as a stream.
    Status(String),
    Result(String),
    /// A file, by its URL without a query.
    Download(String),
    /// An upload or a part of it.
    Storage,
    /// A request that may be answered by a token.
    Token,
    /// A request of this host that is not recorded.
    Other(String),
    /// A request without which a recording is complete.
    Silent,
}

pub(super) struct Relay {
    pub(super) recorder: Arc<Recorder>,
    pub(super) subject: Subject,
    pub(super) pending: Pending,
    pub(super) request: Request,
    pub(super) began: Instant,
    pub(super) at: At,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The length of the body if it is known.
    pub(super) length: Option<u64>,
    pub(super) wire: Weak<Wire>,
}

impl Relay {
    /// Passes a body on until it ends or the client leaves.
    pub(super) fn start(mut self, body: Incoming) -> mpsc::Receiver<Bytes> {
        if matches!(self.subject, Subject::Silent | Subject::Status(_)) {
            self.pending.end();
        }
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(self.run(body, sender));
        receiver
    }

    pub(super) fn content_type(&self) -> &str {
        text_of(&self.headers)
    }

    fn is_stream(&self) -> bool {
        self.content_type().starts_with("text/event-stream")
    }

    async fn run(mut self, mut body: Incoming, sender: mpsc::Sender<Bytes>) {
        let mut captured = Body::default();
        let is_stream = self.is_stream() && !coding::is_coded(&self.headers);
        loop {
            if self.length == Some(captured.size) {
                // Before the client can have read the last byte.
                self.end(&captured, false);
            }
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                () = sender.closed() => return,
            };
            let data = match frame {
                None => return self.end(&captured, false),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(_)) => {
                    self.broke_off(&captured);
                    // The end of the channel would be the end of a whole response.
                    return sender.closed().await;
                }
            };
            captured.push(&data, self.recorder.folder.largest());
            if is_stream {
                let events = captured.note_events(jobs::millis(self.began)).to_vec();
                self.follow(&events);
            }
            if self.length == Some(captured.size) {
                self.end(&captured, false);
            }
            if sender.send(data).await.is_err() {
                return;
            }
        }
    }

    /// Reads the events of a stream of statuses.
    fn follow(&self, events: &[u8]) {
        if let Subject::Status(id) = &self.subject {
            for line in String::from_utf8_lossy(events).lines() {
                let data = line.strip_prefix("data:").map(str::trim);
                if let Some(status) = data.and_then(|data| serde_json::from_str(data).ok()) {
                    self.recorder.jobs.note(id, &status, &self.recorder.mask);
                }
            }
        }
    }

    fn broke_off(&mut self, captured: &Body) {
        self.end(captured, true);
        if let Some(wire) = self.wire.upgrade() {
            wire.reset();
        }
    }

    /// Records the exchange. Its subject is then none, so that it is recorded once.
    fn end(&mut self, body: &Body, broken: bool) {
        if !coding::is_coded(&self.headers) {
            return self.settle(body, broken);
        }
        if !matches!(self.subject, Subject::Silent) {
            let largest = self.recorder.folder.largest();
            let mut plain = coding::decoded(body, &self.headers, largest);
            if self.is_stream() {
                plain.note_events(jobs::millis(self.began));
                self.follow(&plain.bytes);
            }
            self.settle(&plain, broken);
        }
    }

    fn settle(&mut self, body: &Body, broken: bool) {
        self.pending.end();
        let recorder = Arc::clone(&self.recorder);
        match std::mem::replace(&mut self.subject, Subject::Silent) {
            Subject::Call(_) | Subject::Submit(_) | Subject::Download(_)
                if !recorder.is_clean(&self.request.path) =>
            {
                recorder.report.passed_on("a secret in the path");
            }
            Subject::Call(_) | Subject::Submit(_) if self.is_refused() => {
                recorder.report.passed_on("refused with 401 or 403")
            }
            Subject::Call(input) => self.record(&input, Way::Run, body, broken),
            Subject::Submit(input) => {
                if let Err(input) = recorder.submitted(self, input, &body.bytes) {
                    self.record(&input, Way::Queue, body, broken);
                }
            }
            Subject::Status(id) => {
                let status: Value = serde_json::from_slice(&body.bytes).unwrap_or_default();
                recorder.jobs.note(&id, &status, &recorder.mask);
            }
            Subject::Result(id) if !broken => {
                if let Some(open) = recorder.jobs.take(&id, self.status.as_u16(), &body.bytes)
                    && let Some(answer) = self.recorded(body, broken)
                {
                    recorder.finished(open, answer);
                }
            }
            Subject::Download(url) if self.status == StatusCode::OK && !broken => {
                recorder.downloaded(self, &url, body);
            }
            Subject::Download(_) => recorder
                .report
                .passed_on("parts of files, and files that were not found"),
            Subject::Storage if self.status.is_success() => {
                recorder.mask.learn_members(&body.bytes);
                recorder.uploads.follow(&self.request, &body.bytes);
            }
            Subject::Token if self.status.is_success() => recorder.mask.learn_token(&body.bytes),
            Subject::Other(host) => {
                recorder.mask.learn_members(&body.bytes);
                recorder
                    .report
                    .passed_on(format!("{host}, which replaying answers by itself"));
            }
            Subject::Result(_) | Subject::Storage | Subject::Token | Subject::Silent => {}
        }
    }

    /// Whether the key was refused, which says nothing about the app: replaying accepts other keys.
    fn is_refused(&self) -> bool {
        matches!(
            self.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        )
    }

    fn record(&self, input: &Input, way: Way, body: &Body, broken: bool) {
        if let Some(answer) = self.recorded(body, broken) {
            self.recorder.call(self, input, way, answer);
        }
    }

    /// The response as it is recorded; `None` if it could not be written.
    fn recorded(&self, body: &Body, broken: bool) -> Option<Recorded> {
        let mut recorded = Recorded {
            status: self.status.as_u16(),
            after_ms: jobs::millis(self.began),
            headers: kept_headers(&self.headers, &self.recorder.mask),
            json: None,
            spaced: false,
            text: None,
            media: None,
            events: None,
            broken,
        };
        match capture::put(&self.recorder, &mut recorded, body, self.content_type()) {
            Ok(()) => Some(recorded),
            Err(error) => {
                self.recorder.report.recorded(Err(error));
                None
            }
        }
    }
}
