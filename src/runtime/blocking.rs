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

/// Does the work once there is a thread for it. Whoever stops waiting before that has it not done
/// at all.
pub(crate) async fn blocking<T: Send + 'static>(
    kind: Kind,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    blocking_within(None, kind, work).await
}

/// The same within a share of somebody's.
pub(crate) async fn blocking_within<T: Send + 'static>(
    own: Option<&Arc<Semaphore>>,
    kind: Kind,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    // First its own, so that what waits for that keeps nobody from the others.
    let own = match own {
        Some(own) => Some(runtime::place(own).await?),
        None => None,
    };
    let share = runtime::living()?.helpers().shares[kind as usize].clone();
    let place = (own, runtime::place(&share).await?);
    let done = tokio::task::spawn_blocking(move || {
        // Given back when the work is over, whether or not anybody still waits for it.
        let _place = place;
        work()
    });
    done.await
        .map_err(|end| runtime::undone("what may block", &end))
}
