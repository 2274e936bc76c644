//! `auth.fal.ai`: renews the tokens of a login (docs/protocol.md §1.4).

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::json;

use crate::answer::Answer;
use crate::logins::{CLIENT_ID, Refused};
use crate::server::Request;
use crate::state::State;

pub(crate) fn handle(state: &State, request: &Request) -> Answer {
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/oauth/token") => token(state, request).unwrap_or_else(|refusal| refusal),
        (_, "/oauth/token") => {
            let mut answer = error(
                StatusCode::METHOD_NOT_ALLOWED,
                "invalid_request",
                "Method Not Allowed",
            );
            answer
                .headers
                .insert(ALLOW, HeaderValue::from_static("POST"));
            answer
        }
        _ => error(StatusCode::NOT_FOUND, "not_found", "Not Found"),
    }
}

/// The body of a request as an arrival keeps it, with the token masked.
pub(crate) fn masked(body: &[u8]) -> Bytes {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(body) {
        let is_secret = name.contains("token") || name.contains("code");
        form.append_pair(&name, if is_secret { "****" } else { &value });
    }
    form.finish().into()
}

fn token(state: &State, request: &Request) -> Result<Answer, Answer> {
    let bad = |description: &str| error(StatusCode::BAD_REQUEST, "invalid_request", description);
    if !is_form(request) {
        return Err(bad("The body is not application/x-www-form-urlencoded"));
    }
    let field = |name: &str| {
        let mut values = form_urlencoded::parse(&request.body)
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value);
        let value = values.next().filter(|value| !value.is_empty());
        match (value, values.next()) {
            (Some(value), None) => Ok(value),
            (Some(_), Some(_)) => Err(bad(&format!("Repeated parameter: {name}"))),
            (None, _) => Err(bad(&format!("Missing required parameter: {name}"))),
        }
    };
    if field("grant_type")? != "refresh_token" {
        return Err(error(
            StatusCode::FORBIDDEN,
            "unsupported_grant_type",
            "Only refresh_token is emulated",
        ));
    }
    if field("client_id")? != CLIENT_ID {
        return Err(error(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "Unknown client",
        ));
    }
    let settings = state.settings();
    let (seconds, reuse_ends) = (settings.access_token_seconds, settings.reuse_ends_login);
    let renewed = state.logins.renew(
        &field("refresh_token")?,
        seconds,
        reuse_ends,
        state.clock.now(),
    );
    let login = renewed.map_err(|refused| {
        let description = match refused {
            Refused::Unknown => "Unknown or invalid refresh token.",
            Refused::Reused => "The refresh token was used before.",
        };
        error(StatusCode::FORBIDDEN, "invalid_grant", description)
    })?;
    let body = json!({
        "access_token": login.access_token,
        "refresh_token": login.refresh_token,
        "id_token": login.id_token,
        "token_type": "Bearer",
        "expires_in": login.access_seconds,
        "scope": "openid profile email offline_access",
    });
    let mut answer = Answer::json(StatusCode::OK, &body);
    answer
        .headers
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

fn is_form(request: &Request) -> bool {
    let content_type = request
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn error(status: StatusCode, error: &str, description: &str) -> Answer {
    Answer::json(
        status,
        &json!({ "error": error, "error_description": description }),
    )
}
