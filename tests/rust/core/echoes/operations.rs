//! Every operation, with those of its requests to which a service responds with an echo.

use std::time::SystemTime;

use fal::credentials::Options;
use fal::webhook::Webhook;
use fal::{Download, Level, NextEvent, SocketOptions, Target, Upload, UploadWay};
use fal_emulator::Fault;

use super::super::queue::{job_of, submit};
use super::super::sources::log_in;
use super::*;

/// The time limit where the service never ends its response.
const SHORT: Duration = Duration::from_secs(2);

/// The credential that the requests carry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    Key,
    Admin,
    AppToken,
    Login,
}

/// A running operation, and what has to live as long as it.
type Started = (Op, Box<dyn std::any::Any>);

pub(super) struct Operation {
    pub(super) name: &'static str,
    who: As,
    /// Method, host and path of the requests that get the echo.
    method: &'static str,
    host: &'static str,
    path: &'static str,
    /// Whether these requests carry a credential.
    pub(super) carries: bool,
    start: fn(&Client, &Prepared) -> Result<Started, Error>,
}

/// What was set up before the service begins to echo.
struct Prepared {
    job: fal::Job,
    file: String,
}

const KEY: Operation = Operation {
    name: "",
    who: As::Key,
    method: "",
    host: "",
    path: "*",
    carries: true,
    start: |_, _| unreachable!("each row has its own"),
};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        name: "run",
        start: |client, _| alone(client.run_start(request("emulator/echo"))),
        ..KEY
    },
    Operation {
        name: "run with an app token",
        who: As::AppToken,
        start: |client, _| alone(client.run_start(request("emulator/echo"))),
        ..KEY
    },
    Operation {
        name: "run with a login",
        who: As::Login,
        host: "fal.run",
        start: |client, _| alone(client.run_start(request("emulator/echo"))),
        ..KEY
    },
    Operation {
        name: "renewal of a login",
        who: As::Login,
        host: "auth.fal.ai",
        start: |client, _| alone(client.run_start(request("emulator/echo"))),
        ..KEY
    },
    Operation {
        name: "request",
        start: |client, _| {
            alone(client.send_start(Request::new("GET", "https://fal.run/emulator/echo")?))
        },
        ..KEY
    },
    Operation {
        name: "submit",
        start: |client, _| alone(client.submit_start(job_of(json!({})))),
        ..KEY
    },
    Operation {
        name: "subscribe",
        path: "*/requests/*",
        start: |client, _| alone(client.subscribe_start(job_of(json!({"ms": 5000})))),
        ..KEY
    },
    Operation {
        name: "attach",
        start: |client, prepared| alone(client.attach_start(&prepared.job)),
        ..KEY
    },
    Operation {
        name: "status",
        start: |client, prepared| alone(client.status_start(&prepared.job)),
        ..KEY
    },
    Operation {
        name: "result",
        start: |client, prepared| alone(client.result_start(&prepared.job)),
        ..KEY
    },
    Operation {
        name: "cancel",
        start: |client, prepared| alone(client.cancel_start(&prepared.job)),
        ..KEY
    },
    Operation {
        name: "stream",
        start: |client, _| alone(client.stream_start(request("emulator/stream"))),
        ..KEY
    },
    Operation {
        name: "stream of a workflow",
        start: |client, _| alone(client.stream_start(request("workflows/emulator/demo"))),
        ..KEY
    },
    Operation {
        name: "realtime",
        host: "fal.run",
        start: |client, _| realtime(client, false),
        ..KEY
    },
    Operation {
        name: "realtime, its token",
        host: "rest.fal.ai",
        start: |client, _| realtime(client, false),
        ..KEY
    },
    Operation {
        name: "realtime by header",
        start: |client, _| realtime(client, true),
        ..KEY
    },
    Operation {
        name: "realtime, app token",
        who: As::AppToken,
        start: |client, _| realtime(client, false),
        ..KEY
    },
    Operation {
        name: "websocket",
        host: "fal.run",
        start: |client, _| {
            let mut request = request("emulator/ws");
            request.set_timeout(SHORT);
            let socket = client.websocket_start(request, SocketOptions::new())?;
            Ok((socket.op().clone(), Box::new(socket)))
        },
        ..KEY
    },
    Operation {
        name: "channel, handshake",
        method: "GET",
        start: |client, _| channel(client, "emulator/echo"),
        ..KEY
    },
    Operation {
        name: "channel",
        method: "POST",
        start: |client, _| channel(client, "emulator/echo"),
        ..KEY
    },
    Operation {
        name: "channel of a workflow",
        method: "POST",
        start: |client, _| channel(client, "workflows/emulator/demo"),
        ..KEY
    },
    Operation {
        name: "upload A",
        start: |client, _| upload(client, UploadWay::Signed),
        ..KEY
    },
    Operation {
        name: "upload B",
        start: |client, _| upload(client, UploadWay::SignedGoogle),
        ..KEY
    },
    Operation {
        name: "upload C, its token",
        start: |client, _| upload(client, UploadWay::Direct),
        ..KEY
    },
    Operation {
        name: "upload C",
        path: "/files/*",
        start: |client, _| upload(client, UploadWay::Direct),
        ..KEY
    },
    Operation {
        name: "upload D1, begun",
        method: "POST",
        path: "/files/*",
        start: |client, _| upload(client, UploadWay::DirectParts),
        ..KEY
    },
    Operation {
        name: "upload D1, a part",
        method: "PUT",
        start: |client, _| upload(client, UploadWay::DirectParts),
        ..KEY
    },
    Operation {
        name: "upload D1, complete",
        path: "*/complete",
        start: |client, _| upload(client, UploadWay::DirectParts),
        ..KEY
    },
    Operation {
        name: "upload D2",
        start: |client, _| upload(client, UploadWay::SignedParts),
        ..KEY
    },
    Operation {
        name: "upload D3, a part",
        path: "*/1",
        start: |client, _| upload(client, UploadWay::GoogleParts),
        ..KEY
    },
    Operation {
        name: "upload D3, complete",
        path: "*/complete",
        start: |client, _| upload(client, UploadWay::GoogleParts),
        ..KEY
    },
    Operation {
        name: "run with a file",
        host: "rest.fal.ai",
        start: |client, _| {
            let mut request = request("emulator/echo");
            request.set_upload("image", Upload::bytes(&b"12345"[..]))?;
            alone(client.run_start(request))
        },
        ..KEY
    },
    Operation {
        name: "download",
        start: |client, prepared| {
            alone(client.download_start(Download::new(&prepared.file)?.with_file_token(true)))
        },
        method: "GET",
        path: "/files/*",
        ..KEY
    },
    Operation {
        name: "download of an answer",
        start: |client, _| {
            alone(client.download_start(Download::of_request(request("emulator/echo"))))
        },
        ..KEY
    },
    Operation {
        name: "webhook keys",
        carries: false,
        start: |client, _| {
            let mut webhook = Webhook::new("{}".into());
            let now = SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_secs()
                .to_string();
            webhook.set_header("x-fal-webhook-request-id", "r-1");
            webhook.set_header("x-fal-webhook-user-id", "u-1");
            webhook.set_header("x-fal-webhook-timestamp", &now);
            webhook.set_header("x-fal-webhook-signature", &"0".repeat(128));
            alone(client.verify_webhook_start(webhook))
        },
        ..KEY
    },
    Operation {
        name: "platform",
        start: |client, _| alone(client.platform_start("models.list", json!({}))),
        ..KEY
    },
    Operation {
        name: "platform list",
        who: As::Admin,
        start: |client, _| alone(client.platform_list_start("keys.list", json!({}))),
        ..KEY
    },
    Operation {
        name: "live log",
        who: As::Admin,
        start: |client, _| alone(client.platform_list_start("serverless.logs.stream", json!({}))),
        ..KEY
    },
    Operation {
        name: "new key",
        who: As::Admin,
        start: |client, _| {
            let creating = client.create_key_start("of the echoes")?;
            Ok((creating.op().clone(), Box::new(creating)))
        },
        ..KEY
    },
    Operation {
        name: "revoke key",
        who: As::Admin,
        start: |client, _| alone(client.revoke_key_start("fake-other-id", false)),
        ..KEY
    },
    Operation {
        name: "check",
        start: |client, _| alone(client.check_start()),
        ..KEY
    },
    Operation {
        name: "token",
        start: |client, _| {
            alone(client.mint_token_start(&["emulator/echo"], Duration::from_secs(60)))
        },
        ..KEY
    },
];

fn alone(op: Result<Op, Error>) -> Result<Started, Error> {
    Ok((op?, Box::new(())))
}

fn request(endpoint: &str) -> Request {
    let mut request = Request::run(endpoint).unwrap();
    request.set_json(json!({}));
    request
}

fn realtime(client: &Client, header: bool) -> Result<Started, Error> {
    let options = SocketOptions::new().use_header(header);
    let mut request = Request::run("emulator/realtime")?;
    request.set_timeout(SHORT);
    let session = client.realtime_start(request, options)?;
    Ok((session.op().clone(), Box::new(session)))
}

fn channel(client: &Client, endpoint: &str) -> Result<Started, Error> {
    let channel = client.channel(&Request::run(endpoint)?)?;
    Ok((channel.run_start(request(endpoint))?, Box::new(channel)))
}

fn upload(client: &Client, way: UploadWay) -> Result<Started, Error> {
    alone(client.upload_start(Upload::bytes(&b"12345"[..]).file_name("a.png").way(way)))
}

impl Operation {
    /// Restricts the fault to the requests of this row.
    pub(super) fn met(&self, fault: Fault) -> Fault {
        let fault = fault.path(self.path);
        let fault = if self.method.is_empty() {
            fault
        } else {
            fault.method(self.method)
        };
        if self.host.is_empty() {
            fault
        } else {
            fault.host(self.host)
        }
    }

    /// Runs the operation to its end and collects everything that it shows.
    pub(super) fn run(
        &self,
        emulator: &Emulator,
        fault: Fault,
        write: impl Fn(Level, Target, &str) + Send + Sync + 'static,
    ) -> Seen {
        let own = client(emulator);
        let prepared = Prepared {
            job: submit(&own, json!({})),
            file: file(&own),
        };
        let home = tempfile::tempdir().unwrap();
        let client = self
            .client(emulator, &own, home.path())
            .log(Level::Debug, write)
            .build()
            .unwrap();
        emulator.inject(fault);
        let mut seen = Seen::default();
        let (op, _held) = match (self.start)(&client, &prepared) {
            Ok(started) => started,
            Err(error) => panic!("{}: {error}", self.name),
        };
        loop {
            match op.wait_event(Some(PATIENCE)).unwrap() {
                NextEvent::Event(event) => seen.event(&event),
                NextEvent::End => break,
                NextEvent::Pending => panic!("{} does not end", self.name),
            }
        }
        match op.take().unwrap() {
            Err(error) => seen.error(&error),
            Ok(answer) => seen.own("Debug", &format!("{answer:?}")),
        }
        fal::runtime::flush_log(PATIENCE).unwrap();
        seen.own("explanation", &client.explain().to_string());
        seen.own("Debug", &format!("{client:?} {op:?} {:?}", prepared.job));
        seen
    }

    fn client(&self, emulator: &Emulator, own: &Client, home: &std::path::Path) -> ClientBuilder {
        let builder = match self.who {
            As::Key => builder(emulator),
            As::Admin => builder_with(emulator, emulator.admin_key()),
            As::AppToken => {
                let apps = ["emulator/echo", "emulator/realtime"];
                let minted =
                    Op::finish(|| own.mint_token_start(&apps, Duration::from_secs(60))).unwrap();
                builder(emulator)
                    .credentials(Options::new().app_token(minted.get_str("/token").unwrap()))
            }
            As::Login => {
                log_in(home, &emulator.create_login("acme", 3600).refresh_token);
                let variables = [
                    ("HOME", home.to_str().unwrap().to_owned()),
                    ("FAL_EMULATOR_HOST", emulator.host()),
                ];
                crate::logged::builder().environment(Environment::from_variables(variables))
            }
        };
        builder.timeout(SHORT).max_attempts(1).unwrap()
    }
}

/// Uploads a file and returns its URL.
fn file(client: &Client) -> String {
    let what = Upload::bytes(&b"12345"[..]).file_name("a.png");
    Op::finish(|| client.upload_start(what))
        .unwrap()
        .get_str("/url")
        .unwrap()
        .to_owned()
}
