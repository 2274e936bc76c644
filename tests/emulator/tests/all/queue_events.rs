use std::time::Duration;

use fal_emulator::{Emulator, LogWindow, Outcome, QueueSettings, Settings};
use serde_json::{Value, json};

use crate::client::{Connection, Request};
use crate::queue::{eventually, path_of, submit, until};

fn stream(emulator: &Emulator, path: &str, query: &str) -> Connection {
    let mut connection = Connection::open(emulator);
    let request = Request::get("queue.fal.run", &format!("{path}/status/stream{query}"))
        .key(emulator.api_key());
    connection.write(&request).unwrap();
    let head = connection.read_head().unwrap();
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, Some("text/event-stream"))
    );
    connection
}

/// Reads the next event; `None` at the end.
fn event(connection: &mut Connection) -> Option<Value> {
    let chunk = String::from_utf8(connection.read_chunk().unwrap()?).unwrap();
    let data = chunk
        .strip_prefix("data: ")
        .and_then(|data| data.strip_suffix("\n\n"))
        .unwrap();
    Some(serde_json::from_str(data).unwrap())
}

fn messages(event: &Value) -> Vec<&str> {
    event["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["message"].as_str().unwrap())
        .collect()
}

fn with(queue: QueueSettings) -> Emulator {
    Emulator::builder()
        .settings(Settings {
            queue,
            ..Settings::default()
        })
        .start()
        .unwrap()
}

#[test]
fn a_stream_tells_each_change_and_ends() {
    for (window, shown) in [
        (LogWindow::New, [vec!["a"], vec!["b"], vec![]]),
        (
            LogWindow::Whole,
            [vec!["a"], vec!["a", "b"], vec!["a", "b"]],
        ),
    ] {
        let emulator = with(QueueSettings {
            stream_logs: window,
            ..QueueSettings::default()
        });
        let input = json!({"startup_ms": 60_000, "ms": 60_000, "logs": ["a", "b"]});
        let path = path_of(&submit(&emulator, "emulator/job", &input));
        let mut connection = stream(&emulator, &path, "?logs=1");
        let first = event(&mut connection).unwrap();
        assert_eq!(
            (&first["status"], &first["queue_position"]),
            (&json!("IN_QUEUE"), &json!(0))
        );
        assert_eq!(emulator.arrivals()[1].outcome, Outcome::Pending);
        emulator.advance(Duration::from_secs(60));
        let mut next = event(&mut connection).unwrap();
        if messages(&next).is_empty() {
            next = event(&mut connection).unwrap();
        }
        assert_eq!(
            (&next["status"], messages(&next)),
            (&json!("IN_PROGRESS"), shown[0].clone())
        );
        emulator.advance(Duration::from_secs(30));
        let next = event(&mut connection).unwrap();
        assert_eq!(
            (&next["status"], messages(&next)),
            (&json!("IN_PROGRESS"), shown[1].clone())
        );
        emulator.advance(Duration::from_secs(30));
        let last = event(&mut connection).unwrap();
        assert_eq!(
            (&last["status"], messages(&last)),
            (&json!("COMPLETED"), shown[2].clone())
        );
        assert!(event(&mut connection).is_none());
        assert_eq!(emulator.arrivals()[1].outcome, Outcome::Status(200));
    }
}

#[test]
fn a_stream_of_a_finished_request_is_one_event() {
    let emulator = Emulator::start().unwrap();
    let path = path_of(&submit(&emulator, "emulator/job", &json!({"logs": ["a"]})));
    until(&emulator, &path, "COMPLETED");
    for (query, logs) in [("", json!(null)), ("?logs=0", json!(null))] {
        let mut connection = stream(&emulator, &path, query);
        let only = event(&mut connection).unwrap();
        assert_eq!(
            (&only["status"], &only["logs"]),
            (&json!("COMPLETED"), &logs)
        );
        assert!(event(&mut connection).is_none());
    }
}

#[test]
fn a_stream_tells_how_the_line_moves() {
    let emulator = with(QueueSettings {
        concurrent_requests: Some(1),
        ..QueueSettings::default()
    });
    let input = json!({"ms": 60_000});
    let paths: Vec<String> = (0..3)
        .map(|_| path_of(&submit(&emulator, "emulator/job", &input)))
        .collect();
    let mut connection = stream(&emulator, &paths[2], "");
    assert_eq!(event(&mut connection).unwrap()["queue_position"], 1);
    until(&emulator, &paths[0], "IN_PROGRESS");
    emulator.advance(Duration::from_secs(60));
    assert_eq!(event(&mut connection).unwrap()["queue_position"], 0);
}

#[test]
fn a_client_that_leaves_ends_its_stream() {
    let emulator = Emulator::start().unwrap();
    let path = path_of(&submit(
        &emulator,
        "emulator/job",
        &json!({"ms": 3_600_000}),
    ));
    let mut connection = stream(&emulator, &path, "");
    assert!(event(&mut connection).is_some());
    drop(connection);
    let outcome = || emulator.arrivals()[1].outcome;
    assert_eq!(
        eventually(outcome, Outcome::ClientClosed),
        Outcome::ClientClosed
    );
}

#[test]
fn comments_and_an_early_end_can_be_chosen() {
    let queue = QueueSettings {
        stream_comments: true,
        stream_events: Some(2),
        ..QueueSettings::default()
    };
    let emulator = with(queue);
    let path = path_of(&submit(
        &emulator,
        "emulator/job",
        &json!({"ms": 60_000, "logs": ["a", "b", "c"]}),
    ));
    until(&emulator, &path, "IN_PROGRESS");
    let mut connection = stream(&emulator, &path, "?logs=1");
    for message in ["a", "b"] {
        let chunk = String::from_utf8(connection.read_chunk().unwrap().unwrap()).unwrap();
        let data = chunk.strip_prefix(": still here\n\ndata: ").unwrap();
        assert_eq!(messages(&serde_json::from_str(data).unwrap()), [message]);
        emulator.advance(Duration::from_secs(20));
    }
    assert_eq!(connection.read_chunk().unwrap(), None);
}
