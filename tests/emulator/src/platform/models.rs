//! `GET /v1/models` (docs/protocol.md §14.5): the emulator's own models, with or without a key.

use serde_json::{Value, json};

use super::paging::{self, USUAL};
use super::visit::Visit;
use super::{not_found, ok, openapi};
use crate::answer::Answer;
use crate::apps::{APPS, Access, Endpoint};

const UPDATED: &str = "2026-01-01T00:00:00Z";

pub(super) fn list(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let wanted = visit.many("endpoint_id")?;
    let expand = visit.choices("expand", &["openapi-3.0", "enterprise_status"])?;
    let filter = Filter::read(visit)?;
    let found: Vec<(u64, &Endpoint)> = (1..)
        .zip(catalogue())
        .filter(|(_, model)| wanted.is_empty() || wanted.iter().any(|id| id == model.id))
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
    let own = APPS
        .iter()
        .filter(|app| app.owner == visit.account())
        .flat_map(|app| app.endpoints);
    let known = catalogue().chain(own).any(|model| model.id == id);
    (known || visit.state.platform.workflows.knows(id, visit.account())).then_some(())
}

/// All endpoints except those of private apps.
pub(super) fn catalogue() -> impl Iterator<Item = &'static Endpoint> {
    APPS.iter()
        .filter(|app| app.access != Access::Private)
        .flat_map(|app| app.endpoints)
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
            [model.id, model.name, model.description]
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
            "display_name": model.name,
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
