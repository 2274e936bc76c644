//! Responses that lack the proof of being complete or contradict another response, as they are on
//! the wire.

use std::io::Read;
use std::time::Duration;

use fal_emulator::{
    Emulator, Fault, FileValidator, Heartbeat, LateResult, OddPages, OddPart, Outcome,
    QueueSettings, Settings,
};
use flate2::read::{GzDecoder, MultiGzDecoder};
use serde_json::{Value, json};

use crate::client::{Connection, Request, Response, got, has};
use crate::queue::{get, path_of, submit, until};
use crate::uploads::{at, cdn_token, direct, upload};

fn echo(emulator: &Emulator) -> Request {
    Request::run("emulator/echo", &json!({"word": "hello"})).key(emulator.api_key())
}

#[test]
fn an_unframed_answer_ends_with_its_connection() {
    let emulator = Emulator::start().unwrap();
    let usual = echo(&emulator).send(&emulator).body;
    for (bytes, outcome) in [
        (None, Outcome::Status(200)),
        (Some(7), Outcome::ClosedByFault),
    ] {
        emulator.inject(bytes.map_or_else(Fault::unframed, Fault::unframed_and_cut));
        let mut connection = Connection::open(&emulator);
        connection.write(&echo(&emulator)).unwrap();
        let head = connection.read_head().unwrap();
        assert_eq!(
            (
                head.header("content-length"),
                head.header("transfer-encoding")
            ),
            (None, None)
        );
        assert_eq!(
            (head.status, head.header("connection")),
            (200, Some("close"))
        );
        let (body, error) = connection.drain();
        assert_eq!(
            (body.len(), error),
            (bytes.unwrap_or(usual.len() as u64) as usize, None)
        );
        assert!(usual.starts_with(&body), "the real response");
        let last = emulator.arrivals().pop().unwrap();
        assert_eq!((last.outcome, last.executed), (outcome, true));
    }
    // A stream, and a response without a body.
    emulator.inject(Fault::unframed());
    let mut connection = Connection::open(&emulator);
    let stream = json!({"events": [1, 2]});
    connection
        .write(&Request::run("emulator/stream/stream", &stream).key(emulator.api_key()))
        .unwrap();
    assert_eq!(
        connection.read_head().unwrap().header("transfer-encoding"),
        None
    );
    assert_eq!(
        connection.drain(),
        (b"data: 1\n\ndata: 2\n\n".to_vec(), None)
    );
    let url = upload(&emulator, "0123456789");
    emulator.inject(Fault::unframed());
    let mut connection = Connection::open(&emulator);
    connection.write(&at("HEAD", &url)).unwrap();
    assert_eq!(
        connection.read_head().unwrap().header("content-length"),
        Some("10")
    );
}

#[test]
fn an_answer_has_as_many_members_as_were_asked_for() {
    let emulator = Emulator::start().unwrap();
    let usual = echo(&emulator).send(&emulator).body;
    for members in [1, 3, 1000] {
        emulator.inject(Fault::gzip_members(members));
        let answer = echo(&emulator).send(&emulator);
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        let (mut all, mut first) = (Vec::new(), Vec::new());
        MultiGzDecoder::new(answer.body.as_slice())
            .read_to_end(&mut all)
            .unwrap();
        GzDecoder::new(answer.body.as_slice())
            .read_to_end(&mut first)
            .unwrap();
        assert!(
            all == usual && first == usual[..usual.len().div_ceil(members as usize)],
            "{members}"
        );
    }
}

#[test]
fn an_early_success_reads_no_body() {
    let emulator = Emulator::start().unwrap();
    let token = cdn_token(&emulator, emulator.api_key());
    emulator.inject(Fault::early_success().method("POST").path("/files/upload"));
    let mut connection = Connection::open(&emulator);
    // The body is announced but not sent.
    let upload =
        Request::new("POST", "v3.fal.media", "/files/upload").header("Content-Length", "1000000");
    connection
        .write(&upload.header("Authorization", &format!("Bearer {token}")))
        .unwrap();
    let answer = connection.read().unwrap();
    assert_eq!((answer.status, answer.header("etag")), (200, Some("early")));
    let last = emulator.arrivals().pop().unwrap();
    assert_eq!((last.outcome, last.body_length), (Outcome::Status(200), 0));
    assert!(emulator.files().is_empty());
    assert_eq!(direct(&emulator, "x").send(&emulator).status, 200);
}

fn part(emulator: &Emulator, url: &str) -> Response {
    let mut connection = Connection::open(emulator);
    connection.call(&at("GET", url).header("Range", "bytes=4-"))
}

#[test]
fn an_odd_part_is_odd_in_one_way() {
    let emulator = Emulator::start().unwrap();
    let url = upload(&emulator, "0123456789");
    let usual = part(&emulator, &url);
    let tag = usual.header("etag").unwrap();
    let others: Vec<u8> = b"456789".iter().map(|byte| !byte).collect();
    let weak = format!("W/{tag}");
    for (form, range, tag, body) in [
        (OddPart::Short, "bytes 4-9/10", Some(tag), &b"45678"[..]),
        (OddPart::Long, "bytes 4-9/10", Some(tag), b"456789."),
        (OddPart::Elsewhere, "bytes 5-9/10", Some(tag), b"456789"),
        (
            OddPart::OtherVersion,
            "bytes 4-9/10",
            Some("\"another\""),
            &others,
        ),
        (OddPart::WeakVersion, "bytes 4-9/10", Some(&*weak), &others),
        (OddPart::NamelessVersion, "bytes 4-9/10", None, &others),
    ] {
        emulator.inject(Fault::odd_part(form));
        let odd = part(&emulator, &url);
        assert_eq!((odd.status, odd.body.as_slice()), (206, body), "{form:?}");
        assert_eq!(
            (odd.header("content-range"), odd.header("etag")),
            (Some(range), tag),
            "{form:?}"
        );
    }
    emulator.inject(Fault::odd_part(OddPart::Short));
    assert_eq!(
        at("GET", &url).send(&emulator).body,
        b"0123456789",
        "a response that is not a part"
    );
}

#[test]
fn a_file_may_have_no_strong_validator() {
    let emulator = Emulator::start().unwrap();
    let url = upload(&emulator, "0123456789");
    let strong = at("GET", &url)
        .send(&emulator)
        .header("etag")
        .unwrap()
        .to_owned();
    for (validator, tag) in [
        (FileValidator::Weak, Some(format!("W/{strong}"))),
        (FileValidator::Date, None),
    ] {
        emulator.set(Settings {
            file_validator: validator,
            ..Settings::default()
        });
        let whole = at("GET", &url).send(&emulator);
        assert_eq!(whole.header("etag"), tag.as_deref());
        let modified = whole.header("last-modified").unwrap();
        for (condition, status) in [
            (strong.as_str(), 200),
            (&format!("W/{strong}"), 200),
            (modified, 206),
        ] {
            let asked = at("GET", &url)
                .header("Range", "bytes=4-")
                .header("If-Range", condition);
            assert_eq!(
                asked.send(&emulator).status,
                status,
                "{validator:?} {condition}"
            );
        }
    }
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
fn a_result_is_handed_out_late() {
    for (late_result, status) in [
        (LateResult::BadRequest, 400),
        (LateResult::Accepted, 202),
        (LateResult::NotFound, 404),
    ] {
        let emulator = with(QueueSettings {
            late_result,
            late_result_ms: 60_000,
            ..QueueSettings::default()
        });
        let path = path_of(&submit(
            &emulator,
            "emulator/job",
            &json!({"output": {"x": 1}}),
        ));
        until(&emulator, &path, "COMPLETED");
        assert_eq!(get(&emulator, &path).status, status, "{late_result:?}");
        emulator.advance(Duration::from_secs(60));
        assert_eq!(
            (
                get(&emulator, &path).status,
                get(&emulator, &path).json()["x"].clone()
            ),
            (200, json!(1))
        );
    }
}

#[test]
fn a_status_stream_hides_the_end_behind_heartbeats() {
    for (heartbeat, begins) in [(Heartbeat::Comment, ":"), (Heartbeat::Repeat, "data: {")] {
        let settings = QueueSettings {
            stream_heartbeat_ms: Some(10),
            heartbeat,
            ..QueueSettings::default()
        };
        let emulator = with(settings);
        let path = path_of(&submit(&emulator, "emulator/job", &json!({"ms": 60_000})));
        until(&emulator, &path, "IN_PROGRESS");
        let mut connection = Connection::open(&emulator);
        let asked =
            Request::get("queue.fal.run", &format!("{path}/status/stream")).key(emulator.api_key());
        connection.write(&asked).unwrap();
        connection.read_head().unwrap();
        let first = connection.read_chunk().unwrap().unwrap();
        emulator.advance(Duration::from_secs(60));
        until(&emulator, &path, "COMPLETED");
        for _ in 0..10 {
            let beat = connection.read_chunk().unwrap().unwrap();
            assert!(
                beat.starts_with(begins.as_bytes()),
                "{}",
                String::from_utf8_lossy(&beat)
            );
            assert!(heartbeat == Heartbeat::Comment || beat == first, "news");
        }
        assert!(!String::from_utf8_lossy(&first).contains("COMPLETED"));
    }
}

#[test]
fn pages_contradict_themselves() {
    let emulator = Emulator::start().unwrap();
    for _ in 0..3 {
        emulator.create_key(fal_emulator::Scope::Api, "acme");
    }
    let page = |odd| {
        let mut settings = Settings::default();
        settings.platform.odd_pages = odd;
        emulator.set(settings);
        let page = got(&emulator, 200, "GET", "/keys?limit=2");
        has(&page, &["keys", "next_cursor", "has_more"]);
        (
            page["keys"].as_array().unwrap().len(),
            page["next_cursor"] == Value::Null,
            page["has_more"].clone(),
        )
    };
    assert_eq!(page(None), (2, false, json!(true)));
    assert_eq!(
        page(Some(OddPages::MoreWithoutCursor)),
        (2, true, json!(true))
    );
    assert_eq!(
        page(Some(OddPages::CursorWithoutMore)),
        (2, false, json!(false))
    );
    assert_eq!(page(Some(OddPages::Short)), (1, false, json!(true)));
}
