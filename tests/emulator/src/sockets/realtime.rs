//! Realtime apps and raw WebSockets (docs/protocol.md §7).

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::script::{Input, Step};
use super::{End, Link, Overflow, accept};
use crate::answer::Answer;
use crate::clock;
use crate::input;
use crate::server::Request;
use crate::state::State;

/// The number of inputs that an app keeps while it is busy, unless the client sets it.
const DEFAULT_BUFFERING: usize = 60;

/// The seconds without an input after which a session ends, unless the settings say otherwise.
const DEFAULT_SESSION_SECONDS: u64 = 60;

/// `emulator/realtime`, `fal-ai/fast-lcm-diffusion`: echoes each input, unless the input asks for something else.
pub(crate) fn realtime(
    state: &Arc<State>,
    request: &Request,
    endpoint: &str,
) -> Result<Answer, Answer> {
    let most = max_buffering(request)?;
    let timeout = state
        .settings()
        .realtime_session_seconds
        .unwrap_or(DEFAULT_SESSION_SECONDS);
    let state = Arc::clone(state);
    let session = move |mut link: Link| async move {
        let end = serve(&mut link, &state, Duration::from_secs(timeout)).await;
        end.unwrap_or_else(|end| end)
    };
    Ok(accept(
        &request.headers,
        endpoint.into(),
        Overflow::DropOldest(most),
        session,
    ))
}

fn max_buffering(request: &Request) -> Result<usize, Answer> {
    let Some((_, value)) = request
        .query_pairs()
        .find(|(name, _)| name == "max_buffering")
    else {
        return Ok(DEFAULT_BUFFERING);
    };
    value.parse().ok().filter(|most| (1..=60).contains(most)).ok_or_else(|| {
        let message = "Input should be between 1 and 60";
        let entry = json!({ "loc": ["query", "max_buffering"], "msg": message, "type": "value_error", "input": value });
        input::invalid(vec![entry])
    })
}

async fn serve(link: &mut Link, state: &State, timeout: Duration) -> Result<End, End> {
    let mut deadline = clock::later(state.clock.now(), timeout);
    loop {
        let message = tokio::select! {
            // Messages that have arrived are handled before the deadline is checked.
            biased;
            message = link.receive() => message,
            () = state.clock.sleep_until(deadline) => return fail(link, "TIMEOUT", NO_INPUTS).await,
        };
        let input = match Input::read(&message) {
            Ok(input) => input,
            Err(reason) => return fail(link, "INTERNAL_ERROR", reason).await,
        };
        for step in input.steps() {
            // Computed before the test can observe the step and advance the clock.
            deadline = clock::later(state.clock.now(), timeout);
            match step {
                Step::Wait(duration) => tokio::time::sleep(duration).await,
                Step::Binary(bytes) => link.send(Message::binary(bytes)).await?,
                Step::Text(text) => link.send_text(text).await?,
                Step::Fail(error, reason) => return fail(link, &error, &reason).await,
                Step::Unauthorized => return refuse(link).await,
                Step::Close(code, reason) => return Ok(link.close(code, &reason).await),
                Step::Drop => return Ok(End::Gone),
            }
        }
    }
}

/// The error of the frame that ends a session after its time without input.
pub(super) const NO_INPUTS: &str = "no inputs, reconnect when needed!";

/// Sends an error frame and the normal close that follows it (§7.4, §7.5).
async fn fail(link: &mut Link, error: &str, reason: &str) -> Result<End, End> {
    link.send_text(json!({ "type": "x-fal-error", "error": error, "reason": reason }).to_string())
        .await?;
    Ok(link.close(1000, "").await)
}

async fn refuse(link: &mut Link) -> Result<End, End> {
    link.send_text(json!({ "status": "error", "error": "Unauthorized" }).to_string())
        .await?;
    Ok(link.close(1000, "").await)
}

/// The refusal of a token as a message (§7.4).
pub(crate) fn unauthorized(request: &Request) -> Answer {
    let session = |mut link: Link| async move { refuse(&mut link).await.unwrap_or_else(|end| end) };
    accept(
        &request.headers,
        "(refused)".into(),
        Overflow::Keep,
        session,
    )
}

/// `emulator/ws`: echoes every message, without fal's framing (§7.6).
pub(crate) fn raw(request: &Request, endpoint: &str) -> Answer {
    let session = |mut link: Link| async move {
        loop {
            let message = link.receive().await;
            if let Err(end) = link.send(message).await {
                return end;
            }
        }
    };
    accept(&request.headers, endpoint.into(), Overflow::Keep, session)
}
