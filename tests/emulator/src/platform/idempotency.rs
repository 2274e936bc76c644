//! `Idempotency-Key`: the same answer again for ten minutes (docs/protocol.md §14.1). What the
//! key's reuse with another body does is not documented (§16.39): here it gets the first answer
//! too.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::visit::Visit;
use crate::answer::Answer;
use crate::clock;

/// Seconds.
const KEPT: u64 = 600;

/// Account, method, path and the header's value.
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
    /// What was answered to this key before, or what `run` answers now. One at a time: a repeat may
    /// come while the first is under way.
    ///
    /// Refusals are not kept: who corrects his request may send it under the same key.
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
