//! FOCUS reports as CSV (docs/protocol.md §14.12, §14.13).

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::billing::{LONGEST_REPORT, billed, billed_at};
use super::visit::Visit;
use super::window::{DAY, Window, month, month_of};
use super::{invalid, usage};
use crate::answer::Answer;
use crate::clock;
use crate::prices::{self, Cost, dollars};

const COLUMNS: &[&str] = &[
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ChargeCategory",
    "ChargeDescription",
    "ServiceCategory",
    "ServiceName",
    "ProviderName",
    "PublisherName",
    "InvoiceIssuerName",
    "ResourceId",
    "SkuId",
    "ConsumedQuantity",
    "ConsumedUnit",
    "PricingQuantity",
    "PricingUnit",
    "ListUnitPrice",
    "ListCost",
    "ContractedCost",
    "EffectiveCost",
    "BilledCost",
];

/// The period of a report: the month of an invoice, or a range in buckets.
pub(super) struct Report {
    period: (SystemTime, SystemTime),
    buckets: Option<Window>,
}

impl Report {
    pub(super) fn read(visit: &Visit<'_>) -> Result<Self, Answer> {
        let source = visit
            .choice("source", &["invoice", "estimate"])?
            .ok_or_else(|| invalid("source: required"))?;
        let months = (visit.one("billing_month"), visit.one("charge_month"));
        if source == "estimate" {
            if months != (None, None) {
                return Err(invalid(
                    "billing_month, charge_month: only with source=invoice",
                ));
            }
            Window::plain(visit, DAY, Some(LONGEST_REPORT))?;
            let buckets = Window::buckets(visit)?;
            return Ok(Self {
                period: (buckets.start, buckets.end),
                buckets: Some(buckets),
            });
        }
        let period = match months {
            (Some(_), Some(_)) => {
                return Err(invalid(
                    "billing_month, charge_month: give only one of these",
                ));
            }
            (None, Some(charged)) => month("charge_month", &charged, 0)?,
            // An invoice is issued in the month after its charges.
            (Some(issued), None) => month("billing_month", &issued, -1)?,
            (None, None) => month("billing_month", &month_of(visit.now()), -1)?,
        };
        Ok(Self {
            period,
            buckets: None,
        })
    }

    /// One line for each account, bucket and endpoint.
    pub(super) fn csv(&self, visit: &Visit<'_>, accounts: &[String]) -> String {
        let mut text = line(COLUMNS);
        for account in accounts {
            let discount = prices::discount(&visit.settings.platform.discounts, account);
            let mut buckets: BTreeMap<SystemTime, usage::Sums> = BTreeMap::new();
            for record in billed(visit, account) {
                let time = billed_at(&record);
                if (self.period.0..self.period.1).contains(&time) {
                    let floor = self
                        .buckets
                        .as_ref()
                        .map_or(self.period.0, |buckets| buckets.floor(time));
                    usage::add(
                        buckets.entry(floor).or_default(),
                        usage::of_model(&record, discount, &[]),
                    );
                }
            }
            for (floor, sums) in buckets {
                let end = self
                    .buckets
                    .as_ref()
                    .map_or(self.period.1, |buckets| buckets.next(floor));
                for sum in sums.values() {
                    text += &self.row(account, (floor, end), sum);
                }
            }
        }
        text
    }

    fn row(&self, account: &str, charge: (SystemTime, SystemTime), sum: &usage::Sum) -> String {
        let cost = Cost::of(sum.quantity, sum.price, sum.discount);
        let (endpoint, unit) = (&sum.row["endpoint_id"], &sum.row["unit"]);
        let (endpoint, unit) = (
            endpoint.as_str().unwrap_or_default(),
            unit.as_str().unwrap_or_default(),
        );
        let (quantity, price) = (
            sum.quantity.to_string(),
            dollars(sum.price as f64).to_string(),
        );
        let (list, total) = (
            dollars(cost.subtotal).to_string(),
            dollars(cost.total()).to_string(),
        );
        let times = [self.period.0, self.period.1, charge.0, charge.1].map(clock::rfc3339);
        line(&[
            account,
            account,
            "USD",
            &times[0],
            &times[1],
            &times[2],
            &times[3],
            "Usage",
            endpoint,
            "AI and Machine Learning",
            "Model APIs",
            "fal",
            "fal",
            "fal",
            endpoint,
            endpoint,
            &quantity,
            unit,
            &quantity,
            unit,
            &price,
            &list,
            &total,
            &total,
            &total,
        ])
    }
}

/// A line of CSV.
pub(super) fn line(values: &[&str]) -> String {
    let quoted = |value: &&str| match value.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", value.replace('"', "\"\"")),
        false => (*value).to_owned(),
    };
    values.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn what_would_end_a_value_is_quoted() {
        assert_eq!(line(&["a", "b,c", "d\"e"]), "a,\"b,c\",\"d\"\"e\"\n");
    }
}
