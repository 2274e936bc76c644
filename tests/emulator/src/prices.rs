//! The price list: the cost of a unit of each endpoint, and the price for an account
//! (docs/protocol.md §14.5).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// Billionths of a dollar, so that sums are exact.
pub(crate) type Nano = u64;

/// Converts nano-dollars to dollars.
pub(crate) fn dollars(nano: f64) -> f64 {
    nano.round() / 1e9
}

/// The price of one unit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Price {
    #[serde(rename = "dollars", deserialize_with = "nano")]
    pub(crate) unit_price: Nano,
    pub(crate) unit: Arc<str>,
}

impl Default for Price {
    /// The price of an endpoint that names none.
    fn default() -> Self {
        Self {
            unit_price: 1_000_000,
            unit: "request".into(),
        }
    }
}

/// Reads dollars as nano-dollars.
fn nano<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Nano, D::Error> {
    let dollars = f64::deserialize(deserializer)?;
    if (0.0..=1e6).contains(&dollars) {
        Ok((dollars * 1e9).round() as Nano)
    } else {
        Err(D::Error::custom("a price must be 0 to 1000000 dollars"))
    }
}

/// The machines of own apps and of compute, which are billed per second.
#[rustfmt::skip]
static MACHINES: &[(&str, Nano)] = &[
    ("S",                100_000),
    ("GPU-A100",         550_000),
    ("gpu_1x_h100_sxm5", 900_000),
    ("gpu_8x_h100_sxm5", 7_200_000),
];

/// The price of a machine for one second.
pub(crate) fn machine(kind: &str) -> Nano {
    MACHINES
        .iter()
        .find(|(name, _)| *name == kind)
        .map_or(100_000, |(_, price)| *price)
}

/// A discount on the list price in percent, from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Discount(f64);

impl TryFrom<f64> for Discount {
    type Error = &'static str;

    fn try_from(percent: f64) -> Result<Self, Self::Error> {
        if (0.0..=100.0).contains(&percent) {
            Ok(Self(percent))
        } else {
            Err("a discount must be 0 to 100 percent")
        }
    }
}

impl From<Discount> for f64 {
    fn from(discount: Discount) -> Self {
        discount.0
    }
}

/// The cost for an account in nano-dollars.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) subtotal: f64,
    pub(crate) discount: f64,
}

impl Cost {
    pub(crate) fn of(units: f64, unit_price: Nano, percent: Option<f64>) -> Self {
        let subtotal = (units * unit_price as f64).round();
        Self {
            subtotal,
            discount: (subtotal * percent.unwrap_or_default() / 100.0).round(),
        }
    }

    pub(crate) fn total(self) -> f64 {
        self.subtotal - self.discount
    }
}

/// The discount of an account in percent, if it has one.
pub(crate) fn discount(discounts: &BTreeMap<String, Discount>, account: &str) -> Option<f64> {
    discounts.get(account).map(|discount| discount.0)
}
