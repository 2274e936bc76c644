//! Queued requests that have not been recorded yet, because their result has not been fetched.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::Value;

use super::input::{self, Input};
use super::masking::Mask;
use super::notation::Layout;
use super::tape::{Line, Queue, Seen};

/// A submitted request.
pub(super) struct Open {
    pub(super) endpoint: String,
    pub(super) input: Input,
    pub(super) recorded: String,
    pub(super) began: Instant,
    pub(super) queue: Queue,
    /// The time from the submission to the first status that said that the request has ended.
    pub(super) ended_ms: Option<u64>,
}

#[derive(Default)]
pub(super) struct Jobs(Mutex<HashMap<String, Open>>);

impl Jobs {
    fn locked(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self) -> usize {
        self.locked().len()
    }

    pub(super) fn add(&self, open: Open) {
        self.locked().insert(open.queue.request_id.clone(), open);
    }

    /// Notes a status that arrived now.
    pub(super) fn note(&self, id: &str, status: &Value, mask: &Mask) {
        if let Some(open) = self.locked().get_mut(id) {
            open.note(status, mask);
        }
    }

    /// The request, if this response is its result.
    pub(super) fn take(&self, id: &str, status: u16, body: &[u8]) -> Option<Open> {
        let mut jobs = self.locked();
        let ended = jobs.get(id)?.ended_ms.is_some();
        let is_result =
            status == 200 || !is_refusal(status) && (ended || !is_unfinished(status, body));
        is_result.then(|| jobs.remove(id)).flatten()
    }
}

/// Whether the gateway refused the request for a result, or has none yet.
fn is_refusal(status: u16) -> bool {
    matches!(status, 202 | 401 | 403 | 429)
}

/// Whether a result may only be too early (docs/protocol.md §5.5, §16.4).
fn is_unfinished(status: u16, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    status == 404 || status == 400 && text.contains("still in progress")
}

impl Open {
    fn note(&mut self, status: &Value, mask: &Mask) {
        let at_ms = millis(self.began);
        let Some(name) = status["status"].as_str().map(|name| mask.text(name)) else {
            return;
        };
        let queue_position = status["queue_position"].as_u64();
        let last = self.queue.statuses.last();
        if last.is_none_or(|last| last.status != name || last.queue_position != queue_position) {
            self.queue.statuses.push(Seen {
                at_ms,
                status: name.clone(),
                queue_position,
            });
        }
        for line in status["logs"].as_array().into_iter().flatten() {
            let line = masked(line, mask);
            // A status may repeat lines.
            if self.queue.logs.iter().all(|known| known.line != line) {
                self.queue.logs.push(Line { at_ms, line });
            }
        }
        if name == "COMPLETED" && self.ended_ms.is_none() {
            self.ended_ms = Some(at_ms);
            let text = |name: &str| status[name].as_str().map(|text| mask.text(text));
            self.queue.inference_time = status["metrics"]["inference_time"].as_f64();
            (self.queue.error, self.queue.error_type) = (text("error"), text("error_type"));
        }
    }
}

/// A line of a log without secrets.
fn masked(line: &Value, mask: &Mask) -> Value {
    let kept = input::kept(
        &line.to_string(),
        Layout::Compact,
        mask,
        &mut |_| None,
        &mut |_| None,
    );
    serde_json::from_str(&kept).unwrap_or_default()
}

/// Milliseconds since `began`.
pub(super) fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
