//! Passes requests on to the real services, and records what they answer.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use hyper::{Method, StatusCode};

use super::folder::Folder;
use super::input::Input;
use super::jobs::{Jobs, Open};
use super::masking::Mask;
use super::pending::{LEFT, Pending};
use super::relay::{Relay, Subject};
use super::report::{RecordingReport, Report};
use super::tape::{Download, FORMAT, Queue, Recorded, Tape, Way};
use super::uploads::Uploads;
use super::upstream::{self, Upstream};
use super::{capture, urls};
use crate::answer::Answer;
use crate::body::Payload;
use crate::exchange::Exchange;
use crate::server::{Request, Service};
use crate::{clock, gateway, sockets};

/// Where requests are passed on to and recorded.
#[derive(Clone, PartialEq, Eq)]
pub struct Recording {
    /// The folder of the recordings. Those that it has stay.
    pub folder: PathBuf,
    /// A server in fal's place: a URL of https, or of http on this machine. It gets the Host headers of
    /// fal. `None` is fal itself.
    pub upstream: Option<String>,
    /// The size in bytes up to which a body or a file is recorded. A longer one is passed on but left
    /// out of its recording.
    pub max_media: u64,
    /// Secrets that must not be recorded, in addition to those that requests and responses show.
    pub secrets: Vec<String>,
}

impl Recording {
    /// The default of `max_media`: 16 MiB.
    pub const MAX_MEDIA: u64 = 16 << 20;

    /// Records what fal answers into a folder.
    pub fn to(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            upstream: None,
            max_media: Self::MAX_MEDIA,
            secrets: Vec::new(),
        }
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recording({:?})", self.folder)
    }
}

pub(crate) struct Recorder {
    pub(super) folder: Folder,
    pub(super) mask: Mask,
    pub(super) uploads: Uploads,
    pub(super) jobs: Jobs,
    pub(super) report: Report,
    /// The number of requests whose response has not ended.
    pub(super) pending: AtomicU64,
    upstream: Upstream,
}

impl Recorder {
    pub(crate) fn new(recording: &Recording) -> io::Result<Self> {
        let mask = Mask::default();
        for secret in &recording.secrets {
            mask.learn(secret);
        }
        Ok(Self {
            folder: Folder::open(&recording.folder, recording.max_media)?,
            mask,
            uploads: Uploads::default(),
            jobs: Jobs::default(),
            report: Report::default(),
            pending: AtomicU64::default(),
            upstream: Upstream::new(recording.upstream.as_deref())?,
        })
    }

    /// What was recorded so far.
    pub(crate) fn report(&self) -> RecordingReport {
        let mut report = self.report.now();
        let open = self.jobs.count() as u64;
        if open > 0 {
            let reason = "queued requests whose result was not fetched";
            report.passed_on.insert(reason.into(), open);
        }
        let pending = self.pending.load(Ordering::Relaxed);
        if pending > 0 {
            *report.passed_on.entry(LEFT.into()).or_default() += pending;
        }
        report
    }

    /// Passes a request on. The response is recorded before the client can read its end.
    pub(crate) async fn pass(
        self: &Arc<Self>,
        exchange: &Exchange,
        service: Service,
        host: &str,
        request: Request,
    ) -> Answer {
        if sockets::is_handshake(&request) || service == Service::Proxy {
            let what = if service == Service::Proxy {
                "the server proxy"
            } else {
                "WebSockets"
            };
            self.report.passed_on(format!("{what}, refused"));
            let detail = format!("fal-emulator: record does not serve {what}");
            return Answer::detail(StatusCode::NOT_IMPLEMENTED, detail);
        }
        self.learn(service, &request);
        let mut pending = Pending::new(self);
        if is_minor(service, &request) {
            pending.end();
        }
        let (began, at) = (Instant::now(), exchange.state.clock.now());
        let response = match self.upstream.send(host, &request).await {
            Ok(response) => response,
            Err(detail) => {
                pending.end();
                self.report.passed_on("no response");
                return Answer::detail(StatusCode::BAD_GATEWAY, self.mask.text(&detail));
            }
        };
        let (head, body) = response.into_parts();
        self.mask.learn_headers(&head.headers);
        let mut answer = Answer::empty(head.status);
        let length = head.headers.get(CONTENT_LENGTH).cloned();
        *answer.headers = upstream::end_to_end(head.headers);
        let bodiless = upstream::is_bodiless(&request.method, head.status);
        if let Some(length) = &length {
            answer.headers.insert(CONTENT_LENGTH, length.clone());
        }
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let relay = Relay {
            subject: self.subject(service, host, &request),
            recorder: Arc::clone(self),
            pending,
            request,
            began,
            at,
            status: head.status,
            headers: (*answer.headers).clone(),
            length: if bodiless { Some(0) } else { length },
            wire: exchange.wire.clone(),
        };
        answer.payload = Payload::Stream(relay.start(body));
        answer
    }

    /// Knows the secrets of a request.
    fn learn(&self, service: Service, request: &Request) {
        self.mask.learn_headers(&request.headers);
        if let Some(query) = &request.query {
            self.mask.learn_form(query.as_bytes());
        }
        if service == Service::Auth {
            self.mask.learn_form(&request.body);
            self.mask.learn_token(&request.body);
        }
    }

    fn input(&self, request: &Request) -> Input {
        Input::of(request, &self.mask, &mut |url| self.uploads.hash(url))
    }

    /// What a request is about.
    fn subject(&self, service: Service, host: &str, request: &Request) -> Subject {
        let path = request.path.as_str();
        let (id, action) = queued(path);
        match service {
            Service::Run => Subject::Call(self.input(request)),
            Service::Queue if Input::is_call(&request.method, path) => {
                Subject::Submit(self.input(request))
            }
            Service::Queue => match action {
                "" | "response" if request.method == Method::GET => Subject::Result(id.into()),
                "status" | "status/stream" => Subject::Status(id.into()),
                _ => Subject::Silent,
            },
            Service::Cdn | Service::OldCdn if request.method == Method::GET => {
                match self.uploads.hash(&format!("https://{host}{path}")) {
                    Some(_) => Subject::Silent,
                    None => Subject::Download(format!("https://{host}{path}")),
                }
            }
            Service::Cdn | Service::GoogleStorage => Subject::Storage,
            Service::Rest if path.starts_with("/storage/") => Subject::Storage,
            Service::Rest | Service::Auth => Subject::Token,
            _ => Subject::Other(host.to_owned()),
        }
    }

    /// Records a call of an app.
    pub(super) fn call(&self, relay: &Relay, input: &Input, way: Way, answer: Recorded) {
        let tape = Tape {
            format: FORMAT,
            endpoint: relay.request.path.trim_matches('/').to_owned(),
            way,
            method: input.method.clone(),
            query: input.query.clone(),
            recorded: clock::rfc3339(relay.at),
            input: input.raw(),
            input_sha256: input.hash(),
            queue: None,
            answer,
        };
        self.report.recorded(self.folder.add(&tape));
    }

    /// Follows a submission until its result is fetched.
    pub(super) fn submitted(&self, relay: &Relay, input: Input, body: &[u8]) -> Result<(), Input> {
        let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(id) = answer["request_id"]
            .as_str()
            .filter(|_| relay.status.is_success())
        else {
            return Err(input);
        };
        self.jobs.add(Open {
            endpoint: relay.request.path.trim_matches('/').to_owned(),
            input,
            recorded: clock::rfc3339(relay.at),
            began: relay.began,
            queue: Queue {
                request_id: id.to_owned(),
                ..Queue::default()
            },
            ended_ms: None,
        });
        self.jobs.note(id, &answer, &self.mask);
        Ok(())
    }

    /// Whether the path of a request has no secret, also after its escapes are decoded.
    pub(super) fn is_clean(&self, path: &str) -> bool {
        let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
        self.mask.is_clean(path) && self.mask.is_clean(&decoded)
    }

    /// Records a queued request whose result has arrived.
    pub(super) fn finished(&self, open: Open, mut answer: Recorded) {
        if !self.mask.is_clean(&open.queue.request_id) {
            return self.report.passed_on("a secret in the request id");
        }
        let now_ms = super::jobs::millis(open.began);
        answer.after_ms = open.ended_ms.unwrap_or(now_ms);
        let tape = Tape {
            format: FORMAT,
            endpoint: open.endpoint,
            way: Way::Queue,
            method: open.input.method.clone(),
            query: open.input.query.clone(),
            recorded: open.recorded,
            input: open.input.raw(),
            input_sha256: open.input.hash(),
            queue: Some(open.queue),
            answer,
        };
        self.report.recorded(self.folder.add(&tape));
    }

    /// Records a downloaded file.
    pub(super) fn downloaded(&self, relay: &Relay, url: &str, body: &capture::Body) {
        let content_type = relay.content_type();
        let written = capture::media(self, body, content_type).and_then(|media| {
            let path = urls::file_path(url).unwrap_or_default();
            let download = Download {
                format: FORMAT,
                url: url.to_owned(),
                content_type: self.mask.text(content_type),
                media,
            };
            self.folder.add_download(&path, &download)
        });
        self.report.file(written);
    }
}

/// The id of a queued request in a path, and what is asked about it.
fn queued(path: &str) -> (&str, &str) {
    let (_, rest) = gateway::split(path);
    let after = rest.split("requests/").nth(1).unwrap_or_default();
    after.split_once('/').unwrap_or((after, ""))
}

/// Whether a recording is complete without the response to this request: it only asks for the state of a
/// queued one, or changes it.
fn is_minor(service: Service, request: &Request) -> bool {
    let is_about = service == Service::Queue && !Input::is_call(&request.method, &request.path);
    is_about && !matches!(queued(&request.path).1, "" | "response")
}

/// The names of headers that say something about a response and no secret.
const KEPT: [&str; 7] = [
    "content-type",
    "content-disposition",
    "cache-control",
    "etag",
    "last-modified",
    "location",
    "retry-after",
];

/// The headers of a response that are recorded, without secrets.
pub(super) fn kept_headers(headers: &HeaderMap, mask: &Mask) -> BTreeMap<String, String> {
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let name = name.as_str();
        let is_of_fal = name.starts_with("x-fal-") && mask.is_clean(name);
        if !KEPT.contains(&name) && !is_of_fal {
            continue;
        }
        let value = mask.value(Some(name), &String::from_utf8_lossy(value.as_bytes()));
        kept.entry(name.to_owned())
            .and_modify(|all| *all = format!("{all}, {value}"))
            .or_insert(value);
    }
    kept
}

pub(super) fn text_of(headers: &HeaderMap) -> &str {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// When a request arrived, by the emulator's clock.
pub(super) type At = SystemTime;
