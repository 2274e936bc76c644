//! How far a call has come, so that an error can say what it means.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::error::{Code, Error};

/// The stage of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    Preparing,
    Connecting,
    /// Something that may be executed has, or may have, left.
    Waiting,
    /// The same for a request that does no harm when it is sent twice.
    WaitingSafely,
    /// The answer has begun, so the service has executed the request.
    Reading,
    ReadingSafely,
    Pausing,
}

const STAGES: [Stage; 7] = [
    Stage::Preparing,
    Stage::Connecting,
    Stage::Waiting,
    Stage::WaitingSafely,
    Stage::Reading,
    Stage::ReadingSafely,
    Stage::Pausing,
];

/// Written by the transport, read by whoever ends the call early.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    stage: AtomicU8,
    body_failure: Mutex<Option<Error>>,
}

impl Progress {
    pub(crate) fn connecting(&self) {
        self.set(Stage::Connecting);
    }

    /// The request is leaving, or, where there is no sign of that, may be about to.
    pub(crate) fn sending(&self, safe: bool) {
        self.set(if safe { Stage::WaitingSafely } else { Stage::Waiting });
    }

    pub(crate) fn reading(&self, safe: bool) {
        self.set(if safe { Stage::ReadingSafely } else { Stage::Reading });
    }

    /// The last attempt is over and known not to have been executed.
    pub(crate) fn pausing(&self) {
        self.set(Stage::Pausing);
    }

    /// The body that is sent could not be made to its end.
    pub(crate) fn body_failed(&self, error: Error) {
        *self.body_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    pub(crate) fn take_body_failure(&self) -> Option<Error> {
        self.body_failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the request has provably not left.
    pub(crate) fn nothing_sent(&self) -> bool {
        matches!(self.stage(), Stage::Preparing | Stage::Connecting)
    }

    /// Whether the service may have executed what was sent, as far as one can know now.
    pub(crate) fn may_have_executed(&self) -> bool {
        matches!(self.stage(), Stage::Waiting | Stage::Reading)
    }

    /// The error of a call that ends here because somebody or something ended it.
    pub(crate) fn cut_short(&self, code: Code, what: &str) -> Error {
        let stage = match self.stage() {
            Stage::Preparing => "before anything was sent",
            Stage::Connecting => "while it was connecting; nothing was sent",
            Stage::Waiting => "while it waited for the answer; whether the request was executed is unknown",
            Stage::WaitingSafely => "while it waited for the answer",
            Stage::Reading => "while it read the answer; the request was executed",
            Stage::ReadingSafely => "while it read the answer",
            Stage::Pausing => "between two attempts; the last one was not executed",
        };
        Error::new(code, format!("{what} {stage}")).with_outcome_unknown(self.may_have_executed())
    }

    fn stage(&self) -> Stage {
        let stage = usize::from(self.stage.load(Ordering::Acquire));
        STAGES.get(stage).copied().unwrap_or(Stage::Waiting)
    }

    fn set(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
    }
}
