//! The operations that read an expensive response.

use crate::*;
use fal::webhook::Webhook;
use fal::{Download, Job, SocketOptions, Upload, UploadWay};
use std::any::Any;
use std::time::{SystemTime, UNIX_EPOCH};

/// An operation, and what has to live as long as it.
pub(super) struct Started {
    pub(super) op: Op,
    _with: Box<dyn Any>,
}

impl From<Op> for Started {
    fn from(op: Op) -> Self {
        Started {
            op,
            _with: Box::new(()),
        }
    }
}

/// Starts an operation of a client whose calls have this timeout.
pub(super) type Start = fn(&Client, Duration) -> Started;

pub(super) struct Row {
    pub(super) operation: &'static str,
    pub(super) sent: &'static str,
    pub(super) start: Start,
    pub(super) has_deadline: bool,
}

const fn row(operation: &'static str, sent: &'static str, start: Start) -> Row {
    Row {
        operation,
        sent,
        start,
        has_deadline: true,
    }
}

pub(super) const ROWS: [Row; 40] = [
    row("run", "8 MiB of numbers", |client, _| {
        client.run_start(app("emulator/large")).unwrap().into()
    }),
    row(
        "run",
        "the same, ended by the connection's end",
        |client, _| client.run_start(app("emulator/open")).unwrap().into(),
    ),
    row("run that fails", "8 MiB of numbers", |client, _| {
        client.run_start(app("emulator/failed")).unwrap().into()
    }),
    row("run that fails", "many refused fields", |client, _| {
        client.run_start(app("emulator/refused")).unwrap().into()
    }),
    row("run that fails", "a refused field of 8 MiB", |client, _| {
        client.run_start(app("emulator/wordy")).unwrap().into()
    }),
    row("submit", "8 MiB of numbers", |client, _| {
        client.submit_start(app("emulator/job")).unwrap().into()
    }),
    row("status", "8 MiB of log", |client, _| {
        client.status_start(&job()).unwrap().into()
    }),
    row("attach", "8 MiB of log", |client, _| {
        client.attach_start(&job()).unwrap().into()
    }),
    row("attach", "a status stream of such", |client, _| {
        client
            .attach_start(&Job::new("emulator/told", "r-1").unwrap())
            .unwrap()
            .into()
    }),
    row("attach", "8 MiB of metrics", |client, _| {
        client
            .attach_start(&Job::new("emulator/metric", "r-1").unwrap())
            .unwrap()
            .into()
    }),
    row("result", "a failure told in 8 MiB", |client, _| {
        client
            .result_start(&Job::new("emulator/gone", "r-1").unwrap())
            .unwrap()
            .into()
    }),
    row("result", "8 MiB of numbers", |client, _| {
        client
            .result_start(&Job::new("emulator/done", "r-1").unwrap())
            .unwrap()
            .into()
    }),
    row("cancel", "8 MiB of numbers", |client, _| {
        client.cancel_start(&job()).unwrap().into()
    }),
    row("stream", "an event of 8 MiB", |client, _| {
        client.stream_start(app("emulator/events")).unwrap().into()
    }),
    row("stream", "empty events without end", |client, _| {
        client.stream_start(app("emulator/empty")).unwrap().into()
    }),
    row("stream", "chunks of a byte without end", |client, _| {
        client.stream_start(app("emulator/chunks")).unwrap().into()
    }),
    row("stream of a workflow", "an event of 8 MiB", |client, _| {
        client
            .stream_start(app("workflows/me/events"))
            .unwrap()
            .into()
    }),
    row(
        "stream of a workflow",
        "a step that failed with 8 MiB",
        |client, _| {
            client
                .stream_start(app("workflows/me/failed"))
                .unwrap()
                .into()
        },
    ),
    row("list", "a page without end", |client, _| {
        client
            .platform_list_start("models.list", json!({}))
            .unwrap()
            .into()
    }),
    Row {
        // The timeout covers the request of a page. Its reader may take any time for the elements.
        has_deadline: false,
        ..row("list", "a page of 4 million elements", |client, _| {
            client
                .platform_list_start("keys.list", json!({}))
                .unwrap()
                .into()
        })
    },
    row("live log", "an event of 8 MiB", |client, _| {
        client
            .platform_list_start("serverless.logs.stream", json!({}))
            .unwrap()
            .into()
    }),
    row("a key made", "8 MiB of numbers", |client, _| {
        let made = client.create_key_start("late").unwrap();
        Started {
            op: made.op().clone(),
            _with: Box::new(made),
        }
    }),
    row("a token made", "a MiB of numbers", |client, _| {
        client
            .mint_token_start(&["emulator/x"], Duration::from_secs(60))
            .unwrap()
            .into()
    }),
    row("webhook", "a MiB of keys", |client, _| {
        client.verify_webhook_start(delivery()).unwrap().into()
    }),
    row("websocket", "texts of 8 MiB", |client, time| {
        websocket(client, time, "emulator/text")
    }),
    row(
        "websocket",
        "empty fragments without end",
        |client, time| websocket(client, time, "emulator/fragments"),
    ),
    row("websocket", "pings without end", |client, time| {
        websocket(client, time, "emulator/pings")
    }),
    row("realtime", "texts of 8 MiB of numbers", |client, time| {
        realtime(client, time, "emulator/json")
    }),
    row(
        "realtime",
        "MessagePack of a million numbers",
        |client, time| realtime(client, time, "emulator/packed"),
    ),
    row("realtime", "MessagePack of 260,000 keys", |client, time| {
        realtime(client, time, "emulator/keyed")
    }),
    row("realtime", "an error of 8 MiB", |client, time| {
        realtime(client, time, "emulator/error")
    }),
    row("channel", "texts of 8 MiB of numbers", |client, _| {
        channel(client, "emulator/texts")
    }),
    row("channel", "pieces of a byte without end", |client, _| {
        channel(client, "emulator/pieces")
    }),
    row("channel", "an event of 8 MiB", |client, _| {
        channel(client, "emulator/events")
    }),
    row(
        "upload",
        "a MiB of numbers that announces it",
        |client, _| upload(client, UploadWay::Signed),
    ),
    row(
        "upload",
        "a MiB of numbers that confirms it",
        |client, _| upload(client, UploadWay::SignedGoogle),
    ),
    row("upload", "a token of a MiB", |client, _| {
        upload(client, UploadWay::Direct)
    }),
    row(
        "upload in parts",
        "a MiB of numbers for a part",
        |client, _| upload(client, UploadWay::SignedParts),
    ),
    row("download", "chunks of a byte without end", |client, _| {
        client.download_start(file("chunks")).unwrap().into()
    }),
    row("download to a file", "zeroes without end", |client, _| {
        let folder = tempfile::tempdir().unwrap();
        let download = file("zeroes").to(folder.path().join("file"));
        Started {
            op: client.download_start(download).unwrap(),
            _with: Box::new(folder),
        }
    }),
];

fn app(endpoint: &str) -> Request {
    Request::run(endpoint).unwrap()
}

/// A session may last longer than a call.
fn app_within(endpoint: &str, time: Duration) -> Request {
    let mut request = app(endpoint);
    request.set_timeout(time);
    request
}

fn job() -> Job {
    Job::new("emulator/job", "r-1").unwrap()
}

fn file(name: &str) -> Download {
    Download::new(&format!("https://v3.fal.media/files/{name}")).unwrap()
}

fn delivery() -> Webhook {
    let mut webhook = Webhook::new("{}".into());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        .to_string();
    let signature = "00".repeat(64);
    for (name, value) in [
        ("Request-Id", "r-1"),
        ("User-Id", "u-1"),
        ("Timestamp", &now),
        ("Signature", &signature),
    ] {
        webhook.set_header(&format!("X-Fal-Webhook-{name}"), value);
    }
    webhook
}

fn options() -> SocketOptions {
    SocketOptions::new().use_header(true)
}

fn websocket(client: &Client, time: Duration, endpoint: &str) -> Started {
    let socket = client
        .websocket_start(app_within(endpoint, time), options())
        .unwrap();
    Started {
        op: socket.op().clone(),
        _with: Box::new(socket),
    }
}

fn realtime(client: &Client, time: Duration, endpoint: &str) -> Started {
    let session = client
        .realtime_start(app_within(endpoint, time), options())
        .unwrap();
    Started {
        op: session.op().clone(),
        _with: Box::new(session),
    }
}

fn channel(client: &Client, endpoint: &str) -> Started {
    let channel = client.channel(&app(endpoint)).unwrap();
    let mut request = app(endpoint);
    request.set_json(json!({}));
    Started {
        op: channel.run_start(request).unwrap(),
        _with: Box::new(channel),
    }
}

fn upload(client: &Client, way: UploadWay) -> Started {
    client
        .upload_start(Upload::bytes(&b"bytes"[..]).way(way))
        .unwrap()
        .into()
}

impl Row {
    pub(super) fn name(&self) -> String {
        format!("| {} | {} |", self.operation, self.sent)
    }
}
