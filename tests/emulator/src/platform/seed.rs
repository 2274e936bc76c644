//! Bulk data for tests that read many pages.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::compute;
use crate::DEFAULT_ACCOUNT;
use crate::history::Record;
use crate::keys::Scope;
use crate::state::State;

/// The number of records of each kind to create for an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    /// The account.
    pub account: String,
    /// The number of API keys, named `seed-1` and so on.
    pub keys: usize,
    /// The number of billed requests to `endpoint_id`, one second apart and up to now, by the
    /// account's first key.
    pub billing_events: usize,
    /// The endpoint that the requests called.
    pub endpoint_id: String,
    /// The number of machines.
    pub instances: usize,
    /// Whether the requests came through the API rather than from a web page.
    pub by_api: bool,
}

impl Default for Seed {
    fn default() -> Self {
        Self {
            account: DEFAULT_ACCOUNT.into(),
            keys: 0,
            billing_events: 0,
            endpoint_id: "fal-ai/flux/schnell".into(),
            instances: 0,
            by_api: true,
        }
    }
}

pub(crate) fn sow(state: &State, seed: &Seed) {
    let now = state.clock.now();
    for number in 1..=seed.keys {
        state
            .keys
            .create(Scope::Api, &seed.account, &format!("seed-{number}"), now);
    }
    for _ in 0..seed.instances {
        compute::add(state, &seed.account);
    }
    let key = state
        .keys
        .listed(&seed.account)
        .first()
        .map(|key| key.id.clone());
    let price = state.apps.price(&seed.endpoint_id);
    let app: Vec<&str> = seed.endpoint_id.splitn(3, '/').take(2).collect();
    let record = |number: usize| {
        let age = Duration::from_secs((seed.billing_events - number) as u64 + 1);
        let sent = now
            .checked_sub(age)
            .unwrap_or(std::time::SystemTime::UNIX_EPOCH);
        Record {
            ordinal: 0,
            request_id: Uuid::new_v4().to_string(),
            endpoint_id: seed.endpoint_id.clone(),
            owner: app
                .first()
                .map(|owner| (*owner).to_owned())
                .unwrap_or_default(),
            app: app.join("/"),
            account: Some(seed.account.clone()),
            key_id: key.clone(),
            method: "POST".into(),
            sent,
            started: sent,
            ended: Some(sent + Duration::from_millis(500)),
            status: Some(200),
            error_type: None,
            startup: Duration::ZERO,
            input: Some(Bytes::from(
                json!({ "prompt": format!("seed {number}") }).to_string(),
            )),
            output: None,
            store: true,
            units: 1.0,
            price: price.unit_price,
            unit: Arc::clone(&price.unit),
            by_api: seed.by_api,
            runner: Uuid::new_v4().to_string(),
            lines: Vec::new(),
        }
    };
    state.history.seed((1..=seed.billing_events).map(record));
}
