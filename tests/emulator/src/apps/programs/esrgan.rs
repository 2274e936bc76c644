//! `fal-ai/esrgan`: a larger picture.

use hyper::StatusCode;
use serde_json::json;

use crate::answer::Answer;
use crate::apps::Call;
use crate::input::Fields;
use crate::picture::Picture;
use crate::storage::{Content, Lifecycle};

/// The width and the height that every picture of an input is taken to have.
const SIDE: u64 = 512;

pub(in crate::apps) fn run(call: &Call<'_>) -> Result<Answer, Answer> {
    call.plain_post()?;
    let object = call.input()?;
    let mut fields = Fields::new(&object);
    let prompt = fields.required_string("image_url");
    let scale = fields.integer_between("scale", 2, 1, 8);
    fields.finish()?;
    let lifecycle = Lifecycle::read(&call.request.headers)?;
    call.started();
    let side = (SIDE * scale) as u32;
    let picture = Picture {
        prompt,
        seed: scale,
        width: side,
        height: side,
    };
    let url = call.store(Content::Picture(picture), "image/png", &lifecycle);
    let image = json!({ "url": url, "width": side, "height": side, "content_type": "image/png" });
    Ok(Answer::json(StatusCode::OK, &json!({ "image": image })).billable_units(1))
}
