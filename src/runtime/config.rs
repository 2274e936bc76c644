//! The configuration of the runtime.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::hooks::{Hooks, ThreadHook};
use crate::error::{Error, Result};

/// Empty until something is configured.
static CONFIG: ArcSwapOption<Config> = ArcSwapOption::const_empty();

/// The configuration of the runtime. It takes effect at the next start: at the first use, or at the
/// first use after [`shutdown`](super::shutdown).
#[derive(Clone, Default)]
pub struct Config {
    worker_threads: Option<usize>,
    hooks: Hooks,
}

impl Config {
    /// Sets the number of worker threads, 1 to 64. The default is one: calls wait for the network,
    /// not for the processor, and each further thread costs every call wake-ups. More of them help
    /// a program that encrypts gigabits a second.
    pub fn worker_threads(mut self, count: usize) -> Result<Self> {
        if !(1..=64).contains(&count) {
            return Err(Error::invalid(format!(
                "worker_threads must be 1 to 64, not {count}"
            )));
        }
        self.worker_threads = Some(count);
        Ok(self)
    }

    /// Sets functions that run on each thread of the runtime when it starts (to name it, pin it or
    /// register it with an engine) and before it ends.
    pub fn thread_hooks(
        mut self,
        on_start: Option<ThreadHook>,
        on_stop: Option<ThreadHook>,
    ) -> Self {
        self.hooks = Hooks::new(on_start, on_stop);
        self
    }

    /// Returns the configuration that [`install`](Self::install) stored last.
    pub fn installed() -> Self {
        CONFIG
            .load()
            .as_deref()
            .map_or_else(Config::default, Config::clone)
    }

    /// Returns the configuration before, which may own values of the host.
    pub(super) fn store(self) -> Option<Arc<Config>> {
        CONFIG.swap(Some(Arc::new(self)))
    }

    pub(super) fn workers(&self) -> usize {
        self.worker_threads.unwrap_or(1)
    }

    pub(super) fn hooks(&self) -> &Hooks {
        &self.hooks
    }
}
