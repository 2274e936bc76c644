//! Work that blocks, on the runtime's helper threads. They are few, and each kind of work has its
//! share of them, so that none can keep the others from theirs. Functions of the host's have
//! threads of their own (`host.rs`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Semaphore;

use crate::error::Result;
use crate::runtime;

/// The most threads of each kind. They are made when they are needed, and end when they are not for
/// a while.
const EACH: [usize; KINDS] = [2, 2, 2, 2, 12, 2];
/// The most threads that make connections to one host: its checks may hang, and others are not to
/// wait for that.
const EACH_HOST: usize = 4;

/// What blocks.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Looking up the names of hosts.
    Names,
    /// The credential chain.
    Credentials,
    /// What may wait for a person or another program: one that prints a key, the keyring, the lock
    /// of a login.
    Providers,
    /// Local files.
    Files,
    /// Making connections, with the check of the other side's certificate.
    Handshakes,
    /// Looking at long texts that a service sent.
    Texts,
}

const KINDS: usize = 6;

/// Threads that carry calls out in place of those that look at a long text themselves.
const PLACES: usize = 4;

/// The most helper threads at all.
pub(crate) const MOST: usize = EACH[0] + EACH[1] + EACH[2] + EACH[3] + EACH[4] + EACH[5] + PLACES;

/// What is left of each kind's share, in one life of the runtime.
pub(crate) struct Helpers {
    shares: [Arc<Semaphore>; KINDS],
    /// What is left to each host of the share for handshakes, as long as somebody connects to it.
    hosts: Mutex<HashMap<Arc<str>, Weak<Semaphore>>>,
}

impl Helpers {
    /// The share of a host.
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

impl Default for Helpers {
    fn default() -> Self {
        Helpers {
            shares: EACH.map(|most| Arc::new(Semaphore::new(most))),
            hosts: Mutex::default(),
        }
    }
}

/// A place among those who share something, once there is one: given back when it is dropped. No
/// share is ever closed.
pub(crate) async fn place(share: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
    let place = share.clone().acquire_owned().await;
    place.map_err(|_| shut_down())
}
