//! The limit of requests per minute, which fal does not publish (docs/protocol.md §16.40). It is a
//! setting; by default there is no limit.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use hyper::StatusCode;

use super::error;
use super::settings::PlatformSettings;
use crate::answer::Answer;
use crate::clock;
use crate::keys::Caller;

const WINDOW: u64 = 60;

/// For each key, and for requests without one: the current minute and the number of requests in it.
#[derive(Default)]
pub(super) struct Rates(Mutex<HashMap<Option<String>, (u64, u32)>>);

impl Rates {
    /// 429 with `x-ratelimit-reset`, the seconds until the next minute, if this minute's limit is
    /// exceeded.
    pub(super) fn count(
        &self,
        caller: Option<&Caller>,
        settings: &PlatformSettings,
        now: SystemTime,
    ) -> Result<(), Answer> {
        let limit = match caller {
            Some(_) => settings.requests_per_minute,
            None => settings
                .anonymous_requests_per_minute
                .or(settings.requests_per_minute),
        };
        let Some(limit) = limit else {
            return Ok(());
        };
        let seconds = clock::unix(now);
        let minute = seconds / WINDOW;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts
            .entry(caller.map(|caller| caller.key_id.clone()))
            .or_default();
        if count.0 != minute {
            *count = (minute, 0);
        }
        count.1 = count.1.saturating_add(1);
        if count.1 <= limit {
            return Ok(());
        }
        let answer = error(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limited",
            "Rate limit exceeded",
        );
        Err(answer.header("x-ratelimit-reset", (WINDOW - seconds % WINDOW).into()))
    }
}
