//! Recordings: a program that ran against one emulator runs again without it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fal_emulator::{Emulator, Fault, Recording, ReplayPace, Replaying};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Connection, Request, Response};
use crate::uploads::at;

/// An emulator in fal's place, one that records what it answers, and the folder.
pub(crate) struct Studio {
    pub(crate) upstream: Emulator,
    pub(crate) recorder: Emulator,
    pub(crate) folder: TempDir,
}

impl Studio {
    pub(crate) fn new() -> Self {
        Self::with(Emulator::start().unwrap(), |recording| recording)
    }

    pub(crate) fn with(upstream: Emulator, change: impl FnOnce(Recording) -> Recording) -> Self {
        let folder = TempDir::new().unwrap();
        let recording = Recording {
            upstream: Some(format!("http://{}", upstream.host())),
            ..Recording::to(folder.path())
        };
        let recorder = Emulator::builder()
            .record(change(recording))
            .start()
            .unwrap();
        Self {
            upstream,
            recorder,
            folder,
        }
    }

    /// The key of the user.
    pub(crate) fn key(&self) -> &str {
        self.upstream.api_key()
    }

    /// A new emulator that replays what was recorded, without the one in fal's place.
    pub(crate) fn replay(self, pace: ReplayPace) -> (Emulator, TempDir) {
        assert_eq!(self.recorder.recording_report().unwrap().errors, [""; 0]);
        drop((self.upstream, self.recorder));
        (replaying(self.folder.path(), pace), self.folder)
    }
}

fn replaying(folder: &Path, pace: ReplayPace) -> Emulator {
    let replaying = Replaying {
        pace,
        ..Replaying::from(folder)
    };
    Emulator::builder().replay(replaying).start().unwrap()
}

/// All files below a folder, without temporary ones.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub(crate) fn recordings(folder: &Path) -> Vec<Value> {
    let read = |path: PathBuf| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    files(folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(read)
        .collect()
}

fn run(at: &Emulator, key: &str, endpoint: &str, input: &Value) -> Response {
    Request::run(endpoint, input).key(key).send(at)
}

fn text(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

/// Runs a job through the queue. Returns the id, the last status with its log, and the result.
pub(crate) fn subscribe(
    at: &Emulator,
    key: &str,
    endpoint: &str,
    input: &Value,
) -> (String, Value, Response) {
    let submit = Request::new("POST", "queue.fal.run", &format!("/{endpoint}"));
    let submitted = submit.key(key).json(input).send(at);
    assert_eq!(submitted.status, 200, "{}", text(&submitted));
    let submitted = submitted.json();
    let get = |url: &Value, tail: &str| {
        let url = format!("{}{tail}", url.as_str().unwrap());
        crate::uploads::at("GET", &url).key(key).send(at)
    };
    let began = Instant::now();
    loop {
        let status = get(&submitted["status_url"], "?logs=1").json();
        if status["status"] == "COMPLETED" {
            let id = submitted["request_id"].as_str().unwrap().to_owned();
            return (id, status, get(&submitted["response_url"], ""));
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{status}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Uploads bytes with a signed URL, as most clients do.
fn upload(at_: &Emulator, key: &str, bytes: &[u8]) -> String {
    let initiate = Request::new(
        "POST",
        "rest.fal.ai",
        "/storage/upload/initiate?storage_type=fal-cdn-v3",
    );
    let answer = initiate
        .key(key)
        .json(&json!({"content_type": "image/png", "file_name": "a.png"}))
        .send(at_)
        .json();
    let put = at("PUT", answer["upload_url"].as_str().unwrap());
    assert_eq!(
        put.header("Content-Type", "image/png")
            .bytes(bytes)
            .send(at_)
            .status,
        200
    );
    answer["file_url"].as_str().unwrap().to_owned()
}

/// What a program prints that uses runs, the queue, streams and files.
fn program(fal: &Emulator, key: &str) -> Vec<String> {
    let mut printed = Vec::new();
    let picture = run(
        fal,
        key,
        "fal-ai/flux/schnell",
        &json!({"prompt": "a cat", "seed": 1}),
    );
    printed.push(format!("{} {}", picture.status, text(&picture)));
    printed.push(picture.request_id().to_owned());
    let url = picture.json()["images"][0]["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let file = at("GET", &url).send(fal);
    printed.push(format!(
        "{} {:?} {}",
        file.status,
        file.header("content-type"),
        file.body.len()
    ));
    printed.push(format!("{:?}", &file.body[..200]));
    let part = at("GET", &url).header("Range", "bytes=10-19").send(fal);
    printed.push(format!("{} {:?}", part.status, part.body));
    let uploaded = upload(fal, key, b"pixels");
    let answer = run(
        fal,
        key,
        "emulator/echo/a",
        &json!({"image_url": uploaded, "again": url}),
    );
    assert_eq!(answer.json()["body"]["image_url"], uploaded);
    printed.push(answer.json()["body"]["again"].to_string());
    let failure = run(
        fal,
        key,
        "emulator/fail",
        &json!({"status": 418, "body": {"b": 1, "a": [1.50, 2e3]}}),
    );
    printed.push(format!("{} {}", failure.status, text(&failure)));
    let stream = run(
        fal,
        key,
        "emulator/stream/stream",
        &json!({"events": [{"b": 1, "a": 2}, "é"], "ms": 5}),
    );
    printed.push(text(&stream));
    let odd = json!({"events": [{"b": 1}], "crlf": true, "id": true, "event": "x", "comments": true, "retry": 5});
    printed.push(text(&run(fal, key, "emulator/stream", &odd)));
    let job = json!({"ms": 20, "logs": ["one", {"message": "two", "level": "WARN"}], "output": {"z": 1, "a": 2}});
    let (id, status, result) = subscribe(fal, key, "emulator/job", &job);
    printed.push(format!(
        "{id} {} {} {} {}",
        status["logs"],
        status["metrics"],
        result.status,
        text(&result)
    ));
    let refused = subscribe(fal, key, "fal-ai/flux/dev", &json!({"seed": 1}));
    printed.push(format!("{} {}", refused.2.status, text(&refused.2)));
    let bytes = run(
        fal,
        key,
        "emulator/bytes",
        &json!({"size": 300, "content_type": "audio/wav"}),
    );
    printed.push(format!(
        "{:?} {:?}",
        bytes.header("content-type"),
        bytes.body
    ));
    let inline = run(
        fal,
        key,
        "fal-ai/flux/schnell",
        &json!({"prompt": "b", "sync_mode": true}),
    );
    printed.push(text(&inline));
    printed
}

#[test]
fn a_recorded_program_prints_the_same_without_a_network() {
    let studio = Studio::new();
    let first = program(&studio.recorder, studio.key());
    let report = studio.recorder.recording_report().unwrap();
    assert_eq!((report.recorded, report.files), (9, 1), "{report}");
    assert_eq!(report.passed_on.len(), 1, "{report}");
    let (replay, _folder) = studio.replay(ReplayPace::Instant);
    let second = program(&replay, replay.api_key());
    assert_eq!(first, second);
}

#[test]
fn another_input_is_404_and_names_the_nearest_recording() {
    let studio = Studio::new();
    let endpoint = "fal-ai/flux/schnell";
    for prompt in ["a cat", "a dog"] {
        let input = json!({"prompt": prompt, "seed": 1, "image_size": {"width": 64, "height": 64}});
        assert_eq!(
            run(&studio.recorder, studio.key(), endpoint, &input).status,
            200
        );
    }
    let (replay, _folder) = studio.replay(ReplayPace::Instant);
    let input =
        json!({"prompt": "a dog", "image_size": {"width": 65, "height": 64}, "num_images": 2});
    let expected = "fal-emulator: no recording of fal-ai/flux/schnell fits this input; the nearest is \
        fal-ai/flux/schnell/0002.json, which differs in image_size.width: recorded 64, given 65; \
        seed: recorded 1, not given; num_images: not recorded, given 2";
    run(&replay, replay.api_key(), endpoint, &input).assert_detail(404, expected);
    let queued = Request::new("POST", "queue.fal.run", "/fal-ai/flux/schnell")
        .key(replay.api_key())
        .json(&input);
    queued.send(&replay).assert_detail(404, expected);
    let other = "fal-emulator: there is no recording of fal-ai/veo3, but of fal-ai/flux/schnell";
    run(&replay, replay.api_key(), "fal-ai/veo3", &input).assert_detail(404, other);
    let dev = "fal-emulator: there is no recording of fal-ai/flux/dev, but of fal-ai/flux/schnell";
    run(&replay, replay.api_key(), "fal-ai/flux/dev", &input).assert_detail(404, dev);
    // Only a key may learn this.
    assert_eq!(Request::run(endpoint, &input).send(&replay).status, 401);
}

#[test]
fn recordings_of_the_same_input_answer_in_their_order() {
    let studio = Studio::new();
    studio
        .upstream
        .inject(Fault::status(503).path("/emulator/echo"));
    let ask = |fal: &Emulator, key: &str| run(fal, key, "emulator/echo", &json!({})).status;
    let first: Vec<u16> = (0..2)
        .map(|_| ask(&studio.recorder, studio.key()))
        .collect();
    assert_eq!(first, [503, 200]);
    let (replay, _folder) = studio.replay(ReplayPace::Instant);
    let key = replay.api_key().to_owned();
    assert_eq!([(); 4].map(|()| ask(&replay, &key)), [503, 200, 200, 200]);
    Request::new("POST", "127.0.0.1", "/_emulator/reset").send(&replay);
    assert_eq!(ask(&replay, &key), 503);
}

#[test]
fn the_recorded_pace_is_kept_if_asked_for() {
    let studio = Studio::new();
    let stream = json!({"events": [1, 2], "ms": 300});
    let job = json!({"ms": 300, "logs": ["one"], "startup_ms": 100});
    run(&studio.recorder, studio.key(), "emulator/stream", &stream);
    subscribe(&studio.recorder, studio.key(), "emulator/job", &job);
    let folder = studio.folder.path().to_owned();
    let (instant, _kept) = studio.replay(ReplayPace::Instant);
    let recorded = replaying(&folder, ReplayPace::Recorded);
    for (fal, slow) in [(instant, false), (recorded, true)] {
        let began = Instant::now();
        run(&fal, fal.api_key(), "emulator/stream", &stream);
        let streamed = began.elapsed();
        subscribe(&fal, fal.api_key(), "emulator/job", &job);
        let ran = began.elapsed() - streamed;
        assert_eq!(streamed >= Duration::from_millis(250), slow, "{streamed:?}");
        assert_eq!(ran >= Duration::from_millis(300), slow, "{ran:?}");
    }
}

#[test]
fn events_pass_as_they_come_and_have_their_times() {
    let studio = Studio::new();
    let mut connection = Connection::open(&studio.recorder);
    let input = json!({"events": [{"a": 1}, {"a": 2}], "ms": 400});
    connection
        .write(&Request::run("emulator/stream", &input).key(studio.key()))
        .unwrap();
    connection.read_head().unwrap();
    let began = Instant::now();
    assert_eq!(
        connection.read_chunk().unwrap().unwrap(),
        b"data: {\"a\":1}\n\n"
    );
    assert!(began.elapsed() < Duration::from_millis(300));
    while connection.read_chunk().unwrap().is_some() {}
    let recording = &recordings(studio.folder.path())[0];
    let events = recording["answer"]["events"].as_array().unwrap();
    assert_eq!(
        events
            .iter()
            .map(|event| &event["data"]["a"])
            .collect::<Vec<_>>(),
        [1, 2]
    );
    let times: Vec<u64> = events
        .iter()
        .map(|event| event["at_ms"].as_u64().unwrap())
        .collect();
    assert!(times[1] - times[0] >= 300, "{times:?}");
}

#[test]
fn a_broken_stream_breaks_again() {
    let studio = Studio::new();
    let request =
        |key: &str| Request::run("emulator/stream", &json!({"events": [1], "cut": true})).key(key);
    assert!(request(studio.key()).attempt(&studio.recorder).is_err());
    assert_eq!(
        recordings(studio.folder.path())[0]["answer"]["broken"],
        true
    );
    let (replay, _folder) = studio.replay(ReplayPace::Instant);
    let mut connection = Connection::open(&replay);
    connection.write(&request(replay.api_key())).unwrap();
    connection.read_head().unwrap();
    assert_eq!(connection.read_chunk().unwrap().unwrap(), b"data: 1\n\n");
    assert_eq!(connection.read_chunk().unwrap().unwrap(), b"data: {\"cut");
    assert!(connection.read_chunk().is_err());
}

#[test]
fn each_way_of_uploading_is_known_by_its_content() {
    let studio = Studio::new();
    let uploads = |fal: &Emulator, key: &str| {
        let token = Request::new(
            "POST",
            "rest.fal.ai",
            "/storage/auth/token?storage_type=fal-cdn-v3",
        )
        .key(key)
        .json(&json!({}))
        .send(fal)
        .json()["token"]
            .as_str()
            .unwrap()
            .to_owned();
        let bearer = |request: Request| request.header("Authorization", &format!("Bearer {token}"));
        let direct = bearer(Request::new("POST", "v3.fal.media", "/files/upload"))
            .bytes("direct")
            .send(fal)
            .json();
        let begun = bearer(Request::new(
            "POST",
            "v3.fal.media",
            "/files/upload/multipart",
        ))
        .send(fal)
        .json();
        let (file, id) = (
            begun["access_url"].as_str().unwrap(),
            begun["uploadId"].as_str().unwrap(),
        );
        let mut parts = Vec::new();
        for (number, bytes) in [(2, "two"), (1, "one")] {
            let part = bearer(at("PUT", &format!("{file}/multipart/{id}/{number}")))
                .bytes(bytes)
                .send(fal);
            parts.push(json!({"partNumber": number, "etag": part.header("etag").unwrap()}));
        }
        let complete = bearer(at("POST", &format!("{file}/multipart/{id}/complete")));
        assert_eq!(
            complete.json(&json!({"parts": parts})).send(fal).status,
            200
        );
        let mut urls = vec![
            direct["access_url"].clone(),
            json!(file),
            json!(upload(fal, key, b"signed")),
        ];
        for kind in ["fal-cdn-v3", "gcs"] {
            let path = format!("/storage/upload/initiate-multipart?storage_type={kind}");
            let begun = Request::new("POST", "rest.fal.ai", &path)
                .key(key)
                .json(&json!({"content_type": "image/png", "file_name": "a.png"}))
                .send(fal)
                .json();
            let target = begun["upload_url"].as_str().unwrap();
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let put = if kind == "gcs" {
                let part = at("POST", &format!("{path}/1")).key(key).send(fal).json();
                at("PUT", part["upload_url"].as_str().unwrap())
            } else {
                at("PUT", &format!("{path}/1?{query}"))
            };
            let put = put.bytes(kind).send(fal);
            assert_eq!(put.status, 200);
            let (name, etag) = (
                if kind == "gcs" {
                    "part_number"
                } else {
                    "partNumber"
                },
                put.header("etag").unwrap(),
            );
            let complete = at("POST", &format!("{path}/complete?{query}")).key(key);
            assert_eq!(
                complete
                    .json(&json!({"parts": [{name: 1, "etag": etag}]}))
                    .send(fal)
                    .status,
                200
            );
            urls.push(begun["file_url"].clone());
        }
        let answer = run(fal, key, "emulator/echo", &json!({"urls": urls}));
        assert_eq!(answer.status, 200, "{}", text(&answer));
        assert_eq!(answer.json()["body"]["urls"], json!(urls));
    };
    uploads(&studio.recorder, studio.key());
    let recorded = recordings(studio.folder.path())[0]["input"]["urls"].to_string();
    assert_eq!(
        recorded.matches("fal-file:sha256:").count(),
        5,
        "{recorded}"
    );
    let (replay, _folder) = studio.replay(ReplayPace::Instant);
    uploads(&replay, replay.api_key());
    let other = upload(&replay, replay.api_key(), b"other");
    let answer = run(
        &replay,
        replay.api_key(),
        "emulator/echo",
        &json!({"urls": [other]}),
    );
    assert!(
        answer.status == 404 && text(&answer).contains("urls[0]: recorded"),
        "{}",
        text(&answer)
    );
}

#[test]
fn recording_adds_to_what_a_folder_has() {
    let studio = Studio::new();
    let recording = Recording {
        upstream: Some(format!("http://{}", studio.upstream.host())),
        ..Recording::to(studio.folder.path())
    };
    let other = Emulator::builder().record(recording).start().unwrap();
    std::thread::scope(|scope| {
        for fal in [&studio.recorder, &other] {
            scope.spawn(|| {
                for n in 0..20 {
                    assert_eq!(
                        run(fal, studio.key(), "emulator/echo", &json!({ "n": n })).status,
                        200
                    );
                }
            });
        }
    });
    let names: Vec<String> = files(studio.folder.path())
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let expected: Vec<String> = (1..=40).map(|number| format!("{number:04}.json")).collect();
    assert_eq!(names, expected);
}

#[test]
fn what_is_too_large_is_passed_on_and_left_out() {
    let studio = Studio::with(Emulator::start().unwrap(), |recording| Recording {
        max_media: 1000,
        ..recording
    });
    let (small, large) = (json!({"size": 1000}), json!({"size": 1001}));
    for input in [&small, &large] {
        let answer = run(&studio.recorder, studio.key(), "emulator/bytes", input);
        assert_eq!(json!(answer.body.len()), input["size"]);
    }
    let picture = run(
        &studio.recorder,
        studio.key(),
        "fal-ai/flux/schnell",
        &json!({"prompt": "a"}),
    );
    let url = picture.json()["images"][0]["url"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(at("GET", &url).send(&studio.recorder).body.len() > 1000);
    let (replay, _folder) = studio.replay(ReplayPace::Instant);
    assert_eq!(
        run(&replay, replay.api_key(), "emulator/bytes", &small).status,
        200
    );
    run(&replay, replay.api_key(), "emulator/bytes", &large).assert_detail(
        404,
        "fal-emulator: the recording leaves out these 1001 bytes: larger than --max-media 1000",
    );
    let file = at("GET", &url).send(&replay);
    assert!(
        file.status == 404 && text(&file).contains("--max-media 1000"),
        "{}",
        text(&file)
    );
}

#[test]
fn what_does_not_end_is_not_recorded() {
    let studio = Studio::new();
    studio.upstream.inject(Fault::hang().path("/emulator/echo"));
    let mut hanging = Connection::open(&studio.recorder);
    hanging
        .write(&Request::run("emulator/echo", &json!({})).key(studio.key()))
        .unwrap();
    let mut endless = Connection::open(&studio.recorder);
    let input = json!({"events": [1, 2], "ms": 60_000});
    endless
        .write(&Request::run("emulator/stream", &input).key(studio.key()))
        .unwrap();
    endless.read_head().unwrap();
    assert!(endless.read_chunk().unwrap().is_some());
    studio
        .upstream
        .wait_for_arrivals(2, Duration::from_secs(5))
        .unwrap();
    // A request that the end of a program interrupts is counted, too.
    let left = "2 not recorded: the client did not read the whole response";
    let report = studio.recorder.recording_report().unwrap().to_string();
    assert!(report.ends_with(left), "{report}");
    drop((hanging, endless));
    // Both requests end at the other end, too.
    studio
        .upstream
        .wait_until(Duration::from_secs(10), |arrivals| {
            arrivals
                .iter()
                .all(|arrival| arrival.outcome == fal_emulator::Outcome::ClientClosed)
        })
        .unwrap();
    assert!(files(studio.folder.path()).is_empty());
    let report = studio.recorder.recording_report().unwrap().to_string();
    assert!(report.ends_with(left), "{report}");
}

#[test]
fn what_cannot_be_recorded_is_refused_or_named() {
    let studio = Studio::new();
    let handshake = Request::get("fal.run", "/emulator/realtime")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    handshake
        .key(studio.key())
        .send(&studio.recorder)
        .assert_detail(501, "fal-emulator: record does not serve WebSockets");
    let models = Request::get("api.fal.ai", "/v1/models")
        .key(studio.key())
        .send(&studio.recorder);
    assert_eq!(models.status, 200);
    let submit = Request::new("POST", "queue.fal.run", "/emulator/job")
        .key(studio.key())
        .json(&json!({}));
    assert_eq!(submit.send(&studio.recorder).status, 200);
    let report = studio.recorder.recording_report().unwrap().to_string();
    assert_eq!(
        report,
        "recorded 0 requests and 0 files; 1 not recorded: WebSockets, refused; 1 not recorded: api.fal.ai, which replaying \
         answers by itself; 1 not recorded: queued requests whose result was not fetched"
    );
    let Studio {
        upstream,
        recorder,
        folder: _folder,
    } = studio;
    let key = upstream.api_key().to_owned();
    drop(upstream);
    let answer = run(&recorder, &key, "emulator/echo", &json!({}));
    assert!(
        answer.status == 502 && text(&answer).contains("cannot reach fal.run"),
        "{}",
        text(&answer)
    );
}

#[test]
fn an_id_leads_to_no_other_folder() {
    let studio = Studio::new();
    for path in [
        "/../../outside",
        "/emulator/echo/../../../outside",
        "/emulator/echo/%2e%2e/con/a:b",
    ] {
        Request::new("POST", "fal.run", path)
            .key(studio.key())
            .json(&json!({}))
            .send(&studio.recorder);
    }
    let parent = studio.folder.path().parent().unwrap();
    assert!(!parent.join("outside").exists() && !parent.parent().unwrap().join("outside").exists());
    let all = files(studio.folder.path());
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all.iter().all(|path| path.strip_prefix(studio.folder.path()).unwrap().components().all(|part| {
        matches!(part, std::path::Component::Normal(name) if !name.to_string_lossy().contains(['\\', ':']))
    })));
}

#[test]
fn a_mistake_in_a_recording_names_its_place() {
    let studio = Studio::new();
    run(
        &studio.recorder,
        studio.key(),
        "emulator/echo",
        &json!({"a": 1}),
    );
    let file = studio.folder.path().join("emulator/echo/0001.json");
    let good = fs::read_to_string(&file).unwrap();
    let line = |part: &str| 1 + good[..good.find(part).unwrap()].matches('\n').count();
    for (from, to, place, what) in [
        (
            "\"status\": 200",
            "\"status\": 2000",
            "\"status\"",
            "status must be 200 to 599, not 2000",
        ),
        (
            "\"way\": \"run\"",
            "\"way\": \"walk\"",
            "\"way\"",
            "unknown variant `walk`",
        ),
        (
            "\"way\": \"run\",",
            "\"way\": \"run\"",
            "\"method\"",
            "expected `,` or `}`",
        ),
        ("\"a\": 1", "\"a\": 01", "\"a\"", "invalid number"),
        (
            "\"format\": 1",
            "\"format\": 2",
            "\"format\"",
            "format must be 1",
        ),
        (
            "\"method\"",
            "\"methud\"",
            "\"method\"",
            "unknown field `methud`",
        ),
    ] {
        fs::write(&file, good.replacen(from, to, 1)).unwrap();
        let error = Emulator::builder()
            .replay(Replaying::from(studio.folder.path()))
            .start()
            .unwrap_err()
            .to_string();
        let expected = format!("emulator/echo/0001.json:{}:", line(place));
        assert!(
            error.contains(&expected) && error.contains(what),
            "{error}, not {expected}"
        );
    }
    fs::write(&file, &good).unwrap();
    let media = good.replacen(
        "\"json\":",
        "\"media\": {\"file\": \"../../a\", \"size\": 1}, \"json\":",
        1,
    );
    fs::write(&file, media).unwrap();
    let error = Emulator::builder()
        .replay(Replaying::from(studio.folder.path()))
        .start()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("file must be the name of a file in the folder _media"),
        "{error}"
    );
}

#[test]
fn an_empty_folder_and_a_missing_one_are_errors() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing");
    for (folder, what) in [
        (folder.path(), "has no recording"),
        (&*missing, "cannot read the recordings"),
    ] {
        let error = Emulator::builder()
            .replay(Replaying::from(folder))
            .start()
            .unwrap_err()
            .to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn a_recording_precedes_an_endpoint_that_the_user_defines() {
    let studio = Studio::new();
    let (recorded, other) = (json!({"a": 1}), json!({"a": 2}));
    run(&studio.recorder, studio.key(), "emulator/echo", &recorded);
    let apps = "[[endpoint]]\nid = \"emulator/echo\"\noutput = { defined = true }\n\
        [[endpoint]]\nid = \"me/mine\"\noutput = { mine = true }\n";
    let replaying = Replaying::from(studio.folder.path());
    let builder = Emulator::builder().replay(replaying).define(apps).unwrap();
    let fal = builder.start().unwrap();
    let key = fal.api_key();
    assert_eq!(
        run(&fal, key, "emulator/echo", &recorded).json()["body"],
        recorded
    );
    assert_eq!(
        run(&fal, key, "emulator/echo", &other).json(),
        json!({"defined": true})
    );
    assert_eq!(
        run(&fal, key, "me/mine", &other).json(),
        json!({"mine": true})
    );
    assert_eq!(
        subscribe(&fal, key, "emulator/echo", &recorded).2.json()["body"],
        recorded
    );
    assert_eq!(
        subscribe(&fal, key, "emulator/echo", &other).2.json(),
        json!({"defined": true})
    );
    assert_eq!(run(&fal, key, "fal-ai/flux/dev", &other).status, 404);
}
