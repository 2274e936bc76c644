//! fal's real names, over TLS.

use std::io::ErrorKind;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fal_emulator::{Emulator, Fault, Outcome, ProxyCredentials, Settings};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client;
use crate::tunnel::{Answered, block_on, connect, handshake, post, tls};

const VERSIONS: [&str; 2] = ["h2", "http/1.1"];

async fn echo(emulator: &Emulator, version: &str) -> Result<Answered, hyper::Error> {
    let stream = tls(emulator, "fal.run", &[version]).await.unwrap();
    post(
        stream,
        "fal.run",
        "/emulator/echo",
        emulator.api_key(),
        r#"{"a":1}"#,
    )
    .await
}

#[test]
fn the_same_answers_come_under_fals_names() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        for version in VERSIONS {
            let answer = echo(&emulator, version).await.unwrap();
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(
                (answer.status, &body["body"], answer.whole),
                (200, &json!({"a": 1}), true)
            );
        }
        for (host, path) in [
            ("rest.fal.ai", "/tokens/"),
            ("rest.alpha.fal.ai", "/tokens/"),
            ("falrun.com", "/acme/public"),
        ] {
            let stream = tls(&emulator, host, &VERSIONS).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            let answer = post(
                stream,
                host,
                path,
                emulator.api_key(),
                r#"{"allowed_apps":["echo"]}"#,
            )
            .await
            .unwrap();
            assert_eq!(answer.status, 200, "{host}");
        }
    });
    let arrivals = emulator.arrivals();
    assert_eq!(arrivals.len(), 5);
    assert_eq!(
        (arrivals[0].host.as_str(), arrivals[0].had_key()),
        ("fal.run", true)
    );
    assert!(arrivals.iter().all(|arrival| arrival.method == "POST"));
    let connects = emulator.connects();
    assert_eq!(
        (
            connects["fal.run"],
            connects["falrun.com"],
            emulator.refused_connects()
        ),
        (2, 1, 0)
    );
    let stats = client::Request::get("127.0.0.1", "/_emulator/stats")
        .send(&emulator)
        .json();
    assert_eq!(stats["connects"]["accepted"]["fal.run"], 2);
}

#[test]
fn every_host_has_a_certificate_that_is_trusted() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        for host in [
            "fal.run",
            "rest.fal.ai",
            "v3.fal.media",
            "queue.falrun.com",
            "storage.googleapis.com",
        ] {
            tls(&emulator, host, &[]).await.expect(host);
        }
    });
}

#[test]
fn other_targets_are_refused() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        for target in [
            "example.com:443",
            "fal.run:80",
            "fal.run.example.com:443",
            "127.0.0.1:443",
            "localhost:443",
            "[::1]:443",
        ] {
            assert_eq!(
                connect(&emulator, target, "").await.unwrap_err().0,
                403,
                "{target}"
            );
        }
        assert!(connect(&emulator, "FAL.run:443", "").await.is_ok());
    });
    assert_eq!(
        (emulator.refused_connects(), emulator.connects()["fal.run"]),
        (6, 1)
    );
    assert!(emulator.arrivals().is_empty());
}

#[test]
fn a_tunnel_serves_its_own_name_only() {
    let emulator = Emulator::start().unwrap();
    block_on(async {
        for (host, path) in [
            ("127.0.0.1", "/_emulator/keys"),
            ("queue.fal.run", "/emulator/echo"),
            ("a.example", "/"),
        ] {
            let stream = tls(&emulator, "fal.run", &["http/1.1"]).await.unwrap();
            let answer = post(stream, host, path, emulator.api_key(), "{}")
                .await
                .unwrap();
            assert_eq!(answer.status, 421, "{host}");
        }
        let stream = connect(&emulator, "fal.run:443", "").await.unwrap();
        let mut stream = handshake(stream, emulator.ca_pem(), "fal.run", &[])
            .await
            .unwrap();
        stream
            .write_all(b"CONNECT queue.fal.run:443 HTTP/1.1\r\nHost: queue.fal.run\r\n\r\n")
            .await
            .unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 421");
    });
}

#[test]
fn proxy_credentials_are_asked_for() {
    let emulator = Emulator::start().unwrap();
    let credentials = ProxyCredentials::new("user", "fake-secret:with:colons");
    let settings = Settings {
        proxy_credentials: Some(credentials),
        ..Settings::default()
    };
    assert!(!format!("{settings:?}").contains("with:colons"));
    emulator.set(settings);
    let header = |scheme: &str, text: &str| {
        format!(
            "Proxy-Authorization: {scheme} {}\r\n",
            STANDARD.encode(text)
        )
    };
    let right = "user:fake-secret:with:colons";
    block_on(async {
        for wrong in [
            String::new(),
            header("Basic", "user:other"),
            header("Bearer", right),
            header("Basic", "user"),
        ] {
            let (status, head) = connect(&emulator, "fal.run:443", &wrong).await.unwrap_err();
            assert_eq!(status, 407);
            assert!(
                head.to_ascii_lowercase()
                    .contains("proxy-authenticate: basic realm=")
            );
        }
        let stream = connect(&emulator, "fal.run:443", &header("basic", right))
            .await
            .unwrap();
        let stream = handshake(stream, emulator.ca_pem(), "fal.run", &[])
            .await
            .unwrap();
        let answer = post(
            stream,
            "fal.run",
            "/emulator/echo",
            emulator.api_key(),
            "{}",
        )
        .await
        .unwrap();
        assert_eq!(answer.status, 200);
        let kept: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(kept["headers"].get("proxy-authorization"), None);
    });
}

#[test]
fn the_certificate_is_for_the_tunnels_name_and_of_this_emulator() {
    let (emulator, other) = (Emulator::start().unwrap(), Emulator::start().unwrap());
    block_on(async {
        let stream = connect(&emulator, "fal.run:443", "").await.unwrap();
        assert!(
            handshake(stream, emulator.ca_pem(), "queue.fal.run", &[])
                .await
                .is_err()
        );
        let stream = connect(&emulator, "fal.run:443", "").await.unwrap();
        assert!(
            handshake(stream, other.ca_pem(), "fal.run", &[])
                .await
                .is_err()
        );
    });
    assert!(emulator.arrivals().is_empty());
}

#[test]
fn faults_that_end_the_connection_work_under_tls() {
    for version in VERSIONS {
        for (fault, outcome, executed) in [
            (Fault::reset_before_body(), Outcome::Reset, false),
            (Fault::reset_after_body(), Outcome::Reset, true),
            (Fault::close(), Outcome::ClosedByFault, true),
            (Fault::malformed_http(), Outcome::ClosedByFault, true),
        ] {
            let emulator = Emulator::start().unwrap();
            emulator.inject(fault.clone());
            block_on(async {
                assert!(
                    echo(&emulator, version).await.is_err(),
                    "{version} {fault:?}"
                );
                assert_eq!(echo(&emulator, version).await.unwrap().status, 200);
            });
            let arrival = &emulator.arrivals()[0];
            assert_eq!(
                (arrival.outcome, arrival.executed),
                (outcome, executed),
                "{version} {fault:?}"
            );
        }
    }
}

#[test]
fn a_truncated_answer_is_not_whole_under_tls() {
    for version in VERSIONS {
        let emulator = Emulator::start().unwrap();
        emulator.inject(Fault::truncate(10));
        block_on(async {
            let cut = echo(&emulator, version).await.unwrap();
            assert!(
                !cut.whole && cut.content_length > Some(10),
                "{version} {cut:?}"
            );
            assert_eq!((cut.status, cut.body.len()), (200, 10));
        });
        emulator
            .wait_until(Duration::from_secs(10), |arrivals| {
                arrivals[0].outcome == Outcome::ClosedByFault
            })
            .unwrap();
    }
}

/// Sends a request over HTTP/1.1 in TLS and reads to the end.
async fn end(emulator: &Emulator) -> std::io::Result<Vec<u8>> {
    let mut stream = tls(emulator, "fal.run", &["http/1.1"]).await.unwrap();
    stream
        .write_all(b"GET /acme/public HTTP/1.1\r\nHost: fal.run\r\n\r\n")
        .await
        .unwrap();
    let mut read = Vec::new();
    stream.read_to_end(&mut read).await.map(|_| read)
}

#[test]
fn a_reset_is_not_announced_and_a_close_is() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(Fault::reset_after_body());
    emulator.inject(Fault::close());
    emulator.inject(Fault::malformed_http());
    block_on(async {
        assert_eq!(
            end(&emulator).await.unwrap_err().kind(),
            ErrorKind::ConnectionReset
        );
        assert_eq!(end(&emulator).await.unwrap(), b"");
        assert!(
            end(&emulator)
                .await
                .unwrap()
                .starts_with(b"\x16\x03\x01 this")
        );
    });
}

#[test]
fn a_slow_answer_and_a_status_work_under_tls() {
    for version in VERSIONS {
        let emulator = Emulator::start().unwrap();
        emulator.inject(Fault::slow(20, Duration::from_millis(5)));
        emulator.inject(Fault::status(503));
        block_on(async {
            assert!(echo(&emulator, version).await.unwrap().whole);
            assert_eq!(echo(&emulator, version).await.unwrap().status, 503);
        });
    }
}

#[test]
fn a_client_that_leaves_a_tunnel_is_noticed() {
    for version in VERSIONS {
        let emulator = Emulator::start().unwrap();
        block_on(async {
            let stream = tls(&emulator, "fal.run", &[version]).await.unwrap();
            let waiting = post(
                stream,
                "fal.run",
                "/emulator/slow",
                emulator.api_key(),
                r#"{"ms":60000}"#,
            );
            assert!(
                tokio::time::timeout(Duration::from_millis(500), waiting)
                    .await
                    .is_err()
            );
        });
        emulator
            .wait_until(Duration::from_secs(10), |arrivals| {
                arrivals[0].outcome == Outcome::ClientClosed
            })
            .unwrap();
        let end = std::time::Instant::now() + Duration::from_secs(10);
        while emulator.open_connections() > 0 {
            assert!(std::time::Instant::now() < end);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_fault_strikes_a_tunnel_only_if_it_names_it() {
    let emulator = Emulator::start().unwrap();
    let connect_only = |fault: Fault| emulator.inject(fault.method("CONNECT").host("fal.run"));
    block_on(async {
        emulator.inject(Fault::status(500));
        let stream = tls(&emulator, "fal.run", &[]).await.unwrap();
        let answer = post(stream, "fal.run", "/acme/public", emulator.api_key(), "{}")
            .await
            .unwrap();
        assert_eq!(answer.status, 500);
        connect_only(Fault::status(502));
        assert!(connect(&emulator, "queue.fal.run:443", "").await.is_ok());
        let (status, head) = connect(&emulator, "fal.run:443", "").await.unwrap_err();
        assert_eq!((status, head.contains("x-fal-request-id")), (502, false));
        connect_only(Fault::malformed_http());
        let stream = connect(&emulator, "fal.run:443", "").await.unwrap();
        assert!(
            handshake(stream, emulator.ca_pem(), "fal.run", &[])
                .await
                .is_err()
        );
        connect_only(Fault::delay(Duration::from_millis(100)));
        let began = std::time::Instant::now();
        assert!(connect(&emulator, "fal.run:443", "").await.is_ok());
        assert!(began.elapsed() >= Duration::from_millis(100));
        for (fault, expected) in [
            (Fault::reset_before_body(), Some(ErrorKind::ConnectionReset)),
            (Fault::close(), None),
        ] {
            connect_only(fault);
            let mut stream = tokio::net::TcpStream::connect(emulator.addr())
                .await
                .unwrap();
            stream
                .write_all(b"CONNECT fal.run:443 HTTP/1.1\r\nHost: fal.run:443\r\n\r\n")
                .await
                .unwrap();
            let mut read = Vec::new();
            let error = stream
                .read_to_end(&mut read)
                .await
                .err()
                .map(|error| error.kind());
            assert_eq!((read.len(), error), (0, expected));
        }
        connect_only(Fault::hang());
        let hanging = connect(&emulator, "fal.run:443", "");
        assert!(
            tokio::time::timeout(Duration::from_millis(300), hanging)
                .await
                .is_err()
        );
    });
    assert_eq!(emulator.arrivals().len(), 1);
}
