//! Prices, estimates and bills (docs/protocol.md §14.5, §14.12), and the queue of an own app
//! (§14.9).

use serde_json::{Map, Value, json};

use super::fields::{Decimal, Fields};
use super::list::List;
use crate::client::Client;
use crate::error::{Error, Result};

/// The price of an endpoint, including the discounts of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Price {
    /// The endpoint.
    pub endpoint_id: String,
    /// The price of one unit.
    pub unit_price: Decimal,
    /// The unit, such as `image` or `video`.
    pub unit: String,
    /// The currency, in three letters, such as `USD`.
    pub currency: String,
}

/// Planned calls: the endpoints, and how much of each.
#[derive(Clone, Copy, Debug)]
pub enum Planned<'a> {
    /// Numbers of calls, at the average price of past calls.
    Calls(&'a [(&'a str, u64)]),
    /// Numbers of units, at the list price.
    Units(&'a [(&'a str, f64)]),
}

/// The cost of planned calls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cost {
    /// The sum over all endpoints.
    pub total: Decimal,
    /// The currency, in three letters, such as `USD`.
    pub currency: String,
}

/// The bill for a period.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The start of the period, as fal wrote it. `None`: the summary of the whole range.
    pub bucket: Option<String>,
    /// One row for each endpoint and unit.
    pub rows: Vec<UsageRow>,
}

/// A row of a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsageRow {
    /// The endpoint.
    pub endpoint_id: String,
    /// The unit.
    pub unit: String,
    /// The number of units.
    pub quantity: Decimal,
    /// The price of one unit.
    pub unit_price: Decimal,
    /// The discount in percent, if there is one.
    pub percent_discount: Option<Decimal>,
    /// The amount to pay.
    pub cost_total: Decimal,
    /// The currency, in three letters, such as `USD`.
    pub currency: String,
}

/// The account that is billed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Billing {
    /// The name of the account.
    pub username: String,
    /// The remaining credits.
    pub balance: Option<Decimal>,
    /// The currency, in three letters, such as `USD`.
    pub currency: Option<String>,
}

impl Client {
    /// Returns the prices of 1 to 50 endpoints.
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

    /// Returns the cost of planned calls. It runs nothing.
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

    /// Returns the bill for each period, or for the whole range if `expand` is `summary`. The
    /// parameters are those of `models.usage`. It needs a key with scope ADMIN.
    pub fn usage(&self, params: Value) -> Result<List<Usage>> {
        List::start(self, "models.usage", params, usage)
    }

    /// Returns the account and its remaining credits. It needs a key with scope ADMIN.
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

    /// Returns the number of requests that wait for an app of the account, such as `acme/my-app`.
    pub async fn app_queue_size(&self, app: &str) -> Result<u64> {
        let name = "serverless.apps.queue.get";
        let answer = self.platform(name, of_app(app)?).await?;
        Fields::read(answer.body(), name)?.integer("queue_size")
    }

    /// Cancels every request that waits for an app of the account. Running requests continue.
    pub async fn flush_app_queue(&self, app: &str) -> Result<()> {
        self.platform("serverless.apps.queue.flush", of_app(app)?)
            .await
            .map(drop)
    }
}

fn of_each<T: Copy + Into<Value>>(planned: &[(&str, T)], quantity: &str) -> Map<String, Value> {
    let mut quantities = Map::new();
    for (endpoint, number) in planned {
        let planned = json!({ quantity: (*number).into() });
        quantities.insert((*endpoint).to_owned(), planned);
    }
    quantities
}

fn of_app(app: &str) -> Result<Value> {
    let halves = app.split_once('/').filter(|(_, name)| !name.contains('/'));
    let (owner, name) = halves.ok_or_else(|| Error::invalid("app must be <owner>/<name>"))?;
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
