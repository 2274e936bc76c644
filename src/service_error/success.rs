//! Errors of answers that are no success although their status is below 400.

use super::context::RequestContext;
use super::html::{Page, foreign};
use super::platform::SEE_FIRST;
use super::status;
use crate::error::{Answer, Code, Error, Idempotency, Result};
use crate::response::{Response, lacking};
use crate::secrets::Secrets;

/// The error of a web page that came, with success, where fal's protocol has JSON only.
pub(crate) fn page_for_json(answer: Answer, asked: RequestContext<'_>) -> Error {
    let page = Page::of(answer.headers(), answer.body());
    let title = page.map_or_else(|| "untitled".to_owned(), |page| page.title);
    Error::new(Code::Protocol, foreign(asked.host, answer.status(), &title))
        .with_remedy(status::PORTAL)
        .with_outcome_unknown(asked.idempotency.leaves_doubt())
        .with_answer(answer)
}

/// The error of a success that is none for who asked for an output: what there is instead is
/// `instead`. The app was asked, and may have run.
pub(crate) fn without_output(answer: Answer, instead: &str, idempotency: Idempotency) -> Error {
    without(answer, instead, "an output", idempotency)
}

/// Lets a success pass that does not say itself that `what` is not in it.
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

/// Lets a success pass that does not say itself that `what` has not been done. There need not be
/// anything in it.
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
        "fal answered {}, which says that there is {instead}, where {what} was asked for",
        answer.status()
    );
    let error = Error::new(Code::Protocol, message).with_answer(answer);
    match idempotency.leaves_doubt() {
        true => error.with_remedy(SEE_FIRST).with_outcome_unknown(true),
        false => error,
    }
}

/// The error of a redirect that is left to the caller. Only an app redirects (§12.4), and its
/// answers come with fal's request id.
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
