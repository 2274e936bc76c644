//! The statuses of a job: what is told is JSON of the length of what came, and each line once.

use std::collections::HashSet;

use super::*;
use crate::fuzz::spent::peak;
use crate::services::queue::logs::{Seen, lines};

pub(crate) fn run(data: &[u8]) {
    let text = Bytes::copy_from_slice(data);
    let (status, spent) = peak(|| Status::parse(text));
    assert!(
        spent <= 256 * data.len() + 4096,
        "{spent} bytes for {}",
        data.len()
    );
    let Ok(status) = status else { return };
    // Control characters are written as six.
    assert!(status.told.len() <= 6 * data.len() + 64);
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
    let different: HashSet<_> = all.iter().collect();
    assert!(different.len() <= all.len());
}
