//! `fal-ai/veo3`: a video without pictures.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::json;

use super::job;
use crate::answer::Answer;
use crate::apps::Call;
use crate::clock;
use crate::input::Fields;
use crate::storage::{Content, Lifecycle};

/// The head of an MP4 file, without a track.
const VIDEO: &[u8] = b"\0\0\0\x18ftypisom\0\0\x02\0isommp41";

/// Long enough for a client to see the job run.
const TIME: Duration = Duration::from_millis(100);

pub(in crate::apps) async fn run(call: &Call<'_>) -> Result<Answer, Answer> {
    call.plain_post()?;
    let end = clock::later(call.state.clock.now(), TIME);
    let object = call.input()?;
    let mut fields = Fields::new(&object);
    fields.required_string("prompt");
    fields.finish()?;
    let lifecycle = Lifecycle::read(&call.request.headers)?;
    call.started();
    call.log("drawing", "INFO");
    tokio::select! {
        () = call.state.clock.sleep_until(end) => {}
        () = call.cancelled() => return Err(job::cancelled()),
    }
    let url = call.store(Content::Bytes(VIDEO), "video/mp4", &lifecycle);
    let video = json!({ "url": url, "content_type": "video/mp4", "file_size": VIDEO.len() });
    Ok(Answer::json(StatusCode::OK, &json!({ "video": video })).billable_units(1))
}
