//! Times in: one rule for all of them, which the head of the header tells.

use std::time::Duration;

use crate::error::{Error, Result};

/// How long to wait: not at all for 0, without a limit for what is negative.
pub(super) fn wait(ms: i64) -> Option<Duration> {
    u64::try_from(ms).ok().map(Duration::from_millis)
}

/// The same in microseconds.
pub(super) fn wait_us(us: i64) -> Option<Duration> {
    u64::try_from(us).ok().map(Duration::from_micros)
}

/// How long something may take: without a limit for what is negative. No time at all is a mistake.
pub(super) fn limit(ms: i64, name: &str) -> Result<Option<Duration>> {
    match wait(ms) {
        Some(Duration::ZERO) => Err(Error::invalid(format!(
            "{name} is 0: give a time, or -1 for no limit"
        ))),
        limit => Ok(limit),
    }
}

/// The same where the longest time there is stands for no limit.
pub(super) fn longest(ms: i64) -> Result<Duration> {
    Ok(limit(ms, "timeout_ms")?.unwrap_or(Duration::MAX))
}
