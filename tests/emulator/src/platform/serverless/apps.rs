//! The account's own apps: their settings, queues, events and revisions.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::super::paging::{self, Limit};
use super::super::visit::Visit;
use super::super::window::{DAY, Window};
use super::super::{Answer, done, ok};
use super::{ENVIRONMENT, MACHINE, OwnApp, all, named};
use crate::apps::Access;
use crate::clock;
use crate::queue;

pub(in super::super) fn apps(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let with_endpoints = !visit.choices("expand", &["endpoints"])?.is_empty();
    let environment = visit
        .one("environment")
        .unwrap_or_else(|| ENVIRONMENT.into());
    let search = visit.one("search").unwrap_or_default();
    let row = |(id, app): (String, OwnApp)| {
        let mut row = json!({
            "endpoint_id": id,
            "name": app.alias(),
            "owner": app.account,
            "environment": ENVIRONMENT,
            "machine_type": MACHINE,
            "auth_mode": match app.access {
                Access::Public => "public",
                Access::Shared => "shared",
                Access::Private | Access::Own => "private",
            },
            "keep_alive": 10,
            "min_concurrency": 0,
            "max_concurrency": 10,
            "request_timeout": 3600,
            "startup_timeout": 600,
            "valid_regions": ["us-west"],
            "updated_at": clock::rfc3339(visit.state.clock.began()),
        });
        if with_endpoints {
            row["endpoints"] = json!(app.endpoints);
        }
        row
    };
    let found = all(visit)
        .into_iter()
        .filter(|(id, _)| environment == ENVIRONMENT && id.contains(&search));
    ok(&json!({ "apps": found.map(row).collect::<Vec<_>>() }))
}

pub(in super::super) fn queue(visit: &Visit<'_>) -> Result<Answer, Answer> {
    ok(&json!({ "queue_size": visit.state.queue.pending(&named(visit)?.name).len() }))
}

/// Ends the waiting requests. Running ones continue.
pub(in super::super) fn flush(visit: &Visit<'_>) -> Result<Answer, Answer> {
    queue::flush(visit.state, &named(visit)?.name);
    done()
}

/// The deployments of an app: days before the emulator's start, and the message of the deployment.
const REVISIONS: [(u64, Option<&str>); 3] = [
    (60, None),
    (10, Some("Faster startup")),
    (0, Some("First picture")),
];

/// How long events of deployments are kept, including their data about a revision.
const EVENTS_KEPT: u64 = 30 * DAY;

struct Revision {
    id: String,
    created: SystemTime,
    message: Option<&'static str>,
}

/// The revisions, oldest first. Their ids derive from the app's name, so that they are the same in
/// each run.
fn deployed(visit: &Visit<'_>, app: &OwnApp) -> Vec<Revision> {
    let began = visit.state.clock.began();
    let revision = |(number, (days, message)): (usize, &(u64, Option<&'static str>))| Revision {
        id: format!("{}-{}", app.alias(), number + 1),
        created: began
            .checked_sub(Duration::from_secs(days * DAY))
            .unwrap_or(SystemTime::UNIX_EPOCH),
        message: *message,
    };
    REVISIONS.iter().enumerate().map(revision).collect()
}

pub(super) fn current_revision(app: &str) -> String {
    format!(
        "{}-{}",
        app.rsplit('/').next().unwrap_or_default(),
        REVISIONS.len()
    )
}

pub(in super::super) fn revisions(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let app = named(visit)?;
    let mut all: Vec<(usize, Revision)> = deployed(visit, &app).into_iter().enumerate().collect();
    all.reverse();
    let mut page = paging::numbered(
        visit,
        "revisions",
        Limit::Checked(100),
        all,
        |(number, revision)| {
            let age = visit
                .now()
                .duration_since(revision.created)
                .unwrap_or_default();
            let recent = age.as_secs() < EVENTS_KEPT;
            json!({
                "revision_id": revision.id,
                "created_at": clock::rfc3339(revision.created),
                "is_current": number + 1 == REVISIONS.len(),
                "message": revision.message,
                "annotations": revision.message.map(|_| json!({ "source": "emulator" })),
                "status": recent.then_some("deployed"),
                "deployed_by": recent.then_some(&app.account),
            })
        },
    )?;
    page["endpoint_id"] = json!(app.name);
    ok(&page)
}

const CATEGORIES: &[&str] = &[
    "runner_started",
    "runner_failed",
    "runner_finished",
    "runner_pending",
    "runner_startup_failure",
    "runner_docker_pull",
    "runner_setup",
    "runner_draining",
    "runner_stopping",
    "deployment_started",
    "deployment_failed",
    "deployment_ended",
    "deployment_rolling_started",
    "deployment_rolling_failed",
    "deployment_rolling_ended",
    "deployment_recreate_applied",
    "config_changed",
];

pub(in super::super) fn events(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let app = named(visit)?;
    let categories = visit.choices("category", CATEGORIES)?;
    let window = Window::plain(visit, DAY, None)?;
    let mut all = happened(visit, &app);
    all.retain(|event| {
        window.holds(event.time)
            && (categories.is_empty() || categories.iter().any(|known| known == event.category))
    });
    all.sort_by_key(|event| std::cmp::Reverse(event.time));
    let mut page = paging::numbered(visit, "events", Limit::Checked(1000), all, |event| {
        json!({
            "event_id": event.id,
            "category": event.category,
            "created_at": clock::rfc3339_millis(event.time),
            "payload": event.payload,
        })
    })?;
    page["endpoint_id"] = json!(app.name);
    ok(&page)
}

struct Event {
    id: String,
    category: &'static str,
    time: SystemTime,
    payload: Value,
}

/// The deployments, and a runner for each request.
fn happened(visit: &Visit<'_>, app: &OwnApp) -> Vec<Event> {
    let mut events = Vec::new();
    let mut old: Option<String> = None;
    for revision in deployed(visit, app) {
        for category in ["deployment_started", "deployment_ended"] {
            let payload = json!({
                "new_application_id": revision.id, "old_application_id": old, "actor": { "nickname": app.account },
            });
            let id = format!("{}-{category}", revision.id);
            events.push(Event {
                id,
                category,
                time: revision.created,
                payload,
            });
        }
        old = Some(revision.id);
    }
    let mut records: Vec<Arc<_>> = visit.state.history.all();
    records.retain(|record| record.app == app.name);
    for record in records {
        let payload = json!({ "job_id": record.runner, "machine_type": MACHINE });
        let id = |category: &str| format!("{}-{category}", record.runner);
        let started = "runner_started";
        events.push(Event {
            id: id(started),
            category: started,
            time: record.started,
            payload: payload.clone(),
        });
        if let Some(time) = record.ended {
            let failed = record.group() == Some("error");
            let category = if failed {
                "runner_failed"
            } else {
                "runner_finished"
            };
            let mut payload = payload;
            if let Some(reason) = &record.error_type {
                payload["reason"] = json!(reason);
            }
            events.push(Event {
                id: id(category),
                category,
                time,
                payload,
            });
        }
    }
    events
}
