//! Fetches fal's keys, once for all concurrent verifications, and keeps them for a day.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::signature::KeySet;
use crate::client::Exchange;
use crate::codec::json;
use crate::error::{Code, Error, Result};
use crate::request::Request;
use crate::runtime;
use crate::runtime::per_runtime::PerRuntime;
use crate::transport::{Authorization, Call, SMALL};

/// How long keys are kept, the longest time that fal allows (docs/protocol.md §10.3).
const MOST: Duration = Duration::from_secs(24 * 3600);
/// The shortest time between two fetches because of unknown signatures. Anyone can send forged
/// deliveries, and each of them would cause a request.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long the error of a failed fetch is returned without another fetch, while there are no keys.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// The timeout of a fetch. It does not depend on the deadlines of the operations that wait for it.
const LIMIT: Duration = Duration::from_secs(10);

/// The keys of a client. They are read without a lock: a delivery that they verify never waits for
/// a fetch.
pub(crate) struct Cache {
    known: Arc<ArcSwapOption<Known>>,
    /// One for each runtime, because a fetch is a task of a runtime.
    fetches: PerRuntime<Mutex<Fetches>>,
    interval: Duration,
    limit: Duration,
}

struct Known {
    keys: Arc<KeySet>,
    since: Instant,
}

impl Known {
    fn now(keys: Arc<KeySet>) -> Arc<Self> {
        let since = Instant::now();
        Arc::new(Known { keys, since })
    }
}

#[derive(Default)]
struct Fetches {
    /// The start of the last fetch, even if no operation waited for its end.
    last: Option<Instant>,
    fetch: Option<Fetch>,
}

/// The result of a fetch. Dropping it does not cancel the fetch.
type Fetch = Shared<BoxFuture<'static, std::result::Result<Arc<KeySet>, Failure>>>;

#[derive(Clone)]
struct Failure {
    error: Error,
    at: Instant,
}

impl Default for Cache {
    fn default() -> Self {
        Cache::with_times(INTERVAL, LIMIT)
    }
}

impl Cache {
    pub(super) fn with_times(interval: Duration, limit: Duration) -> Self {
        Cache {
            known: Arc::default(),
            fetches: PerRuntime::default(),
            interval,
            limit,
        }
    }

    /// Returns the keys, and fetches them if they are unknown or too old. Concurrent calls share
    /// one fetch. For [`PAUSE`] after a failed fetch, calls return its error.
    pub(super) async fn keys(&self, exchange: &Exchange) -> Result<Arc<KeySet>> {
        match self.fresh(Instant::now()) {
            Some(keys) => Ok(keys),
            None => self.first(exchange)?.await.map_err(|failure| failure.error),
        }
    }

    /// Returns other keys than `than`, in which the key of a signature was not found. Fetches them
    /// if the last fetch is long enough ago, else returns `None`.
    pub(super) async fn newer(
        &self,
        exchange: &Exchange,
        than: &Arc<KeySet>,
    ) -> Result<Option<Arc<KeySet>>> {
        match self.next(exchange, than)? {
            Some(fetch) => fetch.await.map(Some).map_err(|failure| failure.error),
            None => Ok(None),
        }
    }

    fn fresh(&self, now: Instant) -> Option<Arc<KeySet>> {
        let known = self.known.load();
        let known = known.as_ref()?;
        (now.saturating_duration_since(known.since) < MOST).then(|| known.keys.clone())
    }

    fn first(&self, exchange: &Exchange) -> Result<Fetch> {
        self.fetches(|fetches| {
            let now = Instant::now();
            // A fetch may have ended since the caller looked. It stores the keys before it ends.
            let known = self.fresh(now).map(done);
            let fetch = known.or_else(|| fetches.under_way());
            let fetch = fetch.or_else(|| fetches.failed(now));
            fetch.map_or_else(|| self.start(fetches, exchange), Ok)
        })
    }

    fn next(&self, exchange: &Exchange, than: &Arc<KeySet>) -> Result<Option<Fetch>> {
        self.fetches(|fetches| {
            let now = Instant::now();
            let newer = self.fresh(now).filter(|keys| !Arc::ptr_eq(keys, than));
            match newer.map(done).or_else(|| fetches.under_way()) {
                None if fetches.may_begin(now, self.interval) => {
                    self.start(fetches, exchange).map(Some)
                }
                fetch => Ok(fetch),
            }
        })
    }

    fn fetches<T>(&self, act: impl FnOnce(&mut Fetches) -> Result<T>) -> Result<T> {
        let fetches = self.fetches.get(|| Ok(Mutex::default()))?;
        let mut fetches = fetches.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut fetches)
    }

    fn start(&self, fetches: &mut Fetches, exchange: &Exchange) -> Result<Fetch> {
        let (known, limit) = (self.known.clone(), self.limit);
        let exchange = exchange.detached(limit)?;
        let task = tokio::spawn(async move {
            let answer = tokio::time::timeout(limit, download(&exchange)).await;
            let keys = Arc::new(answer.unwrap_or_else(|_| Err(unavailable(limit)))?);
            known.store(Some(Known::now(keys.clone())));
            Ok(keys)
        });
        let fetch = task.map(|end| {
            let undone = |end| Err(runtime::task_error("the fetch of fal's keys", &end));
            end.unwrap_or_else(undone).map_err(|error| Failure {
                error,
                at: Instant::now(),
            })
        });
        let fetch = fetch.boxed().shared();
        fetches.last = Some(Instant::now());
        fetches.fetch = Some(fetch.clone());
        Ok(fetch)
    }

    #[cfg(test)]
    pub(super) fn know(&self, keys: KeySet) {
        self.known.store(Some(Known::now(Arc::new(keys))));
    }
}

impl Fetches {
    fn under_way(&self) -> Option<Fetch> {
        self.fetch.clone().filter(|fetch| fetch.peek().is_none())
    }

    /// The last fetch, if it failed less than [`PAUSE`] ago.
    fn failed(&self, now: Instant) -> Option<Fetch> {
        let failed = |fetch: &Fetch| {
            let failure = fetch.peek().and_then(|end| end.as_ref().err());
            failure.is_some_and(|failure| now.saturating_duration_since(failure.at) < PAUSE)
        };
        self.fetch.clone().filter(failed)
    }

    fn may_begin(&self, now: Instant, interval: Duration) -> bool {
        self.last
            .is_none_or(|last| now.saturating_duration_since(last) >= interval)
    }
}

fn done(keys: Arc<KeySet>) -> Fetch {
    std::future::ready(Ok(keys)).boxed().shared()
}

fn unavailable(limit: Duration) -> Error {
    let limit = limit.as_secs_f64();
    let message = format!("fal's keys for webhooks did not arrive within {limit} s");
    Error::new(Code::ServiceUnavailable, message).with_retryable(true)
}

async fn download(exchange: &Exchange) -> Result<KeySet> {
    let url = exchange.hosts().rest_url(crate::endpoint::JWKS)?;
    let call = Call {
        authorization: Authorization::Nothing,
        most: SMALL,
        ..exchange.call(Request::new("GET", url.as_str())?)?
    };
    let answer = exchange.send_call(&call).await?;
    let keys = json::look(answer.into_body(), |set| KeySet::from_jwks(&set)).await?;
    keys.map_err(|error| {
        let message = format!("fal's keys for webhooks: {}", error.message());
        Error::new(Code::Protocol, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_for_a_day_and_asked_for_once_a_minute() {
        let cache = Cache::default();
        let then = Instant::now();
        let keys = Arc::new(KeySet::from_public_keys([]));
        cache
            .known
            .store(Some(Arc::new(Known { keys, since: then })));
        let day = Duration::from_secs(86_400);
        let second = Duration::from_secs(1);
        assert!(cache.fresh(then).is_some() && cache.fresh(then + day - second).is_some());
        assert!(cache.fresh(then + day).is_none());
        let fetches = Fetches {
            last: Some(then),
            fetch: None,
        };
        assert!(!fetches.may_begin(then + Duration::from_secs(59), INTERVAL));
        assert!(fetches.may_begin(then + Duration::from_secs(60), INTERVAL));
        assert!(Fetches::default().may_begin(then, INTERVAL));
    }

    #[test]
    fn a_failure_stands_for_a_second() {
        let then = Instant::now();
        let failure = Failure {
            error: Error::invalid("x"),
            at: then,
        };
        let fetch: Fetch = std::future::ready(Err(failure)).boxed().shared();
        assert!(fetch.clone().now_or_never().is_some());
        let fetches = Fetches {
            last: Some(then),
            fetch: Some(fetch),
        };
        assert!(fetches.failed(then).is_some() && fetches.failed(then + PAUSE).is_none());
    }
}
