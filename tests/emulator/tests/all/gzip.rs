//! Responses that are gzip-coded.

use std::io::Read;

use fal_emulator::{Emulator, Fault, Settings};
use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::client::{Connection, Request};

fn emulator() -> Emulator {
    let settings = Settings {
        gzip: true,
        ..Settings::default()
    };
    Emulator::builder().settings(settings).start().unwrap()
}

fn echo(emulator: &Emulator, accept: &str) -> Request {
    let input = json!({"text": "a".repeat(10_000)});
    Request::run("emulator/echo", &input)
        .key(emulator.api_key())
        .header("Accept-Encoding", accept)
}

fn decoded(bytes: &[u8]) -> std::io::Result<Value> {
    let mut text = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text).unwrap())
}

#[test]
fn json_is_coded_for_who_accepts_it() {
    let emulator = emulator();
    for accept in ["gzip", "gzip, br", "br;q=1.0, GZIP;q=0.5", "*"] {
        let response = echo(&emulator, accept).send(&emulator);
        assert_eq!(
            (response.status, response.header("content-encoding")),
            (200, Some("gzip")),
            "{accept}"
        );
        assert!(response.body.len() < 1000);
        assert_eq!(
            decoded(&response.body).unwrap()["body"]["text"]
                .as_str()
                .unwrap()
                .len(),
            10_000
        );
    }
    for accept in ["br", "identity", "gzip;q=0", ""] {
        let response = echo(&emulator, accept).send(&emulator);
        assert_eq!(
            (
                response.header("content-encoding"),
                response.json()["method"].as_str()
            ),
            (None, Some("POST"))
        );
    }
    emulator.set(Settings::default());
    assert_eq!(
        echo(&emulator, "gzip")
            .send(&emulator)
            .header("content-encoding"),
        None
    );
}

#[test]
fn errors_are_coded_and_other_bytes_are_not() {
    let emulator = emulator();
    let refused = Request::run("emulator/echo", &json!({}))
        .header("Accept-Encoding", "gzip")
        .send(&emulator);
    assert_eq!(refused.status, 401);
    assert!(decoded(&refused.body).unwrap()["detail"].is_string());
    emulator.inject(Fault::status(503).body(json!({"detail": "later"})));
    let fault = echo(&emulator, "gzip").send(&emulator);
    assert_eq!(
        (fault.status, decoded(&fault.body).unwrap()),
        (503, json!({"detail": "later"}))
    );
    for (endpoint, input) in [
        ("emulator/bytes", json!({"size": 100})),
        ("emulator/stream", json!({"events": [1]})),
    ] {
        let request = Request::run(endpoint, &input)
            .key(emulator.api_key())
            .header("Accept-Encoding", "gzip");
        assert_eq!(
            request.send(&emulator).header("content-encoding"),
            None,
            "{endpoint}"
        );
    }
    emulator.inject(Fault::malformed_json());
    let malformed = echo(&emulator, "gzip").send(&emulator);
    assert_eq!(malformed.header("content-encoding"), None);
    assert!(serde_json::from_slice::<Value>(&malformed.body).is_err());
}

#[test]
fn a_coded_answer_can_be_cut() {
    let emulator = emulator();
    emulator.inject(Fault::truncate(20));
    let mut connection = Connection::open(&emulator);
    connection.write(&echo(&emulator, "gzip")).unwrap();
    assert_eq!(
        connection.read_head().unwrap().header("content-encoding"),
        Some("gzip")
    );
    let (sent, error) = connection.drain();
    assert_eq!((sent.len(), error), (20, None));
    assert!(decoded(&sent).is_err());
}
