//! How often a job is asked for, and how many a client watches by streams.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::system::random;

/// The first pause …
const LEAST: Duration = Duration::from_millis(250);
/// … and the longest of a client with few jobs.
const MOST: Duration = Duration::from_secs(5);
/// One client asks for the status of its jobs not more often than so many times a second, once they
/// have waited for a while.
const RATE: f64 = 200.0;
/// From this place on a job will not start within moments.
const FAR: u64 = 10;

/// The most status streams of a client at once: each has a socket of its own. The others are asked
/// for from time to time.
pub(super) const STREAMS: usize = 64;
/// For so long no stream is tried where none was to be had.
const WITHOUT: Duration = Duration::from_secs(300);

/// The pauses between two looks at one job. They grow with the time that it takes, so that a short
/// job is seen to end at once and a long one costs little.
pub(super) struct PollSchedule {
    began: Instant,
}

impl PollSchedule {
    pub(super) fn new() -> Self {
        PollSchedule {
            began: Instant::now(),
        }
    }

    /// The next pause for a job in this place of its line, of a client that waits for so many jobs.
    pub(super) fn next(&self, place: Option<u64>, jobs: usize) -> Duration {
        random::jittered(pause(self.began.elapsed(), place, jobs), 0.75, 1.25)
    }
}

fn pause(waited: Duration, place: Option<u64>, jobs: usize) -> Duration {
    let far = if place.is_some_and(|place| place >= FAR) {
        2
    } else {
        1
    };
    let usual = (waited / 8).clamp(LEAST, MOST) * far;
    let share = Duration::from_secs_f64(jobs as f64 / RATE);
    // Never longer than it has waited already, so that no job takes more than twice its time.
    usual.max(share.min(waited))
}

/// The jobs that one client waits for.
#[derive(Default)]
pub(crate) struct ActiveJobs {
    jobs: AtomicUsize,
    streams: AtomicUsize,
    without: Mutex<Option<Instant>>,
}

/// One of a number that is counted; dropping it counts back.
pub(super) struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl ActiveJobs {
    /// One job more.
    pub(super) fn job(&self) -> Counted<'_> {
        self.jobs.fetch_add(1, Ordering::AcqRel);
        Counted(&self.jobs)
    }

    pub(super) fn jobs(&self) -> usize {
        self.jobs.load(Ordering::Acquire)
    }

    /// Leave for one more stream, unless there are enough or none are to be had.
    pub(super) fn stream(&self) -> Option<Counted<'_>> {
        if self.is_without(Instant::now()) {
            return None;
        }
        if self.streams.fetch_add(1, Ordering::AcqRel) >= STREAMS {
            self.streams.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        Some(Counted(&self.streams))
    }

    /// Streams are not to be had here at the moment.
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
        assert_eq!(
            of(0, None, 10_000),
            250,
            "the first looks find the short jobs"
        );
        assert_eq!(of(8, None, 10_000), 8000);
        assert_eq!(of(100, None, 10_000), 50_000);
    }

    #[test]
    fn streams_are_counted_and_given_up() {
        let active_jobs = ActiveJobs::default();
        let held: Vec<_> = (0..STREAMS)
            .map(|_| active_jobs.stream().unwrap())
            .collect();
        assert!(active_jobs.stream().is_none());
        drop(held);
        assert!(active_jobs.stream().is_some() && active_jobs.streams.load(Ordering::Acquire) == 0);
        active_jobs.give_up_streams();
        assert!(
            active_jobs.stream().is_none() && !active_jobs.is_without(Instant::now() + WITHOUT)
        );
    }
}
