//! Fuzzes the statuses of a job: events are of bounded length, and report each log line once.

use super::*;
use crate::fuzz::spent::bounded;
use crate::services::queue::logs::{Seen, lines};

pub(crate) fn run(data: &[u8]) {
    let text = Bytes::copy_from_slice(data);
    let status = bounded(data.len(), 256, 4096, || Status::parse(text));
    let Ok(status) = status else { return };
    // A control character becomes an escape sequence of six bytes.
    assert!(status.reported.len() <= 6 * data.len() + 64);
    if let Some((text, kind)) = status.failure() {
        assert!(text.len() <= 6 * data.len() && kind.is_none_or(|kind| kind.len() <= data.len()));
    }
    let logs = status
        .logs
        .as_ref()
        .and_then(|logs| std::str::from_utf8(logs).ok())
        .unwrap_or("[]");
    let mut seen = Seen::default();
    let all: Vec<_> = lines(logs).into_iter().map(tidy).collect();
    assert!(all.iter().map(String::len).sum::<usize>() <= 6 * data.len());
    let mut window = seen.window();
    assert!(
        all.iter().all(|line| window.is_new(line)),
        "the first window is new"
    );
    let mut window = seen.window();
    assert!(
        !all.iter().any(|line| window.is_new(line)),
        "the second is not"
    );
}
