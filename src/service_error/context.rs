//! Which request an answer is to.

use crate::error::Idempotency;

/// Who was asked.
#[derive(Clone, Copy)]
pub(crate) struct RequestContext<'a> {
    pub(crate) host: &'a str,
    /// One of fal's services, directly: not a file host, and nobody who forwards.
    pub(crate) service: bool,
    pub(crate) idempotency: Idempotency,
    /// Whether the queue was asked for a job's status or cancellation.
    pub(crate) about_job: bool,
    pub(crate) whose: Responder,
}

/// Whose answer it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Responder {
    /// That of one of fal's services, or of a file host: no app is asked.
    Service,
    /// The queue's own of a submission, for which no app has run; or that of a job's app, which has
    /// an app's marks.
    Queue,
    /// An app's, but for what fal's gateway provably says.
    App,
}
