//! How the runtime is made.

use std::sync::Arc;

use arc_swap::ArcSwap;
use once_cell::race::OnceBox;

use super::hooks::{Hooks, ThreadHook};
use crate::error::{Error, Result};

// `race`, because a blocking cell could be left half-made by a fork.
static CONFIG: OnceBox<ArcSwap<Config>> = OnceBox::new();

/// How the runtime is made. It counts from the next start: the first use, or the first after
/// [`shutdown`].
#[derive(Clone, Default)]
pub struct Config {
    worker_threads: Option<usize>,
    on_thread_start: Option<ThreadHook>,
    on_thread_stop: Option<ThreadHook>,
}

impl Config {
    /// Worker threads, 1 to 64. By default two, or one on a machine with one core: calls wait for
    /// the network, not for the processor.
    pub fn worker_threads(mut self, count: usize) -> Result<Self> {
        if !(1..=64).contains(&count) {
            return Err(Error::invalid(format!(
                "{count} worker threads: 1 to 64 are possible"
            )));
        }
        self.worker_threads = Some(count);
        Ok(self)
    }

    /// Functions called on each runtime thread when it starts (to name it, pin it or register it
    /// with an engine) and before it ends.
    pub fn thread_hooks(
        mut self,
        on_start: Option<ThreadHook>,
        on_stop: Option<ThreadHook>,
    ) -> Self {
        self.on_thread_start = on_start;
        self.on_thread_stop = on_stop;
        self
    }

    /// What [`install`](Self::install) set last, to change one thing of it.
    pub fn installed() -> Self {
        config().load().as_ref().clone()
    }
}

fn config() -> &'static ArcSwap<Config> {
    CONFIG.get_or_init(Default::default)
}
