//! A hostile server: every response ends in an error, within limits of time and memory.

use super::*;
use fal::Code;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

/// Starts a server that reads a request's head and responds with what `answer` writes.
fn hostile(
    answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> String {
    hostile_to(move |_, connection| answer(connection))
}

/// The same for responses that depend on the head.
pub(super) fn hostile_to(
    answer: impl Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (mut connection, answer) = (connection.unwrap(), answer.clone());
            thread::spawn(move || {
                let head = head_of(&mut connection);
                // The client may close the connection before the end.
                let _ = answer(&head, &mut connection);
                let _ = connection.shutdown(Shutdown::Write);
                let _ = std::io::copy(&mut connection, &mut std::io::sink());
            });
        }
    });
    host
}

pub(super) fn head_of(connection: &mut impl Read) -> String {
    let mut seen = Vec::new();
    let mut piece = [0; 1024];
    while !seen.windows(4).any(|window| window == b"\r\n\r\n") {
        match connection.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(read) => seen.extend_from_slice(&piece[..read]),
        }
    }
    String::from_utf8_lossy(&seen).into_owned()
}

/// Writes a complete response that ends with the connection.
pub(super) fn answered(
    connection: &mut TcpStream,
    status: &str,
    headers: &str,
    body: &str,
) -> std::io::Result<()> {
    let length = body.len();
    write!(
        connection,
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

/// Sends pieces without end, and counts the bytes that the client accepted. The client's memory
/// cannot hold more than that.
pub(super) fn endless(
    connection: &mut TcpStream,
    piece: &[u8],
    taken: &AtomicU64,
) -> std::io::Result<()> {
    loop {
        connection.write_all(piece)?;
        taken.fetch_add(piece.len() as u64, Ordering::Relaxed);
    }
}

pub(super) fn client_of(host: &str) -> ClientBuilder {
    let variables = [
        ("FAL_KEY", "fake-id:fake-secret-for-nobody"),
        ("FAL_EMULATOR_HOST", host),
    ];
    crate::logged::builder()
        .environment(Environment::from_variables(variables))
        .timeout(PATIENCE)
        .max_attempts(1)
        .unwrap()
}

fn get(host: &str, limit: usize) -> Error {
    let client = client_of(host).max_response_bytes(limit).build().unwrap();
    send(&client, "GET", "https://fal.run/emulator/echo").unwrap_err()
}

#[test]
fn endless_headers() {
    let host = hostile(|connection| {
        connection.write_all(b"HTTP/1.1 200 OK\r\n")?;
        loop {
            connection.write_all(b"x-more: and more\r\n")?;
        }
    });
    let error = get(&host, 1 << 20);
    assert_eq!(error.code(), Code::Protocol, "{error}");
}

#[test]
fn one_endless_header() {
    let host = hostile(|connection| {
        connection.write_all(b"HTTP/1.1 200 OK\r\nx-more: ")?;
        loop {
            connection.write_all(&[b'x'; 4096])?;
        }
    });
    let error = get(&host, 1 << 20);
    assert_eq!(error.code(), Code::Protocol, "{error}");
}

#[test]
fn an_endless_body() {
    let host = hostile(|connection| {
        connection.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        loop {
            connection.write_all(b"400\r\n")?;
            connection.write_all(&[b'x'; 1024])?;
            connection.write_all(b"\r\n")?;
        }
    });
    let error = get(&host, 1 << 20);
    assert_eq!(error.code(), Code::TooLarge, "{error}");
}

#[test]
fn an_endless_body_of_an_error() {
    let host = hostile(|connection| {
        connection.write_all(b"HTTP/1.1 500 No\r\n\r\n")?;
        loop {
            connection.write_all(&[b'x'; 4096])?;
        }
    });
    let error = get(&host, 1 << 20);
    assert_eq!(
        (error.code(), error.body().len()),
        (Code::ServiceFailed, 1 << 20),
        "{}",
        error.body().len()
    );
    assert!(error.message().len() < 1000, "{error}");
}

#[test]
fn a_cut_body_of_an_error_tells_what_arrived() {
    let host = hostile(|connection| {
        connection.write_all(
            b"HTTP/1.1 422 No\r\ncontent-length: 1000\r\n\r\n{\"detail\": \"the prompt is",
        )
    });
    let error = get(&host, 1 << 20);
    assert_eq!(
        (error.code(), error.http_status()),
        (Code::InvalidInput, Some(422)),
        "{error}"
    );
    assert!(error.message().contains("the prompt is"), "{error}");
}

#[test]
fn an_error_that_repeats_the_key_and_breaks_off_within_it() {
    let host = hostile_to(|head, connection| {
        let mut headers = head.lines().filter_map(|line| line.split_once(": "));
        let (_, sent) = headers
            .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))
            .unwrap();
        write!(
            connection,
            "HTTP/1.1 401 No\r\ncontent-length: 1000\r\n\r\nnot {}",
            &sent[..sent.len() - 3]
        )
    });
    let error = get(&host, 1 << 20);
    assert_eq!(error.code(), Code::Unauthenticated, "{error}");
    let body = String::from_utf8_lossy(error.body());
    assert!(
        body.starts_with("not ")
            && !body.contains("fake-secret")
            && !error.message().contains("fake-secret")
    );
}

#[test]
fn a_body_that_never_comes_to_its_end() {
    let host = hostile(|connection| {
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")?;
        loop {
            connection.write_all(b"x")?;
            thread::sleep(Duration::from_millis(100));
        }
    });
    let client = client_of(&host)
        .timeout(Duration::from_millis(500))
        .build()
        .unwrap();
    let started = Instant::now();
    let error = send(&client, "GET", "https://fal.run/emulator/echo").unwrap_err();
    assert_eq!(error.code(), Code::Deadline, "{error}");
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn a_length_that_is_a_lie() {
    for (length, code) in [
        ("100", Code::ConnectionLost),
        ("99999999999999", Code::TooLarge),
        ("-1", Code::Protocol),
    ] {
        let host = hostile(move |connection| {
            write!(
                connection,
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nshort"
            )
        });
        let error = get(&host, 1 << 20);
        assert_eq!(error.code(), code, "{length}: {error}");
    }
}

#[test]
fn a_bomb_is_measured_when_it_is_unpacked() {
    const UNPACKED: usize = 300 << 20;
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    std::io::copy(
        &mut std::io::repeat(b' ').take(UNPACKED as u64),
        &mut packed,
    )
    .unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 400 << 10, "{}", packed.len());
    let host = hostile(move |connection| {
        let length = packed.len();
        write!(
            connection,
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n"
        )?;
        connection.write_all(&packed)
    });
    // The default limit of 256 MiB refuses it, too.
    for limit in [1 << 20, 256 << 20] {
        let error = get(&host, limit);
        assert_eq!(error.code(), Code::TooLarge, "{error}");
    }
}

#[test]
fn what_is_packed_arrives_unpacked() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(br#"{"word": "hello"}"#).unwrap();
    let packed = packed.finish().unwrap();
    let host = hostile(move |connection| {
        let length = packed.len();
        write!(
            connection,
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n"
        )?;
        connection.write_all(&packed)
    });
    let answer = send(
        &client_of(&host).build().unwrap(),
        "GET",
        "https://fal.run/emulator/echo",
    )
    .unwrap();
    assert_eq!(answer.get_str("/word").unwrap(), "hello");
}

#[test]
fn garbage_where_gzip_was_announced() {
    let host = hostile(|connection| {
        connection.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 9\r\n\r\nnot gzip!",
        )
    });
    let error = get(&host, 1 << 20);
    assert!(
        matches!(error.code(), Code::Protocol | Code::ConnectionLost),
        "{error}"
    );
}

#[test]
fn redirects_without_end() {
    let host = hostile(|connection| {
        connection.write_all(
            b"HTTP/1.1 302 Found\r\nlocation: /emulator/echo\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        )
    });
    let error = get(&host, 1 << 20);
    assert_eq!(error.code(), Code::Redirect, "{error}");
}

#[test]
fn nothing_but_silence_and_interim_answers() {
    let host = hostile(|connection| {
        loop {
            connection.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n")?;
            thread::sleep(Duration::from_millis(10));
        }
    });
    let client = client_of(&host)
        .timeout(Duration::from_millis(500))
        .build()
        .unwrap();
    let error = send(&client, "GET", "https://fal.run/emulator/echo").unwrap_err();
    assert!(
        matches!(error.code(), Code::Deadline | Code::Protocol),
        "{error}"
    );
}
