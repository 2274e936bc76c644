//! `emulator/fail`: every failure that fal documents, on demand.

use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::apps::Call;
use crate::body::Payload;
use crate::failures::{self, Failure};
use crate::input::{self, Fields};

pub(in crate::apps) fn run(call: &Call<'_>) -> Result<Answer, Answer> {
    call.post()?;
    let failure = if call.path().is_empty() {
        let input = call.input()?;
        asked_for(&input, &input)?
    } else {
        // The path selects the failure. The input is only quoted in the response.
        let input = input::object(call.request).unwrap_or_default();
        named(call.path(), &input).ok_or_else(|| call.path_not_found())?
    };
    if failure.ran {
        call.started();
    }
    Ok(failure.answer)
}

/// The failure with this name, of any kind.
fn named(name: &str, input: &Map<String, Value>) -> Option<Failure> {
    failures::model_error(name, input)
        .or_else(|| failures::platform_error(name))
        .or_else(|| failures::app_error(name))
}

/// The failure that `wanted` describes, of a call with `input`.
pub(in crate::apps) fn asked_for(
    wanted: &Map<String, Value>,
    input: &Map<String, Value>,
) -> Result<Failure, Answer> {
    let mut fields = Fields::new(wanted);
    let [model, platform, app] = failures::names();
    let failure = if wanted.contains_key("status") {
        chosen_status(&mut fields)
    } else if let Some(name) = fields.string("error_type") {
        failures::platform_error(&name).or_else(|| unknown(&mut fields, "error_type", &platform))
    } else if let Some(name) = fields.string("framework") {
        failures::app_error(&name).or_else(|| unknown(&mut fields, "framework", &app))
    } else {
        let name = fields.required_string("type");
        failures::model_error(&name, input).or_else(|| unknown(&mut fields, "type", &model))
    };
    fields.finish()?;
    failure.ok_or_else(|| Answer::empty(StatusCode::INTERNAL_SERVER_ERROR))
}

fn unknown(fields: &mut Fields<'_>, field: &str, names: &[&str]) -> Option<Failure> {
    if fields.get(field).is_some_and(Value::is_string) {
        let message = format!("Input should be one of {}", names.join(", "));
        fields.error(field, "enum", &message, Some(json!({ "expected": names })));
    }
    None
}

/// `{"status", "body", "html"}`: the app's own status and body, or an HTML page of the ingress.
fn chosen_status(fields: &mut Fields<'_>) -> Option<Failure> {
    let status = fields.integer_between("status", 500, 200, 599) as u16;
    let html = fields.boolean("html");
    let status = StatusCode::from_u16(status).ok()?;
    if html {
        let page = fields
            .string("body")
            .unwrap_or_else(|| ingress_page(status));
        let mut answer = Answer::payload(
            status,
            HeaderValue::from_static("text/html"),
            Payload::Bytes(page.into()),
        );
        answer.from_ingress = true;
        return Some(Failure { answer, ran: false });
    }
    let body = fields
        .get("body")
        .cloned()
        .unwrap_or_else(|| json!({ "detail": status.canonical_reason() }));
    Some(Failure {
        answer: Answer::json(status, &body),
        ran: true,
    })
}

fn ingress_page(status: StatusCode) -> String {
    let title = format!(
        "{} {}",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default()
    );
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
}
