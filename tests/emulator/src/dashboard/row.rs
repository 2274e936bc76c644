//! What the page of requests shows of one: a line of the list, and everything.

use std::path::Path;

use serde_json::{Value, json};

use super::curl;
use crate::arrivals::{Arrival, ArrivedBody, millis};
use crate::clock;
use crate::history::Record;
use crate::prices::{self, Cost, dollars};
use crate::queue::Job;
use crate::server::Service;
use crate::state::State;

/// The characters of the input that a line shows.
const PREVIEW: usize = 160;

/// The most pictures and players of one request.
const MOST_MEDIA: usize = 24;

/// What the queue and the history know about a request.
struct Known {
    record: Option<std::sync::Arc<Record>>,
    job: Option<std::sync::Arc<Job>>,
}

impl Known {
    fn of(state: &State, arrival: &Arrival) -> Self {
        // Only models have requests with an id.
        let id = arrival.endpoint().and(arrival.request_id.as_deref());
        Self {
            record: id.and_then(|id| state.history.find(id)),
            job: id.and_then(|id| state.queue.find(id)),
        }
    }

    /// The state of a queued request.
    fn state(&self) -> Option<&'static str> {
        self.job.as_ref()?.states().last().map(|(state, _)| *state)
    }

    /// The record, if this request and no other caused it.
    fn caused(&self, arrival: &Arrival) -> Option<&Record> {
        self.record
            .as_deref()
            .filter(|_| arrival.executed || arrival.made)
    }
}

/// The price in dollars; `None` if nothing was billed for this request.
fn cost(state: &State, record: &Record) -> Option<f64> {
    record.ended.filter(|_| !record.is_own())?;
    let account = record.account.as_deref().unwrap_or_default();
    let discount = prices::discount(&state.settings().platform.discounts, account);
    Some(dollars(
        Cost::of(record.units, record.price, discount).total(),
    ))
}

/// A line of the list.
pub(super) fn row(state: &State, arrival: &Arrival) -> Value {
    line(state, &arrival.shown(), &Known::of(state, arrival))
}

fn line(state: &State, arrival: &Arrival, known: &Known) -> Value {
    json!({
        "ordinal": arrival.ordinal,
        "at": clock::rfc3339_millis(arrival.at),
        "method": arrival.method,
        "host": arrival.host,
        "path": arrival.path,
        "query": arrival.query,
        "endpoint": arrival.endpoint(),
        "key_id": arrival.key_id(),
        "credential": arrival.authorization.as_ref().map(|one| &one.scheme),
        "outcome": arrival.outcome.to_json(),
        "failed": arrival.failed(),
        "duration_ms": arrival.duration.map(millis),
        "state": known.state(),
        "cost": known.caused(arrival).and_then(|record| cost(state, record)),
        "request_id": arrival.request_id,
        "unknown": arrival.unknown,
        "dropped": arrival.dropped,
        "preview": preview(&arrival.body),
    })
}

fn preview(body: &ArrivedBody) -> Option<String> {
    let text = match body {
        ArrivedBody::Empty => return None,
        ArrivedBody::Json(value) => match value.get("prompt").and_then(Value::as_str) {
            Some(prompt) => prompt.to_owned(),
            None => value.to_string(),
        },
        ArrivedBody::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    Some(text.chars().take(PREVIEW).collect())
}

/// Everything that is known about a request, without its credentials.
pub(super) fn detail(state: &State, arrival: &Arrival) -> Value {
    let known = Known::of(state, arrival);
    let record = known.caused(arrival);
    let (credentials, whole) = (&arrival.credentials, arrival);
    let arrival = &arrival.shown();
    let mut detail = line(state, arrival, &known);
    detail["connection"] = json!(arrival.connection);
    detail["headers"] = json!(arrival.headers);
    detail["executed"] = json!(arrival.executed);
    detail["input"] = shown(&arrival.body, arrival.body_length);
    detail["response"] = shown(&arrival.response, arrival.response_length);
    if let Some(output) = record.and_then(|record| record.output.as_deref()) {
        let mut kept = ArrivedBody::new(output);
        credentials.body(&mut kept);
        detail["output"] = shown(&kept, output.len() as u64);
    }
    if let Some(job) = &known.job {
        let states = job.states().into_iter();
        detail["states"] = states
            .map(|(state, at)| json!({ "state": state, "at": clock::rfc3339_millis(at) }))
            .collect();
    }
    if let Some(record) = record {
        detail["run"] = json!({
            "status": record.status,
            "error_type": record.error_type,
            "waited_s": record.prepare(),
            "ran_s": record.duration(),
            "units": record.units,
            "unit": record.unit,
            "unit_price": dollars(record.price as f64),
            "own": record.is_own(),
            "log": record.lines.iter().map(|line| json!({
                "at": clock::rfc3339_millis(line.time), "level": line.level, "message": credentials.text(&line.message),
            })).collect::<Vec<_>>(),
        });
    }
    match curl::line(whole, arrival, state.address) {
        Ok(line) => detail["curl"] = json!(line),
        Err(why) => detail["no_curl"] = json!(why),
    }
    detail
}

/// A body as text, with what it shows and sounds.
fn shown(body: &ArrivedBody, length: u64) -> Value {
    let (text, media) = match body {
        ArrivedBody::Empty => return json!({ "length": length }),
        ArrivedBody::Json(value) => {
            let mut media = Vec::new();
            find_media(value, &mut media);
            (serde_json::to_string_pretty(value).ok(), media)
        }
        ArrivedBody::Bytes(bytes) => (String::from_utf8(bytes.clone()).ok(), Vec::new()),
    };
    let kept = match body {
        ArrivedBody::Bytes(bytes) => bytes.len() as u64,
        _ => length,
    };
    json!({ "length": length, "kept": kept, "text": text, "media": media })
}

/// Collects the pictures, films and sounds that a value names.
fn find_media(value: &Value, media: &mut Vec<Value>) {
    if media.len() >= MOST_MEDIA {
        return;
    }
    match value {
        Value::String(text) => media.extend(medium(text, None)),
        Value::Array(items) => items.iter().for_each(|item| find_media(item, media)),
        Value::Object(members) => {
            let text = |name| members.get(name).and_then(Value::as_str);
            match (text("url"), text("content_type")) {
                (Some(url), Some(content_type)) => media.extend(medium(url, Some(content_type))),
                _ => members.values().for_each(|one| find_media(one, media)),
            }
        }
        _ => {}
    }
}

fn medium(text: &str, content_type: Option<&str>) -> Option<Value> {
    if let Some(data) = text.strip_prefix("data:") {
        let kind = kind(data.split([';', ',']).next()?)?;
        return Some(json!({ "kind": kind, "source": text }));
    }
    let place = text.strip_prefix("https://")?;
    let (host, path) = place.split_once('/')?;
    if Service::of(host, path) != Service::Cdn {
        return None;
    }
    let path = path.split('?').next()?;
    let kind = content_type.and_then(kind).or_else(|| by_name(path))?;
    let source = format!("/dashboard/requests/files/{host}/{path}");
    Some(json!({ "kind": kind, "source": source, "url": text }))
}

fn kind(media_type: &str) -> Option<&str> {
    let (kind, _) = media_type.split_once('/')?;
    ["image", "video", "audio"].contains(&kind).then_some(kind)
}

fn by_name(path: &str) -> Option<&'static str> {
    let end = Path::new(path).extension()?.to_str()?.to_ascii_lowercase();
    match end.as_str() {
        "png" | "jpg" | "jpeg" | "webp" | "gif" | "avif" => Some("image"),
        "mp4" | "webm" | "mov" => Some("video"),
        "wav" | "mp3" | "ogg" | "flac" | "m4a" => Some("audio"),
        _ => None,
    }
}
