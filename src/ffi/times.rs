//! Times that the host passes, by the rule at the top of the header.

use std::time::Duration;

use crate::error::{Error, Result};

/// How long to wait: 0 does not wait, and a negative number is no limit.
pub(super) fn wait(ms: i64) -> Option<Duration> {
    u64::try_from(ms).ok().map(Duration::from_millis)
}

/// As [`wait`], in microseconds.
pub(super) fn wait_us(us: i64) -> Option<Duration> {
    u64::try_from(us).ok().map(Duration::from_micros)
}

/// How long something may take: a negative number is no limit, and 0 is an error.
pub(super) fn limit(ms: i64, name: &str) -> Result<Option<Duration>> {
    match wait(ms) {
        Some(Duration::ZERO) => Err(Error::invalid(format!(
            "{name} must be positive, or -1 for no limit, not 0"
        ))),
        limit => Ok(limit),
    }
}

/// As [`limit`], with the longest duration for no limit.
pub(super) fn longest(ms: i64) -> Result<Duration> {
    Ok(limit(ms, "timeout_ms")?.unwrap_or(Duration::MAX))
}
