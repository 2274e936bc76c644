//! The requests whose response has not ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::recorder::Recorder;

/// Why there is no recording of a request that a client left.
pub(super) const LEFT: &str = "the client did not read the whole response";

/// A request on its way. If it is dropped before its response has ended, the client has left.
pub(super) struct Pending {
    recorder: Arc<Recorder>,
    has_ended: bool,
}

impl Pending {
    pub(super) fn new(recorder: &Arc<Recorder>) -> Self {
        recorder.pending.fetch_add(1, Ordering::Relaxed);
        Self {
            recorder: Arc::clone(recorder),
            has_ended: false,
        }
    }

    /// The response has ended, or nobody asks for it.
    pub(super) fn end(&mut self) {
        if !self.has_ended {
            self.has_ended = true;
            self.recorder.pending.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.has_ended {
            self.end();
            self.recorder.report.passed_on(LEFT);
        }
    }
}
