//! What calls cost, will cost and have cost (docs/protocol.md §14.5, §14.12), and the queue of an
//! own app (§14.9).

use serde_json::{Map, Value, json};

use super::fields::{Decimal, Fields};
use super::list::List;
use crate::client::Client;
use crate::error::{Error, Result};

/// The price of an endpoint, with the account's discounts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Price {
    /// The endpoint.
    pub endpoint_id: String,
    /// For one unit.
    pub unit_price: Decimal,
    /// Such as `image` or `video`.
    pub unit: String,
    /// Three letters, such as `USD`.
    pub currency: String,
}

/// Planned calls: the endpoints, and how much of each.
#[derive(Clone, Copy, Debug)]
pub enum Planned<'a> {
    /// So many calls, at the average price of past ones.
    Calls(&'a [(&'a str, u64)]),
    /// So many units, at the list price.
    Units(&'a [(&'a str, f64)]),
}

/// What planned calls would cost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cost {
    /// All of them together.
    pub total: Decimal,
    /// Three letters, such as `USD`.
    pub currency: String,
}

/// What was billed in some time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The begin of the time, as fal wrote it; `None` for the summary of all of it.
    pub bucket: Option<String>,
    /// One row for each endpoint and unit.
    pub rows: Vec<UsageRow>,
}

/// A row of a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsageRow {
    /// What was called.
    pub endpoint_id: String,
    /// What is counted.
    pub unit: String,
    /// How many.
    pub quantity: Decimal,
    /// For each.
    pub unit_price: Decimal,
    /// In percent, if there is one.
    pub percent_discount: Option<Decimal>,
    /// What is to be paid.
    pub cost_total: Decimal,
    /// Three letters, such as `USD`.
    pub currency: String,
}

/// The account that pays.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Billing {
    /// Its name.
    pub username: String,
    /// What is left of its credits.
    pub balance: Option<Decimal>,
    /// Three letters, such as `USD`.
    pub currency: Option<String>,
}

impl Client {
    /// The prices of 1 to 50 endpoints.
    pub async fn prices(&self, endpoint_ids: &[&str]) -> Result<Vec<Price>> {
        let name = "models.pricing";
        let answer = self
            .platform(name, json!({ "endpoint_id": endpoint_ids }))
            .await?;
        Fields::read(answer.body(), name)?
            .objects("prices")?
            .iter()
            .map(price)
            .collect()
    }

    /// What planned calls would cost. Nothing is run.
    pub async fn estimate(&self, planned: Planned<'_>) -> Result<Cost> {
        let name = "models.pricing.estimate";
        let (kind, endpoints) = match planned {
            Planned::Calls(calls) => ("historical_api_price", of_each(calls, "call_quantity")),
            Planned::Units(units) => ("unit_price", of_each(units, "unit_quantity")),
        };
        let answer = self
            .platform(
                name,
                json!({ "estimate_type": kind, "endpoints": endpoints }),
            )
            .await?;
        let fields = Fields::read(answer.body(), name)?;
        Ok(Cost {
            total: fields.decimal("total_cost")?,
            currency: fields.text("currency")?,
        })
    }

    /// What was billed, for each bucket of time, or all together with `expand` `summary`. The
    /// parameters are those of `models.usage`. It needs a key of scope ADMIN.
    pub fn usage(&self, params: Value) -> Result<List<Usage>> {
        List::start(self, "models.usage", params, usage)
    }

    /// The account, and what is left of its credits. It needs a key of scope ADMIN.
    pub async fn billing(&self) -> Result<Billing> {
        let name = "account.billing";
        let answer = self.platform(name, json!({ "expand": "credits" })).await?;
        let fields = Fields::read(answer.body(), name)?;
        let credits = fields.maybe_object("credits")?;
        Ok(Billing {
            username: fields.text("username")?,
            balance: credits
                .as_ref()
                .map(|credits| credits.decimal("current_balance"))
                .transpose()?,
            currency: credits
                .as_ref()
                .map(|credits| credits.text("currency"))
                .transpose()?,
        })
    }

    /// How many requests wait for an app of one's own, such as `acme/my-app`.
    pub async fn app_queue_size(&self, app: &str) -> Result<u64> {
        let name = "serverless.apps.queue.get";
        let answer = self.platform(name, of_app(app)?).await?;
        Fields::read(answer.body(), name)?.integer("queue_size")
    }

    /// Cancels every request that waits for an app of one's own. What runs goes on.
    pub async fn flush_app_queue(&self, app: &str) -> Result<()> {
        self.platform("serverless.apps.queue.flush", of_app(app)?)
            .await
            .map(drop)
    }
}

fn of_each<T: Copy + Into<Value>>(planned: &[(&str, T)], quantity: &str) -> Map<String, Value> {
    planned
        .iter()
        .map(|(endpoint, number)| {
            (
                (*endpoint).to_owned(),
                json!({ quantity: (*number).into() }),
            )
        })
        .collect()
}

fn of_app(app: &str) -> Result<Value> {
    let halves = app.split_once('/').filter(|(_, name)| !name.contains('/'));
    let (owner, name) = halves.ok_or_else(|| Error::invalid("an app is <owner>/<name>"))?;
    Ok(json!({ "owner": owner, "name": name }))
}

fn price(fields: &Fields<'_>) -> Result<Price> {
    Ok(Price {
        endpoint_id: fields.text("endpoint_id")?,
        unit_price: fields.decimal("unit_price")?,
        unit: fields.text("unit")?,
        currency: fields.text("currency")?,
    })
}

fn usage(fields: &Fields<'_>) -> Result<Usage> {
    let bucket = fields.maybe_text("bucket")?;
    let rows = match &bucket {
        Some(_) => fields
            .objects("results")?
            .iter()
            .map(row)
            .collect::<Result<_>>()?,
        None => vec![row(fields)?],
    };
    Ok(Usage { bucket, rows })
}

fn row(fields: &Fields<'_>) -> Result<UsageRow> {
    Ok(UsageRow {
        endpoint_id: fields.text("endpoint_id")?,
        unit: fields.text("unit")?,
        quantity: fields.decimal("quantity")?,
        unit_price: fields.decimal("unit_price")?,
        percent_discount: fields.maybe_decimal("percent_discount")?,
        cost_total: fields.decimal("cost_total")?,
        currency: fields.text("currency")?,
    })
}
