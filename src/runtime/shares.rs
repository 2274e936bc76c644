//! How the helper threads are shared: each kind of blocking work has its own few, so that no kind
//! can block another. Functions of the host have threads of their own (`host_threads.rs`).
//!
//! A semaphore of tokio is enough: a crate for concurrency limits would add queues and metrics that
//! nothing here uses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::shut_down;
use crate::error::Result;

/// A kind of blocking work.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Looking up host names.
    Names,
    /// Running the credential chain.
    Credentials,
    /// Waiting for a person or another program: a key command, the keyring, the lock of a login.
    Providers,
    /// Reading and writing local files.
    Files,
    /// Making connections, which includes verifying the server's certificate.
    Handshakes,
    /// Reading long texts that a service sent.
    Texts,
}

const KINDS: usize = 6;

/// The most threads of each kind. They start on demand and end after a while without work.
const EACH: [usize; KINDS] = [2, 2, 2, 2, 12, 2];

/// The most threads that make connections to one host. A certificate check can hang, and must not
/// keep other hosts waiting.
const EACH_HOST: usize = 4;

/// Spare threads that take over a worker's tasks while the worker itself reads a long text.
const SPARE: usize = 4;

/// The most helper threads of all kinds.
pub(super) const MOST: usize = EACH[0] + EACH[1] + EACH[2] + EACH[3] + EACH[4] + EACH[5] + SPARE;

/// The permits of one instance of the runtime.
pub(crate) struct Shares {
    kinds: [Arc<Semaphore>; KINDS],
    /// The permits for handshakes with each host that a connection is being made to.
    hosts: Mutex<HashMap<Arc<str>, Weak<Semaphore>>>,
}

impl Shares {
    pub(super) fn of_kind(&self, kind: Kind) -> &Arc<Semaphore> {
        &self.kinds[kind as usize]
    }

    /// Returns the permits for handshakes with a host.
    pub(crate) fn of_host(&self, host: &Arc<str>) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = hosts.get(host).and_then(Weak::upgrade) {
            return share;
        }
        hosts.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(EACH_HOST));
        hosts.insert(host.clone(), Arc::downgrade(&share));
        share
    }
}

impl Default for Shares {
    fn default() -> Self {
        Shares {
            kinds: EACH.map(|most| Arc::new(Semaphore::new(most))),
            hosts: Mutex::default(),
        }
    }
}

/// Waits for a permit, which returns to its share when it is dropped. No share is ever closed.
pub(crate) async fn permit(share: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    let permit = share.clone().acquire_owned().await;
    permit.map_err(|_| shut_down())
}
