//! `GET …/requests/RID/status` (docs/protocol.md §5.3).

use hyper::StatusCode;
use serde_json::{Value, json};

use super::Visit;
use super::job::{Job, Outcome, Phase, Progress};
use super::settings::{LogWindow, QueueSettings, UnaskedLogs};
use crate::answer::Answer;
use crate::server::Request;
use crate::state::State;

/// The URLs of a queued request.
pub(super) struct Addresses {
    pub(super) response: String,
    pub(super) status: String,
    pub(super) cancel: String,
}

impl Addresses {
    pub(super) fn of(job: &Job, settings: &QueueSettings) -> Self {
        let app = &job.app.name;
        let id = if settings.full_id_urls {
            &job.place.endpoint
        } else {
            app
        };
        let base = format!("https://queue.fal.run/{id}/requests/{}", job.id);
        Self {
            status: format!("{base}/status"),
            cancel: format!("{base}/cancel"),
            response: if settings.response_suffix {
                format!("{base}/response")
            } else {
                base
            },
        }
    }
}

pub(super) fn answer(visit: &Visit<'_>, job: &Job) -> Answer {
    let settings = &visit.settings.queue;
    let status = Report {
        state: visit.state,
        settings,
        logs: logs_asked(visit.request),
    };
    let mut progress = job.progress();
    let from = progress.window(settings.status_logs, progress.shown);
    if status.logs {
        progress.shown = progress.log.len();
    }
    let done = progress.phase == Phase::Done;
    drop(progress);
    let code = if done || settings.status_always_200 {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Answer::json(code, &status.of(job, from))
}

/// Whether the query requests logs: `1` or `true` (§5.3).
pub(super) fn logs_asked(request: &Request) -> bool {
    let logs = request.query_pairs().find(|(name, _)| name == "logs");
    logs.is_some_and(|(_, value)| matches!(&*value, "1" | "true"))
}

impl Progress {
    /// The index of the first line to show, if `shown` lines were shown before.
    pub(super) fn window(&self, window: LogWindow, shown: usize) -> usize {
        match window {
            LogWindow::Whole => 0,
            LogWindow::New => shown,
            LogWindow::Last(count) => self.log.len().saturating_sub(count),
        }
    }
}

/// The options of a status.
pub(super) struct Report<'a> {
    pub(super) state: &'a State,
    pub(super) settings: &'a QueueSettings,
    pub(super) logs: bool,
}

impl Report<'_> {
    /// The status, with the log lines from index `from`.
    pub(super) fn of(&self, job: &Job, from: usize) -> Value {
        let position = self.state.queue.position(job);
        let addresses = Addresses::of(job, self.settings);
        let progress = job.progress();
        let mut body = json!({
            "request_id": job.id,
            "response_url": addresses.response,
            "status_url": addresses.status,
            "cancel_url": addresses.cancel,
        });
        match progress.phase {
            Phase::Waiting | Phase::Starting => {
                body["status"] = json!("IN_QUEUE");
                body["queue_position"] = json!(position);
            }
            Phase::Running => body["status"] = json!("IN_PROGRESS"),
            Phase::Done => body["status"] = json!("COMPLETED"),
        }
        if matches!(progress.phase, Phase::Running | Phase::Done) {
            self.logs(&mut body, progress.log.get(from..).unwrap_or_default());
        }
        if let Some(outcome) = &progress.outcome {
            body["metrics"] = match outcome.inference_time {
                Some(seconds) => json!({ "inference_time": seconds }),
                None => json!({}),
            };
            self.failure(&mut body, outcome);
        }
        if let Some(members) = body.as_object_mut() {
            members.retain(|name, _| !self.settings.status_omits.contains(name));
        }
        body
    }

    fn logs(&self, body: &mut Value, lines: &[Value]) {
        match self.settings.unasked_logs {
            _ if self.logs => body["logs"] = json!(lines),
            UnaskedLogs::Null => body["logs"] = Value::Null,
            UnaskedLogs::Empty => body["logs"] = json!([]),
            UnaskedLogs::Absent => {}
        }
    }

    fn failure(&self, body: &mut Value, outcome: &Outcome) {
        if let Some((error, kind)) = &outcome.error {
            body["error"] = json!(error);
            if let Some(kind) = kind {
                body["error_type"] = json!(kind);
            }
        } else if self.settings.app_errors_in_status && !outcome.status.is_success() {
            body["error"] = json!(format!("Invalid status code: {}", outcome.status.as_u16()));
            body["error_type"] = json!("runner_server_error");
        }
    }
}
