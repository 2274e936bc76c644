//! How a session over a WebSocket is to be.

use std::time::Duration;

use super::send_queue::WhenFull;
use super::token::{Access, LIFETIME};
use crate::error::{Error, Result};

/// The most bytes of a message, unless the client allows answers of fewer only.
const MOST_BYTES: usize = 32 << 20;
const MOST_INPUTS: usize = 64;
const PING: Duration = Duration::from_secs(30);

/// How a [`Realtime`](crate::Realtime) session or a [`WebSocket`](crate::WebSocket) is to be.
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
    /// The options' defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many inputs the service keeps while the app is busy, 1 to 60; the oldest go. By default
    /// the app decides (§7.2).
    pub fn max_buffering(mut self, most: u32) -> Result<Self> {
        if !(1..=60).contains(&most) {
            return Err(Error::invalid(format!(
                "max_buffering {most}: 1 to 60 are possible"
            )));
        }
        self.max_buffering = Some(most);
        Ok(self)
    }

    /// Opens the connection with the `Authorization` header in place of a short-lived token (§7.2).
    pub fn use_header(mut self, header: bool) -> Self {
        self.access = if header {
            Access::Header
        } else {
            Access::Token
        };
        self
    }

    /// How long the tokens live that open the connections, 1 second to 1 hour, by default 120
    /// seconds (§7.1). They are renewed at 90 % of their life, so that a new connection need not
    /// wait for one.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Result<Self> {
        let seconds = lifetime.as_secs();
        if !(1..=3600).contains(&seconds) {
            return Err(Error::invalid(format!(
                "a token of {seconds} s: 1 to 3600 are possible"
            )));
        }
        self.token_lifetime = Duration::from_secs(seconds);
        Ok(self)
    }

    /// How many inputs may wait to be sent, 1 to 65536, by default 64, and what happens to more.
    pub fn queue(mut self, most: usize, when_full: WhenFull) -> Result<Self> {
        if !(1..=65536).contains(&most) {
            return Err(Error::invalid(format!(
                "a queue of {most} inputs: 1 to 65536 are possible"
            )));
        }
        (self.most_inputs, self.when_full) = (most, when_full);
        Ok(self)
    }

    /// The most bytes of a message either way; by default 32 MiB, or the client's limit of answers
    /// if that is less.
    pub fn max_message_bytes(mut self, most: usize) -> Self {
        self.most_bytes = Some(most);
        self
    }

    /// How often a ping is sent, by default every 30 seconds; `None` sends none. Once the other
    /// side has moved nothing for four times as long, the connection counts as lost; a message that
    /// comes or goes slowly moves. While the host does not read its events, silence does not count.
    pub fn ping(mut self, idle: Option<Duration>) -> Self {
        self.ping = idle.filter(|idle| !idle.is_zero());
        self
    }

    /// The most bytes of a message, for a client that takes answers of at most `limit` bytes.
    pub(crate) fn most_bytes(&self, limit: usize) -> usize {
        self.most_bytes.unwrap_or(limit.min(MOST_BYTES))
    }
}
