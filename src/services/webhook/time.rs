//! The time at which a delivery was signed (docs/protocol.md §10.3).

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderName;

use super::error::invalid;
use crate::error::Result;

/// The largest accepted difference between the timestamp of a delivery and the local clock. A
/// delivery can be replayed for this long (§10.3).
pub const TOLERANCE: Duration = Duration::from_secs(300);

pub(super) const TIMESTAMP: HeaderName = HeaderName::from_static("x-fal-webhook-timestamp");

/// Fails if a timestamp is more than [`TOLERANCE`] before or after `now`.
pub(super) fn check(timestamp: &str, now: SystemTime) -> Result<()> {
    let now = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let Some(sent) = Timestamp::read(timestamp) else {
        return Err(invalid(format!(
            "{TIMESTAMP} is not a time in Unix seconds"
        )));
    };
    let is_near = |seconds| now.abs_diff(Duration::from_secs(seconds)) <= TOLERANCE;
    if sent.whole().is_some_and(is_near) {
        return Ok(());
    }
    Err(invalid(sent.refusal(now)).with_remedy(
        "Do not act on it. If all webhooks fail like this, set this machine's clock, and give the headers as they arrived.",
    ))
}

/// A timestamp that is a decimal number.
struct Timestamp {
    before_1970: bool,
    /// The whole seconds before or after 1970. None if they do not fit.
    seconds: Option<u64>,
    has_fraction: bool,
}

impl Timestamp {
    fn read(timestamp: &str) -> Option<Self> {
        let number = timestamp.strip_prefix('-');
        let before_1970 = number.is_some();
        let mut parts = number.unwrap_or(timestamp).splitn(2, '.');
        let (whole, fraction) = (parts.next()?, parts.next());
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (is_number(whole) && fraction.is_none_or(is_number)).then(|| Timestamp {
            before_1970,
            seconds: whole.parse().ok(),
            has_fraction: fraction.is_some(),
        })
    }

    /// The Unix time, if the timestamp has the form of fal's.
    fn whole(&self) -> Option<u64> {
        self.seconds
            .filter(|_| !self.before_1970 && !self.has_fraction)
    }

    /// The message of the error, with the age of the delivery.
    fn refusal(&self, now: Duration) -> String {
        let age = match (self.seconds, self.before_1970) {
            (Some(seconds), false) => age(seconds, now),
            (Some(seconds), true) => {
                format!("{} old", in_words(now.as_secs().saturating_add(seconds)))
            }
            (None, true) => format!("more than {} old", in_words(u64::MAX)),
            (None, false) => format!("more than {} {AHEAD}", in_words(u64::MAX)),
        };
        if self.has_fraction && !self.before_1970 && self.seconds.is_some() {
            return format!(
                "{TIMESTAMP} has a fraction, and fal sends whole seconds; by it, the webhook is {age}"
            );
        }
        let unit = self
            .whole()
            .and_then(|seconds| unit(seconds, now))
            .map_or(String::new(), |unit| {
                format!("; it looks like {unit}, and fal sends seconds")
            });
        format!(
            "the webhook is {age}{unit}; {} seconds are allowed, so that old ones cannot be replayed",
            TOLERANCE.as_secs()
        )
    }
}

const AHEAD: &str = "ahead of this machine's clock";

/// "301 seconds old".
fn age(sent: u64, now: Duration) -> String {
    let age = in_words(now.abs_diff(Duration::from_secs(sent)).as_secs());
    let side = if now.as_secs() >= sent { "old" } else { AHEAD };
    format!("{age} {side}")
}

/// The unit other than seconds in which `number` is a time near `now`.
fn unit(number: u64, now: Duration) -> Option<&'static str> {
    const NEAR: u64 = 2 * DAY;
    let units = [
        ("milliseconds", 1_000),
        ("microseconds", 1_000_000),
        ("nanoseconds", 1_000_000_000),
    ];
    units
        .into_iter()
        .find(|(_, parts)| now.as_secs().abs_diff(number / parts) < NEAR)
        .map(|(unit, _)| unit)
}

const DAY: u64 = 86_400;

/// A duration in the largest unit of which it has at least two.
fn in_words(seconds: u64) -> String {
    const UNITS: [(u64, &str); 5] = [
        (1_000_000 * YEAR, "million years"),
        (YEAR, "years"),
        (DAY, "days"),
        (3600, "hours"),
        (60, "minutes"),
    ];
    const YEAR: u64 = 31_556_952;
    // With a tolerance of 300 seconds, "301 seconds" is clearer than "5 minutes".
    const FEW: u64 = 600;
    let unit = UNITS
        .into_iter()
        .find(|(length, _)| seconds >= FEW && seconds >= 2 * length);
    let (length, name) = unit.unwrap_or((1, "seconds"));
    format!("{} {name}", seconds / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn refusal(timestamp: &str) -> String {
        check(timestamp, SystemTime::UNIX_EPOCH + NOW)
            .unwrap_err()
            .message()
            .to_owned()
    }

    #[test]
    fn an_age_is_told_in_words() {
        for (timestamp, expected) in [
            ("1799999699", "is 301 seconds old; 300 seconds are allowed"),
            ("1800000599", "is 599 seconds ahead of this machine's clock"),
            ("1799996400", "is 60 minutes old"),
            ("1799990000", "is 2 hours old"),
            ("1799740800", "is 3 days old"),
            ("0", "is 57 years old"),
            (
                "1800000000123",
                "ahead of this machine's clock; it looks like milliseconds, and fal sends seconds",
            ),
            ("1800000000123", "is 56982 years ahead"),
            (
                "1800000000123456",
                "57 million years ahead of this machine's clock; it looks like microseconds",
            ),
            ("1800000000123456789", "it looks like nanoseconds"),
            ("-1800000000", "is 114 years old"),
            ("-0", "is 57 years old"),
            (
                "-99999999999999999999999",
                "more than 584554 million years old",
            ),
            (
                "18446744073709551616",
                "more than 584554 million years ahead",
            ),
            (
                "1800000000.5",
                "has a fraction, and fal sends whole seconds; by it, the webhook is 0 seconds old",
            ),
            ("1800000600.5", "by it, the webhook is 10 minutes ahead"),
            ("-1.5", "is 57 years old"),
        ] {
            let refusal = refusal(timestamp);
            assert!(refusal.contains(expected), "{timestamp}: {refusal}");
        }
    }

    #[test]
    fn what_is_no_number_is_no_time() {
        for text in [
            "+1800000000",
            "1.8e9",
            "0x6b49d200",
            "１",
            "1800000000.",
            ".5",
            "--1",
            "-",
            "1 800",
            "1800000000Z",
        ] {
            assert!(
                refusal(text).ends_with("is not a time in Unix seconds"),
                "{text}"
            );
        }
    }
}
