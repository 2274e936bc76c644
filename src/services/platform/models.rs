//! Models, and past requests to them (docs/protocol.md §14.5).

use serde_json::{Value, json};

use super::fields::{Decimal, Fields};
use super::list::List;
use crate::client::Client;
use crate::error::{Code, Error, Result};

/// A model endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Model {
    /// The endpoint id.
    pub endpoint_id: String,
    /// The name for people. fal knows this and the following fields only for endpoints in its
    /// registry.
    pub display_name: Option<String>,
    /// The category, such as `text-to-image`.
    pub category: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The status: `active` or `deprecated`.
    pub status: Option<String>,
    /// The tags.
    pub tags: Vec<String>,
    /// When the model was last changed, as fal wrote it.
    pub updated_at: Option<String>,
    /// The member `metadata` as JSON, with everything else that fal states about the model.
    pub metadata: Option<String>,
    /// The OpenAPI description as JSON, if `expand` has `openapi-3.0`.
    pub openapi: Option<String>,
}

/// A past request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PastRequest {
    /// fal's id of the request.
    pub request_id: String,
    /// The endpoint.
    pub endpoint_id: String,
    /// When the request arrived, as fal wrote it.
    pub sent_at: String,
    /// When the request started.
    pub started_at: String,
    /// When the request ended, if it has ended.
    pub ended_at: Option<String>,
    /// The HTTP status of the result.
    pub status_code: Option<u64>,
    /// The duration in seconds.
    pub duration: Option<Decimal>,
    /// The input as JSON, if `expand` has `payloads`.
    pub input: Option<String>,
    /// The output as JSON, if `expand` has `payloads`.
    pub output: Option<String>,
}

impl Client {
    /// Lists all models, those that match `q`, `category` or `status`, or those in `endpoint_id`.
    /// The parameters are those of `models.list`. It needs no key.
    pub fn models(&self, params: Value) -> Result<List<Model>> {
        List::start(self, "models.list", params, model)
    }

    /// Returns a model by its endpoint id. Fails with [`Code::NotFound`] if fal lists no such
    /// model.
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

    /// Lists the past requests to these endpoints, the newest first. The other parameters are those
    /// of `models.requests.by_endpoint`.
    pub fn requests(&self, endpoint_ids: &[&str], mut params: Value) -> Result<List<PastRequest>> {
        if params.is_null() {
            params = json!({});
        }
        let given = params
            .as_object_mut()
            .ok_or_else(|| Error::invalid("the parameters must be a JSON object"))?;
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
