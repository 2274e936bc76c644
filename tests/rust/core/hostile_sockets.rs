//! A hostile server of WebSockets: every session ends in an error, within limits of time and
//! memory.

use super::hostile::{client_of, endless, hostile_to};
use super::*;
use fal::{Code, SocketOptions};
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const LIMIT: usize = 1 << 20;
/// More than the socket buffers of both sides hold.
const SOCKETS: u64 = 32 << 20;

/// Starts a server that accepts every handshake and then runs `after`.
pub(super) fn socket_server(
    after: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> String {
    hostile_to(move |head, connection| {
        accept(head, connection, "")?;
        after(connection)
    })
}

/// Accepts a handshake, with these additional headers.
pub(super) fn accept(head: &str, connection: &mut impl Write, more: &str) -> std::io::Result<()> {
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key")
            .then(|| value.trim().to_owned())
    });
    let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
    write!(
        connection,
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {accept}\r\n{more}\r\n"
    )
}

/// Runs a realtime session, a raw WebSocket and a channel, and returns how each of them ended.
fn all_ends(host: &str, time: Duration) -> Vec<(&'static str, Error)> {
    let client = client_of(host)
        .timeout(time)
        .max_response_bytes(LIMIT)
        .build()
        .unwrap();
    let options = || {
        SocketOptions::new()
            .use_header(true)
            .max_message_bytes(LIMIT)
    };
    let request = |endpoint| {
        let mut request = Request::run(endpoint).unwrap();
        request.set_timeout(time);
        request.set_json(json!({"n": 1}));
        request
    };
    let realtime = client
        .realtime_start(request("emulator/realtime"), options())
        .unwrap();
    let raw = client
        .websocket_start(request("emulator/ws"), options())
        .unwrap();
    let channel = client
        .channel(&Request::run("emulator/echo").unwrap())
        .unwrap();
    let ops = [
        ("realtime", realtime.op().clone()),
        ("raw", raw.op().clone()),
        (
            "channel",
            channel.run_start(request("emulator/echo")).unwrap(),
        ),
    ];
    let end = |(name, op): (&'static str, Op)| {
        op.discard_events();
        assert!(op.wait(Some(PATIENCE)).unwrap(), "{name} hangs");
        (name, op.take().unwrap().unwrap_err())
    };
    let ends = ops.map(end).into_iter();
    // A failure before a channel has sent its request is one of the connection, not of the request.
    ends.filter(|(name, error)| *name != "channel" || error.code() != Code::Connect)
        .collect()
}

#[test]
fn a_frame_that_announces_more_than_there_can_be() {
    for length in [
        1_u64 << 63,
        (1 << 63) - 1,
        u64::MAX,
        1 << 40,
        LIMIT as u64 + 1,
    ] {
        let taken = Arc::new(AtomicU64::new(0));
        let counter = taken.clone();
        let host = socket_server(move |connection| {
            connection.write_all(&[0x82, 127])?;
            connection.write_all(&length.to_be_bytes())?;
            endless(connection, &[0; 4096], &counter)
        });
        for (name, error) in all_ends(&host, PATIENCE) {
            assert!(
                matches!(error.code(), Code::TooLarge | Code::Protocol),
                "{name}, {length}: {error}"
            );
        }
        assert!(taken.load(Ordering::Relaxed) < SOCKETS, "{length}");
    }
}

#[test]
fn a_message_of_fragments_without_end() {
    let taken = Arc::new(AtomicU64::new(0));
    let counter = taken.clone();
    let host = socket_server(move |connection| {
        connection.write_all(&[0x02, 126, 0x10, 0])?;
        connection.write_all(&[0; 4096])?;
        let fragment = [&[0x00, 126, 0x10, 0][..], &[0; 4096]].concat();
        endless(connection, &fragment, &counter)
    });
    for (name, error) in all_ends(&host, PATIENCE) {
        assert_eq!(error.code(), Code::TooLarge, "{name}: {error}");
    }
    assert!(taken.load(Ordering::Relaxed) < 3 * SOCKETS);
}

#[test]
fn pings_without_end_last_until_the_deadline() {
    for ping in [&[0x89, 0][..], &[0x8A, 0]] {
        let host = socket_server(move |connection| endless(connection, ping, &AtomicU64::new(0)));
        for (name, error) in all_ends(&host, Duration::from_secs(2)) {
            // Pongs that the server does not read fill the connection, so it may break earlier.
            assert!(
                matches!(error.code(), Code::Deadline | Code::ConnectionLost),
                "{name}: {error}"
            );
        }
    }
}

#[test]
fn frames_that_are_against_the_rules() {
    for (what, frame) in [
        ("a reserved bit", &[0xC2, 1, 0][..]),
        ("an unknown kind", &[0x83, 0]),
        ("a continuation of nothing", &[0x80, 1, 0]),
        ("a masked frame", &[0x82, 0x81, 0, 0, 0, 0, 7]),
        ("a long ping", &[0x89, 126, 0, 200]),
        ("a fragmented ping", &[0x09, 0]),
        ("text that is none", &[0x81, 2, 0xFF, 0xFE]),
        ("a close of one byte", &[0x88, 1, 3]),
    ] {
        let host = socket_server(move |connection| {
            connection.write_all(frame)?;
            connection.write_all(&[0; 200])
        });
        for (name, error) in all_ends(&host, PATIENCE) {
            assert_eq!(error.code(), Code::Protocol, "{name}, {what}: {error}");
        }
    }
}

#[test]
fn a_handshake_that_is_answered_wrongly() {
    for accept in [
        "",
        "sec-websocket-accept: d3Jvbmc=\r\n",
        "sec-websocket-accept: \r\n",
    ] {
        let host = hostile_to(move |_, connection| {
            write!(
                connection,
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n{accept}\r\n"
            )
        });
        for (name, error) in all_ends(&host, PATIENCE) {
            assert_eq!(
                (error.code(), error.may_have_executed()),
                (Code::Protocol, false),
                "{name}: {error}"
            );
        }
    }
}

/// The resident memory of this process in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// All handles of an operation are dropped while the server keeps sending. The received data has no
/// reader, so libfal waits no longer than for any close, and keeps none of it.
#[test]
fn a_peer_that_goes_on_after_everybody_left_is_left() {
    // Messages that fill the queue of events.
    let frame = [&[0x82, 127, 0, 0, 0, 0, 0, 0x10, 0, 0][..], &[0xC1; LIMIT]].concat();
    for raw in [false, true] {
        let (taken, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (counter, ended) = (taken.clone(), over.clone());
        let message = frame.clone();
        let host = socket_server(move |connection| {
            while connection.write_all(&message).is_ok() {
                counter.fetch_add(message.len() as u64, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
            ended.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        let held = Arc::new(());
        let alive = held.clone();
        let client = client_of(&host)
            .log(fal::Level::Error, move |_, _, _| drop(alive.clone()))
            .build()
            .unwrap();
        let options = SocketOptions::new()
            .use_header(true)
            .max_message_bytes(2 * LIMIT);
        let handles: Box<dyn std::any::Any> = match raw {
            true => Box::new(
                client
                    .websocket_start(Request::run("emulator/ws").unwrap(), options)
                    .unwrap(),
            ),
            false => Box::new(
                client
                    .realtime_start(Request::run("emulator/realtime").unwrap(), options)
                    .unwrap(),
            ),
        };
        // More than an operation queues for its reader, so that the operation stops reading.
        let end = Instant::now() + PATIENCE;
        while taken.load(Ordering::Relaxed) < SOCKETS / 2 {
            assert!(Instant::now() < end, "the connection takes nothing");
            std::thread::sleep(Duration::from_millis(10));
        }
        let before = resident();
        drop((handles, client));
        let end = Instant::now() + PATIENCE;
        while Arc::strong_count(&held) > 1 || over.load(Ordering::Relaxed) == 0 {
            assert!(
                Instant::now() < end,
                "raw: {raw}: the operation, or its connection, goes on"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        let grown = resident().saturating_sub(before);
        assert!(
            grown < SOCKETS as usize,
            "raw: {raw}: {grown} bytes are kept"
        );
    }
}

/// After the host has closed the session, libfal waits for results. Pings do not count as results.
#[test]
fn a_peer_that_only_pings_after_the_goodbye_is_left() {
    let host = socket_server(|connection| {
        loop {
            connection.write_all(&[0x89, 0])?;
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    let client = client_of(&host).build().unwrap();
    let options = SocketOptions::new().use_header(true);
    let session = client
        .realtime_start(Request::run("emulator/realtime").unwrap(), options)
        .unwrap();
    session.send(&json!({"n": 1})).unwrap();
    session.close();
    assert!(
        session.op().wait(Some(PATIENCE)).unwrap(),
        "it is waited for"
    );
    assert_eq!(
        session.op().take().unwrap().unwrap().get("/ended").unwrap(),
        "closed"
    );
}
