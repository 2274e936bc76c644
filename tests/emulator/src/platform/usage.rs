//! `GET /v1/models/usage` and `/v1/serverless/usage` (docs/protocol.md §14.5, §14.9): usage in
//! buckets or as a sum.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::billing::{self, Filter, billed_at, shapes, with_auth};
use super::ok;
use super::paging::{self, USUAL};
use super::serverless::{ENVIRONMENT, MACHINE};
use super::visit::Visit;
use super::window::Window;
use crate::answer::Answer;
use crate::history::Record;
use crate::prices::{self, Cost, Nano, dollars};

/// The sum of one row: everything that has the same key.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    pub(super) row: Value,
    pub(super) quantity: f64,
    pub(super) price: Nano,
    pub(super) discount: Option<f64>,
}

/// Sums in the order of their keys.
pub(super) type Sums = BTreeMap<String, Sum>;

impl Sum {
    pub(super) fn show(&self) -> Value {
        let cost = Cost::of(self.quantity, self.price, self.discount);
        let mut row = self.row.clone();
        row["quantity"] = json!(self.quantity);
        row["unit_price"] = json!(dollars(self.price as f64));
        row["percent_discount"] = json!(self.discount);
        row["cost_subtotal"] = json!(dollars(cost.subtotal));
        row["cost_discount"] = json!(dollars(cost.discount));
        row["cost_total"] = json!(dollars(cost.total()));
        row["cost"] = row["cost_total"].clone();
        row["currency"] = json!("USD");
        row
    }
}

pub(super) fn add(sums: &mut Sums, sum: Sum) {
    let key = format!("{}{}", sum.row, sum.price);
    sums.entry(key)
        .and_modify(|known| known.quantity += sum.quantity)
        .or_insert(sum);
}

/// `time_series`, a page of buckets, and `summary`, which is the same on every page.
pub(super) fn answer(
    visit: &Visit<'_>,
    window: &Window,
    expand: &[String],
    sums: impl IntoIterator<Item = (SystemTime, Sum)>,
    show: impl Fn(&Sum) -> Value,
) -> Result<Answer, Answer> {
    let (series, summary) = shapes(expand)?;
    let mut buckets: BTreeMap<SystemTime, Sums> = BTreeMap::new();
    let mut all = Sums::new();
    for (time, sum) in sums {
        if summary {
            add(&mut all, sum.clone());
        }
        add(buckets.entry(window.floor(time)).or_default(), sum);
    }
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
        |(floor, sums)| json!({ "bucket": window.name(floor), "results": sums.values().map(&show).collect::<Vec<_>>() }),
    )?;
    if summary {
        page["summary"] = all.values().map(show).collect();
    }
    if let Some(page) = page.as_object_mut().filter(|_| !series) {
        page.remove("time_series");
    }
    ok(&page)
}

/// The `expand` of a report; the time series by default.
pub(super) fn expansion(visit: &Visit<'_>, more: &[&str]) -> Result<Vec<String>, Answer> {
    let mut known = vec!["time_series", "summary"];
    known.extend_from_slice(more);
    let expand = visit.choices("expand", &known)?;
    Ok(if expand.is_empty() {
        vec!["time_series".into()]
    } else {
        expand
    })
}

/// One request to a model, as a sum.
pub(super) fn of_model(record: &Record, discount: Option<f64>, expand: &[String]) -> Sum {
    let row = json!({ "endpoint_id": record.endpoint_id, "unit": &*record.unit });
    Sum {
        row: with_auth(row, record, expand),
        quantity: record.units,
        price: record.price,
        discount,
    }
}

pub(super) fn models(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let expand = expansion(visit, &billing::AUTH)?;
    let filter = Filter::read(visit)?;
    let window = Window::buckets(visit)?;
    let discount = prices::discount(&visit.settings.platform.discounts, visit.account());
    let sums = billing::billed(visit, visit.account())
        .filter(|record| filter.passes(record) && window.holds(billed_at(record)))
        .map(|record| (billed_at(&record), of_model(&record, discount, &expand)));
    answer(visit, &window, &expand, sums, Sum::show)
}

/// The seconds that a runner of an own app worked, as a sum.
pub(super) fn of_app(record: &Record) -> Sum {
    let row = json!({
        "app": record.app, "environment": ENVIRONMENT, "machine_type": MACHINE, "unit": "second", "is_surge": false,
    });
    let seconds = record.duration().unwrap_or_default();
    Sum {
        row,
        quantity: (seconds * 1e6).round() / 1e6,
        price: prices::machine(MACHINE),
        discount: None,
    }
}

pub(super) fn serverless(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let expand = expansion(visit, &[])?;
    let (apps, search) = (visit.many("app")?, visit.one("search"));
    let window = Window::buckets(visit)?;
    let records = visit.state.history.all();
    let wanted = |record: &&std::sync::Arc<Record>| {
        record.owner == visit.account()
            && record.ended.is_some()
            && window.holds(billed_at(record))
            && (apps.is_empty() || apps.contains(&record.app))
            && search.as_ref().is_none_or(|text| record.app.contains(text))
    };
    let sums: Vec<_> = records
        .iter()
        .filter(wanted)
        .map(|record| (billed_at(record), of_app(record)))
        .collect();
    answer(visit, &window, &expand, sums, Sum::show)
}
