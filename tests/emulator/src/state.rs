//! The state that all connections share.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hyper::header::HeaderMap;

use crate::answer::Answer;
use crate::apps::{self, Catalogue, Endpoint};
use crate::arrivals::Log;
use crate::cassettes::Cassettes;
use crate::clock::Clock;
use crate::connections::Connections;
use crate::faults::Faults;
use crate::history::History;
use crate::keys::{self, Caller, Credential, FirstKeys, Keys, Refusal, Scope};
use crate::logins::{Logins, is_jwt};
use crate::platform::Platform;
use crate::queue::Queue;
use crate::settings::Settings;
use crate::sockets::Sockets;
use crate::storage::Storage;
use crate::tls::{Authority, Connects};
use crate::tokens::Tokens;
use crate::unknown::{UNKNOWN, UnknownRequest, Unknowns};
use crate::webhooks::{Signer, Webhooks};

pub(crate) struct State {
    pub(crate) apps: Catalogue,
    pub(crate) cassettes: Cassettes,
    pub(crate) clock: Clock,
    pub(crate) keys: Keys,
    pub(crate) logins: Logins,
    pub(crate) arrivals: Arc<Log>,
    pub(crate) faults: Faults,
    pub(crate) storage: Arc<Storage>,
    pub(crate) executions: Executions,
    pub(crate) connections: Connections,
    pub(crate) connects: Connects,
    pub(crate) sockets: Sockets,
    pub(crate) authority: Arc<Authority>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) queue: Queue,
    pub(crate) webhooks: Webhooks,
    /// Every request that reached an app.
    pub(crate) history: History,
    pub(crate) unknowns: Arc<Unknowns>,
    /// The state that only the Platform API uses.
    pub(crate) platform: Platform,
    /// The server proxy uses that of scope API.
    pub(crate) first_keys: Arc<FirstKeys>,
    /// The address that the emulator listens on.
    pub(crate) address: SocketAddr,
    settings: RwLock<Settings>,
}

/// What a reset keeps.
#[derive(Clone)]
struct Lasting {
    address: SocketAddr,
    first_keys: Arc<FirstKeys>,
    authority: Arc<Authority>,
    connections: Connections,
    unknowns: Arc<Unknowns>,
}

/// What sessions share: what a request names by something unguessable, and without its session.
#[derive(Clone)]
struct Shared {
    storage: Arc<Storage>,
    tokens: Arc<Tokens>,
    signer: Arc<Signer>,
}

impl Shared {
    fn new() -> Self {
        Self {
            storage: Arc::new(Storage::new()),
            tokens: Arc::default(),
            signer: Arc::default(),
        }
    }
}

impl State {
    pub(crate) fn new(
        settings: Settings,
        defined: Vec<Arc<Endpoint>>,
        cassettes: Cassettes,
        address: SocketAddr,
    ) -> io::Result<Self> {
        // A model that makes something up would hide that a recording is missing.
        let built_in = match cassettes.replay {
            None => apps::built_in(),
            Some(_) => Vec::new(),
        };
        let lasting = Lasting {
            address,
            first_keys: Arc::new(FirstKeys::generate()),
            authority: Arc::new(Authority::new()?),
            connections: Connections::default(),
            unknowns: Arc::default(),
        };
        let apps = Catalogue::new(built_in.into_iter().map(Arc::new).chain(defined));
        Ok(Self::with(
            apps,
            cassettes,
            settings,
            lasting,
            Shared::new(),
        ))
    }

    /// A new state, with what clients and their open connections know of this one.
    pub(crate) fn anew(&self, settings: Settings) -> Self {
        self.another(settings, Shared::new())
    }

    /// The new state of a session.
    pub(crate) fn beside(&self, settings: Settings) -> Self {
        let shared = Shared {
            storage: Arc::clone(&self.storage),
            tokens: Arc::clone(&self.tokens),
            signer: Arc::clone(&self.webhooks.signer),
        };
        self.another(settings, shared)
    }

    fn another(&self, settings: Settings, shared: Shared) -> Self {
        let lasting = Lasting {
            address: self.address,
            first_keys: Arc::clone(&self.first_keys),
            authority: Arc::clone(&self.authority),
            connections: self.connections.clone(),
            unknowns: Arc::clone(&self.unknowns),
        };
        let (apps, cassettes) = (self.apps.anew(), self.cassettes.anew());
        Self::with(apps, cassettes, settings, lasting, shared)
    }

    fn with(
        apps: Catalogue,
        cassettes: Cassettes,
        settings: Settings,
        lasting: Lasting,
        shared: Shared,
    ) -> Self {
        let clock = Clock::default();
        let state = Self {
            apps,
            cassettes,
            keys: Keys::new(&lasting.first_keys, clock.now()),
            clock,
            logins: Logins::default(),
            arrivals: Arc::new(Log::new()),
            faults: Faults::default(),
            storage: shared.storage,
            executions: Executions::default(),
            connections: lasting.connections,
            connects: Connects::default(),
            sockets: Sockets::default(),
            authority: lasting.authority,
            tokens: shared.tokens,
            queue: Queue::default(),
            webhooks: Webhooks::signed_by(shared.signer),
            history: History::default(),
            unknowns: lasting.unknowns,
            platform: Platform::default(),
            first_keys: lasting.first_keys,
            address: lasting.address,
            settings: RwLock::new(settings),
        };
        state.limit();
        state
    }

    fn limit(&self) {
        let journal = self.settings().journal;
        self.arrivals.limit(journal);
        self.history.limit(journal.body_bytes);
    }

    /// Whether a request that the emulator has nothing for is a mistake.
    pub(crate) fn strict(&self, headers: &HeaderMap) -> bool {
        let asked = headers
            .get("x-fal-emulator-strict")
            .and_then(|value| value.to_str().ok());
        match asked.map(str::trim) {
            Some("1" | "true") => true,
            Some("0" | "false") => false,
            _ => self.settings().strict,
        }
    }

    /// Records a request that the emulator has nothing for, as its response says.
    pub(crate) fn unknown(
        &self,
        method: &str,
        host: &str,
        path: &str,
        answer: &Answer,
        headers: &HeaderMap,
    ) {
        let why = answer.headers.get(UNKNOWN);
        self.unknowns.add(UnknownRequest {
            method: method.to_owned(),
            host: host.to_owned(),
            path: path.to_owned(),
            why: why
                .map(|why| String::from_utf8_lossy(why.as_bytes()).into_owned())
                .unwrap_or_default(),
            strict: self.strict(headers),
            times: 1,
        });
    }

    /// The caller that the `Authorization` header names by a key or a login; `None` without the
    /// header.
    ///
    /// Logins get the scope `logins`, and are refused if it is `None`.
    pub(crate) fn authenticate(
        &self,
        headers: &HeaderMap,
        logins: Option<Scope>,
    ) -> Result<Option<Caller>, Refusal> {
        match keys::credential(headers)? {
            None => Ok(None),
            Some(Credential::Key { id, secret }) => {
                self.keys.find(id, secret).ok_or(Refusal::Unknown).map(Some)
            }
            Some(Credential::Token(token)) => logins
                .and_then(|scope| self.logins.find(token, scope, self.clock.now()))
                .ok_or(if is_jwt(token) {
                    Refusal::Unknown
                } else {
                    Refusal::NotAToken
                })
                .map(Some),
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set(&self, settings: Settings) {
        *self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = settings;
        self.limit();
        // A waiting job may now be allowed to start.
        self.queue.wake();
    }
}

/// The number of runs of each endpoint.
#[derive(Default)]
pub(crate) struct Executions(Mutex<BTreeMap<String, u64>>);

impl Executions {
    /// Counts a run.
    pub(crate) fn count(&self, endpoint_id: String) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(endpoint_id).or_default() += 1;
    }

    pub(crate) fn all(&self) -> BTreeMap<String, u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
