//! `/v1/models/analytics` and `/v1/serverless/analytics` (docs/protocol.md §14.5, §14.9): counts
//! and percentiles.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::billing::shapes;
use super::models::endpoint;
use super::paging::{self, USUAL};
use super::serverless::own_app;
use super::visit::Visit;
use super::window::Window;
use super::{invalid, not_found, ok};
use crate::answer::Answer;
use crate::history::Record;

/// How a metric is computed.
#[derive(Clone, Copy)]
enum Metric {
    Count(fn(&Record) -> bool),
    /// The percentile of the values of the records that have one.
    Percentile(f64, fn(&Record) -> Option<f64>),
    Total(fn(&Record) -> Option<f64>),
}

fn has_error(record: &Record, kinds: &[&str]) -> bool {
    record
        .error_type
        .as_deref()
        .is_some_and(|kind| kinds.contains(&kind))
}

fn prepare(record: &Record) -> Option<f64> {
    Some(record.prepare())
}

fn cold_boot(record: &Record) -> Option<f64> {
    Some(record.startup.as_secs_f64()).filter(|seconds| *seconds > 0.0)
}

fn billable(record: &Record) -> Option<f64> {
    record
        .duration()
        .filter(|_| record.group() == Some("success"))
}

const CONNECTION: &[&str] = &[
    "runner_connection_timeout",
    "runner_disconnected",
    "runner_connection_refused",
    "runner_connection_error",
    "runner_incomplete_response",
];
const STARTUP: &[&str] = &["startup_timeout", "runner_scheduling_failure"];

#[rustfmt::skip]
const METRICS: &[(&str, Metric)] = &[
    ("request_count", Metric::Count(|_| true)),
    ("success_count", Metric::Count(|record| record.group() == Some("success"))),
    ("user_error_count", Metric::Count(|record| record.group() == Some("user_error"))),
    ("error_count", Metric::Count(|record| record.group() == Some("error"))),
    ("p50_prepare_duration", Metric::Percentile(50.0, prepare)),
    ("p75_prepare_duration", Metric::Percentile(75.0, prepare)),
    ("p90_prepare_duration", Metric::Percentile(90.0, prepare)),
    ("p95_prepare_duration", Metric::Percentile(95.0, prepare)),
    ("p99_prepare_duration", Metric::Percentile(99.0, prepare)),
    ("p25_duration", Metric::Percentile(25.0, Record::duration)),
    ("p50_duration", Metric::Percentile(50.0, Record::duration)),
    ("p75_duration", Metric::Percentile(75.0, Record::duration)),
    ("p90_duration", Metric::Percentile(90.0, Record::duration)),
    ("p95_duration", Metric::Percentile(95.0, Record::duration)),
    ("p99_duration", Metric::Percentile(99.0, Record::duration)),
    ("startup_error_count", Metric::Count(|record| has_error(record, STARTUP))),
    ("connection_error_count", Metric::Count(|record| has_error(record, CONNECTION))),
    ("timeout_error_count", Metric::Count(|record| has_error(record, &["request_timeout"]))),
    ("runtime_error_count", Metric::Count(|record| {
        record.group() == Some("error") && !has_error(record, STARTUP) && !has_error(record, CONNECTION) && !has_error(record, &["request_timeout"])
    })),
    ("cold_boot_count", Metric::Count(|record| cold_boot(record).is_some())),
    ("p50_cold_boot_duration", Metric::Percentile(50.0, cold_boot)),
    ("p75_cold_boot_duration", Metric::Percentile(75.0, cold_boot)),
    ("p90_cold_boot_duration", Metric::Percentile(90.0, cold_boot)),
    ("total_billable_duration", Metric::Total(billable)),
];

impl Metric {
    fn of(self, records: &[Arc<Record>]) -> Value {
        match self {
            Self::Count(counts) => json!(records.iter().filter(|record| counts(record)).count()),
            Self::Total(value) => json!(
                records
                    .iter()
                    .filter_map(|record| value(record))
                    .sum::<f64>()
            ),
            Self::Percentile(percent, value) => {
                let mut values: Vec<f64> =
                    records.iter().filter_map(|record| value(record)).collect();
                values.sort_by(f64::total_cmp);
                json!(percentile(&values, percent))
            }
        }
    }
}

/// The smallest value that is at least as large as this percentage of the values; 0 if there are
/// none.
fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or_default()
}

pub(super) fn models(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let wanted = visit.required("endpoint_id")?;
    for id in &wanted {
        endpoint(visit, id).ok_or_else(|| not_found(&format!("{id}: no such endpoint")))?;
    }
    answer(visit, |record| {
        record.account.as_deref() == Some(visit.account()) && wanted.contains(&record.endpoint_id)
    })
}

pub(super) fn serverless(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let wanted = visit.required("endpoint_id")?;
    for id in &wanted {
        own_app(visit, id)?;
    }
    answer(visit, |record| {
        wanted
            .iter()
            .any(|id| *id == record.endpoint_id || *id == record.app)
    })
}

fn answer(visit: &Visit<'_>, wanted: impl Fn(&Record) -> bool) -> Result<Answer, Answer> {
    let mut known = vec!["time_series", "summary"];
    known.extend(METRICS.iter().map(|(name, _)| *name));
    let mut expand = visit.choices("expand", &known)?;
    if expand.is_empty() {
        expand = vec!["time_series".into(), "request_count".into()];
    }
    let (series, summary) = shapes(&expand)?;
    let metrics: Vec<_> = METRICS
        .iter()
        .filter(|(name, _)| expand.iter().any(|value| value == name))
        .collect();
    if metrics.is_empty() {
        return Err(invalid("expand: must contain a metric"));
    }
    let window = Window::buckets(visit)?;
    let mut all: BTreeMap<String, Vec<Arc<Record>>> = BTreeMap::new();
    let mut buckets: BTreeMap<SystemTime, BTreeMap<String, Vec<Arc<Record>>>> = BTreeMap::new();
    for record in visit.state.history.all() {
        if record.ended.is_none() || !window.holds(record.sent) || !wanted(&record) {
            continue;
        }
        let id = record.endpoint_id.clone();
        all.entry(id.clone()).or_default().push(Arc::clone(&record));
        buckets
            .entry(window.floor(record.sent))
            .or_default()
            .entry(id)
            .or_default()
            .push(record);
    }
    let rows = |groups: &BTreeMap<String, Vec<Arc<Record>>>| -> Vec<Value> {
        let row = |(id, records): (&String, &Vec<Arc<Record>>)| {
            let mut row = Map::new();
            row.insert("endpoint_id".into(), json!(id));
            row.extend(
                metrics
                    .iter()
                    .map(|(name, metric)| ((*name).to_owned(), metric.of(records))),
            );
            Value::Object(row)
        };
        groups.iter().map(row).collect()
    };
    let buckets: Vec<_> = if series {
        buckets.into_iter().collect()
    } else {
        Vec::new()
    };
    let mut page = paging::numbered(
        visit,
        "time_series",
        USUAL,
        buckets,
        |(floor, groups)| json!({ "bucket": window.name(floor), "results": rows(&groups) }),
    )?;
    if summary {
        page["summary"] = json!(rows(&all));
    }
    if let Some(page) = page.as_object_mut().filter(|_| !series) {
        page.remove("time_series");
    }
    ok(&page)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values = [1.0, 2.0, 3.0, 4.0];
        for (percent, expected) in [
            (25.0, 1.0),
            (50.0, 2.0),
            (75.0, 3.0),
            (90.0, 4.0),
            (99.0, 4.0),
        ] {
            assert_eq!(
                percentile(&values, percent).to_bits(),
                f64::to_bits(expected)
            );
        }
        assert_eq!(percentile(&[], 50.0).to_bits(), 0.0_f64.to_bits());
    }
}
