//! Files over TLS and HTTP/2, under fal's real host names: several at once on one connection, and
//! none with a key.

use super::network::outside;
use super::upload::{content, sha256, upload};
use super::*;
use fal::{Code, Decision, Download, Lifecycle, Upload, UploadWay};
use fal_emulator::{Arrival, Fault};
use std::collections::BTreeSet;

const MIB: usize = 1 << 20;

fn over_tls(emulator: &Emulator) -> Client {
    outside(emulator, &[("HTTPS_PROXY", &emulator.host())])
        .build()
        .unwrap()
}

fn download(client: &Client, what: Download) -> Result<Response, Error> {
    Op::finish(|| client.download_start(what))
}

/// The requests to the file hosts, which carry the bytes.
fn of_files(emulator: &Emulator, method: &str) -> Vec<Arrival> {
    let of = |arrival: &Arrival| arrival.host.ends_with("fal.media") && arrival.method == method;
    emulator.arrivals().into_iter().filter(of).collect()
}

fn connections(arrivals: &[Arrival]) -> usize {
    arrivals
        .iter()
        .map(|arrival| arrival.connection)
        .collect::<BTreeSet<_>>()
        .len()
}

/// Asserts that the key was sent to the service that issues URLs and tokens and to no file host,
/// and that requests to signed URLs carried no secret.
fn assert_no_key_on_files(emulator: &Emulator) {
    for arrival in emulator.arrivals() {
        let signed = arrival
            .query
            .as_deref()
            .is_some_and(|query| query.contains("Signature"));
        assert_eq!(
            arrival.had_key(),
            arrival.host == "rest.fal.ai",
            "{} {}",
            arrival.host,
            arrival.path
        );
        assert!(
            !signed || arrival.authorization.is_none(),
            "{} {}",
            arrival.host,
            arrival.path
        );
    }
}

#[test]
fn every_way_there_and_back() {
    let bytes = content(25 * MIB + 7);
    let folder = tempfile::tempdir().unwrap();
    for way in UploadWay::ALL {
        let emulator = Emulator::start().unwrap();
        let client = over_tls(&emulator);
        let answer = upload(&client, Upload::bytes(bytes.clone()).way(*way))
            .unwrap_or_else(|e| panic!("{way:?}: {e}"));
        let file = &emulator.files()[0];
        assert_eq!(
            (file.size, &file.sha256),
            (bytes.len() as u64, &sha256(&bytes)),
            "{way:?}"
        );
        assert_no_key_on_files(&emulator);
        let path = folder.path().join(format!("{way:?}"));
        download(
            &client,
            Download::new(answer.get_str("/url").unwrap())
                .unwrap()
                .to(&path),
        )
        .unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes, "{way:?}");
        assert!(
            of_files(&emulator, "GET")
                .iter()
                .all(|arrival| arrival.authorization.is_none())
        );
    }
}

#[test]
fn parts_and_downloads_are_under_way_together_on_one_connection() {
    let emulator = Emulator::start().unwrap();
    let client = over_tls(&emulator);
    let bytes = content(65 * MIB);
    // The first part ends last. Over HTTP/1.1 the other parts would need connections of their own.
    emulator.inject(
        Fault::delay(Duration::from_secs(1))
            .method("PUT")
            .path("*/1"),
    );
    let answer = upload(
        &client,
        Upload::bytes(bytes.clone()).way(UploadWay::SignedParts),
    )
    .unwrap();
    assert_eq!(emulator.files()[0].sha256, sha256(&bytes));
    let parts = of_files(&emulator, "PUT");
    assert_eq!((parts.len(), connections(&parts)), (7, 1));
    emulator.clear_arrivals();
    let url = answer.get_str("/url").unwrap();
    let ops: Vec<_> = (0..6)
        .map(|_| client.download_start(Download::new(url).unwrap()).unwrap())
        .collect();
    for op in ops {
        op.wait(Some(PATIENCE * 3)).unwrap();
        assert!(op.take().unwrap().unwrap().body() == &bytes);
    }
    let gets = of_files(&emulator, "GET");
    assert_eq!((gets.len(), connections(&gets)), (6, 1));
    assert_no_key_on_files(&emulator);
}

#[test]
fn a_part_that_is_refused_and_a_connection_that_breaks_under_all_parts() {
    let bytes = content(45 * MIB);
    for fault in [
        Fault::status(503),
        Fault::status(500),
        Fault::reset_before_body(),
        Fault::close(),
    ] {
        let emulator = Emulator::start().unwrap();
        let client = over_tls(&emulator);
        emulator.inject(fault.method("PUT").path("*/2").times(2));
        upload(
            &client,
            Upload::bytes(bytes.clone()).way(UploadWay::SignedParts),
        )
        .unwrap();
        assert_eq!(emulator.files()[0].sha256, sha256(&bytes));
        let completed = emulator
            .arrivals()
            .iter()
            .filter(|arrival| arrival.path.ends_with("/complete"))
            .count();
        assert_eq!(completed, 1);
        assert_no_key_on_files(&emulator);
    }
}

#[test]
fn a_download_goes_on_where_its_stream_broke() {
    let emulator = Emulator::start().unwrap();
    let client = over_tls(&emulator);
    let bytes = content(5 * MIB);
    let url = upload(&client, Upload::bytes(bytes.clone()))
        .unwrap()
        .get_str("/url")
        .unwrap()
        .to_owned();
    emulator.inject(Fault::truncate(2 * MIB as u64));
    assert!(
        download(&client, Download::new(&url).unwrap())
            .unwrap()
            .body()
            == &bytes
    );
    let ranges: Vec<_> = of_files(&emulator, "GET")
        .iter()
        .map(|get| get.headers.get("range").cloned())
        .collect();
    assert_eq!(ranges.len(), 2);
    let from = ranges[1]
        .as_deref()
        .unwrap()
        .strip_prefix("bytes=")
        .unwrap()
        .strip_suffix('-')
        .unwrap();
    assert!((1..=2 * MIB).contains(&from.parse().unwrap()), "{from}");
}

#[test]
fn a_token_of_the_file_hosts_and_a_redirect_are_as_over_http_1() {
    let emulator = Emulator::start().unwrap();
    let client = over_tls(&emulator);
    let lifecycle = Lifecycle::new().access(Decision::Forbid);
    let answer = upload(&client, Upload::bytes(&b"secret"[..]).lifecycle(lifecycle)).unwrap();
    let what = || Download::new(answer.get_str("/url").unwrap()).unwrap();
    assert_eq!(
        download(&client, what()).unwrap_err().code(),
        Code::Forbidden
    );
    assert_eq!(
        &download(&client, what().with_file_token(true))
            .unwrap()
            .body()[..],
        b"secret"
    );
    emulator.clear_arrivals();
    emulator.inject(Fault::redirect("https://evil.example/x", 302));
    assert_eq!(
        download(&client, what().with_file_token(true))
            .unwrap_err()
            .code(),
        Code::Redirect
    );
    emulator.inject(Fault::redirect("https://evil.example/x", 307).method("PUT"));
    assert_eq!(
        upload(&client, Upload::bytes(&b"x"[..]))
            .unwrap_err()
            .code(),
        Code::Redirect
    );
    assert!(
        emulator
            .arrivals()
            .iter()
            .all(|arrival| arrival.host != "evil.example")
    );
    assert!(!emulator.connects().contains_key("evil.example"));
}
