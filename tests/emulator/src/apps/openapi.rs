//! Endpoints from descriptions in the form that fal serves for each endpoint (docs/protocol.md
//! §3.6).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::answers::Answers;
use super::file::Mistake;
use super::schema::{Sample, Schema, Wrong};
use super::{Access, Does, Endpoint, place};
use crate::prices::Price;

/// Reads a file of OpenAPI: one endpoint for each path that takes an input.
pub(crate) fn read(text: &str) -> Result<Vec<Endpoint>, Mistake> {
    let document: Value = serde_json::from_str(text).map_err(Mistake::of_json)?;
    let document = Arc::new(document);
    let mut endpoints = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let input = &item["post"]["requestBody"]["content"]["application/json"]["schema"];
        if !input.is_null() {
            let found = endpoint(&document, path, input);
            endpoints.push(found.map_err(|(pointer, problem)| {
                Mistake::at_pointer(text, &pointer, &format!("{path}: {problem}"))
            })?);
        }
    }
    if endpoints.is_empty() {
        let message = "no path has a POST with a schema of its JSON body";
        return Err(Mistake::at_pointer(text, "/paths", message));
    }
    Ok(endpoints)
}

/// An endpoint, or the place of a mistake as a JSON pointer and what it is.
fn endpoint(
    document: &Arc<Value>,
    path: &str,
    input: &Value,
) -> Result<Endpoint, (String, String)> {
    let id = path.trim_matches('/');
    let item = |path: &str| format!("/paths/{}", place::escaped(path));
    super::file::check_id(id).map_err(|message| (item(path), message))?;
    let info = &document["info"];
    let metadata = &info["x-fal-metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let category = text(&metadata["category"]);
    const JSON: &str = "content/application~1json/schema";
    let in_queue = item(&format!("/{id}/requests/{{request_id}}"));
    let output = [format!("{in_queue}/get"), format!("{}/post", item(path))]
        .map(|operation| format!("{operation}/responses/200/{JSON}"))
        .into_iter()
        .find_map(|pointer| Some((document.pointer(&pointer)?, pointer)));
    let at = |schema: &str, wrong: Wrong| (wrong.pointer(schema), wrong.message);
    let of_input = format!("{}/post/requestBody/{JSON}", item(path));
    let about = format!("{id} {category}");
    let answers = Answers {
        input: Some(Schema::new(input, document).map_err(|wrong| at(&of_input, wrong))?),
        sample: output
            .map(|(schema, pointer)| {
                Sample::new(schema, document, &about).map_err(|wrong| at(&pointer, wrong))
            })
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
