//! Functions that the host runs on each thread of the runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A function that the host wants called on each of the runtime's threads.
pub type ThreadHook = Arc<dyn Fn() + Send + Sync>;

/// What the host wants called on each thread.
#[derive(Clone)]
pub(crate) struct Hooks {
    start: Option<ThreadHook>,
    stop: Option<ThreadHook>,
}

impl Hooks {
    pub(crate) fn start(&self) {
        call_hook(self.start.as_ref());
    }

    pub(crate) fn stop(&self) {
        call_hook(self.stop.as_ref());
    }
}

/// A panic in a hook must not take the thread, and with it the runtime, down.
fn call_hook(hook: Option<&ThreadHook>) {
    if let Some(hook) = hook {
        let _ = catch_unwind(AssertUnwindSafe(|| hook()));
    }
}
