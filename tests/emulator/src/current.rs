//! The states that requests see now: that of all, and one for each session.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use hyper::header::HeaderMap;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::keys::{self, Credential};
use crate::queue;
use crate::settings::Settings;
use crate::state::State;

/// The header that names the session of a request.
const SESSION: &str = "x-fal-emulator-session";

/// The number of sessions. Beyond it the one ends that was unused for the longest time.
const MOST_SESSIONS: usize = 1000;

/// A state, and the task that starts its jobs.
struct Held {
    state: Arc<State>,
    dispatch: Option<AbortHandle>,
    /// Larger for the session that was used later.
    used: u64,
}

impl Held {
    /// Ends what goes on in the state. A job that runs ends unseen.
    fn end(self) {
        if let Some(dispatch) = self.dispatch {
            dispatch.abort();
        }
        self.state.sockets.cut();
        // Those who watch look for the state that took its place.
        self.state.arrivals.clear();
    }
}

struct States {
    main: Held,
    sessions: BTreeMap<String, Held>,
    uses: u64,
}

pub(crate) struct Current {
    states: Mutex<States>,
    /// The settings at the start.
    settings: Settings,
    runtime: OnceLock<Handle>,
}

impl Current {
    pub(crate) fn new(state: State) -> Self {
        Self {
            settings: state.settings(),
            states: Mutex::new(States {
                main: Held {
                    state: Arc::new(state),
                    dispatch: None,
                    used: 0,
                },
                sessions: BTreeMap::new(),
                uses: 0,
            }),
            runtime: OnceLock::new(),
        }
    }

    fn states(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of all requests that belong to no session.
    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.states().main.state)
    }

    /// The state for a request: that of the session which a header names, or in which its key was
    /// created.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Arc<State> {
        if let Some(name) = named(headers) {
            return self.session(name);
        }
        let states = self.states();
        let key = match keys::credential(headers) {
            Ok(Some(Credential::Key { id, .. })) if !states.sessions.is_empty() => id,
            _ => return Arc::clone(&states.main.state),
        };
        let mut all = std::iter::once(&states.main).chain(states.sessions.values());
        let owner = all.find(|held| held.state.keys.has(key));
        Arc::clone(&owner.unwrap_or(&states.main).state)
    }

    /// The state of a session, which begins with its first use. The empty name is that of no
    /// session.
    pub(crate) fn session(&self, name: &str) -> Arc<State> {
        let mut states = self.states();
        if name.is_empty() {
            return Arc::clone(&states.main.state);
        }
        states.uses += 1;
        let used = states.uses;
        if let Some(held) = states.sessions.get_mut(name) {
            held.used = used;
            return Arc::clone(&held.state);
        }
        if states.sessions.len() >= MOST_SESSIONS {
            let oldest = states.sessions.iter().min_by_key(|(_, held)| held.used);
            let oldest = oldest.map(|(name, _)| name.clone());
            if let Some(held) = oldest.and_then(|name| states.sessions.remove(&name)) {
                held.end();
            }
        }
        let state = Arc::new(states.main.state.beside(self.settings.clone()));
        let held = self.held(&state, used);
        states.sessions.insert(name.to_owned(), held);
        state
    }

    /// The state of a session that has begun.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<State>> {
        let states = self.states();
        let held = if name.is_empty() {
            Some(&states.main)
        } else {
            states.sessions.get(name)
        };
        held.map(|held| Arc::clone(&held.state))
    }

    /// The names of the sessions, and their states.
    pub(crate) fn sessions(&self) -> Vec<(String, Arc<State>)> {
        let states = self.states();
        let sessions = states.sessions.iter();
        sessions
            .map(|(name, held)| (name.clone(), Arc::clone(&held.state)))
            .collect()
    }

    /// Ends a session. Returns false if there is none of this name.
    pub(crate) fn end(&self, name: &str) -> bool {
        let ended = self.states().sessions.remove(name);
        ended.map(Held::end).is_some()
    }

    fn held(&self, state: &Arc<State>, used: u64) -> Held {
        let dispatch = self.runtime.get().map(|runtime| {
            runtime
                .spawn(queue::dispatch(Arc::clone(state)))
                .abort_handle()
        });
        Held {
            state: Arc::clone(state),
            dispatch,
            used,
        }
    }

    /// Starts jobs from now on. The caller is on the runtime.
    pub(crate) fn dispatch(&self) {
        let runtime = self.runtime.get_or_init(Handle::current);
        let mut states = self.states();
        let task = runtime.spawn(queue::dispatch(Arc::clone(&states.main.state)));
        states.main.dispatch = Some(task.abort_handle());
    }

    /// Makes everything as it was at the start, except what clients know: the address, the first
    /// keys, the certificate and open connections. Sessions and WebSockets end. A request of a
    /// session makes only that anew.
    pub(crate) fn reset(&self, headers: &HeaderMap) {
        if let Some(name) = named(headers) {
            self.end(name);
            return;
        }
        let mut states = self.states();
        let anew = Arc::new(states.main.state.anew(self.settings.clone()));
        let held = self.held(&anew, 0);
        let earlier = std::mem::replace(&mut states.main, held);
        let sessions = std::mem::take(&mut states.sessions);
        drop(states);
        earlier.end();
        sessions.into_values().for_each(Held::end);
    }
}

/// The session that a header names.
fn named(headers: &HeaderMap) -> Option<&str> {
    let name = headers.get(SESSION)?.to_str().ok()?.trim();
    Some(name).filter(|name| !name.is_empty())
}
