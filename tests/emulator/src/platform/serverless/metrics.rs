//! `GET /v1/serverless/metrics`: metrics in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::HeaderValue;

use super::super::Answer;
use super::super::visit::Visit;
use super::{MACHINE, all};
use crate::body::Payload;

/// The period that the two counters of requests cover.
const LAST_MINUTE: Duration = Duration::from_secs(60);

/// The upper bounds of the buckets in seconds. A longer request counts only in `+Inf`.
const BOUNDS: [f64; 6] = [0.1, 0.5, 1.0, 5.0, 30.0, 120.0];

/// The samples of each metric: labels and value.
type Samples = BTreeMap<&'static str, BTreeMap<String, f64>>;

pub(in super::super) fn metrics(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let mut samples = Samples::new();
    let mut add = |name, labels: String, value: f64| {
        *samples.entry(name).or_default().entry(labels).or_default() += value;
    };
    let now = visit.now();
    let records = visit.state.history.all();
    for (name, app) in all(visit) {
        let application = format!("application=\"{name}\"");
        let of_app = || records.iter().filter(|record| record.app == name);
        let running = of_app().filter(|record| record.ended.is_none()).count() as f64;
        for (state, count) in [
            ("running", running),
            ("idle", 0.0),
            ("pending", 0.0),
            ("draining", 0.0),
        ] {
            let labels = format!("{application},machine_type=\"{MACHINE}\",state=\"{state}\"");
            add("fal_app_runners", labels, count);
        }
        add(
            "fal_app_queue_size",
            application.clone(),
            visit.state.queue.pending(&app.name).len() as f64,
        );
        add("fal_app_concurrent_requests", application.clone(), running);
        let recent = |time| now.duration_since(time).is_ok_and(|age| age <= LAST_MINUTE);
        for record in of_app() {
            let method = format!("{application},method=\"{}\"", record.method);
            if recent(record.sent) {
                add("fal_app_requests_received", method.clone(), 1.0);
            }
            let (Some(ended), Some(status)) = (record.ended, record.status) else {
                continue;
            };
            if recent(ended) {
                add(
                    "fal_app_requests_completed",
                    format!("{method},status=\"{status}\""),
                    1.0,
                );
            }
            let seconds = record.duration().unwrap_or_default();
            for bound in BOUNDS {
                let counted = if seconds <= bound { 1.0 } else { 0.0 };
                add(
                    "fal_app_request_latency",
                    format!("{application},le=\"{bound}\""),
                    counted,
                );
            }
            add(
                "fal_app_request_latency",
                format!("{application},le=\"+Inf\""),
                1.0,
            );
        }
    }
    let mut text = String::new();
    for (name, lines) in samples {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# TYPE {name} gauge");
        for (labels, value) in lines {
            let _ = writeln!(text, "{name}{{{labels}}} {value}");
        }
    }
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(Answer::payload(
        StatusCode::OK,
        content_type,
        Payload::Bytes(text.into()),
    ))
}
