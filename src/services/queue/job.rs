//! A request in the queue, and its URLs (docs/protocol.md §3.2).

use std::time::Duration;

use serde_json::value::RawValue;
use url::Url;

use crate::codec::json;
use crate::endpoint::{EndpointId, Hosts, abbreviate};
use crate::error::{Code, Error, Result};
use crate::request::WatchOptions;
use crate::response::Response;

/// The longest request id that is accepted, in bytes. Known ids are UUIDs (§3.3).
const LONGEST_ID: usize = 256;

/// A queued request, whose status and result any process can ask for, and which any process can
/// cancel, at any time.
///
/// The endpoint id and the request id identify it. Store both to return to the job after a restart.
#[derive(Clone)]
pub struct Job {
    pub(super) endpoint: EndpointId,
    pub(super) id: String,
    urls: NamedUrls,
    pub(super) options: WatchOptions,
}

/// The URLs in the response to the submission.
#[derive(Clone, Default)]
struct NamedUrls {
    status: Option<Url>,
    result: Option<Url>,
    cancel: Option<Url>,
}

/// Leaves the URLs out, which may contain secrets.
impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("endpoint", &self.endpoint)
            .field("request_id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The kind of a request about a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Status,
    StatusStream,
    Result,
    Cancel,
}

impl Job {
    /// The job with this id that was submitted to this endpoint. Its URLs are built from the
    /// endpoint's app, as in fal's own clients.
    pub fn new(endpoint: &str, request_id: &str) -> Result<Self> {
        let id = checked(request_id).ok_or_else(|| {
            Error::invalid(format!("{:?} is not a request id", abbreviate(request_id)))
                .with_remedy("Give the request_id of the response to the submission.")
        })?;
        Ok(Job {
            endpoint: endpoint.parse()?,
            id,
            urls: NamedUrls::default(),
            options: WatchOptions::default(),
        })
    }

    /// The job whose submission to this endpoint got this response. URLs in the response are used
    /// if their host is the queue's. Others are ignored, and built instead.
    pub fn of_response(endpoint: &str, answer: &Response) -> Result<Self> {
        Job::submitted(endpoint.parse()?, answer.body())
    }

    pub(super) fn submitted(endpoint: EndpointId, body: &[u8]) -> Result<Self> {
        let names = ["request_id", "status_url", "response_url", "cancel_url"];
        let [id, status, result, cancel] = json::members(body, names).unwrap_or_default();
        let id = id.and_then(json::text).as_deref().and_then(checked);
        let id = id.ok_or_else(|| {
            let message = "the response to the submission has no request id";
            Error::new(Code::Protocol, message)
        })?;
        let url = |text: Option<&RawValue>| json::text(text?)?.parse().ok();
        Ok(Job {
            endpoint,
            id,
            urls: NamedUrls {
                status: url(status),
                result: url(result),
                cancel: url(cancel),
            },
            options: WatchOptions::default(),
        })
    }

    /// The endpoint that the job was submitted to.
    pub fn endpoint(&self) -> &EndpointId {
        &self.endpoint
    }

    /// fal's id of the request.
    pub fn request_id(&self) -> &str {
        &self.id
    }

    /// Sets whether a status includes the job's log, by default true. Each status then contains
    /// log lines again.
    pub fn set_logs(&mut self, logs: bool) {
        self.options.logs = logs;
    }

    /// Sets whether the job keeps running at fal when an operation that waits for it is cancelled
    /// or times out, or the library is shut down. By default the job is then cancelled.
    pub fn set_keep_running(&mut self, keep: bool) {
        self.options.keep_running = keep;
    }

    /// Sets the timeout of each operation on the job: by default 24 hours to attach to it, and the
    /// client's timeout for the others.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.options.timeout = Some(timeout);
    }

    pub(super) fn forget_named_urls(&mut self) {
        self.urls = NamedUrls::default();
    }

    /// The URL for a request about the job: the one that fal named, if its host is the queue's,
    /// else the one built from the app. In the first case the second URL is the built one, if it
    /// differs.
    pub(super) fn urls(&self, ask: Ask, hosts: &Hosts) -> Result<(Url, Option<Url>)> {
        let named = match ask {
            Ask::Status | Ask::StatusStream => &self.urls.status,
            Ask::Result => &self.urls.result,
            Ask::Cancel => &self.urls.cancel,
        };
        let is_trusted = |url: &&Url| {
            url.username().is_empty() && url.password().is_none() && hosts.is_queue(url)
        };
        let built = self.built(ask, hosts)?;
        Ok(match named.as_ref().filter(is_trusted) {
            Some(named) => {
                let url = finished(named.clone(), ask, self.options.logs);
                let other = (url != built).then_some(built);
                (url, other)
            }
            None => (built, None),
        })
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn all_urls(&self) -> Vec<Url> {
        [Ask::Status, Ask::StatusStream, Ask::Result, Ask::Cancel]
            .into_iter()
            .filter_map(|ask| Some(self.urls(ask, &Hosts::default()).ok()?.0))
            .collect()
    }

    fn built(&self, ask: Ask, hosts: &Hosts) -> Result<Url> {
        let mut url = hosts.queue_url(self.endpoint.app())?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.push("requests").push(&self.id);
            match ask {
                Ask::Status | Ask::StatusStream => path.push("status"),
                Ask::Result => &mut path,
                Ask::Cancel => path.push("cancel"),
            };
        }
        Ok(finished(url, ask, self.options.logs))
    }
}

/// Adds the path of the status stream and the query `logs`.
fn finished(mut url: Url, ask: Ask, logs: bool) -> Url {
    url.set_fragment(None);
    if ask == Ask::StatusStream
        && let Ok(mut path) = url.path_segments_mut()
    {
        path.pop_if_empty().push("stream");
    }
    if matches!(ask, Ask::Status | Ask::StatusStream) {
        let others: Vec<_> = url
            .query_pairs()
            .into_owned()
            .filter(|(name, _)| name != "logs")
            .collect();
        let mut query = url.query_pairs_mut();
        query
            .clear()
            .extend_pairs(others)
            .append_pair("logs", if logs { "1" } else { "0" });
    }
    url
}

/// Returns the id if it fits into one segment of a path, where special characters are escaped.
fn checked(id: &str) -> Option<String> {
    let fits = !id.is_empty() && id.len() <= LONGEST_ID && id != "." && id != "..";
    (fits && !id.chars().any(char::is_control)).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn urls(job: &Job) -> Vec<String> {
        job.all_urls().into_iter().map(String::from).collect()
    }

    fn answered(response: &serde_json::Value) -> Result<Job> {
        Job::of_response("a/b/c", &Response::made(response))
    }

    #[test]
    fn addresses_are_built_from_the_app() {
        let mut job = Job::new("workflows/me/flow/sub/path", "r-1").unwrap();
        let built = |logs| {
            ["/status?logs=", "/status/stream?logs=", "", "/cancel"].map(|path| {
                let logs = if path.ends_with('=') { logs } else { "" };
                format!("https://queue.fal.run/workflows/me/flow/requests/r-1{path}{logs}")
            })
        };
        assert_eq!(urls(&job), built("1"));
        job.set_logs(false);
        assert_eq!(urls(&job), built("0"));
    }

    #[test]
    fn an_id_cannot_leave_its_segment() {
        let job = Job::new("a/b", "../x?y=1#z%2e").unwrap();
        assert_eq!(
            urls(&job)[2],
            "https://queue.fal.run/a/b/requests/..%2Fx%3Fy=1%23z%252e"
        );
        for id in ["", ".", "..", "a\nb", "\u{7f}", &"x".repeat(257)] {
            let error = Job::new("a/b", id).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{id:?}");
        }
    }

    #[test]
    fn only_the_queues_own_addresses_are_followed() {
        let of = |url: &str| {
            let response = json!({"request_id": "r", "status_url": url, "response_url": url, "cancel_url": url});
            urls(&answered(&response).unwrap())
        };
        assert_eq!(
            of("https://queue.fal.run/a/b/c/requests/r/x/?logs=0&token=1#f"),
            [
                "https://queue.fal.run/a/b/c/requests/r/x/?token=1&logs=1",
                "https://queue.fal.run/a/b/c/requests/r/x/stream?token=1&logs=1",
                "https://queue.fal.run/a/b/c/requests/r/x/?logs=0&token=1",
                "https://queue.fal.run/a/b/c/requests/r/x/?logs=0&token=1",
            ]
        );
        let built = of("none");
        assert_eq!(built[2], "https://queue.fal.run/a/b/requests/r");
        for foreign in [
            "https://evil.example/a/b/requests/r",
            "http://queue.fal.run/a/b/requests/r",
            "https://queue.fal.run:8443/a",
            "https://queue.fal.run.evil.example/a",
            "https://queue.fal.run@evil.example/a",
            "https://user:pass@queue.fal.run/a",
            "https://fal.run/a/b",
            "//evil.example/a",
            "/a/b/requests/r",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(of(foreign), built, "{foreign}");
        }
    }

    #[test]
    fn an_answer_without_an_id_is_none() {
        for response in [
            json!({}),
            json!({"request_id": 1}),
            json!({"request_id": ""}),
            json!([]),
            json!("x"),
        ] {
            assert_eq!(answered(&response).unwrap_err().code(), Code::Protocol);
        }
        let least = answered(&json!({"request_id": "r"})).unwrap();
        assert_eq!((least.request_id(), least.endpoint().app()), ("r", "a/b"));
    }
}
