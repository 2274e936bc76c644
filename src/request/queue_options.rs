//! Options of a queued request that are not headers.

use std::time::Duration;

use url::Url;

/// The priority of a request in the queue of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[non_exhaustive]
pub enum Priority {
    /// The default.
    Normal = 0,
    /// Served after all requests of normal priority.
    Low = 1,
}

/// How many times the platform retries a failed attempt, for each kind of failure. `None` leaves
/// the number to the platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    /// The app failed with 503 or 504.
    pub server_error: Option<u32>,
    /// The app reached its own request timeout.
    pub timeout: Option<u32>,
    /// The connection to the runner broke.
    pub connection_error: Option<u32>,
}

/// How an operation waits for a job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WatchOptions {
    pub(crate) logs: bool,
    pub(crate) keep_running: bool,
    pub(crate) timeout: Option<Duration>,
}

impl Default for WatchOptions {
    fn default() -> Self {
        WatchOptions {
            logs: true,
            keep_running: false,
            timeout: None,
        }
    }
}

/// Options that go into the URL of the submission, or stay on this side.
#[derive(Clone, Debug, Default)]
pub(crate) struct QueueOptions {
    pub(super) webhook: Option<Url>,
    pub(super) longest_line: Option<u32>,
    pub(crate) watch: WatchOptions,
}
