//! Functions of the host that run on each thread of the runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A function that the host wants called on each of the runtime's threads.
pub type ThreadHook = Arc<dyn Fn() + Send + Sync>;

/// The functions of one configuration.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    start: Option<ThreadHook>,
    stop: Option<ThreadHook>,
}

impl Hooks {
    pub(super) fn new(start: Option<ThreadHook>, stop: Option<ThreadHook>) -> Self {
        Hooks { start, stop }
    }

    pub(super) fn start(&self) {
        call(self.start.as_ref());
    }

    pub(super) fn stop(&self) {
        call(self.stop.as_ref());
    }
}

/// Calls a hook. Its panic must not end the thread, and the runtime with it.
fn call(hook: Option<&ThreadHook>) {
    if let Some(hook) = hook {
        let _ = catch_unwind(AssertUnwindSafe(|| hook()));
    }
}
