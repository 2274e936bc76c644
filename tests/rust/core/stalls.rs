//! A transfer in which the other side falls silent ends before the deadline. Silence that is normal
//! does not end one.

use super::hostile::{answered, client_of};
use super::upload::{content, upload};
use super::*;
use fal::{Code, Download, SocketOptions, Upload, UploadWay};
use fal_emulator::Fault;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

const MIB: usize = 1 << 20;

/// Short, and longer than a busy machine may delay a thread.
const LIMIT: Duration = Duration::from_millis(1500);

const PUT_TO: &str = "https://v3b.fal.media/put?Signature=fake-signature-x";

/// A server of the test's own in the emulator's place. `answer` receives each request's head and
/// the connection.
struct Server {
    host: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `answer` also receives the number of earlier requests with the same method.
    fn start(
        answer: impl Fn(&str, usize, &mut BufReader<TcpStream>) -> std::io::Result<()>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (heads, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let seen = heads.clone();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (mut connection, answer, seen) = (
                    BufReader::new(connection.unwrap()),
                    answer.clone(),
                    seen.clone(),
                );
                thread::spawn(move || {
                    let head = head_of(&mut connection)?;
                    let before = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(head.clone());
                        seen.iter()
                            .filter(|one| one.split(' ').next() == head.split(' ').next())
                            .count()
                            - 1
                    };
                    answer(&head, before, &mut connection)
                });
            }
        });
        Server { host, heads }
    }

    fn client(&self, attempts: u32) -> Client {
        client_of(&self.host)
            .max_attempts(attempts)
            .unwrap()
            .timeout(PATIENCE * 6)
            .stall_timeout(LIMIT)
            .build()
            .unwrap()
    }

    fn count(&self, method: &str) -> usize {
        self.heads
            .lock()
            .unwrap()
            .iter()
            .filter(|head| head.starts_with(&format!("{method} ")))
            .count()
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn head_of(connection: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if connection.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head
        .to_ascii_lowercase()
        .replacen("get ", "GET ", 1)
        .replacen("put ", "PUT ", 1)
        .replacen("post ", "POST ", 1))
}

fn length_of(head: &str) -> u64 {
    head.lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap()
        .parse()
        .unwrap()
}

/// Stops reading and writing, and leaves the connection open.
fn fall_silent() -> std::io::Result<()> {
    thread::sleep(PATIENCE * 10);
    Ok(())
}

/// Returns the URL of an upload, and leaves the request to that URL to `put`.
fn file_host(
    put: impl Fn(&str, usize, &mut BufReader<TcpStream>) -> std::io::Result<()> + Send + Sync + 'static,
) -> Server {
    Server::start(move |head, before, connection| {
        if head.starts_with("PUT ") || head.contains(" /files/upload ") {
            return put(head, before, connection);
        }
        let body = json!({
            "upload_url": PUT_TO, "file_url": "https://v3b.fal.media/files/b/x", "token": "fake-cdn-token-1",
            "base_url": "https://v3.fal.media", "expires_at": "2099-01-01T00:00:00+00:00",
        });
        std::io::copy(
            &mut connection.by_ref().take(length_of(head)),
            &mut std::io::sink(),
        )?;
        answered(
            connection.get_mut(),
            "200 OK",
            "content-type: application/json\r\n",
            &body.to_string(),
        )
    })
}

fn takes_all(head: &str, connection: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    let taken = std::io::copy(
        &mut connection.by_ref().take(length_of(head)),
        &mut std::io::sink(),
    )?;
    assert_eq!(taken, length_of(head));
    answered(connection.get_mut(), "200 OK", "", "")
}

fn takes_a_little(connection: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    std::io::copy(
        &mut connection.by_ref().take(MIB as u64),
        &mut std::io::sink(),
    )?;
    fall_silent()
}

/// Asserts that the error describes a stall, and came after the stall's limit and long before any
/// deadline.
fn assert_stalled(error: &Error, begun: Instant, what: &str, executed: bool) {
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::ConnectionLost, executed),
        "{error}"
    );
    assert!(error.message().contains(what), "{error}");
    assert!(
        error.remedy().contains("stall timeout"),
        "{}",
        error.remedy()
    );
    assert!(
        begun.elapsed() >= LIMIT && begun.elapsed() < PATIENCE * 3,
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn an_upload_that_stalls_in_the_middle_is_sent_again() {
    let server = file_host(|head, before, connection| match before {
        0 => takes_a_little(connection),
        _ => takes_all(head, connection),
    });
    let answer = upload(&server.client(3), Upload::bytes(content(32 * MIB))).unwrap();
    assert_eq!(
        (answer.get("/size").unwrap(), server.count("PUT")),
        (&json!(32 * MIB), 2)
    );
    assert!(
        server
            .heads()
            .iter()
            .filter(|head| head.starts_with("PUT "))
            .all(|head| !head.contains("authorization"))
    );
}

#[test]
fn an_upload_that_always_stalls_fails_and_says_so() {
    let server = file_host(|_, _, connection| takes_a_little(connection));
    let begun = Instant::now();
    let error = upload(&server.client(1), Upload::bytes(content(32 * MIB))).unwrap_err();
    assert_stalled(&error, begun, "v3b.fal.media took no byte for", false);
    assert!(error.is_retryable(), "{error}");
    assert!(!format!("{error:?}{error}").contains("fake-signature"));
    // A request that would store a second file is sent once.
    let begun = Instant::now();
    let direct = Upload::bytes(content(32 * MIB)).way(UploadWay::Direct);
    let error = upload(&server.client(5), direct).unwrap_err();
    assert_stalled(&error, begun, "is unknown", true);
    assert!(!error.is_retryable(), "{error}");
    assert_eq!(
        server
            .heads()
            .iter()
            .filter(|head| head.contains(" /files/upload "))
            .count(),
        1
    );
}

#[test]
fn an_upload_whose_answer_stalls_is_sent_again() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).stall_timeout(LIMIT).build().unwrap();
    for (path, way) in [
        ("*/initiate", UploadWay::Signed),
        ("/put*", UploadWay::Signed),
        ("*/initiate-multipart", UploadWay::SignedParts),
        ("*/1", UploadWay::SignedParts),
        ("*/2", UploadWay::DirectParts),
        ("/storage/auth/token", UploadWay::Direct),
    ] {
        emulator.clear_arrivals();
        let fault = Fault::hang();
        emulator.inject(if path == "/put*" {
            fault.method("PUT")
        } else {
            fault.path(path)
        });
        let client = if path.ends_with("token") {
            builder(&emulator).stall_timeout(LIMIT).build().unwrap()
        } else {
            client.clone()
        };
        let begun = Instant::now();
        upload(&client, Upload::bytes(content(11 * MIB)).way(way))
            .unwrap_or_else(|e| panic!("{path}: {e}"));
        assert!(begun.elapsed() >= LIMIT, "{path}");
    }
}

#[test]
fn the_end_of_an_upload_in_parts_may_take_longer() {
    let emulator = Emulator::start().unwrap();
    let short = Duration::from_millis(300);
    let client = builder(&emulator)
        .stall_timeout(short)
        .timeout(PATIENCE * 3)
        .build()
        .unwrap();
    let parts = || Upload::bytes(&b"x"[..]).way(UploadWay::SignedParts);
    emulator.inject(Fault::delay(short * 4).path("*/complete"));
    upload(&client, parts()).unwrap();
    emulator.clear_arrivals();
    emulator.inject(Fault::hang().path("*/complete"));
    let error = upload(&client, parts()).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::ConnectionLost, true),
        "{error}"
    );
    assert!(
        error.message().contains("no byte came from") && !error.is_retryable(),
        "{error}"
    );
    assert_eq!(
        emulator
            .arrivals()
            .iter()
            .filter(|arrival| arrival.path.ends_with("/complete"))
            .count(),
        1
    );
}

#[test]
fn the_body_of_any_request_may_stall_and_its_answer_may_not_come() {
    let server = Server::start(|head, _, connection| match length_of(head) > MIB as u64 {
        true => takes_a_little(connection),
        false => {
            std::io::copy(
                &mut connection.by_ref().take(length_of(head)),
                &mut std::io::sink(),
            )?;
            thread::sleep(LIMIT * 2);
            answered(
                connection.get_mut(),
                "200 OK",
                "content-type: application/json\r\n",
                "{}",
            )
        }
    });
    let send = |host: &str, size: usize| {
        let mut request = Request::new("POST", &format!("https://{host}/x")).unwrap();
        request
            .set_body_of(Upload::bytes(content(size)), "text/plain")
            .unwrap();
        Op::finish(|| server.client(5).send_start(request))
    };
    let begun = Instant::now();
    let error = send("rest.fal.ai", 32 * MIB).unwrap_err();
    assert_stalled(&error, begun, "rest.fal.ai took no byte for", true);
    assert_eq!(
        server.count("POST"),
        1,
        "it may have been executed, so it is not sent again"
    );
    send("rest.fal.ai", 5).unwrap();
}

#[test]
fn a_download_that_stalls_goes_on_where_it_ended() {
    for to_file in [false, true] {
        let server = Server::start(|head, before, connection| {
            let connection = connection.get_mut();
            match before {
                // Before the head, in the middle, and in the middle of the rest.
                0 => fall_silent(),
                1 => {
                    write!(
                        connection,
                        "HTTP/1.1 200 OK\r\netag: \"a\"\r\ncontent-length: 10\r\n\r\n01234"
                    )?;
                    fall_silent()
                }
                2 => {
                    assert!(
                        head.contains("range: bytes=5-") && head.contains("if-range: \"a\""),
                        "{head}"
                    );
                    let head =
                        "etag: \"a\"\r\ncontent-range: bytes 5-9/10\r\ncontent-length: 5\r\n";
                    write!(connection, "HTTP/1.1 206 Partial Content\r\n{head}\r\n567")?;
                    fall_silent()
                }
                _ => {
                    assert!(head.contains("range: bytes=8-"), "{head}");
                    let head = "etag: \"a\"\r\ncontent-range: bytes 8-9/10\r\n";
                    answered(connection, "206 Partial Content", head, "89")
                }
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let what = Download::new("https://v3.fal.media/x").unwrap();
        let what = if to_file { what.to(&path) } else { what };
        let client = server.client(5);
        let answer = Op::finish(|| client.download_start(what)).unwrap();
        match to_file {
            true => assert_eq!(std::fs::read(&path).unwrap(), b"0123456789"),
            false => assert_eq!(&answer.body()[..], b"0123456789"),
        }
        assert_eq!(server.count("GET"), 4);
    }
}

#[test]
fn a_download_that_always_stalls_fails_and_leaves_nothing() {
    let server = Server::start(|_, _, connection| {
        write!(
            connection.get_mut(),
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234"
        )?;
        fall_silent()
    });
    let folder = tempfile::tempdir().unwrap();
    let client = server.client(2);
    let begun = Instant::now();
    let what = Download::new("https://v3.fal.media/x")
        .unwrap()
        .to(folder.path().join("a"));
    let error = Op::finish(|| client.download_start(what)).unwrap_err();
    assert_stalled(
        &error,
        begun,
        "no byte came from v3.fal.media for 1.5 s",
        false,
    );
    assert!(error.is_retryable() && server.count("GET") == 2, "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    // The body of an error is not waited for either.
    let server = Server::start(|_, _, connection| {
        write!(
            connection.get_mut(),
            "HTTP/1.1 404 Not Found\r\ncontent-length: 10\r\n\r\n01234"
        )?;
        fall_silent()
    });
    let client = server.client(2);
    let begun = Instant::now();
    let error =
        Op::finish(|| client.download_start(Download::new("https://v3.fal.media/x").unwrap()))
            .unwrap_err();
    assert!(
        error.code() == Code::NotFound && begun.elapsed() < PATIENCE * 3,
        "{error}"
    );
}

#[test]
fn what_moves_slowly_is_not_cut() {
    // A few bytes at a time. All of them take longer than an upload of this size may stall, which
    // is five times the limit.
    let slow = |bytes: u64| -> Duration {
        let whole = LIMIT * 6;
        whole / u32::try_from(bytes).unwrap()
    };
    let server = file_host(move |head, _, connection| {
        let pieces = length_of(head) >> 17;
        for _ in 0..pieces {
            std::io::copy(&mut connection.by_ref().take(1 << 17), &mut std::io::sink())?;
            thread::sleep(slow(pieces));
        }
        takes_rest(head, pieces << 17, connection)
    });
    let begun = Instant::now();
    let client = server.client(1);
    let sending = client
        .upload_start(Upload::bytes(content(40 * MIB)))
        .unwrap();
    let downloads = Server::start(move |_, _, connection| {
        let connection = connection.get_mut();
        write!(connection, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")?;
        for _ in 0..100 {
            connection.write_all(b"x")?;
            thread::sleep(slow(100));
        }
        Ok(())
    });
    let client = downloads.client(1);
    let answer =
        Op::finish(|| client.download_start(Download::new("https://v3.fal.media/x").unwrap()))
            .unwrap();
    assert_eq!(answer.body().len(), 100);
    sending.wait(Some(PATIENCE * 3)).unwrap();
    sending.take().unwrap().unwrap();
    assert!(
        begun.elapsed() >= LIMIT * 5,
        "it was not slow: {:?}",
        begun.elapsed()
    );
    assert_eq!((server.count("PUT"), downloads.count("GET")), (1, 1));
}

fn takes_rest(
    head: &str,
    taken: u64,
    connection: &mut BufReader<TcpStream>,
) -> std::io::Result<()> {
    std::io::copy(
        &mut connection.by_ref().take(length_of(head) - taken),
        &mut std::io::sink(),
    )?;
    answered(connection.get_mut(), "200 OK", "", "")
}

#[test]
fn our_own_side_may_be_slow() {
    /// The remaining pieces, and whether the reader has paused after its first piece.
    struct Slow(usize, bool);
    impl Read for Slow {
        fn read(&mut self, piece: &mut [u8]) -> std::io::Result<usize> {
            if self.0 <= MIB / 2 && !std::mem::replace(&mut self.1, true) {
                thread::sleep(LIMIT * 4);
            }
            let got = self.0.min(piece.len());
            self.0 -= got;
            Ok(got)
        }
    }
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator)
        .stall_timeout(LIMIT)
        .max_attempts(1)
        .unwrap()
        .build()
        .unwrap();
    let answer = upload(
        &client,
        Upload::reader(Slow(MIB, false), Some(MIB as u64)).way(UploadWay::Signed),
    )
    .unwrap();
    assert_eq!(answer.get("/size").unwrap(), MIB);
}

#[test]
fn whoever_may_be_silent_is_waited_for() {
    let emulator = Emulator::start().unwrap();
    let short = Duration::from_millis(200);
    let client = builder(&emulator)
        .stall_timeout(short)
        .max_attempts(1)
        .unwrap()
        .build()
        .unwrap();
    let request = |endpoint: &str, input: Value| {
        let mut request = Request::run(endpoint).unwrap();
        request.set_json(input);
        request
    };
    // Large enough to be sent in several pieces.
    let large = "x".repeat(3 * MIB);
    run(&client, "emulator/slow", json!({"ms": 1500, "text": large})).unwrap();
    let saved = Download::of_request(request("emulator/slow", json!({"ms": 1500})));
    Op::finish(|| client.download_start(saved)).unwrap();
    Op::finish(|| client.subscribe_start(request("emulator/job", json!({"duration": 1.5}))))
        .unwrap();
    let streamed = client
        .stream_start(request("emulator/stream", json!({"ms": 1500})))
        .unwrap();
    while let fal::NextEvent::Event(_) = streamed.wait_event(Some(PATIENCE)).unwrap() {}
    streamed.take().unwrap().unwrap();
    let session = client
        .realtime_start(
            Request::run("emulator/realtime").unwrap(),
            SocketOptions::new(),
        )
        .unwrap();
    assert!(
        !session
            .op()
            .wait(Some(Duration::from_millis(1500)))
            .unwrap(),
        "the session ended"
    );
    emulator.inject(Fault::delay(Duration::from_millis(1500)).path("/v1/models"));
    send(&client, "GET", "/v1/models").unwrap();
}

#[test]
fn the_limit_can_be_turned_off() {
    let server = Server::start(|_, _, connection| {
        write!(
            connection.get_mut(),
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234"
        )?;
        fall_silent()
    });
    let client = client_of(&server.host)
        .stall_timeout(Duration::ZERO)
        .build()
        .unwrap();
    let what = Download::new("https://v3.fal.media/x")
        .unwrap()
        .timeout(Duration::from_secs(2));
    let error = Op::finish(|| client.download_start(what)).unwrap_err();
    assert_eq!(
        (error.code(), server.count("GET")),
        (Code::Deadline, 1),
        "{error}"
    );
}

#[test]
fn a_stream_of_http_2_that_stalls_ends_without_its_connection() {
    let emulator = Emulator::start().unwrap();
    let client = super::network::outside(&emulator, &[("HTTPS_PROXY", &emulator.host())]);
    let client = client.stall_timeout(LIMIT).build().unwrap();
    let bytes = content(3 * MIB);
    emulator.inject(Fault::hang().method("PUT"));
    let url = upload(&client, Upload::bytes(bytes.clone()))
        .unwrap()
        .get_str("/url")
        .unwrap()
        .to_owned();
    emulator.inject(Fault::hang().method("GET"));
    emulator.inject(Fault::slow(100, LIMIT * 2).method("GET"));
    let answer = Op::finish(|| client.download_start(Download::new(&url).unwrap())).unwrap();
    assert!(answer.body() == &bytes);
    let arrivals = emulator.arrivals();
    let of = |method: &str| {
        arrivals
            .iter()
            .filter(|arrival| arrival.method == method)
            .count()
    };
    assert_eq!((of("PUT"), of("GET")), (2, 3));
}
