//! Uploads: every way, failures on the way, and which server sees which secret.

use super::*;
use std::io::Read;
use std::path::PathBuf;

use fal::{Code, Decision, EventKind, Lifecycle, NextEvent, Upload, UploadWay};
use fal_emulator::{
    Arrival, CdnBaseUrl, Fault, FileUrlForm, Outcome, PartAnswer, ProxySettings, Settings,
};
use ring::digest::{SHA256, digest};

pub(super) const MIB: usize = 1 << 20;

pub(super) fn upload(client: &Client, upload: Upload) -> Result<Response, Error> {
    Op::finish(|| client.upload_start(upload))
}

/// Bytes that differ from part to part.
pub(super) fn content(size: usize) -> Vec<u8> {
    (0..size as u64)
        .map(|at| (at * 31 + at / 251 + at / (9 * MIB as u64)) as u8)
        .collect()
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(super) fn file_of(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Asserts that the emulator has exactly this file, at the returned URL.
pub(super) fn stored(emulator: &Emulator, answer: &Response, bytes: &[u8]) {
    let files = emulator.files();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(files[0].url, answer.get_str("/url").unwrap());
    assert_eq!(
        (files[0].size, files[0].sha256.as_str()),
        (bytes.len() as u64, sha256(bytes).as_str())
    );
    assert_eq!(answer.get("/size").unwrap(), bytes.len());
}

pub(super) fn puts(emulator: &Emulator) -> Vec<Arrival> {
    emulator
        .arrivals()
        .into_iter()
        .filter(|arrival| arrival.method == "PUT")
        .collect()
}

fn progress(op: &Op) -> Vec<(u64, Option<u64>)> {
    let mut told = Vec::new();
    while let NextEvent::Event(event) = op.wait_event(Some(PATIENCE)).unwrap() {
        assert_eq!(event.kind(), EventKind::Progress);
        let total = event.get("/total").ok().and_then(Value::as_u64);
        told.push((event.get("/transferred").unwrap().as_u64().unwrap(), total));
    }
    told
}

#[test]
fn every_way_ends_in_the_same_file() {
    let bytes = content(25 * MIB + 7);
    for way in UploadWay::ALL {
        for (size, name) in [
            (bytes.len(), "big"),
            (10 * MIB, "a part"),
            (5, "small"),
            (0, "empty"),
        ] {
            let emulator = Emulator::start().unwrap();
            let client = client(&emulator);
            let bytes = &bytes[..size];
            let what = Upload::bytes(bytes.to_vec())
                .file_name("input.png")
                .way(*way);
            let answer = upload(&client, what).unwrap_or_else(|e| panic!("{way:?}, {name}: {e}"));
            stored(&emulator, &answer, bytes);
            assert_eq!(answer.get_str("/file_name").unwrap(), "input.png");
            assert_eq!(answer.get_str("/content_type").unwrap(), "image/png");
            let file = &emulator.files()[0];
            assert_eq!(
                (file.content_type.as_str(), file.file_name.as_deref()),
                ("image/png", Some("input.png"))
            );
            assert_eq!(file.owner.as_deref(), Some("acme"));
        }
    }
}

#[test]
fn every_way_takes_a_file_and_a_reader() {
    let bytes = content(25 * MIB + 7);
    let folder = tempfile::tempdir().unwrap();
    let path = file_of(&folder, "clip.mp4", &bytes);
    for way in UploadWay::ALL {
        let reader = std::io::Cursor::new(bytes.clone());
        for what in [
            Upload::file(&path),
            Upload::reader(reader, Some(bytes.len() as u64)),
        ] {
            let emulator = Emulator::start().unwrap();
            let shown = format!("{way:?} {what:?}");
            let answer = upload(&client(&emulator), what.way(*way))
                .unwrap_or_else(|e| panic!("{shown}: {e}"));
            stored(&emulator, &answer, &bytes);
        }
    }
    // A reader without a known size: in parts only, or in one request if the content is small.
    for (size, way, parts) in [
        (0, UploadWay::Automatic, false),
        (10 * MIB - 1, UploadWay::Automatic, false),
        (10 * MIB, UploadWay::Automatic, true),
        (20 * MIB, UploadWay::Automatic, true),
        (20 * MIB, UploadWay::GoogleParts, true),
    ] {
        let emulator = Emulator::start().unwrap();
        let reader = std::io::Cursor::new(bytes[..size].to_vec());
        let answer = upload(&client(&emulator), Upload::reader(reader, None).way(way)).unwrap();
        stored(&emulator, &answer, &bytes[..size]);
        let asked = emulator
            .arrivals()
            .iter()
            .any(|arrival| arrival.path.contains("initiate-multipart"));
        assert_eq!(asked, parts, "{size}");
    }
    let emulator = Emulator::start().unwrap();
    let what = Upload::reader(std::io::empty(), None).way(UploadWay::Signed);
    assert_eq!(
        upload(&client(&emulator), what).unwrap_err().code(),
        Code::InvalidArgument
    );
    assert!(emulator.arrivals().is_empty());
}

#[test]
fn a_signed_address_sees_no_secret_and_a_file_host_no_key() {
    let bytes = content(11 * MIB);
    for way in UploadWay::ALL {
        let emulator = Emulator::start().unwrap();
        upload(&client(&emulator), Upload::bytes(bytes.clone()).way(*way)).unwrap();
        for arrival in emulator.arrivals() {
            let scheme = arrival
                .authorization
                .as_ref()
                .map(|authorization| authorization.scheme.as_str());
            let signed = arrival
                .query
                .as_deref()
                .is_some_and(|query| query.contains("Signature"));
            let expected = match (arrival.host.as_str(), signed) {
                ("rest.fal.ai", _) => Some("Key"),
                (_, true) => None,
                ("v3.fal.media", false) => Some("Bearer"),
                other => panic!("{way:?}: {other:?}"),
            };
            assert_eq!(
                scheme, expected,
                "{way:?}: {} {} {}",
                arrival.method, arrival.host, arrival.path
            );
        }
    }
}

#[test]
fn parts_are_sent_together_and_listed_in_order() {
    let emulator = Emulator::start().unwrap();
    // The first part arrives last.
    emulator.inject(
        Fault::delay(Duration::from_millis(500))
            .method("PUT")
            .path("*/1"),
    );
    let bytes = content(35 * MIB);
    let answer = upload(
        &client(&emulator),
        Upload::bytes(bytes.clone()).way(UploadWay::SignedParts),
    )
    .unwrap();
    stored(&emulator, &answer, &bytes);
    let arrivals = emulator.arrivals();
    let complete = arrivals.last().unwrap();
    let parts = complete.body.json().unwrap()["parts"]
        .as_array()
        .unwrap()
        .clone();
    let numbers: Vec<_> = parts
        .iter()
        .map(|part| part["partNumber"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let sizes: Vec<_> = emulator.uploads()[0]
        .parts
        .values()
        .map(|part| (part.puts, part.size))
        .collect();
    assert_eq!(sizes, [10, 10, 10, 5].map(|mib| (1, mib * MIB as u64)));
}

#[test]
fn a_part_that_fails_is_sent_again_and_no_other() {
    for (way, fault) in [
        (UploadWay::SignedParts, Fault::status(500)),
        (
            UploadWay::DirectParts,
            Fault::status(503).without_request_id(),
        ),
        (UploadWay::GoogleParts, Fault::reset_before_body()),
        (UploadWay::SignedParts, Fault::reset_before_body()),
        (UploadWay::SignedParts, Fault::close()),
        (UploadWay::SignedParts, Fault::malformed_http()),
        (UploadWay::SignedParts, Fault::status(408)),
    ] {
        let emulator = Emulator::start().unwrap();
        emulator.inject(fault.method("PUT").path("*/2").times(2));
        let bytes = content(35 * MIB);
        let answer = upload(&client(&emulator), Upload::bytes(bytes.clone()).way(way));
        stored(
            &emulator,
            &answer.unwrap_or_else(|e| panic!("{way:?}: {e}")),
            &bytes,
        );
        assert_eq!(
            puts(&emulator).len(),
            6,
            "{way:?}: two of the second part failed"
        );
        assert_eq!(emulator.uploads()[0].parts[&1].puts, 1);
    }
}

#[test]
fn a_part_that_is_refused_or_fails_for_ever_ends_it() {
    for (status, most) in [(403, 1), (500, 5)] {
        let emulator = Emulator::start().unwrap();
        emulator.inject(Fault::status(status).method("PUT").path("*/2").always());
        let what = Upload::bytes(content(35 * MIB)).way(UploadWay::SignedParts);
        let error = upload(&client(&emulator), what).unwrap_err();
        assert!(error.message().starts_with("part 2: "), "{error}");
        assert_eq!(error.http_status(), Some(status));
        let tries = puts(&emulator)
            .iter()
            .filter(|arrival| arrival.path.ends_with("/2"))
            .count();
        assert_eq!(tries, most);
        assert!(emulator.files().is_empty() && !completed(&emulator));
    }
}

pub(super) fn completed(emulator: &Emulator) -> bool {
    emulator
        .arrivals()
        .iter()
        .any(|arrival| arrival.path.ends_with("/complete"))
}

#[test]
fn a_single_put_begins_again_and_a_direct_post_does_not() {
    let bytes = content(3 * MIB);
    for fault in [
        Fault::reset_before_body(),
        Fault::close(),
        Fault::status(503),
    ] {
        let emulator = Emulator::start().unwrap();
        emulator.inject(fault.clone().method("PUT").times(2));
        stored(
            &emulator,
            &upload(&client(&emulator), Upload::bytes(bytes.clone())).unwrap(),
            &bytes,
        );
        assert_eq!(puts(&emulator).len(), 3);
        let emulator = Emulator::start().unwrap();
        emulator.inject(fault.method("POST").host("v3.fal.media"));
        let error = upload(
            &client(&emulator),
            Upload::bytes(bytes.clone()).way(UploadWay::Direct),
        )
        .unwrap_err();
        assert_eq!(emulator.arrivals().len(), 2, "{error}");
    }
}

#[test]
fn what_a_direct_post_made_is_not_denied() {
    let emulator = Emulator::start().unwrap();
    let direct = || Upload::bytes(&b"x"[..]).way(UploadWay::Direct);
    emulator.inject(Fault::status(200).body(json!({})).path("/files/upload"));
    let error = upload(&client(&emulator), direct()).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Protocol, true),
        "{error}"
    );
    // A refused token is reported as such if a reader leaves no body to send with another token.
    emulator.inject(Fault::status(401).path("/files/upload").times(2));
    let reader =
        Upload::reader(std::io::Cursor::new(content(MIB)), Some(MIB as u64)).way(UploadWay::Direct);
    let error = upload(&client(&emulator), reader).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Unauthenticated, false),
        "{error}"
    );
}

/// A store may send 200 before it has finished, and report a failure in the body.
#[test]
fn a_confirmation_that_says_that_it_failed_is_none() {
    for body in [
        json!({"detail": "the parts do not fit"}),
        json!({"error": {"message": "the parts do not fit"}}),
        json!({"success": false, "message": "the parts do not fit"}),
        json!(
            "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code><Message>the parts do not fit</Message></Error>"
        ),
    ] {
        for way in UploadWay::ALL
            .iter()
            .filter(|way| **way != UploadWay::Direct)
        {
            let emulator = Emulator::start().unwrap();
            let client = builder(&emulator).max_attempts(2).unwrap().build().unwrap();
            let said = || {
                Fault::status(200)
                    .body(body.clone())
                    .header("etag", "\"e\"")
                    .always()
            };
            emulator.inject(said().method("PUT").host("storage.googleapis.com"));
            emulator.inject(said().method("PUT").host("v3b.fal.media"));
            emulator.inject(said().method("PUT").host("v3.fal.media"));
            let error = upload(&client, Upload::bytes(content(1000)).way(*way)).unwrap_err();
            assert_eq!(
                (error.code(), error.may_have_executed()),
                (Code::ServiceFailed, false),
                "{way:?} {body}: {error}"
            );
            assert!(error.message().contains("the parts do not fit"), "{error}");
            emulator.clear_faults();
            emulator.inject(said().path("*/complete"));
            let is_single = matches!(
                way,
                UploadWay::Automatic | UploadWay::Signed | UploadWay::SignedGoogle
            );
            // fal's own service never returns a page of HTML.
            if is_single || (*way == UploadWay::GoogleParts && body.is_string()) {
                continue;
            }
            let error = upload(&client, Upload::bytes(content(1000)).way(*way)).unwrap_err();
            assert_eq!(
                (error.code(), error.may_have_executed()),
                (Code::ServiceFailed, true),
                "{way:?} {body}: {error}"
            );
            assert!(error.message().contains("the parts do not fit"), "{error}");
        }
    }
    // A body without an error is a confirmation, whatever its form.
    for body in [
        json!({"error": null, "detail": null, "success": true}),
        json!("<Done/>"),
        json!(""),
    ] {
        let emulator = Emulator::start().unwrap();
        emulator.inject(Fault::status(200).path("*/complete").body(body));
        upload(
            &client(&emulator),
            Upload::bytes(content(1000)).way(UploadWay::SignedParts),
        )
        .unwrap();
    }
}

/// After a Retry-After of hours the transfer is tried again earlier, while there is time.
#[test]
fn a_pause_between_two_tries_of_a_transfer_is_bounded() {
    let emulator = Emulator::start().unwrap();
    let (said, heard) = std::sync::mpsc::channel();
    let said = std::sync::Mutex::new(said);
    let write = move |_, _, line: &str| drop(said.lock().unwrap().send(line.to_owned()));
    let client = builder(&emulator)
        .log(fal::Level::Warn, write)
        .build()
        .unwrap();
    let stored = Upload::bytes(content(1000)).way(UploadWay::Direct);
    let url = upload(&client, stored)
        .unwrap()
        .get_str("/url")
        .unwrap()
        .to_owned();
    for status in [500, 503, 429] {
        for method in ["PUT", "GET"] {
            emulator.inject(
                Fault::status(status)
                    .method(method)
                    .header("retry-after", "7200")
                    .always(),
            );
        }
        // After a failure of the server, only parts are sent again.
        let ways: &[UploadWay] = match status {
            500 => &[UploadWay::SignedParts, UploadWay::DirectParts],
            _ => &[
                UploadWay::SignedParts,
                UploadWay::DirectParts,
                UploadWay::Signed,
            ],
        };
        let start = |way: &UploadWay| {
            client
                .upload_start(Upload::bytes(content(1000)).way(*way))
                .unwrap()
        };
        type Begin<'a> = (&'a str, Box<dyn Fn() -> Op + 'a>);
        let mut begin: Vec<Begin<'_>> = Vec::new();
        ways.iter()
            .for_each(|way| begin.push(("an upload", Box::new(move || start(way)))));
        if status != 500 {
            begin.push((
                "a download",
                Box::new(|| {
                    client
                        .download_start(fal::Download::new(&url).unwrap())
                        .unwrap()
                }),
            ));
        }
        for (what, begin) in begin {
            let op = begin();
            let line = loop {
                let line = heard
                    .recv_timeout(PATIENCE)
                    .unwrap_or_else(|_| panic!("{status}, {what}: nothing"));
                if line.contains("again in ") {
                    break line;
                }
                assert!(
                    !op.poll().unwrap(),
                    "{status}, {what}: {:?}, {:?}",
                    op.take(),
                    emulator.arrivals()
                );
            };
            let pause = line
                .rsplit("again in ")
                .next()
                .unwrap()
                .trim_end_matches(" ms");
            assert!(pause.parse::<u64>().unwrap() <= 61_000, "{status}: {line}");
            op.cancel();
            op.wait(Some(PATIENCE)).unwrap();
            while heard.try_recv().is_ok() {}
        }
        emulator.clear_faults();
    }
}

#[test]
fn progress_only_grows_and_ends_at_the_whole() {
    let bytes = content(25 * MIB + 7);
    for way in UploadWay::ALL {
        let emulator = Emulator::start().unwrap();
        emulator.inject(Fault::status(503).method("PUT"));
        let op = client(&emulator)
            .upload_start(Upload::bytes(bytes.clone()).way(*way))
            .unwrap();
        let told = progress(&op);
        assert!(
            told.windows(2).all(|pair| pair[0].0 < pair[1].0),
            "{way:?}: {told:?}"
        );
        assert_eq!(
            told.last(),
            Some(&(bytes.len() as u64, Some(bytes.len() as u64))),
            "{way:?}"
        );
        op.take().unwrap().unwrap();
    }
}

#[test]
fn names_types_and_options_arrive() {
    let lifecycle = Lifecycle::new()
        .expires_in("1h")
        .unwrap()
        .access(Decision::Forbid);
    let lifecycle = lifecycle.rule("acme", Decision::Allow).unwrap();
    for way in UploadWay::ALL {
        let emulator = Emulator::start().unwrap();
        let what = Upload::bytes(&b"x"[..])
            .file_name("../../ünsafe\r\nX-Evil: 1.txt")
            .content_type("text/x-odd; a=b")
            .unwrap();
        upload(
            &client(&emulator),
            what.lifecycle(lifecycle.clone()).way(*way),
        )
        .unwrap();
        let file = &emulator.files()[0];
        assert_eq!(file.content_type, "text/x-odd; a=b");
        let name = file.file_name.as_deref().unwrap();
        assert!(
            matches!(name, "ünsafe__X-Evil_ 1.txt" | "_nsafe__X-Evil_ 1.txt"),
            "{name}"
        );
        assert!(
            file.expires.is_some() && file.acl.default == fal_emulator::Decision::Forbid,
            "{file:?}"
        );
        assert_eq!(file.acl.rules.len(), 1);
        let told: Vec<_> = emulator
            .arrivals()
            .into_iter()
            .filter(|arrival| arrival.headers.contains_key("x-fal-object-lifecycle"))
            .collect();
        assert_eq!(told.len(), 1, "{way:?}");
        let headers = &told[0].headers;
        assert_eq!(
            headers["x-fal-object-lifecycle"],
            headers["x-fal-object-lifecycle-preference"]
        );
        assert!(!headers.contains_key("x-evil"));
    }
    // Without options the header is absent, and a file without a name gets a generated one.
    let emulator = Emulator::start().unwrap();
    let answer = upload(
        &client(&emulator),
        Upload::bytes(&b"x"[..]).content_type("image/webp").unwrap(),
    )
    .unwrap();
    assert_eq!(answer.get_str("/file_name").unwrap(), "upload.webp");
    assert!(emulator.arrivals().iter().all(|arrival| {
        !arrival
            .headers
            .keys()
            .any(|name| name.contains("lifecycle"))
    }));
}

#[test]
fn what_fal_leaves_open_is_taken_both_ways() {
    let bytes = content(11 * MIB);
    let cases = [
        (PartAnswer::Both, FileUrlForm::V3, CdnBaseUrl::V3),
        (PartAnswer::Header, FileUrlForm::V3b, CdnBaseUrl::V3b),
        (PartAnswer::Body, FileUrlForm::Animal, CdnBaseUrl::V3b),
    ];
    for (part_answer, form, cdn_base_url) in cases {
        for way in [
            UploadWay::DirectParts,
            UploadWay::SignedParts,
            UploadWay::GoogleParts,
            UploadWay::Direct,
        ] {
            let emulator = Emulator::start().unwrap();
            emulator.set(Settings {
                part_answer,
                file_url_form: Some(form),
                cdn_base_url,
                ..Settings::default()
            });
            let answer = upload(&client(&emulator), Upload::bytes(bytes.clone()).way(way)).unwrap();
            stored(&emulator, &answer, &bytes);
        }
    }
}

#[test]
fn hostile_answers_are_refused_before_anything_is_sent_there() {
    let trap = Trap::set();
    let file = "https://v3b.fal.media/files/b/x/y.png";
    for bad in [
        trap.url().as_str(),
        "http://v3.fal.media/x",
        "file:///etc/passwd",
        "https://user@v3.fal.media/x",
        "x",
        "data:,x",
    ] {
        for (way, path) in [
            (UploadWay::Signed, "*/initiate"),
            (UploadWay::SignedParts, "*/initiate-multipart"),
        ] {
            for body in [
                json!({"upload_url": bad, "file_url": file}),
                json!({"upload_url": file, "file_url": bad}),
                json!({}),
                json!("x"),
            ] {
                let emulator = Emulator::start().unwrap();
                emulator.inject(Fault::status(200).body(body).path(path));
                let error =
                    upload(&client(&emulator), Upload::bytes(&b"x"[..]).way(way)).unwrap_err();
                assert_eq!(error.code(), Code::Protocol, "{error}");
                assert_eq!(emulator.arrivals().len(), 1);
            }
        }
    }
    // A token is sent to fal's file hosts only.
    let token = |base: &str| json!({"token": "fake-cdn-token-1", "token_type": "Bearer", "base_url": base, "expires_at": "2099-01-01T00:00:00+00:00"});
    for base in [
        "https://evil.example",
        "https://fal.run",
        "https://v3.fal.media.evil.example",
        "https://v3.fal.media:8443",
    ] {
        let emulator = Emulator::start().unwrap();
        emulator.inject(
            Fault::status(200)
                .body(token(base))
                .path("/storage/auth/token"),
        );
        let error = upload(
            &client(&emulator),
            Upload::bytes(&b"x"[..]).way(UploadWay::DirectParts),
        )
        .unwrap_err();
        assert_eq!(error.code(), Code::ForeignOrigin, "{base}: {error}");
        assert_eq!(emulator.arrivals().len(), 1);
        let emulator = Emulator::start().unwrap();
        let begun = json!({"access_url": format!("{base}/files/x"), "uploadId": "1"});
        emulator.inject(
            Fault::status(200)
                .body(begun)
                .path("/files/upload/multipart"),
        );
        let error = upload(
            &client(&emulator),
            Upload::bytes(&b"x"[..]).way(UploadWay::DirectParts),
        )
        .unwrap_err();
        assert_eq!(error.code(), Code::ForeignOrigin, "{base}: {error}");
        assert_eq!(emulator.arrivals().len(), 2);
    }
    // The key is not sent to the URL for the parts of D3.
    let emulator = Emulator::start().unwrap();
    emulator.inject(
        Fault::status(200)
            .body(json!({"upload_url": "https://evil.example/x", "file_url": file}))
            .path("*/initiate-multipart"),
    );
    let error = upload(
        &client(&emulator),
        Upload::bytes(&b"x"[..]).way(UploadWay::GoogleParts),
    )
    .unwrap_err();
    assert_eq!(
        (error.code(), emulator.arrivals().len()),
        (Code::ForeignOrigin, 1),
        "{error}"
    );
    trap.assert_untouched();
}

#[test]
fn a_redirect_is_not_sent_the_file() {
    let emulator = Emulator::start().unwrap();
    emulator.inject(
        Fault::redirect("https://evil.example/x", 307)
            .method("PUT")
            .always(),
    );
    let error = upload(&client(&emulator), Upload::bytes(&b"x"[..])).unwrap_err();
    assert_eq!(
        (error.code(), emulator.arrivals().len()),
        (Code::Redirect, 2),
        "{error}"
    );
}

#[test]
fn the_token_is_fetched_once_for_all_and_again_when_it_no_longer_serves() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let tokens = || {
        emulator
            .arrivals()
            .iter()
            .filter(|arrival| arrival.path == "/storage/auth/token")
            .count()
    };
    emulator.inject(Fault::delay(Duration::from_millis(200)).path("/storage/auth/token"));
    let direct = || Upload::bytes(&b"x"[..]).way(UploadWay::Direct);
    let ops: Vec<_> = (0..8)
        .map(|_| client.upload_start(direct()).unwrap())
        .collect();
    for op in ops {
        op.wait(Some(PATIENCE)).unwrap();
        op.take().unwrap().unwrap();
    }
    upload(
        &client,
        Upload::bytes(content(25 * MIB)).way(UploadWay::DirectParts),
    )
    .unwrap();
    assert_eq!(tokens(), 1);
    // If the file host refuses the token, it is replaced, and the request is sent again.
    emulator.inject(Fault::status(401).path("/files/upload"));
    upload(&client, direct()).unwrap();
    assert_eq!(tokens(), 2);
    emulator.inject(Fault::status(401).path("/files/upload").times(2));
    assert_eq!(
        upload(&client, direct()).unwrap_err().code(),
        Code::Unauthenticated
    );
    assert_eq!(tokens(), 3);
    // Another key needs another token.
    let key = emulator.create_key(fal_emulator::Scope::Admin, "acme");
    client.set_credentials(fal::credentials::Options::new().key(key));
    upload(&client, direct()).unwrap();
    upload(&client, direct()).unwrap();
    assert_eq!(tokens(), 4);
    // A token that has expired, or expires soon, is used for one upload.
    let real = |at: &str| json!({"token": "fake-cdn-token-1", "base_url": "https://v3.fal.media", "expires_at": at});
    for at in ["2020-01-01T00:00:00+00:00", "soon"] {
        let fresh = builder(&emulator).build().unwrap();
        let before = tokens();
        emulator.inject(
            Fault::status(200)
                .body(real(at))
                .path("/storage/auth/token"),
        );
        emulator.inject(
            Fault::status(200)
                .body(json!({"access_url": "https://v3.fal.media/files/b/x"}))
                .path("/files/upload"),
        );
        upload(&fresh, direct()).unwrap();
        upload(&fresh, direct()).unwrap();
        assert_eq!(tokens() - before, 2, "{at}");
    }
}

#[test]
fn ends_from_outside_complete_nothing() {
    for (path, after) in [("*/initiate-multipart", 1), ("*/2", 3), ("*/complete", 6)] {
        for how in ["cancel", "deadline", "future"] {
            let emulator = Emulator::start().unwrap();
            emulator.inject(Fault::hang().path(path).always());
            let what = Upload::bytes(content(35 * MIB)).way(UploadWay::SignedParts);
            let what = if how == "deadline" {
                what.timeout(Duration::from_secs(4))
            } else {
                what
            };
            let op = client(&emulator).upload_start(what).unwrap();
            emulator
                .wait_until(PATIENCE, |arrivals| arrivals.len() >= after)
                .unwrap();
            let code = match how {
                "cancel" => {
                    op.cancel();
                    Code::Cancelled
                }
                "future" => {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_time()
                        .build()
                        .unwrap();
                    let dropped = op.clone();
                    runtime.block_on(async {
                        tokio::time::timeout(Duration::from_millis(1), dropped.outcome())
                            .await
                            .unwrap_err()
                    });
                    Code::Cancelled
                }
                _ => Code::Deadline,
            };
            assert!(op.wait(Some(PATIENCE)).unwrap(), "{path} {how}");
            let error = op.take().unwrap().unwrap_err();
            // Once the completing request may have been sent, the file may exist.
            let executed = path == "*/complete";
            assert_eq!(
                (error.code(), error.may_have_executed()),
                (code, executed),
                "{path} {how}: {error}"
            );
            let gone = |arrivals: &[Arrival]| {
                arrivals
                    .iter()
                    .all(|arrival| arrival.outcome != Outcome::Pending)
            };
            emulator.wait_until(PATIENCE, gone).unwrap();
            assert!(emulator.files().is_empty());
        }
    }
}

#[test]
fn a_dropped_handle_does_not_end_it() {
    let emulator = Emulator::start().unwrap();
    drop(
        client(&emulator)
            .upload_start(Upload::bytes(content(25 * MIB)).way(UploadWay::SignedParts))
            .unwrap(),
    );
    emulator
        .wait_until(PATIENCE, |arrivals| {
            arrivals.iter().any(|arrival| {
                arrival.path.ends_with("/complete") && arrival.outcome == Outcome::Status(200)
            })
        })
        .unwrap();
    assert_eq!(emulator.files().len(), 1);
}

#[test]
fn through_a_proxy_only_the_announcement_goes() {
    let emulator = Emulator::start().unwrap();
    let proxied = || {
        builder(&emulator)
            .proxy("https://app.example/api/fal/proxy")
            .unwrap()
            .build()
            .unwrap()
    };
    // Larger than a single PUT without a proxy.
    let size = 91 * MIB;
    let what = Upload::reader(std::io::repeat(7).take(size as u64), Some(size as u64));
    let answer = upload(&proxied(), what).unwrap();
    assert_eq!(
        (emulator.files()[0].size, answer.get("/size").unwrap()),
        (size as u64, &json!(size))
    );
    let seen: Vec<_> = emulator
        .arrivals()
        .iter()
        .map(|arrival| (arrival.host.clone(), arrival.proxied, arrival.had_key()))
        .collect();
    assert_eq!(
        seen,
        [
            ("app.example".into(), false, false),
            ("rest.fal.ai".into(), true, true),
            ("v3b.fal.media".into(), false, false)
        ]
    );
    for way in [
        UploadWay::SignedParts,
        UploadWay::Direct,
        UploadWay::SignedGoogle,
    ] {
        let error = upload(&proxied(), Upload::bytes(&b"x"[..]).way(way)).unwrap_err();
        assert!(error.message().contains("proxy"), "{way:?}: {error}");
    }
    // The owner of the proxy may allow more URLs.
    let patterns = Some(vec!["rest.fal.ai/**".to_owned()]);
    let proxy = ProxySettings {
        allowed_url_patterns: patterns,
        ..ProxySettings::default()
    };
    emulator.set(Settings {
        proxy,
        ..Settings::default()
    });
    for way in [
        UploadWay::SignedParts,
        UploadWay::Direct,
        UploadWay::DirectParts,
        UploadWay::SignedGoogle,
    ] {
        upload(&proxied(), Upload::bytes(&b"x"[..]).way(way))
            .unwrap_or_else(|e| panic!("{way:?}: {e}"));
    }
}

#[test]
fn large_files_are_sent_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparse");
    let file = std::fs::File::create(&path).unwrap();
    for (size, parts) in [(90 * MIB, 1), (90 * MIB + 1, 10)] {
        file.set_len(size as u64).unwrap();
        let emulator = Emulator::start().unwrap();
        upload(&client(&emulator), Upload::file(&path)).unwrap();
        assert_eq!(puts(&emulator).len(), parts);
    }
}
