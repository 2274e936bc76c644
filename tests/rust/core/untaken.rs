//! Uploads that are confirmed before they were sent, or by somebody who did not take them: no success.

use super::hostile::{answered, client_of, hostile_to};
use super::upload::{content, file_of, upload};
use super::*;
use fal::{Code, Upload, UploadWay};
use fal_emulator::Fault;

const MIB: usize = 1 << 20;

#[test]
fn a_confirmation_that_came_before_the_body_was_sent_confirms_nothing() {
    let bytes = content(30 * MIB);
    for way in UploadWay::ALL {
        let emulator = Emulator::start().unwrap();
        let client = builder(&emulator).max_attempts(1).unwrap().build().unwrap();
        for host in ["v3.fal.media", "v3b.fal.media", "storage.googleapis.com"] {
            for method in ["PUT", "POST"] {
                // What begins an upload in parts has no body.
                let path = if method == "PUT" { "*" } else { "/files/upload" };
                emulator.inject(Fault::early_success().host(host).method(method).path(path).always());
            }
        }
        let error = upload(&client, Upload::bytes(bytes.clone()).way(*way)).expect_err(&format!("{way:?}"));
        // The connection may break before the answer is read.
        assert!(matches!(error.code(), Code::Protocol | Code::ConnectionLost), "{way:?}: {error}");
        assert_eq!(error.may_have_executed(), *way == UploadWay::Direct, "{way:?}: {error}");
        assert!(emulator.files().is_empty(), "{way:?}");
    }
}

/// A service for files, whose store answers `answer`.
fn store(answer: impl Fn(&str, &mut std::net::TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> Client {
    let host = hostile_to(move |head, connection| {
        if !head.contains("initiate") {
            return answer(head, connection);
        }
        let urls = json!({"upload_url": "https://store.example/u?sig=1", "file_url": "https://v3.fal.media/f"});
        answered(connection, "200 OK", "content-type: application/json\r\n", &urls.to_string())
    });
    client_of(&host).build().unwrap()
}

#[test]
fn what_is_confirmed_at_once_was_not_taken() {
    let client = store(|_, connection| {
        answered(connection, "200 OK", "etag: \"e\"\r\n", "")?;
        // Nothing of the body is read meanwhile.
        std::thread::sleep(Duration::from_secs(3));
        Ok(())
    });
    for way in [UploadWay::Signed, UploadWay::SignedParts] {
        let error = upload(&client, Upload::bytes(content(50 * MIB)).way(way)).expect_err(&format!("{way:?}"));
        assert_eq!((error.code(), error.may_have_executed()), (Code::Protocol, false), "{way:?}: {error}");
        assert!(error.message().contains("bytes of the body"), "{error}");
    }
}

#[test]
fn a_page_elsewhere_confirms_no_upload() {
    for (status, location) in [
        ("303 See Other", "https://portal.example/login"),
        ("303 See Other", "/login"),
        ("302 Found", "/login"),
        ("307 Temporary Redirect", "https://portal.example/login"),
    ] {
        let client = store(move |head, connection| match head.starts_with("PUT") {
            true => answered(connection, status, &format!("location: {location}\r\n"), ""),
            false => answered(connection, "200 OK", "content-type: text/html\r\n", "<html>log in</html>"),
        });
        let error = upload(&client, Upload::bytes(content(1000)).way(UploadWay::Signed)).expect_err(status);
        assert_eq!(error.code(), Code::Redirect, "{status} {location}: {error}");
    }
    // What says to send it there is no page.
    let client = store(|head, connection| match head.starts_with("PUT /u?") {
        true => answered(connection, "307 Temporary Redirect", "location: /elsewhere\r\n", ""),
        false => answered(connection, if head.starts_with("PUT /elsewhere ") { "200 OK" } else { "400 No" }, "", ""),
    });
    upload(&client, Upload::bytes(content(1000)).way(UploadWay::Signed)).unwrap();
}

#[test]
fn a_file_that_changed_behind_its_end_is_not_what_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_of(&folder, "clip.mp4", &content(1000));
    let changed = path.clone();
    let client = store(move |_, connection| {
        std::fs::write(&changed, b"x")?;
        answered(connection, "200 OK", "", "")
    });
    let error = upload(&client, Upload::file(&path).way(UploadWay::Signed)).unwrap_err();
    // The answer may come before the body has left.
    let changed = error.code() == Code::Io && error.message().contains("changed");
    assert!(changed || error.code() == Code::Protocol, "{error}");
}
