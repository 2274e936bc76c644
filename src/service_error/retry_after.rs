//! The headers of a response that say whether and when to retry.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// Reads whether the service asks for or forbids a retry, in any of its spellings (docs/protocol.md
/// §16.13).
pub(super) fn retry_hint(headers: &HeaderMap) -> Option<bool> {
    let flag = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?.trim();
        match value.to_ascii_lowercase().as_str() {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        }
    };
    flag("x-fal-needs-retry").or_else(|| flag("x-fal-retryable"))
}

/// Reads `Retry-After`: seconds, or an HTTP date. A date is compared with `Date` of the response,
/// because the clock of this machine may be wrong; without `Date`, with that clock.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = httpdate::parse_http_date(value).ok()?;
    let date = headers
        .get(DATE)
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?.trim()).ok());
    Some(
        at.duration_since(date.unwrap_or_else(SystemTime::now))
            .unwrap_or_default(),
    )
}

#[cfg(any(test, fuzzing))]
#[path = "../fuzz/times.rs"]
pub(crate) mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(named: &[(&'static str, &str)]) -> HeaderMap {
        let parsed = named
            .iter()
            .map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()));
        parsed.collect()
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |value: &str| retry_after(&headers(&[("retry-after", value)]));
        assert_eq!(after("2"), Some(Duration::from_secs(2)));
        assert_eq!(after("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(after("-1"), None);
        assert_eq!(after("1e300"), None);
        assert_eq!(after("soon"), None);
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert!(after("Fri, 01 Jan 2100 00:00:00 GMT").unwrap() > Duration::from_secs(1_000_000));
        for malformed in ["", "NaN", "inf", "2 s", "Fri, 01 Jan", "-0.1"] {
            assert_eq!(after(malformed), None, "{malformed}");
        }
    }

    /// The clock of this machine may be wrong by years. The clock of the service made both dates.
    #[test]
    fn a_date_to_wait_for_is_measured_by_the_services_clock() {
        let after = |date: &str, until: &str| {
            retry_after(&headers(&[("date", date), ("retry-after", until)]))
        };
        let until = "Sun, 06 Nov 1994 08:50:07 GMT";
        assert_eq!(
            after("Sun, 06 Nov 1994 08:49:37 GMT", until),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            after("Sun, 06 Nov 1994 08:51:00 GMT", until),
            Some(Duration::ZERO)
        );
        assert_eq!(
            after(
                "Fri, 01 Jan 2100 00:00:00 GMT",
                "Fri, 01 Jan 2100 00:00:05 GMT"
            ),
            Some(Duration::from_secs(5))
        );
        assert_eq!(
            after("yesterday", until),
            Some(Duration::ZERO),
            "by the clock of this machine"
        );
    }
}
