//! The credential of a client: looked for at the first call, kept, renewed, replaced.

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
use crate::log::{Level, Log};
use crate::runtime;
use crate::runtime::blocking::{Kind, blocking};
use crate::runtime::per_runtime::PerRuntime;
use crate::secrets::Secrets;
use crate::transport::Transport;

/// A credential that expires within this time counts as expired: the request has to arrive before
/// it does.
const MARGIN: Duration = Duration::from_secs(10);

static SERIAL: AtomicU64 = AtomicU64::new(1);

/// A credential in use.
#[derive(Debug)]
pub(crate) struct ActiveCredential {
    serial: u64,
    pub(crate) credential: Credential,
    /// The wishes that led here, with what was learned on the way.
    options: credentials::Options,
    pub(crate) resolution: Arc<Resolution>,
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

type Flight = Shared<BoxFuture<'static, Result<Arc<ActiveCredential>>>>;

/// Wishes about a credential, and the credential that they led to.
pub(crate) struct CredentialCache {
    options: credentials::Options,
    environment: Environment,
    /// As the host's thread saw it that started the last operation.
    seen: ArcSwap<Environment>,
    log: Log,
    active: ArcSwapOption<ActiveCredential>,
    flight: PerRuntime<Mutex<Option<Flight>>>,
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
            flight: PerRuntime::default(),
        }
    }

    /// Looks at the environment, on the host's thread: what an operation does later may need it.
    pub(crate) fn look(&self) {
        self.seen.store(Arc::new(self.environment.snapshot()));
    }

    /// The same environment with other wishes.
    pub(crate) fn with_options(&self, options: credentials::Options) -> Self {
        CredentialCache::new(options, self.environment.clone(), self.log.clone())
    }

    /// Where the credential comes from, looked for anew. Nothing that takes time is asked.
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

    /// A credential to send with. One that has expired, or is `refused`, is replaced first; whoever
    /// needs it meanwhile waits for the same replacement. Without one the next call looks again:
    /// the user may have set it by then.
    pub(crate) async fn active(
        self: &Arc<Self>,
        refused: Option<&ActiveCredential>,
        transport: &Arc<Transport>,
    ) -> Result<Arc<ActiveCredential>> {
        match self.kept(refused) {
            Some(active) => Ok(active),
            None => self.board(refused, transport)?.await,
        }
    }

    /// A credential in the place of one that fal refused, if there is another: who delivers is
    /// asked again, and where a key was found is looked at again, since its user may have corrected
    /// it.
    pub(crate) async fn another(
        self: &Arc<Self>,
        refused: &ActiveCredential,
        transport: &Arc<Transport>,
    ) -> Result<Option<Arc<ActiveCredential>>> {
        let found_another = |now: Resolution| {
            now.provider()
                .is_some_and(|provider| provider.ready().is_none_or(|it| *it != refused.credential))
        };
        match refused.renews || found_another(self.resolve(self.options.clone()).await?) {
            true => self.active(Some(refused), transport).await.map(Some),
            false => Ok(None),
        }
    }

    /// The credential in use; none before the first call.
    pub(crate) fn current(&self) -> Option<Arc<ActiveCredential>> {
        self.active.load_full()
    }

    /// The credential that was found before, if it is good and not the one that fal `refused`.
    fn kept(&self, refused: Option<&ActiveCredential>) -> Option<Arc<ActiveCredential>> {
        let kept = self.active.load_full().filter(|active| active.is_fresh());
        kept.filter(|active| refused.is_none_or(|refused| refused.serial != active.serial))
    }

    /// Joins the search that is under way, or starts one. It belongs to nobody who waits for it:
    /// their ends do not end it.
    fn board(
        self: &Arc<Self>,
        refused: Option<&ActiveCredential>,
        transport: &Arc<Transport>,
    ) -> Result<Flight> {
        let life = self.flight.get(|| Ok(Mutex::default()))?;
        let mut flight = life.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) = flight.as_ref().filter(|flight| flight.peek().is_none()) {
            return Ok(under_way.clone());
        }
        // A search may have landed since the caller looked; it keeps what it found before it counts
        // as landed.
        if let Some(active) = self.kept(refused) {
            return Ok(std::future::ready(Ok(active)).boxed().shared());
        }
        let (credential_cache, transport) = (self.clone(), transport.clone());
        let refused = refused.map(|active| active.credential.clone());
        let search =
            tokio::spawn(async move { credential_cache.search(refused, &transport).await });
        let landed = search.map(|end| {
            end.unwrap_or_else(|end| Err(runtime::task_error("the search for a key", &end)))
        });
        let started = landed.boxed().shared();
        *flight = Some(started.clone());
        Ok(started)
    }

    async fn search(
        self: Arc<Self>,
        refused: Option<Credential>,
        transport: &Arc<Transport>,
    ) -> Result<Arc<ActiveCredential>> {
        let mut options = self.options.clone();
        loop {
            let resolution = self.resolve(options.clone()).await?;
            let Some(provider) = resolution.provider().cloned() else {
                return Err(denied::unresolved(&Arc::new(resolution)));
            };
            let renews = provider.renews();
            let undelivered =
                match deliver(provider, refused.clone(), &self.seen.load_full(), transport).await {
                    Ok(delivered) => return Ok(self.keep(options, &resolution, delivered, renews)),
                    Err(undelivered) => undelivered,
                };
            options = match undelivered {
                Undelivered::Absent(reason) => options
                    .without_empty(&resolution, &reason)
                    .ok_or_else(|| denied::undelivered(&resolution, &reason))?,
                Undelivered::Failed(reason) => {
                    return Err(denied::undelivered(&resolution, &reason));
                }
            };
        }
    }

    async fn resolve(&self, options: credentials::Options) -> Result<Resolution> {
        let environment = self.seen.load_full();
        blocking(Kind::Credentials, move || {
            credentials::resolve(&options, &environment)
        })
        .await
    }

    fn keep(
        &self,
        options: credentials::Options,
        resolution: &Resolution,
        delivered: Delivered,
        renews: bool,
    ) -> Arc<ActiveCredential> {
        let resolution = Arc::new(
            resolution
                .clone()
                .delivered(&delivered.credential, &delivered.notes),
        );
        self.log_credential(&resolution);
        if let Some(unsaved) = &delivered.unsaved {
            self.log
                .write(Level::Error, &Secrets::default(), format_args!("{unsaved}"));
        }
        let expires = delivered
            .expires_in
            .and_then(|time| Instant::now().checked_add(time));
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let active = Arc::new(ActiveCredential {
            serial,
            credential: delivered.credential,
            options,
            resolution,
            notes: delivered.notes,
            renews,
            expires,
        });
        self.active.store(Some(active.clone()));
        active
    }

    fn log_credential(&self, resolution: &Resolution) {
        // No service had a say in it.
        let secrets = Secrets::default();
        match resolution.used() {
            Some(used) => {
                let id = used.key_id.as_deref().unwrap_or("-");
                self.log.write(
                    Level::Info,
                    &secrets,
                    format_args!("key {id} from {}", used.source),
                );
            }
            None => self
                .log
                .write(Level::Info, &secrets, format_args!("no key is used")),
        }
    }
}
