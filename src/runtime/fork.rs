//! Values that a forked child does not share with its parent.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::system::process;

/// A value of one process, made on first use and reached without a lock. A forked child makes a
/// fresh one, because a thread that does not exist in the child may hold a lock in the parent's.
/// The child never frees the parent's value.
pub(crate) struct PerProcess<T>(ArcSwapOption<Own<T>>);

/// The value of one process.
pub(crate) struct Own<T> {
    pid: u32,
    value: T,
}

impl<T> Own<T> {
    fn is_ours(&self) -> bool {
        self.pid == process::id()
    }
}

impl<T> Deref for Own<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Default> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> std::fmt::Debug for PerProcess<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PerProcess")
    }
}

impl<T: Default> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        PerProcess(ArcSwapOption::const_empty())
    }

    /// Returns the value if this process has made one.
    pub(crate) fn made(&self) -> Option<Arc<Own<T>>> {
        self.0.load_full().filter(|own| own.is_ours())
    }

    /// Drops the value of this process. The next use makes another.
    #[allow(dead_code, reason = "only the shared library is unloaded")]
    pub(crate) fn free(&self) {
        if self.made().is_some() {
            self.0.store(None);
        }
    }

    /// Returns the value, and makes it if there is none.
    pub(crate) fn get(&self) -> Arc<Own<T>> {
        loop {
            let seen = self.0.load_full();
            if let Some(own) = seen.as_ref().filter(|own| own.is_ours()) {
                return own.clone();
            }
            let fresh = Some(Arc::new(Own {
                pid: process::id(),
                value: T::default(),
            }));
            std::mem::forget(seen.clone());
            self.0.compare_and_swap(&seen, fresh);
        }
    }
}
