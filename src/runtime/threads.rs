//! The threads of one instance of the runtime. A thread that outlives the instance still runs code
//! of the library.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::{Code, Error, Result};
use crate::system::module;

#[derive(Default)]
pub(crate) struct Threads {
    count: AtomicUsize,
    /// The threads that this value has to join.
    own: Mutex<Vec<JoinHandle<()>>>,
}

/// Counts a thread until it is dropped.
pub(crate) struct Counted(Arc<Threads>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Threads {
    pub(super) fn enter(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn leave(&self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn counted(self: &Arc<Self>) -> Counted {
        self.enter();
        Counted(self.clone())
    }

    /// Starts a thread that a shutdown joins.
    pub(super) fn start(
        self: &Arc<Self>,
        name: &str,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let counted = self.counted();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _counted = counted;
                body();
            })?;
        self.join_ended();
        self.own().push(thread);
        Ok(())
    }

    /// Waits until all threads have ended.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Result<()> {
        loop {
            let unjoined = self.join_ended();
            match self.count.load(Ordering::Acquire).max(unjoined) {
                0 => return Ok(()),
                left if left_until(deadline).is_zero() => return Err(unended(left)),
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Returns the error of a shutdown that leaves threads behind.
    pub(super) fn unended(&self) -> Error {
        unended(self.count.load(Ordering::Acquire))
    }

    /// Joins the threads that have ended. Returns how many are left.
    fn join_ended(&self) -> usize {
        let mut own = self.own();
        let (ended, left): (Vec<_>, Vec<_>) = own.drain(..).partition(module::has_ended);
        *own = left;
        let left = own.len();
        drop(own);
        // The bodies catch the panics that matter.
        ended.into_iter().for_each(|thread| drop(thread.join()));
        left
    }

    fn own(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the time left until a deadline. Without a deadline it is longer than any process lives,
/// and short enough for every clock.
pub(super) fn left_until(deadline: Option<Instant>) -> Duration {
    const FOR_EVER: Duration = Duration::from_secs(1 << 30);
    deadline.map_or(FOR_EVER, |deadline| {
        deadline
            .saturating_duration_since(Instant::now())
            .min(FOR_EVER)
    })
}

fn unended(threads: usize) -> Error {
    Error::new(
        Code::Deadline,
        format!("{threads} threads of the runtime did not end in time"),
    )
    .with_remedy(
        "Allow the shutdown more time. A name lookup, a slow file system or a blocking function of the program can delay it.",
    )
}
