//! The lineage of an asset: the request that made it, the inputs of that request, and their
//! lineage.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::visit::Visit;
use super::super::{Answer, ok};
use super::browse::mentions;
use super::library::{Asset, Shelf, links};
use super::{named, shelf};
use crate::clock;

/// The nodes and edges found so far.
#[derive(Default)]
struct Graph {
    nodes: Vec<Value>,
    edges: Vec<Value>,
    known: BTreeSet<String>,
}

pub(in super::super) fn lineage(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let depth = visit.integer("depth", 1, 5)?.unwrap_or(5);
    shelf(visit, |shelf| {
        let asset = named(shelf, visit.part("asset_id"))?.clone();
        let mut graph = Graph::default();
        graph.add_asset(visit, shelf, &asset, depth);
        ok(
            &json!({ "lineage": { "focus": node_id(&asset), "nodes": graph.nodes, "edges": graph.edges } }),
        )
    })
}

fn node_id(asset: &Asset) -> String {
    format!("asset:{}", asset.id)
}

impl Graph {
    /// Returns false if the node is already known.
    fn add(&mut self, id: &str, node: Value) -> bool {
        let new = self.known.insert(id.to_owned());
        if new {
            self.nodes.push(node);
        }
        new
    }

    fn join(
        &mut self,
        from: &str,
        to: &str,
        kind: &str,
        role: Option<&str>,
        entities: Option<Value>,
    ) {
        let mut edge = json!({ "from": from, "to": to, "kind": kind, "role": role });
        if let Some(entities) = entities {
            edge["entities"] = entities;
        }
        self.edges.push(edge);
    }

    fn add_asset(&mut self, visit: &Visit<'_>, shelf: &Shelf, asset: &Asset, depth: u64) {
        let id = node_id(asset);
        let node = json!({
            "kind": "asset", "id": id, "output_key": asset.url, "url": (!asset.buried).then_some(&asset.url),
            "type": asset.kind.name(), "request_id": asset.request_id.clone().unwrap_or_default(),
            "asset_id": asset.id, "tombstone": asset.buried,
        });
        let (true, Some(request_id)) = (self.add(&id, node) && depth > 0, &asset.request_id) else {
            return;
        };
        let record = visit.state.history.find(request_id);
        let request = format!("request:{request_id}");
        let node = json!({
            "kind": "request", "id": request, "request_id": request_id, "endpoint": asset.endpoint,
            "prompt": asset.prompt, "created_at": record.as_ref().map(|record| clock::rfc3339_millis(record.sent)),
        });
        let new = self.add(&request, node);
        self.join(&request, &id, "generated_by", None, None);
        if !new {
            return;
        }
        self.add_characters(shelf, asset, &request);
        for (field, url) in record
            .map(|record| inputs(&record.json_input()))
            .unwrap_or_default()
        {
            let role = match field.as_str() {
                name if name.contains("mask") => "mask",
                name if name.contains("control") => "control",
                name if name.contains("reference") => "content_ref",
                _ => "source",
            };
            let source = shelf.assets.iter().find(|known| known.url == url);
            let from = source.map_or_else(|| format!("input:{url}"), node_id);
            match source {
                Some(source) => self.add_asset(visit, shelf, source, depth - 1),
                None => {
                    let node = json!({ "kind": "external_input", "id": from, "output_key": url, "url": url });
                    self.add(&from, node);
                }
            }
            self.join(&from, &request, "input_to", Some(role), None);
        }
    }

    /// Adds the characters whose handle the prompt names.
    fn add_characters(&mut self, shelf: &Shelf, asset: &Asset, request: &str) {
        for known in &shelf.collections {
            let (Some((handle, _)), Some(prompt)) = (&known.character, &asset.prompt) else {
                continue;
            };
            if mentions(prompt, handle) {
                let id = format!("entity:{}", known.id);
                let entity = json!({
                    "entity_id": known.id, "entity_type": "character", "name": known.name, "handle": handle,
                });
                let mut node = entity.clone();
                node["kind"] = json!("entity");
                node["id"] = json!(id);
                node["tombstone"] = json!(false);
                self.add(&id, node);
                self.join(
                    &id,
                    request,
                    "referenced_entity",
                    None,
                    Some(json!([entity])),
                );
            }
        }
    }
}

/// The URLs in an input, each with its field.
fn inputs(input: &Value) -> Vec<(String, String)> {
    let Value::Object(members) = input else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (field, value) in members {
        let mut urls = links(value);
        if let Some(text) = value
            .as_str()
            .filter(|text| text.starts_with("http") && !urls.contains(&(*text).to_owned()))
        {
            urls.push(text.to_owned());
        }
        found.extend(urls.into_iter().map(|url| (field.clone(), url)));
    }
    found
}
