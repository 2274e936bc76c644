//! Which of fal's backup hosts are asked first, because the host they stand in for could not be
//! reached (docs/protocol.md §13.4).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::endpoint::Backup;

/// Then fal's own host is tried again.
const REMEMBERED: Duration = Duration::from_secs(300);

/// Until when each backup host is asked first. Without a lock, which a fork could leave locked.
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

    /// Remembers which of the two could be reached.
    pub(crate) fn prefer(&self, backup: Backup, preferred: bool) {
        let until = if preferred {
            self.now() + REMEMBERED.as_secs()
        } else {
            0
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
