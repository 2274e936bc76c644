//! Endpoints from descriptions in the form that fal serves for each endpoint (docs/protocol.md
//! §3.6).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::answers::Answers;
use super::file::Mistake;
use super::schema::{Sample, Schema};
use super::{Access, Does, Endpoint};
use crate::prices::Price;

/// Reads a file of OpenAPI: one endpoint for each path that takes an input.
pub(crate) fn read(text: &str) -> Result<Vec<Endpoint>, Mistake> {
    let document: Value = serde_json::from_str(text).map_err(|error| {
        let (line, column, message) = (error.line(), error.column(), error.to_string());
        let place = format!(" at line {line} column {column}");
        Mistake {
            line,
            column,
            message: message.replace(&place, ""),
        }
    })?;
    let at_start = |message: String| Mistake {
        line: 1,
        column: 1,
        message,
    };
    let document = Arc::new(document);
    let mut endpoints = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let input = &item["post"]["requestBody"]["content"]["application/json"]["schema"];
        if !input.is_null() {
            let found = endpoint(&document, path, input);
            endpoints.push(found.map_err(|problem| at_start(format!("{path}: {problem}")))?);
        }
    }
    if endpoints.is_empty() {
        return Err(at_start(
            "no path has a POST with a schema of its JSON body".into(),
        ));
    }
    Ok(endpoints)
}

fn endpoint(document: &Arc<Value>, path: &str, input: &Value) -> Result<Endpoint, String> {
    let id = path.trim_matches('/');
    super::file::check_id(id)?;
    let info = &document["info"];
    let metadata = &info["x-fal-metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let category = text(&metadata["category"]);
    let of_queue = &document["paths"][format!("/{id}/requests/{{request_id}}")]["get"];
    let output = [of_queue, &document["paths"][path]["post"]]
        .into_iter()
        .map(|operation| &operation["responses"]["200"]["content"]["application/json"]["schema"])
        .find(|schema| !schema.is_null());
    let about = format!("{id} {category}");
    let answers = Answers {
        input: Some(Schema::new(input, document)?),
        sample: output
            .map(|schema| Sample::new(schema, document, &about))
            .transpose()?,
        ..Answers::default()
    };
    let title = text(&info["title"]);
    let title = title.strip_prefix("Queue OpenAPI for ").unwrap_or(&title);
    Ok(Endpoint {
        id: id.to_owned(),
        title: if title.is_empty() { id } else { title }.to_owned(),
        category,
        description: text(&info["description"]),
        access: Access::default(),
        account: None,
        price: Price::default(),
        defaults: Map::new(),
        openapi: Some(Arc::clone(document)),
        does: Does::Answers(Box::new(answers)),
    })
}
