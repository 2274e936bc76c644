//! Disks that are full or refuse every write: a download fails with a clear error, the host keeps
//! running, and no partial file is left.

#![cfg(target_os = "linux")]

use super::upload::{content, upload};
use super::*;
use fal::{Code, Download, Upload};
use fal_emulator::Fault;
use std::path::{Path, PathBuf};
use std::process::Command;

const MIB: usize = 1 << 20;
const OLD: &[u8] = b"what was there before";

fn download(client: &Client, what: Download) -> Result<Response, Error> {
    Op::finish(|| client.download_start(what))
}

/// Asserts that a download which does not fit into `folder` fails, both over an existing file and
/// to a new path.
fn assert_fails(client: &Client, url: &str, folder: &Path, what: &str, remedy: &str) {
    let (old, new) = (folder.join("old"), folder.join("new"));
    std::fs::write(&old, OLD).unwrap();
    for to in [&old, &new] {
        let error =
            download(client, Download::new(url).unwrap().to(to).overwrite(true)).unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Io, false),
            "{error}"
        );
        let place = format!("cannot write {to:?}: ");
        assert!(
            error.message().starts_with(&place) && error.message().contains(what),
            "{error}"
        );
        assert!(error.remedy().contains(remedy), "{}", error.remedy());
    }
    assert_eq!(std::fs::read(&old).unwrap(), OLD);
    assert_eq!(
        std::fs::read_dir(folder).unwrap().count(),
        1,
        "half a file is left"
    );
    // The space of the failed download is free again.
    let small = Download::new("data:,small").unwrap();
    download(client, small.to(&new)).unwrap();
    assert_eq!(std::fs::read(&new).unwrap(), b"small");
}

/// Asserts that when the disk does not take the output of a run, the error carries the output and
/// the id of its request.
fn assert_kept(client: &Client, folder: &Path, what: &str) {
    let before = std::fs::read_dir(folder).unwrap().count();
    let error = save_run(client, &folder.join("run")).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Io, true),
        "{error}"
    );
    assert!(
        error.message().contains(what) && error.message().contains("body of this error"),
        "{error}"
    );
    assert!(error.request_id().is_some(), "{error}");
    assert!(
        error.body() == made(),
        "{} bytes are kept",
        error.body().len()
    );
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), before);
}

fn save_run(client: &Client, to: &Path) -> Result<Response, Error> {
    download(client, Download::of_request(run_of(8 * MIB)).to(to))
}

fn run_of(size: usize) -> Request {
    let mut request = Request::run("emulator/bytes").unwrap();
    request.set_json(json!({ "size": size }));
    request
}

/// The output of such a run.
fn made() -> Vec<u8> {
    (0..8 * MIB).map(|at| (at % 251) as u8).collect()
}

/// Tells a child process of a test the folder to use and the file to download.
const CHILD: &str = "FAL_TEST_DISK_FOLDER";
const URL: &str = "FAL_TEST_DISK_URL";

#[test]
fn a_file_beyond_the_limit_of_the_process_does_not_end_the_host() {
    if let Ok(folder) = std::env::var(CHILD) {
        let client = crate::logged::builder().build().unwrap();
        assert_fails(
            &client,
            &std::env::var(URL).unwrap(),
            folder.as_ref(),
            "File too large",
            "limit for the size of files",
        );
        assert_kept(&client, folder.as_ref(), "File too large");
        // An output above the limit of a response in memory stays on the disk, as far as it was
        // received.
        let small = crate::logged::builder()
            .max_response_bytes(MIB)
            .build()
            .unwrap();
        let kept = Path::new(&folder).join("run-1");
        let error = save_run(&small, &Path::new(&folder).join("run")).unwrap_err();
        assert!(error.message().contains(&format!("{kept:?}")), "{error}");
        assert!(
            error.request_id().is_some() && error.remedy().contains("models.requests.by_endpoint"),
            "{error}"
        );
        let kept = std::fs::read(kept).unwrap();
        assert!(
            kept.len() >= MIB && made().starts_with(&kept),
            "{} bytes",
            kept.len()
        );
        return;
    }
    let emulator = Emulator::start().unwrap();
    let answer = upload(&client(&emulator), Upload::bytes(content(8 * MIB))).unwrap();
    let (folder, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // The signal that a write beyond the limit raises has its default action, which ends the
    // process.
    let mut child = Command::new("sh");
    let test = "disks::a_file_beyond_the_limit_of_the_process_does_not_end_the_host";
    child
        .args(["-c", "ulimit -f 4096 && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap());
    child
        .args([test, "--exact"])
        .env(CHILD, folder.path())
        .env(URL, answer.get_str("/url").unwrap());
    child
        .env("FAL_KEY", emulator.api_key())
        .env("FAL_EMULATOR_HOST", emulator.host())
        .env("TEST_LOGS", logs.path());
    let output = child.output().unwrap();
    let lines = std::fs::read_to_string(logs.path().join("rust.log")).unwrap();
    lines
        .lines()
        .for_each(|line| crate::logged::write(fal::Level::Debug, line));
    assert!(
        output.status.success(),
        "{:?}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout)
    );
}

/// A tmpfs, where the user may mount one.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, options: &str) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(at)
            .output();
        mounted
            .ok()
            .filter(|output| output.status.success())
            .map(|_| Disk(at.to_owned()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_is_told_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(folder.path(), "size=3m") else {
        // Only root may mount. The test of the process's file size limit covers the same code.
        return;
    };
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let answer = upload(&client, Upload::bytes(content(8 * MIB))).unwrap();
    assert_fails(
        &client,
        answer.get_str("/url").unwrap(),
        folder.path(),
        "No space left",
        "Make room",
    );
    assert_kept(&client, folder.path(), "No space left");
}

fn wait_for_file(folder: &Path) {
    let until = std::time::Instant::now() + PATIENCE;
    while std::fs::read_dir(folder).unwrap().count() == 0 {
        assert!(std::time::Instant::now() < until, "nothing is written");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_folder_that_takes_no_file_is_told() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let url = upload(&client, Upload::bytes(content(8 * MIB)))
        .unwrap()
        .get_str("/url")
        .unwrap()
        .to_owned();
    // Not even root may create files in these places.
    let mut places = vec![(PathBuf::from("/sys"), "Permission denied")];
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::mount(folder.path(), "ro");
    if disk.is_some() {
        places.push((folder.path().to_owned(), "Read-only"));
    }
    for (place, what) in places {
        let error =
            download(&client, Download::new(&url).unwrap().to(place.join("a"))).unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Io, false),
            "{error}"
        );
        assert!(
            error.message().contains("cannot create") && error.message().contains(what),
            "{error}"
        );
        assert!(
            error.remedy().contains("may create files"),
            "{}",
            error.remedy()
        );
    }
    drop(disk);
    // A folder that is removed during the download.
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    emulator.clear_arrivals();
    emulator.inject(Fault::slow(64 << 10, Duration::from_millis(5)));
    let op = client
        .download_start(Download::new(&url).unwrap().to(inner.join("a")))
        .unwrap();
    wait_for_file(&inner);
    std::fs::remove_dir_all(&inner).unwrap();
    op.wait(Some(PATIENCE)).unwrap();
    let error = op.take().unwrap().unwrap_err();
    assert!(
        error.code() == Code::Io && error.message().contains("cannot create"),
        "{error}"
    );
    assert!(!inner.exists());
    // The output of a run is not lost with the folder.
    std::fs::create_dir(&inner).unwrap();
    emulator.inject(Fault::slow(64 << 10, Duration::from_millis(5)));
    let op = client
        .download_start(Download::of_request(run_of(8 * MIB)).to(inner.join("a")))
        .unwrap();
    wait_for_file(&inner);
    std::fs::remove_dir_all(&inner).unwrap();
    op.wait(Some(PATIENCE)).unwrap();
    let error = op.take().unwrap().unwrap_err();
    assert!(
        error.code() == Code::Io && error.message().contains("cannot create"),
        "{error}"
    );
    assert!(
        error.may_have_executed() && error.request_id().is_some(),
        "{error}"
    );
    assert!(
        error.body() == made(),
        "{} bytes are kept",
        error.body().len()
    );
}

/// The system reports the size 0 for such a file. An empty upload would lose the content silently.
#[test]
fn a_file_that_is_said_to_be_empty_and_is_not_is_an_error() {
    let path = Path::new("/proc/self/status");
    assert_eq!(path.metadata().unwrap().len(), 0);
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let assert_refused = |error: Error| {
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Io, false),
            "{error}"
        );
        assert!(
            error
                .message()
                .contains("\"/proc/self/status\" has more than the 0 bytes"),
            "{error}"
        );
        assert!(
            error.remedy().contains("send the bytes"),
            "{}",
            error.remedy()
        );
    };
    for way in fal::UploadWay::ALL {
        assert_refused(upload(&client, Upload::file(path).way(*way)).unwrap_err());
    }
    assert_refused(upload(&client, Upload::file(path)).unwrap_err());
    let mut input = Request::run("emulator/echo").unwrap();
    input.set_file("image_url", path).unwrap();
    assert_refused(Op::finish(|| client.run_start(input)).unwrap_err());
    assert!(
        emulator.files().is_empty() && emulator.arrivals().is_empty(),
        "something was sent"
    );
    // The content can be uploaded once it has been read.
    let bytes = std::fs::read(path).unwrap();
    assert!(!bytes.is_empty());
    assert_eq!(
        upload(&client, Upload::bytes(bytes.clone()))
            .unwrap()
            .get("/size")
            .unwrap(),
        bytes.len()
    );
    let empty = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(
        upload(&client, Upload::file(empty.path()))
            .unwrap()
            .get("/size")
            .unwrap(),
        0
    );
}
