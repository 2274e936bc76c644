//! `emulator/echo` and the apps of `acme`: they return the request as the app received it.

use hyper::StatusCode;
use serde_json::json;

use crate::answer::Answer;
use crate::apps::Call;
use crate::arrivals::{ArrivedBody, plain_headers};
use crate::tokens;

pub(in crate::apps) fn run(call: &Call<'_>) -> Answer {
    call.started();
    let request = call.request;
    let body = match serde_json::from_slice(&request.body) {
        Ok(json) => json,
        Err(_) if request.body.is_empty() => serde_json::Value::Null,
        Err(_) => ArrivedBody::Bytes(request.body.to_vec()).to_json(),
    };
    let echo = json!({
        "method": request.method.as_str(),
        "path": request.path,
        // An app receives no credential: neither the header nor the token.
        "query": request.query.as_deref().map(tokens::masked),
        "headers": plain_headers(&request.headers),
        "body": body,
        "key_id": call.caller.as_ref().map(|caller| &caller.key_id),
    });
    Answer::json(StatusCode::OK, &echo).billable_units(1)
}
