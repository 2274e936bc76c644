//! Runs stored workflows (docs/protocol.md §3.5).

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::answer::Answer;
use crate::apps::Call;
use crate::arrivals::Entry;
use crate::body::Payload;
use crate::gateway;
use crate::history::{Begun, History};
use crate::input;
use crate::keys::Caller;
use crate::server::Request;
use crate::sse::{self, Style};
use crate::state::State;

/// Runs the workflow of an app: as a request, or at `/stream` with its events.
pub(crate) fn play(call: &Call<'_>) -> Result<Player, Answer> {
    let streamed = match call.path() {
        "" => false,
        "stream" => true,
        _ => return Err(call.path_not_found()),
    };
    call.post()?;
    let input = Value::Object(input::object(call.request)?);
    let contents = call
        .state
        .platform
        .workflows
        .contents(&call.app.id)
        .ok_or_else(|| call.path_not_found())?;
    call.started();
    Ok(Player {
        state: Arc::clone(call.state),
        caller: call.caller.clone(),
        entry: call.entry.for_later(),
        contents,
        values: BTreeMap::from([("input".into(), input)]),
        streamed,
    })
}

/// A running workflow.
pub(crate) struct Player {
    state: Arc<State>,
    caller: Option<Caller>,
    entry: Entry,
    contents: Value,
    /// The input, and the outputs of the nodes by their ids.
    values: BTreeMap<String, Value>,
    streamed: bool,
}

impl Player {
    /// Boxed, because the future of an app's run contains this one, which contains the runs of
    /// apps.
    pub(crate) fn answer(mut self) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        Box::pin(async move {
            if self.streamed {
                let (sender, receiver) = mpsc::channel(16);
                tokio::spawn(async move {
                    // The failure has been sent as an event.
                    let _ = self
                        .run(&Events {
                            sender: Some(sender),
                        })
                        .await;
                });
                let answer = Answer::payload(
                    StatusCode::OK,
                    sse::content_type(),
                    Payload::Stream(receiver),
                );
                return answer.billable_units(0);
            }
            let (status, body) = match self.run(&Events { sender: None }).await {
                Ok(output) => (StatusCode::OK, output),
                Err(failure) => failure,
            };
            Answer::json(status, &body).billable_units(0)
        })
    }

    async fn run(&mut self, events: &Events) -> Result<Value, (StatusCode, Value)> {
        let nodes = self.contents["nodes"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let mut left: Vec<(String, Value)> = nodes.into_iter().collect();
        while !left.is_empty() {
            let ready = left
                .iter()
                .position(|(_, node)| needs(node).iter().all(|id| self.values.contains_key(id)));
            let Some(ready) = ready else {
                let body = json!({ "detail": "These nodes depend on each other or on a node that does not exist" });
                let error = (StatusCode::UNPROCESSABLE_ENTITY, body);
                events.failed(&left[0].0, "", &error).await;
                return Err(error);
            };
            let (id, node) = left.remove(ready);
            let value = self.node(&id, &node, events).await?;
            self.values.insert(id, value);
        }
        let output = self.resolved(&self.contents["output"]);
        events
            .tell(&json!({ "type": "output", "output": output }))
            .await;
        Ok(output)
    }

    async fn node(
        &mut self,
        id: &str,
        node: &Value,
        events: &Events,
    ) -> Result<Value, (StatusCode, Value)> {
        let input = self.resolved(&node["input"]);
        let Some(endpoint) = node["app"].as_str() else {
            return Ok(input);
        };
        let request_id = Uuid::new_v4().to_string();
        events.tell(&json!({ "type": "submit", "node_id": id, "app_id": endpoint, "request_id": request_id })).await;
        let (status, body) = self.call(endpoint, &input, &request_id).await;
        if !status.is_success() {
            let error = (status, body);
            events.failed(id, &request_id, &error).await;
            return Err(error);
        }
        events
            .tell(
                &json!({ "type": "completion", "node_id": id, "app_id": endpoint, "output": body }),
            )
            .await;
        Ok(body)
    }

    /// One request to an app on behalf of the workflow's caller.
    async fn call(&self, endpoint: &str, input: &Value, request_id: &str) -> (StatusCode, Value) {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let request = Request {
            method: Method::POST,
            path: format!("/{endpoint}"),
            query: None,
            headers,
            body: input.to_string().into(),
            upload: None,
        };
        let found = gateway::find_app(&self.state, &request.path, &request.headers);
        let admitted = found.and_then(|app| {
            gateway::admit(&app, self.caller.as_ref(), &self.state.settings())?;
            Ok(app)
        });
        let app = match admitted {
            // A workflow that calls itself would never end.
            Ok(app) if app.is_workflow() => {
                let detail = json!({ "detail": "A workflow cannot be a node of another" });
                return (StatusCode::UNPROCESSABLE_ENTITY, detail);
            }
            Ok(app) => app,
            Err(refusal) => return read_whole(refusal).await,
        };
        let now = self.state.clock.now();
        let begun = Begun {
            request_id,
            app: &app,
            caller: self.caller.as_ref(),
            method: "POST",
            sent: now,
            input: &request.body,
            store: true,
            startup: std::time::Duration::ZERO,
        };
        let mut running = History::begin(&self.state, begun);
        let call = Call {
            state: &self.state,
            request: &request,
            request_id,
            app: &app,
            caller: self.caller.clone(),
            entry: &self.entry,
            job: None,
            tape: None,
        };
        let mut answer = call.run().await;
        answer.payload = answer.payload.kept().await;
        running.answered(&answer);
        drop(running);
        read_whole(answer).await
    }

    /// The value with its references replaced by the values they name.
    fn resolved(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                reference(text).map_or_else(|| value.clone(), |path| self.lookup(&path))
            }
            Value::Array(values) => values.iter().map(|value| self.resolved(value)).collect(),
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| (name.clone(), self.resolved(value)));
                Value::Object(members.collect::<Map<String, Value>>())
            }
            _ => value.clone(),
        }
    }

    fn lookup(&self, path: &[&str]) -> Value {
        let Some((first, rest)) = path.split_first() else {
            return Value::Null;
        };
        let mut value = self.values.get(*first);
        for segment in rest {
            value = value.and_then(|value| match value {
                Value::Array(values) => values.get(segment.parse::<usize>().ok()?),
                _ => value.get(*segment),
            });
        }
        value.cloned().unwrap_or_default()
    }
}

/// The segments of `$input.x` or `$node.path.0`.
fn reference(text: &str) -> Option<Vec<&str>> {
    text.strip_prefix('$').map(|path| path.split('.').collect())
}

/// The nodes that a node depends on.
fn needs(node: &Value) -> Vec<String> {
    let mut needed: Vec<String> = Vec::new();
    fn collect(value: &Value, needed: &mut Vec<String>) {
        match value {
            Value::String(text) => {
                needed.extend(
                    reference(text).and_then(|path| path.first().map(|first| (*first).to_owned())),
                );
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, needed)),
            Value::Object(members) => members.values().for_each(|value| collect(value, needed)),
            _ => {}
        }
    }
    collect(&node["input"], &mut needed);
    needed.extend(
        node["depends"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned),
    );
    needed
}

async fn read_whole(answer: Answer) -> (StatusCode, Value) {
    let status = answer.status;
    let bytes = match answer.payload.kept().await {
        Payload::Bytes(bytes) => bytes,
        _ => Bytes::new(),
    };
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// Sends the events of a run if the client streams it.
struct Events {
    sender: Option<mpsc::Sender<Bytes>>,
}

impl Events {
    async fn tell(&self, event: &Value) {
        if let Some(sender) = &self.sender {
            // The client may have disconnected; the nodes run all the same.
            let _ = sender
                .send(Style::default().write(1, &event.to_string()))
                .await;
        }
    }

    async fn failed(&self, node: &str, request_id: &str, (status, body): &(StatusCode, Value)) {
        let message = format!("Error while fetching the result of the request {request_id}");
        let error = json!({ "status": status.as_u16(), "body": body });
        self.tell(&json!({ "type": "error", "node_id": node, "message": message, "error": error }))
            .await;
    }
}
