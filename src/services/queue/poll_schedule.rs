//! When a client requests the status of its jobs, and how many status streams it opens. A pause
//! depends on the queue position and the number of jobs, which no backoff crate considers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::system::random;

/// The shortest pause between two requests for the status of a job.
const LEAST: Duration = Duration::from_millis(250);
/// The longest pause for a job near the front of its queue, of a client with few jobs.
const MOST: Duration = Duration::from_secs(5);
/// The most requests for a status that one client sends in a second, once its jobs have waited for
/// a while.
const RATE: f64 = 200.0;
/// A job at this position or a later one does not start within moments.
const FAR: u64 = 10;

/// The most status streams that a client opens at once: each needs a socket. The status of further
/// jobs is polled.
pub(super) const STREAMS: usize = 64;
/// How long a client opens no status stream after one has proved to be unsupported.
const WITHOUT: Duration = Duration::from_secs(300);

/// Returns the pause before the next request for the status of a job at this queue position, of a
/// client that waits for `jobs` jobs. Pauses grow with the time waited, so that the end of a short
/// job is noticed at once and a long job causes few requests.
pub(super) fn next_pause(waited: Duration, position: Option<u64>, jobs: usize) -> Duration {
    random::jittered(pause(waited, position, jobs), 0.75, 1.25)
}

fn pause(waited: Duration, position: Option<u64>, jobs: usize) -> Duration {
    let far = 1 + u32::from(position.is_some_and(|position| position >= FAR));
    let usual = (waited / 8).clamp(LEAST, MOST) * far;
    let share = Duration::from_secs_f64(jobs as f64 / RATE);
    // At most the time waited so far, so that the end of a job is noticed within twice its time.
    usual.max(share.min(waited))
}

/// Counts the jobs that one client waits for, and their status streams.
pub(crate) struct ActiveJobs {
    /// Each job holds a clone.
    jobs: Arc<()>,
    streams: Semaphore,
    /// Until when no stream is opened.
    without: Mutex<Option<Instant>>,
}

impl ActiveJobs {
    pub(super) fn new() -> Self {
        ActiveJobs {
            jobs: Arc::new(()),
            streams: Semaphore::new(STREAMS),
            without: Mutex::default(),
        }
    }

    /// Counts one more job until the returned value is dropped.
    pub(super) fn job(&self) -> Arc<()> {
        self.jobs.clone()
    }

    pub(super) fn jobs(&self) -> usize {
        Arc::strong_count(&self.jobs) - 1
    }

    /// Returns a permit for one more stream, unless there are enough or streams are given up.
    pub(super) fn stream(&self) -> Option<SemaphorePermit<'_>> {
        let allowed = !self.is_without(Instant::now());
        allowed.then(|| self.streams.try_acquire().ok()).flatten()
    }

    /// Stops opening streams for a while.
    pub(super) fn give_up_streams(&self) {
        *self.without.lock().unwrap_or_else(PoisonError::into_inner) =
            Instant::now().checked_add(WITHOUT);
    }

    fn is_without(&self, now: Instant) -> bool {
        self.without
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_time_the_place_and_the_number_of_jobs() {
        let of =
            |seconds, place, jobs| pause(Duration::from_secs(seconds), place, jobs).as_millis();
        assert_eq!(of(0, None, 1), 250);
        assert_eq!(of(8, Some(3), 1), 1000);
        assert_eq!(of(8, Some(10), 1), 2000);
        assert_eq!(of(3600, None, 1), 5000);
        assert_eq!(of(3600, Some(500), 1), 10_000);
        assert_eq!(of(0, None, 10_000), 250, "short jobs are noticed at once");
        assert_eq!(of(8, None, 10_000), 8000);
        assert_eq!(of(100, None, 10_000), 50_000);
    }

    #[test]
    fn streams_are_counted_and_given_up() {
        let active_jobs = ActiveJobs::new();
        let held: Vec<_> = (0..STREAMS)
            .map(|_| active_jobs.stream().unwrap())
            .collect();
        assert!(active_jobs.stream().is_none());
        drop(held);
        assert!(active_jobs.stream().is_some());
        assert_eq!(active_jobs.streams.available_permits(), STREAMS);
        let waiting = [active_jobs.job(), active_jobs.job()];
        assert_eq!(active_jobs.jobs(), waiting.len());
        drop(waiting);
        assert_eq!(active_jobs.jobs(), 0);
        active_jobs.give_up_streams();
        assert!(
            active_jobs.stream().is_none() && !active_jobs.is_without(Instant::now() + WITHOUT)
        );
    }
}
