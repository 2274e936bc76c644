//! Disks that fail at a later step than a full disk: when a file is synchronized, and when it gets
//! the permissions of the file that it replaces. A filter of system calls simulates them.

#![cfg(target_os = "linux")]

use super::*;
use crate::system_calls::refuse;
use fal::{Code, Download};
use fal_emulator::Fault;
use std::path::{Path, PathBuf};
use std::process::Command;

const SIZE: usize = 1 << 20;

/// Tells a child process of a test the folder to use.
const CHILD: &str = "FAL_TEST_REFUSING_FOLDER";

/// Runs this test again in a child process. Returns the folder in the child, and nothing in the
/// parent.
fn in_child(name: &str, prepare: impl FnOnce(&Path)) -> Option<PathBuf> {
    if let Ok(folder) = std::env::var(CHILD) {
        return Some(folder.into());
    }
    let emulator = Emulator::start().unwrap();
    let named = "attachment; filename=out.bin";
    let fault = Fault::status(200)
        .body("x".repeat(SIZE))
        .path("/emulator/named");
    emulator.inject(fault.header("content-disposition", named).always());
    let (folder, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    prepare(folder.path());
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args([&format!("disks_refuse::{name}"), "--exact"])
        .env(CHILD, folder.path())
        .env("FAL_KEY", emulator.api_key())
        .env("FAL_EMULATOR_HOST", emulator.host())
        .env("TEST_LOGS", logs.path());
    let output = child.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{:?}\n{told}", output.status);
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    None
}

fn client() -> Client {
    crate::logged::builder().build().unwrap()
}

fn run_to(client: &Client, to: &Path, overwrite: bool) -> Result<Response, Error> {
    let request = Request::run("emulator/named").unwrap();
    let what = Download::of_request(request).to(to).overwrite(overwrite);
    Op::finish(|| client.download_start(what))
}

fn count(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn what_is_not_on_the_disk_is_not_in_its_place() {
    let name = "what_is_not_on_the_disk_is_not_in_its_place";
    let prepare = |folder: &Path| std::fs::write(folder.join("old"), b"mine").unwrap();
    let Some(folder) = in_child(name, prepare) else {
        return;
    };
    refuse(&[libc::SYS_fsync, libc::SYS_fdatasync], libc::EIO);
    let client = client();
    let (old, new) = (folder.join("old"), folder.join("new"));
    for to in [&old, &new] {
        // What can be downloaded again is not kept …
        let what = Download::new("data:,small").unwrap();
        let error = Op::finish(|| client.download_start(what.to(to).overwrite(true))).unwrap_err();
        let told = format!("cannot write {to:?}: Input/output error");
        assert!(error.message().starts_with(&told), "{error}");
        assert_eq!((error.code(), error.may_have_executed()), (Code::Io, false));
        // … and the output of a run is kept and returned.
        let error = run_to(&client, to, true).unwrap_err();
        assert!(error.message().starts_with(&told), "{error}");
        assert!(
            error.message().contains("the body of this error"),
            "{error}"
        );
        assert_eq!((error.code(), error.may_have_executed()), (Code::Io, true));
        assert_eq!(error.body().len(), SIZE);
        assert_eq!(
            (count(&folder), &std::fs::read(&old).unwrap()[..]),
            (1, &b"mine"[..])
        );
    }
    // An output above the limit of a response in memory stays on the disk.
    let small = crate::logged::builder()
        .max_response_bytes(SIZE / 2)
        .build()
        .unwrap();
    let error = run_to(&small, &new, true).unwrap_err();
    let part = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let part = part.into_iter().find(|path| *path != old).unwrap();
    assert!(error.message().contains(&format!("{part:?}")), "{error}");
    assert_eq!(std::fs::metadata(&part).unwrap().len() as usize, SIZE);
    assert_eq!(count(&folder), 2);
}

#[test]
fn what_cannot_allow_what_the_one_before_it_did_does_not_take_its_place() {
    let name = "what_cannot_allow_what_the_one_before_it_did_does_not_take_its_place";
    let prepare = |folder: &Path| std::fs::write(folder.join("out.bin"), b"mine").unwrap();
    let Some(folder) = in_child(name, prepare) else {
        return;
    };
    refuse(&[libc::SYS_fchmod], libc::EPERM);
    let client = client();
    let place = folder.join("out.bin");
    let told = format!("cannot create {place:?}: Operation not permitted");
    // If the path is known, the error is reported before the run.
    let error = run_to(&client, &place, true).unwrap_err();
    assert_eq!((error.code(), error.may_have_executed()), (Code::Io, false));
    assert!(error.message().starts_with(&told), "{error}");
    // A download that can be repeated fails once its name is known …
    let what = Download::new("https://fal.run/emulator/named").unwrap();
    let error = Op::finish(|| client.download_start(what.to(&folder).overwrite(true))).unwrap_err();
    assert_eq!(error.code(), Code::Io, "{error}");
    assert_eq!(count(&folder), 1);
    // … and the output of a run is stored under another name.
    let answer = run_to(&client, &folder, true).unwrap();
    assert_eq!(answer.get_str("/file_name").unwrap(), "out-1.bin");
    assert_eq!(std::fs::read(folder.join("out-1.bin")).unwrap().len(), SIZE);
    assert_eq!(
        (count(&folder), &std::fs::read(&place).unwrap()[..]),
        (2, &b"mine"[..])
    );
}
