//! Parses the timestamps of RFC 3339, such as `2026-01-31T23:59:59.5+01:00`.
//!
//! Own code instead of jiff or time, which are large dependencies for one function.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: i64 = 24 * 60 * 60;

/// Parses a timestamp, to the nanosecond. Returns `None` if `text` is not RFC 3339, or is before
/// 1970.
///
/// A leap second counts as the first second of the next minute.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let mut rest = text.as_bytes();
    let year = digits(&mut rest, 4)?;
    mark(&mut rest, b"-")?;
    let month = within(1..=12, digits(&mut rest, 2)?)?;
    mark(&mut rest, b"-")?;
    let day = within(1..=days_of_month(year, month), digits(&mut rest, 2)?)?;
    mark(&mut rest, b"Tt ")?;
    let hour = within(0..=23, digits(&mut rest, 2)?)?;
    mark(&mut rest, b":")?;
    let minute = within(0..=59, digits(&mut rest, 2)?)?;
    mark(&mut rest, b":")?;
    let second = within(0..=60, digits(&mut rest, 2)?)?;
    let nanoseconds = fraction(&mut rest)?;
    let offset = offset(&mut rest)?;
    if !rest.is_empty() {
        return None;
    }
    let seconds =
        days_since_1970(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    UNIX_EPOCH.checked_add(Duration::new(u64::try_from(seconds).ok()?, nanoseconds))
}

fn digits(rest: &mut &[u8], count: usize) -> Option<i64> {
    let (digits, after) = rest.split_at_checked(count)?;
    *rest = after;
    digits.iter().try_fold(0, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + i64::from(digit - b'0'))
    })
}

/// Consumes one byte and returns it, if it is one of `allowed`.
fn mark(rest: &mut &[u8], allowed: &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    allowed.contains(first).then_some(*first)
}

fn within(range: std::ops::RangeInclusive<i64>, value: i64) -> Option<i64> {
    range.contains(&value).then_some(value)
}

/// Parses the fraction of a second as nanoseconds; further digits are cut off.
fn fraction(rest: &mut &[u8]) -> Option<u32> {
    let Some(after) = rest.strip_prefix(b".") else {
        return Some(0);
    };
    let count = after
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (digits, after) = after
        .split_at_checked(count)
        .filter(|(digits, _)| !digits.is_empty())?;
    *rest = after;
    let digit = |index| digits.get(index).map_or(0, |digit| u32::from(digit - b'0'));
    Some((0..9).fold(0, |value, index| value * 10 + digit(index)))
}

/// Parses the offset of local time from UTC, in seconds.
fn offset(rest: &mut &[u8]) -> Option<i64> {
    let sign = match mark(rest, b"Zz+-")? {
        b'+' => 1,
        b'-' => -1,
        _ => return Some(0),
    };
    let hours = within(0..=23, digits(rest, 2)?)?;
    mark(rest, b":")?;
    let minutes = within(0..=59, digits(rest, 2)?)?;
    Some(sign * (hours * 3600 + minutes * 60))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let before = |year: i64| year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
    let months: i64 = (1..month).map(|month| days_of_month(year, month)).sum();
    before(year) - before(1970) + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        // Expected values are from `date -u -d TEXT +%s.%N`.
        let moments = [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("2000-02-29T12:00:00Z", 951_825_600, 0),
            ("2024-12-31T23:59:59Z", 1_735_689_599, 0),
            ("2026-01-31t23:59:59.5+01:00", 1_769_900_399, 500_000_000),
            (
                "2026-01-31 23:59:59.1234567891-05:30",
                1_769_923_799,
                123_456_789,
            ),
            ("2100-03-01T00:00:00z", 4_107_542_400, 0),
            ("9999-12-31T23:59:59Z", 253_402_300_799, 0),
            ("2016-12-31T23:59:60Z", 1_483_228_800, 0),
        ];
        for (text, seconds, nanoseconds) in moments {
            assert_eq!(
                parse(text),
                Some(UNIX_EPOCH + Duration::new(seconds, nanoseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let texts = [
            "",
            "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-01-31",
            "2026-01-31T23:59:59",
            "2026-01-31T23:59Z",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00+01:60",
            "2026-01-01T00:00:00Zx",
            "2026-1-1T00:00:00Z",
            "+026-01-01T00:00:00Z",
            "２026-01-01T00:00:00Z",
        ];
        for text in texts {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
