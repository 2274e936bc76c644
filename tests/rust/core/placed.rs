//! The path of a download: errors about it are reported before a request is sent, and the output of
//! a run is never thrown away.

use super::*;
use fal::{Code, Download};
use fal_emulator::Fault;
use std::path::Path;

fn saved(client: &Client, to: &Path) -> Result<Response, Error> {
    let mut request = Request::run("emulator/bytes").unwrap();
    request.set_json(json!({"size": 5000}));
    let what = Download::of_request(request).to(to);
    Op::finish(|| client.download_start(what))
}

#[test]
fn a_place_that_cannot_be_is_told_before_anything_is_sent() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"mine").unwrap();
    let mut places = vec![
        (Path::new("").to_owned(), Code::InvalidArgument),
        (folder.path().join("new/"), Code::Io),
        (folder.path().join("new/file"), Code::Io),
        (file.join("file"), Code::Io),
        (file.clone(), Code::Io),
    ];
    if cfg!(target_os = "linux") {
        // Not even root may create files there.
        places.push(("/proc/file".into(), Code::Io));
        places.push(("/proc".into(), Code::Io));
    }
    for (place, code) in places {
        let error = saved(&client, &place).expect_err(&format!("{place:?}"));
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (code, false),
            "{place:?}: {error}"
        );
        assert!(emulator.arrivals().is_empty(), "{place:?}");
        // The system refuses a folder, or a file that is there.
        let is_told = error.os_code().is_some() && error.path().is_some();
        assert_eq!(is_told, code == Code::Io, "{place:?}: {error:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_name_of_the_server_that_is_taken_leads_to_another() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("out.bin"), b"mine").unwrap();
    std::fs::create_dir(folder.path().join("out-1.bin")).unwrap();
    emulator.inject(
        Fault::status(200)
            .body("made")
            .header("content-disposition", "attachment; filename=out.bin")
            .always(),
    );
    let answer = saved(&client, folder.path()).unwrap();
    assert_eq!(answer.get_str("/file_name").unwrap(), "out-2.bin");
    assert_eq!(
        std::fs::read(folder.path().join("out.bin")).unwrap(),
        b"mine"
    );
    assert_eq!(
        std::fs::read(folder.path().join("out-2.bin")).unwrap(),
        b"made"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn what_a_run_made_is_kept_where_its_place_is_taken_meanwhile() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("out.bin");
    emulator.inject(Fault::slow(1000, Duration::from_millis(100)));
    let mut request = Request::run("emulator/bytes").unwrap();
    request.set_json(json!({"size": 5000}));
    let op = client
        .download_start(Download::of_request(request).to(&place))
        .unwrap();
    emulator.wait_for_arrivals(1, PATIENCE).unwrap();
    std::fs::write(&place, b"mine").unwrap();
    assert!(op.wait(Some(PATIENCE)).unwrap());
    let error = op.take().unwrap().unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Io, true),
        "{error}"
    );
    let kept = folder.path().join("out-1.bin");
    assert!(error.message().contains(&format!("{kept:?}")), "{error}");
    assert_eq!(
        error.request_id().map(str::to_owned),
        emulator.arrivals()[0].request_id,
        "{error}"
    );
    assert_eq!(std::fs::read(&kept).unwrap().len(), 5000);
    assert_eq!(std::fs::read(&place).unwrap(), b"mine");
}

#[cfg(unix)]
#[test]
fn who_may_read_a_file_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt;
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"old").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    emulator.inject(
        Fault::status(200)
            .body("new")
            .header("content-disposition", "attachment; filename=file")
            .always(),
    );
    for to in [file.as_path(), folder.path()] {
        let what = Download::new("https://v3.fal.media/files/x")
            .unwrap()
            .to(to)
            .overwrite(true);
        Op::finish(|| client.download_start(what)).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

#[test]
fn no_content_is_no_file() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    for status in [204, 205] {
        emulator.inject(Fault::status(status));
        let error = saved(&client, &folder.path().join("file")).unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Protocol, true),
            "{status}: {error}"
        );
    }
    // A status that says that the file does not exist yet.
    emulator.inject(Fault::status(202));
    let file = Download::new("https://v3.fal.media/files/x")
        .unwrap()
        .to(folder.path().join("file"));
    let error = Op::finish(|| client.download_start(file)).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Protocol, false),
        "{error}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
