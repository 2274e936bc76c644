//! What belongs to one life of the runtime, in one process: made anew after a shutdown or a fork.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::error::Result;
use crate::runtime;

/// A place for a value that must not outlive its runtime or cross a fork. It is reached without a
/// lock.
pub(crate) struct PerRuntime<T> {
    slot: ArcSwapOption<Life<T>>,
}

/// The value of one life.
pub(crate) struct Life<T> {
    pid: u32,
    generation: u64,
    value: T,
}

impl<T> Deref for Life<T> {
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
    /// The value of the running runtime, made if there is none.
    pub(crate) fn get(&self, make: impl FnOnce() -> Result<T>) -> Result<Arc<Life<T>>> {
        let generation = runtime::living()?.generation();
        let seen = self.slot.load_full();
        if let Some(life) = seen.as_ref().filter(|life| life.generation == generation) {
            return Ok(life.clone());
        }
        let fresh = Arc::new(Life {
            pid: std::process::id(),
            generation,
            value: make()?,
        });
        keep_parents(&seen);
        let before = self.slot.compare_and_swap(&seen, Some(fresh.clone()));
        let raced = before.as_ref().filter(|life| life.generation == generation);
        Ok(raced.unwrap_or(&fresh).clone())
    }
}

impl<T> Drop for PerRuntime<T> {
    fn drop(&mut self) {
        keep_parents(&self.slot.load_full());
    }
}

/// What belongs to the parent of this process may have been locked by a thread that does not exist
/// here, and wakes tasks of the parent's when it goes: it is never freed.
fn keep_parents<T>(life: &Option<Arc<Life<T>>>) {
    if life
        .as_ref()
        .is_some_and(|life| life.pid != std::process::id())
    {
        std::mem::forget(life.clone());
    }
}
