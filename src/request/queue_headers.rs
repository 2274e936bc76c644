//! The platform's options of a request, most of them headers (docs/protocol.md §5.7).

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::queue_options::{Priority, Retries};
use super::{Request, header_value};
use crate::endpoint::{self, Hosts};
use crate::error::{Error, Result};

/// The official clients refuse shorter times (§5.7).
const LEAST_START: Duration = Duration::from_secs(1);
/// The platform makes at most ten attempts in all (§5.9).
const MOST_RETRIES: u32 = 9;
const MOST_TAGS: usize = 10;
const LONGEST_TAG_NAME: usize = 64;
const LONGEST_TAG_VALUE: usize = 256;
const LONGEST_TAGS: usize = 1024;

const PRIORITY: HeaderName = HeaderName::from_static("x-fal-queue-priority");
const START_TIMEOUT: HeaderName = HeaderName::from_static("x-fal-request-timeout");
const RUNNER_HINT: HeaderName = HeaderName::from_static("x-fal-runner-hint");
const LIFECYCLE: HeaderName = HeaderName::from_static("x-fal-object-lifecycle-preference");
const STORE_IO: HeaderName = HeaderName::from_static("x-fal-store-io");
const NO_RETRY: HeaderName = HeaderName::from_static("x-fal-no-retry");
const RETRY_CONFIG: HeaderName = HeaderName::from_static("x-fal-retry-config");
/// fal documents the header under two names (§16.15).
const NO_FALLBACK: [HeaderName; 2] = [
    HeaderName::from_static("x-app-fal-disable-fallback"),
    HeaderName::from_static("x-fal-disable-fallbacks"),
];
const TAGS: HeaderName = HeaderName::from_static("x-fal-tags");

/// Options of queued requests. A direct run ignores them, unless the method says otherwise.
impl Request {
    /// Sets the priority in the queue.
    pub fn set_priority(&mut self, priority: Priority) {
        let name = match priority {
            Priority::Normal => "normal",
            Priority::Low => "low",
        };
        self.headers
            .insert(PRIORITY, HeaderValue::from_static(name));
    }

    /// Sets the time within which the work has to start after the submission, above one second. If
    /// it does not, the request fails with 504 and the platform does not retry it. Work that has
    /// started has no limit. For a direct run it is the time to find a runner. `None` means no
    /// limit.
    pub fn set_start_timeout(&mut self, timeout: impl Into<Option<Duration>>) -> Result<()> {
        let Some(timeout) = timeout.into() else {
            self.headers.remove(START_TIMEOUT);
            return Ok(());
        };
        if timeout <= LEAST_START {
            return Err(Error::invalid(format!(
                "the start timeout must be above 1000 ms, not {}",
                timeout.as_millis()
            )));
        }
        self.insert(START_TIMEOUT, &timeout.as_secs_f64().to_string())
    }

    /// Prefers the runner that served this hint before, if it is free. Holds for direct runs too.
    pub fn set_runner_hint(&mut self, hint: &str) -> Result<()> {
        self.insert(RUNNER_HINT, hint)
    }

    /// Sets the URL to which fal posts the result when the job has ended: https, or http on this
    /// machine for the emulator.
    pub fn set_webhook(&mut self, url: &str) -> Result<()> {
        let parsed = endpoint::https_or_local(url).map_err(|wrong| {
            Error::invalid(format!("the URL of the webhook {wrong}")).with_remedy(
                "Give a URL that fal can reach, such as https://app.example/fal/webhook.",
            )
        })?;
        self.queue.webhook = Some(parsed);
        Ok(())
    }

    /// Sets how many requests of all callers may wait at the endpoint. If more wait, fal refuses
    /// the submission, which is retried like any refused request
    /// ([`ClientBuilder::max_attempts`](crate::ClientBuilder::max_attempts)) and then fails with
    /// [`Code::RateLimited`](crate::Code::RateLimited).
    pub fn set_max_queue_length(&mut self, most: u32) {
        self.queue.longest_line = Some(most);
    }

    /// Sets how long fal keeps the files that the request creates, and who may read them (§9.6): an
    /// object with `expiration_duration_seconds` (a positive number, or null for ever),
    /// `initial_acl` (an object), or both. Holds for direct runs too.
    pub fn set_object_lifecycle(&mut self, preference: &Value) -> Result<()> {
        let members = preference.as_object().filter(|members| !members.is_empty());
        let members = members.ok_or_else(|| {
            Error::invalid("the lifecycle must be an object with at least one member")
        })?;
        for (name, value) in members {
            let fits = match name.as_str() {
                "expiration_duration_seconds" => {
                    value.is_null() || value.as_f64().is_some_and(|seconds| seconds > 0.0)
                }
                "initial_acl" => value.is_object(),
                _ => {
                    return Err(Error::invalid(format!(
                        "a lifecycle has no member {name:?}"
                    )));
                }
            };
            if !fits {
                return Err(Error::invalid(format!("{name} must not be {value}")));
            }
        }
        self.insert(LIFECYCLE, &preference.to_string())
    }

    /// Sets whether fal stores the input and the output for 30 days, which is the default. It does
    /// not affect files. Holds for direct runs too.
    pub fn set_store_io(&mut self, store: bool) {
        self.headers.insert(
            STORE_IO,
            HeaderValue::from_static(if store { "1" } else { "0" }),
        );
    }

    /// Forbids the platform to retry failed attempts, which it does by default.
    pub fn set_no_retry(&mut self, no_retry: bool) {
        self.switch(NO_RETRY, no_retry);
    }

    /// Sets how many times the platform retries failed attempts, 0 to 9 for each kind of failure.
    /// fal honours it for apps of the caller only.
    pub fn set_retries(&mut self, retries: Retries) -> Result<()> {
        let named = [
            ("server_error", retries.server_error),
            ("timeout", retries.timeout),
            ("connection_error", retries.connection_error),
        ];
        let mut config = Map::new();
        for (name, count) in named
            .into_iter()
            .filter_map(|(name, count)| Some((name, count?)))
        {
            if count > MOST_RETRIES {
                return Err(Error::invalid(format!(
                    "retries after {name} must be 0 to {MOST_RETRIES}, not {count}"
                )));
            }
            config.insert(name.to_owned(), json!({ "retries": count }));
        }
        if config.is_empty() {
            self.headers.remove(RETRY_CONFIG);
            return Ok(());
        }
        self.insert(RETRY_CONFIG, &Value::Object(config).to_string())
    }

    /// Forbids the platform to send the request to an equivalent endpoint when this one fails.
    /// Holds for direct runs too.
    pub fn set_no_fallback(&mut self, no_fallback: bool) {
        NO_FALLBACK
            .into_iter()
            .for_each(|name| self.switch(name, no_fallback));
    }

    /// Adds a tag or replaces its value. There are at most ten tags, with 1024 bytes in all. A name
    /// has 1 to 64 characters of `a-z 0-9 . _ -` and does not begin with `fal.`. A value has up to
    /// 256 printable ASCII characters and no comma. Holds for direct runs too.
    pub fn set_tag(&mut self, name: &str, value: &str) -> Result<()> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        let named = (1..=LONGEST_TAG_NAME).contains(&name.len()) && name.bytes().all(plain);
        if !named || name.starts_with("fal.") {
            return Err(Error::invalid(format!(
                "{:?} is not the name of a tag",
                endpoint::abbreviate(name)
            )));
        }
        let printable = |b: u8| (b' '..=b'~').contains(&b) && b != b',';
        if value.len() > LONGEST_TAG_VALUE || !value.bytes().all(printable) {
            return Err(Error::invalid(format!(
                "the value of the tag {name} must be up to {LONGEST_TAG_VALUE} printable ASCII characters without a comma"
            )));
        }
        let before = self
            .headers
            .get(TAGS)
            .and_then(|tags| tags.to_str().ok())
            .unwrap_or_default();
        let is_other = |tag: &&str| {
            !tag.is_empty() && tag.split_once('=').is_none_or(|(other, _)| other != name)
        };
        let tag = format!("{name}={value}");
        let tags: Vec<&str> = before
            .split(',')
            .filter(is_other)
            .chain([tag.as_str()])
            .collect();
        let text = tags.join(",");
        if tags.len() > MOST_TAGS || text.len() > LONGEST_TAGS {
            return Err(Error::invalid(format!(
                "a request has at most {MOST_TAGS} tags, with {LONGEST_TAGS} bytes in all"
            )));
        }
        self.insert(TAGS, &text)
    }

    /// Sets whether [`subscribe`](crate::Client::subscribe_start) fetches the log. By default it
    /// does.
    pub fn set_logs(&mut self, logs: bool) {
        self.queue.watch.logs = logs;
    }

    /// Sets whether the job continues at fal when a [`subscribe`](crate::Client::subscribe_start),
    /// or a [`submit`](crate::Client::submit_start) that is under way, is cancelled, reaches its
    /// deadline or is ended by a shutdown. By default the job is cancelled.
    pub fn set_keep_running(&mut self, keep: bool) {
        self.queue.watch.keep_running = keep;
    }

    /// Returns the POST that submits this request.
    pub(crate) fn submission(&self, hosts: &Hosts) -> Result<Request> {
        let endpoint = self.endpoint()?.clone();
        if self.method != Method::POST {
            return Err(Error::invalid(format!(
                "the queue accepts POST only, not {}",
                self.method
            )));
        }
        let mut url = self.url(hosts.queue_url(endpoint.as_str())?, "");
        if let Some(webhook) = &self.queue.webhook {
            url.query_pairs_mut()
                .append_pair("fal_webhook", webhook.as_str());
        }
        if let Some(most) = self.queue.longest_line {
            url.query_pairs_mut()
                .append_pair("fal_max_queue_length", &most.to_string());
        }
        Ok(self.for_endpoint(endpoint, Method::POST, url))
    }

    fn insert(&mut self, name: HeaderName, value: &str) -> Result<()> {
        let value = header_value(name.as_str(), value)?;
        self.headers.insert(name, value);
        Ok(())
    }

    fn switch(&mut self, name: HeaderName, on: bool) {
        match on {
            true => drop(self.headers.insert(name, HeaderValue::from_static("1"))),
            false => drop(self.headers.remove(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request::run("a/b/c").unwrap()
    }

    fn header(request: &Request, name: &str) -> Option<String> {
        Some(request.headers.get(name)?.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_start_timeout_is_in_seconds_above_one() {
        let mut request = request();
        for (ms, text) in [
            (1001, "1.001"),
            (1500, "1.5"),
            (30_000, "30"),
            (3_600_000, "3600"),
        ] {
            request
                .set_start_timeout(Duration::from_millis(ms))
                .unwrap();
            assert_eq!(
                header(&request, "X-Fal-Request-Timeout").as_deref(),
                Some(text)
            );
        }
        for ms in [0, 100, 1000] {
            assert!(
                request
                    .set_start_timeout(Duration::from_millis(ms))
                    .is_err(),
                "{ms}"
            );
        }
    }

    #[test]
    fn webhooks_are_https_or_here() {
        let mut request = request();
        for good in [
            "https://app.example/hook?a=1&b=2",
            "http://127.0.0.1:80/x",
            "http://localhost:9/",
            "http://[::1]:1/",
        ] {
            request.set_webhook(good).unwrap();
        }
        for (bad, wrong) in [
            ("http://app.example/", "is not an https URL"),
            ("ftp://a/", "is not an https URL"),
            ("app.example", "is not an https URL"),
            ("", "is not an https URL"),
            ("https://u:fake-secret@app.example/", "no user name"),
            ("https://u@app.example/#b", "no user name"),
            ("https://a/#b", "no fragment"),
        ] {
            let error = request.set_webhook(bad).unwrap_err();
            assert!(error.message().contains(wrong), "{bad}: {error}");
            assert!(!error.to_string().contains("fake-secret"), "{error}");
        }
        request
            .set_webhook("https://app.example/hook?a=1&b=2")
            .unwrap();
        request.set_max_queue_length(7);
        let Ok(submission) = request.submission(&Hosts::default()) else {
            panic!("no submission")
        };
        let crate::request::Target::Of(_, url) = submission.target else {
            panic!("no address")
        };
        assert_eq!(
            url.as_str(),
            "https://queue.fal.run/a/b/c?fal_webhook=https%3A%2F%2Fapp.example%2Fhook%3Fa%3D1%26b%3D2&fal_max_queue_length=7"
        );
    }

    #[test]
    fn only_a_post_to_an_endpoint_is_submitted() {
        let mut get = request();
        get.set_method("GET").unwrap();
        assert!(get.submission(&Hosts::default()).is_err());
        let address = Request::new("POST", "https://queue.fal.run/a/b").unwrap();
        assert!(address.submission(&Hosts::default()).is_err());
    }

    #[test]
    fn lifecycles_have_two_members() {
        let mut request = request();
        let lifecycle =
            json!({"expiration_duration_seconds": 3600, "initial_acl": {"default": "forbid"}});
        request.set_object_lifecycle(&lifecycle).unwrap();
        let sent = header(&request, "x-fal-object-lifecycle-preference").unwrap();
        assert_eq!(serde_json::from_str::<Value>(&sent).unwrap(), lifecycle);
        request
            .set_object_lifecycle(&json!({"expiration_duration_seconds": null}))
            .unwrap();
        for bad in [
            json!(null),
            json!({}),
            json!([]),
            json!({"expiration_duration_seconds": 0}),
            json!({"expiration_duration_seconds": -1}),
            json!({"expiration_duration_seconds": "1h"}),
            json!({"expiration_duration_seconds": true}),
            json!({"initial_acl": "forbid"}),
            json!({"expires": 1}),
        ] {
            assert!(request.set_object_lifecycle(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn retries_are_named_and_bounded() {
        let mut request = request();
        request
            .set_retries(Retries {
                server_error: Some(2),
                timeout: Some(0),
                connection_error: None,
            })
            .unwrap();
        let sent = header(&request, "x-fal-retry-config").unwrap();
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(
            sent,
            json!({"server_error": {"retries": 2}, "timeout": {"retries": 0}})
        );
        assert!(
            request
                .set_retries(Retries {
                    timeout: Some(10),
                    ..Retries::default()
                })
                .is_err()
        );
        request.set_retries(Retries::default()).unwrap();
        assert_eq!(header(&request, "x-fal-retry-config"), None);
    }

    #[test]
    fn tags_are_checked_replaced_and_counted() {
        let mut request = request();
        request.set_tag("team", "art").unwrap();
        request.set_tag("env", "a=b c").unwrap();
        request.set_tag("team", "code").unwrap();
        assert_eq!(
            header(&request, "x-fal-tags").as_deref(),
            Some("env=a=b c,team=code")
        );
        for (name, value) in [
            ("", "x"),
            ("Team", "x"),
            ("fal.x", "x"),
            ("a b", "x"),
            ("a", "x,y"),
            ("a", "ü"),
            ("a", "x\n"),
        ] {
            assert!(request.set_tag(name, value).is_err(), "{name:?} {value:?}");
        }
        assert!(
            request.set_tag(&"x".repeat(65), "").is_err()
                && request.set_tag("x", &"x".repeat(257)).is_err()
        );
        (0..8).for_each(|n| request.set_tag(&format!("n{n}"), "").unwrap());
        assert!(request.set_tag("eleventh", "").is_err());
        request.set_tag("n0", "changed").unwrap();
        assert!(
            (1..5).any(|n| request.set_tag(&format!("n{n}"), &"x".repeat(256)).is_err()),
            "1024 bytes are too many"
        );
    }

    #[test]
    fn switches_can_be_taken_back() {
        let mut request = request();
        request.set_priority(Priority::Low);
        request.set_store_io(false);
        request.set_no_retry(true);
        request.set_no_fallback(true);
        request.set_runner_hint("h-1").unwrap();
        assert!(request.set_runner_hint("a\r\nb: c").is_err());
        let sent = |name| header(&request, name);
        assert_eq!(sent("x-fal-queue-priority").as_deref(), Some("low"));
        assert_eq!(sent("x-fal-store-io").as_deref(), Some("0"));
        assert_eq!(sent("x-fal-no-retry").as_deref(), Some("1"));
        let no_fallback = ["x-app-fal-disable-fallback", "x-fal-disable-fallbacks"];
        assert!(
            no_fallback
                .iter()
                .all(|name| sent(name).as_deref() == Some("1"))
        );
        assert_eq!(sent("x-fal-runner-hint").as_deref(), Some("h-1"));
        request.set_no_retry(false);
        request.set_no_fallback(false);
        assert_eq!(header(&request, "x-fal-no-retry"), None);
        assert!(
            no_fallback
                .iter()
                .all(|name| header(&request, name).is_none())
        );
    }
}
