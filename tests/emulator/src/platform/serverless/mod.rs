//! `/v1/serverless/…` (docs/protocol.md §14.9): data about an account's own apps.

mod apps;
mod files;
mod logs;
mod metrics;
mod runners;
mod zipped;

use std::collections::BTreeMap;

pub(super) use apps::{apps, events, flush, queue, revisions};
pub(super) use files::{Volumes, download, list, list_root, store_local, store_url};
pub(super) use logs::{history as logs, live as live_logs};
pub(super) use metrics::metrics;
pub(super) use runners::runners;

use super::visit::Visit;
use super::{Answer, denied, not_found};
use crate::apps::{Access, Endpoint};

/// The only environment.
pub(super) const ENVIRONMENT: &str = "main";

/// The machine type that all own apps run on.
pub(super) const MACHINE: &str = "GPU-A100";

/// An app of the caller's account.
pub(super) struct OwnApp {
    /// `owner/alias`.
    name: String,
    account: String,
    access: Access,
    /// The ids of its endpoints.
    endpoints: Vec<String>,
}

impl OwnApp {
    fn of(endpoint: &Endpoint) -> Self {
        Self {
            name: endpoint.app().to_owned(),
            account: endpoint.account().to_owned(),
            access: endpoint.access,
            endpoints: Vec::new(),
        }
    }

    fn alias(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }
}

/// The caller's own app, by its id or the id of one of its endpoints: 403 for another account's
/// app, 404 if there is none.
pub(super) fn own_app(visit: &Visit<'_>, id: &str) -> Result<OwnApp, Answer> {
    let all = visit.state.apps.all();
    let found = all.iter().find(|known| known.app() == id || known.id == id);
    match found {
        Some(known) if known.account() == visit.account() => Ok(OwnApp::of(known)),
        Some(_) => Err(denied("Access denied")),
        None => Err(not_found(&format!("{id}: no such app"))),
    }
}

/// The app that a path `{owner}/{name}` names.
fn named(visit: &Visit<'_>) -> Result<OwnApp, Answer> {
    own_app(
        visit,
        &format!("{}/{}", visit.part("owner"), visit.part("name")),
    )
}

/// The caller's apps by name.
fn all(visit: &Visit<'_>) -> BTreeMap<String, OwnApp> {
    let mut apps: BTreeMap<String, OwnApp> = BTreeMap::new();
    let all = visit.state.apps.all();
    let own = all
        .iter()
        .filter(|known| known.account() == visit.account() && !known.is_pattern());
    for endpoint in own {
        apps.entry(endpoint.app().to_owned())
            .or_insert_with(|| OwnApp::of(endpoint))
            .endpoints
            .push(endpoint.id.clone());
    }
    apps
}
