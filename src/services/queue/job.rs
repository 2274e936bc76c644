//! A request in the queue, and its addresses (docs/protocol.md §3.2).

use std::time::Duration;

use serde_json::value::RawValue;
use url::Url;

use crate::codec::json;
use crate::endpoint::{EndpointId, Hosts, abbreviate};
use crate::error::{Code, Error, Result};
use crate::request::WatchOptions;
use crate::response::Response;

/// Longer than any id that was seen, which are UUIDs (§3.3).
const LONGEST_ID: usize = 256;

/// A queued request: what its status, its result and its cancellation are asked for with, from any
/// process and at any time.
///
/// An endpoint id and the request's own id are enough. To come back to a job after a restart, keep
/// these two.
#[derive(Clone)]
pub struct Job {
    pub(super) endpoint: EndpointId,
    pub(super) id: String,
    named: Named,
    pub(super) options: WatchOptions,
}

/// The addresses that the answer to the submission named.
#[derive(Clone, Default)]
pub(super) struct Named {
    status: Option<Url>,
    result: Option<Url>,
    cancel: Option<Url>,
}

/// Addresses of a service's may hold anything.
impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("endpoint", &self.endpoint)
            .field("request_id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What is asked of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Status,
    StatusStream,
    Result,
    Cancel,
}

impl Job {
    /// The request of this id that was submitted to this endpoint. Its addresses are built from the
    /// endpoint's app, as fal's own clients do.
    pub fn new(endpoint: &str, request_id: &str) -> Result<Self> {
        let id = checked(request_id).ok_or_else(|| {
            Error::invalid(format!("{:?} is not a request id", abbreviate(request_id)))
                .with_remedy("Give the request_id of the answer to the submission.")
        })?;
        Ok(Job {
            endpoint: endpoint.parse()?,
            id,
            named: Named::default(),
            options: WatchOptions::default(),
        })
    }

    /// The request that was submitted to this endpoint with this answer. The addresses in the
    /// answer are followed if they are the queue's own; others are ignored, and built instead.
    pub fn of_answer(endpoint: &str, answer: &Response) -> Result<Self> {
        Job::submitted(endpoint.parse()?, answer.body())
    }

    pub(super) fn submitted(endpoint: EndpointId, answer: &[u8]) -> Result<Self> {
        let members = json::members(
            answer,
            ["request_id", "status_url", "response_url", "cancel_url"],
        );
        let [id, status, result, cancel] = members.unwrap_or_default();
        let id = id.and_then(json::text).as_deref().and_then(checked);
        let id = id.ok_or_else(|| {
            Error::new(
                Code::Protocol,
                "the answer to the submission holds no request id",
            )
        })?;
        let url =
            |text: Option<&RawValue>| text.and_then(json::text).and_then(|url| url.parse().ok());
        let named = Named {
            status: url(status),
            result: url(result),
            cancel: url(cancel),
        };
        Ok(Job {
            endpoint,
            id,
            named,
            options: WatchOptions::default(),
        })
    }

    /// The endpoint that it was submitted to.
    pub fn endpoint(&self) -> &EndpointId {
        &self.endpoint
    }

    /// fal's id of the request.
    pub fn request_id(&self) -> &str {
        &self.id
    }

    /// Whether the job's log is asked for, which costs an answer's size each time; by default it
    /// is.
    pub fn set_logs(&mut self, logs: bool) {
        self.options.logs = logs;
    }

    /// Whether the job goes on at fal when an operation that waits for it is cancelled, its time is
    /// over or the library is shut down. By default it is cancelled then.
    pub fn set_keep_running(&mut self, keep: bool) {
        self.options.keep_running = keep;
    }

    /// The time for each operation on the job. By default 24 hours to attach to it, and the
    /// client's time for the others.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.options.timeout = Some(timeout);
    }

    /// Those that fal named turned out not to lead there.
    pub(super) fn forget_addresses(&mut self) {
        self.named = Named::default();
    }

    /// The address to ask at: the one that fal named, if it is on the queue's host, else the one of
    /// the app.
    pub(super) fn address(&self, ask: Ask, hosts: &Hosts) -> Result<Url> {
        let named = match ask {
            Ask::Status | Ask::StatusStream => &self.named.status,
            Ask::Result => &self.named.result,
            Ask::Cancel => &self.named.cancel,
        };
        let own = named
            .as_ref()
            .filter(|url| url.username().is_empty() && url.password().is_none());
        match own.filter(|url| hosts.is_queue(url)) {
            Some(named) => Ok(finished(named.clone(), ask, self.options.logs)),
            None => self.built(ask, hosts),
        }
    }

    /// All of them.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn addresses(&self) -> Vec<Url> {
        let asks = [Ask::Status, Ask::StatusStream, Ask::Result, Ask::Cancel];
        asks.iter()
            .filter_map(|ask| self.address(*ask, &Hosts::default()).ok())
            .collect()
    }

    /// The same without those that fal named.
    pub(super) fn built(&self, ask: Ask, hosts: &Hosts) -> Result<Url> {
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

/// An id becomes one segment of a path. Whatever it contains is escaped there, but for what has no
/// place in one.
fn checked(id: &str) -> Option<String> {
    let fits = !id.is_empty() && id.len() <= LONGEST_ID && id != "." && id != "..";
    (fits && !id.chars().any(char::is_control)).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn address(job: &Job, ask: Ask) -> String {
        job.address(ask, &Hosts::default()).unwrap().into()
    }

    #[test]
    fn addresses_are_built_from_the_app() {
        let mut job = Job::new("workflows/me/flow/sub/path", "r-1").unwrap();
        let base = "https://queue.fal.run/workflows/me/flow/requests/r-1";
        assert_eq!(address(&job, Ask::Status), format!("{base}/status?logs=1"));
        assert_eq!(
            address(&job, Ask::StatusStream),
            format!("{base}/status/stream?logs=1")
        );
        assert_eq!(address(&job, Ask::Result), base);
        assert_eq!(address(&job, Ask::Cancel), format!("{base}/cancel"));
        job.set_logs(false);
        assert_eq!(address(&job, Ask::Status), format!("{base}/status?logs=0"));
    }

    #[test]
    fn an_id_cannot_leave_its_segment() {
        let job = Job::new("a/b", "../x?y=1#z%2e").unwrap();
        assert_eq!(
            address(&job, Ask::Result),
            "https://queue.fal.run/a/b/requests/..%2Fx%3Fy=1%23z%252e"
        );
        for id in ["", ".", "..", "a\nb", "\u{7f}", &"x".repeat(257)] {
            assert_eq!(
                Job::new("a/b", id).unwrap_err().code(),
                Code::InvalidArgument,
                "{id:?}"
            );
        }
    }

    #[test]
    fn only_the_queues_own_addresses_are_followed() {
        let of = |url: &str| {
            let answer = json!({"request_id": "r", "status_url": url, "response_url": url, "cancel_url": url});
            let job = Job::of_answer("a/b/c", &Response::made(&answer)).unwrap();
            [Ask::Status, Ask::StatusStream, Ask::Result, Ask::Cancel].map(|ask| address(&job, ask))
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
        for answer in [
            json!({}),
            json!({"request_id": 1}),
            json!({"request_id": ""}),
            json!([]),
            json!("x"),
        ] {
            assert_eq!(
                Job::of_answer("a/b", &Response::made(&answer))
                    .unwrap_err()
                    .code(),
                Code::Protocol
            );
        }
        let least = Job::of_answer("a/b", &Response::made(&json!({"request_id": "r"}))).unwrap();
        assert_eq!((least.request_id(), least.endpoint().app()), ("r", "a/b"));
    }
}
