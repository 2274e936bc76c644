//! `emulator/job`: runs for the time, writes the log, and fails or ends on cancellation as its
//! input says.

use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::fail;
use crate::answer::Answer;
use crate::apps::Call;
use crate::clock;
use crate::input::Fields;
use crate::server::Request;

/// The longest run in milliseconds: a day.
const LONGEST: u64 = 86_400_000;

struct Script {
    time: Duration,
    /// The message and the level of each line.
    logs: Vec<(String, String)>,
    honour_cancel: bool,
    output: Value,
    fail: Option<Failing>,
}

struct Failing {
    input: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The number of attempts that fail.
    attempts: u64,
}

pub(in crate::apps) async fn run(call: &Call<'_>) -> Result<Answer, Answer> {
    call.plain_post()?;
    // Read before the test can observe that the app runs and advance the clock.
    let began = call.state.clock.now();
    let script = Script::read(&call.input()?)?;
    call.started();
    tokio::select! {
        () = script.play(call, began) => {}
        () = call.cancelled(), if script.honour_cancel => return Err(cancelled()),
    }
    match script.fail {
        Some(failing) if u64::from(call.attempt()) <= failing.attempts => failing.answer(),
        _ => Ok(Answer::json(StatusCode::OK, &script.output).billable_units(1)),
    }
}

/// `startup_ms` of the input: the start time of the runner.
pub(in crate::apps) fn startup(request: &Request) -> Option<Duration> {
    let input: Value = serde_json::from_slice(&request.body).ok()?;
    input["startup_ms"]
        .as_u64()
        .map(|ms| Duration::from_millis(ms.min(LONGEST)))
}

/// The app framework's response to a cancellation (docs/protocol.md §5.6).
pub(crate) fn cancelled() -> Answer {
    let status = StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST);
    Answer::detail(status, "Request cancelled by the client.")
}

impl Script {
    fn read(object: &Map<String, Value>) -> Result<Self, Answer> {
        let mut fields = Fields::new(object);
        let script = Self {
            time: Duration::from_millis(fields.integer_between("ms", 0, 0, LONGEST)),
            logs: logs(&mut fields),
            honour_cancel: fields.get("honour_cancel").is_none() || fields.boolean("honour_cancel"),
            output: fields
                .get("output")
                .cloned()
                .unwrap_or_else(|| json!({ "done": true })),
            fail: Failing::read(&mut fields),
        };
        fields.integer_between("startup_ms", 0, 0, LONGEST);
        fields.finish()?;
        Ok(script)
    }

    /// Writes the lines of the log, spread evenly over the duration.
    async fn play(&self, call: &Call<'_>, began: SystemTime) {
        let count = u32::try_from(self.logs.len()).unwrap_or(u32::MAX).max(1);
        for (index, (message, level)) in (0..).zip(&self.logs) {
            call.state
                .clock
                .sleep_until(clock::later(began, self.time / count * index))
                .await;
            call.log(message, level);
        }
        call.state
            .clock
            .sleep_until(clock::later(began, self.time))
            .await;
    }
}

/// Strings, or objects with `message` and `level`.
fn logs(fields: &mut Fields<'_>) -> Vec<(String, String)> {
    let lines = match fields.get("logs") {
        None => return Vec::new(),
        Some(Value::Array(lines)) => lines,
        Some(_) => {
            fields.error("logs", "list_type", "Input should be a valid list", None);
            return Vec::new();
        }
    };
    let line = |line: &Value| match line {
        Value::String(message) => Some((message.clone(), "INFO".to_owned())),
        _ => Some((
            line["message"].as_str()?.to_owned(),
            line["level"].as_str().unwrap_or("INFO").to_owned(),
        )),
    };
    let read: Option<Vec<_>> = lines.iter().map(line).collect();
    read.unwrap_or_else(|| {
        fields.error(
            "logs",
            "value_error",
            "Value error, a line must be a string or have a message",
            None,
        );
        Vec::new()
    })
}

impl Failing {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let Value::Object(object) = fields.get("fail")? else {
            fields.error(
                "fail",
                "dict_type",
                "Input should be a valid dictionary",
                None,
            );
            return None;
        };
        let input = object.clone();
        fields.nested("fail", object, |fail| {
            let headers = headers(fail);
            let attempts = fail.integer_between("attempts", u64::MAX, 1, u64::MAX);
            Some(Self {
                input,
                headers,
                attempts,
            })
        })
    }

    /// The described failure, or the response that says what is wrong with its description.
    fn answer(&self) -> Result<Answer, Answer> {
        let mut answer = fail::asked_for(&self.input, &self.input)?.answer;
        for (name, value) in &self.headers {
            answer.headers.insert(name, value.clone());
        }
        Ok(answer)
    }
}

fn headers(fields: &mut Fields<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let read = match fields.get("headers") {
        None => return Vec::new(),
        Some(Value::Object(object)) => object
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(value.as_str()?).ok()?))
            })
            .collect(),
        Some(_) => None,
    };
    read.unwrap_or_else(|| {
        fields.error(
            "headers",
            "value_error",
            "Value error, not header names and strings",
            None,
        );
        Vec::new()
    })
}
