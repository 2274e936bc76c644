//! Status streams that stay open without news after the job has ended.

use super::queue::{events, job_of, paths, queue, states};
use super::*;
use fal_emulator::{Heartbeat, QueueSettings};

/// Longer than libfal relies on a stream without news.
const LONG: Duration = Duration::from_secs(180);

fn is_asked_beside(heartbeat: Heartbeat) {
    let emulator = queue(QueueSettings {
        stream_heartbeat_ms: Some(500),
        heartbeat,
        ..QueueSettings::default()
    });
    let op = client(&emulator)
        .subscribe_start(job_of(json!({"ms": 3000, "output": {"x": 1}})))
        .unwrap();
    assert!(
        op.wait(Some(LONG)).unwrap(),
        "{heartbeat:?}: {:?}",
        paths(&emulator)
    );
    let told = events(&op);
    assert_eq!(
        op.take().unwrap().unwrap().get("/x").unwrap(),
        1,
        "{heartbeat:?}"
    );
    assert_eq!(states(&told).last().unwrap(), "COMPLETED", "{heartbeat:?}");
    let looks = paths(&emulator)
        .into_iter()
        .filter(|path| path.ends_with("/status"));
    assert_eq!(looks.count(), 1, "{heartbeat:?}");
}

#[test]
fn comments_are_no_news() {
    is_asked_beside(Heartbeat::Comment);
}

#[test]
fn a_status_that_is_told_again_is_no_news() {
    is_asked_beside(Heartbeat::Repeat);
}
