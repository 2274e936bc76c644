//! Responses in gzip: each byte of each member is returned, or an error.

use std::io::Write;

use super::hostile::{client_of, hostile_to};
use super::*;
use fal::{Code, Download};
use fal_emulator::{Fault, Settings};
use flate2::Compression;
use flate2::write::GzEncoder;

fn member(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Starts a server that returns this body to every request, in pieces of `piece` bytes.
fn coded(body: Vec<u8>, piece: usize) -> Client {
    let host = hostile_to(move |_, connection| {
        let length = body.len();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-fal-request-id: r\r\ncontent-encoding: gzip";
        write!(
            connection,
            "{head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        )?;
        body.chunks(piece)
            .try_for_each(|piece| connection.write_all(piece))
    });
    client_of(&host).build().unwrap()
}

fn saved(client: &Client, folder: &tempfile::TempDir) -> Result<Vec<u8>, Error> {
    let path = folder.path().join("file");
    let what = Download::new("https://v3.fal.media/files/x")
        .unwrap()
        .to(&path)
        .overwrite(true);
    Op::finish(|| client.download_start(what)).map(|_| std::fs::read(&path).unwrap())
}

#[test]
fn every_member_counts() {
    let folder = tempfile::tempdir().unwrap();
    let text = [&br#"{"images":["one","#[..], b"", br#""two"]}"#, b" "];
    let members: Vec<u8> = text.iter().flat_map(|text| member(text)).collect();
    // Thousands of empty members add nothing.
    let many = [vec![member(b""); 5000].concat(), members.clone()].concat();
    for (body, piece) in [
        (members.clone(), usize::MAX),
        (members, 1),
        (many, usize::MAX),
    ] {
        let client = coded(body, piece);
        let answer = run(&client, "a/b", json!({})).unwrap();
        assert_eq!(answer.get("/images").unwrap(), &json!(["one", "two"]));
        assert_eq!(answer.header("content-encoding"), None);
        let file = Op::finish(|| {
            client.download_start(Download::new("https://v3.fal.media/files/x").unwrap())
        })
        .unwrap();
        assert_eq!(file.body()[..], text.concat());
        assert_eq!(saved(&client, &folder).unwrap(), text.concat());
    }
    let none = coded(Vec::new(), 1);
    assert!(run(&none, "a/b", json!({})).unwrap().body().is_empty());
}

#[test]
fn what_is_no_member_or_half_of_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let whole = member(br#"{"images":[]}"#);
    let mut other_sum = whole.clone();
    *other_sum.iter_mut().nth_back(6).unwrap() ^= 1;
    for (what, body) in [
        ("garbage behind it", [&whole[..], b"garbage"].concat()),
        ("zeros behind it", [&whole[..], &[0; 512]].concat()),
        (
            "the beginning of a member behind it",
            [&whole[..], &whole[..5]].concat(),
        ),
        ("the first bytes of one", [&whole[..], &whole[..1]].concat()),
        ("another sum", other_sum),
        ("no end", whole[..whole.len() - 1].to_vec()),
        ("no data", whole[..10].to_vec()),
    ] {
        for piece in [1, usize::MAX] {
            let client = coded(body.clone(), piece);
            let error = run(&client, "a/b", json!({})).expect_err(what);
            assert_eq!(
                (error.code(), error.may_have_executed()),
                (Code::Protocol, true),
                "{what}: {error}"
            );
            assert_eq!(
                saved(&client, &folder).expect_err(what).code(),
                Code::Protocol,
                "{what}"
            );
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_service_may_use_several_members() {
    let emulator = Emulator::builder()
        .settings(Settings {
            gzip: true,
            ..Settings::default()
        })
        .start()
        .unwrap();
    let client = client(&emulator);
    emulator.inject(Fault::gzip_members(3).always());
    assert_eq!(
        echo(&client).unwrap().get_str("/body/word").unwrap(),
        "hello"
    );
    assert!(
        emulator
            .arrivals()
            .iter()
            .all(|arrival| arrival.headers["accept-encoding"] == "gzip")
    );
}
