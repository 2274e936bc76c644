//! What an endpoint answers that is data and not code.

mod files;
mod node;
mod rule;
mod stream;
mod template;

use std::ops::Range;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Map, Value, json};
use toml::Spanned;
use uuid::Uuid;

use super::Call;
use super::programs::job;
use super::schema::{Given, Sample, Schema};
use crate::answer::Answer;
use crate::clock;
use crate::storage::Lifecycle;

pub(super) use node::{Files, Node};
pub(super) use rule::Rule;
pub(super) use stream::Stream;

use files::Maker;
use template::{Problem, Scope};

/// A mistake in a definition, with its place in the file.
pub(super) type Wrong = (Range<usize>, String);

#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// The schema that an input conforms to.
    pub(super) input: Option<Schema>,
    pub(super) output: Option<Spanned<Node>>,
    /// The schema of the output, if it is not defined.
    pub(super) sample: Option<Sample>,
    /// How long a run takes.
    pub(super) time: Duration,
    /// The time in which a runner starts.
    pub(super) startup: Option<Duration>,
    /// Lines of the log: a text, or a table with `message` and `level`.
    pub(super) logs: Vec<Spanned<Node>>,
    /// The billed units of a run; by default one.
    pub(super) units: Option<Spanned<Node>>,
    pub(super) fail: Vec<Rule>,
    pub(super) stream: Option<Stream>,
}

impl Answers {
    /// Whether the path below an endpoint's id belongs to the endpoint.
    pub(super) fn takes(&self, path: &str) -> bool {
        path == "stream" && self.stream.is_some()
    }

    /// Reports the first mistake in a template or in the description of a file.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        let parts = self.output.iter().chain(&self.units).chain(&self.logs);
        let of_stream = self.stream.iter().flat_map(Stream::parts);
        for part in parts.chain(of_stream) {
            part.get_ref().check(&part.span(), &files::check)?;
        }
        Ok(())
    }

    pub(super) async fn run(&self, call: &Call<'_>) -> Result<Answer, Answer> {
        if !call.path().is_empty() && !self.takes(call.path()) {
            return Err(call.path_not_found());
        }
        call.post()?;
        // Read before the test can observe that the app runs and advance the clock.
        let began = call.state.clock.now();
        let input = call.input()?;
        if let Some(schema) = &self.input {
            schema.check(&input)?;
        }
        let lifecycle = Lifecycle::read(&call.request.headers)?;
        let counter = call.started();
        let seed = seed(&input);
        let names = Map::from_iter(
            [
                ("attempt", json!(call.attempt())),
                ("counter", json!(counter)),
                ("id", json!(call.app.id)),
                ("input", Value::Object(input.clone())),
                ("request_id", json!(call.request_id)),
                ("seed", json!(seed)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let mut maker = Maker {
            call,
            lifecycle,
            prompt: prompt(&input),
            seed,
        };
        let scope = Scope::new(&names);
        let streamed = self.stream.as_ref().filter(|_| !call.path().is_empty());
        if streamed.is_none() {
            tokio::select! {
                played = self.play(call, &scope, began, &mut maker) => played.map_err(broken)?,
                () = call.cancelled() => return Err(job::cancelled()),
            }
        }
        for rule in &self.fail {
            if rule.applies(&scope).map_err(broken)? {
                return rule.answer(&input);
            }
        }
        if let Some(stream) = streamed {
            return stream.answer(&names, &mut maker).map_err(broken);
        }
        let output = match (&self.output, &self.stream) {
            (Some(output), _) => output.get_ref().value(&scope, &mut maker),
            (None, Some(stream)) => stream.whole(&names, &mut maker),
            (None, None) => match &self.sample {
                Some(sample) => sample.value(
                    &Given {
                        input: &input,
                        seed,
                    },
                    &mut maker,
                ),
                None => Ok(json!({})),
            },
        };
        let units = self.units(&scope, &mut maker).map_err(broken)?;
        Ok(Answer::json(StatusCode::OK, &output.map_err(broken)?).billable_units(units))
    }

    fn units<'a>(&'a self, scope: &Scope<'a>, maker: &mut Maker<'_>) -> Result<u64, Problem> {
        let Some(units) = &self.units else {
            return Ok(1);
        };
        let value = units.get_ref().value(scope, maker)?;
        let number = value.as_f64().filter(|units| *units >= 0.0);
        number
            .map(|units| units.ceil() as u64)
            .ok_or_else(|| format!("units must be a number that is not negative, not {value}"))
    }

    /// Writes the lines of the log, spread evenly over the time.
    async fn play<'a>(
        &'a self,
        call: &Call<'_>,
        scope: &Scope<'a>,
        began: std::time::SystemTime,
        maker: &mut Maker<'_>,
    ) -> Result<(), Problem> {
        let count = u32::try_from(self.logs.len()).unwrap_or(u32::MAX).max(1);
        for (index, line) in (0..).zip(&self.logs) {
            let at = clock::later(began, self.time / count * index);
            call.state.clock.sleep_until(at).await;
            let line = line.get_ref().value(scope, maker)?;
            let level = line["level"].as_str().unwrap_or("INFO");
            let message = line["message"].as_str().or(line.as_str());
            call.log(message.unwrap_or_default(), level);
        }
        call.state
            .clock
            .sleep_until(clock::later(began, self.time))
            .await;
        Ok(())
    }
}

/// The seed of the input, or a new one of 32 bits.
fn seed(input: &Map<String, Value>) -> u64 {
    let given = input.get("seed").and_then(Value::as_u64);
    given.unwrap_or_else(|| u64::from(Uuid::new_v4().as_fields().0))
}

/// The text that files of the output depend on.
fn prompt(input: &Map<String, Value>) -> String {
    let prompt = input.get("prompt").and_then(Value::as_str);
    prompt.map_or_else(|| json!(input).to_string(), str::to_owned)
}

/// The response if a template of the definition fails for this input.
fn broken(problem: Problem) -> Answer {
    let detail = format!("The definition of this endpoint fails: {problem}");
    Answer::detail(StatusCode::INTERNAL_SERVER_ERROR, detail)
}
