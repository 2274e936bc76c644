//! Remembers which of fal's hosts could not be reached, so that their backup hosts are tried first
//! (docs/protocol.md §13.4).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::endpoint::Backup;

/// How long a backup host is tried first.
const REMEMBERED: Duration = Duration::from_secs(300);

/// The time until which each backup host is tried first, in seconds since `epoch`. Atomics instead
/// of a lock, which a fork could leave locked.
pub(crate) struct Failover {
    epoch: Instant,
    until: [AtomicU64; Backup::COUNT],
}

impl Default for Failover {
    fn default() -> Self {
        Failover {
            epoch: Instant::now(),
            until: Default::default(),
        }
    }
}

impl Failover {
    pub(crate) fn is_preferred(&self, backup: Backup) -> bool {
        self.now() < self.of(backup).load(Ordering::Relaxed)
    }

    /// Records whether the backup host or the original host could be reached.
    pub(crate) fn prefer(&self, backup: Backup, preferred: bool) {
        let until = match preferred {
            true => self.now() + REMEMBERED.as_secs(),
            false => 0,
        };
        self.of(backup).store(until, Ordering::Relaxed);
    }

    fn of(&self, backup: Backup) -> &AtomicU64 {
        &self.until[backup as usize]
    }

    fn now(&self) -> u64 {
        self.epoch.elapsed().as_secs()
    }
}
