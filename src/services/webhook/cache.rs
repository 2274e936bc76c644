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
    asking: PerRuntime<Mutex<Asking>>,
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
struct Asking {
    /// The start of the last fetch, even if no operation waited for its end.
    last: Option<Instant>,
    flight: Option<Flight>,
}

/// The result of a fetch. Dropping it does not cancel the fetch.
type Flight = Shared<BoxFuture<'static, std::result::Result<Arc<KeySet>, Failure>>>;

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
            asking: PerRuntime::default(),
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
            Some(flight) => flight.await.map(Some).map_err(|failure| failure.error),
            None => Ok(None),
        }
    }

    fn fresh(&self, now: Instant) -> Option<Arc<KeySet>> {
        let known = self.known.load();
        let known = known.as_ref()?;
        (now.saturating_duration_since(known.since) < MOST).then(|| known.keys.clone())
    }

    fn first(&self, exchange: &Exchange) -> Result<Flight> {
        self.asking(|asking| {
            let now = Instant::now();
            // A fetch may have ended since the caller looked. It stores the keys before it ends.
            let known = self.fresh(now).map(landed);
            let flight = known.or_else(|| asking.under_way());
            let flight = flight.or_else(|| asking.failed(now));
            flight.map_or_else(|| self.fetch(asking, exchange), Ok)
        })
    }

    fn next(&self, exchange: &Exchange, than: &Arc<KeySet>) -> Result<Option<Flight>> {
        self.asking(|asking| {
            let now = Instant::now();
            let newer = self.fresh(now).filter(|keys| !Arc::ptr_eq(keys, than));
            match newer.map(landed).or_else(|| asking.under_way()) {
                None if asking.may_begin(now, self.interval) => {
                    self.fetch(asking, exchange).map(Some)
                }
                flight => Ok(flight),
            }
        })
    }

    fn asking<T>(&self, act: impl FnOnce(&mut Asking) -> Result<T>) -> Result<T> {
        let asking = self.asking.get(|| Ok(Mutex::default()))?;
        let mut asking = asking.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut asking)
    }

    fn fetch(&self, asking: &mut Asking, exchange: &Exchange) -> Result<Flight> {
        let (known, limit) = (self.known.clone(), self.limit);
        let exchange = exchange.detached(limit)?;
        let fetch = tokio::spawn(async move {
            let answer = tokio::time::timeout(limit, ask(&exchange)).await;
            let keys = Arc::new(answer.unwrap_or_else(|_| Err(unavailable(limit)))?);
            known.store(Some(Known::now(keys.clone())));
            Ok(keys)
        });
        let flight = fetch.map(|end| {
            let undone = |end| Err(runtime::task_error("the fetch of fal's keys", &end));
            end.unwrap_or_else(undone).map_err(|error| Failure {
                error,
                at: Instant::now(),
            })
        });
        let flight = flight.boxed().shared();
        asking.last = Some(Instant::now());
        asking.flight = Some(flight.clone());
        Ok(flight)
    }

    #[cfg(test)]
    pub(super) fn know(&self, keys: KeySet) {
        self.known.store(Some(Known::now(Arc::new(keys))));
    }
}

impl Asking {
    fn under_way(&self) -> Option<Flight> {
        self.flight.clone().filter(|flight| flight.peek().is_none())
    }

    /// The last fetch, if it failed less than [`PAUSE`] ago.
    fn failed(&self, now: Instant) -> Option<Flight> {
        let failed = |flight: &Flight| {
            let failure = flight.peek().and_then(|end| end.as_ref().err());
            failure.is_some_and(|failure| now.saturating_duration_since(failure.at) < PAUSE)
        };
        self.flight.clone().filter(failed)
    }

    fn may_begin(&self, now: Instant, interval: Duration) -> bool {
        self.last
            .is_none_or(|last| now.saturating_duration_since(last) >= interval)
    }
}

fn landed(keys: Arc<KeySet>) -> Flight {
    std::future::ready(Ok(keys)).boxed().shared()
}

fn unavailable(limit: Duration) -> Error {
    let limit = limit.as_secs_f64();
    let message = format!("fal's keys for webhooks did not arrive within {limit} s");
    Error::new(Code::ServiceUnavailable, message).with_retryable(true)
}

async fn ask(exchange: &Exchange) -> Result<KeySet> {
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
        let asking = Asking {
            last: Some(then),
            flight: None,
        };
        assert!(!asking.may_begin(then + Duration::from_secs(59), INTERVAL));
        assert!(asking.may_begin(then + Duration::from_secs(60), INTERVAL));
        assert!(Asking::default().may_begin(then, INTERVAL));
    }

    #[test]
    fn a_failure_stands_for_a_second() {
        let then = Instant::now();
        let failure = Failure {
            error: Error::invalid("x"),
            at: then,
        };
        let flight: Flight = std::future::ready(Err(failure)).boxed().shared();
        assert!(flight.clone().now_or_never().is_some());
        let asking = Asking {
            last: Some(then),
            flight: Some(flight),
        };
        assert!(asking.failed(then).is_some() && asking.failed(then + PAUSE).is_none());
    }
}
