//! Local files in the input of a request, and as its body.

use super::upload::{content, file_of, sha256};
use super::*;
use fal::{Code, Decision, EventKind, Lifecycle, NextEvent, SocketOptions, Upload, UploadWay};
use fal_emulator::{Fault, Outcome, StoredFile};

fn echo_request() -> Request {
    Request::run("emulator/echo").unwrap()
}

fn run(client: &Client, request: Request) -> Result<Response, Error> {
    Op::finish(|| client.run_start(request))
}

/// The input that the app received.
fn input(answer: &Response) -> &Value {
    answer.get("/body").unwrap()
}

fn file<'a>(files: &'a [StoredFile], url: &Value) -> &'a StoredFile {
    files
        .iter()
        .find(|file| Some(file.url.as_str()) == url.as_str())
        .unwrap_or_else(|| panic!("no file is at {url}"))
}

#[test]
fn the_numbers_beside_a_file_keep_every_digit() {
    let emulator = Emulator::start().unwrap();
    let mut request = echo_request();
    let text = "{\"a\": [\"\", 0.1000000000000000055511151231257827], \"n\": 123456789012345678901234567890, \"b\": \"\"}";
    request.set_json_text(text).unwrap();
    request
        .set_file_bytes("/a/0", &b"one"[..], "image/png")
        .unwrap();
    request
        .set_file_bytes("b", &b"two"[..], "image/png")
        .unwrap();
    let answer = run(&client(&emulator), request).unwrap();
    let (files, body) = (emulator.files(), input(&answer));
    for (pointer, bytes) in [("/a/0", &b"one"[..]), ("/b", b"two")] {
        let file = file(&files, body.pointer(pointer).unwrap());
        assert_eq!(file.sha256, sha256(bytes), "{pointer}");
    }
    let sent = text
        .replacen("\"\"", &body["a"][0].to_string(), 1)
        .replacen("\"\"", &body["b"].to_string(), 1);
    let arrived = emulator.arrivals().pop().unwrap();
    assert_eq!(
        (arrived.path.as_str(), arrived.body_length),
        ("/emulator/echo", sent.len() as u64)
    );
    // A field that is set makes a tree of the text, in which the files stay.
    let mut request = echo_request();
    request.set_json_text("{\"a\": {\"file\": \"\"}}").unwrap();
    request
        .set_file_bytes("/a/file", &b"three"[..], "image/png")
        .unwrap();
    request.set_field("/a/seed", json!(7)).unwrap();
    assert!(
        request
            .set_file_bytes("/a/file/b", &b""[..], "image/png")
            .is_err(),
        "a file has no fields"
    );
    let answer = run(&client(&emulator), request).unwrap();
    let (files, body) = (emulator.files(), input(&answer));
    assert_eq!(file(&files, &body["a"]["file"]).sha256, sha256(b"three"));
    assert_eq!(body["a"]["seed"], 7);
}

#[test]
fn files_become_addresses_wherever_they_are() {
    let emulator = Emulator::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cat, dog) = (
        file_of(&folder, "cat.png", b"cat"),
        file_of(&folder, "dog.jpg", b"dog"),
    );
    let mut request = echo_request();
    request.set_json(
        json!({"prompt": "a", "image_urls": [], "nested": {"list": [null, {"kept": 1}]}}),
    );
    request.set_file("image_url", &cat).unwrap();
    request.set_file("/image_urls/0", &dog).unwrap();
    request
        .set_file_bytes("/image_urls/1", &b"bytes"[..], "image/webp")
        .unwrap();
    request.set_file("/nested/list/0", &cat).unwrap();
    request.set_file("/nested/list/1/mask~1url", &dog).unwrap();
    let answer = run(&client(&emulator), request.clone()).unwrap();
    let (files, body) = (emulator.files(), input(&answer));
    assert_eq!(files.len(), 3, "each file is uploaded once: {files:?}");
    for (pointer, bytes, kind) in [
        ("/image_url", &b"cat"[..], "image/png"),
        ("/image_urls/0", b"dog", "image/jpeg"),
        ("/image_urls/1", b"bytes", "image/webp"),
        ("/nested/list/0", b"cat", "image/png"),
        ("/nested/list/1/mask~1url", b"dog", "image/jpeg"),
    ] {
        let file = file(&files, body.pointer(pointer).unwrap());
        assert_eq!(
            (file.sha256.as_str(), file.content_type.as_str()),
            (sha256(bytes).as_str(), kind),
            "{pointer}"
        );
    }
    assert_eq!(
        (&body["prompt"], &body["nested"]["list"][1]["kept"]),
        (&json!("a"), &json!(1))
    );
    // The request can be used again, and then sends the files' new content.
    std::fs::write(&cat, b"another cat").unwrap();
    let answer = run(&client(&emulator), request).unwrap();
    assert_eq!(
        file(&emulator.files(), &input(&answer)["image_url"]).sha256,
        sha256(b"another cat")
    );
}

#[test]
fn what_replaces_a_file_takes_it_away() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    type Change = fn(&mut Request);
    let changes: [Change; 4] = [
        |request| request.set_field("/a/b", json!(1)).unwrap(),
        |request| request.set_field("a", json!({"b": 1})).unwrap(),
        |request| request.set_json(json!({"a": {"b": 1}})),
        |request| {
            request.set_file("a", "/missing").unwrap();
            request.set_field("a", json!({"b": 1})).unwrap();
        },
    ];
    for change in changes {
        let mut request = echo_request();
        request.set_file("/a/b", "/missing").unwrap();
        change(&mut request);
        assert_eq!(
            input(&run(&client, request).unwrap()),
            &json!({"a": {"b": 1}})
        );
    }
    let mut request = echo_request();
    request.set_file("/a", "/missing").unwrap();
    assert!(
        request.set_file("/a/b", "/missing").is_err(),
        "a file has no fields"
    );
    assert!(
        request.set_file("/c/0", "/missing").is_ok(),
        "an object of its own"
    );
    request.set_json(json!({"list": [1]}));
    for wrong in ["/list/2", "/list/x", "/list/-", "/list/0/a"] {
        assert!(request.set_file(wrong, "/missing").is_err(), "{wrong}");
    }
    assert!(emulator.files().is_empty());
}

#[test]
fn every_operation_uploads_before_it_sends() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let with_file = || {
        let mut request = echo_request();
        request
            .set_file_bytes("image_url", &b"x"[..], "image/png")
            .unwrap();
        request
    };
    let submitted = Op::finish(|| client.submit_start(with_file())).unwrap();
    assert!(submitted.get_str("/request_id").is_ok());
    let answer = Op::finish(|| client.subscribe_start(with_file())).unwrap();
    file(
        &emulator.files(),
        &answer.get("/body/image_url").unwrap().clone(),
    );
    assert_eq!(emulator.files().len(), 2);
    let posts: Vec<_> = emulator
        .arrivals()
        .into_iter()
        .filter(|arrival| arrival.path.starts_with("/emulator/echo") && arrival.method == "POST")
        .collect();
    assert_eq!(posts.len(), 2);
    assert!(posts.iter().all(|post| {
        post.body.json().unwrap()["image_url"]
            .as_str()
            .unwrap()
            .starts_with("https://v3b.fal.media/")
    }));
}

#[test]
fn streams_and_sessions_upload_before_they_send() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let mut request = Request::run("emulator/stream").unwrap();
    request
        .set_file_bytes("image_url", &b"x"[..], "image/png")
        .unwrap();
    Op::finish(|| client.stream_start(request)).unwrap();
    let sent = emulator
        .arrivals()
        .into_iter()
        .find(|arrival| arrival.path.ends_with("/stream"))
        .unwrap();
    file(&emulator.files(), &sent.body.json().unwrap()["image_url"]);

    let mut request = Request::run("emulator/realtime").unwrap();
    request
        .set_file_bytes("image_url", &b"y"[..], "image/png")
        .unwrap();
    let session = client
        .realtime_start(request.clone(), SocketOptions::new())
        .unwrap();
    session.send(&json!({"n": 2})).unwrap();
    assert_eq!(
        session.send_request(&request).unwrap_err().code(),
        Code::InvalidArgument
    );
    let mut results = Vec::new();
    while results.len() < 2 {
        match session.op().wait_event(Some(PATIENCE)).unwrap() {
            NextEvent::Event(event) if event.kind() == EventKind::Message => {
                results.push(event.get("").unwrap().to_string())
            }
            NextEvent::Event(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(
        results[0].contains(&emulator.files()[1].url),
        "the first input comes first: {results:?}"
    );
    // A file that cannot be read ends the session.
    request.set_file("image_url", "/missing").unwrap();
    let session = client
        .realtime_start(request, SocketOptions::new())
        .unwrap();
    session.op().wait(Some(PATIENCE)).unwrap();
    assert_eq!(session.op().take().unwrap().unwrap_err().code(), Code::Io);
    assert_eq!(session.send(&json!({})).unwrap_err().code(), Code::Closed);
}

#[test]
fn an_upload_in_an_input_keeps_its_wishes() {
    let emulator = Emulator::start().unwrap();
    let lifecycle = Lifecycle::new()
        .expires_in("1h")
        .unwrap()
        .access(Decision::Hide);
    let mut request = echo_request();
    let what = Upload::bytes(content(11 << 20))
        .file_name("clip.mp4")
        .lifecycle(lifecycle)
        .way(UploadWay::SignedParts);
    request.set_upload("video_url", what).unwrap();
    run(&client(&emulator), request).unwrap();
    let file = &emulator.files()[0];
    assert_eq!(
        (file.content_type.as_str(), file.file_name.as_deref()),
        ("video/mp4", Some("clip.mp4"))
    );
    assert!(file.expires.is_some() && file.acl.default == fal_emulator::Decision::Hide);
    assert_eq!(emulator.uploads()[0].parts.len(), 2);
}

#[test]
fn small_files_can_travel_in_the_input() {
    let emulator = Emulator::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut request = echo_request();
    request.set_inline_files(4);
    request
        .set_file("small", file_of(&folder, "a.png", b"1234"))
        .unwrap();
    request
        .set_file("empty", file_of(&folder, "b.txt", b""))
        .unwrap();
    request
        .set_file_bytes("bytes", &b"\xff\xfe"[..], "image/gif")
        .unwrap();
    request
        .set_file("large", file_of(&folder, "c.png", b"12345"))
        .unwrap();
    let answer = run(&client(&emulator), request).unwrap();
    let body = input(&answer);
    assert_eq!(body["small"], "data:image/png;base64,MTIzNA==");
    assert_eq!(body["empty"], "data:text/plain;base64,");
    assert_eq!(body["bytes"], "data:image/gif;base64,//4=");
    file(&emulator.files(), &body["large"]);
    assert_eq!(emulator.files().len(), 1);
}

#[test]
fn what_fails_before_the_request_says_so() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let mut request = echo_request();
    request.set_file("/mask/url", "/missing/file.png").unwrap();
    let error = run(&client, request.clone()).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Io, false),
        "{error}"
    );
    request.set_method("GET").unwrap();
    assert_eq!(
        run(&client, request).unwrap_err().code(),
        Code::InvalidArgument
    );
    assert!(emulator.arrivals().is_empty());
    emulator.inject(Fault::close().host("v3.fal.media").always());
    let mut request = echo_request();
    request
        .set_upload("/mask/url", Upload::bytes(&b"x"[..]).way(UploadWay::Direct))
        .unwrap();
    let error = run(&client, request).unwrap_err();
    assert!(error.message().contains("mask/url"), "{error}");
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::ConnectionLost, false),
        "the run was not sent"
    );
    assert!(emulator.executions().is_empty());
}

/// A process may have a limited number of open files, among them the library's connections.
#[cfg(target_os = "linux")]
#[test]
fn many_files_are_not_open_at_once() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().canonicalize().unwrap();
    let mut request = echo_request();
    for number in 0..60 {
        let path = inside.join(format!("{number}.bin"));
        std::fs::write(&path, format!("content {number}")).unwrap();
        request
            .set_file(&format!("/files/{number}"), &path)
            .unwrap();
    }
    emulator.inject(
        Fault::delay(Duration::from_millis(20))
            .method("PUT")
            .always(),
    );
    let op = client.run_start(request).unwrap();
    let mut most = 0;
    while !op.wait(Some(Duration::from_millis(2))).unwrap() {
        let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let ours = open
            .filter(|one| std::fs::read_link(one.path()).is_ok_and(|to| to.starts_with(&inside)));
        most = most.max(ours.count());
    }
    let answer = op.take().unwrap().unwrap();
    let files = emulator.files();
    for number in 0..60 {
        let stored = file(&files, &input(&answer)["files"][number.to_string()]);
        assert_eq!(stored.size, format!("content {number}").len() as u64);
    }
    assert!((1..=8).contains(&most), "{most} at once");
}

/// The files are sent as they were when the request began.
#[test]
fn a_file_that_changes_before_its_turn_is_not_sent() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let mut request = echo_request();
    let paths: Vec<_> = (0..12)
        .map(|number| folder.path().join(format!("{number}.bin")))
        .collect();
    for (number, path) in paths.iter().enumerate() {
        std::fs::write(path, "content").unwrap();
        request.set_file(&format!("/files/{number}"), path).unwrap();
    }
    emulator.inject(
        Fault::delay(Duration::from_millis(300))
            .method("PUT")
            .always(),
    );
    let op = client.run_start(request).unwrap();
    emulator
        .wait_until(PATIENCE, |arrivals| {
            arrivals.iter().any(|one| one.method == "PUT")
        })
        .unwrap();
    std::fs::write(&paths[11], "other content").unwrap();
    op.wait(Some(PATIENCE)).unwrap();
    let error = op.take().unwrap().unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Io, false),
        "{error}"
    );
    assert!(
        error.message().contains("files/11") && error.message().contains("changed"),
        "{error}"
    );
    assert!(emulator.executions().is_empty());
}

#[test]
fn one_time_covers_the_files_and_the_request() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    for (fault, after) in [
        (Fault::hang().method("PUT"), 2),
        (Fault::hang().host("fal.run"), 3),
    ] {
        emulator.clear_arrivals();
        emulator.inject(fault);
        let mut request = echo_request();
        request.set_timeout(Duration::from_secs(2));
        request
            .set_file_bytes("image_url", &b"x"[..], "image/png")
            .unwrap();
        let error = run(&client, request).unwrap_err();
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (Code::Deadline, after == 3),
            "{error}"
        );
        assert_eq!(emulator.arrivals().len(), after);
    }
    // If it is cancelled while a file is being uploaded, the request is never sent.
    emulator.clear_arrivals();
    emulator.inject(Fault::hang().method("PUT"));
    let mut request = echo_request();
    request
        .set_file_bytes("image_url", &b"x"[..], "image/png")
        .unwrap();
    let op = client.run_start(request).unwrap();
    emulator.wait_for_arrivals(2, PATIENCE).unwrap();
    op.cancel();
    op.wait(None).unwrap();
    assert_eq!(op.take().unwrap().unwrap_err().code(), Code::Cancelled);
    emulator
        .wait_until(PATIENCE, |arrivals| {
            arrivals[1].outcome == Outcome::ClientClosed
        })
        .unwrap();
    assert_eq!(emulator.arrivals().len(), 2);
}

#[test]
fn a_body_is_read_while_it_is_sent() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(3 << 20);
    let path = file_of(&folder, "input.bin", &bytes);
    let send = |what: Upload| {
        let mut request = Request::new("POST", "https://fal.run/emulator/echo").unwrap();
        request.set_body_of(what, "application/x-odd").unwrap();
        Op::finish(|| client.send_start(request))
    };
    let reader = || {
        Upload::reader(
            std::io::Cursor::new(bytes.clone()),
            Some(bytes.len() as u64),
        )
    };
    for what in [
        Upload::file(&path),
        Upload::bytes(bytes.clone()),
        reader(),
        Upload::reader(std::io::Cursor::new(bytes.clone()), None),
    ] {
        emulator.clear_arrivals();
        send(what).unwrap();
        let arrival = &emulator.arrivals()[0];
        assert_eq!(
            (
                arrival.body_length,
                arrival.headers["content-type"].as_str()
            ),
            (bytes.len() as u64, "application/x-odd")
        );
        assert!(arrival.had_key());
    }
    // A body that was not accepted is sent again from its beginning. A reader cannot be restarted,
    // so its response is returned.
    emulator.inject(Fault::status(429));
    send(Upload::file(&path)).unwrap();
    emulator.inject(Fault::status(429));
    assert_eq!(send(reader()).unwrap_err().code(), Code::RateLimited);
    assert_eq!(send(Upload::file("/missing")).unwrap_err().code(), Code::Io);
    let proxied = builder(&emulator)
        .proxy("https://app.example/api/fal/proxy")
        .unwrap()
        .build()
        .unwrap();
    let mut request = Request::new("POST", "https://fal.run/emulator/echo").unwrap();
    request
        .set_body_of(Upload::file(&path), "application/x-odd")
        .unwrap();
    assert_eq!(
        Op::finish(|| proxied.send_start(request))
            .unwrap_err()
            .code(),
        Code::InvalidArgument
    );
}

#[test]
fn files_go_past_a_server_proxy() {
    let emulator = Emulator::start().unwrap();
    let proxied = builder(&emulator)
        .proxy("https://app.example/api/fal/proxy")
        .unwrap()
        .build()
        .unwrap();
    let mut request = echo_request();
    request
        .set_file_bytes("image_url", &b"x"[..], "image/png")
        .unwrap();
    let answer = run(&proxied, request).unwrap();
    file(&emulator.files(), &input(&answer)["image_url"]);
}
