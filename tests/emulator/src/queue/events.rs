//! `GET …/requests/RID/status/stream`: the status whenever it changes, as server-sent events
//! (docs/protocol.md §5.4).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderValue};
use serde_json::Value;
use tokio::sync::mpsc;

use super::Visit;
use super::job::{Job, Phase};
use super::settings::Heartbeat;
use super::status::{Report, logs_asked};
use crate::answer::Answer;
use crate::body::Payload;
use crate::state::State;

/// How often the position of a waiting request is read. It changes without a notification, because
/// other requests cause it.
const GLANCE: Duration = Duration::from_millis(200);

pub(super) fn answer(visit: &Visit<'_>, job: &Arc<Job>) -> Answer {
    let (sender, receiver) = mpsc::channel(8);
    let logs = logs_asked(visit.request);
    tokio::spawn(feed(Arc::clone(visit.state), Arc::clone(job), logs, sender));
    let content_type = HeaderValue::from_static("text/event-stream");
    let mut answer = Answer::payload(StatusCode::OK, content_type, Payload::Stream(receiver));
    answer
        .headers
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}

/// Sends heartbeats until the client disconnects.
async fn beat(sender: &mpsc::Sender<Bytes>, pause: Duration, heartbeat: Heartbeat, last: &Value) {
    let text = match heartbeat {
        Heartbeat::Comment => ": still here\n\n".to_owned(),
        Heartbeat::Repeat => format!("data: {last}\n\n"),
    };
    while sender.send(text.clone().into()).await.is_ok() {
        tokio::time::sleep(pause).await;
    }
}

/// Sends events until the job has ended or the client has disconnected.
async fn feed(state: Arc<State>, job: Arc<Job>, logs: bool, sender: mpsc::Sender<Bytes>) {
    let mut changes = job.changes();
    let (mut shown, mut last, mut sent) = (0, Value::Null, 0);
    loop {
        changes.mark_unchanged();
        let settings = state.settings().queue;
        let (phase, from, length) = {
            let progress = job.progress();
            (
                progress.phase,
                progress.window(settings.stream_logs, shown),
                progress.log.len(),
            )
        };
        let event = Report {
            state: &state,
            settings: &settings,
            logs,
        }
        .of(&job, from);
        let news = event != last
            && (phase != Phase::Running || last["status"] != event["status"] || length > shown);
        if news {
            let comment = if settings.stream_comments {
                ": still here\n\n"
            } else {
                ""
            };
            let text = format!("{comment}data: {event}\n\n");
            if sender.send(text.into()).await.is_err() {
                return;
            }
            shown = length;
            last = event;
            sent += 1;
        }
        if phase == Phase::Running
            && let Some(pause) = settings.stream_heartbeat_ms
        {
            return beat(
                &sender,
                Duration::from_millis(pause),
                settings.heartbeat,
                &last,
            )
            .await;
        }
        if phase == Phase::Done || settings.stream_events.is_some_and(|most| sent >= most) {
            return;
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(GLANCE), if phase == Phase::Waiting => {}
            () = sender.closed() => return,
        }
    }
}
