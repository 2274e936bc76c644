//! The apps that the emulator runs, and which callers may use them.

mod programs;

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};

use crate::answer::Answer;
use crate::arrivals::Entry;
use crate::keys::Caller;
use crate::platform;
use crate::queue::Job;
use crate::server::Request;
use crate::sockets;
use crate::state::State;
use crate::storage::{self, Content, Lifecycle};
use programs::{bytes, echo, esrgan, fail, flux, job, slow, stream, veo};

/// `app_auth` (docs/protocol.md §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Any caller, without a key.
    Public,
    /// Any caller with a key.
    Shared,
    /// ADMIN keys of the owner's account; all its keys if the setting allows it.
    Private,
    /// All keys of the owner's account, whose name follows a namespace.
    Own,
}

#[derive(Clone, Copy, Debug)]
enum Program {
    Bytes,
    Echo,
    Esrgan,
    Fail,
    Flux,
    Job,
    LanguageModel,
    RawSocket,
    Realtime,
    Slow,
    Stream,
    Veo,
    Workflow,
    /// A stored workflow.
    Stored,
}

/// An app and its endpoints.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) owner: &'static str,
    pub(crate) alias: &'static str,
    pub(crate) access: Access,
    program: Program,
    /// Full endpoint ids, each with a name and a category for the catalogue.
    pub(crate) endpoints: &'static [Endpoint],
}

/// A callable model as the catalogue lists it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) category: &'static str,
    pub(crate) description: &'static str,
}

const fn endpoint(
    id: &'static str,
    name: &'static str,
    category: &'static str,
    description: &'static str,
) -> Endpoint {
    Endpoint {
        id,
        name,
        category,
        description,
    }
}

#[rustfmt::skip]
pub(crate) static APPS: &[App] = &[
    App { owner: "fal-ai", alias: "flux", access: Access::Shared, program: Program::Flux, endpoints: &[
        endpoint("fal-ai/flux/schnell", "FLUX.1 [schnell]", "text-to-image", "A picture from a prompt, in few steps"),
        endpoint("fal-ai/flux/dev", "FLUX.1 [dev]", "text-to-image", "A picture from a prompt"),
    ] },
    App { owner: "fal-ai", alias: "fast-sdxl", access: Access::Shared, program: Program::Flux, endpoints: &[
        endpoint("fal-ai/fast-sdxl", "Fast SDXL", "text-to-image", "A square picture from a prompt"),
        endpoint("fal-ai/fast-sdxl/image-to-image", "Fast SDXL", "image-to-image", "The same; the picture of the input is not used"),
    ] },
    App { owner: "fal-ai", alias: "any-llm", access: Access::Shared, program: Program::LanguageModel, endpoints: &[
        endpoint("fal-ai/any-llm", "Any LLM", "llm", "Streams a text that grows word by word"),
    ] },
    App { owner: "fal-ai", alias: "flux-pro", access: Access::Shared, program: Program::Flux, endpoints: &[
        endpoint("fal-ai/flux-pro/v1/fill", "Fill", "image-to-image", "A picture from a prompt; the pictures of the input are not used"),
    ] },
    App { owner: "fal-ai", alias: "esrgan", access: Access::Shared, program: Program::Esrgan, endpoints: &[
        endpoint("fal-ai/esrgan", "Upscale", "image-to-image", "A picture of 512 pixels, enlarged; the picture of the input is not used"),
    ] },
    App { owner: "fal-ai", alias: "veo3", access: Access::Shared, program: Program::Veo, endpoints: &[
        endpoint("fal-ai/veo3", "Veo 3", "text-to-video", "An MP4 file without a track, after 0.1 s"),
    ] },
    App { owner: "fal-ai", alias: "fast-lcm-diffusion", access: Access::Shared, program: Program::Realtime, endpoints: &[
        endpoint("fal-ai/fast-lcm-diffusion", "Fast LCM", "realtime", "Echoes MessagePack messages"),
    ] },
    App { owner: "emulator", alias: "echo", access: Access::Shared, program: Program::Echo, endpoints: &[
        endpoint("emulator/echo", "Echo", "json", "Returns the request"),
    ] },
    App { owner: "emulator", alias: "fail", access: Access::Shared, program: Program::Fail, endpoints: &[
        endpoint("emulator/fail", "Fail", "json", "Fails as its input says"),
    ] },
    App { owner: "emulator", alias: "slow", access: Access::Shared, program: Program::Slow, endpoints: &[
        endpoint("emulator/slow", "Slow", "json", "Responds after a delay"),
    ] },
    App { owner: "emulator", alias: "job", access: Access::Shared, program: Program::Job, endpoints: &[
        endpoint("emulator/job", "Job", "json", "Runs, logs, fails or is cancelled as its input says"),
    ] },
    App { owner: "emulator", alias: "bytes", access: Access::Shared, program: Program::Bytes, endpoints: &[
        endpoint("emulator/bytes", "Bytes", "json", "Returns bytes that are not JSON"),
    ] },
    App { owner: "emulator", alias: "stream", access: Access::Shared, program: Program::Stream, endpoints: &[
        endpoint("emulator/stream", "Stream", "json", "Streams the events of its input"),
    ] },
    App { owner: "emulator", alias: "realtime", access: Access::Shared, program: Program::Realtime, endpoints: &[
        endpoint("emulator/realtime", "Realtime", "realtime", "Echoes MessagePack messages"),
    ] },
    App { owner: "emulator", alias: "ws", access: Access::Shared, program: Program::RawSocket, endpoints: &[
        endpoint("emulator/ws", "WebSocket", "realtime", "Echoes messages"),
    ] },
    App { owner: "emulator", alias: "llm", access: Access::Shared, program: Program::LanguageModel, endpoints: &[
        endpoint("emulator/llm", "LLM", "llm", "Streams a text that grows word by word"),
    ] },
    App { owner: "workflows/emulator", alias: "demo", access: Access::Shared, program: Program::Workflow, endpoints: &[
        endpoint("workflows/emulator/demo", "Demo", "workflow", "Two nodes and their events"),
    ] },
    App { owner: "acme", alias: "paint", access: Access::Shared, program: Program::Flux, endpoints: &[
        endpoint("acme/paint/schnell", "Paint [schnell]", "text-to-image", "A picture from a prompt, by an own app"),
        endpoint("acme/paint/dev", "Paint [dev]", "text-to-image", "A picture from a prompt, by an own app"),
    ] },
    App { owner: "acme", alias: "job", access: Access::Shared, program: Program::Job, endpoints: &[
        endpoint("acme/job", "Own job", "json", "emulator/job as an own app: with logs, events and a queue to flush"),
    ] },
    App { owner: "acme", alias: "private", access: Access::Private, program: Program::Echo, endpoints: &[
        endpoint("acme/private", "Private", "json", "An echo for keys of its owner"),
    ] },
    App { owner: "acme", alias: "shared", access: Access::Shared, program: Program::Echo, endpoints: &[
        endpoint("acme/shared", "Shared", "json", "An echo for every key"),
    ] },
    App { owner: "acme", alias: "public", access: Access::Public, program: Program::Echo, endpoints: &[
        endpoint("acme/public", "Public", "json", "An echo without a key"),
    ] },
];

impl App {
    pub(crate) fn find(owner: &str, alias: &str) -> Option<&'static App> {
        APPS.iter()
            .find(|app| app.owner == owner && app.alias == alias)
    }

    /// The app for a stored workflow, for the gateway to find. It lives until the process ends,
    /// like every other app.
    pub(crate) fn of_workflow(
        account: &str,
        name: &str,
        title: &str,
        public: bool,
    ) -> &'static App {
        let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        let (owner, alias) = (leak(format!("workflows/{account}")), leak(name.to_owned()));
        let id = leak(format!("{owner}/{alias}"));
        let endpoints = vec![endpoint(
            id,
            leak(title.to_owned()),
            "workflow",
            "A stored workflow",
        )];
        let access = if public { Access::Shared } else { Access::Own };
        Box::leak(Box::new(App {
            owner,
            alias,
            access,
            program: Program::Stored,
            endpoints: endpoints.leak(),
        }))
    }

    pub(crate) fn is_workflow(&self) -> bool {
        matches!(self.program, Program::Stored)
    }

    /// The id of the endpoint at `path` below the alias. A path that is none belongs to the app's
    /// own id, if that is an endpoint.
    pub(crate) fn endpoint_id(&self, path: &str) -> String {
        let own = format!("{}/{}", self.owner, self.alias);
        let whole = format!("{own}/{path}");
        if self.has(&own) && !self.has(&whole) {
            own
        } else {
            whole
        }
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.endpoints.iter().any(|known| known.id == id)
    }

    /// The time in which a runner starts for this input, if the app defines one.
    pub(crate) fn startup(&self, request: &Request) -> Option<Duration> {
        matches!(self.program, Program::Job)
            .then(|| job::startup(request))
            .flatten()
    }
}

/// One call of an app.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a Arc<State>,
    pub(crate) request: &'a Request,
    pub(crate) request_id: &'a str,
    pub(crate) app: &'static App,
    /// The path after the alias, without leading or trailing slashes.
    pub(crate) path: &'a str,
    pub(crate) caller: Option<Caller>,
    pub(crate) entry: &'a Entry,
    /// The queued request that the call executes, if any.
    pub(crate) job: Option<&'a Job>,
}

impl Call<'_> {
    /// Runs the app. Its failures are responses too.
    pub(crate) async fn run(&self) -> Answer {
        let result = match self.app.program {
            Program::Realtime | Program::RawSocket => self.socket(),
            // A route for HTTP accepts no WebSocket.
            _ if sockets::is_handshake(self.request) => Err(self.path_not_found()),
            Program::Bytes => bytes::run(self),
            Program::Echo => Ok(echo::run(self)),
            Program::Esrgan => esrgan::run(self),
            Program::Fail => fail::run(self),
            Program::Flux => flux::run(self).await,
            Program::Job => job::run(self).await,
            Program::LanguageModel => stream::language_model(self),
            Program::Slow => slow::run(self).await,
            Program::Stream => stream::run(self),
            Program::Veo => veo::run(self).await,
            Program::Workflow => stream::workflow(self),
            Program::Stored => match platform::play(self) {
                Ok(player) => Ok(player.answer().await),
                Err(refusal) => Err(refusal),
            },
        };
        result.unwrap_or_else(|refusal| refusal)
    }

    /// Runs an app that accepts only WebSockets.
    fn socket(&self) -> Result<Answer, Answer> {
        let (alias, realtime) = (
            self.app.alias,
            matches!(self.app.program, Program::Realtime),
        );
        // The JavaScript client omits the path if the endpoint id ends with it (§3.2).
        let known = self.path.is_empty() || realtime && self.path == "realtime";
        if !known || !sockets::is_handshake(self.request) {
            return Err(self.path_not_found());
        }
        let endpoint = format!("{}/{alias}", self.app.owner);
        let answer = match realtime {
            true => sockets::realtime(self.state, self.request, &endpoint)?,
            false => sockets::raw(self.request, &endpoint),
        };
        self.started();
        Ok(answer)
    }

    /// Records that the input is valid and the model runs.
    pub(crate) fn started(&self) {
        self.entry.executed();
        self.state.executions.count(self.app.endpoint_id(self.path));
    }

    /// The number of the attempt of a queued request, counted from 1; 1 for a direct run.
    fn attempt(&self) -> u32 {
        self.job.map_or(1, |job| job.attempt())
    }

    /// Writes a line of the log, which the status of a queued request and the logs of the app's
    /// owner show (§14.9).
    fn log(&self, message: &str, level: &str) {
        let now = self.state.clock.now();
        if let Some(job) = self.job {
            job.log(message, level, now);
        }
        self.state.history.log(self.request_id, message, level, now);
    }

    /// Stores a file of the output and returns its URL.
    fn store(&self, content: Content, content_type: &'static str, lifecycle: &Lifecycle) -> String {
        let owner = self.caller.as_ref().map(|caller| caller.account.as_str());
        storage::store_output(self.state, content, content_type, owner, lifecycle)
    }

    /// Resolves when the caller cancels the request; for a direct run, never: its client
    /// disconnects instead.
    async fn cancelled(&self) {
        match self.job {
            Some(job) => job.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// The framework's response to a route that the app lacks (§12.5).
    pub(crate) fn path_not_found(&self) -> Answer {
        Answer::detail(
            StatusCode::NOT_FOUND,
            format!("Path /{} not found", self.path),
        )
        .billable_units(0)
    }

    /// Accepts only POST without a subpath.
    fn plain_post(&self) -> Result<(), Answer> {
        if !self.path.is_empty() {
            return Err(self.path_not_found());
        }
        self.post()
    }

    pub(crate) fn post(&self) -> Result<(), Answer> {
        if self.request.method == Method::POST {
            return Ok(());
        }
        let mut answer =
            Answer::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed").billable_units(0);
        answer
            .headers
            .insert(ALLOW, HeaderValue::from_static("POST"));
        Err(answer)
    }
}
