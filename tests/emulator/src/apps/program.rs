//! The apps that are code.

use serde::Deserialize;

use super::Call;
use super::programs::{bytes, echo, fail, flux, job, slow, stream};
use crate::answer::Answer;
use crate::platform;
use crate::sockets;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Program {
    Bytes,
    Echo,
    Fail,
    Flux,
    Job,
    Realtime,
    Slow,
    Stream,
    Websocket,
    Workflow,
    /// A stored workflow.
    #[serde(skip)]
    Stored,
}

impl Program {
    /// Whether the path below an endpoint's id belongs to the endpoint.
    pub(super) fn takes(self, path: &str) -> bool {
        match self {
            Self::Echo | Self::Fail => true,
            Self::Stored | Self::Stream | Self::Workflow => path == "stream",
            Self::Realtime => path == "realtime",
            _ => false,
        }
    }

    pub(super) async fn run(self, call: &Call<'_>) -> Result<Answer, Answer> {
        match self {
            Self::Realtime | Self::Websocket => socket(call, self == Self::Realtime),
            // A route for HTTP accepts no WebSocket.
            _ if sockets::is_handshake(call.request) => Err(call.path_not_found()),
            Self::Bytes => bytes::run(call),
            Self::Echo => Ok(echo::run(call)),
            Self::Fail => fail::run(call),
            Self::Flux => flux::run(call).await,
            Self::Job => job::run(call).await,
            Self::Slow => slow::run(call).await,
            Self::Stream => stream::run(call),
            Self::Workflow => stream::workflow(call),
            Self::Stored => Ok(platform::play(call)?.answer().await),
        }
    }
}

/// Runs an app that accepts only WebSockets.
fn socket(call: &Call<'_>, realtime: bool) -> Result<Answer, Answer> {
    // The JavaScript client omits the path if the endpoint id ends with it (§3.2).
    let known = matches!(call.path(), "") || realtime && call.path() == "realtime";
    if !known || !sockets::is_handshake(call.request) {
        return Err(call.path_not_found());
    }
    let answer = match realtime {
        true => sockets::realtime(call.state, call.request, &call.app.id)?,
        false => sockets::raw(call.request, &call.app.id),
    };
    call.started();
    Ok(answer)
}
