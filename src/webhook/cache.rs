//! fal's keys as this client knows them: fetched once for all who wait, and kept for a day.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::KeySet;
use crate::client::Steps;
use crate::error::{Code, Error, Result};
use crate::per_runtime::{Life, PerRuntime};
use crate::request::Request;
use crate::transport::{Call, Pass, SMALL};

/// The longest that fal allows (fal-protocol.md §10.3).
const MOST: Duration = Duration::from_secs(24 * 3600);
/// A forged signature must not become a request of ours each time.
const INTERVAL: Duration = Duration::from_secs(60);

/// The place of the keys. They belong to one life of the runtime, because those who wait for them do.
pub(crate) struct Cache {
    known: PerRuntime<Mutex<Known>>,
    interval: Duration,
}

#[derive(Default)]
struct Known {
    keys: Option<(Arc<KeySet>, Instant)>,
    /// When the last request for them ended, and with what error.
    asked: Option<(Instant, Option<Error>)>,
}

impl Default for Cache {
    fn default() -> Self {
        Cache::with_interval(INTERVAL)
    }
}

impl Cache {
    pub(super) fn with_interval(interval: Duration) -> Self {
        Cache { known: PerRuntime::default(), interval }
    }

    /// The keys, fetched if they are not known or too old. Whoever waits for a fetch shares its outcome.
    pub(super) async fn keys(&self, steps: &Steps) -> Result<Arc<KeySet>> {
        let called = Instant::now();
        let known = self.known()?;
        let mut known = known.lock().await;
        if let Some(keys) = known.fresh(Instant::now()) {
            return Ok(keys);
        }
        match known.failed_since(called) {
            Some(error) => Err(error),
            None => known.fetch(steps).await,
        }
    }

    /// Newer keys than those that did not do, if there are any; fetched unless they were asked for a moment ago.
    pub(super) async fn newer(&self, steps: &Steps, than: &Arc<KeySet>) -> Result<Option<Arc<KeySet>>> {
        let known = self.known()?;
        let mut known = known.lock().await;
        let now = Instant::now();
        match known.fresh(now).filter(|keys| !Arc::ptr_eq(keys, than)) {
            Some(newer) => Ok(Some(newer)),
            None if known.may_ask(now, self.interval) => known.fetch(steps).await.map(Some),
            None => Ok(None),
        }
    }

    fn known(&self) -> Result<Arc<Life<Mutex<Known>>>> {
        self.known.get(|| Ok(Mutex::default()))
    }
}

impl Known {
    fn fresh(&self, now: Instant) -> Option<Arc<KeySet>> {
        let (keys, fetched) = self.keys.as_ref()?;
        (now.saturating_duration_since(*fetched) < MOST).then(|| keys.clone())
    }

    fn may_ask(&self, now: Instant, interval: Duration) -> bool {
        self.asked.as_ref().is_none_or(|(asked, _)| now.saturating_duration_since(*asked) >= interval)
    }

    /// The error of a request that failed while somebody waited for it.
    fn failed_since(&self, called: Instant) -> Option<Error> {
        let (asked, error) = self.asked.as_ref()?;
        error.clone().filter(|_| *asked >= called)
    }

    async fn fetch(&mut self, steps: &Steps) -> Result<Arc<KeySet>> {
        let fetched = ask(steps).await;
        let now = Instant::now();
        self.asked = Some((now, fetched.as_ref().err().cloned()));
        let keys = Arc::new(fetched?);
        self.keys = Some((keys.clone(), now));
        Ok(keys)
    }
}

async fn ask(steps: &Steps) -> Result<KeySet> {
    let url = steps.hosts().rest_url(crate::endpoint::JWKS)?;
    let call = Call { pass: Pass::Nothing, most: SMALL, ..steps.call(Request::new("GET", url.as_str())?)? };
    let answer = steps.send_call(&call).await?;
    KeySet::from_jwks(answer.body())
        .map_err(|error| Error::new(Code::Protocol, format!("fal's keys for webhooks: {}", error.message())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_for_a_day_and_asked_for_once_a_minute() {
        let then = Instant::now();
        let keys = Arc::new(KeySet::from_public_keys([]));
        let known = Known { keys: Some((keys, then)), asked: Some((then, None)) };
        let day = Duration::from_secs(86_400);
        let second = Duration::from_secs(1);
        assert!(known.fresh(then).is_some() && known.fresh(then + day - second).is_some());
        assert!(known.fresh(then + day).is_none());
        assert!(!known.may_ask(then + Duration::from_secs(59), INTERVAL));
        assert!(known.may_ask(then + Duration::from_secs(60), INTERVAL));
        assert!(Known::default().may_ask(then, INTERVAL));
    }

    #[test]
    fn only_who_waited_shares_a_failure() {
        let then = Instant::now();
        let known = Known { keys: None, asked: Some((then, Some(Error::invalid("x")))) };
        assert!(known.failed_since(then - Duration::from_secs(1)).is_some());
        assert!(known.failed_since(then + Duration::from_secs(1)).is_none());
    }
}
