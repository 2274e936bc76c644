//! Requests: listing, searching and erasing (docs/protocol.md §14.5, §14.9).

use std::sync::Arc;

use serde_json::{Value, json};

use super::assets::{likeness, links};
use super::models::endpoint;
use super::paging::{self, Limit, USUAL};
use super::serverless::own_app;
use super::visit::{Visit, uuid};
use super::window::{DAY, Window};
use super::{invalid, not_found, ok};
use crate::answer::Answer;
use crate::clock;
use crate::history::Record;
use crate::storage;

fn row(record: &Record) -> Value {
    json!({
        "request_id": record.request_id,
        "endpoint_id": record.endpoint_id,
        "started_at": clock::rfc3339_millis(record.started),
        "sent_at": clock::rfc3339_millis(record.sent),
        "ended_at": record.ended.map(clock::rfc3339_millis),
        "status_code": record.status,
        "duration": record.duration(),
    })
}

fn with_payloads(mut row: Value, record: &Record) -> Value {
    row["json_input"] = record.json_input();
    row["json_output"] = record.json_output();
    row
}

pub(super) fn models(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let wanted = visit.required("endpoint_id")?;
    for id in &wanted {
        endpoint(visit, id).ok_or_else(|| not_found(&format!("{id}: no such endpoint")))?;
    }
    let expand = visit.choices("expand", &["payloads"])?;
    let mine = |record: &Record| record.account.as_deref() == Some(visit.account());
    by_endpoint(
        visit,
        |record| mine(record) && wanted.contains(&record.endpoint_id),
        |record| {
            if expand.is_empty() {
                row(record)
            } else {
                with_payloads(row(record), record)
            }
        },
    )
}

pub(super) fn serverless(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let wanted = visit.required("endpoint_id")?;
    for id in &wanted {
        own_app(visit, id)?;
    }
    let expand = visit.choices("expand", &["payloads", "billing"])?;
    let has = |name: &str| expand.iter().any(|value| value == name);
    by_endpoint(
        visit,
        |record| {
            wanted
                .iter()
                .any(|id| *id == record.endpoint_id || *id == record.app)
        },
        |record| {
            let mut row = row(record);
            if has("payloads") {
                row = with_payloads(row, record);
            }
            row["runner_id"] = json!(record.runner);
            if has("billing") {
                row["billable_units"] = json!(record.ended.map(|_| record.units));
            }
            row
        },
    )
}

fn by_endpoint(
    visit: &Visit<'_>,
    wanted: impl Fn(&Record) -> bool,
    show: impl Fn(&Record) -> Value,
) -> Result<Answer, Answer> {
    let status = visit.choice("status", &["success", "error", "user_error"])?;
    let id = visit.uuid("request_id")?;
    let by_duration = visit.choice("sort_by", &["ended_at", "duration"])? == Some("duration");
    let window = Window::plain(visit, if id.is_some() { 90 * DAY } else { DAY }, None)?;
    let within = |record: &Record| window.holds(record.ended.unwrap_or(record.started));
    let mut records: Vec<Arc<Record>> = visit.state.history.all();
    records.retain(|record| {
        wanted(record)
            && within(record)
            && id.as_ref().is_none_or(|id| *id == record.request_id)
            && (status.is_none() || status == record.group())
    });
    if by_duration {
        records.sort_by(|a, b| {
            b.duration()
                .unwrap_or_default()
                .total_cmp(&a.duration().unwrap_or_default())
        });
    } else {
        records.sort_by_key(|record| {
            std::cmp::Reverse((record.ended.is_none(), record.ended, record.ordinal))
        });
    }
    ok(&paging::numbered(
        visit,
        "items",
        Limit::Checked(100),
        records,
        |record| show(&record),
    )?)
}

/// The criterion of a search. Images and videos are compared by their URLs, because the emulator
/// does not analyse them.
enum Search {
    Nothing,
    Text(String),
    Url(String),
}

pub(super) fn search(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let terms = [
        visit.one("query"),
        visit.url("image_url")?,
        visit.url("video_url")?,
    ];
    if terms.iter().flatten().count() > 1 {
        return Err(invalid(
            "query, image_url, video_url: give only one of these",
        ));
    }
    let (exclude, only) = (
        visit.boolean("exclude_api_requests")?,
        visit.boolean("only_api_requests")?,
    );
    if exclude && only {
        return Err(invalid(
            "exclude_api_requests, only_api_requests: give only one of these",
        ));
    }
    let min = visit
        .number("min_similarity", 0.0, 1.0)?
        .unwrap_or_default();
    let mut endpoints = visit.many("endpoint_id")?;
    if endpoints.is_empty() {
        endpoints.extend(visit.one("endpoint"));
    }
    let term = match terms {
        [Some(text), ..] => Search::Text(text),
        [_, Some(url), _] | [_, _, Some(url)] => Search::Url(url),
        _ => Search::Nothing,
    };
    let similarity = |record: &Record| match &term {
        Search::Nothing => None,
        Search::Text(text) => Some(likeness(
            text,
            &format!("{} {}", record.json_input(), record.endpoint_id),
        )),
        Search::Url(url) => {
            let known = links(&record.json_input()).contains(url)
                || links(&record.json_output()).contains(url);
            Some(if known { 1.0 } else { 0.0 })
        }
    };
    let mut found: Vec<(Option<f64>, Arc<Record>)> = visit
        .state
        .history
        .all()
        .into_iter()
        .filter(|record| record.account.as_deref() == Some(visit.account()))
        .filter(|record| endpoints.is_empty() || endpoints.contains(&record.endpoint_id))
        .filter(|record| !(exclude && record.by_api || only && !record.by_api))
        .map(|record| (similarity(&record), record))
        .filter(|(similarity, _)| similarity.is_none_or(|value| value > 0.0 && value >= min))
        .collect();
    found.sort_by(|(a, first), (b, second)| {
        b.unwrap_or_default()
            .total_cmp(&a.unwrap_or_default())
            .then(second.ordinal.cmp(&first.ordinal))
    });
    ok(&paging::numbered(
        visit,
        "results",
        USUAL,
        found,
        |(similarity, record)| {
            let mut row = with_payloads(row(&record), &record);
            if let Some(similarity) = similarity {
                row["similarity"] = json!(similarity);
            }
            row
        },
    )?)
}

pub(super) fn erase(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let id = uuid("request_id", visit.part("request_id"))?;
    let record = visit.state.history.find(&id);
    let record = record.filter(|record| record.account.as_deref() == Some(visit.account()));
    let record = record.ok_or_else(|| not_found("Request not found"))?;
    let results: Vec<Value> = links(&record.json_output())
        .into_iter()
        .filter_map(|link| {
            let exception = match storage::remove(visit.state, visit.account(), &link) {
                Ok(()) => None,
                // The URL of another server that the output only mentions.
                Err(storage::Denied::BadUrl) => return None,
                Err(storage::Denied::NotFound) => Some("File not found"),
                Err(storage::Denied::NotOwner) => Some("Access denied"),
            };
            Some(json!({ "link": link, "exception": exception }))
        })
        .collect();
    visit.state.history.erase(&id);
    visit.state.queue.erase(&id);
    visit.state.platform.library.bury(visit.account(), &id);
    ok(&json!({ "cdn_delete_results": results }))
}
