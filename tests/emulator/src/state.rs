//! The state that all connections share.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hyper::header::HeaderMap;

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
use crate::webhooks::Webhooks;

pub(crate) struct State {
    pub(crate) apps: Catalogue,
    pub(crate) cassettes: Cassettes,
    pub(crate) clock: Clock,
    pub(crate) keys: Keys,
    pub(crate) logins: Logins,
    pub(crate) arrivals: Arc<Log>,
    pub(crate) faults: Faults,
    pub(crate) storage: Storage,
    pub(crate) executions: Executions,
    pub(crate) connections: Connections,
    pub(crate) connects: Connects,
    pub(crate) sockets: Sockets,
    pub(crate) authority: Arc<Authority>,
    pub(crate) tokens: Tokens,
    pub(crate) queue: Queue,
    pub(crate) webhooks: Webhooks,
    /// Every request that reached an app.
    pub(crate) history: History,
    /// The state that only the Platform API uses.
    pub(crate) platform: Platform,
    /// The server proxy uses that of scope API.
    pub(crate) first_keys: Arc<FirstKeys>,
    /// The address that the emulator listens on.
    pub(crate) address: SocketAddr,
    settings: RwLock<Settings>,
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
        Ok(Self::with(
            Catalogue::new(built_in.into_iter().map(Arc::new).chain(defined)),
            settings,
            cassettes,
            address,
            Arc::new(FirstKeys::generate()),
            Arc::new(Authority::new()?),
            Connections::default(),
        ))
    }

    /// A new state, with what clients and their open connections know of this one.
    pub(crate) fn anew(&self, settings: Settings) -> Self {
        Self::with(
            self.apps.anew(),
            settings,
            self.cassettes.anew(),
            self.address,
            Arc::clone(&self.first_keys),
            Arc::clone(&self.authority),
            self.connections.clone(),
        )
    }

    fn with(
        apps: Catalogue,
        settings: Settings,
        cassettes: Cassettes,
        address: SocketAddr,
        first_keys: Arc<FirstKeys>,
        authority: Arc<Authority>,
        connections: Connections,
    ) -> Self {
        let clock = Clock::default();
        Self {
            apps,
            cassettes,
            keys: Keys::new(&first_keys, clock.now()),
            clock,
            logins: Logins::default(),
            arrivals: Arc::new(Log::new()),
            faults: Faults::default(),
            storage: Storage::new(),
            executions: Executions::default(),
            connections,
            connects: Connects::default(),
            sockets: Sockets::default(),
            authority,
            tokens: Tokens::default(),
            queue: Queue::default(),
            webhooks: Webhooks::default(),
            history: History::default(),
            platform: Platform::default(),
            first_keys,
            address,
            settings: RwLock::new(settings),
        }
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
        // A waiting job may now be allowed to start.
        self.queue.wake();
    }
}

/// The number of runs of each endpoint.
#[derive(Default)]
pub(crate) struct Executions(Mutex<BTreeMap<String, u64>>);

impl Executions {
    /// Counts a run, and returns the number of runs of this endpoint.
    pub(crate) fn count(&self, endpoint_id: String) -> u64 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(endpoint_id).or_default();
        *count += 1;
        *count
    }

    pub(crate) fn all(&self) -> BTreeMap<String, u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
