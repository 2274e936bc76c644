//! What an endpoint answers that is data and not code.

mod files;
mod node;
mod rule;
mod stream;
mod template;
mod time;

use std::ops::Range;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Map, Value, json};
use toml::Spanned;
use uuid::Uuid;

use super::programs::job;
use super::schema::{Given, Sample, Schema};
use super::{Call, made_up};
use crate::answer::Answer;
use crate::clock;
use crate::storage::Lifecycle;

pub(super) use node::{Files, Node};
pub(super) use rule::Rule;
pub(super) use stream::Stream;
pub(super) use time::Time;

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
    pub(super) time: Option<Time>,
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
        let time = self.time.as_ref().map(Time::part);
        let parts = self
            .output
            .iter()
            .chain(&self.units)
            .chain(&self.logs)
            .chain(time);
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
        let mut input = call.input()?;
        if let Some(schema) = &self.input {
            input = schema.read(input)?;
        }
        let lifecycle = Lifecycle::read(&call.request.headers)?;
        call.started();
        let counter = call.counted();
        let seed = seed(&input);
        let names = names(call, &input, counter, seed);
        let mut maker = Maker {
            call,
            lifecycle,
            prompt: prompt(&input),
            seed,
            inline: Vec::new(),
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
            return stream.answer(&names, &mut maker).await;
        }
        let mut output = self.output(&input, &names, &mut maker).map_err(broken)?;
        maker.fill(&mut output).await?;
        let units = self.units(&scope, &mut maker).map_err(broken)?;
        let answer = Answer::json(StatusCode::OK, &output).billable_units(units);
        Ok(match self.sample {
            None => answer,
            Some(_) => made_up::marked(answer, "schema"),
        })
    }

    fn output(
        &self,
        input: &Map<String, Value>,
        names: &Map<String, Value>,
        maker: &mut Maker<'_>,
    ) -> Result<Value, Problem> {
        if let Some(output) = &self.output {
            output.get_ref().value(&Scope::new(names), maker)
        } else if let Some(stream) = &self.stream {
            stream.whole(names, maker)
        } else if let Some(sample) = &self.sample {
            let seed = maker.seed;
            sample.value(&Given { input, seed }, maker)
        } else {
            Ok(json!({}))
        }
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
        let time = match &self.time {
            Some(time) => time.value(scope, maker)?,
            None => Duration::ZERO,
        };
        let count = u32::try_from(self.logs.len()).unwrap_or(u32::MAX).max(1);
        for (index, line) in (0..).zip(&self.logs) {
            let at = clock::later(began, time / count * index);
            call.state.clock.sleep_until(at).await;
            let line = line.get_ref().value(scope, maker)?;
            let level = line["level"].as_str().unwrap_or("INFO");
            let message = line["message"].as_str().or(line.as_str());
            call.log(message.unwrap_or_default(), level);
        }
        call.state
            .clock
            .sleep_until(clock::later(began, time))
            .await;
        Ok(())
    }
}

/// The names that the templates of a definition may use.
fn names(
    call: &Call<'_>,
    input: &Map<String, Value>,
    counter: u64,
    seed: u64,
) -> Map<String, Value> {
    let names = [
        ("attempt", json!(call.attempt())),
        ("counter", json!(counter)),
        ("id", json!(call.app.id)),
        ("input", json!(input)),
        ("request_id", json!(call.request_id)),
        ("seed", json!(seed)),
    ];
    Map::from_iter(names.map(|(name, value)| (name.to_owned(), value)))
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
