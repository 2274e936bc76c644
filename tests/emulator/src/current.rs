//! The state that requests see now. A reset replaces it as a whole.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::task::AbortHandle;

use crate::queue;
use crate::settings::Settings;
use crate::state::State;

pub(crate) struct Current {
    state: RwLock<Arc<State>>,
    /// The settings at the start.
    settings: Settings,
    /// The task that starts the jobs of the state.
    dispatch: Mutex<Option<AbortHandle>>,
}

impl Current {
    pub(crate) fn new(state: State) -> Self {
        Self {
            settings: state.settings(),
            state: RwLock::new(Arc::new(state)),
            dispatch: Mutex::default(),
        }
    }

    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts jobs from now on. The caller is on the runtime.
    pub(crate) fn dispatch(&self) {
        let task = tokio::spawn(queue::dispatch(self.state()));
        let mut dispatch = self.dispatch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = dispatch.replace(task.abort_handle()) {
            earlier.abort();
        }
    }

    /// Makes everything as it was at the start, except what clients know: the address, the first keys, the certificate and open
    /// connections. WebSockets end. A job that runs ends unseen.
    pub(crate) fn reset(&self) {
        let earlier = self.state();
        let anew = Arc::new(earlier.anew(self.settings.clone()));
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = anew;
        earlier.sockets.cut();
        self.dispatch();
    }
}
