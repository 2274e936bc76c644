//! Options of a queued request that are no headers.

use std::time::Duration;

use url::Url;

/// A request's place in the line of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[non_exhaustive]
pub enum Priority {
    /// As usual.
    Normal = 0,
    /// Behind all normal ones.
    Low = 1,
}

/// How often the platform repeats a failed attempt, for each kind of failure; `None`: as it likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    /// The app failed with 503 or 504.
    pub server_error: Option<u32>,
    /// The app's own time for a request was over.
    pub timeout: Option<u32>,
    /// The connection to the runner broke.
    pub connection_error: Option<u32>,
}

/// How a job is asked for and waited for.
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

/// What a request asks of the queue besides headers.
#[derive(Clone, Debug, Default)]
pub(crate) struct QueueOptions {
    pub(super) webhook: Option<Url>,
    pub(super) longest_line: Option<u32>,
    pub(crate) watch: WatchOptions,
}
