//! The status stream, and polling in its place.

use super::queue::{events, job_of, lines, paths, queue, states, subscribe};
use super::*;
use fal_emulator::{Arrival, Fault, LogWindow, QueueSettings};

const STREAM: &str = "*/status/stream";
const LOGGED: &str = r#"{"ms": 1200, "logs": ["a", "b", "c", "d", "e", "f"], "output": {"x": 1}}"#;

fn logged() -> Value {
    serde_json::from_str(LOGGED).unwrap()
}

fn count(emulator: &Emulator, path: &str) -> usize {
    paths(emulator)
        .iter()
        .filter(|arrived| arrived.ends_with(path))
        .count()
}

#[test]
fn without_a_stream_the_status_is_asked_for() {
    for fault in [
        Fault::status(404),
        Fault::status(405).header("allow", "POST"),
        Fault::status(406),
        Fault::status(200)
            .header("content-type", "text/html")
            .body("<html>portal</html>"),
        Fault::status(200).body(json!({"status": "IN_PROGRESS"})),
    ] {
        let emulator = queue(QueueSettings::default());
        emulator.inject(fault.clone().path(STREAM).always());
        let client = client(&emulator);
        let op = client.subscribe_start(job_of(logged())).unwrap();
        let told = events(&op);
        assert_eq!(
            op.take().unwrap().unwrap().get("/x").unwrap(),
            1,
            "{fault:?}"
        );
        assert_eq!(lines(&told), ["a", "b", "c", "d", "e", "f"], "{fault:?}");
        assert_eq!(states(&told).last().unwrap(), "COMPLETED");
        let looks = count(&emulator, "/status");
        assert!(
            (2..=12).contains(&looks),
            "{fault:?}: {looks} looks at a job of 1.2 seconds"
        );
        // The next job does not try the stream.
        subscribe(&client, json!({})).unwrap();
        assert_eq!(count(&emulator, "/stream"), 1, "{fault:?}");
    }
}

#[test]
fn a_broken_stream_is_opened_again_without_losing_a_line() {
    for status_logs in [LogWindow::Whole, LogWindow::New] {
        for bytes in [1, 100, 700, 1500] {
            let emulator = queue(QueueSettings {
                status_logs,
                ..QueueSettings::default()
            });
            emulator.inject(Fault::truncate(bytes).path(STREAM));
            let op = client(&emulator).subscribe_start(job_of(logged())).unwrap();
            let told = events(&op);
            op.take().unwrap().unwrap();
            assert_eq!(
                lines(&told),
                ["a", "b", "c", "d", "e", "f"],
                "{status_logs:?}, cut after {bytes}"
            );
            assert_eq!(
                count(&emulator, "/stream"),
                2,
                "{status_logs:?}, cut after {bytes}"
            );
        }
    }
}

#[test]
fn a_stream_that_always_breaks_is_left_alone() {
    for fault in [
        Fault::truncate(200),
        Fault::reset_before_body(),
        Fault::close(),
        Fault::status(503),
    ] {
        let emulator = queue(QueueSettings::default());
        emulator.inject(fault.clone().path(STREAM).always());
        let client = builder(&emulator).max_attempts(1).unwrap().build().unwrap();
        let op = client
            .subscribe_start(job_of(json!({"ms": 3_600_000, "output": {"x": 1}})))
            .unwrap();
        let looks = |arrivals: &[Arrival]| {
            arrivals
                .iter()
                .filter(|one| one.path.ends_with("/status"))
                .count()
        };
        emulator
            .wait_until(PATIENCE, |arrivals| looks(arrivals) >= 9)
            .unwrap();
        assert_eq!(count(&emulator, "/stream"), 5, "{fault:?}");
        emulator.advance(Duration::from_secs(3600));
        assert!(op.wait(Some(PATIENCE)).unwrap());
        assert_eq!(
            op.take().unwrap().unwrap().get("/x").unwrap(),
            1,
            "{fault:?}"
        );
    }
}

#[test]
fn a_stream_that_is_held_up_is_given_up() {
    let emulator = queue(QueueSettings::default());
    emulator.inject(Fault::hang().path(STREAM).always());
    let client = client(&emulator);
    let output = subscribe(&client, json!({"ms": 100, "output": {"x": 1}})).unwrap();
    assert_eq!(output.get("/x").unwrap(), 1);
    subscribe(&client, json!({})).unwrap();
    assert_eq!(count(&emulator, "/stream"), 1);
}

#[test]
fn a_stream_may_arrive_in_crumbs() {
    let emulator = queue(QueueSettings::default());
    emulator.inject(
        Fault::slow(7, Duration::from_millis(1))
            .path(STREAM)
            .always(),
    );
    let op = client(&emulator).subscribe_start(job_of(logged())).unwrap();
    let told = events(&op);
    op.take().unwrap().unwrap();
    assert_eq!(lines(&told), ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(paths(&emulator).len(), 3);
}

#[test]
fn a_long_job_is_asked_for_less_and_less() {
    let emulator = queue(QueueSettings::default());
    emulator.inject(Fault::status(404).path(STREAM).always());
    let op = client(&emulator)
        .subscribe_start(job_of(json!({"ms": 3_600_000})))
        .unwrap();
    std::thread::sleep(Duration::from_secs(6));
    let looks = count(&emulator, "/status");
    assert!((3..=20).contains(&looks), "{looks} looks in 6 seconds");
    emulator.advance(Duration::from_secs(3600));
    assert!(op.wait(Some(PATIENCE)).unwrap());
    op.take().unwrap().unwrap();
}

#[test]
fn a_server_proxy_serves_all_of_it() {
    let emulator = queue(QueueSettings::default());
    let address = format!("http://{}/api/fal/proxy", emulator.host());
    let client = crate::logged::builder()
        .environment(Environment::from_variables([(
            "FAL_EMULATOR_HOST",
            emulator.host(),
        )]))
        .proxy(&address)
        .unwrap()
        .build()
        .unwrap();
    let op = client.subscribe_start(job_of(logged())).unwrap();
    let told = events(&op);
    assert_eq!(op.take().unwrap().unwrap().get("/x").unwrap(), 1);
    assert_eq!(lines(&told), ["a", "b", "c", "d", "e", "f"]);
    let job = super::queue::submit(&client, json!({"ms": 3_600_000}));
    Op::finish(|| client.status_start(&job)).unwrap();
    assert_eq!(
        Op::finish(|| client.result_start(&job)).unwrap_err().code(),
        fal::Code::NotReady
    );
    Op::finish(|| client.cancel_start(&job)).unwrap();
    assert_eq!(
        Op::finish(|| client.attach_start(&job))
            .unwrap_err()
            .http_status(),
        Some(499)
    );
    let ours: Vec<_> = emulator
        .arrivals()
        .into_iter()
        .filter(|arrival| !arrival.proxied)
        .collect();
    assert!(
        ours.iter()
            .all(|arrival| arrival.path == "/api/fal/proxy" && !arrival.had_key()),
        "{ours:?}"
    );
}
