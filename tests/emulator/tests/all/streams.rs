//! Responses of unknown length.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use fal_emulator::{Emulator, Fault, Outcome};
use serde_json::json;

use crate::client::{Connection, Request};

fn chunked(emulator: &Emulator, size: usize) -> Request {
    Request::run("emulator/bytes", &json!({"size": size, "chunked": true})).key(emulator.api_key())
}

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}

#[test]
fn a_streamed_answer_has_no_length_and_is_whole() {
    let emulator = Emulator::start().unwrap();
    let mut connection = Connection::open(&emulator);
    for size in [0, 1, 300_001] {
        let response = connection.call(&chunked(&emulator, size));
        assert_eq!(
            (response.status, response.header("content-length")),
            (200, None)
        );
        assert!(response.body == pattern(size), "{size}");
    }
    assert!(
        emulator
            .arrivals()
            .iter()
            .all(|arrival| arrival.outcome == Outcome::Status(200))
    );
}

#[test]
fn a_client_that_leaves_a_stream_is_noticed() {
    let emulator = Emulator::start().unwrap();
    let mut connection = Connection::open(&emulator);
    connection.write(&chunked(&emulator, 1 << 30)).unwrap();
    assert!(connection.read_head().is_ok());
    assert!(connection.read_chunk().unwrap().is_some());
    drop(connection);
    emulator
        .wait_until(Duration::from_secs(10), |arrivals| {
            arrivals[0].outcome == Outcome::ClientClosed
        })
        .unwrap();
}

#[test]
fn a_truncated_stream_lacks_its_end() {
    for (size, cut, sent) in [(9000, 5000, 5000), (3000, 5000, 3000), (100, 0, 0)] {
        let emulator = Emulator::start().unwrap();
        emulator.inject(Fault::truncate(cut));
        let mut connection = Connection::open(&emulator);
        connection.write(&chunked(&emulator, size)).unwrap();
        let head = connection.read_head().unwrap();
        assert_eq!(
            (
                head.header("content-length"),
                head.header("transfer-encoding")
            ),
            (None, Some("chunked"))
        );
        let mut body = Vec::new();
        let end = loop {
            match connection.read_chunk() {
                Ok(chunk) => body.extend(chunk.expect("no end of the stream")),
                Err(error) => break error.kind(),
            }
        };
        assert_eq!(end, ErrorKind::UnexpectedEof);
        assert!(body == pattern(sent), "{size}, {cut}");
        assert_eq!(emulator.arrivals()[0].outcome, Outcome::ClosedByFault);
    }
}

#[test]
fn a_slow_stream_is_whole_in_the_end() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(Fault::slow(1000, Duration::from_millis(20)));
    let began = Instant::now();
    assert!(chunked(&emulator, 9000).send(&emulator).body == pattern(9000));
    assert!(began.elapsed() >= Duration::from_millis(8 * 20));
}

#[test]
fn a_reset_replaces_a_stream() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(Fault::reset_after_body());
    let mut connection = Connection::open(&emulator);
    connection.write(&chunked(&emulator, 9000)).unwrap();
    assert_eq!(
        connection.drain(),
        (vec![], Some(ErrorKind::ConnectionReset))
    );
    assert_eq!(emulator.arrivals()[0].outcome, Outcome::Reset);
}
