//! `/v1/account/…` and `/v1/meta` (docs/protocol.md §14.12, §14.14).

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::focus::{Report, line};
use super::models::catalogue;
use super::organization::root;
use super::visit::Visit;
use super::{csv, denied, ok};
use crate::answer::Answer;

/// Credits in USD, at least 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Balance(f64);

impl Default for Balance {
    fn default() -> Self {
        Self(100.0)
    }
}

impl TryFrom<f64> for Balance {
    type Error = &'static str;

    fn try_from(usd: f64) -> Result<Self, Self::Error> {
        if usd.is_finite() && usd >= 0.0 {
            Ok(Self(usd))
        } else {
            Err("a balance must be at least 0")
        }
    }
}

impl From<Balance> for f64 {
    fn from(balance: Balance) -> Self {
        balance.0
    }
}

pub(super) fn billing(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let expand = visit.choices("expand", &["credits"])?;
    let mut body = json!({ "username": visit.account() });
    if !expand.is_empty() {
        let balance = visit
            .settings
            .credit_balances
            .get(visit.account())
            .copied()
            .unwrap_or_default();
        body["credits"] = json!({ "current_balance": balance, "currency": "USD" });
    }
    ok(&body)
}

/// 403 if the account has no enterprise contract.
pub(super) fn enterprise(visit: &Visit<'_>) -> Result<(), Answer> {
    if visit.settings.platform.enterprise {
        Ok(())
    } else {
        Err(denied("This operation needs an enterprise contract"))
    }
}

pub(super) fn focus(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let report = Report::read(visit)?;
    enterprise(visit)?;
    let whole = visit.choice("expand", &["organization"])?.is_some();
    let accounts = if whole {
        root(visit)?.teams.clone()
    } else {
        vec![visit.account().to_owned()]
    };
    csv(report.csv(visit, &accounts))
}

/// Which models the account may call, from the setting `blocked_models`.
pub(super) fn model_access(visit: &Visit<'_>) -> Result<Answer, Answer> {
    enterprise(visit)?;
    let mut text =
        String::from("endpoint_id,title,category,enterprise_status,ui_access,api_access\n");
    for model in catalogue(visit.state) {
        let blocked = visit
            .settings
            .platform
            .blocked_models
            .iter()
            .any(|id| *id == model.id);
        let access = if blocked { "BLOCKED" } else { "ALLOWED" };
        text += &line(&[
            &model.id,
            &model.title,
            &model.category,
            "ready",
            access,
            access,
        ]);
    }
    csv(text)
}

/// The addresses that webhooks come from: only this machine.
pub(super) fn meta(_: &Visit<'_>) -> Result<Answer, Answer> {
    ok(&json!({ "webhook_ip_ranges": ["127.0.0.1/32"] }))
}
