//! The path of one request through the emulator: its arrival, its fault, its response.

use std::fmt;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Response, StatusCode, Version};
use serde_json::json;
use uuid::Uuid;

use crate::answer::Answer;
use crate::arrivals::{Entry, Head, Outcome};
use crate::body::{Pace, Source, TrackedBody};
use crate::cassettes::Recorder;
use crate::connections::Connection;
use crate::current::Current;
use crate::faults::{self, Action, Fault, ResetPoint};
use crate::server::{Request, Service, host_of};
use crate::state::State;
use crate::storage::{self, Disk, Spool};
use crate::stream::Wire;
use crate::tls::Target;
use crate::unknown::UNKNOWN;
use crate::{auth, control, gzip, sockets, tls};

/// The largest request body in bytes: 64 MiB.
const LARGEST_BODY: u64 = 64 << 20;

/// The largest uploaded file in bytes: 8 GiB, which are stored on disk.
const LARGEST_UPLOAD: u64 = 8 << 30;

/// The connection ends here, by a fault or because the client disconnected.
#[derive(Debug)]
pub(crate) struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection ends here")
    }
}

impl std::error::Error for Ended {}

/// The context in which a request is handled.
pub(crate) struct Exchange {
    /// The state for all of the request.
    pub(crate) state: Arc<State>,
    pub(crate) current: Arc<Current>,
    pub(crate) wire: Weak<Wire>,
    pub(crate) connection: Arc<Connection>,
    /// The name that TLS serves, within a tunnel.
    pub(crate) tunnel: Option<&'static str>,
}

impl Exchange {
    pub(crate) async fn run(
        self,
        request: hyper::Request<Incoming>,
    ) -> Result<Response<TrackedBody>, Ended> {
        if request.method() == Method::CONNECT && self.tunnel.is_none() {
            return self.connect(request).await;
        }
        let host = host_of(&request);
        let service = match self.tunnel {
            Some(name) if name != host => Service::Unknown,
            _ => Service::of(&host, request.uri().path()),
        };
        self.connection.serves_control(service == Service::Control);
        if service == Service::Control {
            self.control(request).await
        } else {
            self.fal(service, &host, request).await
        }
    }

    /// Opens a tunnel to one of fal's names. The `CONNECT` is counted but is no arrival; the
    /// requests inside the tunnel are.
    async fn connect(
        &self,
        request: hyper::Request<Incoming>,
    ) -> Result<Response<TrackedBody>, Ended> {
        let fault = self.state.faults.take("CONNECT", &host_of(&request), "");
        if let Some(answer) = self.unconnected(fault).await? {
            return Ok(answer.into_response(None, &Method::CONNECT, None));
        }
        let answer = match tls::admit(&self.state, request.uri(), request.headers()) {
            Ok(Target::Fal(name)) => self.open_tunnel(request, name),
            Ok(Target::Other) => self.connect_other(request).await,
            Err(refusal) => refusal,
        };
        Ok(answer.into_response(None, &Method::CONNECT, None))
    }

    fn open_tunnel(&self, mut request: hyper::Request<Incoming>, name: &'static str) -> Answer {
        if let Some(wire) = self.wire.upgrade() {
            let upgrade = hyper::upgrade::on(&mut request);
            let (current, connection) = (Arc::clone(&self.current), Arc::clone(&self.connection));
            tokio::spawn(tls::open(upgrade, name, wire.socket(), current, connection));
        }
        Answer::empty(StatusCode::OK)
    }

    async fn connect_other(&self, mut request: hyper::Request<Incoming>) -> Answer {
        let upgrade = hyper::upgrade::on(&mut request);
        match &self.state.cassettes.recorder {
            Some(recorder) => recorder.connect(request.uri(), upgrade).await,
            None => Answer::empty(StatusCode::FORBIDDEN),
        }
    }

    /// The response of a fault to a `CONNECT`; `None` if the tunnel opens all the same.
    async fn unconnected(&self, fault: Option<Fault>) -> Result<Option<Answer>, Ended> {
        let (Some(fault), Some(wire)) = (fault, self.wire.upgrade()) else {
            return Ok(None);
        };
        pause(fault.delay_ms).await;
        match fault.action {
            Action::Hang => std::future::pending().await,
            Action::Reset { .. } => wire.reset(),
            Action::Close => wire.close().await,
            Action::MalformedHttp => {
                // A tunnel without TLS inside. If the client has disconnected, the error has no
                // effect.
                let _ = wire
                    .write_raw(b"HTTP/1.1 200 OK\r\n\r\nthis is not TLS\r\n")
                    .await;
                wire.close().await;
            }
            _ => {
                let mut answer = fault.answer("").unwrap_or_default();
                if let Some(answer) = &mut answer {
                    answer.headers.remove("x-fal-request-id");
                }
                return Ok(answer);
            }
        }
        Err(Ended)
    }

    async fn control(
        &self,
        request: hyper::Request<Incoming>,
    ) -> Result<Response<TrackedBody>, Ended> {
        let (head, body) = request.into_parts();
        let method = head.method.clone();
        let answer = match Received::read(body, None).await?.request(head) {
            Ok(request) => control::handle(&self.current, &self.state, &request).await,
            Err(refusal) => refusal,
        };
        Ok(answer.into_response(None, &method, None))
    }

    async fn fal(
        &self,
        service: Service,
        host: &str,
        request: hyper::Request<Incoming>,
    ) -> Result<Response<TrackedBody>, Ended> {
        let (mut head, body) = request.into_parts();
        let upgrade = head.extensions.remove::<OnUpgrade>();
        let path = head.uri.path().to_owned();
        let (method, version) = (head.method.clone(), head.version);
        let entry = self.state.arrivals.open(&Head {
            at: self.state.clock.now(),
            connection: self.connection.id,
            method: method.as_str(),
            host,
            path: &path,
            query: head.uri.query(),
            headers: &head.headers,
        });
        let fault = self.state.faults.take(method.as_str(), host, &path);
        let fault = fault.unwrap_or_else(|| Fault::from(Action::None));
        let in_members = matches!(fault.action, Action::GzipMembers { .. });
        let gzip = self.state.settings().gzip && !in_members && gzip::is_accepted(&head.headers);
        let coded = |answer| if gzip { gzip::coded(answer) } else { answer };
        let reset_at_once = Action::Reset {
            when: ResetPoint::BeforeBody,
        };
        if fault.action == reset_at_once {
            pause(fault.delay_ms).await;
            return self.reset(entry);
        }
        if fault.action == Action::EarlySuccess {
            pause(fault.delay_ms).await;
            let answer = Answer::json(StatusCode::OK, &json!({"etag": "early"}))
                .header("etag", HeaderValue::from_static("early"));
            return Ok(answer.into_response(Some(entry), &method, None));
        }
        let hears = matches!(service, Service::Run | Service::Queue)
            && !matches!(fault.action, Action::Echo { .. });
        let entry = entry.hearing(hears);
        let disk = storage::takes_file(service, &method, &path).then_some(&self.state.storage.disk);
        let received = Received::read(body, disk).await?;
        match service {
            Service::Auth => entry.body(&auth::masked(&received.kept), received.length),
            _ => entry.body(&received.kept, received.length),
        }
        pause(fault.delay_ms).await;
        if let Some(answer) = self.instead(&fault, &entry).await {
            return Ok(coded(answer).into_response(Some(entry), &method, None));
        }
        let headers = head.headers.clone();
        let mut answer = match received.request(head) {
            Ok(request) => match fault.echoed(&request, &Uuid::new_v4().to_string()) {
                Some(answer) => answer,
                None if let Some(recorder) = self.recorder(service) => {
                    recorder.pass(self, service, host, request).await
                }
                None if service == Service::Sockets => {
                    sockets::handle(&self.state, &request, self.connection.id, &entry)
                }
                None => service.answer(&self.state, host, &request, &entry).await,
            },
            Err(refusal) => refusal,
        };
        if let Some(why) = answer
            .headers
            .get(UNKNOWN)
            .filter(|_| service != Service::Proxy)
        {
            entry.unknown(&String::from_utf8_lossy(why.as_bytes()));
            self.state
                .unknown(method.as_str(), host, &path, &answer, &headers);
        }
        if let (Some(session), Some(upgrade)) = (answer.session.take(), upgrade) {
            let (state, connection) = (Arc::clone(&self.state), Arc::clone(&self.connection));
            sockets::spawn(upgrade, session, state, connection);
        }
        self.spoil(fault.action, coded(answer), entry, &method, version)
            .await
    }

    /// What passes a request on instead of answering it.
    fn recorder(&self, service: Service) -> Option<Arc<Recorder>> {
        let recorder = self.state.cassettes.recorder.clone();
        recorder.filter(|_| service != Service::Unknown)
    }

    /// The response of a fault that prevents the execution of the request.
    async fn instead(&self, fault: &Fault, entry: &Entry) -> Option<Answer> {
        if fault.action == Action::Hang {
            std::future::pending::<()>().await;
        }
        let id = Uuid::new_v4().to_string();
        let answer = fault.answer(&id).unwrap_or_else(|error| {
            let detail = format!("fal-emulator: cannot send the response of this fault: {error}");
            Some(Answer::detail(StatusCode::INTERNAL_SERVER_ERROR, detail))
        })?;
        if answer.headers.contains_key("x-fal-request-id") {
            entry.request_id(&id);
        }
        Some(answer)
    }

    /// Sends the real response, changed or cut by the fault.
    async fn spoil(
        &self,
        action: Action,
        answer: Answer,
        entry: Entry,
        method: &Method,
        version: Version,
    ) -> Result<Response<TrackedBody>, Ended> {
        match action {
            Action::Reset { .. } => self.reset(entry),
            Action::Close => self.close(entry, Outcome::ClosedByFault, &[]).await,
            // Over HTTP/2 only the stream ends, with RST_STREAM.
            Action::Truncate { bytes } if version == Version::HTTP_2 => {
                Ok(faults::truncated(answer, bytes).into_response(Some(entry), method, None))
            }
            // A shorter stream lacks its end mark.
            Action::Truncate { bytes } => {
                let framing = if answer.payload.size().is_none() {
                    Framing::Chunks
                } else {
                    Framing::Length
                };
                self.raw(entry, answer, framing, bytes).await
            }
            Action::Unframed { bytes }
                if version != Version::HTTP_2 && has_body(method, &answer) =>
            {
                self.raw(entry, answer, Framing::None, bytes.unwrap_or(u64::MAX))
                    .await
            }
            Action::OddPart { form } => {
                Ok(form
                    .of(answer)
                    .await
                    .into_response(Some(entry), method, None))
            }
            Action::MalformedHttp => {
                self.close(
                    entry,
                    Outcome::ClosedByFault,
                    b"\x16\x03\x01 this is not HTTP\r\n\r\n",
                )
                .await
            }
            Action::MalformedJson => {
                Ok(faults::malformed_json(answer).into_response(Some(entry), method, None))
            }
            Action::GzipMembers { members } => Ok(gzip::in_members(answer, members)
                .await
                .into_response(Some(entry), method, None)),
            Action::Slow { bytes, pause_ms } => {
                let pace = Pace::new(bytes, Duration::from_millis(pause_ms));
                Ok(answer.into_response(Some(entry), method, Some(pace)))
            }
            Action::None
            | Action::Unframed { .. }
            | Action::EarlySuccess
            | Action::Status { .. }
            | Action::Hang
            | Action::Redirect { .. }
            | Action::Echo { .. } => Ok(answer.into_response(Some(entry), method, None)),
        }
    }

    /// Ends the connection with RST.
    fn reset(&self, entry: Entry) -> Result<Response<TrackedBody>, Ended> {
        entry.settle(Outcome::Reset);
        if let Some(wire) = self.wire.upgrade() {
            wire.reset();
        }
        Err(Ended)
    }

    /// Sends at most `bytes` of the body, bypassing hyper, and ends the connection with FIN.
    async fn raw(
        &self,
        entry: Entry,
        answer: Answer,
        framing: Framing,
        bytes: u64,
    ) -> Result<Response<TrackedBody>, Ended> {
        let Some(wire) = self.wire.upgrade() else {
            return Err(Ended);
        };
        let whole = Outcome::Status(answer.status.as_u16());
        let mut unsent = head(&answer, framing);
        let mut source = Source::new(answer.payload);
        let mut left = bytes;
        let mut is_whole = false;
        while left > 0 {
            let Some(piece) = source.next(left.min(PIECE)).await else {
                is_whole = framing == Framing::None;
                break;
            };
            // `close` writes the last piece.
            if wire.write_raw(&unsent).await.is_err() {
                return Err(Ended);
            }
            left -= piece.len() as u64;
            unsent = framed(&piece, framing);
        }
        self.close(
            entry,
            if is_whole {
                whole
            } else {
                Outcome::ClosedByFault
            },
            &unsent,
        )
        .await
    }

    /// Ends the connection with FIN, after bytes that did not pass through hyper.
    async fn close(
        &self,
        entry: Entry,
        outcome: Outcome,
        bytes: &[u8],
    ) -> Result<Response<TrackedBody>, Ended> {
        // Settled before the last byte is sent, so that a client that has read everything finds it
        // recorded.
        let (most, last) = bytes.split_at(bytes.len().saturating_sub(1));
        let Some(wire) = self.wire.upgrade() else {
            return Err(Ended);
        };
        if wire.write_raw(most).await.is_ok() {
            entry.settle(outcome);
            // If the client has disconnected, the error has no effect.
            let _ = wire.write_raw(last).await;
        }
        wire.close().await;
        Err(Ended)
    }
}

/// The number of bytes read of the body at once, so that a stream is cut while it arrives.
const PIECE: u64 = 64 * 1024;

async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

fn too_large() -> Answer {
    Answer::detail(StatusCode::PAYLOAD_TOO_LARGE, "Request body too large")
}

/// How a body's end is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length,
    Chunks,
    /// By the end of the connection.
    None,
}

fn has_body(method: &Method, answer: &Answer) -> bool {
    let bodiless = matches!(
        answer.status,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    method != Method::HEAD && !bodiless && !answer.status.is_informational()
}

/// The bytes of a response's head on the wire.
fn head(answer: &Answer, framing: Framing) -> Vec<u8> {
    let mut sent = format!("HTTP/1.1 {}\r\n", answer.status).into_bytes();
    for (name, value) in answer.headers.iter() {
        sent.extend_from_slice(name.as_str().as_bytes());
        sent.extend_from_slice(b": ");
        sent.extend_from_slice(value.as_bytes());
        sent.extend_from_slice(b"\r\n");
    }
    let end = match (framing, answer.payload.size()) {
        (Framing::None, _) => format!("{CONNECTION}: close\r\n\r\n"),
        (Framing::Length, Some(size)) => format!("{CONTENT_LENGTH}: {size}\r\n\r\n"),
        _ => format!("{TRANSFER_ENCODING}: chunked\r\n\r\n"),
    };
    sent.extend_from_slice(end.as_bytes());
    sent
}

/// The bytes of a piece of a body on the wire.
fn framed(piece: &[u8], framing: Framing) -> Vec<u8> {
    match framing {
        Framing::Chunks => [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat(),
        Framing::Length | Framing::None => piece.to_vec(),
    }
}

/// A body that was read to its end.
struct Received {
    /// At most [`LARGEST_BODY`]; empty for an uploaded file.
    kept: Bytes,
    length: u64,
    /// An uploaded file.
    upload: Option<io::Result<Spool>>,
}

impl Received {
    /// Reads the whole body: an error response sent while the client still writes would be lost in
    /// a reset. A body for `disk` is not kept in memory.
    async fn read(mut body: Incoming, disk: Option<&Disk>) -> Result<Self, Ended> {
        let mut upload = disk.map(Disk::spool);
        let expected = if upload.is_some() {
            0
        } else {
            body.size_hint().lower().min(LARGEST_BODY)
        };
        let mut kept = BytesMut::with_capacity(expected as usize);
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Ended)?.into_data() else {
                continue;
            };
            length += data.len() as u64;
            match &mut upload {
                Some(Ok(spool)) if length <= LARGEST_UPLOAD => {
                    if let Err(error) = spool.write(&data) {
                        upload = Some(Err(error));
                    }
                }
                None if length <= LARGEST_BODY => kept.extend_from_slice(&data),
                _ => {}
            }
        }
        let kept = kept.freeze();
        Ok(Self {
            kept,
            length,
            upload,
        })
    }

    fn request(self, head: hyper::http::request::Parts) -> Result<Request, Answer> {
        let largest = if self.upload.is_some() {
            LARGEST_UPLOAD
        } else {
            LARGEST_BODY
        };
        if self.length > largest {
            return Err(too_large());
        }
        let upload = self.upload.transpose().map_err(|error| {
            let detail = format!("fal-emulator: cannot write the upload to disk: {error}");
            Answer::detail(StatusCode::INSUFFICIENT_STORAGE, detail)
        })?;
        Ok(Request {
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            headers: head.headers,
            body: self.kept,
            upload: upload.map(|spool| Arc::new(spool.finish())),
        })
    }
}
