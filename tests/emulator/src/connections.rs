//! The open sockets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct Open {
    /// For each connection id, whether its last request was to the control API.
    sockets: BTreeMap<u64, bool>,
    last_id: u64,
}

/// The open connections, numbered from 1.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<Open>>);

impl Connections {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn accept(&self) -> Connection {
        let mut open = self.open();
        open.last_id += 1;
        let id = open.last_id;
        open.sockets.insert(id, false);
        Connection {
            connections: self.clone(),
            id,
        }
    }

    /// The number of open connections, without those of the control API.
    pub(crate) fn count(&self) -> usize {
        self.open()
            .sockets
            .values()
            .filter(|control| !**control)
            .count()
    }
}

/// One open connection. Dropping it removes it from the count.
pub(crate) struct Connection {
    connections: Connections,
    pub(crate) id: u64,
}

impl Connection {
    /// Records whether the current request is to the control API.
    pub(crate) fn serves_control(&self, control: bool) {
        if let Some(socket) = self.connections.open().sockets.get_mut(&self.id) {
            *socket = control;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.open().sockets.remove(&self.id);
    }
}
