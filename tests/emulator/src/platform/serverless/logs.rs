//! The log lines of the account's own apps: past ones in pages, new ones as events
//! (docs/protocol.md §16.41: an event is one item).

use std::time::SystemTime;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::super::paging::{self, Limit};
use super::super::visit::Visit;
use super::super::window::{DAY, Window};
use super::super::{Answer, invalid, ok};
use super::apps::current_revision;
use crate::body::Payload;
use crate::clock;
use crate::history::{Line, Record};
use crate::sse::{self, Style};
use crate::state::State;

/// From the least to the most severe.
const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"];

const SOURCES: [&str; 4] = ["grpc-run", "grpc-register", "gateway", "cron"];

fn severity(level: &str) -> Option<usize> {
    let level = if level.eq_ignore_ascii_case("warning") {
        "WARN"
    } else {
        level
    };
    LEVELS
        .iter()
        .position(|known| known.eq_ignore_ascii_case(level))
}

/// A filter in the body: the value that a label must or must not have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelFilter {
    key: String,
    value: Value,
    #[serde(default)]
    condition_type: Option<Condition>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Condition {
    Equals,
    In,
    NotEquals,
    NotIn,
}

struct Filter {
    account: String,
    apps: Vec<String>,
    revision: Option<String>,
    source: Option<&'static str>,
    traceback: bool,
    search: Option<String>,
    severity: usize,
    job: Option<String>,
    request: Option<String>,
    labels: Vec<LabelFilter>,
}

impl Filter {
    fn read(visit: &Visit<'_>) -> Result<Self, Answer> {
        let severity = match visit.one("level") {
            None => 0,
            Some(level) => severity(&level)
                .ok_or_else(|| invalid(&format!("level: must be one of {}", LEVELS.join(", "))))?,
        };
        let body = &visit.request.body;
        let labels: Vec<LabelFilter> = match body.is_empty() {
            true => Vec::new(),
            false => serde_json::from_slice(body)
                .map_err(|why| invalid(&format!("Invalid request parameters: {why}")))?,
        };
        let is_text = |value: &Value| value.is_string();
        let one_or_many = |value: &Value| {
            value.is_string()
                || value.as_array().is_some_and(|values| {
                    (1..=50).contains(&values.len()) && values.iter().all(is_text)
                })
        };
        if labels.iter().any(|label| !one_or_many(&label.value)) {
            return Err(invalid(
                "Invalid request parameters: value: must be a string or 1 to 50 strings",
            ));
        }
        Ok(Self {
            account: visit.account().to_owned(),
            apps: visit.many("app_id")?,
            revision: visit.one("revision"),
            source: visit.choice("run_source", &SOURCES)?,
            traceback: visit.boolean("traceback")?,
            search: visit.one("search").map(|text| text.to_lowercase()),
            severity,
            job: visit.one("job_id"),
            request: visit.one("request_id"),
            labels,
        })
    }

    /// Whether the lines of a request are selected.
    fn wants(&self, record: &Record) -> bool {
        record.owner == self.account
            && (self.apps.is_empty() || self.apps.iter().any(|id| *id == record.app || *id == record.endpoint_id))
            && self.revision.as_ref().is_none_or(|revision| *revision == current_revision(&record.app))
            // Every request here came through the gateway.
            && self.source.is_none_or(|source| source == "gateway")
            && self.job.as_ref().is_none_or(|job| *job == record.runner)
            && self.request.as_ref().is_none_or(|request| *request == record.request_id)
            && self.labels.iter().all(|filter| filter.passes(record))
    }

    fn shows(&self, line: &Line) -> bool {
        severity(&line.level).unwrap_or_default() >= self.severity
            && self
                .search
                .as_ref()
                .is_none_or(|text| line.message.to_lowercase().contains(text))
            && (!self.traceback || line.message.contains("Traceback"))
    }

    /// The lines after `after` within the period, oldest first.
    fn lines(
        &self,
        state: &State,
        after: u64,
        within: impl Fn(SystemTime) -> bool,
    ) -> Vec<(u64, Value)> {
        let mut lines = Vec::new();
        for record in state
            .history
            .all()
            .iter()
            .filter(|record| self.wants(record))
        {
            let wanted = record
                .lines
                .iter()
                .filter(|line| line.ordinal > after && within(line.time) && self.shows(line));
            lines.extend(wanted.map(|line| (line.ordinal, item(record, line))));
        }
        lines.sort_by_key(|(ordinal, _)| *ordinal);
        lines
    }
}

fn labels(record: &Record) -> Value {
    json!({
        "fal_job_id": record.runner,
        "fal_request_id": record.request_id,
        "fal_endpoint": record.endpoint_id,
        "fal_run_source": "gateway",
    })
}

impl LabelFilter {
    fn passes(&self, record: &Record) -> bool {
        let labels = labels(record);
        let label = labels.get(&self.key);
        let among = match &self.value {
            Value::Array(values) => label.is_some_and(|label| values.contains(label)),
            value => label == Some(value),
        };
        match self.condition_type.unwrap_or(Condition::Equals) {
            Condition::Equals | Condition::In => among,
            Condition::NotEquals | Condition::NotIn => !among,
        }
    }
}

fn item(record: &Record, line: &Line) -> Value {
    json!({
        "timestamp": clock::rfc3339_millis(line.time),
        "level": line.level,
        "message": line.message,
        "app": record.app,
        "revision": current_revision(&record.app),
        "labels": labels(record),
    })
}

pub(in super::super) fn history(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let filter = Filter::read(visit)?;
    let window = Window::plain(visit, DAY, None)?;
    let lines = filter.lines(visit.state, 0, |time| window.holds(time));
    ok(&paging::page(
        visit,
        "items",
        Limit::Checked(1000),
        lines,
        |line| line,
    )?)
}

/// Sends lines from `start`, or from now, until `end` or until the client disconnects.
pub(in super::super) fn live(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let filter = Filter::read(visit)?;
    let window = Window::plain(visit, 0, None)?;
    let end = visit.one("end").map(|_| window.end);
    let (state, (sender, receiver)) = (std::sync::Arc::clone(visit.state), mpsc::channel(16));
    tokio::spawn(async move {
        let (mut changes, mut after, mut index) = (state.history.changes(), 0, 0);
        loop {
            changes.mark_unchanged();
            let within = |time| time >= window.start && end.is_none_or(|end| time < end);
            for (ordinal, item) in filter.lines(&state, after, within) {
                if sender
                    .send(Style::default().write(index, &item.to_string()))
                    .await
                    .is_err()
                {
                    return;
                }
                (after, index) = (ordinal, index + 1);
            }
            let over = async {
                match end {
                    Some(end) => state.clock.sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = over => return,
                () = sender.closed() => return,
            }
        }
    });
    Ok(Answer::payload(
        StatusCode::OK,
        sse::content_type(),
        Payload::Stream(receiver),
    ))
}
