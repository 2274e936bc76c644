//! `/v1/workflows` (docs/protocol.md §14.6): stored workflows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde_json::{Value, json};

use super::fields::{Fields, wrong};
use super::paging::{self, USUAL};
use super::visit::Visit;
use super::{created, invalid, not_found, ok};
use crate::answer::Answer;
use crate::apps::{App, Endpoint};
use crate::clock;
use crate::state::State;

struct Workflow {
    ordinal: u64,
    name: String,
    title: String,
    account: String,
    created: SystemTime,
    public: bool,
    contents: Value,
    /// What the gateway finds under the workflow's name.
    endpoint: Arc<Endpoint>,
}

impl Workflow {
    fn nodes(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.contents["nodes"].as_object().into_iter().flatten()
    }

    fn endpoints(&self) -> Vec<&str> {
        self.nodes()
            .filter_map(|(_, node)| node["app"].as_str())
            .collect()
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
        let named = |known: &&Workflow| known.endpoint.id == id;
        self.all()
            .iter()
            .find(named)
            .is_some_and(|known| known.public || known.account == account)
    }

    /// The definition that the endpoint `id` runs.
    pub(super) fn contents(&self, id: &str) -> Option<Value> {
        self.all()
            .iter()
            .find(|known| known.endpoint.id == id)
            .map(|known| known.contents.clone())
    }
}

/// The app of a stored workflow.
pub(crate) fn find_app(state: &State, path: &str) -> Option<App> {
    let all = state.platform.workflows.all();
    all.iter()
        .find_map(|known| App::of_workflow(&known.endpoint, path))
}

/// Whether a name consists of 1 to 128 letters, digits, `_` and `-`.
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
        .filter(|known| {
            format!("{} {}", known.name, known.title)
                .to_lowercase()
                .contains(&search)
        })
        .filter(|known| {
            used.is_empty()
                || known
                    .endpoints()
                    .iter()
                    .any(|id| used.iter().any(|wanted| wanted == id))
        })
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
    let contents = fields
        .get("contents")
        .ok_or_else(|| wrong("contents", "required"))?
        .clone();
    check(&contents)?;
    let mut all = visit.state.platform.workflows.all();
    if all
        .iter()
        .any(|known| known.account == visit.account() && known.name == name)
    {
        return Err(invalid("name: a workflow with this name exists"));
    }
    let workflow = Workflow {
        ordinal: all.len() as u64 + 1,
        endpoint: Arc::new(Endpoint::of_workflow(
            visit.account(),
            &name,
            &title,
            public,
        )),
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

/// 400 unless a definition has its required parts.
fn check(contents: &Value) -> Result<(), Answer> {
    let fields = Fields::of(contents, "contents")?;
    fields.text("name", 1..=256)?;
    fields.text("version", 1..=64)?;
    for (name, is_right) in [
        ("nodes", Value::is_object as fn(&Value) -> bool),
        ("output", Value::is_string),
    ] {
        let members = fields
            .get(name)
            .and_then(Value::as_object)
            .ok_or_else(|| wrong(name, "must be an object"))?;
        if let Some((member, _)) = members.iter().find(|(_, value)| !is_right(value)) {
            return Err(wrong(&format!("{name}.{member}"), "of the wrong type"));
        }
    }
    let schema = Fields::of(fields.get("schema").unwrap_or(&Value::Null), "schema")?;
    for name in ["input", "output"] {
        Fields::of(
            schema.get(name).unwrap_or(&Value::Null),
            &format!("schema.{name}"),
        )?;
    }
    Ok(())
}

pub(super) fn read(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let (user, name) = (visit.part("username"), visit.part("workflow_name"));
    if !is_name(user) || !is_name(name) {
        return Err(invalid(
            "username, workflow_name: letters, digits, _ and - only",
        ));
    }
    let all = visit.state.platform.workflows.all();
    let found = all
        .iter()
        .find(|known| known.account == user && known.name == name);
    let found = found.filter(|known| known.public || known.account == visit.account());
    ok(&json!({ "workflow": found.ok_or_else(|| not_found("Workflow not found"))?.detail() }))
}
