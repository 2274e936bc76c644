//! Starts each kind of operation, and checks its successful response.

use std::any::Any;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fal::webhook::Webhook;
use fal::{
    Channel, Client, Code, Dispatcher, Download, Error, Job, Op, Request, Response, Result,
    SocketOptions, Upload, UploadWay,
};
use serde_json::{Value, json};

use super::clients::Clients;
use super::receiver::{Delivery, Receiver};
use crate::dice::Dice;
use crate::ledger;
use crate::plan::{Act, Way, What};

/// A thread that calls the library, with the results of its earlier operations.
pub(crate) struct Hand<'a> {
    pub(crate) clients: &'a Clients,
    pub(crate) dispatcher: &'a Dispatcher,
    pub(crate) receiver: Option<&'a Receiver>,
    pub(crate) scratch: PathBuf,
    job: Option<Job>,
    files: Vec<File>,
    channels: HashMap<Way, Channel>,
}

#[derive(Clone)]
pub(crate) struct File {
    url: String,
    content: Arc<Vec<u8>>,
}

/// Whether a response is right, or what is wrong with it.
pub(crate) type Verdict = std::result::Result<(), String>;
type Check = Box<dyn FnOnce(&Response) -> Verdict>;

/// A running operation.
pub(crate) struct Begun {
    pub(crate) op: Op,
    /// A session or similar object, whose operation ends when its handle is dropped.
    pub(crate) held: Option<Box<dyn Any>>,
    check: Check,
    /// The response is itself a secret, as requested.
    pub(crate) secret: bool,
    /// The operation cannot succeed.
    pub(crate) fails: bool,
    /// The uploaded bytes.
    pub(crate) content: Option<Arc<Vec<u8>>>,
    scratch: Option<PathBuf>,
}

impl Begun {
    fn of(op: Op, check: impl FnOnce(&Response) -> Verdict + 'static) -> Self {
        let check = Box::new(check);
        Begun {
            op,
            held: None,
            check,
            secret: false,
            fails: false,
            content: None,
            scratch: None,
        }
    }

    fn holding(self, held: impl Any) -> Self {
        Begun {
            held: Some(Box::new(held)),
            ..self
        }
    }
}

impl<'a> Hand<'a> {
    pub(crate) fn new(
        clients: &'a Clients,
        dispatcher: &'a Dispatcher,
        receiver: Option<&'a Receiver>,
        scratch: PathBuf,
    ) -> Self {
        let (job, files, channels) = (None, Vec::new(), HashMap::new());
        Hand {
            clients,
            dispatcher,
            receiver,
            scratch,
            job,
            files,
            channels,
        }
    }

    /// Starts the operation. Returns `None` if no operation is left to follow.
    pub(crate) fn begin(&mut self, act: &Act) -> Result<Option<Begun>> {
        let client = self.clients.of(act.way).clone();
        let mut dice = Dice::of(act.seed, &[]);
        let begun = match act.what {
            What::Run | What::Picture | What::Failing => run(&client, act, &mut dice)?,
            What::Get | What::Post => send(&client, act)?,
            What::Submit | What::Subscribe => self.queue(&client, act, &mut dice)?,
            What::Status | What::Result | What::Cancel | What::Attach => self.job(&client, act)?,
            What::Stream => stream(&client, act, &mut dice)?,
            What::Realtime | What::WebSocket => session(&client, act, &mut dice)?,
            What::Channel => self.channel(&client, act, &mut dice)?,
            What::Upload(way) => self.upload(&client, act, way, &mut dice)?,
            What::RunWithFile(way) => self.run_with_file(&client, act, way, &mut dice)?,
            What::Download => match self.files.last().cloned() {
                Some(file) => self.download(&client, act, file, &mut dice)?,
                None => self.download_of_answer(&client, act, &mut dice)?,
            },
            What::DownloadOfAnswer => self.download_of_answer(&client, act, &mut dice)?,
            What::CreateCollection
            | What::CreateCharacter
            | What::CreateTag
            | What::CreateInstance => create(&client, act)?,
            What::CreateKey => create_key(&client, act)?,
            What::Platform | What::List | What::Logs => platform(&client, act, &mut dice)?,
            What::Check => Begun::of(client.check_start()?, |answer| has(answer, "/accepted")),
            What::Token => token(&client, act)?,
            What::Webhook | What::ForgedWebhook => match self.receiver.and_then(Receiver::take) {
                Some(delivery) => webhook(&client, act, delivery)?,
                None => return Ok(None),
            },
            What::Explain => {
                let report = client.explain();
                ledger::said(&format!(
                    "{report} {report:?} {} {:?}",
                    report.to_json(),
                    client.known_scope()
                ));
                return Ok(None);
            }
        };
        Ok(Some(begun))
    }

    /// Checks a successful response, and keeps its result for later operations.
    pub(crate) fn learn(&mut self, act: &Act, begun: Begun, answer: &Response) -> Verdict {
        match act.what {
            What::Submit => self.job = Job::of_response("emulator/job", answer).ok(),
            What::Upload(_) => {
                if let (Ok(url), Some(content)) = (answer.get_str("/url"), &begun.content) {
                    self.files.push(File {
                        url: url.to_owned(),
                        content: content.clone(),
                    });
                }
            }
            _ => {}
        }
        let verdict = (begun.check)(answer);
        begun.scratch.map(std::fs::remove_file);
        verdict
    }

    fn queue(&mut self, client: &Client, act: &Act, dice: &mut Dice) -> Result<Begun> {
        let mut request = Request::run("emulator/job")?;
        let mut input = json!({
            "ms": dice.scaled(9),
            "logs": [format!("{} first", act.mark), format!("{} second", act.mark)],
            "output": {"mark": act.mark},
        });
        let fails = dice.percent(15);
        if fails {
            input["fail"] =
                json!({"status": dice.pick(&[400, 422, 500, 503]), "body": {"detail": "chaos"}});
        }
        request.set_json(input);
        request.set_timeout(Duration::from_millis(act.timeout_ms));
        if let Some(receiver) = self.receiver.filter(|_| dice.percent(40)) {
            request.set_webhook(&receiver.url())?;
        }
        request.set_logs(dice.percent(70));
        request.set_keep_running(dice.percent(20));
        if act.what == What::Submit {
            return Ok(Begun::of(client.submit_start(request)?, |answer| {
                has(answer, "/request_id")
            }));
        }
        let mark = act.mark.clone();
        let op = client.subscribe_start(request)?;
        Ok(Begun {
            fails,
            ..Begun::of(op, move |answer| is(answer, "/mark", &mark))
        })
    }

    fn job(&mut self, client: &Client, act: &Act) -> Result<Begun> {
        let unknown = || Job::new("emulator/job", "01234567-89ab-4cde-8f01-23456789abcd");
        let mut job = self.job.clone().map_or_else(unknown, Ok)?;
        job.set_timeout(Duration::from_millis(act.timeout_ms));
        let op = match act.what {
            What::Status => client.status_start(&job)?,
            What::Result => client.result_start(&job)?,
            What::Cancel => client.cancel_start(&job)?,
            _ => client.attach_start(&job)?,
        };
        Ok(Begun::of(op, |_| Ok(())))
    }

    fn channel(&mut self, client: &Client, act: &Act, dice: &mut Dice) -> Result<Begun> {
        let mut request = Request::run("emulator/echo")?;
        let channel = match self.channels.remove(&act.way) {
            Some(channel) => channel,
            None => client.channel(&request)?,
        };
        request.set_json(json!({"mark": act.mark}));
        request.set_timeout(Duration::from_millis(act.timeout_ms));
        let op = channel.run_start(request)?;
        let mark = act.mark.clone();
        let begun = Begun::of(op, move |answer| is(answer, "/body/mark", &mark));
        if dice.percent(60) {
            self.channels.insert(act.way, channel);
            return Ok(begun);
        }
        Ok(begun.holding(channel))
    }

    /// Returns the upload of this operation, its bytes, and its file if it has one.
    fn content(
        &self,
        act: &Act,
        way: UploadWay,
        dice: &mut Dice,
    ) -> (Upload, Arc<Vec<u8>>, Option<PathBuf>) {
        let mut content = act.mark.clone().into_bytes();
        let size = if dice.percent(2) {
            11 << 20
        } else {
            dice.scaled(17)
        };
        content.resize(content.len() + size as usize, b'.');
        let (content, mut path) = (Arc::new(content), None);
        let upload = match dice.within(0..3) {
            0 => Upload::bytes(content.to_vec()),
            1 => {
                let file = self.scratch.join(&act.mark);
                std::fs::write(&file, &*content).unwrap();
                path = Some(file.clone());
                Upload::file(file)
            }
            _ => {
                let size = dice.percent(50).then_some(content.len() as u64);
                Upload::reader(std::io::Cursor::new(content.to_vec()), size)
            }
        };
        let upload = upload.way(way).file_name(&format!("{}.txt", act.mark));
        (
            upload.timeout(Duration::from_millis(act.timeout_ms)),
            content,
            path,
        )
    }

    fn upload(&self, client: &Client, act: &Act, way: UploadWay, dice: &mut Dice) -> Result<Begun> {
        let (upload, content, scratch) = self.content(act, way, dice);
        let op = client.upload_start(upload)?;
        Ok(Begun {
            content: Some(content),
            scratch,
            ..Begun::of(op, |answer| has(answer, "/url"))
        })
    }

    fn run_with_file(
        &self,
        client: &Client,
        act: &Act,
        way: UploadWay,
        dice: &mut Dice,
    ) -> Result<Begun> {
        let (upload, content, scratch) = self.content(act, way, dice);
        let mut request = Request::run("emulator/echo")?;
        request.set_field("mark", act.mark.clone().into())?;
        request.set_upload("file", upload)?;
        request.set_timeout(Duration::from_millis(act.timeout_ms));
        let (op, mark) = (client.run_start(request)?, act.mark.clone());
        let begun = Begun::of(op, move |answer| is(answer, "/body/mark", &mark));
        Ok(Begun {
            content: Some(content),
            scratch,
            ..begun
        })
    }

    fn download(&self, client: &Client, act: &Act, file: File, dice: &mut Dice) -> Result<Begun> {
        let to = dice
            .percent(50)
            .then(|| self.scratch.join(format!("{}.got", act.mark)));
        let mut download = Download::new(&file.url)?.timeout(Duration::from_millis(act.timeout_ms));
        if let Some(to) = &to {
            download = download.to(to);
        }
        Ok(received(
            client.download_start(download)?,
            to,
            file.content.to_vec(),
        ))
    }

    fn download_of_answer(&self, client: &Client, act: &Act, dice: &mut Dice) -> Result<Begun> {
        let size = dice.scaled(16);
        let mut request = Request::new("POST", "https://fal.run/emulator/bytes")?;
        request
            .set_json(json!({"size": size, "content_type": format!("text/{}", act.mark), "chunked": dice.percent(50)}));
        let to = dice
            .percent(50)
            .then(|| self.scratch.join(format!("{}.got", act.mark)));
        let mut download =
            Download::of_request(request).timeout(Duration::from_millis(act.timeout_ms));
        if let Some(to) = &to {
            download = download.to(to);
        }
        let expected = (0..size).map(|at| (at % 251) as u8).collect();
        Ok(received(client.download_start(download)?, to, expected))
    }
}

/// Wraps a download whose content is known.
fn received(op: Op, to: Option<PathBuf>, expected: Vec<u8>) -> Begun {
    let begun = Begun::of(op, {
        let to = to.clone();
        move |answer| {
            let got = match &to {
                Some(path) => std::fs::read(path).map_err(|error| format!("the file: {error}"))?,
                None => answer.body().to_vec(),
            };
            match got == expected || is_nonsense(&got) {
                true => Ok(()),
                false => Err(format!(
                    "{} bytes came that are not the {} expected",
                    got.len(),
                    expected.len()
                )),
            }
        }
    });
    Begun {
        scratch: to,
        ..begun
    }
}

fn run(client: &Client, act: &Act, dice: &mut Dice) -> Result<Begun> {
    let mark = act.mark.clone();
    let (endpoint, input) = match act.what {
        What::Picture => (
            "fal-ai/flux/schnell".to_owned(),
            json!({"prompt": mark, "image_size": "square"}),
        ),
        What::Failing => failing(&mark, dice),
        _ => ("emulator/echo".to_owned(), json!({"mark": mark})),
    };
    let mut request = Request::run(&endpoint)?;
    request.set_json(input);
    request.set_timeout(Duration::from_millis(act.timeout_ms));
    let op = client.run_start(request)?;
    Ok(match act.what {
        What::Run => Begun::of(op, move |answer| is(answer, "/body/mark", &mark)),
        What::Picture => Begun::of(op, |answer| has(answer, "/images/0/url")),
        _ => Begun {
            fails: true,
            ..Begun::of(op, |_| Ok(()))
        },
    })
}

/// Returns an app that fails after its work, and its input, which chooses the response.
fn failing(mark: &str, dice: &mut Dice) -> (String, Value) {
    let kind = dice.pick(&[
        "runner_scheduling_failure",
        "runner_connection_refused",
        "runner_connection_timeout",
        "startup_timeout",
        "rate_limited",
        "image_too_large",
    ]);
    let status = dice.pick(&[400, 401, 403, 408, 409, 422, 429, 500, 502, 503, 504]);
    // The response of a runner has this header (docs/protocol.md §5.8), so its content says nothing
    // about fal.
    let served = json!({"X-Fal-Served-From": "fake-runner"});
    let by_runner = |body: Value| {
        (
            "emulator/job".to_owned(),
            json!({"fail": {"status": status, "body": body, "headers": served}}),
        )
    };
    match dice.within(0..4) {
        0 => (format!("emulator/fail/{kind}"), json!({"prompt": mark})),
        1 => by_runner(json!({"detail": mark})),
        2 => (
            "emulator/fail".to_owned(),
            json!({"status": status, "html": true, "body": format!("<p>{mark}</p>")}),
        ),
        _ => by_runner(json!({"detail": mark, "error_type": kind})),
    }
}

fn send(client: &Client, act: &Act) -> Result<Begun> {
    let method = if act.what == What::Get { "GET" } else { "POST" };
    let mut request = Request::new(
        method,
        &format!("https://fal.run/emulator/echo/{}", act.mark),
    )?;
    if act.what == What::Post {
        request.set_json(json!({"mark": act.mark}));
    }
    request.set_timeout(Duration::from_millis(act.timeout_ms));
    Ok(Begun::of(client.send_start(request)?, |answer| {
        has(answer, "/path")
    }))
}

fn stream(client: &Client, act: &Act, dice: &mut Dice) -> Result<Begun> {
    let mut request = Request::run("emulator/stream")?;
    let events: Vec<_> = (0..dice.within(1..20))
        .map(|n| json!({"mark": act.mark, "n": n}))
        .collect();
    request.set_json(json!({"events": events, "ms": dice.scaled(4)}));
    request.set_timeout(Duration::from_millis(act.timeout_ms));
    Ok(Begun::of(client.stream_start(request)?, |_| Ok(())))
}

fn session(client: &Client, act: &Act, dice: &mut Dice) -> Result<Begun> {
    let inputs = dice.within(0..12);
    if act.what == What::WebSocket {
        let mut request = Request::run("emulator/ws")?;
        request.set_timeout(Duration::from_millis(act.timeout_ms));
        let socket = client.websocket_start(request, SocketOptions::new())?;
        for n in 0..inputs {
            // The session may have ended already.
            let _ = socket.send_text(&format!("{} {n}", act.mark));
        }
        if dice.percent(93) {
            socket.close();
        }
        return Ok(Begun::of(socket.op().clone(), |answer| has(answer, "/ended")).holding(socket));
    }
    let mut request = Request::run("emulator/realtime")?;
    request.set_timeout(Duration::from_millis(act.timeout_ms));
    request.set_json(json!({"mark": act.mark, "n": -1}));
    let session = client.realtime_start(request, SocketOptions::new())?;
    for n in 0..inputs {
        let _ = session.send(&json!({"mark": act.mark, "n": n}));
    }
    if dice.percent(93) {
        session.close();
    }
    Ok(Begun::of(session.op().clone(), |answer| has(answer, "/ended")).holding(session))
}

fn create(client: &Client, act: &Act) -> Result<Begun> {
    let mark = &act.mark;
    let (name, params) = match act.what {
        What::CreateCollection => ("assets.collections.create", json!({"name": mark})),
        What::CreateTag => ("assets.tags.create", json!({"name": mark})),
        What::CreateCharacter => (
            "assets.characters.create",
            json!({"name": mark, "description": mark, "reference_images": ["https://v3b.fal.media/files/x.png"]}),
        ),
        _ => (
            "compute.instances.create",
            json!({"instance_type": "gpu_1x_h100_sxm5", "ssh_key": mark}),
        ),
    };
    Ok(Begun::of(client.platform_start(name, params)?, |_| Ok(())))
}

fn create_key(client: &Client, act: &Act) -> Result<Begun> {
    let creating = client.create_key_start(&act.mark)?;
    Ok(Begun::of(creating.op().clone(), |answer| has(answer, "/key_id")).holding(creating))
}

fn platform(client: &Client, act: &Act, dice: &mut Dice) -> Result<Begun> {
    let op = match act.what {
        What::List => client.platform_list_start("keys.list", json!({"limit": 7}))?,
        What::Logs => client.platform_start("serverless.logs.stream", json!({}))?,
        _ => {
            let plain = |operation: &&fal::platform::Operation| {
                operation.method() == "GET"
                    && operation
                        .parameters()
                        .iter()
                        .all(|parameter| !parameter.is_required())
            };
            let names: Vec<_> = fal::platform::operations()
                .iter()
                .filter(plain)
                .map(|one| one.name())
                .collect();
            client.platform_start(dice.pick(&names), json!({}))?
        }
    };
    Ok(Begun::of(op, |_| Ok(())))
}

/// Requests a token for an app that does not exist and is named after the mark.
fn token(client: &Client, act: &Act) -> Result<Begun> {
    let op = client.mint_token_start(
        &[&format!("emulator/{}", act.mark)],
        Duration::from_secs(60),
    )?;
    Ok(Begun {
        secret: true,
        ..Begun::of(op, |answer| has(answer, "/token"))
    })
}

fn webhook(client: &Client, act: &Act, delivery: Delivery) -> Result<Begun> {
    let forged = act.what == What::ForgedWebhook;
    let mut body = delivery.body.clone();
    if forged && let Some(byte) = body.last_mut() {
        *byte = b' ';
    }
    let mut webhook = Webhook::new(body.into());
    delivery
        .headers
        .iter()
        .for_each(|(name, value)| webhook.set_header(name, value));
    // The emulator's clock is ahead of the system's.
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let late = delivery.signed_at().is_none_or(|at| at.abs_diff(now) > 290);
    let op = client.verify_webhook_start(webhook)?;
    Ok(Begun {
        fails: forged || late,
        ..Begun::of(op, |answer| has(answer, "/request_id"))
    })
}

/// Whether a fault of the emulator has made this body malformed.
pub(crate) fn is_nonsense(body: &[u8]) -> bool {
    body.starts_with(b"{\"images\": [{\"url\": \"https:")
        && serde_json::from_slice::<Value>(body).is_err()
}

fn has(answer: &Response, pointer: &str) -> Verdict {
    // The library returns a body that a fault has made malformed, and the host notices it.
    match is_nonsense(answer.body()) || answer.get(pointer).is_ok() {
        true => Ok(()),
        false => Err(format!("the answer has no {pointer}")),
    }
}

fn is(answer: &Response, pointer: &str, expected: &str) -> Verdict {
    match is_nonsense(answer.body()) || answer.get_str(pointer).is_ok_and(|found| found == expected)
    {
        true => Ok(()),
        false => Err(format!("the answer has not {expected} at {pointer}")),
    }
}

/// Returns every text that an error exposes.
pub(crate) fn shown(error: &Error) -> String {
    let headers: Vec<_> = error.headers().collect();
    let body = String::from_utf8_lossy(error.body());
    let fields = error.fields();
    let report = error.resolution().map(|report| report.to_string());
    format!(
        "{error} {error:?} {} {headers:?} {body} {fields:?} {report:?}",
        error.remedy()
    )
}

/// Returns every text that a response exposes.
pub(crate) fn shown_answer(answer: &Response) -> String {
    let headers: Vec<_> = answer.headers().collect();
    let body = &answer.body()[..answer.body().len().min(4096)];
    format!("{answer:?} {headers:?} {}", String::from_utf8_lossy(body))
}

/// Whether the host itself ended the operation.
pub(crate) fn is_stopped(code: Code) -> bool {
    matches!(code, Code::Cancelled | Code::ShutDown | Code::Deadline)
}
