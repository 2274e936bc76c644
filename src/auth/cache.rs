//! Caches the credential of a client: finds it at the first call, renews it, and replaces it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::auth::acquire::deliver;
use crate::auth::denied;
use crate::credentials::{
    self, Credential, Deciding, Delivered, Environment, Resolution, Undelivered,
};
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
    deciding: Option<Deciding>,
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
    /// The environment when the host last started an operation, or only the variables that decide
    /// about the credential in use.
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
        let deciding = active.as_ref().and_then(|active| active.deciding.as_ref());
        match deciding.filter(|deciding| deciding.hold_in(&self.environment)) {
            Some(lasting) if Arc::ptr_eq(&lasting.environment, &self.seen.load()) => {}
            Some(lasting) => self.seen.store(lasting.environment.clone()),
            None => {
                self.seen.store(Arc::new(self.environment.snapshot()));
                self.forget_others();
            }
        }
    }

    /// Drops the variables that do not decide, which may be secrets. A search that ends and an
    /// operation that starts may meet, so both call this after they have stored their part.
    fn forget_others(&self) {
        let (active, seen) = (self.active.load(), self.seen.load());
        let deciding = active.as_ref().and_then(|active| active.deciding.as_ref());
        if let Some(deciding) = deciding.filter(|deciding| deciding.hold_in(&seen)) {
            self.seen
                .compare_and_swap(&seen, deciding.environment.clone());
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
        let found_another = |now: &Resolution| {
            now.provider()
                .is_some_and(|provider| provider.ready().is_none_or(|it| *it != refused.credential))
        };
        let now = self.resolve(&self.options, self.seen.load_full());
        match refused.renews || found_another(&*now.await?) {
            true => self.active(Some(refused), transport).await.map(Some),
            false => Ok(None),
        }
    }

    /// The credential in use; `None` before the first call.
    pub(crate) fn current(&self) -> Option<Arc<ActiveCredential>> {
        self.active.load_full()
    }

    /// The credential in use, if it is valid and not the one that fal `refused`.
    pub(crate) fn cached(
        &self,
        refused: Option<&ActiveCredential>,
    ) -> Option<Arc<ActiveCredential>> {
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

    /// Reads the sources, unless nothing has changed since the credential in use was found.
    async fn resolve(
        &self,
        options: &credentials::Options,
        environment: Arc<Environment>,
    ) -> Result<Arc<Resolution>> {
        if let Some(found) = self.found_in(&environment) {
            return Ok(found);
        }
        let options = options.clone();
        let resolution = blocking(Kind::Credentials, move || {
            credentials::resolve(&options, &environment)
        });
        resolution.await.map(Arc::new)
    }

    /// Returns the resolution in this environment if it is the one in which the credential in use
    /// was found.
    fn found_in(&self, environment: &Arc<Environment>) -> Option<Arc<Resolution>> {
        let active = self.active.load();
        let deciding = active.as_ref()?.deciding.as_ref()?;
        let is_same = Arc::ptr_eq(&deciding.environment, environment);
        is_same.then(|| deciding.found.clone())
    }

    async fn search(
        self: Arc<Self>,
        refused: Option<Credential>,
        transport: &Arc<Transport>,
    ) -> Result<Arc<ActiveCredential>> {
        let mut options = self.options.clone();
        loop {
            let environment = self.seen.load_full();
            let resolution = self.resolve(&options, environment.clone()).await?;
            let Some(provider) = resolution.provider().cloned() else {
                return Err(denied::unresolved(&resolution));
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
        found: &Arc<Resolution>,
        delivered: Delivered,
        renews: bool,
        masks: &Masks,
    ) -> Arc<ActiveCredential> {
        let resolution = Resolution::clone(found);
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
            deciding: Deciding::of(found, &environment),
            notes: delivered.notes,
            renews,
            expires,
        });
        self.active.store(Some(active.clone()));
        self.forget_others();
        active
    }

    /// Writes a line that contains no text of a service, so nothing in it needs to be masked.
    fn write(&self, level: Level, line: std::fmt::Arguments<'_>) {
        self.log
            .write(level, Target::Credentials, &Secrets::default(), line);
    }
}
