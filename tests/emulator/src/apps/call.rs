//! One call of an app.

use std::sync::Arc;

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value};

use super::App;
use crate::answer::Answer;
use crate::arrivals::Entry;
use crate::cassettes::Chosen;
use crate::gateway;
use crate::input;
use crate::keys::Caller;
use crate::media::Media;
use crate::queue::Job;
use crate::server::Request;
use crate::state::State;
use crate::storage::{self, Content, Lifecycle};

pub(crate) struct Call<'a> {
    pub(crate) state: &'a Arc<State>,
    pub(crate) request: &'a Request,
    pub(crate) request_id: &'a str,
    pub(crate) app: &'a App,
    pub(crate) caller: Option<Caller>,
    pub(crate) entry: &'a Entry,
    /// The queued request that the call executes, if any.
    pub(crate) job: Option<&'a Job>,
    /// The recording that answers instead of the app, if any.
    pub(crate) tape: Option<Chosen>,
}

impl Call<'_> {
    /// Runs the app. Its failures are responses too.
    pub(crate) async fn run(&self) -> Answer {
        if let Some(tape) = &self.tape {
            return tape.play(self).await;
        }
        let result = match self.app.does() {
            Some(does) => does.run(self).await,
            None => Err(self.path_not_found()),
        };
        result.unwrap_or_else(|refusal| refusal)
    }

    /// The path below the endpoint's id, without leading or trailing slashes.
    pub(crate) fn path(&self) -> &str {
        &self.app.rest
    }

    /// The JSON object in the body, with the defaults of the endpoint.
    pub(super) fn input(&self) -> Result<Map<String, Value>, Answer> {
        let mut object = input::object(self.request)?;
        let defaults = self.app.endpoint.iter().flat_map(|known| &known.defaults);
        for (name, value) in defaults {
            object.entry(name).or_insert_with(|| value.clone());
        }
        Ok(object)
    }

    /// Records that the input is valid and the model runs.
    pub(crate) fn started(&self) {
        self.entry.executed();
        self.state.executions.count(self.app.id.clone());
    }

    /// Counts the run. Returns the number of runs since the endpoint was defined.
    pub(super) fn counted(&self) -> u64 {
        let endpoint = self.app.endpoint.as_ref();
        endpoint.map_or(1, |known| self.state.apps.count(known, &self.app.id))
    }

    /// The number of the attempt of a queued request, counted from 1; 1 for a direct run.
    pub(super) fn attempt(&self) -> u32 {
        self.job.map_or(1, |job| job.attempt())
    }

    /// Writes a line of the log, which the status of a queued request and the logs of the app's
    /// owner show (§14.9).
    pub(super) fn log(&self, message: &str, level: &str) {
        let now = self.state.clock.now();
        if let Some(job) = self.job {
            job.log(message, level, now);
        }
        self.state.history.log(self.request_id, message, level, now);
    }

    /// Stores a file of the output and returns its URL.
    pub(super) fn store(&self, media: Media, lifecycle: &Lifecycle) -> String {
        let content_type = HeaderValue::from_static(media.content_type());
        self.store_as(Content::Media(media), content_type, None, lifecycle)
    }

    /// The same with a type and a name.
    pub(super) fn store_as(
        &self,
        content: Content,
        content_type: HeaderValue,
        file_name: Option<&str>,
        lifecycle: &Lifecycle,
    ) -> String {
        let owner = self.caller.as_ref().map(|caller| caller.account.as_str());
        storage::store_output(
            self.state,
            content,
            content_type,
            file_name,
            owner,
            lifecycle,
        )
    }

    /// Resolves when the caller cancels the request; for a direct run, never: its client
    /// disconnects instead.
    pub(crate) async fn cancelled(&self) {
        match self.job {
            Some(job) => job.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// The framework's response to a route that the app lacks (§12.5).
    pub(crate) fn path_not_found(&self) -> Answer {
        let (_, path) = gateway::split(&self.request.path);
        Answer::detail(StatusCode::NOT_FOUND, format!("Path /{path} not found"))
            .billable_units(0)
            .unknown(&format!("no endpoint {}", self.request.path))
    }

    /// Accepts only POST without a subpath.
    pub(super) fn plain_post(&self) -> Result<(), Answer> {
        if !self.path().is_empty() {
            return Err(self.path_not_found());
        }
        self.post()
    }

    pub(crate) fn post(&self) -> Result<(), Answer> {
        if self.request.method == Method::POST {
            return Ok(());
        }
        let mut answer =
            Answer::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed").billable_units(0);
        answer
            .headers
            .insert(ALLOW, HeaderValue::from_static("POST"));
        Err(answer)
    }
}
