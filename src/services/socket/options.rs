//! The options of a session over a WebSocket.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::send_queue::WhenFull;
use super::token::{Access, LIFETIME};
use crate::error::{Error, Result};

/// The maximum size of a message in bytes, unless the client allows only smaller responses.
const MOST_BYTES: usize = 32 << 20;
const MOST_INPUTS: usize = 64;
const PING: Duration = Duration::from_secs(30);

/// The options of a [`Realtime`](crate::Realtime) session or a [`WebSocket`](crate::WebSocket).
#[derive(Clone, Debug)]
pub struct SocketOptions {
    pub(crate) max_buffering: Option<u32>,
    pub(crate) access: Access,
    pub(crate) token_lifetime: Duration,
    pub(crate) most_inputs: usize,
    pub(crate) when_full: WhenFull,
    pub(crate) most_bytes: Option<usize>,
    pub(crate) ping: Option<Duration>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        SocketOptions {
            max_buffering: None,
            access: Access::Token,
            token_lifetime: LIFETIME,
            most_inputs: MOST_INPUTS,
            when_full: WhenFull::Refuse,
            most_bytes: None,
            ping: Some(PING),
        }
    }
}

impl SocketOptions {
    /// Returns the default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many inputs the service keeps while the app is busy, 1 to 60. It drops the oldest.
    /// By default the app decides (docs/protocol.md §7.2).
    pub fn max_buffering(mut self, most: u32) -> Result<Self> {
        self.max_buffering = Some(within("max_buffering", most, 1..=60)?);
        Ok(self)
    }

    /// Sets whether the `Authorization` header opens the connection instead of a short-lived token
    /// (docs/protocol.md §7.2). The default is `false`.
    pub fn use_header(mut self, header: bool) -> Self {
        self.access = if header {
            Access::Header
        } else {
            Access::Token
        };
        self
    }

    /// Sets the lifetime of the tokens that open connections, 1 second to 1 hour, by default 120
    /// seconds (docs/protocol.md §7.1). A token is renewed after 90 % of its lifetime, so that a
    /// new connection does not wait for one.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Result<Self> {
        let seconds = within(
            "the token lifetime in seconds",
            lifetime.as_secs(),
            1..=3600,
        )?;
        self.token_lifetime = Duration::from_secs(seconds);
        Ok(self)
    }

    /// Sets how many inputs may wait to be sent, 1 to 65536, by default 64, and what happens to an
    /// input when the queue is full.
    pub fn queue(mut self, most: usize, when_full: WhenFull) -> Result<Self> {
        self.most_inputs = within("the queue size", most, 1..=65536)?;
        self.when_full = when_full;
        Ok(self)
    }

    /// Sets the maximum size in bytes of a message in either direction. By default 32 MiB, or the
    /// client's limit of response bytes if that is less.
    pub fn max_message_bytes(mut self, most: usize) -> Self {
        self.most_bytes = Some(most);
        self
    }

    /// Sets the time between pings, by default 30 seconds. `None` disables pings. If no byte moves
    /// for four times as long, the connection counts as lost. A slow message keeps it alive. Time
    /// during which the host does not read its events does not count.
    pub fn ping(mut self, idle: Option<Duration>) -> Self {
        self.ping = idle.filter(|idle| !idle.is_zero());
        self
    }

    /// Returns the maximum size of a message for a client whose responses may have `limit` bytes.
    pub(crate) fn most_bytes(&self, limit: usize) -> usize {
        self.most_bytes.unwrap_or(limit.min(MOST_BYTES))
    }
}

/// Checks that an option is in its range, and returns it.
fn within<T: Display + PartialOrd>(name: &str, value: T, range: RangeInclusive<T>) -> Result<T> {
    match range.contains(&value) {
        true => Ok(value),
        false => Err(Error::invalid(format!(
            "{name} must be {} to {}, not {value}",
            range.start(),
            range.end()
        ))),
    }
}
