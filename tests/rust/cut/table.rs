//! Every operation of the core: its requests, and how it is started.

use std::any::Any;
use std::path::Path;
use std::time::Duration;

use fal::{Client, Download, Job, Op, Request, Result, SocketOptions, Upload};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::server::{Reply, Stage};
use super::{uploads, webhook};

/// What may have happened at fal when a request is cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing, or nothing that a repetition would do twice.
    None,
    /// The request may have been executed, once it may have been sent.
    Done,
    /// A job whose id no caller knows. The response is read on, and the job is then cancelled.
    Submission,
    /// Like `Done`, for a request without a body: nothing shows when it was sent, so it counts as
    /// sent from the beginning.
    DoneUnseen,
    /// The job keeps running unless it is cancelled …
    Job,
    /// … or it has ended.
    EndedJob,
}

/// A request of an operation, or a message of its session.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) reply: Reply,
    pub(crate) effect: Effect,
    /// The body can be made larger than the buffers between the two sides.
    pub(crate) large: bool,
}

impl Step {
    /// Whether the request can be held at this stage.
    pub(crate) fn has(&self, stage: Stage) -> bool {
        match stage {
            // A message uses a connection that exists.
            Stage::Connecting => !matches!(self.reply, Reply::Messages(_)),
            // A small body is sent at once.
            Stage::Sending => self.large,
            Stage::Waiting | Stage::Reading => true,
        }
    }

    /// The expected `may_have_executed` of a cut at this stage.
    pub(crate) fn may_have_executed(&self, stage: Stage) -> bool {
        match self.effect {
            Effect::None => false,
            Effect::Done | Effect::Submission => stage != Stage::Connecting,
            Effect::DoneUnseen | Effect::Job | Effect::EndedJob => true,
        }
    }
}

/// How to start an operation.
pub(crate) struct Plan<'a> {
    /// Makes bodies large where they can be.
    pub(crate) large: bool,
    pub(crate) folder: &'a Path,
    /// The timeout for operations to which the client's does not apply.
    pub(crate) timeout: Option<Duration>,
}

impl Plan<'_> {
    /// More than the buffers of two sockets hold, and not more than one part of an upload.
    pub(crate) fn size(&self) -> usize {
        if self.large { 10 << 20 } else { 100 }
    }

    pub(crate) fn text(&self) -> String {
        "x".repeat(self.size())
    }
}

/// An operation under way, and what has to live as long as it.
pub(crate) struct Started {
    pub(crate) op: Op,
    _held: Box<dyn Any>,
}

impl From<Op> for Started {
    fn from(op: Op) -> Self {
        Started {
            op,
            _held: Box::new(()),
        }
    }
}

type Start = Box<dyn Fn(&Client, &Plan) -> Result<Started> + Send + Sync>;

pub(crate) struct Row {
    pub(crate) name: String,
    /// The source file and the function that starts it.
    pub(crate) of: &'static str,
    pub(crate) steps: Vec<Step>,
    /// It is a session, which dropping the last handle closes.
    pub(crate) session: bool,
    pub(crate) start: Start,
}

impl Row {
    /// Whether it begins with the submission of a job.
    pub(crate) fn submits(&self) -> bool {
        self.steps[0].effect == Effect::Submission
    }
}

pub(crate) fn row(
    name: &str,
    of: &'static str,
    steps: Vec<Step>,
    start: impl Fn(&Client, &Plan) -> Result<Op> + Send + Sync + 'static,
) -> Row {
    let start: Start = Box::new(move |client, plan| start(client, plan).map(Started::from));
    Row {
        name: name.to_owned(),
        of,
        steps,
        session: false,
        start,
    }
}

fn session(
    name: &str,
    of: &'static str,
    steps: Vec<Step>,
    start: impl Fn(&Client, &Plan) -> Result<Started> + Send + Sync + 'static,
) -> Row {
    Row {
        name: name.to_owned(),
        of,
        steps,
        session: true,
        start: Box::new(start),
    }
}

fn http(effect: Effect, status: u16, headers: &str, body: String) -> Step {
    let reply = Reply::Http {
        status,
        headers: headers.to_owned(),
        body,
    };
    Step {
        reply,
        effect,
        large: false,
    }
}

/// A request with a JSON response.
pub(crate) fn ask(effect: Effect, body: Value) -> Step {
    http(
        effect,
        200,
        "content-type: application/json\r\n",
        body.to_string(),
    )
}

/// The same with a body that can be large.
pub(crate) fn send(effect: Effect, body: Value) -> Step {
    Step {
        large: true,
        ..ask(effect, body)
    }
}

fn refuse(effect: Effect, status: u16) -> Step {
    let body = json!({"detail": "no"}).to_string();
    http(
        effect,
        status,
        "content-type: application/json\r\nx-fal-request-id: r-1\r\n",
        body,
    )
}

fn events(effect: Effect, data: &Value) -> Step {
    http(
        effect,
        200,
        "content-type: text/event-stream\r\n",
        format!("data: {data}\n\n"),
    )
}

fn token() -> Step {
    ask(Effect::None, json!("fake-token"))
}

fn upgrade() -> Step {
    Step {
        reply: Reply::Upgrade,
        effect: Effect::None,
        large: false,
    }
}

fn message(replies: Vec<Message>) -> Step {
    Step {
        reply: Reply::Messages(replies),
        effect: Effect::Done,
        large: true,
    }
}

const APP: &str = "emulator/echo";

fn input(plan: &Plan) -> Request {
    let mut request = Request::run(APP).unwrap();
    request.set_json(json!({"text": plan.text()}));
    if let Some(timeout) = plan.timeout {
        request.set_timeout(timeout);
    }
    request
}

fn job() -> Job {
    Job::new(APP, "r-1").unwrap()
}

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = runs();
    rows.extend(jobs());
    rows.extend(sessions());
    rows.extend(uploads::rows());
    rows.extend(downloads());
    rows.extend(accounts());
    rows
}

fn runs() -> Vec<Row> {
    use Effect::{Done, None};
    let url = "https://fal.run/emulator/echo";
    let mut rows = vec![
        row(
            "run",
            "services/run.rs run_start",
            vec![send(Done, json!({}))],
            |client, plan| client.run_start(input(plan)),
        ),
        row(
            "send GET",
            "services/run.rs send_start",
            vec![ask(None, json!({}))],
            move |client, _| client.send_start(Request::new("GET", url)?),
        ),
        row(
            "send POST",
            "services/run.rs send_start",
            vec![send(Done, json!({}))],
            move |client, plan| {
                let mut request = Request::new("POST", url)?;
                request.set_bytes(plan.text().into(), "text/plain")?;
                client.send_start(request)
            },
        ),
        row(
            "stream",
            "services/stream.rs stream_start",
            vec![Step {
                large: true,
                ..events(Done, &json!({}))
            }],
            |client, plan| client.stream_start(input(plan)),
        ),
    ];
    for (source, of) in uploads::SOURCES {
        rows.push(row(
            &format!("run with a body of {source}"),
            "services/run.rs run_start",
            vec![send(Done, json!({}))],
            {
                move |client, plan| {
                    let mut request = Request::run(APP)?;
                    request.set_body_of(of(plan), "application/octet-stream")?;
                    client.run_start(request)
                }
            },
        ));
        let mut steps = uploads::signed();
        steps.push(ask(Done, json!({})));
        rows.push(row(
            &format!("run with a file of {source}"),
            "services/run.rs run_start",
            steps,
            move |client, plan| {
                let mut request = Request::run(APP)?;
                request.set_upload("file", of(plan))?;
                client.run_start(request)
            },
        ));
    }
    let mut steps = uploads::direct();
    // An upload has no effect by itself, because nothing refers to its file yet.
    steps.iter_mut().for_each(|step| step.effect = None);
    steps.push(ask(Done, json!({})));
    rows.push(row(
        "run with a file sent directly",
        "services/run.rs run_start",
        steps,
        |client, plan| {
            let mut request = Request::run(APP)?;
            request.set_upload(
                "file",
                Upload::bytes(plan.text()).way(fal::UploadWay::Direct),
            )?;
            client.run_start(request)
        },
    ));
    rows
}

fn jobs() -> Vec<Row> {
    use Effect::{EndedJob, Job, None, Submission};
    let submit = || send(Submission, json!({"request_id": "r-1"}));
    let completed = json!({"status": "COMPLETED", "request_id": "r-1"});
    let streamed = || events(Job, &completed);
    let result = || ask(EndedJob, json!({"x": 1}));
    vec![
        row(
            "submit",
            "services/queue/mod.rs submit_start",
            vec![submit()],
            |client, plan| client.submit_start(input(plan)),
        ),
        row(
            "status",
            "services/queue/mod.rs status_start",
            vec![ask(None, completed.clone())],
            |client, _| client.status_start(&job()),
        ),
        row(
            "result",
            "services/queue/mod.rs result_start",
            vec![ask(None, json!({"x": 1}))],
            |client, _| client.result_start(&job()),
        ),
        row(
            "result that may be early",
            "services/queue/mod.rs result_start",
            vec![refuse(None, 400), ask(None, completed.clone())],
            |client, _| client.result_start(&job()),
        ),
        row(
            "cancel",
            "services/queue/mod.rs cancel_start",
            vec![ask(None, json!({}))],
            |client, _| client.cancel_start(&job()),
        ),
        row(
            "subscribe",
            "services/queue/mod.rs subscribe_start",
            vec![submit(), streamed(), result()],
            |client, plan| client.subscribe_start(input(plan)),
        ),
        row(
            "subscribe without a stream",
            "services/queue/mod.rs subscribe_start",
            vec![
                submit(),
                refuse(Job, 404),
                ask(Job, completed.clone()),
                result(),
            ],
            |client, plan| client.subscribe_start(input(plan)),
        ),
        row(
            "attach",
            "services/queue/mod.rs attach_start",
            vec![streamed(), result()],
            |client, _| client.attach_start(&job()),
        ),
    ]
}

fn sessions() -> Vec<Row> {
    let packed = || message(vec![Message::binary(vec![0x81, 0xa1, b'x', 1])]);
    let raw = || message(vec![Message::text("word")]);
    let start = json!({"type": "start", "request_id": "r-1", "status": 200, "headers": {}});
    let end = json!({"type": "end", "request_id": "r-1"});
    let answered = message(vec![
        Message::text(start.to_string()),
        Message::binary("body"),
        Message::text(end.to_string()),
    ]);
    vec![
        session(
            "realtime",
            "services/realtime.rs realtime_start",
            vec![token(), upgrade(), packed()],
            |client, plan| {
                let session = client.realtime_start(input(plan), SocketOptions::new())?;
                Ok(Started {
                    op: session.op().clone(),
                    _held: Box::new(session),
                })
            },
        ),
        session(
            "websocket",
            "services/websocket.rs websocket_start",
            vec![token(), upgrade(), raw()],
            |client, plan| {
                let socket = client.websocket_start(input(plan), SocketOptions::new())?;
                socket.send_text(&plan.text())?;
                Ok(Started {
                    op: socket.op().clone(),
                    _held: Box::new(socket),
                })
            },
        ),
        Row {
            session: false,
            ..session(
                "channel",
                "services/channel/mod.rs run_start",
                vec![upgrade(), answered],
                |client, plan| {
                    let channel = client.channel(&input(plan))?;
                    Ok(Started {
                        op: channel.run_start(input(plan))?,
                        _held: Box::new(channel),
                    })
                },
            )
        },
    ]
}

fn downloads() -> Vec<Row> {
    use Effect::{Done, None};
    let of = "services/storage/download/mod.rs download_start";
    let url = "https://v3.fal.media/files/a/b.bin";
    let file = || {
        http(
            None,
            200,
            "content-type: application/octet-stream\r\n",
            "x".repeat(3 << 20),
        )
    };
    vec![
        row("download to memory", of, vec![file()], move |client, _| {
            client.download_start(Download::new(url)?)
        }),
        row(
            "download to a file",
            of,
            vec![file()],
            move |client, plan| {
                client.download_start(Download::new(url)?.to(plan.folder.join("file")))
            },
        ),
        row(
            "download of a restricted file",
            of,
            vec![uploads::token(), file()],
            move |client, plan| {
                client.download_start(Download::new(url)?.with_file_token(true).to(plan.folder))
            },
        ),
        row(
            "download of an answer",
            of,
            vec![send(Done, json!({}))],
            |client, plan| {
                let mut request = Request::new("POST", "https://fal.run/emulator/echo")?;
                request.set_bytes(plan.text().into(), "text/plain")?;
                client.download_start(Download::of_request(request).to(plan.folder.join("file")))
            },
        ),
    ]
}

fn accounts() -> Vec<Row> {
    use Effect::{Done, DoneUnseen, None};
    let page = |next: Value, more: bool| {
        let key = json!({"key_id": "a", "alias": "b", "scope": "API", "created_at": "2026-01-01T00:00:00Z"});
        ask(
            None,
            json!({"next_cursor": next, "has_more": more, "keys": [key]}),
        )
    };
    let list = "services/platform/pages.rs platform_list_start";
    let call = "services/platform/call.rs platform_start";
    let made =
        json!({"key_id": "fake-id", "key_secret": "fake-secret-1", "key": "fake-id:fake-secret-1"});
    vec![
        row(
            "check of an ADMIN key",
            "services/key_check.rs check_start",
            vec![ask(None, json!({"keys": []})), ask(None, json!({}))],
            |client, _| client.check_start(),
        ),
        row(
            "check of an API key",
            "services/key_check.rs check_start",
            vec![refuse(None, 403), refuse(None, 404)],
            |client, _| client.check_start(),
        ),
        row(
            "mint_token",
            "services/app_token.rs mint_token_start",
            vec![ask(Done, json!("fake-token"))],
            |client, _| client.mint_token_start(&[APP], Duration::from_secs(60)),
        ),
        row(
            "verify_webhook",
            "services/webhook/mod.rs verify_webhook_start",
            vec![ask(None, webhook::keys())],
            |client, _| client.verify_webhook_start(webhook::delivery()),
        ),
        row(
            "platform GET",
            call,
            vec![ask(None, json!({}))],
            |client, _| client.platform_start("keys.list", json!({})),
        ),
        row(
            "platform POST",
            call,
            vec![ask(Done, json!({}))],
            |client, _| {
                let endpoints = json!({APP: {"unit_quantity": 1}});
                client.platform_start(
                    "models.pricing.estimate",
                    json!({"estimate_type": "unit_price", "endpoints": endpoints}),
                )
            },
        ),
        row(
            "platform form",
            call,
            vec![send(Done, json!(true))],
            |client, plan| {
                let path = uploads::file(plan);
                client.platform_start(
                    "serverless.files.upload",
                    json!({"target_path": "a", "file_upload": {"path": path}}),
                )
            },
        ),
        row(
            "platform events",
            call,
            vec![events(DoneUnseen, &json!({}))],
            |client, _| client.platform_start("serverless.logs.stream", json!({})),
        ),
        row(
            "platform_list",
            list,
            vec![page(json!("c"), true), page(Value::Null, false)],
            |client, _| client.platform_list_start("keys.list", json!({})),
        ),
        row(
            "revoke_key",
            "services/platform/keys.rs revoke_key_start",
            vec![ask(DoneUnseen, json!({}))],
            |client, _| client.revoke_key_start("a", false),
        ),
        Row {
            session: false,
            ..session(
                "create_key",
                "services/platform/keys.rs create_key_start",
                vec![ask(Done, made)],
                |client, _| {
                    let creating = client.create_key_start("a")?;
                    Ok(Started {
                        op: creating.op().clone(),
                        _held: Box::new(creating),
                    })
                },
            )
        },
    ]
}
