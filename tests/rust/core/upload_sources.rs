//! The source of an upload: a file or a reader that changes or blocks.

use super::hostile::{answered, client_of, hostile_to};
use super::upload::{MIB, completed, content, file_of, puts, stored, upload};
use super::*;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fal::{Code, Upload, UploadWay};
use fal_emulator::Fault;

#[test]
fn a_reader_is_read_once() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(Fault::close().method("PUT"));
    let bytes = content(3 * MIB);
    let what =
        Upload::reader(std::io::Cursor::new(bytes), Some(3 * MIB as u64)).way(UploadWay::Signed);
    let error = upload(&client(&emulator), what.clone()).unwrap_err();
    assert_eq!(error.code(), Code::ConnectionLost, "{error}");
    assert_eq!(puts(&emulator).len(), 1);
    let error = upload(&client(&emulator), what).unwrap_err();
    assert!(error.message().contains("already used"), "{error}");
}

#[test]
fn a_reader_that_breaks_its_promise_or_fails_announces_nothing() {
    struct Failing(usize);
    impl std::io::Read for Failing {
        fn read(&mut self, piece: &mut [u8]) -> std::io::Result<usize> {
            let got = piece.len().min(self.0);
            self.0 -= got;
            if got == 0 {
                Err(std::io::Error::other("the tape tore"))
            } else {
                Ok(got)
            }
        }
    }
    for way in [
        UploadWay::Automatic,
        UploadWay::Signed,
        UploadWay::Direct,
        UploadWay::DirectParts,
    ] {
        for (given, promised) in [
            (25 * MIB, 25 * MIB - 1),
            (25 * MIB, 25 * MIB + 1),
            (3, 2),
            (3, 4),
            (MIB, MIB / 4),
            (20 * MIB, 10 * MIB),
        ] {
            let emulator = Emulator::start().unwrap();
            let what = Upload::reader(std::io::Cursor::new(content(given)), Some(promised as u64))
                .way(way);
            let error = upload(&client(&emulator), what).unwrap_err();
            assert_eq!(error.code(), Code::Io, "{way:?}: {error}");
            assert!(emulator.files().is_empty() && !completed(&emulator));
        }
        let emulator = Emulator::start().unwrap();
        let error = upload(
            &client(&emulator),
            Upload::reader(Failing(12 * MIB), Some(25 * MIB as u64)).way(way),
        )
        .unwrap_err();
        assert!(
            error.code() == Code::Io && error.message().contains("the tape tore"),
            "{way:?}: {error}"
        );
        assert!(emulator.files().is_empty() && !completed(&emulator));
    }
}

#[test]
fn a_file_that_changes_meanwhile_is_not_announced() {
    type Change = fn(&mut std::fs::File);
    let changes: [(&str, Change); 3] = [
        ("grows", |file| {
            use std::io::Seek;
            file.seek(std::io::SeekFrom::End(0)).unwrap();
            file.write_all(b"more").unwrap();
        }),
        ("shrinks", |file| file.set_len(5 * MIB as u64).unwrap()),
        ("changes", |file| file.write_all(b"other").unwrap()),
    ];
    for way in [
        UploadWay::Signed,
        UploadWay::Direct,
        UploadWay::DirectParts,
        UploadWay::SignedParts,
    ] {
        for (name, change) in changes {
            let emulator = Emulator::start().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let path = file_of(&folder, "input.bin", &content(25 * MIB));
            let op = client(&emulator)
                .upload_start(Upload::file(&path).way(way))
                .unwrap();
            // The file changes while a part, or the whole, is being sent.
            emulator
                .wait_until(PATIENCE, |arrivals| arrivals.len() >= 2)
                .unwrap();
            change(&mut std::fs::OpenOptions::new().write(true).open(&path).unwrap());
            op.wait(Some(PATIENCE)).unwrap();
            match op.take().unwrap() {
                Err(error) => {
                    assert_eq!(error.code(), Code::Io, "{way:?}, {name}: {error}");
                    assert!(error.message().contains("changed"), "{error}");
                    assert!(
                        !completed(&emulator) && emulator.files().is_empty(),
                        "{way:?}, {name}"
                    );
                }
                // The file changed after its last byte was read, so the unchanged content was sent.
                Ok(answer) => stored(&emulator, &answer, &content(25 * MIB)),
            }
        }
    }
}

/// A program that writes to a file and restores its modification time, as a copying program does,
/// is detected. Moving or replacing a file does not write to it.
#[cfg(unix)]
#[test]
fn a_file_whose_time_was_put_back_has_changed() {
    type Change = fn(&std::path::Path);
    let changes: [(&str, bool, Change); 4] = [
        ("is written to", true, |path| {
            let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            let time = file.metadata().unwrap().modified().unwrap();
            (&file).write_all(b"other").unwrap();
            file.set_modified(time).unwrap();
        }),
        ("is moved", false, |path| {
            std::fs::rename(path, path.with_extension("moved")).unwrap()
        }),
        ("is replaced", false, |path| {
            let other = path.with_extension("other");
            std::fs::write(&other, b"other").unwrap();
            std::fs::rename(other, path).unwrap();
        }),
        ("is for others to read", false, |path| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o604)).unwrap();
        }),
    ];
    for (name, is_change, change) in changes {
        let emulator = Emulator::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = file_of(&folder, "input.bin", &content(1000));
        emulator.inject(Fault::delay(Duration::from_millis(300)).method("PUT"));
        let op = client(&emulator)
            .upload_start(Upload::file(&path).way(UploadWay::SignedParts))
            .unwrap();
        emulator
            .wait_until(PATIENCE, |arrivals| {
                arrivals.iter().any(|one| one.method == "PUT")
            })
            .unwrap();
        change(&path);
        op.wait(Some(PATIENCE)).unwrap();
        match op.take().unwrap() {
            Ok(answer) => {
                assert!(!is_change, "{name}");
                stored(&emulator, &answer, &content(1000));
            }
            Err(error) => {
                assert!(
                    is_change && error.code() == Code::Io && error.message().contains("changed"),
                    "{name}: {error}"
                );
                assert!(!completed(&emulator) && emulator.files().is_empty());
            }
        }
    }
}

/// Runs an app with a file of letters that changes when the server has read `when` bytes of it.
/// Returns the outcome and how many times the run was sent.
fn run_of_a_file_that_changes(
    when: usize,
    answers_then: bool,
    change: fn(&Path),
) -> (Result<Response, Error>, usize) {
    file_that_changes(when, answers_then, change, |client, request| {
        client.run_start(request).unwrap()
    })
}

fn file_that_changes(
    when: usize,
    answers_then: bool,
    change: fn(&Path),
    start: fn(&Client, Request) -> Op,
) -> (Result<Response, Error>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = file_of(&folder, "input.bin", &[b'a'; 40 * MIB]);
    let (changed, posts) = (path.clone(), Arc::new(AtomicUsize::new(0)));
    let count = posts.clone();
    let host = hostile_to(move |head, connection| {
        count.fetch_add(1, Ordering::SeqCst);
        let (_, begun) = head.split_once("\r\n\r\n").unwrap();
        connection.read_exact(&mut vec![0; when - begun.len()])?;
        change(&changed);
        if !answers_then {
            connection.read_exact(&mut vec![0; 40 * MIB - when])?;
        }
        let (kind, body) = match head.contains("x-events") {
            true => ("text/event-stream", "data: {}\n\n"),
            false => ("application/json", "{}"),
        };
        answered(
            connection,
            "200 OK",
            &format!("x-fal-request-id: r-1\r\ncontent-type: {kind}\r\n"),
            body,
        )?;
        // The server stops reading and waits for the client to leave.
        std::thread::sleep(Duration::from_secs(1));
        Ok(())
    });
    let mut request = Request::run("emulator/echo").unwrap();
    request
        .set_body_of(Upload::file(&path), "application/octet-stream")
        .unwrap();
    let op = start(
        &client_of(&host).max_attempts(3).unwrap().build().unwrap(),
        request,
    );
    op.discard_events();
    assert!(op.wait(Some(PATIENCE)).unwrap());
    (op.take().unwrap(), posts.load(Ordering::SeqCst))
}

/// An output belongs to one version of the file, or there is an error, also if the app stops
/// reading. Changes after the file was read are ignored.
#[test]
fn a_run_gets_one_version_of_a_file() {
    fn at(path: &Path, at: u64) {
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        std::io::Seek::seek(&mut &file, std::io::SeekFrom::Start(at)).unwrap();
        (&file).write_all(b"b").unwrap();
    }
    const LENGTH: u64 = 40 * MIB as u64;
    type Change = fn(&Path);
    let changes: [(&str, Change); 5] = [
        ("what was read", |path| at(path, 0)),
        ("what was not read", |path| at(path, LENGTH - 1)),
        ("its end", |path| at(path, LENGTH)),
        ("its length", |path| {
            std::fs::OpenOptions::new()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(LENGTH / 2)
                .unwrap()
        }),
        ("what was read, and its time back", |path| {
            let time = std::fs::metadata(path).unwrap().modified().unwrap();
            at(path, 0);
            std::fs::OpenOptions::new()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        }),
    ];
    let (outcome, posts) = run_of_a_file_that_changes(MIB, true, |_| {});
    assert!(outcome.is_ok() && posts == 1, "{outcome:?}");
    for (what, change) in changes {
        if cfg!(windows) && what.ends_with("back") {
            continue;
        }
        let (outcome, posts) = run_of_a_file_that_changes(MIB, false, change);
        let error = outcome.expect_err(what);
        assert_eq!(
            (error.code(), error.may_have_executed(), posts),
            (Code::Io, false, 1),
            "{what}: {error}"
        );
        assert!(error.message().contains("changed"), "{what}: {error}");
        let (outcome, posts) = run_of_a_file_that_changes(40 * MIB, false, change);
        assert!(
            outcome.is_ok() && posts == 1,
            "{what}, behind its end: {outcome:?}"
        );
        let (outcome, posts) = run_of_a_file_that_changes(MIB, true, change);
        let error = outcome.expect_err(what);
        assert_eq!(
            (error.code(), error.may_have_executed(), posts),
            (Code::Io, true, 1),
            "{what}: {error}"
        );
        assert!(
            error.message().contains("changed") && error.body() == b"{}",
            "{what}: {error}"
        );
        assert_eq!(
            error.request_id(),
            Some("r-1"),
            "{what}: the output is not lost"
        );
        // A response that is read piece by piece.
        let pieces: [fn(&Client, Request) -> Op; 2] = [
            |client, request| client.stream_start(request).unwrap(),
            |client, mut request| {
                request.set_header("x-events", "1").unwrap();
                client.stream_start(request).unwrap()
            },
        ];
        for start in pieces {
            let (outcome, posts) = file_that_changes(MIB, true, change, start);
            let error = outcome.expect_err(what);
            assert_eq!(
                (error.code(), error.may_have_executed(), posts),
                (Code::Io, true, 1),
                "{what}: {error}"
            );
        }
    }
}

#[test]
fn a_path_that_is_no_file_is_refused_before_anything_is_sent() {
    let emulator = Emulator::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let client = client(&emulator);
    for (path, code) in [
        (folder.path().to_owned(), Code::InvalidArgument),
        (folder.path().join("missing.png"), Code::Io),
        (PathBuf::from("/dev/null"), Code::InvalidArgument),
        (PathBuf::from("a\0b"), Code::Io),
    ] {
        let error = upload(&client, Upload::file(&path)).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    assert!(emulator.arrivals().is_empty());
}

#[test]
fn readers_that_block_keep_nobody_waiting_but_readers() {
    struct Blocked(std::sync::mpsc::Receiver<()>);
    impl std::io::Read for Blocked {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            Ok(0)
        }
    }
    let emulator = Emulator::start().unwrap();
    let readers = client(&emulator);
    // Many more than there are threads.
    let (blocked, ops): (Vec<_>, Vec<_>) = (0..20)
        .map(|_| {
            let (release, blocked) = std::sync::mpsc::channel();
            (
                release,
                readers
                    .upload_start(Upload::reader(Blocked(blocked), None))
                    .unwrap(),
            )
        })
        .unzip();
    // A key in a file, a program that prints one, a name to resolve, and files to read and to
    // write.
    let folder = tempfile::tempdir().unwrap();
    let key = file_of(&folder, "key", emulator.api_key().as_bytes());
    let proxy = format!("localhost:{}", emulator.host().rsplit(':').next().unwrap());
    for (name, value) in [
        ("FAL_KEY_FILE", key.display().to_string()),
        ("FAL_KEY_COMMAND", format!("cat {}", key.display())),
    ] {
        let variables = [(name, &*value), ("HTTPS_PROXY", &*proxy)];
        let client = crate::logged::builder().environment(Environment::from_variables(variables));
        let client = client
            .add_root_certificates(emulator.ca_pem().as_bytes())
            .unwrap()
            .timeout(PATIENCE);
        let client = client.build().unwrap();
        echo(&client).unwrap_or_else(|e| panic!("{name}: {e}"));
        let bytes = content(3 * MIB);
        let from = file_of(&folder, "from", &bytes);
        let answer = upload(&client, Upload::file(&from)).unwrap();
        let what = fal::Download::new(answer.get_str("/url").unwrap()).unwrap();
        let to = folder.path().join(name);
        Op::finish(|| client.download_start(what.to(&to))).unwrap();
        assert!(std::fs::read(&to).unwrap() == bytes);
    }
    assert!(
        ops.iter().all(|op| !op.poll().unwrap()),
        "a reader did not block"
    );
    drop(blocked);
    for op in ops {
        op.wait(Some(PATIENCE)).unwrap();
        op.take().unwrap().unwrap();
    }
}
