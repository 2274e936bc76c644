//! The input and output of an endpoint as OpenAPI (docs/protocol.md §3.6), and its `llms.txt`: at
//! `fal.ai`, without a key.

use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::models::catalogue;
use crate::answer::Answer;
use crate::apps::Endpoint;
use crate::body::Payload;
use crate::server::Request;
use crate::state::State;

pub(crate) fn handle(state: &State, request: &Request) -> Option<Answer> {
    let described = |id: &str| catalogue(state).into_iter().find(|model| model.id == id);
    let answer = if request.path == "/api/openapi/queue/openapi.json" {
        let id = request
            .query_pairs()
            .find(|(name, _)| name == "endpoint_id")
            .map(|(_, id)| id.into_owned());
        let model = described(&id.unwrap_or_default());
        model.map_or_else(
            || Answer::json(StatusCode::NOT_FOUND, &Value::Null),
            |model| Answer::json(StatusCode::OK, &document(&model)),
        )
    } else {
        let id = request
            .path
            .strip_prefix("/models/")?
            .strip_suffix("/llms.txt")?;
        let text = llms(&*described(id)?);
        let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
        Answer::payload(StatusCode::OK, content_type, Payload::Bytes(text.into()))
    };
    (request.method == Method::GET).then_some(answer)
}

fn llms(model: &Endpoint) -> String {
    let (id, name, description) = (&model.id, &model.title, &model.description);
    format!(
        "# {name}\n\n> {description}\n\n- Endpoint: https://fal.run/{id}\n- Model id: {id}\n- Category: {}\n",
        model.category
    )
}

/// The schemas of an input and an output.
fn schemas(model: &Endpoint) -> (Value, Value) {
    let any = json!({ "type": "object", "additionalProperties": true });
    if let Some(input) = model.input() {
        let mut input = input.clone();
        if let Value::Object(members) = &mut input {
            members.entry("type").or_insert(json!("object"));
        }
        return (input, any);
    }
    if model.category != "text-to-image" {
        return (any.clone(), any);
    }
    let input = json!({
        "type": "object",
        "required": ["prompt"],
        "x-fal-order-properties": ["prompt", "seed", "image_size", "num_images", "sync_mode"],
        "properties": {
            "prompt": { "type": "string" },
            "seed": { "type": "integer" },
            "image_size": { "anyOf": [{ "type": "string" }, {
                "type": "object",
                "properties": { "width": { "type": "integer" }, "height": { "type": "integer" } },
            }] },
            "num_images": { "type": "integer", "minimum": 1, "maximum": 4, "default": 1 },
            "sync_mode": { "type": "boolean", "default": false },
        },
    });
    let output = json!({
        "type": "object",
        "required": ["images", "seed", "prompt"],
        "x-fal-order-properties": ["images", "timings", "seed", "has_nsfw_concepts", "prompt"],
        "properties": {
            "images": { "type": "array", "items": { "$ref": "#/components/schemas/Image" } },
            "timings": { "type": "object" },
            "seed": { "type": "integer" },
            "has_nsfw_concepts": { "type": "array", "items": { "type": "boolean" } },
            "prompt": { "type": "string" },
        },
    });
    (input, output)
}

pub(super) fn document(model: &Endpoint) -> Value {
    if let Some(given) = &model.openapi {
        return Value::clone(given);
    }
    let (id, (mut input, output)) = (&model.id, schemas(model));
    let own = input
        .as_object_mut()
        .and_then(|all| all.remove("components"));
    let answer = |schema: &str| {
        let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
        json!({ "200": { "description": "OK", "content": { "application/json": { "schema": schema } } } })
    };
    let request_id = json!({ "name": "request_id", "in": "path", "required": true, "schema": { "type": "string" } });
    let logs =
        json!({ "name": "logs", "in": "query", "required": false, "schema": { "type": "number" } });
    let success = json!({ "type": "object", "properties": { "success": { "type": "boolean" } } });
    let mut document = json!({
        "openapi": "3.0.4",
        "info": {
            "title": format!("Queue OpenAPI for {id}"),
            "version": "1.0.0",
            "description": model.description,
            "x-fal-metadata": {
                "endpointId": id,
                "category": model.category,
                "thumbnailUrl": super::models::thumbnail(model),
                "playgroundUrl": format!("https://fal.ai/models/{id}"),
                "documentationUrl": format!("https://fal.ai/models/{id}/api"),
            },
        },
        "servers": [{ "url": "https://queue.fal.run" }],
        "security": [{ "apiKeyAuth": [] }],
        "components": {
            "securitySchemes": { "apiKeyAuth": {
                "type": "apiKey", "in": "header", "name": "Authorization", "description": "Fal Key",
            } },
            "schemas": {
                "QueueStatus": {
                    "type": "object",
                    "required": ["status", "request_id"],
                    "properties": {
                        "status": { "type": "string", "enum": ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"] },
                        "request_id": { "type": "string" },
                        "response_url": { "type": "string" },
                        "status_url": { "type": "string" },
                        "cancel_url": { "type": "string" },
                        "logs": { "type": "object" },
                        "metrics": { "type": "object" },
                        "queue_position": { "type": "integer" },
                    },
                },
                "Cancelled": success,
                "Image": {
                    "type": "object",
                    "required": ["url"],
                    "properties": {
                        "url": { "type": "string" },
                        "content_type": { "type": "string" },
                        "width": { "type": "integer" },
                        "height": { "type": "integer" },
                    },
                },
                "ModelInput": input,
                "ModelOutput": output,
            },
        },
        "paths": {
            (format!("/{id}")): { "post": {
                "requestBody": { "required": true, "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/ModelInput" },
                } } },
                "responses": answer("QueueStatus"),
            } },
            (format!("/{id}/requests/{{request_id}}/status")): { "get": {
                "parameters": [request_id, logs], "responses": answer("QueueStatus"),
            } },
            (format!("/{id}/requests/{{request_id}}/cancel")): { "put": {
                "parameters": [request_id], "responses": answer("Cancelled"),
            } },
            (format!("/{id}/requests/{{request_id}}")): { "get": {
                "parameters": [request_id], "responses": answer("ModelOutput"),
            } },
        },
    });
    // What the references of the input name.
    if let (Some(Value::Object(own)), Value::Object(all)) = (
        own.map(|mut own| own["schemas"].take()),
        &mut document["components"]["schemas"],
    ) {
        all.extend(own);
    }
    document
}
