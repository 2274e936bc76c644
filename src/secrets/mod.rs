//! Removes the secrets of an operation from everything that reports about it.
//!
//! A secret is a key or token that a request of the operation carried. Error responses, errors,
//! events and log lines pass through here. Requested data pass unchanged: the body and headers of a
//! success, downloaded files, and binary events.

mod json;
mod mask;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::ArcSwap;
use bytes::Bytes;

pub(crate) use self::mask::Mask;
use self::mask::has_escapes;
use crate::limits::{QUOTED, first_characters};

/// The text that replaces a secret.
const MASK: &str = "****";
/// The most secrets that an operation remembers. A long operation renews its tokens; the oldest
/// ones have expired and are forgotten.
const MOST: usize = 16;
/// How many bytes are searched before other tasks of the thread may run.
const TURN: usize = 64 << 10;

/// The masks of one client. Operations that carry the same secret share one mask. To build one costs
/// as much as a request, so the code that keeps a secret keeps its mask too. No lock protects them,
/// because a fork could leave it locked.
#[derive(Default)]
pub(crate) struct Masks {
    known: ArcSwap<Vec<Weak<Mask>>>,
}

impl Masks {
    /// Returns the mask of a secret, or `None` if the text is too short for one.
    pub(crate) fn of(&self, secret: &str) -> Option<Arc<Mask>> {
        let known = self.known.load();
        if let Some(mask) = known
            .iter()
            .filter_map(Weak::upgrade)
            .find(|mask| mask.is_of(secret))
        {
            return Some(mask);
        }
        let mask = Arc::new(Mask::of(secret)?);
        self.known.rcu(|known| {
            let living = known.iter().filter(|mask| mask.strong_count() > 0).cloned();
            living.chain([Arc::downgrade(&mask)]).collect::<Vec<_>>()
        });
        Some(mask)
    }
}

/// The secrets that one operation carried.
#[derive(Default)]
pub(crate) struct Secrets {
    masks: Arc<Masks>,
    /// The most recent one last. Only tasks of the runtime lock it.
    carried: Mutex<Vec<Arc<Mask>>>,
}

impl Secrets {
    pub(crate) fn of(masks: &Arc<Masks>) -> Self {
        Secrets {
            masks: masks.clone(),
            carried: Mutex::default(),
        }
    }

    /// Registers a secret. Call it before a request carries the secret.
    pub(crate) fn carry(&self, secret: &str) {
        let mut carried = self.carried();
        if carried.last().is_some_and(|mask| mask.is_of(secret)) {
            return;
        }
        let place = carried.iter().position(|mask| mask.is_of(secret));
        let known = place.map(|place| carried.remove(place));
        let mask = known.or_else(|| self.masks.of(secret));
        add(&mut carried, mask);
    }

    /// Registers all secrets of `other`, whose texts this operation may also report.
    pub(crate) fn share(&self, other: &Secrets) {
        let others = other.all();
        let mut carried = self.carried();
        for mask in others {
            carried.retain(|known| !Arc::ptr_eq(known, &mask));
            add(&mut carried, Some(mask));
        }
    }

    fn carried(&self) -> MutexGuard<'_, Vec<Arc<Mask>>> {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> Vec<Arc<Mask>> {
        self.carried().clone()
    }

    /// Replaces the secrets in a text.
    pub(crate) fn hide(&self, text: &mut String) {
        if let Some(hidden) = self.hidden(text.as_bytes()) {
            // Removing ASCII characters from UTF-8 leaves UTF-8.
            *text = String::from_utf8(hidden).unwrap_or_else(|_| MASK.to_owned());
        }
    }

    /// Replaces the secrets in a text, if there is a text.
    pub(crate) fn hide_in(&self, text: &mut Option<String>) {
        if let Some(text) = text {
            self.hide(text);
        }
    }

    /// Returns the beginning of a service's text, for a message. Secrets are removed before the
    /// cut, because a part of a secret would not be recognized.
    pub(crate) fn quoted(&self, mut text: String) -> String {
        self.hide(&mut text);
        first_characters(&text, QUOTED)
    }

    /// Returns a copy without secrets, or `None` if the text contains no secret.
    pub(crate) fn hidden(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut hidden: Option<Vec<u8>> = None;
        for mask in self.all() {
            for escaped in [false, true] {
                let text = hidden.as_deref().unwrap_or(text);
                if escaped && !has_escapes(text) {
                    continue;
                }
                let found = mask.find(text, escaped).end();
                if !found.is_empty() {
                    hidden = Some(without(text, &found));
                }
            }
        }
        hidden
    }

    /// Does the same as [`hidden`](Self::hidden) for a long text, and yields to other tasks.
    pub(crate) async fn hidden_slowly(&self, text: &Bytes) -> Option<Bytes> {
        if text.len() <= TURN {
            return self.hidden(text).map(Bytes::from);
        }
        let (mut text, mut hidden) = (text.clone(), false);
        for mask in self.all() {
            for escaped in [false, true] {
                if escaped && !has_escapes_slowly(&text).await {
                    continue;
                }
                let mut search = mask.find(&text, escaped);
                for end in (TURN..text.len()).step_by(TURN) {
                    search.advance(end);
                    tokio::task::yield_now().await;
                }
                let found = search.end();
                if !found.is_empty() {
                    (text, hidden) = (without(&text, &found).into(), true);
                }
            }
        }
        hidden.then_some(text)
    }

    /// Whether a text contains a secret.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        self.hidden(text.as_bytes()).is_some()
    }
}

async fn has_escapes_slowly(text: &[u8]) -> bool {
    for part in text.chunks(TURN) {
        if has_escapes(part) {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

fn add(carried: &mut Vec<Arc<Mask>>, mask: Option<Arc<Mask>>) {
    carried.extend(mask);
    if carried.len() > MOST {
        carried.remove(0);
    }
}

/// Returns a copy of a text in which each range is masked. Without memory for the copy, the whole
/// text is masked.
fn without(text: &[u8], found: &[std::ops::Range<usize>]) -> Vec<u8> {
    let hidden: usize = found.iter().map(ExactSizeIterator::len).sum();
    let mut kept = Vec::new();
    if kept
        .try_reserve_exact(text.len() - hidden + found.len() * MASK.len())
        .is_err()
    {
        return MASK.into();
    }
    let mut from = 0;
    for place in found {
        kept.extend_from_slice(&text[from..place.start]);
        kept.extend_from_slice(MASK.as_bytes());
        from = place.end;
    }
    kept.extend_from_slice(&text[from..]);
    kept
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}
