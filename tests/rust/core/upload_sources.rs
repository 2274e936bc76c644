//! What an upload takes its bytes from: a file or a reader that is not what it was, or blocks.

use super::upload::{MIB, completed, content, file_of, puts, stored, upload};
use super::*;
use std::io::Write;
use std::path::PathBuf;

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
    assert!(error.message().contains("used before"), "{error}");
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
            // While a part, or the whole, is under way.
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
                // The change came after the last byte was read: then it is the file as it was.
                Ok(answer) => stored(&emulator, &answer, &content(25 * MIB)),
            }
        }
    }
}

/// What writes to a file and puts its time back, as a program that copies does, is noticed; who
/// moves or replaces it has not written to it.
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
    // A key in a file, a program that prints one, a name to look up, files to read and to write.
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
