//! Values that belong to one instance of the runtime, and are made again after a shutdown or a
//! fork.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::lifecycle::current_or_closing;
use crate::error::Result;
use crate::system::process;

/// A slot for a value that must not outlive its runtime or cross a fork, reached without a lock.
pub(crate) struct PerRuntime<T> {
    slot: ArcSwapOption<OfInstance<T>>,
}

/// The value of one instance.
pub(crate) struct OfInstance<T> {
    pid: u32,
    generation: u64,
    value: T,
}

impl<T> Deref for OfInstance<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Default for PerRuntime<T> {
    fn default() -> Self {
        PerRuntime {
            slot: ArcSwapOption::empty(),
        }
    }
}

impl<T> PerRuntime<T> {
    /// Returns the value of the running instance, and makes it if there is none.
    pub(crate) fn get(&self, make: impl FnOnce() -> Result<T>) -> Result<Arc<OfInstance<T>>> {
        let generation = current_or_closing()?.generation();
        let seen = self.slot.load_full();
        if let Some(own) = seen.as_ref().filter(|own| own.generation == generation) {
            return Ok(own.clone());
        }
        let fresh = Arc::new(OfInstance {
            pid: process::id(),
            generation,
            value: make()?,
        });
        forget_of_parent(&seen);
        let before = self.slot.compare_and_swap(&seen, Some(fresh.clone()));
        let raced = before.as_ref().filter(|own| own.generation == generation);
        Ok(raced.unwrap_or(&fresh).clone())
    }
}

impl<T> Drop for PerRuntime<T> {
    fn drop(&mut self) {
        forget_of_parent(&self.slot.load_full());
    }
}

/// Leaks a value of the parent process: a thread that does not exist here may hold its lock, and
/// its drop would wake tasks of the parent.
fn forget_of_parent<T>(own: &Option<Arc<OfInstance<T>>>) {
    if own.as_ref().is_some_and(|own| own.pid != process::id()) {
        std::mem::forget(own.clone());
    }
}
