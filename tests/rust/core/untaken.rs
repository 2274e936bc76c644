//! Uploads that are confirmed before their bytes were sent, or by a server that did not store them,
//! have not succeeded.

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
                // The request that begins an upload in parts has no body.
                let path = if method == "PUT" {
                    "*"
                } else {
                    "/files/upload"
                };
                emulator.inject(
                    Fault::early_success()
                        .host(host)
                        .method(method)
                        .path(path)
                        .always(),
                );
            }
        }
        let error =
            upload(&client, Upload::bytes(bytes.clone()).way(*way)).expect_err(&format!("{way:?}"));
        // The connection may break before the response is read.
        assert!(
            matches!(error.code(), Code::Protocol | Code::ConnectionLost),
            "{way:?}: {error}"
        );
        assert_eq!(
            error.may_have_executed(),
            *way == UploadWay::Direct,
            "{way:?}: {error}"
        );
        assert!(emulator.files().is_empty(), "{way:?}");
    }
}

/// A storage service whose store responds with `answer`.
fn store(
    answer: impl Fn(&str, &mut std::net::TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> Client {
    let host = hostile_to(move |head, connection| {
        if !head.contains("initiate") {
            return answer(head, connection);
        }
        let urls = json!({"upload_url": "https://store.example/u?sig=1", "file_url": "https://v3.fal.media/f"});
        answered(
            connection,
            "200 OK",
            "content-type: application/json\r\n",
            &urls.to_string(),
        )
    });
    client_of(&host).build().unwrap()
}

#[test]
fn what_is_confirmed_at_once_was_not_taken() {
    let client = store(|_, connection| {
        answered(connection, "200 OK", "etag: \"e\"\r\n", "")?;
        // The server does not read the body during this time.
        std::thread::sleep(Duration::from_secs(3));
        Ok(())
    });
    for way in [UploadWay::Signed, UploadWay::SignedParts] {
        let error = upload(&client, Upload::bytes(content(50 * MIB)).way(way))
            .expect_err(&format!("{way:?}"));
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Protocol, false),
            "{way:?}: {error}"
        );
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
            false => answered(
                connection,
                "200 OK",
                "content-type: text/html\r\n",
                "<html>log in</html>",
            ),
        });
        let error =
            upload(&client, Upload::bytes(content(1000)).way(UploadWay::Signed)).expect_err(status);
        assert_eq!(error.code(), Code::Redirect, "{status} {location}: {error}");
    }
    // A redirect to a place that does not store files.
    let client = store(|head, connection| match head.starts_with("PUT /u?") {
        true => answered(
            connection,
            "307 Temporary Redirect",
            "location: /elsewhere\r\n",
            "",
        ),
        false => answered(
            connection,
            if head.starts_with("PUT /elsewhere ") {
                "200 OK"
            } else {
                "400 No"
            },
            "",
            "",
        ),
    });
    upload(&client, Upload::bytes(content(1000)).way(UploadWay::Signed)).unwrap();
}

/// Reads the rest of a body of letters, of which a part came with the head.
fn take_body(head: &str, connection: &mut std::net::TcpStream) -> std::io::Result<()> {
    let (fields, begun) = head.split_once("\r\n\r\n").unwrap();
    let length = fields.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().unwrap())
    });
    std::io::Read::read_exact(connection, &mut vec![0; length.unwrap() - begun.len()])
}

#[test]
fn a_file_that_changed_behind_its_end_is_not_what_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_of(&folder, "clip.mp4", &[b'a'; 1000]);
    let changed = path.clone();
    let answer = move |head: &str, connection: &mut std::net::TcpStream| {
        take_body(head, connection)?;
        std::fs::write(&changed, b"x")?;
        answered(
            connection,
            "200 OK",
            "content-type: application/json\r\n",
            "true",
        )
    };
    let client = store(answer.clone());
    let error = upload(&client, Upload::file(&path).way(UploadWay::Signed)).unwrap_err();
    assert!(
        error.code() == Code::Io && error.message().contains("changed"),
        "{error}"
    );
    assert!(!error.may_have_executed(), "{error}");
    // A form that contains the file.
    std::fs::write(&path, [b'a'; 1000]).unwrap();
    let client = client_of(&hostile_to(answer)).build().unwrap();
    let error = store_file(&client, &path).unwrap_err();
    assert!(
        error.code() == Code::Io && error.message().contains("changed"),
        "{error}"
    );
    assert!(error.may_have_executed(), "{error}");
}

fn store_file(client: &Client, path: &std::path::Path) -> Result<Response, Error> {
    let params = json!({"target_path": "a", "file_upload": {"path": path}});
    Op::finish(|| client.platform_start("serverless.files.upload", params))
}

#[test]
fn a_form_is_not_confirmed_by_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_of(&folder, "clip.mp4", &[b'a'; 1000]);
    for body in [r#"{"error": "no room"}"#, r#"{"success": false}"#] {
        let host = hostile_to(move |head, connection| {
            take_body(head, connection)?;
            answered(
                connection,
                "200 OK",
                "content-type: application/json\r\n",
                body,
            )
        });
        let error = store_file(&client_of(&host).build().unwrap(), &path).unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::ServiceFailed, true),
            "{body}: {error}"
        );
    }
}
