//! `GET /v1/models` (fal-protocol.md §14.5): the emulator's own models, with or without a key.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{error, invalid, many, one, paging};
use crate::answer::Answer;
use crate::apps::{APPS, Access, Endpoint};
use crate::server::Request;

const UPDATED: &str = "2026-01-01T00:00:00Z";

pub(super) fn list(with_key: bool, request: &Request) -> Result<Answer, Answer> {
    let wanted = many(request, "endpoint_id")?;
    let expand = many(request, "expand")?;
    if let Some(unknown) = expand.iter().find(|value| !matches!(value.as_str(), "openapi-3.0" | "enterprise_status")) {
        return Err(invalid(&format!("expand: {unknown} is not known")));
    }
    let filter = Filter::read(request)?;
    let found: Vec<(u64, &Endpoint)> = (1..)
        .zip(catalogue())
        .filter(|(_, model)| wanted.is_empty() || wanted.iter().any(|id| id == model.id))
        .collect();
    if found.is_empty() {
        let status = StatusCode::NOT_FOUND;
        return Err(error(status, "not_found", "Resource not found"));
    }
    let rows = found
        .into_iter()
        .filter(|(_, model)| filter.passes(model))
        .map(|(ordinal, model)| (ordinal, row(model, with_key, &expand)));
    let page = paging::page(request, "models", rows)?;
    Ok(Answer::json(StatusCode::OK, &page))
}

/// Private apps are nobody's business.
fn catalogue() -> impl Iterator<Item = &'static Endpoint> {
    APPS.iter().filter(|app| app.access != Access::Private).flat_map(|app| app.endpoints)
}

struct Filter {
    text: Option<String>,
    category: Option<String>,
    deprecated: bool,
}

impl Filter {
    fn read(request: &Request) -> Result<Self, Answer> {
        let deprecated = match one(request, "status").as_deref() {
            None | Some("active") => false,
            Some("deprecated") => true,
            Some(_) => return Err(invalid("status: active or deprecated is expected")),
        };
        Ok(Self {
            text: one(request, "q").map(|text| text.to_lowercase()),
            category: one(request, "category"),
            deprecated,
        })
    }

    fn passes(&self, model: &Endpoint) -> bool {
        let says = |text: &str| {
            [model.id, model.name, model.description].iter().any(|field| field.to_lowercase().contains(text))
        };
        !self.deprecated
            && self.text.as_deref().is_none_or(says)
            && self.category.as_deref().is_none_or(|category| category == model.category)
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
            "thumbnail_url": format!("https://v3b.fal.media/files/b/thumbnails/{}.png", model.id.replace('/', "-")),
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
            _ => {
                row["openapi"] = json!({ "error": {
                    "code": "expansion_failed",
                    "message": "The emulator describes no schemas",
                } });
            }
        }
    }
    row
}
