//! Downloads: into memory and into files, resumed, limited in size, and without a key.

use super::upload::{content, file_of, upload};
use super::*;
use std::path::Path;

use fal::{Code, Decision, Download, EventKind, Lifecycle, NextEvent, Upload};
use fal_emulator::{Arrival, Fault, Outcome};

const MIB: usize = 1 << 20;

fn download(client: &Client, download: Download) -> Result<Response, Error> {
    Op::finish(|| client.download_start(download))
}

/// Uploads these bytes and returns the file's URL. The requests of the upload are cleared.
fn stored(emulator: &Emulator, client: &Client, what: Upload) -> String {
    let url = upload(client, what)
        .unwrap()
        .get_str("/url")
        .unwrap()
        .to_owned();
    emulator.clear_arrivals();
    url
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn ranges(emulator: &Emulator) -> Vec<Option<String>> {
    emulator
        .arrivals()
        .iter()
        .map(|arrival| arrival.headers.get("range").cloned())
        .collect()
}

#[test]
fn a_file_comes_into_memory_or_onto_the_disk() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    for size in [0, 1, 3 * MIB + 5] {
        let bytes = content(size);
        let url = stored(
            &emulator,
            &client,
            Upload::bytes(bytes.clone()).file_name("a.png"),
        );
        let answer = download(&client, Download::new(&url).unwrap()).unwrap();
        assert!(answer.body() == &bytes && answer.header("content-type") == Some("image/png"));
        let path = folder.path().join(format!("{size}.png"));
        let answer = download(&client, Download::new(&url).unwrap().to(&path)).unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
        assert_eq!(answer.get_str("/path").unwrap(), path.to_str().unwrap());
        assert_eq!(
            (
                answer.get("/size").unwrap(),
                answer.get_str("/content_type").unwrap()
            ),
            (&json!(size), "image/png")
        );
        let answer = download(
            &client,
            Download::new(&url)
                .unwrap()
                .to(folder.path())
                .overwrite(true),
        )
        .unwrap();
        let name = answer.get_str("/file_name").unwrap();
        assert!(name.ends_with("_a.png"), "{name}");
        assert!(std::fs::read(folder.path().join(name)).unwrap() == bytes);
        assert!(
            emulator
                .arrivals()
                .iter()
                .all(|arrival| arrival.authorization.is_none())
        );
    }
    assert_eq!(names(folder.path()).len(), 6, "nothing is left over");
}

#[test]
fn no_key_goes_along_wherever_the_address_leads() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    // Some of these services accept keys. The emulator does not know the last host.
    for url in [
        "https://fal.run/emulator/echo",
        "https://api.fal.ai/v1/keys",
        "https://storage.googleapis.com/x",
        "https://evil.example/x",
    ] {
        let _ = download(&client, Download::new(url).unwrap());
    }
    emulator.inject(Fault::redirect("https://fal.run/emulator/echo", 302).path("/files/x"));
    let _ = download(
        &client,
        Download::new("https://v3.fal.media/files/x").unwrap(),
    );
    assert_eq!(emulator.arrivals().len(), 6);
    assert!(
        emulator
            .arrivals()
            .iter()
            .all(|arrival| arrival.authorization.is_none())
    );
    let trap = Trap::set();
    for bad in [
        trap.url().as_str(),
        "http://v3.fal.media/x",
        "ftp://v3.fal.media/x",
        "file:///etc/passwd",
    ] {
        assert_eq!(
            download(&client, Download::new(bad).unwrap())
                .unwrap_err()
                .code(),
            Code::ForeignOrigin,
            "{bad}"
        );
    }
    for bad in ["https://user:word@v3.fal.media/x", "", "x", "data:x"] {
        let outcome = Download::new(bad).and_then(|what| download(&client, what));
        assert_eq!(outcome.unwrap_err().code(), Code::InvalidArgument, "{bad}");
    }
    trap.assert_untouched();
}

#[test]
fn a_restricted_file_takes_a_token_and_a_foreign_host_gets_none() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let lifecycle = Lifecycle::new().access(Decision::Forbid);
    let url = stored(
        &emulator,
        &client,
        Upload::bytes(&b"secret"[..]).lifecycle(lifecycle),
    );
    assert_eq!(
        download(&client, Download::new(&url).unwrap())
            .unwrap_err()
            .code(),
        Code::Forbidden
    );
    let answer = download(&client, Download::new(&url).unwrap().with_file_token(true)).unwrap();
    assert_eq!(&answer.body()[..], b"secret");
    emulator.clear_arrivals();
    for foreign in [
        "https://storage.googleapis.com/x",
        "https://fal.run/x",
        "https://v3.fal.media:8443/x",
    ] {
        let error = download(
            &client,
            Download::new(foreign).unwrap().with_file_token(true),
        )
        .unwrap_err();
        assert_eq!(error.code(), Code::ForeignOrigin, "{error}");
    }
    assert!(emulator.arrivals().is_empty());
    // A redirect does not send the key to another host.
    emulator.inject(Fault::redirect("https://evil.example/x", 302));
    assert_eq!(
        download(&client, Download::new(&url).unwrap().with_file_token(true))
            .unwrap_err()
            .code(),
        Code::Redirect
    );
    assert_eq!(emulator.arrivals().len(), 1);
}

#[test]
fn what_breaks_goes_on_where_it_ended() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(5 * MIB);
    let url = stored(&emulator, &client, Upload::bytes(bytes.clone()));
    for to in [None, Some(folder.path().join("a.bin"))] {
        emulator.clear_arrivals();
        emulator.inject(Fault::truncate(2 * MIB as u64));
        emulator.inject(Fault::truncate(MIB as u64));
        let what = Download::new(&url).unwrap();
        let what = if let Some(path) = &to {
            what.to(path)
        } else {
            what
        };
        let answer = download(&client, what).unwrap();
        match &to {
            Some(path) => assert!(std::fs::read(path).unwrap() == bytes),
            None => assert!(answer.body() == &bytes),
        }
        assert_eq!(
            ranges(&emulator),
            [
                None,
                Some(format!("bytes={}-", 2 * MIB)),
                Some(format!("bytes={}-", 3 * MIB))
            ]
        );
        assert!(emulator.arrivals()[1].headers.contains_key("if-range"));
    }
    // The number of attempts is the limit that was set.
    emulator.clear_arrivals();
    emulator.inject(Fault::truncate(10).always());
    let client = builder(&emulator).max_attempts(3).unwrap().build().unwrap();
    let path = folder.path().join("b.bin");
    let error = download(&client, Download::new(&url).unwrap().to(&path)).unwrap_err();
    assert_eq!(
        (error.code(), emulator.arrivals().len()),
        (Code::ConnectionLost, 3),
        "{error}"
    );
    assert!(error.is_retryable() && !error.may_have_executed());
    assert_eq!(names(folder.path()), ["a.bin"]);
}

#[test]
fn another_file_in_between_is_fetched_from_its_beginning() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let url = stored(&emulator, &client, Upload::bytes(content(MIB)));
    let part = |range: &str, etag: &str| {
        Fault::status(206)
            .body("xyz")
            .header("content-range", range)
            .header("etag", etag)
    };
    let tag = |arrival: &Arrival| arrival.headers.get("if-range").cloned();
    for (name, fault, requests) in [
        // If-Range does not match, so the whole file is sent.
        (
            "all",
            Fault::status(200)
                .body("another")
                .header("etag", "\"other\""),
            2,
        ),
        ("another etag", part("bytes 100-102/103", "\"other\""), 3),
        ("another place", part("bytes 5-7/1048576", "\"x\""), 3),
        ("another length", part("bytes 100-102/103", "W/\"x\""), 3),
        ("no range", Fault::status(206).body("xyz"), 3),
        (
            "beyond the end",
            Fault::status(416).header("content-range", "bytes */50"),
            3,
        ),
    ] {
        emulator.clear_arrivals();
        emulator.inject(Fault::truncate(100));
        emulator.inject(fault);
        let path = folder.path().join(name);
        download(&client, Download::new(&url).unwrap().to(&path))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let expected = if requests == 2 {
            b"another".to_vec()
        } else {
            content(MIB)
        };
        assert!(std::fs::read(&path).unwrap() == expected, "{name}");
        let arrivals = emulator.arrivals();
        assert_eq!(arrivals.len(), requests, "{name}");
        assert!(
            tag(&arrivals[1]).is_some() && arrivals.get(2).is_none_or(|third| tag(third).is_none()),
            "{name}"
        );
    }
    emulator.inject(part("bytes 0-2/3", "\"x\""));
    assert_eq!(
        download(&client, Download::new(&url).unwrap())
            .unwrap_err()
            .code(),
        Code::Protocol,
        "never asked for"
    );
}

#[test]
fn its_size_is_bounded() {
    let emulator = Emulator::start().unwrap();
    let client = builder(&emulator).max_response_bytes(1000).build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = stored(&emulator, &client, Upload::bytes(content(5000)));
    let what = || Download::new(&url).unwrap();
    assert_eq!(
        download(&client, what()).unwrap_err().code(),
        Code::TooLarge,
        "in memory the client's limit holds"
    );
    download(&client, what().max_bytes(5000)).unwrap();
    let path = folder.path().join("a");
    let error = download(&client, what().to(&path).max_bytes(4999)).unwrap_err();
    assert!(
        error.code() == Code::TooLarge && error.message().contains("4999"),
        "{error}"
    );
    assert!(names(folder.path()).is_empty());
    download(&client, what().to(&path)).unwrap();
    // Without Content-Length the limit is noticed while the body is read.
    let run = || {
        let mut request = Request::run("emulator/bytes").unwrap();
        request.set_json(json!({"size": 5000, "chunked": true}));
        Download::of_request(request)
    };
    assert_eq!(download(&client, run()).unwrap_err().code(), Code::TooLarge);
    assert_eq!(
        download(&client, run().max_bytes(5000))
            .unwrap()
            .body()
            .len(),
        5000
    );
    assert_eq!(
        download(&client, Download::new("data:,1234").unwrap().max_bytes(3))
            .unwrap_err()
            .code(),
        Code::TooLarge
    );
}

/// A run whose response exceeds the limit has been executed all the same.
#[test]
fn a_run_that_is_saved_was_executed_whatever_becomes_of_its_file() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        let mut request = Request::run("emulator/bytes").unwrap();
        request.set_json(json!({"size": 5000, "chunked": true}));
        Download::of_request(request)
    };
    let path = folder.path().join("a");
    let error = download(&client, run().to(&path).max_bytes(4999)).unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::TooLarge, true),
        "{error}"
    );
    emulator.clear_arrivals();
    emulator.inject(Fault::slow(500, Duration::from_millis(100)));
    let op = client.download_start(run().to(&path)).unwrap();
    emulator.wait_for_arrivals(1, PATIENCE).unwrap();
    std::fs::write(&path, b"old").unwrap();
    op.wait(Some(PATIENCE)).unwrap();
    let error = op.take().unwrap().unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::Io, true),
        "{error}"
    );
    // A request that was not sent was not executed.
    let error = download(&client, run().to(&path)).unwrap_err();
    assert_eq!(
        (
            error.code(),
            error.may_have_executed(),
            emulator.arrivals().len()
        ),
        (Code::Io, false, 1),
        "{error}"
    );
}

#[test]
fn a_file_that_is_there_stays() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let url = stored(&emulator, &client, Upload::bytes(&b"new"[..]));
    let path = file_of(&folder, "a", b"old");
    let what = || Download::new(&url).unwrap().to(&path);
    let error = download(&client, what()).unwrap_err();
    assert!(
        error.code() == Code::Io && error.message().contains("exists already"),
        "{error}"
    );
    assert_eq!(error.path(), Some(path.as_path()));
    #[cfg(unix)]
    assert_eq!(error.os_code(), Some(libc::EEXIST));
    assert!(
        emulator.arrivals().is_empty(),
        "it is said before anything is sent"
    );
    // A file that appears during the download stays, too.
    std::fs::remove_file(&path).unwrap();
    emulator.inject(Fault::slow(1, Duration::from_millis(300)));
    let op = client.download_start(what()).unwrap();
    emulator.wait_for_arrivals(1, PATIENCE).unwrap();
    std::fs::write(&path, b"old").unwrap();
    op.wait(Some(PATIENCE)).unwrap();
    assert!(
        op.take()
            .unwrap()
            .unwrap_err()
            .message()
            .contains("exists already")
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    download(&client, what().overwrite(true)).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["a"]);
    // A symbolic link is replaced, not followed.
    #[cfg(unix)]
    {
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        std::fs::write(&path, b"old").unwrap();
        download(
            &client,
            Download::new(&url).unwrap().to(&link).overwrite(true),
        )
        .unwrap();
        assert_eq!(
            (std::fs::read(&path).unwrap(), std::fs::read(&link).unwrap()),
            (b"old".to_vec(), b"new".to_vec())
        );
    }
    for (bad, code) in [
        (Path::new("/missing/folder/a"), Code::Io),
        (Path::new("/dev/null"), Code::InvalidArgument),
    ] {
        assert_eq!(
            download(
                &client,
                Download::new(&url).unwrap().to(bad).overwrite(true)
            )
            .unwrap_err()
            .code(),
            code
        );
    }
}

#[test]
fn a_name_of_the_server_stays_in_the_folder() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    for (disposition, name) in [
        ("attachment; filename=\"../evil.sh\"", "evil.sh"),
        (
            "attachment; filename*=UTF-8''..%2F..%2Fworse.sh",
            "worse.sh",
        ),
        ("attachment; filename=\"/etc/passwd\"", "passwd"),
        ("attachment; filename=\"..\"", "x.png"),
    ] {
        emulator.inject(
            Fault::status(200)
                .body("x")
                .header("content-disposition", disposition),
        );
        let answer = download(
            &client,
            Download::new("https://v3.fal.media/files/x.png")
                .unwrap()
                .to(&folder),
        )
        .unwrap();
        assert_eq!(answer.get_str("/file_name").unwrap(), name);
    }
    assert_eq!((names(outer.path()).len(), names(&folder).len()), (1, 4));
}

#[test]
fn ends_from_outside_leave_nothing_behind() {
    let emulator = Emulator::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let client = client(&emulator);
    let url = stored(&emulator, &client, Upload::bytes(content(4 * MIB)));
    for (fault, deadline) in [
        (Fault::hang(), false),
        (Fault::slow(1000, Duration::from_millis(50)), false),
        (Fault::slow(1000, Duration::from_millis(50)), true),
    ] {
        emulator.clear_arrivals();
        emulator.inject(fault);
        let what = Download::new(&url).unwrap().to(folder.path().join("a"));
        let what = if deadline {
            what.timeout(Duration::from_millis(500))
        } else {
            what
        };
        let op = client.download_start(what).unwrap();
        emulator.wait_for_arrivals(1, PATIENCE).unwrap();
        if !deadline {
            std::thread::sleep(Duration::from_millis(200));
            op.cancel();
        }
        assert!(op.wait(Some(PATIENCE)).unwrap());
        let error = op.take().unwrap().unwrap_err();
        let code = if deadline {
            Code::Deadline
        } else {
            Code::Cancelled
        };
        assert_eq!(
            (error.code(), error.may_have_executed()),
            (code, false),
            "{error}"
        );
        emulator
            .wait_until(PATIENCE, |arrivals| {
                arrivals[0].outcome == Outcome::ClientClosed
            })
            .unwrap();
        assert!(names(folder.path()).is_empty());
    }
}

#[test]
fn progress_only_grows_and_ends_at_the_whole() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let url = stored(&emulator, &client, Upload::bytes(content(4 * MIB)));
    emulator.inject(Fault::truncate(MIB as u64));
    let op = client.download_start(Download::new(&url).unwrap()).unwrap();
    let (mut last, mut total) = (0, None);
    while let NextEvent::Event(event) = op.wait_event(Some(PATIENCE)).unwrap() {
        assert_eq!(event.kind(), EventKind::Progress);
        let now = event.get("/transferred").unwrap().as_u64().unwrap();
        assert!(now > last);
        (last, total) = (now, event.get("/total").unwrap().as_u64());
    }
    assert_eq!((last, total), (4 * MIB as u64, Some(4 * MIB as u64)));
}

#[test]
fn data_uris_are_files_too() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let answer = download(
        &client,
        Download::new("data:image/png;base64,MTIzNA==").unwrap(),
    )
    .unwrap();
    assert_eq!(
        (&answer.body()[..], answer.header("content-type")),
        (&b"1234"[..], Some("image/png"))
    );
    let answer = download(
        &client,
        Download::new("data:image/png;base64,MTIzNA==")
            .unwrap()
            .to(folder.path()),
    )
    .unwrap();
    assert_eq!(answer.get_str("/file_name").unwrap(), "download.png");
    assert_eq!(
        std::fs::read(folder.path().join("download.png")).unwrap(),
        b"1234"
    );
    assert!(emulator.arrivals().is_empty());
}

#[test]
fn an_answer_can_be_a_file() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("models.json");
    let request = Request::new("GET", "/v1/models").unwrap();
    let answer = download(&client, Download::of_request(request).to(&path)).unwrap();
    assert_eq!(answer.get("/http_status").unwrap(), 200);
    let text: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(text["models"].is_array());
    assert!(emulator.arrivals()[0].had_key());
    // A run whose response breaks off is not sent again.
    emulator.clear_arrivals();
    emulator.inject(Fault::truncate(10));
    let mut request = Request::run("emulator/bytes").unwrap();
    request.set_json(json!({"size": 5000}));
    let error = download(
        &client,
        Download::of_request(request).to(folder.path().join("b")),
    )
    .unwrap_err();
    assert_eq!(
        (error.code(), error.may_have_executed()),
        (Code::ConnectionLost, true),
        "{error}"
    );
    assert_eq!(
        (emulator.arrivals().len(), names(folder.path()).len()),
        (1, 1)
    );
    assert_eq!(
        download(
            &client,
            Download::of_request(Request::new("GET", "https://evil.example/").unwrap())
        )
        .unwrap_err()
        .code(),
        Code::ForeignOrigin
    );
}
