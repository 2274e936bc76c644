//! `/v1/workflows` and how a stored workflow runs (fal-protocol.md §3.5, §14.6).

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::fields::{Fields, wrong};
use super::paging::{self, USUAL};
use super::visit::Visit;
use super::{created, invalid, not_found, ok};
use crate::answer::Answer;
use crate::apps::{App, Call};
use crate::arrivals::Entry;
use crate::body::Payload;
use crate::clock;
use crate::gateway;
use crate::history::{Begun, History};
use crate::input;
use crate::keys::Caller;
use crate::server::Request;
use crate::sse::{self, Style};
use crate::state::State;

struct Workflow {
    ordinal: u64,
    name: String,
    title: String,
    account: String,
    created: SystemTime,
    public: bool,
    contents: Value,
    /// What the gateway finds under its name.
    app: &'static App,
}

impl Workflow {
    fn nodes(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.contents["nodes"].as_object().into_iter().flatten()
    }

    fn endpoints(&self) -> Vec<&str> {
        self.nodes().filter_map(|(_, node)| node["app"].as_str()).collect()
    }

    fn detail(&self) -> Value {
        json!({
            "name": self.name,
            "title": self.title,
            "user_nickname": self.account,
            "created_at": clock::rfc3339(self.created),
            "is_public": self.public,
            "contents": self.contents,
        })
    }
}

/// The workflows of all accounts, oldest first.
#[derive(Default)]
pub(super) struct Workflows(Mutex<Vec<Workflow>>);

impl Workflows {
    fn all(&self) -> MutexGuard<'_, Vec<Workflow>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an account may call the endpoint `workflows/owner/name`.
    pub(super) fn knows(&self, id: &str, account: &str) -> bool {
        let named = |known: &&Workflow| format!("{}/{}", known.app.owner, known.app.alias) == id;
        self.all().iter().find(named).is_some_and(|known| known.public || known.account == account)
    }
}

/// The app of a stored workflow.
pub(crate) fn find_app(state: &State, owner: &str, alias: &str) -> Option<&'static App> {
    let all = state.platform.workflows.all();
    all.iter().map(|known| known.app).find(|app| app.owner == owner && app.alias == alias)
}

/// Letters, digits, `_` and `-`, at most 128.
fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=128).contains(&text.len()) && text.bytes().all(letter)
}

pub(super) fn list(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let used = visit.many("used_endpoint_ids")?;
    let search = visit.one("search").unwrap_or_default().to_lowercase();
    let all = visit.state.platform.workflows.all();
    let wanted: Vec<&Workflow> = all
        .iter()
        .filter(|known| known.account == visit.account())
        .filter(|known| format!("{} {}", known.name, known.title).to_lowercase().contains(&search))
        .filter(|known| used.is_empty() || known.endpoints().iter().any(|id| used.iter().any(|wanted| wanted == id)))
        .collect();
    let total = wanted.len();
    let rows = wanted.into_iter().map(|known| (known.ordinal, known));
    let mut page = paging::page(visit, "workflows", USUAL, rows, |known| {
        json!({
            "name": known.name,
            "title": known.title,
            "user_nickname": known.account,
            "created_at": clock::rfc3339(known.created),
            "tags": [],
            "endpoint_ids": known.endpoints(),
        })
    })?;
    page["total"] = json!(total);
    ok(&page)
}

pub(super) fn create(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let fields = Fields::read(visit.request)?;
    let name = fields.text("name", 1..=128)?;
    if !is_name(&name) {
        return Err(wrong("name", "letters, digits, _ and - only"));
    }
    let (title, public) = (fields.text("title", 1..=256)?, fields.boolean("is_public")?);
    let contents = fields.get("contents").ok_or_else(|| wrong("contents", "required"))?.clone();
    check(&contents)?;
    let mut all = visit.state.platform.workflows.all();
    if all.iter().any(|known| known.account == visit.account() && known.name == name) {
        return Err(invalid("name: there is a workflow of this name"));
    }
    let workflow = Workflow {
        ordinal: all.len() as u64 + 1,
        app: App::of_workflow(visit.account(), &name, &title, public),
        name,
        title,
        account: visit.account().to_owned(),
        created: visit.now(),
        public,
        contents,
    };
    let detail = workflow.detail();
    all.push(workflow);
    created(&json!({ "workflow": detail }))
}

/// Whether a definition has its parts.
fn check(contents: &Value) -> Result<(), Answer> {
    let fields = Fields::of(contents, "contents")?;
    fields.text("name", 1..=256)?;
    fields.text("version", 1..=64)?;
    for (name, is_right) in [("nodes", Value::is_object as fn(&Value) -> bool), ("output", Value::is_string)] {
        let members =
            fields.get(name).and_then(Value::as_object).ok_or_else(|| wrong(name, "an object is expected"))?;
        if let Some((member, _)) = members.iter().find(|(_, value)| !is_right(value)) {
            return Err(wrong(&format!("{name}.{member}"), "of the wrong type"));
        }
    }
    let schema = Fields::of(fields.get("schema").unwrap_or(&Value::Null), "schema")?;
    for name in ["input", "output"] {
        Fields::of(schema.get(name).unwrap_or(&Value::Null), &format!("schema.{name}"))?;
    }
    Ok(())
}

pub(super) fn read(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let (user, name) = (visit.part("username"), visit.part("workflow_name"));
    if !is_name(user) || !is_name(name) {
        return Err(invalid("username, workflow_name: letters, digits, _ and - only"));
    }
    let all = visit.state.platform.workflows.all();
    let found = all.iter().find(|known| known.account == user && known.name == name);
    let found = found.filter(|known| known.public || known.account == visit.account());
    ok(&json!({ "workflow": found.ok_or_else(|| not_found("Workflow not found"))?.detail() }))
}

/// Runs the workflow that an app stands for: as a request, or with `/stream` told event by event.
pub(crate) fn play(call: &Call<'_>) -> Result<Player, Answer> {
    let streamed = match call.path {
        "" => false,
        "stream" => true,
        _ => return Err(call.path_not_found()),
    };
    call.post()?;
    let input = Value::Object(input::object(call.request)?);
    let all = call.state.platform.workflows.all();
    let known = all.iter().find(|known| std::ptr::eq(known.app, call.app)).ok_or_else(|| call.path_not_found())?;
    call.started();
    Ok(Player {
        state: Arc::clone(call.state),
        caller: call.caller.clone(),
        entry: call.entry.for_later(),
        contents: known.contents.clone(),
        values: BTreeMap::from([("input".into(), input)]),
        streamed,
    })
}

/// A workflow that runs.
pub(crate) struct Player {
    state: Arc<State>,
    caller: Option<Caller>,
    entry: Entry,
    contents: Value,
    /// What the nodes gave, by their ids, and the input.
    values: BTreeMap<String, Value>,
    streamed: bool,
}

impl Player {
    /// Boxed, as an app's run contains this, and this the runs of apps.
    pub(crate) fn answer(mut self) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        Box::pin(async move {
            if self.streamed {
                let (sender, receiver) = mpsc::channel(16);
                tokio::spawn(async move {
                    // A failure has been told as an event.
                    let _ = self.run(&Events { sender: Some(sender) }).await;
                });
                let answer = Answer::payload(StatusCode::OK, sse::content_type(), Payload::Stream(receiver));
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
        let nodes = self.contents["nodes"].as_object().cloned().unwrap_or_default();
        let mut left: Vec<(String, Value)> = nodes.into_iter().collect();
        while !left.is_empty() {
            let ready = left.iter().position(|(_, node)| needs(node).iter().all(|id| self.values.contains_key(id)));
            let Some(ready) = ready else {
                let body = json!({ "detail": "These nodes wait for each other or for one that does not exist" });
                let error = (StatusCode::UNPROCESSABLE_ENTITY, body);
                events.failed(&left[0].0, "", &error).await;
                return Err(error);
            };
            let (id, node) = left.remove(ready);
            let value = self.node(&id, &node, events).await?;
            self.values.insert(id, value);
        }
        let output = self.resolved(&self.contents["output"]);
        events.tell(&json!({ "type": "output", "output": output })).await;
        Ok(output)
    }

    async fn node(&mut self, id: &str, node: &Value, events: &Events) -> Result<Value, (StatusCode, Value)> {
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
        events.tell(&json!({ "type": "completion", "node_id": id, "app_id": endpoint, "output": body })).await;
        Ok(body)
    }

    /// One request to an app, in the name of who called the workflow.
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
        let (name, path) = gateway::split(&request.path);
        let admitted = gateway::find_app(&self.state, name, &request.path).and_then(|app| {
            gateway::admit(app, self.caller.as_ref(), &self.state.settings())?;
            Ok(app)
        });
        let app = match admitted {
            // One that calls itself would never end.
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
            endpoint_id: app.endpoint_id(path),
            app,
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
            app,
            path,
            caller: self.caller.clone(),
            entry: &self.entry,
            job: None,
        };
        let mut answer = call.run().await;
        answer.payload = answer.payload.kept().await;
        running.answered(&answer);
        drop(running);
        read_whole(answer).await
    }

    /// A value with what its references name.
    fn resolved(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => reference(text).map_or_else(|| value.clone(), |path| self.lookup(&path)),
            Value::Array(values) => values.iter().map(|value| self.resolved(value)).collect(),
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| (name.clone(), self.resolved(value)));
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

/// `$input.x` and `$node.path.0`, as segments.
fn reference(text: &str) -> Option<Vec<&str>> {
    text.strip_prefix('$').map(|path| path.split('.').collect())
}

/// The nodes that one waits for.
fn needs(node: &Value) -> Vec<String> {
    let mut needed: Vec<String> = Vec::new();
    fn collect(value: &Value, needed: &mut Vec<String>) {
        match value {
            Value::String(text) => {
                needed.extend(reference(text).and_then(|path| path.first().map(|first| (*first).to_owned())));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, needed)),
            Value::Object(members) => members.values().for_each(|value| collect(value, needed)),
            _ => {}
        }
    }
    collect(&node["input"], &mut needed);
    needed.extend(node["depends"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
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

/// Where the events of a run go, if anybody listens.
struct Events {
    sender: Option<mpsc::Sender<Bytes>>,
}

impl Events {
    async fn tell(&self, event: &Value) {
        if let Some(sender) = &self.sender {
            // Who left hears nothing; the nodes run nevertheless.
            let _ = sender.send(Style::default().write(1, &event.to_string())).await;
        }
    }

    async fn failed(&self, node: &str, request_id: &str, (status, body): &(StatusCode, Value)) {
        let message = format!("Error while fetching the result of the request {request_id}");
        let error = json!({ "status": status.as_u16(), "body": body });
        self.tell(&json!({ "type": "error", "node_id": node, "message": message, "error": error })).await;
    }
}
