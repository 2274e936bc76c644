//! An entry of the catalogue.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answers::Answers;
use super::schema::Schema;
use super::{Call, Program, made_up};
use crate::answer::Answer;
use crate::faults::matches;
use crate::gateway;
use crate::prices::Price;
use crate::sockets;

/// `app_auth` (docs/protocol.md §2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Access {
    /// Any caller, without a key.
    Public,
    /// Any caller with a key.
    #[default]
    Shared,
    /// ADMIN keys of the owner's account; all its keys if the setting allows it.
    Private,
    /// All keys of the owner's account, whose name follows a namespace.
    #[serde(skip)]
    Own,
}

/// What an endpoint does.
#[derive(Debug)]
pub(super) enum Does {
    Program(Program),
    Answers(Box<Answers>),
    /// What the id and the input suggest.
    MadeUp,
}

impl Does {
    /// Whether the path below an endpoint's id belongs to the endpoint.
    fn takes(&self, path: &str) -> bool {
        match self {
            Self::Program(program) => program.takes(path),
            Self::Answers(answers) => answers.takes(path),
            Self::MadeUp => path == "stream",
        }
    }

    pub(super) async fn run(&self, call: &Call<'_>) -> Result<Answer, Answer> {
        match self {
            Self::Program(program) => program.run(call).await,
            // A route for HTTP accepts no WebSocket.
            _ if sockets::is_handshake(call.request) => Err(call.path_not_found()),
            Self::Answers(answers) => answers.run(call).await,
            Self::MadeUp => made_up::run(call).await,
        }
    }
}

/// A callable endpoint, or all endpoints whose ids match a pattern.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// The id, in which `*` stands for any characters.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) category: String,
    pub(crate) description: String,
    pub(crate) access: Access,
    /// The account that owns the app; by default the owner in the id.
    pub(super) account: Option<String>,
    pub(crate) price: Price,
    /// The fields of an input that lacks them.
    pub(super) defaults: Map<String, Value>,
    /// Its description as OpenAPI, if it was made from one.
    pub(crate) openapi: Option<Arc<Value>>,
    pub(super) does: Does,
}

impl Endpoint {
    /// All endpoints that are not defined.
    pub(super) fn of_any_id() -> Self {
        Self {
            id: "*".to_owned(),
            title: String::new(),
            category: String::new(),
            description: String::new(),
            access: Access::Shared,
            account: None,
            price: Price::default(),
            defaults: Map::new(),
            openapi: None,
            does: Does::MadeUp,
        }
    }

    /// The endpoint of a stored workflow.
    pub(crate) fn of_workflow(account: &str, name: &str, title: &str, public: bool) -> Self {
        Self {
            id: format!("workflows/{account}/{name}"),
            title: title.to_owned(),
            category: "workflow".to_owned(),
            description: "A stored workflow".to_owned(),
            access: if public { Access::Shared } else { Access::Own },
            account: None,
            price: Price::default(),
            defaults: Map::new(),
            openapi: None,
            does: Does::Program(Program::Stored),
        }
    }
}

/// How an endpoint fits a path.
pub(super) struct Fit<'a> {
    /// Compares the fits of several endpoints: whether it takes the path, the number of characters
    /// that are no `*`, and whether it is no pattern.
    pub(super) rank: (bool, usize, bool),
    /// The id of the endpoint in the path.
    pub(super) id: &'a str,
    /// The path below the id.
    pub(super) rest: &'a str,
}

impl Endpoint {
    pub(crate) fn is_pattern(&self) -> bool {
        self.id.contains('*')
    }

    /// `owner/alias` with the namespace, for an id that is no pattern.
    pub(crate) fn app(&self) -> &str {
        gateway::split(&self.id).0
    }

    /// The account that owns the app of an endpoint with this id.
    pub(crate) fn account_of<'a>(&'a self, id: &'a str) -> &'a str {
        let app = gateway::split(id).0;
        let owner = app.rsplit_once('/').map_or(app, |(owner, _)| owner);
        self.account.as_deref().unwrap_or(owner)
    }

    /// The schema of its input, if it has one.
    pub(crate) fn input(&self) -> Option<&Value> {
        match &self.does {
            Does::Answers(answers) => answers.input.as_ref().map(Schema::given),
            Does::Program(_) | Does::MadeUp => None,
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let Self {
            id,
            title,
            category,
            description,
            access,
            ..
        } = self;
        json!({
            "id": id, "title": title, "category": category, "description": description,
            "access": access, "account": self.account(),
            "unit_price": self.price.unit_price as f64 / 1e9, "unit": &*self.price.unit,
        })
    }

    /// The account that owns the app, for an id that is no pattern.
    pub(crate) fn account(&self) -> &str {
        self.account_of(&self.id)
    }

    /// Whether the path below the endpoint's id belongs to it.
    pub(super) fn takes(&self, rest: &str) -> bool {
        rest.is_empty() || self.does.takes(rest)
    }

    pub(super) fn fit<'a>(&self, path: &'a str) -> Option<Fit<'a>> {
        let literal = self.id.bytes().filter(|byte| *byte != b'*').count();
        if self.is_pattern() {
            let (id, rest) = path
                .rsplit_once('/')
                .filter(|(id, rest)| self.does.takes(rest) && matches(&self.id, id))
                .unwrap_or((path, ""));
            return matches(&self.id, id).then_some(Fit {
                rank: (true, literal, false),
                id,
                rest,
            });
        }
        let rest = path.strip_prefix(self.id.as_str())?;
        let below = rest.strip_prefix('/');
        if !rest.is_empty() && below.is_none() {
            return None;
        }
        let rest = below.unwrap_or_default();
        Some(Fit {
            rank: (self.takes(rest), literal, true),
            id: &path[..self.id.len()],
            rest,
        })
    }

    /// Whether the app `name` may have this endpoint.
    pub(super) fn may_be_of(&self, name: &str) -> bool {
        match self.id.split_once('*') {
            None => self.app() == name,
            Some((head, _)) => head
                .strip_prefix(name)
                .is_some_and(|below| below.starts_with('/')),
        }
    }
}
