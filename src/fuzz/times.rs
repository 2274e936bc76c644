//! Fuzzes the delays and timestamps of a server: parsing never panics, and no delay is infinite.

use super::*;
use crate::fuzz::input::Input;
use reqwest::header::HeaderValue;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut headers = HeaderMap::new();
    let (asked, date) = (input.part(), input.part());
    for (name, value) in [(RETRY_AFTER, asked), (DATE, date)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.insert(name, value);
        }
    }
    let pause = retry_after(&headers);
    // As the code that waits does.
    if let Some(pause) = pause {
        let _ = std::time::Instant::now().checked_add(pause.saturating_add(Duration::from_secs(1)));
        assert!(pause.as_secs_f64().is_finite());
    }
    let seconds = std::str::from_utf8(asked)
        .ok()
        .and_then(|text| text.trim_ascii().parse::<u64>().ok());
    if let Some(seconds) =
        seconds.filter(|seconds| *seconds < 1 << 50 && headers.contains_key(RETRY_AFTER))
    {
        assert_eq!(pause, Some(Duration::from_secs(seconds)));
    }
    let text = input.text();
    if let Some(moment) = crate::codec::rfc3339::parse(&text) {
        assert!(moment >= SystemTime::UNIX_EPOCH && text.len() >= 20);
    }
    let _ = crate::services::webhook::fuzz::is_now(&text);
}
