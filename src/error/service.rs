//! What an answer that is not a success means (fal-protocol.md §2.5, §12).

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::{Answer, Code, Error};

/// Whether the app can have been reached when the platform reports this failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    Never,
    Perhaps,
}

/// The platform's failures (§12.3): type, whether a retry makes sense, whether the app was reached.
///
/// The page says of each whether a retry makes sense; that the first four never reach an app follows from what they name.
const PLATFORM: [(&str, bool, Reached); 13] = [
    ("runner_scheduling_failure", true, Reached::Never),
    ("runner_connection_refused", true, Reached::Never),
    ("runner_connection_timeout", true, Reached::Never),
    ("startup_timeout", true, Reached::Never),
    ("bad_request", false, Reached::Never),
    ("request_timeout", true, Reached::Perhaps),
    ("runner_disconnected", true, Reached::Perhaps),
    ("runner_connection_error", true, Reached::Perhaps),
    ("runner_incomplete_response", true, Reached::Perhaps),
    ("runner_server_error", false, Reached::Perhaps),
    ("client_disconnected", false, Reached::Perhaps),
    ("client_cancelled", false, Reached::Perhaps),
    ("internal_error", false, Reached::Perhaps),
];

/// What the transport needs to know about an answer besides the error itself.
pub(crate) struct Verdict {
    pub(crate) error: Error,
    /// The service said that it did not take the request, so that sending it again is safe even for a POST.
    pub(crate) not_taken: bool,
}

/// Makes the error of an answer. `safe` is whether the request does no harm when it is sent twice.
pub(crate) fn verdict(answer: Answer, safe: bool) -> Verdict {
    let facts = Facts::of(&answer);
    let code = facts.code();
    let retryable = facts.retryable();
    let not_taken = facts.not_taken() && retryable;
    let may_have_executed = !safe && !not_taken && facts.may_have_executed();
    let retry_after = retry_after(&answer.headers);
    let error = Error::new(code, facts.message());
    let error = match facts.start_deadline {
        true => error.with_remedy("Allow the request more time to start, or try when the endpoint is less busy."),
        false => error,
    };
    let (error_type, request_id) = (facts.error_type.clone(), facts.request_id.clone());
    let error = error
        .with_retryable(retryable)
        .with_outcome_unknown(may_have_executed)
        .with_retry_after(retry_after)
        .with_answer(Answer { error_type, request_id, ..answer });
    Verdict { error, not_taken }
}

/// An answer, read once.
struct Facts {
    status: u16,
    text: Option<String>,
    error_type: Option<String>,
    request_id: Option<String>,
    /// What the service itself says about a retry, in any of its spellings (§16.13).
    hint: Option<bool>,
    /// The caller's own limit for the start of the work was missed (§5.7).
    start_deadline: bool,
    /// Without fal's request id it is the ingress that answered, not the gateway (§13.1).
    from_gateway: bool,
}

impl Facts {
    fn of(answer: &Answer) -> Self {
        let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let header = |name: &str| answer.headers.get(name).and_then(|v| v.to_str().ok());
        let typed = json.as_ref().and_then(error_type).or_else(|| header("x-fal-error-type"));
        Facts {
            status: answer.status,
            text: text(json.as_ref(), &answer.body),
            error_type: typed.map(str::to_owned),
            request_id: json.as_ref().and_then(|json| Some(json.pointer("/error/request_id")?.as_str()?.to_owned())),
            hint: hint(&answer.headers),
            start_deadline: answer.status == 504 && header("x-fal-request-timeout-type") == Some("user"),
            from_gateway: header("x-fal-request-id").is_some(),
        }
    }

    fn platform(&self) -> Option<&'static (&'static str, bool, Reached)> {
        let name = self.error_type.as_deref()?;
        PLATFORM.iter().find(|row| row.0 == name)
    }

    fn code(&self) -> Code {
        let locked = self.text.as_deref().is_some_and(|text| text.contains("User is locked"));
        match (self.status, self.error_type.as_deref()) {
            (403, _) if locked => Code::AccountLocked,
            // 400 in one place of the documentation, 500 in another (§16.14).
            (_, Some("downstream_service_error")) => Code::ServiceFailed,
            (300..=399, _) => Code::Redirect,
            (401, _) => Code::Unauthenticated,
            (403, _) => Code::Forbidden,
            (404 | 410, _) => Code::NotFound,
            (429, _) => Code::RateLimited,
            (408, _) | (502..=504, _) => Code::ServiceUnavailable,
            (499, _) => Code::ServiceFailed,
            (400..=498, _) => Code::InvalidInput,
            (500..=599, _) => Code::ServiceFailed,
            _ => Code::Protocol,
        }
    }

    fn retryable(&self) -> bool {
        if self.start_deadline {
            return false;
        }
        let usual = || matches!(self.status, 408 | 429 | 502 | 503 | 504);
        self.hint.unwrap_or_else(|| self.platform().map_or_else(usual, |row| row.1))
    }

    fn not_taken(&self) -> bool {
        self.status == 429 || self.platform().is_some_and(|row| row.2 == Reached::Never)
    }

    fn may_have_executed(&self) -> bool {
        match self.platform() {
            Some(row) => row.2 == Reached::Perhaps,
            None => self.status == 408 || (self.status >= 500 && !self.from_gateway),
        }
    }

    fn message(&self) -> String {
        let text = self.text.as_deref().unwrap_or("the answer gives no reason");
        let source = match (self.status >= 500, self.from_gateway) {
            (true, false) => ", from in front of fal's gateway",
            _ => "",
        };
        match self.error_type.as_deref() {
            Some(kind) => format!("fal answered {}{source}: {text} ({kind})", self.status),
            None => format!("fal answered {}{source}: {text}", self.status),
        }
    }
}

/// `error_type`, the type of the first entry of `detail`, or the Platform API's `error.type` (§12.1).
fn error_type(json: &Value) -> Option<&str> {
    let places = ["/error_type", "/detail/0/type", "/error/type"];
    places.iter().find_map(|place| json.pointer(place)?.as_str())
}

/// The text for people, from any of the shapes of §12.1.
fn text(json: Option<&Value>, body: &[u8]) -> Option<String> {
    const MOST: usize = 500;
    let Some(json) = json else { return plain_text(body) };
    let entries = json.get("detail").and_then(Value::as_array);
    let text = match entries {
        Some(entries) => entries.iter().map(field_text).collect::<Vec<_>>().join("; "),
        None => {
            let places = ["/detail", "/error/message", "/error", "/message", "/status"];
            places.iter().find_map(|place| json.pointer(place)?.as_str())?.to_owned()
        }
    };
    Some(text.chars().take(MOST).collect()).filter(|text: &String| !text.is_empty())
}

/// One entry of a list of field errors: `body.image_size: Input should be …`.
fn field_text(entry: &Value) -> String {
    let segment = |part: &Value| part.as_str().map_or_else(|| part.to_string(), str::to_owned);
    let place = entry.get("loc").and_then(Value::as_array).into_iter().flatten().map(segment);
    let place = place.collect::<Vec<_>>().join(".");
    let message = entry.get("msg").and_then(Value::as_str).unwrap_or("refused");
    match place.is_empty() {
        true => message.to_owned(),
        false => format!("{place}: {message}"),
    }
}

fn plain_text(body: &[u8]) -> Option<String> {
    const MOST: usize = 200;
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.starts_with('<') {
        let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        return Some(format!("an HTML page instead of JSON ({})", title.map_or("untitled", |(title, _)| title.trim())));
    }
    let line: String = text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    Some(line).filter(|line| !line.is_empty())
}

fn hint(headers: &HeaderMap) -> Option<bool> {
    ["x-fal-needs-retry", "x-fal-retryable"].iter().find_map(|name| {
        match headers.get(*name)?.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        }
    })
}

/// `Retry-After`: seconds, or an HTTP date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn verdict_of(status: u16, headers: &[(&'static str, &str)], body: &str) -> Verdict {
        let headers = headers.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
        let answer = Answer {
            status,
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
            error_type: None,
            request_id: None,
        };
        verdict(answer, false)
    }

    const ID: (&str, &str) = ("x-fal-request-id", "r-1");

    #[test]
    fn only_what_was_not_taken_may_be_sent_again() {
        type Case<'a> = (u16, &'a [(&'static str, &'a str)], &'a str, bool, bool);
        let cases: [Case<'_>; 10] = [
            (429, &[ID], "{}", true, false),
            (429, &[ID, ("x-fal-retryable", "false")], "{}", false, false),
            (503, &[ID], r#"{"detail":"x","error_type":"runner_scheduling_failure"}"#, true, false),
            (503, &[ID], r#"{"detail":"x","error_type":"runner_disconnected"}"#, false, true),
            (504, &[ID, ("x-fal-request-timeout-type", "user")], r#"{"error_type":"startup_timeout"}"#, false, false),
            (500, &[ID, ("x-fal-needs-retry", "1")], r#"{"detail":"x"}"#, false, false),
            (502, &[], "<html><title>502</title>nginx</html>", false, true),
            (502, &[ID], "{}", false, false),
            (422, &[ID], r#"{"detail":[]}"#, false, false),
            (408, &[], "", false, true),
        ];
        for (status, headers, body, not_taken, may_have_executed) in cases {
            let verdict = verdict_of(status, headers, body);
            let got = (verdict.not_taken, verdict.error.may_have_executed());
            assert_eq!(got, (not_taken, may_have_executed), "{status} {headers:?} {body}");
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
            (400, r#"{"detail":[{"msg":"down","type":"downstream_service_error"}]}"#, Code::ServiceFailed, "down"),
            (500, r#"{"detail":[{"msg":"down","type":"downstream_service_error"}]}"#, Code::ServiceFailed, "down"),
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
            (404, r#"{"status":"NOT_FOUND"}"#, Code::NotFound, "NOT_FOUND"),
            (404, r#"{"error":"no such key"}"#, Code::NotFound, "no such key"),
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
    fn retry_after_is_seconds_or_a_date() {
        let after = |value: &str| verdict_of(429, &[("retry-after", value)], "").error.retry_after();
        assert_eq!(after("2"), Some(Duration::from_secs(2)));
        assert_eq!(after("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(after("-1"), None);
        assert_eq!(after("1e300"), None);
        assert_eq!(after("soon"), None);
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert!(after("Fri, 01 Jan 2100 00:00:00 GMT").unwrap() > Duration::from_secs(1_000_000));
    }
}
