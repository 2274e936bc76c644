//! `/v1/models/pricing` (docs/protocol.md §14.5): the price list, and estimates of planned calls.

use serde_json::{Value, json};

use super::fields::{Fields, wrong};
use super::models::endpoint;
use super::visit::Visit;
use super::{invalid, not_found, ok};
use crate::answer::Answer;
use crate::prices::{self, Cost, dollars};

pub(super) fn list(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let ids = visit.required("endpoint_id")?;
    let mut prices = Vec::new();
    for id in &ids {
        prices.push(json!({
            "endpoint_id": id,
            "unit_price": dollars(unit_price(visit, id)?),
            "unit": &*visit.state.apps.price(id).unit,
            "currency": "USD",
        }));
    }
    ok(&json!({ "prices": prices, "next_cursor": null, "has_more": false }))
}

/// The price of one unit for the account, in nano-dollars; 404 for an endpoint that cannot be
/// called.
fn unit_price(visit: &Visit<'_>, id: &str) -> Result<f64, Answer> {
    endpoint(visit, id).ok_or_else(|| not_found(&format!("{id}: no such endpoint")))?;
    let discount = prices::discount(&visit.settings.platform.discounts, visit.account());
    Ok(Cost::of(1.0, visit.state.apps.price(id).unit_price, discount).total())
}

pub(super) fn estimate(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let fields = Fields::read(visit.request)?;
    let kinds = ["historical_api_price", "unit_price"];
    let kind = fields
        .choice("estimate_type", &kinds)?
        .ok_or_else(|| wrong("estimate_type", "required"))?;
    let Some(Value::Object(endpoints)) = fields.get("endpoints") else {
        return Err(wrong("endpoints", "must be an object"));
    };
    let mut nano = 0.0;
    for (id, wanted) in endpoints {
        let wanted = Fields::of(wanted, id)?;
        nano += if kind == "unit_price" {
            let units = wanted
                .get("unit_quantity")
                .and_then(Value::as_f64)
                .filter(|units| *units >= 1e-6);
            let units = units.ok_or_else(|| wrong("unit_quantity", "must be at least 0.000001"))?;
            units * unit_price(visit, id)?
        } else {
            let calls = wanted
                .get("call_quantity")
                .and_then(Value::as_u64)
                .filter(|calls| *calls >= 1);
            let calls =
                calls.ok_or_else(|| wrong("call_quantity", "must be an integer of at least 1"))?;
            calls as f64 * average(visit, id)?
        };
    }
    if !nano.is_finite() {
        return Err(invalid("endpoints: the cost is too large"));
    }
    ok(&json!({ "estimate_type": kind, "total_cost": dollars(nano), "currency": "USD" }))
}

/// The average cost of the account's calls; without calls, the price of one unit.
fn average(visit: &Visit<'_>, id: &str) -> Result<f64, Answer> {
    let unit_price = unit_price(visit, id)?;
    let discount = prices::discount(&visit.settings.platform.discounts, visit.account());
    let records = visit.state.history.all();
    let costs: Vec<f64> = records
        .iter()
        .filter(|record| {
            record.endpoint_id == id && record.account.as_deref() == Some(visit.account())
        })
        .filter(|record| record.units > 0.0)
        .map(|record| Cost::of(record.units, record.price, discount).total())
        .collect();
    Ok(if costs.is_empty() {
        unit_price
    } else {
        costs.iter().sum::<f64>() / costs.len() as f64
    })
}
