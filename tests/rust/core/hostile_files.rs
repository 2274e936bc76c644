//! A hostile server that sends bad URLs, files and descriptions of files: no other host gets a
//! request, no key leaves, and the amount that is read is limited.

use super::hostile::{answered, client_of, endless, hostile_to};
use super::*;
use fal::webhook::Webhook;
use fal::{Code, Download, SocketOptions, Upload, UploadWay};
use fal_emulator::{Arrival, Fault};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Responses to libfal's own requests are limited to 1 MiB. The rest is in socket buffers.
const SOCKETS: u64 = 32 << 20;

/// URLs that do not belong to fal or not to the expected service: another host, scheme or port, or
/// user information.
fn elsewhere(trap: &Trap) -> Vec<String> {
    let port = trap.0.local_addr().unwrap().port();
    let mut addresses: Vec<String> = [
        "https://fal.run.evil.example/x",
        "https://evil.example/queue.fal.run",
        "http://queue.fal.run/x",
        "https://queue.fal.run:8443/x",
        "https://user:word@queue.fal.run/x",
        "https://queue.fal.run@evil.example/x",
        "file:///etc/passwd",
        "//evil.example/x",
        "",
    ]
    .map(str::to_owned)
    .into();
    addresses.extend([
        trap.url(),
        format!("https://127.0.0.1:{port}/x"),
        format!("https://fal.run@127.0.0.1:{port}/x"),
    ]);
    addresses
}

fn no_key_but_at(emulator: &Emulator, hosts: &[&str]) {
    let strange = |arrival: &Arrival| arrival.had_key() && !hosts.contains(&arrival.host.as_str());
    let strangers: Vec<_> = emulator
        .arrivals()
        .into_iter()
        .filter(strange)
        .map(|one| one.host)
        .collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

#[test]
fn addresses_of_a_job_that_lead_away() {
    let trap = Trap::set();
    for address in elsewhere(&trap) {
        let emulator = Emulator::start().unwrap();
        let client = client(&emulator);
        let mut request = Request::run("emulator/job").unwrap();
        request.set_json(json!({"output": {"x": 1}}));
        let submitted = Op::finish(|| client.submit_start(request.clone())).unwrap();
        let hostile = json!({
            "request_id": submitted.get_str("/request_id").unwrap(),
            "response_url": address, "status_url": address, "cancel_url": address,
        });
        emulator.inject(Fault::status(200).method("POST").body(hostile));
        let answer = Op::finish(|| client.subscribe_start(request))
            .unwrap_or_else(|e| panic!("{address}: {e}"));
        assert_eq!(answer.get("/x").unwrap(), 1, "{address}");
        assert!(
            emulator
                .arrivals()
                .iter()
                .all(|arrival| arrival.host == "queue.fal.run"),
            "{address}"
        );
    }
    trap.assert_untouched();
}

#[test]
fn addresses_of_an_upload_that_lead_away() {
    let trap = Trap::set();
    for address in elsewhere(&trap) {
        for way in UploadWay::ALL {
            let emulator = Emulator::start().unwrap();
            let client = builder(&emulator).max_attempts(1).unwrap().build().unwrap();
            for path in ["/storage/upload/*", "/files/upload/*"] {
                let hostile = json!({
                    "upload_url": address, "file_url": address, "access_url": address, "uploadId": "u", "url": address,
                });
                emulator.inject(
                    Fault::status(200)
                        .path(path)
                        .method("POST")
                        .body(hostile)
                        .always(),
                );
            }
            // A pre-signed URL may be any https URL. A server there that does not respond correctly
            // is an error.
            let _ = Op::finish(|| client.upload_start(Upload::bytes(&b"bytes"[..]).way(*way)));
            no_key_but_at(&emulator, &["rest.fal.ai", "v3.fal.media", "v3b.fal.media"]);
            let foreign = |arrival: &Arrival| {
                arrival.authorization.is_some() && !arrival.host.contains("fal.")
            };
            assert!(
                !emulator.arrivals().iter().any(foreign),
                "{way:?} {address}"
            );
        }
    }
    trap.assert_untouched();
}

/// The key goes to the requested service and to no other service of fal, whose response would look
/// like an app's.
#[test]
fn parts_that_are_to_be_announced_to_another_service_of_fals() {
    for host in [
        "queue.fal.run",
        "fal.run",
        "ws.fal.run",
        "api.fal.ai",
        "v3.fal.media",
        "auth.fal.ai",
        "evil.example",
    ] {
        let emulator = Emulator::start().unwrap();
        let named = json!({"upload_url": format!("https://{host}/x/y"), "file_url": "https://v3.fal.media/files/x"});
        emulator.inject(Fault::status(200).path("*/initiate-multipart").body(named));
        let what = Upload::bytes(&b"bytes"[..]).way(UploadWay::GoogleParts);
        let error = Op::finish(|| client(&emulator).upload_start(what)).unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::ForeignOrigin, false),
            "{host}: {error}"
        );
        let hosts: Vec<_> = emulator
            .arrivals()
            .into_iter()
            .map(|arrival| arrival.host)
            .collect();
        assert_eq!(hosts, ["rest.fal.ai"], "{host}");
    }
}

#[test]
fn a_token_for_files_that_names_another_host() {
    let trap = Trap::set();
    for address in elsewhere(&trap) {
        let emulator = Emulator::start().unwrap();
        let client = builder(&emulator).max_attempts(1).unwrap().build().unwrap();
        let token =
            json!({"token": "fake-file-token", "token_type": "Bearer", "base_url": address});
        emulator.inject(
            Fault::status(200)
                .path("/storage/auth/token")
                .body(token)
                .always(),
        );
        for way in [UploadWay::Direct, UploadWay::DirectParts] {
            let error = Op::finish(|| client.upload_start(Upload::bytes(&b"bytes"[..]).way(way)))
                .unwrap_err();
            assert!(
                matches!(error.code(), Code::Protocol | Code::ForeignOrigin),
                "{address}: {error}"
            );
            assert!(!format!("{error:?}{error}").contains("fake-file-token"));
        }
        assert!(
            emulator
                .arrivals()
                .iter()
                .all(|arrival| arrival.host == "rest.fal.ai"),
            "{address}"
        );
    }
    trap.assert_untouched();
}

#[test]
fn redirects_of_a_download_without_end() {
    let asked = Arc::new(AtomicU64::new(0));
    let count = asked.clone();
    let host = hostile_to(move |head, connection| {
        assert!(
            !head.to_ascii_lowercase().contains("authorization"),
            "the key goes along"
        );
        let n = count.fetch_add(1, Ordering::Relaxed);
        answered(
            connection,
            "302 Found",
            &format!("location: https://cdn-{n}.example/x\r\n"),
            "",
        )
    });
    let client = client_of(&host).build().unwrap();
    let error =
        Op::finish(|| client.download_start(Download::new("https://v3.fal.media/x").unwrap()))
            .unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Redirect, false),
        "{error}"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 11);
}

#[test]
fn a_part_of_a_file_that_lies_about_its_place() {
    for range in [
        "content-range: bytes 5-9/18446744073709551615\r\n",
        "content-range: bytes 0-9/10\r\n",
        "content-range: bytes 5-4/10\r\n",
        "content-range: bytes 18446744073709551615-18446744073709551615/*\r\n",
        "content-range: bytes 5-9\r\n",
        "",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let host = hostile_to(move |head, connection| {
            match head.to_ascii_lowercase().contains("range: bytes=5-") {
                true => answered(
                    connection,
                    "206 Partial Content",
                    &format!("etag: \"a\"\r\n{range}"),
                    "99999",
                ),
                false => write!(
                    connection,
                    "HTTP/1.1 200 OK\r\netag: \"a\"\r\ncontent-length: 10\r\n\r\n01234"
                ),
            }
        });
        let client = client_of(&host).max_attempts(4).unwrap().build().unwrap();
        let what = Download::new("https://v3.fal.media/x")
            .unwrap()
            .to(folder.path().join("a"));
        let error = Op::finish(|| client.download_start(what)).unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::ConnectionLost, false),
            "{range}: {error}"
        );
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "half a file is left"
        );
    }
    // The server sends more than it announces. libfal reads only what was announced.
    let host = hostile_to(|head, connection| {
        match head.to_ascii_lowercase().contains("range: bytes=5-") {
            true => {
                write!(
                    connection,
                    "HTTP/1.1 206 Partial Content\r\netag: \"a\"\r\ncontent-range: bytes 5-9/10\r\n\
                 transfer-encoding: chunked\r\n\r\n"
                )?;
                endless(
                    connection,
                    b"10\r\n0123456789abcdef\r\n",
                    &AtomicU64::new(0),
                )
            }
            false => write!(
                connection,
                "HTTP/1.1 200 OK\r\netag: \"a\"\r\ncontent-length: 10\r\n\r\n01234"
            ),
        }
    });
    let client = client_of(&host).max_attempts(4).unwrap().build().unwrap();
    let what = Download::new("https://v3.fal.media/x")
        .unwrap()
        .max_bytes(1000);
    let error = Op::finish(|| client.download_start(what)).unwrap_err();
    assert_eq!(error.code(), Code::ConnectionLost, "{error}");
}

/// A server may send less of a file than the range that was requested (RFC 9110 §15.3.7). That is
/// not the whole file.
#[test]
fn a_part_that_ends_before_the_file_does() {
    for framing in ["content-length", "chunked"] {
        let asked = Arc::new(AtomicU64::new(0));
        let count = asked.clone();
        let host = hostile_to(move |head, connection| {
            count.fetch_add(1, Ordering::Relaxed);
            let head = head.to_ascii_lowercase();
            let range = head
                .lines()
                .find_map(|line| line.strip_prefix("range: bytes="))
                .map(str::to_owned);
            let Some(range) = range else {
                return write!(
                    connection,
                    "HTTP/1.1 200 OK\r\netag: \"a\"\r\ncontent-length: 10\r\n\r\n01234"
                );
            };
            let from: usize = range.trim_end_matches('-').parse().unwrap();
            let to = (from + 1).min(9);
            let bytes = &"0123456789"[from..=to];
            let headers = format!(
                "etag: \"a\"\r\ncontent-range: bytes {from}-{to}/10\r\nconnection: close\r\n"
            );
            match framing {
                "chunked" => write!(
                    connection,
                    "HTTP/1.1 206 Partial Content\r\n{headers}transfer-encoding: chunked\r\n\r\n{}\r\n{bytes}\r\n0\r\n\r\n",
                    bytes.len()
                ),
                _ => answered(connection, "206 Partial Content", &headers, bytes),
            }
        });
        let client = client_of(&host).max_attempts(5).unwrap().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let what = Download::new("https://v3.fal.media/x")
            .unwrap()
            .to(folder.path().join("a"));
        match Op::finish(|| client.download_start(what)) {
            Ok(_) => assert_eq!(
                std::fs::read(folder.path().join("a")).unwrap(),
                b"0123456789",
                "{framing}"
            ),
            Err(error) => panic!("{framing}: {error}"),
        }
        assert!(asked.load(Ordering::Relaxed) >= 4, "{framing}");
    }
}

/// A client whose every service returns 100 MB of JSON text that ends only then.
fn flooded(taken: &Arc<AtomicU64>) -> Client {
    let counter = taken.clone();
    let host = hostile_to(move |_, connection| {
        let begun = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{{\"token\": \"{:>9}",
            "x"
        );
        connection.write_all(begun.as_bytes())?;
        (0..100).try_for_each(|_| {
            connection.write_all(&vec![b'x'; 1 << 20])?;
            counter.fetch_add(1 << 20, Ordering::Relaxed);
            Ok::<_, std::io::Error>(())
        })?;
        connection.write_all(b"\"}")
    });
    client_of(&host).build().unwrap()
}

#[test]
fn keys_and_tokens_of_a_hundred_megabytes() {
    let taken = Arc::new(AtomicU64::new(0));
    let client = flooded(&taken);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        .to_string();
    let mut webhook = Webhook::new(bytes(b"{}"));
    for (name, value) in [
        ("request-id", "r"),
        ("user-id", "u"),
        ("timestamp", &*now),
        ("signature", &*"00".repeat(64)),
    ] {
        webhook.set_header(&format!("x-fal-webhook-{name}"), value);
    }
    // Dropping the last handle closes the session.
    let session = std::cell::OnceCell::new();
    let realtime = || {
        let begun =
            client.realtime_start(Request::run("emulator/realtime")?, SocketOptions::new())?;
        Ok(session.get_or_init(|| begun).op().clone())
    };
    let upload = |way| client.upload_start(Upload::bytes(&b"bytes"[..]).way(way));
    let cases: [(&str, Start<'_>); 6] = [
        ("the keys for webhooks", &|| {
            client.verify_webhook_start(webhook.clone())
        }),
        ("a token", &|| {
            client.mint_token_start(&["emulator/echo"], Duration::from_secs(60))
        }),
        ("a session's token", &realtime),
        ("a token for files", &|| upload(UploadWay::Direct)),
        ("where to upload to", &|| upload(UploadWay::Signed)),
        ("where to upload parts to", &|| {
            upload(UploadWay::SignedParts)
        }),
    ];
    for (what, start) in cases {
        taken.store(0, Ordering::Relaxed);
        let error = Op::finish(start).unwrap_err();
        assert_eq!(error.code(), Code::TooLarge, "{what}: {error}");
        assert!(taken.load(Ordering::Relaxed) < SOCKETS, "{what}");
    }
}

type Start<'a> = &'a dyn Fn() -> Result<Op, Error>;

fn bytes(text: &'static [u8]) -> bytes::Bytes {
    bytes::Bytes::from_static(text)
}
