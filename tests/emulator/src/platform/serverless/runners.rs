//! The number of active runners and of waiting requests over time.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::super::billing::LONGEST_REPORT;
use super::super::visit::Visit;
use super::super::window::{DAY, Window};
use super::super::{Answer, invalid, ok};
use super::named;
use crate::clock;

/// The largest number of buckets in a response.
const MOST: usize = 10_000;

pub(in super::super) fn runners(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let app = named(visit)?;
    let aggregation = visit
        .choice("aggregation", &["max", "avg"])?
        .unwrap_or("max");
    let window = Window::plain(visit, DAY, Some(LONGEST_REPORT))?;
    let (mut running, mut pending) = (Vec::new(), Vec::new());
    for record in visit
        .state
        .history
        .all()
        .iter()
        .filter(|record| record.app == app.name)
    {
        running.push((record.started, record.ended.unwrap_or(window.end)));
        pending.push((record.sent, record.started));
    }
    let waiting = visit.state.queue.pending(&app.name);
    pending.extend(waiting.iter().map(|job| (job.submitted(), window.end)));
    let mut history: Vec<Value> = Vec::new();
    let mut floor = window.floor(window.start);
    while floor < window.end {
        if history.len() == MOST {
            return Err(invalid("timeframe: too many buckets between start and end"));
        }
        let next = window.next(floor);
        let count = |spans: &[(SystemTime, SystemTime)]| match aggregation {
            "max" => most(spans, floor, next),
            _ => average(spans, floor, next),
        };
        history.push(json!({
            "timestamp": clock::rfc3339(floor),
            "running": count(&running),
            "idle": 0,
            "pending": count(&pending),
            "draining": 0,
        }));
        if next <= floor {
            break;
        }
        floor = next;
    }
    ok(&json!({
        "endpoint_id": app.name, "timeframe": window.timeframe.name(), "aggregation": aggregation, "history": history,
    }))
}

/// The largest number of spans that overlap at one time.
fn most(spans: &[(SystemTime, SystemTime)], from: SystemTime, to: SystemTime) -> f64 {
    let within = || {
        spans
            .iter()
            .filter(|(begin, end)| *begin < to && *end > from)
    };
    let at = |time: SystemTime| {
        within()
            .filter(|(begin, end)| *begin <= time && time < *end)
            .count()
    };
    within()
        .map(|(begin, _)| at((*begin).max(from)))
        .max()
        .unwrap_or_default() as f64
}

/// The average number of spans over the period.
fn average(spans: &[(SystemTime, SystemTime)], from: SystemTime, to: SystemTime) -> f64 {
    let overlap = |(begin, end): &(SystemTime, SystemTime)| {
        (*end)
            .min(to)
            .duration_since((*begin).max(from))
            .unwrap_or_default()
            .as_secs_f64()
    };
    let whole = to.duration_since(from).unwrap_or_default().as_secs_f64();
    if whole > 0.0 {
        spans.iter().map(overlap).sum::<f64>() / whole
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn overlapping_spans_are_counted() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let spans = [(at(0), at(10)), (at(5), at(15)), (at(20), at(30))];
        for (from, to, at_most, on_average) in
            [(0, 10, 2.0, 1.5), (10, 20, 1.0, 0.5), (15, 20, 0.0, 0.0)]
        {
            assert!((most(&spans, at(from), at(to)) - at_most).abs() < 1e-9);
            assert!((average(&spans, at(from), at(to)) - on_average).abs() < 1e-9);
        }
    }
}
