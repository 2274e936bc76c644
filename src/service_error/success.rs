//! Responses with a status below 400 that are not a success.

use super::context::RequestContext;
use super::html::{Page, foreign};
use super::platform::SEE_FIRST;
use super::status;
use crate::error::{Answer, Code, Error, Idempotency, Result};
use crate::response::{Response, lacking};
use crate::secrets::Secrets;

/// Returns the error of a 2xx response that is an HTML page, where fal's protocol requires JSON.
pub(crate) fn page_for_json(answer: Answer, asked: RequestContext<'_>) -> Error {
    let page = Page::of(answer.headers(), answer.body());
    let title = page.map_or_else(|| "untitled".to_owned(), |page| page.title);
    Error::new(Code::Protocol, foreign(asked.host, answer.status(), &title))
        .with_remedy(status::PORTAL)
        .with_outcome_unknown(asked.idempotency.leaves_doubt())
        .with_answer(answer)
}

/// Returns the error of a 2xx response without an output. `instead` is the meaning of its status.
/// The request reached the app, which may have run.
pub(crate) fn without_output(answer: Answer, instead: &str, idempotency: Idempotency) -> Error {
    without(answer, instead, "an output", idempotency)
}

/// Checks that the status of a 2xx response allows a body with `what`, and returns the response.
pub(crate) fn with_content(
    answer: Response,
    what: &str,
    secrets: &Secrets,
    idempotency: Idempotency,
) -> Result<Response> {
    match lacking(answer.status()) {
        Some(instead) => Err(without(
            answer.into_head(secrets),
            instead,
            what,
            idempotency,
        )),
        None => Ok(answer),
    }
}

/// Checks that the status of a 2xx response allows that `what` was done, and returns the response.
/// It may have no body.
pub(crate) fn confirming(
    answer: Response,
    what: &str,
    secrets: &Secrets,
    idempotency: Idempotency,
) -> Result<Response> {
    match answer.status() {
        204 | 205 => Ok(answer),
        _ => with_content(answer, what, secrets, idempotency),
    }
}

fn without(answer: Answer, instead: &str, what: &str, idempotency: Idempotency) -> Error {
    let message = format!(
        "fal answered {} ({instead}) to a request for {what}",
        answer.status()
    );
    let error = Error::new(Code::Protocol, message).with_answer(answer);
    match idempotency.leaves_doubt() {
        true => error.with_remedy(SEE_FIRST).with_outcome_unknown(true),
        false => error,
    }
}

/// Returns the error of a redirect that libfal does not follow. Only apps redirect (§12.4), and
/// their responses have fal's request id.
pub(crate) fn redirected(
    answer: Answer,
    to: impl std::fmt::Display,
    asked: RequestContext<'_>,
) -> Error {
    let status = answer.status();
    let of_fal = !asked.service || answer.headers().contains_key("x-fal-request-id");
    let who = if of_fal { "fal" } else { asked.host };
    let message =
        format!("{who} answered {status} with a redirect to {to}, which was not followed");
    let error = Error::new(Code::Redirect, message).with_answer(answer);
    match of_fal {
        true => error,
        false => error.with_remedy(status::PORTAL),
    }
}
