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
use crate::apps::{APPS, App};

/// The only environment.
pub(super) const ENVIRONMENT: &str = "main";

/// The machine type that all own apps run on.
pub(super) const MACHINE: &str = "GPU-A100";

/// The caller's own app, by its id or the id of one of its endpoints: 403 for another account's
/// app, 404 if there is none.
pub(super) fn own_app(visit: &Visit<'_>, id: &str) -> Result<&'static App, Answer> {
    let found = APPS.iter().find(|app| {
        let name = format!("{}/{}", app.owner, app.alias);
        id == name || app.endpoints.iter().any(|known| known.id == id)
    });
    match found {
        Some(app) if app.owner == visit.account() => Ok(app),
        Some(_) => Err(denied("Access denied")),
        None => Err(not_found(&format!("{id}: no such app"))),
    }
}

/// The app that a path `{owner}/{name}` names.
fn named(visit: &Visit<'_>) -> Result<&'static App, Answer> {
    own_app(
        visit,
        &format!("{}/{}", visit.part("owner"), visit.part("name")),
    )
}

/// The caller's apps by name.
fn all(visit: &Visit<'_>) -> BTreeMap<String, &'static App> {
    let own = APPS.iter().filter(|app| app.owner == visit.account());
    own.map(|app| (format!("{}/{}", app.owner, app.alias), app))
        .collect()
}
