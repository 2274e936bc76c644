//! What an answer that is not a success means: the one reader of the tables (docs/protocol.md §2.5,
//! §12, §14.2).

mod api;
mod fields;
mod html;
mod messages;
mod model;
mod platform;
pub(crate) mod retry_after;
mod status;
mod table;

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use serde_json::value::RawValue;

pub(crate) use self::html::is_html;
pub(crate) use self::messages::{NO_KEY, UNLINKED};
pub(crate) use self::platform::SEE_FIRST;
pub(crate) use self::status::PROXY;

use self::api::API;
use self::html::Page;
use self::model::MODEL;
use self::platform::PLATFORM;
use self::retry_after::{retry_after, retry_hint};
use self::table::{Again, Execution, Named};
use crate::codec::json;
use crate::error::retry_rules::{Decision, Idempotency, Rule, Situation, rule_of};
use crate::error::{Answer, Code, Error, FieldError, LockReason, RefusalReason, Result, clause};
use crate::limits::{QUOTED, shortened};
use crate::response::{Response, lacking};
use crate::secrets::Secrets;

const ERROR_TYPE: &str = "x-fal-error-type";

/// What the transport needs to know about an answer besides the error itself.
pub(crate) struct Classification {
    pub(crate) error: Error,
    /// Whether the request is sent again.
    pub(crate) again: bool,
    /// Why.
    pub(crate) rule: &'static Rule,
}

/// Who was asked.
#[derive(Clone, Copy)]
pub(crate) struct RequestContext<'a> {
    pub(crate) host: &'a str,
    /// One of fal's services, directly: not a file host, and nobody who forwards.
    pub(crate) service: bool,
    pub(crate) idempotency: Idempotency,
    /// Whether the queue was asked for a job's status or cancellation.
    pub(crate) about_job: bool,
    pub(crate) whose: Responder,
}

/// Whose answer it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Responder {
    /// That of one of fal's services, or of a file host: no app is asked.
    Service,
    /// The queue's own of a submission, for which no app has run; or that of a job's app, which has
    /// an app's marks.
    Queue,
    /// An app's, but for what fal's gateway provably says.
    App,
}

/// What an answer of an app has and one of the gateway's own has not (§5.8).
const MARKS: [&str; 2] = ["x-fal-served-from", "x-fal-billable-units"];

/// Makes the error of an answer.
pub(crate) fn classify(answer: Answer, asked: RequestContext<'_>) -> Classification {
    let facts = Facts::of(&answer, asked);
    let situation = facts.situation();
    let rule = rule_of(situation);
    let Decision {
        again,
        retryable,
        unknown,
    } = rule.decide(asked.idempotency, facts.hint);
    let error = Error::new(facts.code(), facts.message())
        .with_retryable(retryable)
        .with_outcome_unknown(unknown);
    let remedy = match situation {
        // What nobody knows is not simply tried again.
        Situation::Contradiction | Situation::GaveUp | Situation::Ingress
            if unknown && facts.foreign_page().is_none() =>
        {
            Some(SEE_FIRST.to_owned())
        }
        Situation::AppBusy if unknown && !facts.by_app() => Some(SEE_FIRST.to_owned()),
        _ => facts.remedy(),
    };
    let error = match remedy {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    };
    let retry_after = retry_after(answer.headers());
    let about = facts.about();
    let error = error
        .with_retry_after(retry_after)
        .with_lock_reason(facts.lock)
        .with_about(about);
    let error = error.with_fields(facts.fields);
    let answer = answer.with_names(facts.error_type, facts.request_id);
    Classification {
        error: error.with_answer(answer),
        again,
        rule,
    }
}

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

fn foreign(host: &str, status: u16, title: &str) -> String {
    format!("{host} answered {status} with an HTML page that is not fal's, titled {title:?}")
}

/// The error of a job whose status says why it failed, where no answer was kept that would (§5.3,
/// §16.6).
///
/// `answer` is what fal did answer. The type decides, by the status that usually comes with it.
pub(crate) fn told(text: &str, kind: Option<&str>, answer: Answer) -> Error {
    let usual = PLATFORM
        .iter()
        .find(|row| Some(row.name) == kind)
        .map_or(500, |row| row.status);
    let body = json!({ "detail": text, "error_type": kind })
        .to_string()
        .into();
    let typed = Answer::told(usual, HeaderMap::new(), body);
    let named = kind.map(|kind| format!(" ({kind})")).unwrap_or_default();
    let asked = RequestContext {
        host: "",
        service: true,
        idempotency: Idempotency::Safe,
        about_job: false,
        whose: Responder::Service,
    };
    let error = classify(typed, asked).error;
    error
        .with_message(format!(
            "the job failed: {}{named}; fal keeps no result of it",
            reason(text)
        ))
        .with_answer(answer)
}

fn reason(text: &str) -> &str {
    match clause(text) {
        "" => "no reason was given",
        text => text,
    }
}

/// The error of a job that failed with this answer, as a webhook tells of it: its body if that was
/// JSON (§10.1).
pub(crate) fn delivered(status: u16, text: &str, body: Bytes) -> Error {
    let answer = |headers| Answer::told(status, headers, body.clone());
    // It came through the gateway, whose headers a webhook does not repeat.
    let gateways = [(
        HeaderName::from_static("x-fal-request-id"),
        HeaderValue::from_static(""),
    )];
    let asked = RequestContext {
        host: "",
        service: true,
        idempotency: Idempotency::Safe,
        about_job: false,
        whose: Responder::Service,
    };
    let error = classify(answer(HeaderMap::from_iter(gateways)), asked).error;
    let error_type = error.error_type().map(str::to_owned);
    let error = match body.is_empty() {
        true => error.with_message(format!(
            "the job failed: {}; the webhook does not hold what the app answered",
            reason(text)
        )),
        false => error,
    };
    error.with_answer(answer(HeaderMap::new()).with_names(error_type, None))
}

/// The members of an error's body in which the shapes of §12.1 have something, as they were
/// written.
#[derive(Clone, Copy, Default)]
struct Members<'a> {
    detail: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    message: Option<&'a RawValue>,
    status: Option<&'a RawValue>,
    error_type: Option<&'a RawValue>,
    /// Of what is in `error`.
    error_message: Option<&'a RawValue>,
    error_kind: Option<&'a RawValue>,
    error_id: Option<&'a RawValue>,
}

impl<'a> Members<'a> {
    fn of(body: &'a [u8]) -> Option<Self> {
        let names = ["detail", "error", "message", "status", "error_type"];
        let [detail, error, message, status, error_type] = json::members(body, names)?;
        let names = ["message", "type", "request_id"];
        let within = error
            .and_then(|error| json::members(error.get().as_bytes(), names))
            .unwrap_or_default();
        let [error_message, error_kind, error_id] = within;
        Some(Members {
            detail,
            error,
            message,
            status,
            error_type,
            error_message,
            error_kind,
            error_id,
        })
    }

    /// The text for people.
    fn text(&self, fields: &[FieldError]) -> Option<String> {
        let mut text = String::new();
        for field in fields {
            let separator = if text.is_empty() { "" } else { "; " };
            // Writing into a text cannot fail.
            let _ = write!(text, "{separator}{}", clause(&field.to_string()));
            if text.len() > 4 * QUOTED {
                break;
            }
        }
        if fields.is_empty() {
            let places = [
                self.detail,
                self.error_message,
                self.error,
                self.message,
                self.status,
            ];
            text = places.into_iter().flatten().find_map(json::text)?;
        }
        Some(text.chars().take(QUOTED).collect()).filter(|text: &String| !text.is_empty())
    }
}

/// An answer, read once.
struct Facts<'a> {
    asked: RequestContext<'a>,
    status: u16,
    text: Option<String>,
    error_type: Option<String>,
    request_id: Option<String>,
    fields: Arc<[FieldError]>,
    /// The row of its name, if it has one that is known.
    named: Option<&'static Named>,
    /// The row of its text, if it has no name.
    said: Option<&'static messages::Row>,
    lock: Option<LockReason>,
    page: Option<Page>,
    /// What the service itself says about a retry, in any of its spellings (§16.13).
    hint: Option<bool>,
    /// The caller's own limit for the start of the work was missed (§5.7).
    start_deadline: bool,
    /// Without fal's request id it is the ingress that answered, not the gateway (§13.1).
    from_gateway: bool,
    /// The answer says which runner it is from, or what it cost: an app's.
    marked: bool,
    /// The row of the name in the header, which is the gateway's; the body may be an app's.
    named_by_header: Option<&'static Named>,
    /// The header names the error once, and as the body does, if that names one.
    names_agree: bool,
    is_json: bool,
}

impl<'a> Facts<'a> {
    fn of(answer: &Answer, asked: RequestContext<'a>) -> Self {
        let is_json = json::is_json(answer.body());
        let body = Members::of(answer.body())
            .filter(|_| is_json)
            .unwrap_or_default();
        let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok());
        let page = if is_json {
            None
        } else {
            Page::of(answer.headers(), answer.body())
        };
        let fields: Arc<[FieldError]> = fields::list(body.detail).into();
        let text = match &page {
            Some(page) => Some(format!("an HTML page instead of JSON ({})", page.title)),
            None if is_json => body.text(&fields),
            None => plain_text(answer.body()),
        };
        let (error_type, named) = name(&body, &fields, header(ERROR_TYPE));
        let marked = MARKS
            .iter()
            .any(|name| answer.headers().contains_key(*name));
        let by_app = asked.whose != Responder::Service && marked;
        let said = text
            .as_deref()
            .filter(|_| fields.is_empty())
            .and_then(|text| messages::find(answer.status(), text));
        let mut kinds = answer
            .headers()
            .get_all(ERROR_TYPE)
            .iter()
            .map(|value| value.to_str().ok());
        let lock = match answer.status() {
            _ if by_app => None,
            402 => Some(
                text.as_deref()
                    .and_then(LockReason::of)
                    .unwrap_or(LockReason::Balance),
            ),
            403 => text.as_deref().and_then(LockReason::of),
            _ => None,
        };
        Facts {
            asked,
            status: answer.status(),
            lock,
            named_by_header: header(ERROR_TYPE).and_then(|kind| table::find(PLATFORM, kind)),
            names_agree: answer.headers().contains_key(ERROR_TYPE)
                && kinds.all(|kind| kind == error_type.as_deref()),
            marked,
            is_json,
            text,
            error_type,
            request_id: body.error_id.and_then(json::text),
            fields,
            named,
            said: said.filter(|row| !by_app || !row.about.is_of_credential()),
            page,
            hint: retry_hint(answer.headers()),
            start_deadline: answer.status() == 504
                && header("x-fal-request-timeout-type") == Some("user"),
            from_gateway: header("x-fal-request-id").is_some(),
        }
    }

    /// The title of a page that is nobody's of fal's, where fal itself was asked.
    fn foreign_page(&self) -> Option<&str> {
        let page = self
            .page
            .as_ref()
            .filter(|page| self.asked.service && !self.from_gateway && !page.of_ingress)?;
        (self.status >= 400).then_some(&page.title)
    }

    /// Whether it is an app that answered.
    fn by_app(&self) -> bool {
        self.asked.whose != Responder::Service && self.marked
    }

    /// Whether a 401 or 429 was provably said before any app was asked.
    fn is_before_apps(&self) -> bool {
        match self.asked.whose {
            Responder::Service => true,
            Responder::Queue => !self.marked,
            Responder::App => self.by_gateway() && self.names_fit(),
        }
    }

    /// Whether no name of another status' failure is beside this one.
    fn names_fit(&self) -> bool {
        let mut named = self.named.into_iter().chain(self.named_by_header);
        named.all(|row| row.status == 0 || row.status == self.status)
    }

    /// Whether fal's gateway itself says what the answer says: by its id, and without anything of
    /// an app's.
    fn by_gateway(&self) -> bool {
        self.from_gateway && !self.marked && self.page.is_none()
    }

    /// Whether fal's gateway says by status, header and body alike that this is what happened.
    fn is_proven(&self, row: &Named) -> bool {
        self.by_gateway() && self.names_agree && self.fields.is_empty() && row.status == self.status
    }

    /// Whether a 401 is provably about the credential: it has one of the forms in which fal is
    /// known to refuse one, too. A program that an app calls may have refused the app's.
    fn is_credentials(&self) -> bool {
        let known = self.said.is_some_and(|row| row.about.is_of_credential());
        let silent = self.text.is_none() && self.fields.is_empty();
        self.asked.whose == Responder::Service || (self.is_before_apps() && (known || silent))
    }

    /// Whether something in front of fal does not let this machine in.
    fn is_edge(&self) -> bool {
        matches!(self.status, 403 | 451)
            && self.asked.service
            && !self.from_gateway
            && !self.is_json
    }

    fn about(&self) -> Option<RefusalReason> {
        match self.status {
            401..=403 | 429 if self.by_app() => Some(RefusalReason::AppsOwn),
            _ if self.is_edge() => Some(RefusalReason::Edge),
            _ => self.said.map(|row| row.about),
        }
    }

    fn is_gateway_failure(&self) -> bool {
        matches!(self.status, 502..=504)
    }

    fn situation(&self) -> Situation {
        let by_status = match status::of(self.status).situation {
            // No app ran for it, and nothing is lost by asking again.
            Situation::Failed if self.asked.about_job => Situation::Unavailable,
            Situation::Unavailable | Situation::GaveUp if !self.from_gateway => Situation::Ingress,
            Situation::Failed if !self.from_gateway => Situation::NotTheGateway,
            known => known,
        };
        if self.start_deadline {
            return if self.by_gateway() {
                Situation::StartDeadline
            } else {
                Situation::Contradiction
            };
        }
        let claim = self
            .named
            .into_iter()
            .chain(self.named_by_header)
            .find(|row| row.is_not_reached());
        match self.named.map(|row| (row.reached, row.again)) {
            _ if self.status == 401 && !self.is_credentials() => Situation::AppRefused,
            _ if self.status == 429 && !self.is_before_apps() => Situation::AppBusy,
            _ if matches!(self.status, 401 | 429) => by_status,
            _ if claim.is_some_and(|row| self.is_proven(row)) => Situation::NotReached,
            _ if claim.is_some() => Situation::Contradiction,
            Some((Execution::Unknown, Again::Yes)) => Situation::RunnerLost,
            Some((Execution::Unknown, _)) => Situation::PlatformFailed,
            Some((Execution::Answered, Again::Depends)) => Situation::Failed,
            Some((_, Again::No)) => Situation::Refused,
            // An unknown type is no reason for a retry (§12.2).
            None if !self.fields.is_empty() => Situation::Refused,
            _ => by_status,
        }
    }

    fn code(&self) -> Code {
        let documented = self
            .named
            .map(|row| row.status)
            .filter(|status| *status != 0);
        match self.status {
            402 | 403 if self.lock.is_some() => Code::AccountLocked,
            402 if self.by_app() => Code::InvalidInput,
            _ if self.foreign_page().is_some()
                && !self.is_gateway_failure()
                && self.status != 407 =>
            {
                Code::Protocol
            }
            // What was not let in says nothing else.
            300..=399 | 401 | 403 | 407 | 429 => status::of(self.status).code,
            _ => status::of(documented.unwrap_or(self.status)).code,
        }
    }

    /// `None` where the code's own says it.
    fn remedy(&self) -> Option<String> {
        const UNLISTED: &str = "Correct the input: the message has what the service says about it.";
        const APPS_OWN: &str = "The app itself answered so, and may have run: what refused it is a service that the app uses, or a rule of the \
            app's own. Ask its owner, with the request id, and see whether it ran before you send the request again.";
        const LATE: &str =
            "Allow the request more time to start, or try when the endpoint is less busy.";
        if let Some(lock) = self.lock {
            return Some(lock.remedy().to_owned());
        }
        match self.about() {
            Some(RefusalReason::AppsOwn) => return Some(APPS_OWN.to_owned()),
            Some(RefusalReason::Edge) if self.foreign_page().is_some() => {
                return Some(format!("{} {}", status::EDGE, status::PORTAL));
            }
            Some(RefusalReason::Edge) => return Some(status::EDGE.to_owned()),
            _ => {}
        }
        if self.start_deadline {
            return Some(LATE.to_owned());
        }
        if self.foreign_page().is_some() && self.status != 407 {
            return Some(match self.is_gateway_failure() {
                true => format!(
                    "Try again later. If that does not help: {}",
                    lower(status::PORTAL)
                ),
                false => status::PORTAL.to_owned(),
            });
        }
        if let Some(said) = self.said {
            return Some(said.remedy.to_owned());
        }
        let named = self.named.filter(|row| !row.remedy.is_empty());
        let remedy = named.map(|row| format!("{}{}", row.remedy, self.limits(row)));
        let remedy = remedy.or_else(|| {
            Some(status::of(self.status).remedy.to_owned()).filter(|remedy| !remedy.is_empty())
        });
        // The code's own speaks of a list of fields.
        let unlisted = self.code() == Code::InvalidInput && self.fields.is_empty();
        remedy.or_else(|| unlisted.then(|| UNLISTED.to_owned()))
    }

    /// What the answer says would be right: " (max_height 1024, max_width 1024)".
    fn limits(&self, row: &Named) -> String {
        const MOST: usize = 200;
        let context = self.fields.first().and_then(FieldError::context);
        let known = row
            .context
            .iter()
            .filter_map(|name| Some(format!("{name} {}", context?.get(name)?)));
        let known = known.collect::<Vec<_>>().join(", ");
        match known.is_empty() {
            true => known,
            false => format!(" ({})", known.chars().take(MOST).collect::<String>()),
        }
    }

    fn message(&self) -> String {
        if let Some(title) = self.foreign_page() {
            return foreign(self.asked.host, self.status, title);
        }
        let text = self
            .text
            .as_deref()
            .map(clause)
            .filter(|text| !text.is_empty());
        let text = text.unwrap_or("the answer gives no reason");
        let source = match (self.status >= 500 || self.is_edge(), self.from_gateway) {
            (true, false) => ", from in front of fal's gateway",
            _ => "",
        };
        let who = if self.about() == Some(RefusalReason::AppsOwn) {
            "the app"
        } else {
            "fal"
        };
        let kind = self
            .error_type
            .as_deref()
            .map(|kind| format!(" ({})", shortened(kind, QUOTED)))
            .unwrap_or_default();
        format!("{who} answered {}{source}: {text}{kind}", self.status)
    }
}

/// A sentence that follows a colon.
fn lower(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

/// The name of the error and its row: `error_type`, the type of the first entry of `detail`, or the
/// Platform API's `error.type` (§12.1). Each has a table of its own.
fn name(
    body: &Members<'_>,
    fields: &[FieldError],
    header: Option<&str>,
) -> (Option<String>, Option<&'static Named>) {
    let of_field = || {
        fields
            .first()
            .and_then(FieldError::error_type)
            .map(str::to_owned)
    };
    let in_body = None
        .or_else(|| Some((json::text(body.error_type?)?, PLATFORM)))
        .or_else(|| Some((of_field()?, MODEL)))
        .or_else(|| Some((json::text(body.error_kind?)?, API)));
    match in_body.or_else(|| Some((header?.to_owned(), PLATFORM))) {
        Some((name, table)) => {
            let named = table::find(table, &name);
            (Some(name), named)
        }
        None => (None, None),
    }
}

/// Whether fal documents an error of this name.
pub(crate) fn is_known(name: &str) -> bool {
    [PLATFORM, MODEL, API]
        .iter()
        .any(|table| table::find(table, name).is_some())
}

fn plain_text(body: &[u8]) -> Option<String> {
    const MOST: usize = 200;
    const BEGINNING: usize = 64 << 10;
    let text = String::from_utf8_lossy(&body[..body.len().min(BEGINNING)]);
    let line: String = text
        .trim()
        .chars()
        .take(MOST)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    Some(line).filter(|line| !line.is_empty())
}

#[cfg(any(test, fuzzing))]
#[path = "../fuzz/errors.rs"]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests {
    use super::*;

    fn verdict_of(status: u16, headers: &[(&'static str, &str)], body: &str) -> Classification {
        let headers = headers
            .iter()
            .map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()))
            .collect();
        let answer = Answer::told(status, headers, Bytes::copy_from_slice(body.as_bytes()));
        classify(
            answer,
            RequestContext {
                host: "fal.run",
                service: true,
                idempotency: Idempotency::NonIdempotent,
                about_job: false,
                whose: Responder::App,
            },
        )
    }

    const ID: (&str, &str) = ("x-fal-request-id", "r-1");
    const FAILED: (&str, &str) = ("x-fal-error-type", "runner_scheduling_failure");

    #[test]
    fn only_what_was_not_taken_may_be_sent_again() {
        type Case<'a> = (u16, &'a [(&'static str, &'a str)], &'a str, bool, bool);
        let cases: [Case<'_>; 12] = [
            (429, &[ID], "{}", true, false),
            (429, &[ID, ("x-fal-retryable", "false")], "{}", false, false),
            (
                503,
                &[ID, FAILED],
                r#"{"detail":"x","error_type":"runner_scheduling_failure"}"#,
                true,
                false,
            ),
            (
                503,
                &[ID],
                r#"{"detail":"x","error_type":"runner_scheduling_failure"}"#,
                false,
                true,
            ),
            (
                503,
                &[ID],
                r#"{"detail":"x","error_type":"runner_disconnected"}"#,
                false,
                true,
            ),
            (
                504,
                &[ID, ("x-fal-request-timeout-type", "user")],
                r#"{"error_type":"startup_timeout"}"#,
                false,
                false,
            ),
            (
                500,
                &[ID, ("x-fal-needs-retry", "1")],
                r#"{"detail":"x"}"#,
                false,
                false,
            ),
            (
                502,
                &[],
                "<html><title>502</title>nginx</html>",
                false,
                true,
            ),
            (502, &[ID], "{}", false, true),
            (503, &[ID], "{}", false, false),
            (422, &[ID], r#"{"detail":[]}"#, false, false),
            (408, &[], "", false, true),
        ];
        for (status, headers, body, not_taken, may_have_executed) in cases {
            let classify = verdict_of(status, headers, body);
            let got = (classify.again, classify.error.may_have_executed());
            assert_eq!(
                got,
                (not_taken, may_have_executed),
                "{status} {headers:?} {body}"
            );
        }
    }

    #[test]
    fn every_shape_of_body_gives_its_text() {
        for (status, body, code, text) in [
            (
                422,
                r#"{"detail":[{"loc":["body","seed"],"msg":"bad","type":"int_parsing"}]}"#,
                Code::InvalidInput,
                "body.seed: bad (int_parsing)",
            ),
            (
                400,
                r#"{"detail":[{"msg":"down","type":"downstream_service_error"}]}"#,
                Code::ServiceFailed,
                "down",
            ),
            (
                500,
                r#"{"detail":[{"msg":"down","type":"downstream_service_error"}]}"#,
                Code::ServiceFailed,
                "down",
            ),
            (
                403,
                r#"{"error":{"type":"authorization_error","message":"Access denied"}}"#,
                Code::Forbidden,
                "Access denied",
            ),
            (
                403,
                r#"{"detail":"User is locked. Reason: Exhausted balance."}"#,
                Code::AccountLocked,
                "Exhausted balance",
            ),
            (
                404,
                r#"{"status":"NOT_FOUND"}"#,
                Code::NotFound,
                "NOT_FOUND",
            ),
            (
                404,
                r#"{"error":"no such key"}"#,
                Code::NotFound,
                "no such key",
            ),
            (401, "Unauthorized", Code::Unauthenticated, "Unauthorized"),
            (
                502,
                "<html><title>Bad Gateway</title>",
                Code::ServiceUnavailable,
                "HTML page instead of JSON (Bad Gateway)",
            ),
            (500, "", Code::ServiceFailed, "gives no reason"),
            (307, "", Code::Redirect, "307"),
        ] {
            let error = verdict_of(status, &[ID], body).error;
            assert_eq!(error.code(), code, "{body}");
            assert!(error.message().contains(text), "{}", error.message());
        }
    }

    #[test]
    fn the_request_id_is_in_the_header_or_in_the_body() {
        let body = r#"{"error":{"type":"authorization_error","message":"Access denied","request_id":"r-2"}}"#;
        assert_eq!(verdict_of(403, &[], body).error.request_id(), Some("r-2"));
        assert_eq!(verdict_of(403, &[ID], body).error.request_id(), Some("r-1"));
        assert_eq!(verdict_of(403, &[], "{}").error.request_id(), None);
    }

    #[test]
    fn every_row_of_the_tables_has_one_name_and_a_source() {
        for table in [MODEL, PLATFORM, API] {
            for (place, row) in table.iter().enumerate() {
                assert!(row.source.starts_with('§'), "{row:?}");
                assert!(
                    table[place + 1..]
                        .iter()
                        .all(|other| other.name != row.name),
                    "{row:?}"
                );
            }
        }
        assert_eq!((MODEL.len(), PLATFORM.len(), API.len()), (31, 13, 6));
    }

    #[test]
    fn a_page_of_somebody_else_is_named() {
        let page = "<!doctype html><title>Sign in to Wi-Fi</title>";
        let wifi = |status| verdict_of(status, &[("content-type", "text/html")], page).error;
        for status in [400, 401, 403, 404, 418, 500, 511] {
            let error = wifi(status);
            assert_eq!(error.code(), Code::Protocol, "{error}");
            assert!(
                error.message().contains("fal.run") && error.message().contains("Sign in to Wi-Fi"),
                "{error}"
            );
            assert!(
                error.remedy().contains("captive portal")
                    && error.remedy().contains("corporate proxy")
            );
        }
        assert_eq!(
            (wifi(503).code(), wifi(407).code()),
            (Code::ServiceUnavailable, Code::Connect)
        );
        assert!(
            wifi(503).message().contains("Sign in")
                && wifi(503).remedy().contains("captive portal")
        );
        assert!(wifi(407).remedy().contains("HTTPS_PROXY") && !wifi(407).may_have_executed());
        // Through the gateway it is the app's own page; an nginx is fal's ingress.
        assert_eq!(verdict_of(404, &[ID], page).error.code(), Code::NotFound);
        let nginx = verdict_of(413, &[], "<html><title>413</title>nginx").error;
        assert_eq!(nginx.code(), Code::InvalidInput);
        assert_eq!(wifi(302).code(), Code::Redirect);
    }
}
