//! An upload and a download of a gigabyte use little memory. The file has a single test, because
//! another one would add its memory.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

#[path = "logged.rs"]
mod logged;

use std::fs::File;
use std::io::Read;

use fal::credentials::Environment;
use fal::{Download, Op, Upload, UploadWay};
use fal_emulator::Emulator;

const SIZE: u64 = 1 << 30;
/// A smaller size for transfers in which a gigabyte would show no more.
const LESS: u64 = 256 << 20;
/// The limit for this process, including the emulator.
const MOST: u64 = 96 << 20;

/// The peak memory of this process.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

fn zeros() -> impl Read + Send {
    std::io::repeat(0).take(LESS)
}

#[test]
fn a_gigabyte_does_not_fill_the_memory() {
    let emulator = Emulator::start().unwrap();
    let variables = [
        ("FAL_KEY", emulator.api_key().to_owned()),
        ("FAL_EMULATOR_HOST", emulator.host()),
    ];
    let client = logged::builder()
        .environment(Environment::from_variables(variables))
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse");
    File::create(&path).unwrap().set_len(SIZE).unwrap();
    Op::finish(|| {
        client.upload_start(Upload::bytes(vec![1; 11 << 20]).way(UploadWay::SignedParts))
    })
    .unwrap();
    let start = peak();
    let mut last = start;
    let mut measured = |what: &str| {
        let now = peak();
        println!(
            "{what}: {} MiB more, {} MiB in all",
            now.saturating_sub(last) >> 20,
            now.saturating_sub(start) >> 20
        );
        assert!(
            now.saturating_sub(start) < MOST,
            "{what}: {} MiB",
            now.saturating_sub(start) >> 20
        );
        last = now;
    };
    let answer = Op::finish(|| client.upload_start(Upload::file(&path))).unwrap();
    assert_eq!(answer.get("/size").unwrap(), SIZE);
    measured("a file in parts");
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(LESS)
        .unwrap();
    Op::finish(|| client.upload_start(Upload::file(&path).way(UploadWay::Signed))).unwrap();
    measured("a file in one request");
    Op::finish(|| client.upload_start(Upload::reader(zeros(), None))).unwrap();
    measured("a reader");
    let back = folder.path().join("back");
    let url = answer.get_str("/url").unwrap();
    Op::finish(|| client.download_start(Download::new(url).unwrap().to(&back))).unwrap();
    measured("a download");
    assert_eq!(back.metadata().unwrap().len(), SIZE);
}
