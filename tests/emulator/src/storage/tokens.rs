//! Short-lived secrets of the CDN: its tokens (docs/protocol.md §9.2), and the signatures of
//! readable URLs (§9.6).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use hyper::header::{AUTHORIZATION, HeaderMap};
use uuid::Uuid;

use crate::clock;

/// Secrets, each with its meaning and its expiry.
pub(crate) struct Secrets<T>(Mutex<HashMap<String, (T, SystemTime)>>);

impl<T> Default for Secrets<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Secrets<T> {
    fn all(&self) -> MutexGuard<'_, HashMap<String, (T, SystemTime)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates a secret that begins with `prefix` and expires `seconds` after `now`.
    pub(crate) fn issue(&self, prefix: &str, meaning: T, now: SystemTime, seconds: u64) -> String {
        let secret = format!("{prefix}{}", Uuid::new_v4().simple());
        let mut all = self.all();
        all.retain(|_, (_, expires)| now < *expires);
        all.insert(secret.clone(), (meaning, clock::after(now, seconds)));
        secret
    }

    pub(crate) fn find(&self, secret: &str, now: SystemTime) -> Option<T> {
        self.all()
            .get(secret)
            .filter(|(_, expires)| now < *expires)
            .map(|(meaning, _)| meaning.clone())
    }
}

impl Secrets<String> {
    /// The accounts whose tokens the `Authorization` headers contain. Any other value is ignored.
    pub(crate) fn accounts(&self, headers: &HeaderMap, now: SystemTime) -> Vec<String> {
        let values = headers
            .get_all(AUTHORIZATION)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let tokens = values.filter_map(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        tokens.filter_map(|token| self.find(token, now)).collect()
    }
}

/// The query parameter that makes a file readable.
pub(crate) const IDENTITY: &str = "identity";
