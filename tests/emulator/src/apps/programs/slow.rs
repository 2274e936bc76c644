//! `emulator/slow`: responds after a delay.

use std::time::Duration;

use hyper::StatusCode;
use serde_json::json;

use crate::answer::Answer;
use crate::apps::Call;
use crate::clock;
use crate::input::Fields;

/// The longest delay in milliseconds: the default `request_timeout` of an app (docs/protocol.md
/// §15).
const LONGEST: u64 = 3_600_000;

pub(in crate::apps) async fn run(call: &Call<'_>) -> Result<Answer, Answer> {
    call.plain_post()?;
    let object = call.input()?;
    let mut fields = Fields::new(&object);
    let ms = fields.integer_between("ms", 1000, 0, LONGEST);
    fields.finish()?;
    // Computed before the test can observe that the app runs and advance the clock.
    let end = clock::later(call.state.clock.now(), Duration::from_millis(ms));
    call.started();
    call.state.clock.sleep_until(end).await;
    Ok(Answer::json(StatusCode::OK, &json!({ "ms": ms })).billable_units(1))
}
