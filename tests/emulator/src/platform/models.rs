//! `GET /v1/models` (docs/protocol.md §14.5): the emulator's own models, with or without a key.

use std::sync::Arc;

use serde_json::{Value, json};

use super::paging::{self, USUAL};
use super::visit::Visit;
use super::{not_found, ok, openapi};
use crate::answer::Answer;
use crate::apps::{Access, Endpoint};
use crate::state::State;

const UPDATED: &str = "2026-01-01T00:00:00Z";

pub(super) fn list(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let wanted = visit.many("endpoint_id")?;
    let expand = visit.choices("expand", &["openapi-3.0", "enterprise_status"])?;
    let filter = Filter::read(visit)?;
    let catalogue = catalogue(visit.state);
    let found: Vec<(u64, &Arc<Endpoint>)> = (1..)
        .zip(&catalogue)
        .filter(|(_, model)| wanted.is_empty() || wanted.iter().any(|id| *id == model.id))
        .collect();
    if found.is_empty() {
        return Err(not_found("Resource not found"));
    }
    let rows = found.into_iter().filter(|(_, model)| filter.passes(model));
    let with_key = visit.caller.is_some();
    ok(&paging::page(visit, "models", USUAL, rows, |model| {
        row(model, with_key, &expand)
    })?)
}

/// `Some` if the caller may see the endpoint.
pub(super) fn endpoint(visit: &Visit<'_>, id: &str) -> Option<()> {
    let own = |model: &Endpoint| model.account() == visit.account();
    let known = visit
        .state
        .apps
        .all()
        .iter()
        .any(|model| model.id == id && (model.access != Access::Private || own(model)));
    (known || visit.state.platform.workflows.knows(id, visit.account())).then_some(())
}

/// All endpoints except private ones and patterns.
pub(super) fn catalogue(state: &State) -> Vec<Arc<Endpoint>> {
    let mut all = Vec::clone(&state.apps.all());
    all.retain(|model| model.access != Access::Private && !model.is_pattern());
    all
}

struct Filter {
    text: Option<String>,
    category: Option<String>,
    deprecated: bool,
}

impl Filter {
    fn read(visit: &Visit<'_>) -> Result<Self, Answer> {
        Ok(Self {
            text: visit.one("q").map(|text| text.to_lowercase()),
            category: visit.one("category"),
            deprecated: visit.choice("status", &["active", "deprecated"])? == Some("deprecated"),
        })
    }

    fn passes(&self, model: &Endpoint) -> bool {
        let says = |text: &str| {
            [&model.id, &model.title, &model.description]
                .iter()
                .any(|field| field.to_lowercase().contains(text))
        };
        !self.deprecated
            && self.text.as_deref().is_none_or(says)
            && self
                .category
                .as_deref()
                .is_none_or(|category| category == model.category)
    }
}

fn row(model: &Endpoint, with_key: bool, expand: &[String]) -> Value {
    let mut row = json!({
        "endpoint_id": model.id,
        "metadata": {
            "display_name": model.title,
            "category": model.category,
            "description": model.description,
            "status": "active",
            "tags": [],
            "updated_at": UPDATED,
            "is_favorited": with_key.then_some(false),
            "thumbnail_url": thumbnail(model),
            "model_url": format!("https://fal.run/{}", model.id),
            "date": UPDATED,
            "highlighted": false,
            "kind": "inference",
            "pinned": false,
        },
    });
    for expansion in expand {
        match expansion.as_str() {
            "enterprise_status" => row["enterprise_status"] = json!("ready"),
            _ => row["openapi"] = openapi::document(model),
        }
    }
    row
}

pub(super) fn thumbnail(model: &Endpoint) -> String {
    format!(
        "https://v3b.fal.media/files/b/thumbnails/{}.png",
        model.id.replace('/', "-")
    )
}
