//! What a path names.

use std::sync::Arc;
use std::time::Duration;

use super::programs::job;
use super::{Access, Does, Endpoint, Program};
use crate::prices::Price;
use crate::server::Request;

/// An app, and its endpoint at a path.
#[derive(Debug)]
pub(crate) struct App {
    /// `owner/alias`, with the namespace.
    pub(crate) name: String,
    /// The account that owns the app.
    pub(crate) account: String,
    pub(crate) access: Access,
    /// The id of the endpoint, or the whole path if the app has none there.
    pub(crate) id: String,
    /// The path below the id, without leading or trailing slashes.
    pub(super) rest: String,
    pub(super) endpoint: Option<Arc<Endpoint>>,
}

impl App {
    pub(super) fn new(name: &str, id: String, rest: String, endpoint: &Arc<Endpoint>) -> Self {
        Self {
            name: name.to_owned(),
            account: endpoint.account_of(&id).to_owned(),
            access: endpoint.access,
            id,
            rest,
            endpoint: Some(Arc::clone(endpoint)),
        }
    }

    /// An app that has no endpoint at the path `id`, but `other` elsewhere.
    pub(super) fn without_endpoint(name: &str, id: String, other: &Arc<Endpoint>) -> Self {
        Self {
            endpoint: None,
            ..Self::new(name, id, String::new(), other)
        }
    }

    /// The app of a stored workflow, if `path` names it.
    pub(crate) fn of_workflow(endpoint: &Arc<Endpoint>, path: &str) -> Option<Self> {
        let fit = endpoint.fit(path.trim_matches('/'))?;
        Some(Self::new(
            &endpoint.id,
            fit.id.to_owned(),
            fit.rest.to_owned(),
            endpoint,
        ))
    }

    /// The app of recordings at `path`.
    pub(crate) fn of_recordings(name: &str, path: &str) -> Self {
        Self {
            name: name.to_owned(),
            account: name.split('/').next().unwrap_or_default().to_owned(),
            access: Access::Shared,
            id: path.trim_matches('/').to_owned(),
            rest: String::new(),
            endpoint: None,
        }
    }

    /// Whether an endpoint is defined for the path.
    pub(crate) fn has_endpoint(&self) -> bool {
        self.endpoint.is_some()
    }

    /// Whether there is an endpoint that takes the path.
    pub(crate) fn answers(&self) -> bool {
        let endpoint = self.endpoint.as_ref();
        endpoint.is_some_and(|endpoint| endpoint.takes(&self.rest))
    }

    pub(crate) fn alias(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    pub(crate) fn is_workflow(&self) -> bool {
        matches!(self.does(), Some(Does::Program(Program::Stored)))
    }

    pub(super) fn does(&self) -> Option<&Does> {
        self.endpoint.as_ref().map(|endpoint| &endpoint.does)
    }

    pub(crate) fn price(&self) -> Price {
        let endpoint = self.endpoint.as_ref();
        endpoint.map_or_else(Price::default, |endpoint| endpoint.price.clone())
    }

    /// The time in which a runner starts for this input, if the app defines one.
    pub(crate) fn startup(&self, request: &Request) -> Option<Duration> {
        match self.does()? {
            Does::Program(Program::Job) => job::startup(request),
            Does::Program(_) | Does::MadeUp => None,
            Does::Answers(answers) => answers.startup,
        }
    }
}
