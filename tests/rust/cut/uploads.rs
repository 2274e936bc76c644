//! Uploads: every way, from bytes, a file and a reader.

use std::path::PathBuf;

use fal::{Upload, UploadWay};
use serde_json::{Value, json};

use super::table::{Effect, Plan, Row, Step, ask, row, send};

type Source = fn(&Plan) -> Upload;

pub(crate) const SOURCES: [(&str, Source); 3] =
    [("bytes", bytes), ("a file", of_file), ("a reader", reader)];

fn bytes(plan: &Plan) -> Upload {
    Upload::bytes(vec![0; plan.size()])
}

fn of_file(plan: &Plan) -> Upload {
    Upload::file(file(plan))
}

fn reader(plan: &Plan) -> Upload {
    let size = plan.size() as u64;
    Upload::reader(std::io::Read::take(std::io::repeat(0), size), Some(size))
}

/// Creates a file of the plan's size.
pub(crate) fn file(plan: &Plan) -> PathBuf {
    let path = plan.folder.join("sent");
    std::fs::File::create(&path)
        .unwrap()
        .set_len(plan.size() as u64)
        .unwrap();
    path
}

const FILE: &str = "https://v3.fal.media/files/a/b.bin";

fn announce(to: &str) -> Step {
    ask(Effect::None, json!({"upload_url": to, "file_url": FILE}))
}

/// The request for a token, whose response contains `token`.
pub(crate) fn token() -> Step {
    let kept = json!({
        "token": "fake-token", "token_type": "Bearer", "base_url": "https://v3.fal.media",
        "expires_at": "2099-01-01T00:00:00Z",
    });
    ask(Effect::None, kept)
}

/// A PUT, which replaces what an earlier one stored.
fn put() -> Step {
    send(Effect::None, json!({"etag": "e"}))
}

/// The completing request, after which the file exists.
fn complete() -> Step {
    ask(Effect::Done, json!({}))
}

pub(crate) fn signed() -> Vec<Step> {
    vec![announce("https://signed.example/x?signature=y"), put()]
}

pub(crate) fn direct() -> Vec<Step> {
    vec![token(), send(Effect::Done, json!({"access_url": FILE}))]
}

fn steps(way: UploadWay) -> Vec<Step> {
    match way {
        UploadWay::Direct => direct(),
        UploadWay::DirectParts => {
            let begun: Value = json!({"access_url": FILE, "uploadId": "u"});
            vec![token(), ask(Effect::None, begun), put(), complete()]
        }
        UploadWay::SignedParts => vec![
            announce("https://signed.example/x?signature=y"),
            put(),
            complete(),
        ],
        UploadWay::GoogleParts => vec![
            announce("https://rest.fal.ai/storage/upload/multipart/u"),
            ask(
                Effect::None,
                json!({"upload_url": "https://storage.googleapis.com/x"}),
            ),
            put(),
            complete(),
        ],
        _ => signed(),
    }
}

pub(crate) fn rows() -> Vec<Row> {
    let all = UploadWay::ALL
        .iter()
        .flat_map(|way| SOURCES.map(|(source, of)| (*way, source, of)));
    let rows = all.map(|(way, source, of)| {
        let mut steps = steps(way);
        // A whole part is read from a reader first, which is all of the content here.
        if way == UploadWay::Automatic && source == "a reader" {
            steps = signed();
        }
        row(
            &format!("upload {way:?} from {source}"),
            "services/storage/upload/mod.rs upload_start",
            steps,
            move |client, plan| client.upload_start(of(plan).way(way)),
        )
    });
    rows.collect()
}
