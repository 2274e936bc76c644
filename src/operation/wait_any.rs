//! Waits for the first of several operations.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::event_queue::Bell;
use super::op::Op;
use crate::error::{Error, Result};
use crate::runtime;

impl Op {
    /// Blocks until one of several operations has ended or `timeout` has passed (`None`: no limit;
    /// zero: does not block). Returns the index of the first of them that has ended.
    ///
    /// Fails with [`Code::WouldDeadlock`](crate::Code::WouldDeadlock) like [`wait`](Self::wait), and
    /// with [`Code::InvalidArgument`](crate::Code::InvalidArgument) without an operation.
    pub fn wait_any(ops: &[&Op], timeout: Option<Duration>) -> Result<Option<usize>> {
        if ops.is_empty() {
            return Err(Error::invalid("ops must have at least one operation"));
        }
        let found = first_ended(ops)?;
        if found.is_some() || timeout == Some(Duration::ZERO) {
            return Ok(found);
        }
        runtime::may_wait()?;
        let alarm = Arc::new(Alarm::default());
        let bell: Arc<dyn Bell> = alarm.clone();
        ops.iter().for_each(|op| op.add_bell(bell.clone()));
        // One may have ended before its bell was added.
        if first_ended(ops)?.is_none() {
            alarm.wait(timeout.and_then(|timeout| Instant::now().checked_add(timeout)));
        }
        ops.iter().for_each(|op| op.remove_bell(&bell));
        first_ended(ops)
    }
}

fn first_ended(ops: &[&Op]) -> Result<Option<usize>> {
    for (index, op) in ops.iter().enumerate() {
        if op.poll()? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// Wakes the thread that waits.
#[derive(Default)]
struct Alarm {
    has_rung: Mutex<bool>,
    changed: Condvar,
}

impl Alarm {
    fn wait(&self, deadline: Option<Instant>) {
        let mut has_rung = self.has_rung.lock().unwrap_or_else(PoisonError::into_inner);
        while !*has_rung {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return;
            }
            let woken = self
                .changed
                .wait_timeout(has_rung, left.unwrap_or(Duration::MAX));
            has_rung = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Bell for Alarm {
    fn ring(self: Arc<Self>) {
        *self.has_rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}
