//! Each operation that sends a POST, when the response to it is missing or unusable.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::hostile::{client_of, hostile_to};
use super::upload::upload;
use super::*;
use fal::{Code, Upload, UploadWay};
use fal_emulator::{Arrival, Fault};

fn to(endpoint: &str) -> Request {
    let mut request = Request::run(endpoint).unwrap();
    request.set_json(json!({}));
    request
}

fn bearing(upload: Upload) -> Request {
    let mut request = Request::run("emulator/echo").unwrap();
    request
        .set_body_of(upload, "application/octet-stream")
        .unwrap();
    request
}

fn failed(start: Result<Op, Error>) -> Error {
    let op = start.unwrap();
    op.discard_events();
    assert!(op.wait(Some(PATIENCE)).unwrap(), "it does not end");
    op.take().unwrap().unwrap_err()
}

fn post(client: &Client, url: &str, body: Value) -> Result<Op, Error> {
    let mut request = Request::new("POST", url).unwrap();
    request.set_json(body);
    client.send_start(request)
}

type Start<'a> = Box<dyn Fn(&Client) -> Error + 'a>;

/// Every operation with a POST that may be executed: its name, the path of that POST, and the
/// operation.
fn operations<'a>() -> Vec<(&'a str, &'a str, Start<'a>)> {
    vec![
        (
            "run",
            "/emulator/echo",
            Box::new(|c| failed(c.run_start(to("emulator/echo")))),
        ),
        (
            "submit",
            "/emulator/job",
            Box::new(|c| failed(c.submit_start(to("emulator/job")))),
        ),
        (
            "subscribe",
            "/emulator/job",
            Box::new(|c| failed(c.subscribe_start(to("emulator/job")))),
        ),
        (
            "stream",
            "/emulator/stream/*",
            Box::new(|c| failed(c.stream_start(to("emulator/stream")))),
        ),
        (
            "send to an app",
            "/emulator/echo",
            Box::new(|c| failed(post(c, "https://fal.run/emulator/echo", json!({})))),
        ),
        (
            "send to the queue",
            "/emulator/job",
            Box::new(|c| failed(post(c, "https://queue.fal.run/emulator/job", json!({})))),
        ),
        (
            "token",
            "/tokens/",
            Box::new(|c| failed(c.mint_token_start(&["emulator/echo"], Duration::from_secs(60)))),
        ),
        (
            "a key",
            "/v1/keys",
            Box::new(|c| {
                let creation = c.create_key_start("x").unwrap();
                assert!(creation.op().wait(Some(PATIENCE)).unwrap());
                creation.op().take().unwrap().unwrap_err()
            }),
        ),
        (
            "upload by POST",
            "/files/upload",
            Box::new(|c| upload(c, Upload::bytes(&b"x"[..]).way(UploadWay::Direct)).unwrap_err()),
        ),
        // The server never reads these bodies.
        (
            "upload of nothing by POST",
            "/files/upload",
            Box::new(|c| upload(c, Upload::bytes(&b""[..]).way(UploadWay::Direct)).unwrap_err()),
        ),
        (
            "nothing of bytes",
            "/emulator/echo",
            Box::new(|c| failed(c.run_start(bearing(Upload::bytes(&b""[..]))))),
        ),
        (
            "nothing of a reader",
            "/emulator/echo",
            Box::new(|c| failed(c.run_start(bearing(Upload::reader(std::io::empty(), Some(0)))))),
        ),
        (
            "the end of parts",
            "*/complete",
            Box::new(|c| {
                upload(c, Upload::bytes(&b"x"[..]).way(UploadWay::SignedParts)).unwrap_err()
            }),
        ),
        (
            "the end of parts with a token",
            "*/complete",
            Box::new(|c| {
                upload(c, Upload::bytes(&b"x"[..]).way(UploadWay::DirectParts)).unwrap_err()
            }),
        ),
    ]
}

fn posts(emulator: &Emulator, path: &str) -> Vec<Arrival> {
    let end = path.trim_matches('*');
    let of = |arrival: &Arrival| arrival.method == "POST" && arrival.path.contains(end);
    emulator.arrivals().into_iter().filter(of).collect()
}

#[test]
fn a_post_that_was_executed_and_whose_answer_is_lost_arrives_once() {
    let emulator = Emulator::start().unwrap();
    let client = builder_with(&emulator, emulator.admin_key())
        .max_attempts(3)
        .unwrap()
        .build()
        .unwrap();
    let lost = [
        Fault::close(),
        Fault::reset_after_body(),
        Fault::malformed_http(),
        Fault::status(502),
        Fault::status(504),
        Fault::status(524),
        Fault::status(502).without_request_id(),
        Fault::status(503).without_request_id(),
        Fault::status(504).without_request_id(),
    ];
    let mut wrong = Vec::new();
    for (name, path, operation) in operations() {
        for fault in &lost {
            emulator.clear_faults();
            emulator.clear_arrivals();
            emulator.inject(fault.clone().method("POST").path(path).always());
            let error = operation(&client);
            let arrived = posts(&emulator, path).len();
            let of_endpoint = ["run", "submit", "subscribe", "stream"].contains(&name);
            if of_endpoint && !error.remedy().contains("recent requests of emulator/") {
                wrong.push(format!(
                    "{name}: {fault:?}: where to look is not told: {}",
                    error.remedy()
                ));
            }
            if arrived != 1 || !error.may_have_executed() {
                wrong.push(format!(
                    "{name}: {fault:?}: arrived {arrived} times: {error:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A success whose content is unusable: the request has been executed.
#[test]
fn a_post_whose_success_cannot_be_read_may_have_been_executed() {
    let emulator = Emulator::start().unwrap();
    let client = builder_with(&emulator, emulator.admin_key())
        .build()
        .unwrap();
    for (name, path, operation) in operations() {
        if !["submit", "subscribe", "token", "a key", "upload by POST"].contains(&name) {
            continue;
        }
        for body in [json!({}), json!("x")] {
            emulator.clear_faults();
            emulator.inject(
                Fault::status(200)
                    .body(body.clone())
                    .method("POST")
                    .path(path)
                    .always(),
            );
            // Any string is a valid token.
            if name != "token" || body == json!({}) {
                let error = operation(&client);
                assert!(error.may_have_executed(), "{name}: {body}: {error:?}");
            }
        }
    }
}

/// Starts a server that counts requests and returns these bytes to each.
fn raw(answer: &'static [&'static [u8]]) -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let host = hostile_to(move |_, connection| {
        counter.fetch_add(1, Ordering::SeqCst);
        for piece in answer {
            connection.write_all(piece)?;
            connection.flush()?;
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    });
    (host, count)
}

#[test]
fn an_answer_over_the_limit_is_too_large_however_it_arrives() {
    const PIECE: &[u8] = &[b'x'; 900];
    static CHUNKS: [&[u8]; 6] = [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-fal-request-id: r\r\ntransfer-encoding: chunked\r\n\r\n384\r\n",
        PIECE,
        b"\r\n384\r\n",
        PIECE,
        b"\r\n0\r\n",
        b"\r\n",
    ];
    static TO_THE_END: [&[u8]; 3] = [
        b"HTTP/1.1 200 OK\r\nx-fal-request-id: r\r\n\r\n",
        PIECE,
        PIECE,
    ];
    for (answer, is_whole) in [(&CHUNKS[..], true), (&TO_THE_END[..], false)] {
        for limit in [0, 1, 899, 900, 901, 1000, 1799] {
            let (host, count) = raw(answer);
            let client = client_of(&host).max_response_bytes(limit).build().unwrap();
            let error = echo(&client).unwrap_err();
            assert_eq!(
                (error.code(), error.may_have_executed()),
                (Code::TooLarge, true),
                "{limit}: {error}"
            );
            assert_eq!(count.load(Ordering::SeqCst), 1);
        }
        let (host, _) = raw(answer);
        let answer = echo(&client_of(&host).max_response_bytes(1800).build().unwrap());
        assert_eq!(
            answer.is_ok_and(|answer| answer.body().len() == 1800),
            is_whole
        );
    }
}

/// The log function belongs to the host and may panic while a response is processed.
#[test]
fn another_protocol_where_none_was_asked_for_is_no_success() {
    static SWITCHED: [&[u8]; 1] =
        [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhello"];
    for method in ["POST", "GET"] {
        let (host, count) = raw(&SWITCHED);
        let client = client_of(&host).max_attempts(3).unwrap().build().unwrap();
        let error = send(&client, method, "https://fal.run/emulator/echo").unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Protocol, method == "POST"),
            "{error}"
        );
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
    let (host, _) = raw(&SWITCHED);
    let client = client_of(&host).build().unwrap();
    for error in [
        failed(client.run_start(to("emulator/echo"))),
        failed(client.stream_start(to("emulator/stream"))),
        failed(client.submit_start(to("emulator/job"))),
    ] {
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Protocol, true),
            "{error}"
        );
    }
}

#[test]
fn a_time_that_is_over_before_the_sending_sends_nothing() {
    let emulator = Emulator::start().unwrap();
    // The connection is idle and ready.
    let warm = client(&emulator);
    echo(&warm).unwrap();
    emulator.clear_arrivals();
    for time in [Duration::ZERO, Duration::from_micros(1)] {
        let timed = |endpoint: &str| {
            let mut request = to(endpoint);
            request.set_timeout(time);
            request
        };
        let errors = [
            failed(warm.run_start(timed("emulator/echo"))),
            failed(warm.submit_start(timed("emulator/job"))),
            failed(warm.subscribe_start(timed("emulator/job"))),
            failed(warm.stream_start(timed("emulator/stream"))),
            failed(
                warm.channel(&to("emulator/echo"))
                    .unwrap()
                    .run_start(timed("emulator/echo")),
            ),
            failed(Ok(warm
                .realtime_start(timed("emulator/realtime"), fal::SocketOptions::new())
                .unwrap()
                .op()
                .clone())),
        ];
        let short = builder(&emulator).timeout(time).build().unwrap();
        let others = [
            failed(short.upload_start(Upload::bytes(&b"x"[..]))),
            failed(short.mint_token_start(&["emulator/echo"], Duration::from_secs(60))),
            failed(short.platform_start("models.list", json!({}))),
            failed(short.check_start()),
            send(&short, "GET", "https://fal.run/emulator/echo").unwrap_err(),
            send(&short, "POST", "https://fal.run/emulator/echo").unwrap_err(),
        ];
        for error in errors.iter().chain(&others) {
            assert_eq!(
                (error.code(), error.may_have_executed()),
                (Code::Deadline, false),
                "{time:?}: {error}"
            );
            assert!(
                error.message().contains("before anything was sent"),
                "{error}"
            );
        }
        assert!(
            emulator.arrivals().is_empty(),
            "{time:?}: {:?}",
            emulator.arrivals()
        );
    }
}
