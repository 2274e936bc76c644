//! Caches the credential of a client: finds it at the first call, renews it, and replaces it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::auth::acquire::deliver;
use crate::auth::denied;
use crate::credentials::{self, Credential, Delivered, Environment, Resolution, Undelivered};
use crate::error::Result;
use crate::log::{Level, Log, Target};
use crate::runtime;
use crate::runtime::blocking::{Kind, blocking};
use crate::runtime::per_runtime::PerRuntime;
use crate::secrets::{Mask, Masks, Secrets};
use crate::transport::Transport;

/// How long before its end a credential counts as expired: the request must arrive in time.
const MARGIN: Duration = Duration::from_secs(10);

static SERIAL: AtomicU64 = AtomicU64::new(1);

/// A credential in use.
#[derive(Debug)]
pub(crate) struct ActiveCredential {
    serial: u64,
    pub(crate) credential: Credential,
    /// Kept for the operations that carry the credential.
    _mask: Option<Arc<Mask>>,
    /// The options that led to the credential, without the sources that turned out to be empty.
    options: credentials::Options,
    pub(crate) resolution: Arc<Resolution>,
    /// The environment in which it was found.
    environment: Arc<Environment>,
    notes: Vec<String>,
    renews: bool,
    expires: Option<Instant>,
}

impl ActiveCredential {
    fn is_fresh(&self) -> bool {
        self.expires
            .is_none_or(|expires| Instant::now() + MARGIN < expires)
    }
}

type Search = Shared<BoxFuture<'static, Result<Arc<ActiveCredential>>>>;

/// The options of a client for its credential, and the credential that they led to.
pub(crate) struct CredentialCache {
    options: credentials::Options,
    environment: Environment,
    /// The environment when the host last started an operation, or an earlier one that leads to the
    /// same credential.
    seen: ArcSwap<Environment>,
    log: Log,
    active: ArcSwapOption<ActiveCredential>,
    /// The search that runs, or the last one.
    search: PerRuntime<Mutex<Option<Search>>>,
}

impl CredentialCache {
    pub(crate) fn new(options: credentials::Options, environment: Environment, log: Log) -> Self {
        let seen = ArcSwap::from_pointee(environment.clone());
        CredentialCache {
            options,
            environment,
            seen,
            log,
            active: ArcSwapOption::empty(),
            search: PerRuntime::default(),
        }
    }

    /// Reads the environment, on the host's thread, for the operation that starts. Reads only the
    /// variables that decide about the credential in use while they are as they were, since each
    /// costs hundreds of instructions.
    pub(crate) fn look(&self) {
        let active = self.active.load();
        let lasting = active.as_ref().filter(|active| {
            credentials::holds(&active.resolution, &active.environment, &self.environment)
        });
        match lasting {
            Some(active) if Arc::ptr_eq(&active.environment, &self.seen.load()) => {}
            Some(active) => self.seen.store(active.environment.clone()),
            None => self.seen.store(Arc::new(self.environment.snapshot())),
        }
    }

    /// Returns a cache for the same environment with other options.
    pub(crate) fn with_options(&self, options: credentials::Options) -> Self {
        CredentialCache::new(options, self.environment.clone(), self.log.clone())
    }

    /// Finds out again where the credential comes from, without a call to a program, a host
    /// function or a server.
    pub(crate) fn explain(&self) -> Resolution {
        let Some(active) = self.active.load_full() else {
            return credentials::resolve(&self.options, &self.environment);
        };
        let resolution = credentials::resolve(&active.options, &self.environment);
        match active.renews {
            true => resolution.delivered(&active.credential, &active.notes),
            false => resolution.keeping(&active.credential, &active.resolution),
        }
    }

    /// Returns a credential to send with. Replaces it first if it has expired or is `refused`; all
    /// operations wait for the same replacement. A failed search is repeated by the next call,
    /// since the user may have set a credential by then.
    pub(crate) async fn active(
        self: &Arc<Self>,
        refused: Option<&ActiveCredential>,
        transport: &Arc<Transport>,
    ) -> Result<Arc<ActiveCredential>> {
        match self.cached(refused) {
            Some(active) => Ok(active),
            None => self.join_search(refused, transport)?.await,
        }
    }

    /// Returns another credential in place of one that fal refused, if there is one: a provider is
    /// asked again, and the place of a key is read again, since the user may have corrected it.
    pub(crate) async fn another(
        self: &Arc<Self>,
        refused: &ActiveCredential,
        transport: &Arc<Transport>,
    ) -> Result<Option<Arc<ActiveCredential>>> {
        let found_another = |now: Resolution| {
            now.provider()
                .is_some_and(|provider| provider.ready().is_none_or(|it| *it != refused.credential))
        };
        let now = resolve(self.options.clone(), self.seen.load_full());
        match refused.renews || found_another(now.await?) {
            true => self.active(Some(refused), transport).await.map(Some),
            false => Ok(None),
        }
    }

    /// The credential in use; `None` before the first call.
    pub(crate) fn current(&self) -> Option<Arc<ActiveCredential>> {
        self.active.load_full()
    }

    /// The credential in use, if it is valid and not the one that fal `refused`.
    fn cached(&self, refused: Option<&ActiveCredential>) -> Option<Arc<ActiveCredential>> {
        let cached = self.active.load_full().filter(|active| active.is_fresh());
        cached.filter(|active| refused.is_none_or(|refused| refused.serial != active.serial))
    }

    /// Joins the search that runs, or starts one. A search continues when the operations that wait
    /// for it end.
    fn join_search(
        self: &Arc<Self>,
        refused: Option<&ActiveCredential>,
        transport: &Arc<Transport>,
    ) -> Result<Search> {
        let search = self.search.get(|| Ok(Mutex::default()))?;
        let mut search = search.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = search.as_ref().filter(|search| search.peek().is_none()) {
            return Ok(running.clone());
        }
        // A search may have ended since the caller looked. It stores the credential before it ends.
        if let Some(active) = self.cached(refused) {
            return Ok(std::future::ready(Ok(active)).boxed().shared());
        }
        let (cache, transport) = (self.clone(), transport.clone());
        let refused = refused.map(|active| active.credential.clone());
        let task = tokio::spawn(async move { cache.search(refused, &transport).await });
        let started = task
            .map(|end| {
                end.unwrap_or_else(|end| Err(runtime::task_error("the search for a key", &end)))
            })
            .boxed()
            .shared();
        *search = Some(started.clone());
        Ok(started)
    }

    async fn search(
        self: Arc<Self>,
        refused: Option<Credential>,
        transport: &Arc<Transport>,
    ) -> Result<Arc<ActiveCredential>> {
        let mut options = self.options.clone();
        loop {
            let environment = self.seen.load_full();
            let resolution = resolve(options.clone(), environment.clone()).await?;
            let Some(provider) = resolution.provider().cloned() else {
                return Err(denied::unresolved(&Arc::new(resolution)));
            };
            let renews = provider.renews();
            options = match deliver(provider, refused.clone(), &environment, transport).await {
                Ok(delivered) => {
                    return Ok(self.store(
                        options,
                        environment,
                        &resolution,
                        delivered,
                        renews,
                        &transport.masks,
                    ));
                }
                Err(Undelivered::Absent(reason)) => options
                    .without_empty(&resolution, &reason)
                    .ok_or_else(|| denied::undelivered(&resolution, &reason))?,
                Err(Undelivered::Failed(reason)) => {
                    return Err(denied::undelivered(&resolution, &reason));
                }
            };
        }
    }

    fn store(
        &self,
        options: credentials::Options,
        environment: Arc<Environment>,
        resolution: &Resolution,
        delivered: Delivered,
        renews: bool,
        masks: &Masks,
    ) -> Arc<ActiveCredential> {
        let resolution = resolution.clone();
        let resolution = resolution.delivered(&delivered.credential, &delivered.notes);
        match resolution.used() {
            Some(used) => {
                let id = used.key_id.as_deref().unwrap_or("-");
                self.write(Level::Info, format_args!("key {id} from {}", used.source));
            }
            None => self.write(Level::Info, format_args!("no key is used")),
        }
        if let Some(unsaved) = &delivered.unsaved {
            self.write(Level::Error, format_args!("{unsaved}"));
        }
        let expires = delivered
            .expires_in
            .and_then(|time| Instant::now().checked_add(time));
        let active = Arc::new(ActiveCredential {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            _mask: delivered
                .credential
                .secret()
                .and_then(|secret| masks.of(secret)),
            credential: delivered.credential,
            options,
            resolution: Arc::new(resolution),
            environment,
            notes: delivered.notes,
            renews,
            expires,
        });
        self.active.store(Some(active.clone()));
        active
    }

    /// Writes a line that contains no text of a service, so nothing in it needs to be masked.
    fn write(&self, level: Level, line: std::fmt::Arguments<'_>) {
        self.log
            .write(level, Target::Credentials, &Secrets::default(), line);
    }
}

async fn resolve(
    options: credentials::Options,
    environment: Arc<Environment>,
) -> Result<Resolution> {
    blocking(Kind::Credentials, move || {
        credentials::resolve(&options, &environment)
    })
    .await
}
