//! `/v1/account/billing` (fal-protocol.md §14.12), for keys of scope ADMIN.

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{invalid, many};
use crate::answer::Answer;
use crate::keys::Caller;
use crate::server::Request;
use crate::state::State;

/// Credits in USD, 0 or more.
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
        if usd.is_finite() && usd >= 0.0 { Ok(Self(usd)) } else { Err("a balance is 0 or more") }
    }
}

impl From<Balance> for f64 {
    fn from(balance: Balance) -> Self {
        balance.0
    }
}

pub(super) fn billing(state: &State, caller: &Caller, request: &Request) -> Result<Answer, Answer> {
    let expand = many(request, "expand")?;
    if expand.iter().any(|value| value != "credits") {
        return Err(invalid("expand: only credits is known"));
    }
    let mut body = json!({ "username": caller.account });
    if !expand.is_empty() {
        let balance = state.settings().credit_balances.get(&caller.account).copied().unwrap_or_default();
        body["credits"] = json!({ "current_balance": balance, "currency": "USD" });
    }
    Ok(Answer::json(StatusCode::OK, &body))
}
