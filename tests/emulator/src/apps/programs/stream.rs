//! `emulator/stream`: sends the events that the input describes, well-formed or malformed
//! (docs/protocol.md §6).

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::apps::Call;
use crate::input::Fields;
use crate::sse::{self, Script, Style};

/// The longest pause between two events in milliseconds: a minute.
const LONGEST_PAUSE: u64 = 60_000;

pub(in crate::apps) fn run(call: &Call<'_>) -> Result<Answer, Answer> {
    // The JavaScript client omits the path if the endpoint id ends with it (§3.2).
    if !matches!(call.path(), "" | "stream") {
        return Err(call.path_not_found());
    }
    call.post()?;
    let object = call.input()?;
    let mut fields = Fields::new(&object);
    if object.contains_key("status") {
        let status = fields.integer_between("status", 500, 400, 599) as u16;
        fields.finish()?;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return Ok(Answer::detail(status, "This stream cannot start").billable_units(0));
    }
    let events = events(&mut fields);
    let pause = Duration::from_millis(fields.integer_between("ms", 0, 0, LONGEST_PAUSE));
    let style = Style {
        line_end: match (fields.boolean("crlf"), fields.boolean("cr")) {
            (true, _) => "\r\n",
            (false, true) => "\r",
            (false, false) => "\n",
        },
        event: fields.string("event"),
        ids: fields.boolean("id"),
        retry: fields
            .get("retry")
            .is_some()
            .then(|| fields.integer_between("retry", 0, 0, u64::MAX)),
        comments: fields.boolean("comments"),
    };
    let (multiline, text) = (fields.boolean("multiline"), fields.boolean("text"));
    let (cut, not_sse) = (fields.boolean("cut"), fields.boolean("not_sse"));
    let content_type = content_type(&mut fields, not_sse);
    fields.finish()?;
    call.started();
    let written = events.iter().enumerate().map(|(index, event)| match event {
        Value::String(raw) if text || not_sse => (index, raw.clone()),
        event if multiline => (index, format!("{event:#}")),
        event => (index, event.to_string()),
    });
    let mut pieces: Vec<Bytes> = if not_sse {
        written.map(|(_, data)| data.into()).collect()
    } else {
        written
            .map(|(index, data)| style.write(index, &data))
            .collect()
    };
    if cut {
        pieces.push(Bytes::from_static(b"data: {\"cut"));
    }
    Ok(Script { pieces, pause, cut }.answer(content_type))
}

/// The events to send: those of the input, or three of a made-up task.
fn events(fields: &mut Fields<'_>) -> Vec<Value> {
    match fields.get("events") {
        None => vec![
            json!({ "progress": 0.25, "message": "Started" }),
            json!({ "progress": 0.75, "message": "Almost there" }),
            json!({ "output": "Done" }),
        ],
        Some(Value::Array(events)) => events.clone(),
        Some(_) => {
            fields.error("events", "list_type", "Input should be a valid list", None);
            Vec::new()
        }
    }
}

fn content_type(fields: &mut Fields<'_>, not_sse: bool) -> HeaderValue {
    let usual = || {
        if not_sse {
            HeaderValue::from_static("application/octet-stream")
        } else {
            sse::content_type()
        }
    };
    let Some(chosen) = fields.string("content_type") else {
        return usual();
    };
    HeaderValue::from_str(&chosen).unwrap_or_else(|_| {
        fields.error(
            "content_type",
            "value_error",
            "Value error, not a content type",
            None,
        );
        usual()
    })
}

/// `workflows/emulator/demo`: two nodes, in the events of a workflow (§3.5).
pub(in crate::apps) fn workflow(call: &Call<'_>) -> Result<Answer, Answer> {
    let (object, streamed) = object_and_mode(call)?;
    let mut fields = Fields::new(&object);
    let (fail, declared) = (fields.boolean("fail"), fields.boolean("declared"));
    let pause = Duration::from_millis(fields.integer_between("ms", 0, 0, LONGEST_PAUSE));
    fields.finish()?;
    call.started();
    let output = json!({ "result": "Done" });
    let failure = json!({ "detail": "This node fails" });
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    if !streamed {
        return Ok(match fail {
            true => Answer::json(status, &failure).billable_units(1),
            false => Answer::json(StatusCode::OK, &output).billable_units(1),
        });
    }
    // The type declarations and the examples in the documentation differ in one member each.
    let declares = |mut event: Value, name: &str, value: &str| {
        if declared {
            event[name] = json!(value);
        }
        event
    };
    let mut events = Vec::new();
    for (node, app) in [
        ("first", "emulator/echo"),
        ("second", "fal-ai/flux/schnell"),
    ] {
        let id = uuid::Uuid::new_v4().to_string();
        events.push(json!({ "type": "submit", "node_id": node, "app_id": app, "request_id": id }));
        if fail && node == "second" {
            let message = format!("Error while fetching the result of the request {id}");
            let error = json!({ "status": status.as_u16(), "body": failure });
            events.push(
                json!({ "type": "error", "node_id": node, "message": message, "error": error }),
            );
            break;
        }
        let completion =
            json!({ "type": "completion", "node_id": node, "output": { "node": node } });
        events.push(declares(completion, "app_id", app));
    }
    if !fail {
        events.push(declares(
            json!({ "type": "output", "output": output }),
            "node_id",
            "output",
        ));
    }
    Ok(events_answer(&events, pause))
}

/// The input, and whether the response is a stream.
fn object_and_mode(call: &Call<'_>) -> Result<(Map<String, Value>, bool), Answer> {
    let streamed = match call.path() {
        "" => false,
        "stream" => true,
        _ => return Err(call.path_not_found()),
    };
    call.post()?;
    Ok((call.input()?, streamed))
}

fn events_answer(events: &[Value], pause: Duration) -> Answer {
    let style = Style::default();
    let pieces = events
        .iter()
        .enumerate()
        .map(|(index, event)| style.write(index, &event.to_string()))
        .collect();
    Script {
        pieces,
        pause,
        cut: false,
    }
    .answer(sse::content_type())
}
