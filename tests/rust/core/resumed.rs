//! Resumed downloads: the bytes of one version of the file, or an error.

use super::hostile::{client_of, hostile_to};
use super::*;
use fal::Download;
use std::io::Write;

const OLD: [u8; 100] = [b'A'; 100];
const NEW: [u8; 100] = [b'B'; 100];
const CHANGED: &str = "last-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
const THEN: &str = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
const LATER: &str = "date: Sun, 06 Nov 1994 09:49:37 GMT\r\n";

/// Runs a download whose first response, with the headers `first`, breaks off in the middle. A
/// request for the rest gets `second` and `rest`, and every other request gets the new version.
fn resumed(first: String, second: String, rest: &'static [u8]) -> Vec<u8> {
    let count = std::sync::atomic::AtomicU32::new(0);
    let host = hostile_to(move |head, connection| {
        if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            write!(
                connection,
                "HTTP/1.1 200 OK\r\n{first}content-length: 100\r\n\r\n"
            )?;
            return connection.write_all(&OLD[..50]);
        }
        if head.to_ascii_lowercase().contains("\r\nrange:") {
            write!(
                connection,
                "HTTP/1.1 206 Partial Content\r\n{second}connection: close\r\n\r\n"
            )?;
            return connection.write_all(rest);
        }
        write!(
            connection,
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\n"
        )?;
        connection.write_all(&NEW)
    });
    let client = client_of(&host).max_attempts(4).unwrap().build().unwrap();
    let what = Download::new("https://v3.fal.media/files/x").unwrap();
    Op::finish(|| client.download_start(what))
        .unwrap()
        .body()
        .to_vec()
}

const RANGE: &str = "content-range: bytes 50-99/100\r\ncontent-length: 50\r\n";
const TAG: &str = "etag: \"a\"\r\n";

#[test]
fn two_versions_are_never_joined() {
    let rest = &NEW[50..];
    for (what, first, second) in [
        (
            "weak tags",
            format!("etag: W/\"a\"\r\n{CHANGED}{THEN}"),
            format!("etag: W/\"b\"\r\n{CHANGED}{RANGE}"),
        ),
        (
            "weak tags and a file at rest",
            format!("etag: W/\"a\"\r\n{CHANGED}{LATER}"),
            format!("etag: W/\"b\"\r\n{CHANGED}{RANGE}"),
        ),
        (
            "a time of this second",
            format!("{CHANGED}{THEN}"),
            format!("{CHANGED}{RANGE}"),
        ),
        (
            "a time, then a tag",
            format!("{CHANGED}{LATER}"),
            format!("{TAG}{CHANGED}{RANGE}"),
        ),
        (
            "a time, then none",
            format!("{CHANGED}{LATER}"),
            RANGE.to_owned(),
        ),
        ("a strong tag, then none", TAG.to_owned(), RANGE.to_owned()),
        (
            "a strong tag, then a weak one",
            format!("{TAG}{CHANGED}"),
            format!("etag: W/\"b\"\r\n{CHANGED}{RANGE}"),
        ),
        (
            "a strong tag, then the same as a weak one",
            TAG.to_owned(),
            format!("etag: W/\"a\"\r\n{RANGE}"),
        ),
        (
            "a strong tag, then a time",
            format!("{TAG}{CHANGED}{LATER}"),
            format!("{CHANGED}{RANGE}"),
        ),
    ] {
        assert!(resumed(first, second, rest) == NEW, "{what}");
    }
}

#[test]
fn a_part_of_another_length_is_not_joined() {
    let chunked =
        |range: &str| format!("{TAG}content-range: {range}\r\ntransfer-encoding: chunked\r\n");
    for (what, second, rest) in [
        (
            "shorter than it is",
            format!("{TAG}content-range: bytes 50-59/100\r\ncontent-length: 50\r\n"),
            &NEW[50..],
        ),
        (
            "longer than it is",
            format!("{TAG}{}", RANGE.replace("length: 50", "length: 10")),
            &NEW[90..],
        ),
        (
            "more than it says",
            chunked("bytes 50-59/100"),
            b"32\r\nBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB\r\n0\r\n\r\n",
        ),
        (
            "fewer than it says",
            chunked("bytes 50-99/100"),
            b"5\r\nBBBBB\r\n0\r\n\r\n",
        ),
    ] {
        assert!(resumed(TAG.to_owned(), second, rest) == NEW, "{what}");
    }
}

/// A response that says that there is no content does not complete a partial file either.
#[test]
fn nothing_is_not_the_rest_of_a_file() {
    for status in ["202 Accepted", "204 No Content", "205 Reset Content"] {
        let host = hostile_to(move |head, connection| {
            if head.to_ascii_lowercase().contains("\r\nrange:") {
                return write!(
                    connection,
                    "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
            }
            write!(
                connection,
                "HTTP/1.1 200 OK\r\n{TAG}content-length: 100\r\n\r\n"
            )?;
            connection.write_all(&OLD[..50])
        });
        let client = client_of(&host).max_attempts(4).unwrap().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let what = Download::new("https://v3.fal.media/files/x").unwrap();
        for what in [what.clone(), what.to(folder.path().join("x"))] {
            let error = Op::finish(|| client.download_start(what)).expect_err(status);
            assert_eq!(
                (error.code(), error.may_have_executed()),
                (fal::Code::Protocol, false),
                "{error}"
            );
        }
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "{status}"
        );
    }
}

#[test]
fn what_is_the_same_version_is_joined() {
    let joined = [&OLD[..50], &NEW[50..]].concat();
    assert!(
        resumed(
            format!("{TAG}{CHANGED}{THEN}"),
            format!("{TAG}{RANGE}"),
            &NEW[50..]
        ) == joined
    );
    assert!(
        resumed(
            format!("{CHANGED}{LATER}"),
            format!("{CHANGED}{RANGE}"),
            &NEW[50..]
        ) == joined
    );
}
