//! The request that a response belongs to.

use crate::error::Idempotency;

/// What decides about a response besides the response itself.
#[derive(Clone, Copy)]
pub(crate) struct RequestContext<'a> {
    pub(crate) host: &'a str,
    /// Whether the request went directly to one of fal's services: not to a file host, and not
    /// through a server proxy.
    pub(crate) service: bool,
    pub(crate) idempotency: Idempotency,
    /// Whether the request asks the queue for the status or the cancellation of a job.
    pub(crate) about_job: bool,
    pub(crate) whose: Responder,
}

/// The parties that the response may be from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Responder {
    /// One of fal's services or a file host. The request reaches no app.
    Service,
    /// The queue, for a submission, before an app runs; or the app of a job, whose responses have
    /// the marks of an app.
    Queue,
    /// An app, unless the response is provably from fal's gateway.
    App,
}
