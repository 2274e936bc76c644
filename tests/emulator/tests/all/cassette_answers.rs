//! Recordings of answers that no built-in endpoint gives.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use fal_emulator::{Emulator, Recording, Replaying};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::cassettes::{files, recordings};
use crate::client::{Request, Response};
use crate::tunnel::{block_on, connect};

const KEY: &str = "fake-id:fake-secret-0123456789";

/// Starts a server in fal's place. Returns its URL. `answer` gets the path of each request and its
/// Authorization header, and returns the bytes of the response, after which the connection ends.
fn server(answer: impl Fn(&str, &str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let (path, credential) = read(&socket);
            // The client may have ended.
            let _ = socket.write_all(&answer(&path, &credential));
        }
    });
    url
}

fn read(socket: &TcpStream) -> (String, String) {
    let mut reader = BufReader::new(socket);
    let mut head = String::new();
    while reader.read_line(&mut head).unwrap() > 2 {}
    let value = |name: &str| {
        let line = head.lines().find_map(|line| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then(|| value.to_owned())
        });
        line.unwrap_or_default()
    };
    let length = value("content-length").parse().unwrap_or(0);
    reader.read_exact(&mut vec![0; length]).unwrap();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    (path, value("authorization"))
}

fn response(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} \r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn of_json(text: &str) -> Vec<u8> {
    response(200, "Content-Type: application/json\r\n", text.as_bytes())
}

/// A recorder of a server, and its folder.
fn recorder(answer: impl Fn(&str, &str) -> Vec<u8> + Send + 'static) -> (Emulator, TempDir) {
    let folder = TempDir::new().unwrap();
    let recording = Recording {
        upstream: Some(server(answer)),
        ..Recording::to(folder.path())
    };
    (
        Emulator::builder().record(recording).start().unwrap(),
        folder,
    )
}

fn run(fal: &Emulator, endpoint: &str) -> Response {
    Request::run(endpoint, &json!({})).key(KEY).send(fal)
}

fn report(fal: &Emulator) -> String {
    fal.recording_report().unwrap().to_string()
}

/// The answer to this in a replay.
fn replayed(folder: &TempDir, endpoint: &str) -> Response {
    let replaying = Replaying::from(folder.path());
    let fal = Emulator::builder().replay(replaying).start().unwrap();
    Request::run(endpoint, &json!({}))
        .key(fal.api_key())
        .send(&fal)
}

/// All that was written, as text.
fn written(folder: &TempDir) -> String {
    let all = files(folder.path()).into_iter().map(|path| {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        format!("{}\n{text}", path.display())
    });
    all.collect()
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_recorded_json_file_replays() {
    let body = b"[1, \xff]";
    let (fal, folder) =
        recorder(move |_, _| response(200, "Content-Type: application/json\r\n", body));
    assert_eq!(run(&fal, "a/b").body, body);
    let url = "https://v3.fal.media/files/a/b.json";
    assert_eq!(crate::uploads::at("GET", url).send(&fal).body, body);
    assert_eq!(report(&fal), "recorded 1 request and 1 file");
    assert_eq!(replayed(&folder, "a/b").body, body);
}

#[test]
fn a_coded_answer_is_recorded_plain_and_without_secrets() {
    let (fal, folder) = recorder(|path, credential| {
        let text = json!({ "echo": credential, "a": 1 }).to_string();
        let body = match path {
            "/a/events" => zipped(format!("data: {text}\n\ndata: 2\n\n").as_bytes()),
            "/a/broken" => zipped(text.as_bytes())[..20].to_vec(),
            "/a/other" => text.into_bytes(),
            // Two members are one text.
            _ => [zipped(&text.as_bytes()[..9]), zipped(&text.as_bytes()[9..])].concat(),
        };
        let kind = if path == "/a/events" {
            "text/event-stream"
        } else {
            "application/json"
        };
        let coding = if path == "/a/other" { "br" } else { "gzip" };
        let headers = format!("Content-Type: {kind}\r\nContent-Encoding: {coding}\r\n");
        response(200, &headers, &body)
    });
    let answer = run(&fal, "a/b");
    // It passes as it is.
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.body[..2], [0x1f, 0x8b]);
    for endpoint in ["a/events", "a/broken", "a/other"] {
        run(&fal, endpoint);
    }
    assert_eq!(report(&fal), "recorded 4 requests and 0 files");
    let all = written(&folder);
    assert!(!all.contains("fake-secret"), "{all}");
    let again = replayed(&folder, "a/b");
    assert_eq!(again.json(), json!({"echo": "Key ****", "a": 1}));
    assert_eq!(again.header("content-encoding"), None);
    let events = replayed(&folder, "a/events");
    assert_eq!(
        String::from_utf8_lossy(&events.body),
        "data: {\"a\":1,\"echo\":\"Key ****\"}\n\ndata: 2\n\n"
    );
    for endpoint in ["a/broken", "a/other"] {
        let missing = replayed(&folder, endpoint);
        let text = String::from_utf8_lossy(&missing.body).into_owned();
        assert!(
            missing.status == 404 && text.contains("it is encoded"),
            "{text}"
        );
    }
}

#[test]
fn a_coded_answer_is_limited_after_its_decoding() {
    let zeros = zipped(&vec![b'0'; 20 << 20]);
    let (fal, folder) = recorder(move |_, _| {
        response(
            200,
            "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n",
            &zeros,
        )
    });
    run(&fal, "a/b");
    let media = &recordings(folder.path())[0]["answer"]["media"];
    assert_eq!(media["left_out"], "larger than --max-media 16777216");
}

#[test]
fn of_a_cookie_only_the_value_is_secret() {
    let note = json!({
        "url": "https://v3b.fal.media/files/a/b.png", "note": "SameSite=None, domain=.fal.media",
        "cookie": "kept-as-session", "until": "Wed, 09 Jun 2027 10:18:14 GMT", "path": "/cookie-path"
    });
    let text = note.to_string();
    let (fal, folder) = recorder(move |_, _| {
        let attributes = "expires=Wed, 09 Jun 2027 10:18:14 GMT; path=/cookie-path; domain=.fal.media; SameSite=None";
        let cookie = format!("Set-Cookie: __cf_bm=kept-as-session; {attributes}\r\n");
        response(
            200,
            &format!("Content-Type: application/json\r\n{cookie}"),
            text.as_bytes(),
        )
    });
    run(&fal, "a/b");
    let mut expected = note;
    expected["cookie"] = Value::from("****");
    assert_eq!(recordings(folder.path())[0]["answer"]["json"], expected);
}

#[test]
fn a_refusal_of_the_key_is_not_recorded() {
    let (fal, folder) = recorder(|path, _| {
        let status = if path == "/a/other" { 403 } else { 401 };
        let body = json!({"detail": "invalid key credentials"}).to_string();
        response(
            status,
            "Content-Type: application/json\r\n",
            body.as_bytes(),
        )
    });
    assert_eq!(run(&fal, "a/b").status, 401);
    assert_eq!(run(&fal, "a/other").status, 403);
    let submit = Request::new("POST", "queue.fal.run", "/a/b").key(KEY);
    assert_eq!(submit.json(&json!({})).send(&fal).status, 401);
    assert_eq!(
        report(&fal),
        "recorded 0 requests and 0 files; 3 not recorded: refused with 401 or 403"
    );
    assert!(files(folder.path()).is_empty());
}

/// Records `text` as the answer of a type, and returns what replays, and the report.
fn again(kind: &str, text: &str) -> (String, String) {
    let (headers, body) = (format!("Content-Type: {kind}\r\n"), text.to_owned());
    let (fal, folder) = recorder(move |_, _| response(200, &headers, body.as_bytes()));
    assert_eq!(run(&fal, "a/b").body, text.as_bytes());
    let url = "https://v3.fal.media/files/a/b";
    crate::uploads::at("GET", url).send(&fal);
    let all = written(&folder);
    assert!(!all.contains("hunter"), "{all}");
    let replaying = Replaying::from(folder.path());
    let replay = Emulator::builder().replay(replaying).start().unwrap();
    let file = crate::uploads::at("GET", url).send(&replay);
    let answer = Request::run("a/b", &json!({}))
        .key(replay.api_key())
        .send(&replay);
    (text_of(&answer), text_of(&file))
}

fn text_of(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

#[test]
fn members_are_masked_by_name_in_any_layout() {
    let pretty = "{\n  \"api_key\": \"hunter2-hunter2\",\n  \"a\": [1.50 , 2]\n}\n";
    let long = format!("{pretty}{}", " ".repeat(100_000));
    let (json, events) = ("application/json", "text/event-stream");
    for (kind, text) in [
        (json, pretty),
        (json, &long),
        (json, r#"{"api_key":"hunter2-hunter2"}"#),
        (json, "\u{feff}{\"api_key\": \"hunter2-hunter2\"}"),
        (json, r#"{"a":"{\"api_key\": \"hunter2-hunter2\"}"}"#),
        (
            "application/x-ndjson",
            "{\"api_key\":\"hunter2-hunter2\"}\r\n{\"b\":1}\n",
        ),
        (
            events,
            "data:{\"api_key\":\"hunter2-hunter2\"}\n\ndata: [DONE]\n\n",
        ),
        (
            events,
            "id: 1\nevent: x\ndata: {\"api_key\":\"hunter2-hunter2\"}\nretry: 5\n\n",
        ),
        (
            events,
            "data: 1\n\nevent: x\r\ndata: {\r\ndata:  \"api_key\":\r\ndata:\"hunter2-hunter2\"}\r\n\r\n",
        ),
        (
            events,
            ": a\ndata: {\"api_key\":\"hunter2-hunter2\"}\ndata: 2\n\n",
        ),
        // Text that only begins as JSON.
        (json, r#"{"api_key": "hunter2-hunter2", "a": [1, {"b": "#),
        (
            events,
            "data: {\"api_key\":\"hunter2-hunter2\", \"a\": \n\n",
        ),
        (json, r#"{"a":"{\"api_key\": \"hunter2-hunter2\", \"b\":"}"#),
    ] {
        let expected = text.replace("hunter2-hunter2", "****");
        let (answer, file) = again(kind, text);
        assert_eq!(
            (answer.as_str(), file.as_str()),
            (&*expected, &*expected),
            "{kind}"
        );
    }
}

#[test]
fn values_below_a_secret_name_are_masked() {
    let text = json!({
        "password": 12345678901u64, "credentials": {"user": "hunter-u", "all": [{"value": "hunter3"}, 5]},
        "openai_key": "hunter4", "sessionToken": "hunter5", "client_secret": "", "has_password": true,
        "key": "a plain value", "seed": 5, "max_tokens": 7, "api_key": null
    });
    let expected = json!({
        "password": 0, "credentials": {"user": "****", "all": [{"value": "****"}, 0]},
        "openai_key": "****", "sessionToken": "****", "client_secret": "", "has_password": true,
        "key": "a plain value", "seed": 5, "max_tokens": 7, "api_key": null
    });
    let (answer, _) = again("application/json", &text.to_string());
    assert_eq!(answer, expected.to_string());
    let (fal, folder) = recorder(|_, _| of_json("{}"));
    assert_eq!(Request::run("a/b", &text).key(KEY).send(&fal).status, 200);
    assert_eq!(recordings(folder.path())[0]["input"], expected);
    let replay = Emulator::builder()
        .replay(Replaying::from(folder.path()))
        .start()
        .unwrap();
    let mut other = text;
    other["credentials"]["all"][1] = json!(6);
    other["openai_key"] = json!("another");
    assert_eq!(
        Request::run("a/b", &other)
            .key(replay.api_key())
            .send(&replay)
            .status,
        200
    );
    other["seed"] = json!(6);
    assert_eq!(
        Request::run("a/b", &other)
            .key(replay.api_key())
            .send(&replay)
            .status,
        404
    );
}

#[test]
fn a_secret_in_a_path_or_an_id_is_not_recorded() {
    let (fal, folder) = recorder(|path, _| match path {
        "/a/submit" => of_json(&json!({"request_id": "fake-secret-0123456789"}).to_string()),
        _ => of_json("{}"),
    });
    let secret = &KEY["fake-id:".len()..];
    let coded = secret.replacen('f', "%66", 1);
    for endpoint in [format!("a/{secret}"), format!("a/b/{coded}")] {
        assert_eq!(run(&fal, &endpoint).status, 200);
        let submit = Request::new("POST", "queue.fal.run", &format!("/{endpoint}")).key(KEY);
        assert_eq!(submit.json(&json!({})).send(&fal).status, 200);
    }
    let file = format!("https://v3.fal.media/files/{secret}.png");
    assert_eq!(crate::uploads::at("GET", &file).send(&fal).status, 200);
    let submit = Request::new("POST", "queue.fal.run", "/a/submit").key(KEY);
    assert_eq!(submit.json(&json!({})).send(&fal).status, 200);
    let result = Request::get("queue.fal.run", &format!("/a/submit/requests/{secret}")).key(KEY);
    assert_eq!(result.send(&fal).status, 200);
    assert_eq!(
        report(&fal),
        "recorded 0 requests and 0 files; 5 not recorded: a secret in the path; 1 not recorded: a secret in the request id"
    );
    assert!(files(folder.path()).is_empty());
}

#[test]
fn urls_of_any_scheme_are_masked() {
    let text = json!([
        "//h/x?X-Amz-Signature=hunter",
        "HTTPS://u:hunter@h/x",
        "postgres://u:hunter@db/x",
        "wss://h/x?token=hunter",
        "https://h/x#access_token=hunter",
        "https://h/x",
        "a // b, c//d"
    ]);
    let expected = json!([
        "//h/x?****",
        "HTTPS://****@h/x",
        "postgres://****@db/x",
        "wss://h/x?****",
        "https://h/x#****",
        "https://h/x",
        "a // b, c//d"
    ]);
    let (answer, _) = again("application/json", &text.to_string());
    assert_eq!(answer, expected.to_string());
}

#[test]
fn other_hosts_are_reached_and_named() {
    let (fal, folder) = recorder(|_, _| of_json("{}"));
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let echo = std::thread::spawn(move || {
        let (mut socket, _) = other.accept().unwrap();
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).unwrap();
        socket.write_all(&bytes).unwrap();
    });
    block_on(async {
        let mut stream = connect(&fal, &address, "").await.unwrap();
        stream.write_all(b"\x16\x03 any bytes").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).await.unwrap();
        assert_eq!(back, b"\x16\x03 any bytes");
        echo.join().unwrap();
        // Nobody listens any more.
        assert_eq!(connect(&fal, &address, "").await.unwrap_err().0, 502);
        // What has a name of fal is recorded or refused.
        assert_eq!(connect(&fal, "fal.run:80", "").await.unwrap_err().0, 403);
    });
    assert_eq!(
        report(&fal),
        "recorded 0 requests and 0 files; 1 not recorded: 127.0.0.1, which is not a host of fal"
    );
    assert!(files(folder.path()).is_empty());
    let plain = Emulator::start().unwrap();
    block_on(async {
        assert_eq!(connect(&plain, &address, "").await.unwrap_err().0, 403);
    });
}
