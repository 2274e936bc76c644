//! `Idempotency-Key`: a repetition within ten minutes gets the first response again
//! (docs/protocol.md §14.1). Reuse of a key with another body is not documented (§16.39); here it
//! also gets the first response.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::visit::Visit;
use crate::answer::Answer;
use crate::clock;

/// How long a response is kept, in seconds.
const KEPT: u64 = 600;

/// The account, the method, the path and the value of the header.
pub(super) type Key = [String; 4];

struct Kept {
    until: SystemTime,
    answer: Answer,
}

#[derive(Default)]
pub(super) struct Answered(Mutex<HashMap<Key, Kept>>);

pub(super) fn key(visit: &Visit<'_>) -> Option<Key> {
    let value = visit.request.headers.get("idempotency-key")?;
    Some([
        visit.account().to_owned(),
        visit.request.method.to_string(),
        visit.request.path.clone(),
        String::from_utf8_lossy(value.as_bytes()).into_owned(),
    ])
}

fn again(answer: &Answer) -> Answer {
    let mut again = Answer::empty(answer.status);
    again.headers = answer.headers.clone();
    again.payload = answer.payload.again();
    again
}

impl Answered {
    /// Returns the earlier response for this key, or else the response of `run`. Calls are
    /// serialized, because a repetition may arrive while the first request is being executed.
    ///
    /// Error responses are not kept, so that a corrected request can use the same key.
    pub(super) fn once(
        &self,
        key: Key,
        now: SystemTime,
        run: impl FnOnce() -> Result<Answer, Answer>,
    ) -> Result<Answer, Answer> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, kept| now < kept.until);
        if let Some(kept) = all.get(&key) {
            return Ok(again(&kept.answer));
        }
        let answer = run()?;
        all.insert(
            key,
            Kept {
                until: clock::after(now, KEPT),
                answer: again(&answer),
            },
        );
        Ok(answer)
    }
}
