//! The request headers that control the platform (docs/protocol.md §5.7).

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::Answer;

/// The priority of a request. Within an endpoint's line, every `Normal` request precedes all `Low`
/// ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    #[default]
    Normal,
    Low,
}

/// The number of extra attempts for one condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budget {
    pub(crate) retries: u32,
}

/// The extra attempts for each condition; a condition that is not named has the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetryConfig {
    pub(crate) server_error: Option<Budget>,
    pub(crate) timeout: Option<Budget>,
    pub(crate) connection_error: Option<Budget>,
}

/// The options of a request for the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Controls {
    /// The start deadline, counted from submission.
    pub(crate) start_within: Option<Duration>,
    pub(crate) priority: Priority,
    pub(crate) store: bool,
    pub(crate) no_retry: bool,
    pub(crate) retry_config: RetryConfig,
}

impl Controls {
    /// Reads the headers. A malformed one is 400 `bad_request`.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Answer> {
        let priority = match text(headers, "x-fal-queue-priority")? {
            None | Some("normal") => Priority::Normal,
            Some("low") => Priority::Low,
            Some(_) => return Err(bad_request("X-Fal-Queue-Priority must be normal or low")),
        };
        if let Some(preference) = text(headers, "x-fal-object-lifecycle-preference")?
            && !serde_json::from_str(preference).is_ok_and(|value: Value| value.is_object())
        {
            return Err(bad_request(
                "X-Fal-Object-Lifecycle-Preference is not a JSON object",
            ));
        }
        let no_retry = text(headers, "x-fal-no-retry")?.unwrap_or_default();
        Ok(Self {
            start_within: start_within(headers)?,
            priority,
            store: text(headers, "x-fal-store-io")? != Some("0"),
            no_retry: ["1", "true", "yes"]
                .iter()
                .any(|yes| no_retry.eq_ignore_ascii_case(yes)),
            // An invalid configuration is ignored without an error.
            retry_config: text(headers, "x-fal-retry-config")?
                .and_then(|config| serde_json::from_str(config).ok())
                .unwrap_or_default(),
        })
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Answer> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .map_err(|_| bad_request(&format!("{name} is not text")))?;
    Ok(Some(text.trim()))
}

/// The shorter time of the two headers (§16.11).
fn start_within(headers: &HeaderMap) -> Result<Option<Duration>, Answer> {
    let mut shortest: Option<Duration> = None;
    for name in ["x-fal-request-timeout", "x-fal-request-start-timeout"] {
        let Some(value) = text(headers, name)? else {
            continue;
        };
        let seconds = value.parse().ok().filter(|seconds| *seconds > 0.1_f64);
        let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let time = time
            .ok_or_else(|| bad_request(&format!("{name} is not a number of seconds above 0.1")))?;
        shortest = Some(shortest.map_or(time, |known| known.min(time)));
    }
    Ok(shortest)
}

/// 400 `bad_request` (§12.3).
pub(crate) fn bad_request(detail: &str) -> Answer {
    Answer::json(
        StatusCode::BAD_REQUEST,
        &json!({ "detail": detail, "error_type": "bad_request" }),
    )
    .header("x-fal-error-type", HeaderValue::from_static("bad_request"))
}
