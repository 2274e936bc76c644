//! Models, and the requests that were made of them (docs/protocol.md §14.5).

use serde_json::{Value, json};

use super::fields::{Decimal, Fields};
use super::list::List;
use crate::client::Client;
use crate::error::{Code, Error, Result};

/// A model endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Model {
    /// What to call it by.
    pub endpoint_id: String,
    /// What people call it. This and what follows is unknown of an endpoint that is not in the
    /// registry.
    pub display_name: Option<String>,
    /// Such as `text-to-image`.
    pub category: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// `active` or `deprecated`.
    pub status: Option<String>,
    /// More words about it.
    pub tags: Vec<String>,
    /// When it was changed last, as fal wrote it.
    pub updated_at: Option<String>,
    /// Everything that fal tells of it besides, as JSON: the member `metadata`.
    pub metadata: Option<String>,
    /// Its OpenAPI description as JSON, if `expand` asked for `openapi-3.0`.
    pub openapi: Option<String>,
}

/// A request that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PastRequest {
    /// fal's id of it.
    pub request_id: String,
    /// What was called.
    pub endpoint_id: String,
    /// When it arrived, as fal wrote it.
    pub sent_at: String,
    /// When it was begun.
    pub started_at: String,
    /// When it ended, if it has.
    pub ended_at: Option<String>,
    /// The HTTP status of its result.
    pub status_code: Option<u64>,
    /// How long it took, in seconds.
    pub duration: Option<Decimal>,
    /// Its input as JSON, if `expand` asked for `payloads`.
    pub input: Option<String>,
    /// Its output, likewise.
    pub output: Option<String>,
}

impl Client {
    /// Models: all of them, those that `q`, `category` or `status` find, or those of `endpoint_id`.
    /// The parameters are those of `models.list`. It needs no key.
    pub fn models(&self, params: Value) -> Result<List<Model>> {
        List::start(self, "models.list", params, model)
    }

    /// One model, by its endpoint id. [`Code::NotFound`] if there is none.
    pub async fn model(&self, endpoint_id: &str) -> Result<Model> {
        let found = self
            .models(json!({ "endpoint_id": [endpoint_id] }))?
            .next_item()
            .await;
        found.unwrap_or_else(|| {
            Err(Error::new(
                Code::NotFound,
                format!("fal lists no model {endpoint_id:?}"),
            ))
        })
    }

    /// The requests that were made of these endpoints, the last first. The other parameters are
    /// those of `models.requests.by_endpoint`.
    pub fn requests(&self, endpoint_ids: &[&str], mut params: Value) -> Result<List<PastRequest>> {
        if params.is_null() {
            params = json!({});
        }
        let given = params
            .as_object_mut()
            .ok_or_else(|| Error::invalid("the parameters are not a JSON object"))?;
        given.insert("endpoint_id".into(), json!(endpoint_ids));
        List::start(self, "models.requests.by_endpoint", params, request)
    }
}

fn model(fields: &Fields<'_>) -> Result<Model> {
    let metadata = fields.maybe_object("metadata")?;
    let text = |name: &str| {
        metadata
            .as_ref()
            .map_or(Ok(None), |metadata| metadata.maybe_text(name))
    };
    Ok(Model {
        endpoint_id: fields.text("endpoint_id")?,
        display_name: text("display_name")?,
        category: text("category")?,
        description: text("description")?,
        status: text("status")?,
        tags: metadata
            .as_ref()
            .map_or(Ok(Vec::new()), |metadata| metadata.texts("tags"))?,
        updated_at: text("updated_at")?,
        metadata: fields.json("metadata"),
        openapi: fields.json("openapi"),
    })
}

fn request(fields: &Fields<'_>) -> Result<PastRequest> {
    Ok(PastRequest {
        request_id: fields.text("request_id")?,
        endpoint_id: fields.text("endpoint_id")?,
        sent_at: fields.text("sent_at")?,
        started_at: fields.text("started_at")?,
        ended_at: fields.maybe_text("ended_at")?,
        status_code: fields.maybe_integer("status_code")?,
        duration: fields.maybe_decimal("duration")?,
        input: fields.json("json_input"),
        output: fields.json("json_output"),
    })
}
