//! `GET /v1/models/billing-events`, and the records that all bills are computed from
//! (docs/protocol.md §14.5, §14.13, §15).

use std::sync::Arc;

use serde_json::{Value, json};

use super::paging::{self, Limit};
use super::visit::Visit;
use super::window::{DAY, Window};
use super::{invalid, ok};
use crate::answer::Answer;
use crate::clock;
use crate::history::Record;
use crate::prices::{self, Cost, dollars};

/// The number of days of history that a report covers.
pub(super) const LONGEST_REPORT: u64 = 90;

/// The requests of an account that are billed per request. Requests to its own apps are billed per
/// second.
pub(super) fn billed<'v>(
    visit: &Visit<'_>,
    account: &'v str,
) -> impl Iterator<Item = Arc<Record>> + use<'v> {
    let records = visit.state.history.all().into_iter();
    records.filter(move |record| {
        record.account.as_deref() == Some(account) && record.units > 0.0 && !record.is_own()
    })
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}

/// The filter of a query.
pub(super) struct Filter {
    endpoints: Vec<String>,
    requests: Vec<String>,
    keys: Vec<String>,
    logins: Vec<String>,
}

impl Filter {
    pub(super) fn read(visit: &Visit<'_>) -> Result<Self, Answer> {
        Ok(Self {
            endpoints: visit.many("endpoint_id")?,
            requests: visit.many("request_id")?,
            keys: visit.many("api_key_id")?,
            logins: visit.many("login_username")?,
        })
    }

    pub(super) fn passes(&self, record: &Record) -> bool {
        let (key, user) = (text(&record.key_id), text(&record.account));
        let among = |values: &[String], value: &str| {
            values.is_empty() || values.iter().any(|known| known == value)
        };
        among(&self.endpoints, &record.endpoint_id)
            && among(&self.requests, &record.request_id)
            && among(&self.keys, key)
            && (self.logins.is_empty() || record.is_login() && among(&self.logins, user))
    }
}

/// Adds the payer of a record to a row, according to the `expand` values.
pub(super) fn with_auth(mut row: Value, record: &Record, expand: &[String]) -> Value {
    let (detail, member, value) = match record.is_login() {
        true => ("User Login", "login_username", text(&record.account)),
        false => ("API Key", "api_key_id", text(&record.key_id)),
    };
    if expand.iter().any(|value| value == "auth_method") {
        row["auth_method"] = json!(format!("{detail} {value}"));
    }
    if expand.iter().any(|value| value == "auth_method_structured") {
        row["auth_method_structured"] = json!({ "detail": detail, member: value });
    }
    row
}

pub(super) const AUTH: [&str; 2] = ["auth_method", "auth_method_structured"];

/// One billed request.
pub(super) fn event(record: &Record, discount: Option<f64>, expand: &[String]) -> Value {
    let cost = Cost::of(record.units, record.price, discount);
    let row = json!({
        "request_id": record.request_id,
        "endpoint_id": record.endpoint_id,
        "timestamp": clock::rfc3339_millis(record.ended.unwrap_or(record.started)),
        "output_units": record.units,
        "unit_price": dollars(record.price as f64),
        "percent_discount": discount,
        "cost_subtotal": dollars(cost.subtotal),
        "cost_discount": dollars(cost.discount),
        "cost_total": dollars(cost.total()),
        "cost_estimate_nano_usd": cost.total() as u64,
    });
    with_auth(row, record, expand)
}

/// The time at which a record is billed.
pub(super) fn billed_at(record: &Record) -> std::time::SystemTime {
    record.ended.unwrap_or(record.started)
}

pub(super) fn models(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let expand = visit.choices("expand", &AUTH)?;
    let filter = Filter::read(visit)?;
    let window = Window::plain(visit, DAY, Some(LONGEST_REPORT))?;
    let discount = prices::discount(&visit.settings.platform.discounts, visit.account());
    let records = billed(visit, visit.account())
        .filter(|record| filter.passes(record) && window.holds(billed_at(record)))
        .map(|record| (record.ordinal, record));
    ok(&paging::page(
        visit,
        "billing_events",
        Limit::Capped(10_000),
        records,
        |record| event(&record, discount, &expand),
    )?)
}

/// Which of `time_series` and `summary` an `expand` names; 400 unless at least one.
pub(super) fn shapes(expand: &[String]) -> Result<(bool, bool), Answer> {
    let has = |name: &str| expand.iter().any(|value| value == name);
    match (has("time_series"), has("summary")) {
        (false, false) => Err(invalid("expand: must contain time_series or summary")),
        shapes => Ok(shapes),
    }
}
