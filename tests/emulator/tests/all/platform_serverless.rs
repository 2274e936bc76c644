//! An account's own apps: their queues, runners, logs, files and metrics.

use std::io::Write;
use std::time::{Duration, Instant};

use fal_emulator::{Emulator, Scope};
use serde_json::{Value, json};

use crate::client::{Connection, Request, got, has, platform, ran, sent};

fn submit(emulator: &Emulator, input: &Value, key: &str) -> String {
    let request = Request::new("POST", "queue.fal.run", "/acme/job")
        .key(key)
        .json(input);
    request.send(emulator).json()["request_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn status(emulator: &Emulator, id: &str, key: &str) -> Value {
    Request::get("queue.fal.run", &format!("/acme/job/requests/{id}/status"))
        .key(key)
        .send(emulator)
        .json()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn own_apps_are_listed() {
    let emulator = Emulator::start().unwrap();
    let all = got(&emulator, 200, "GET", "/serverless/apps?expand=endpoints");
    let apps = all["apps"].as_array().unwrap();
    let ids: Vec<&str> = apps
        .iter()
        .map(|app| app["endpoint_id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids,
        [
            "acme/job",
            "acme/paint",
            "acme/private",
            "acme/public",
            "acme/shared"
        ]
    );
    has(
        &apps[1],
        &[
            "endpoint_id",
            "name",
            "owner",
            "environment",
            "machine_type",
            "auth_mode",
            "keep_alive",
            "min_concurrency",
            "max_concurrency",
            "request_timeout",
            "startup_timeout",
            "valid_regions",
            "updated_at",
            "endpoints",
        ],
    );
    assert_eq!(
        apps[1]["endpoints"],
        json!(["acme/paint/schnell", "acme/paint/dev"])
    );
    assert_eq!(
        (&apps[2]["auth_mode"], &apps[3]["auth_mode"]),
        (&json!("private"), &json!("public"))
    );
    let count = |query: &str| {
        got(&emulator, 200, "GET", &format!("/serverless/apps?{query}"))["apps"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(
        (
            count("search=pa"),
            count("environment=main"),
            count("environment=dev")
        ),
        (1, 5, 0)
    );
    got(&emulator, 400, "GET", "/serverless/apps?expand=all");
    let stranger = emulator.create_key(Scope::Api, "other");
    assert_eq!(
        platform(&emulator, "GET", "/serverless/apps", &stranger).json(),
        json!({"apps": []})
    );
}

#[test]
fn a_queue_is_read_and_flushed() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    let running = submit(&emulator, &json!({"ms": 600_000}), key);
    until("it runs", || {
        status(&emulator, &running, key)["status"] == "IN_PROGRESS"
    });
    let waiting: Vec<String> = (0..3)
        .map(|_| submit(&emulator, &json!({"startup_ms": 600_000}), key))
        .collect();
    let path = "/serverless/apps/acme/job/queue";
    assert_eq!(got(&emulator, 200, "GET", path), json!({"queue_size": 3}));
    let stranger = emulator.create_key(Scope::Api, "other");
    for method in ["GET", "DELETE"] {
        assert_eq!(platform(&emulator, method, path, &stranger).status, 403);
        got(
            &emulator,
            404,
            method,
            "/serverless/apps/acme/nothing/queue",
        );
        got(&emulator, 403, method, "/serverless/apps/fal-ai/flux/queue");
    }
    got(&emulator, 204, "DELETE", path);
    assert_eq!(got(&emulator, 200, "GET", path), json!({"queue_size": 0}));
    for id in &waiting {
        let ended = status(&emulator, id, key);
        assert_eq!(
            (&ended["status"], &ended["error_type"]),
            (&json!("COMPLETED"), &json!("client_cancelled"))
        );
    }
    assert_eq!(status(&emulator, &running, key)["status"], "IN_PROGRESS");
    let items = got(
        &emulator,
        200,
        "GET",
        "/serverless/requests/by-endpoint?endpoint_id=acme/job&status=user_error",
    );
    assert_eq!(items["items"].as_array().unwrap().len(), 3);
}

#[test]
fn requests_of_others_to_own_apps_are_listed() {
    let emulator = Emulator::start().unwrap();
    let stranger = emulator.create_key(Scope::Api, "other");
    let (id, _) = ran(&emulator, "acme/shared", &json!({"a": 1}), &stranger);
    let anonymous = Request::run("acme/public", &json!({})).send(&emulator);
    assert_eq!(anonymous.status, 200);
    let path = "/serverless/requests/by-endpoint?endpoint_id=acme/shared,acme/public&expand=payloads,billing";
    let items = got(&emulator, 200, "GET", path)["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 2);
    has(
        &items[1],
        &[
            "request_id",
            "endpoint_id",
            "started_at",
            "sent_at",
            "ended_at",
            "status_code",
            "duration",
            "json_input",
            "json_output",
            "runner_id",
            "billable_units",
        ],
    );
    assert_eq!(
        (&items[1]["request_id"], &items[1]["json_input"]),
        (&json!(id), &json!({"a": 1}))
    );
    got(
        &emulator,
        403,
        "GET",
        "/serverless/requests/by-endpoint?endpoint_id=fal-ai/flux/dev",
    );
    got(
        &emulator,
        404,
        "GET",
        "/serverless/requests/by-endpoint?endpoint_id=acme/nothing",
    );
    got(&emulator, 400, "GET", "/serverless/requests/by-endpoint");
}

#[test]
fn runners_events_and_revisions_tell_what_happened() {
    let emulator = Emulator::start().unwrap();
    ran(
        &emulator,
        "acme/job",
        &json!({"ms": 20}),
        emulator.api_key(),
    );
    let failing = Request::run(
        "acme/job",
        &json!({"fail": {"error_type": "runner_server_error"}}),
    )
    .key(emulator.api_key());
    assert_eq!(failing.send(&emulator).status, 500);
    let base = "/serverless/apps/acme/job";
    let history = got(
        &emulator,
        200,
        "GET",
        &format!("{base}/runners/history?timeframe=hour"),
    );
    has(
        &history,
        &["endpoint_id", "timeframe", "aggregation", "history"],
    );
    assert_eq!(
        (&history["aggregation"], &history["timeframe"]),
        (&json!("max"), &json!("hour"))
    );
    let points = history["history"].as_array().unwrap();
    has(
        &points[0],
        &["timestamp", "running", "idle", "pending", "draining"],
    );
    assert!((24..=26).contains(&points.len()));
    let busy: f64 = points
        .iter()
        .map(|point| point["running"].as_f64().unwrap())
        .sum();
    assert!((1.0..=2.0).contains(&busy), "{busy}");
    let average = got(
        &emulator,
        200,
        "GET",
        &format!("{base}/runners/history?aggregation=avg"),
    );
    let busy: f64 = average["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["running"].as_f64().unwrap())
        .sum();
    assert!(busy > 0.0 && busy < 1.0, "{busy}");

    let events = got(&emulator, 200, "GET", &format!("{base}/events"));
    let categories: Vec<&str> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["category"].as_str().unwrap())
        .collect();
    for category in [
        "runner_failed",
        "runner_finished",
        "runner_started",
        "deployment_started",
        "deployment_ended",
    ] {
        assert!(
            categories.contains(&category),
            "{category} is not in {categories:?}"
        );
    }
    has(
        &events["events"][0],
        &["event_id", "category", "created_at", "payload"],
    );
    let failed = got(
        &emulator,
        200,
        "GET",
        &format!("{base}/events?category=runner_failed"),
    );
    assert_eq!(
        failed["events"][0]["payload"]["reason"],
        "runner_server_error"
    );
    assert_eq!(failed["events"].as_array().unwrap().len(), 1);

    let revisions = got(&emulator, 200, "GET", &format!("{base}/revisions"));
    has(
        &revisions,
        &["next_cursor", "has_more", "endpoint_id", "revisions"],
    );
    let all = revisions["revisions"].as_array().unwrap();
    has(
        &all[0],
        &[
            "revision_id",
            "created_at",
            "is_current",
            "message",
            "annotations",
            "status",
            "deployed_by",
        ],
    );
    assert_eq!(
        (all.len(), &all[0]["is_current"], &all[2]["status"]),
        (3, &json!(true), &json!(null))
    );
    for (path, wrong) in [
        ("runners/history", "aggregation=min"),
        ("runners/history", "start=2020-01-01"),
        ("events", "category=party"),
        ("events", "limit=1001"),
        ("revisions", "limit=101"),
    ] {
        got(&emulator, 400, "GET", &format!("{base}/{path}?{wrong}"));
    }
    for path in ["runners/history", "events", "revisions"] {
        got(
            &emulator,
            404,
            "GET",
            &format!("/serverless/apps/acme/nothing/{path}"),
        );
        got(
            &emulator,
            403,
            "GET",
            &format!("/serverless/apps/fal-ai/flux/{path}"),
        );
    }
}

#[test]
fn metrics_are_text_for_prometheus() {
    let emulator = Emulator::start().unwrap();
    ran(&emulator, "acme/job", &json!({}), emulator.api_key());
    submit(
        &emulator,
        &json!({"startup_ms": 600_000}),
        emulator.api_key(),
    );
    let answer = platform(&emulator, "GET", "/serverless/metrics", emulator.api_key());
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("text/plain")
    );
    let text = String::from_utf8(answer.body).unwrap();
    for line in [
        "fal_app_queue_size{application=\"acme/job\"} 1",
        "fal_app_requests_completed{application=\"acme/job\",method=\"POST\",status=\"200\"} 1",
        "fal_app_requests_received{application=\"acme/job\",method=\"POST\"} 1",
        "fal_app_request_latency{application=\"acme/job\",le=\"+Inf\"} 1",
        "fal_app_concurrent_requests{application=\"acme/job\"} 0",
        "fal_app_runners{application=\"acme/job\",machine_type=\"GPU-A100\",state=\"running\"} 0",
        "# TYPE fal_app_queue_size gauge",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\n{text}");
    }
    emulator.advance(Duration::from_secs(61));
    let text = String::from_utf8(
        platform(&emulator, "GET", "/serverless/metrics", emulator.api_key()).body,
    )
    .unwrap();
    assert!(!text.contains("fal_app_requests_received"));
}

#[test]
fn logs_are_filtered_and_paged() {
    let emulator = Emulator::start().unwrap();
    let input = json!({"logs": ["loading weights", {"message": "odd shape", "level": "WARN"}]});
    let (id, _) = ran(&emulator, "acme/job", &input, emulator.api_key());
    ran(&emulator, "acme/shared", &json!({}), emulator.api_key());
    let lines = |query: &str, body: &Value| {
        let page = sent(
            &emulator,
            200,
            "POST",
            &format!("/serverless/logs/history?{query}"),
            body,
        );
        page["items"].as_array().unwrap().clone()
    };
    let none = json!([]);
    let all = lines("", &none);
    assert_eq!(all.len(), 6, "{all:?}");
    has(
        &all[1],
        &["timestamp", "level", "message", "app", "revision", "labels"],
    );
    assert_eq!(
        (&all[1]["message"], &all[1]["app"]),
        (&json!("loading weights"), &json!("acme/job"))
    );
    let job = all[1]["labels"]["fal_job_id"].as_str().unwrap();
    for (query, count) in [
        ("level=WARN", 1),
        ("search=WEIGHTS", 1),
        ("app_id=acme/job", 4),
        ("app_id=acme/job,acme/shared", 6),
        ("run_source=cron", 0),
        ("run_source=gateway", 6),
        ("traceback=true", 0),
        ("revision=job-3", 4),
        (&format!("request_id={id}"), 4),
        (&format!("job_id={job}"), 4),
        ("start=2020-01-01&end=2020-01-02", 0),
    ] {
        assert_eq!(lines(query, &none).len(), count, "{query}");
    }
    for (filter, count) in [
        (json!([{"key": "fal_job_id", "value": job}]), 4),
        (
            json!([{"key": "fal_job_id", "value": [job, "x"], "condition_type": "in"}]),
            4,
        ),
        (
            json!([{"key": "fal_job_id", "value": job, "condition_type": "not_equals"}]),
            2,
        ),
        (json!([{"key": "colour", "value": "red"}]), 0),
    ] {
        assert_eq!(lines("", &filter).len(), count, "{filter}");
    }
    // The body is optional.
    assert_eq!(
        got(&emulator, 200, "POST", "/serverless/logs/history")["items"]
            .as_array()
            .unwrap()
            .len(),
        6
    );
    let first = sent(
        &emulator,
        200,
        "POST",
        "/serverless/logs/history?limit=4",
        &none,
    );
    let cursor = first["next_cursor"].as_str().unwrap().replace('=', "%3D");
    assert_eq!(lines(&format!("limit=4&cursor={cursor}"), &none).len(), 2);
    for (query, body) in [
        ("limit=1001", json!([])),
        ("level=LOUD", json!([])),
        ("run_source=party", json!([])),
        ("", json!({})),
        ("", json!([{"key": "a"}])),
        ("", json!([{"key": "a", "value": 5}])),
        (
            "",
            json!([{"key": "a", "value": "b", "condition_type": "like"}]),
        ),
    ] {
        sent(
            &emulator,
            400,
            "POST",
            &format!("/serverless/logs/history?{query}"),
            &body,
        );
    }
    let stranger = emulator.create_key(Scope::Api, "other");
    assert_eq!(
        platform(&emulator, "POST", "/serverless/logs/history", &stranger).json()["items"],
        none
    );
}

#[test]
fn logs_come_live() {
    let emulator = Emulator::start().unwrap();
    ran(
        &emulator,
        "acme/job",
        &json!({"logs": ["before"]}),
        emulator.api_key(),
    );
    let mut connection = Connection::open(&emulator);
    let request = Request::new(
        "POST",
        "api.fal.ai",
        "/v1/serverless/logs/stream?search=line",
    )
    .key(emulator.api_key());
    connection.write(&request.json(&json!([]))).unwrap();
    let head = connection.read_head().unwrap();
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, Some("text/event-stream"))
    );
    ran(
        &emulator,
        "acme/job",
        &json!({"logs": ["line one", "other", "line two"]}),
        emulator.api_key(),
    );
    let mut text = String::new();
    while !text.contains("line two") {
        text += &String::from_utf8(connection.read_chunk().unwrap().expect("more")).unwrap();
    }
    let messages: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| {
            serde_json::from_str::<Value>(data).unwrap()["message"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(messages, ["line one", "line two"]);
    drop(connection);
    // Lines until `end`, including past ones.
    let past = Request::new(
        "POST",
        "api.fal.ai",
        "/v1/serverless/logs/stream?start=2020-01-01&end=2099-01-01&search=before",
    );
    let mut connection = Connection::open(&emulator);
    connection.write(&past.key(emulator.api_key())).unwrap();
    connection.read_head().unwrap();
    assert!(
        String::from_utf8(connection.read_chunk().unwrap().unwrap())
            .unwrap()
            .contains("before")
    );
    emulator.advance(Duration::from_secs(100 * 366 * 86_400));
    assert_eq!(connection.read_chunk().unwrap(), None);
}

fn form(emulator: &Emulator, path: &str, name: &str, content: &[u8]) -> crate::client::Response {
    let mut body = b"--b0\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n".to_vec();
    write!(
        body,
        "--b0\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n"
    )
    .unwrap();
    body.extend_from_slice(b"Content-Type: application/octet-stream\r\n\r\n");
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--b0--\r\n");
    let request = Request::new(
        "POST",
        "api.fal.ai",
        &format!("/v1/serverless/files/file/local/{path}"),
    );
    let request = request
        .key(emulator.api_key())
        .header("Content-Type", "multipart/form-data; boundary=b0");
    request.bytes(body).send(emulator)
}

/// A ZIP archive with one stored, uncompressed file.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut crc = !0_u32;
    for byte in content {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
    }
    let (crc, size) = (
        (!crc).to_le_bytes(),
        u32::try_from(content.len()).unwrap().to_le_bytes(),
    );
    let length = u16::try_from(name.len()).unwrap().to_le_bytes();
    let common = [
        &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &crc,
        &size,
        &size,
        &length,
        &[0, 0],
    ]
    .concat();
    let local = [b"PK\x03\x04", &common[..], name.as_bytes(), content].concat();
    let central = [
        b"PK\x01\x02\x14\x00",
        &common[..],
        &[0; 14],
        name.as_bytes(),
    ]
    .concat();
    let sizes = [
        u32::try_from(central.len()).unwrap().to_le_bytes(),
        u32::try_from(local.len()).unwrap().to_le_bytes(),
    ]
    .concat();
    [
        &local[..],
        &central,
        b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00",
        &sizes,
        &[0, 0],
    ]
    .concat()
}

#[test]
fn files_are_stored_listed_and_fetched() {
    let emulator = Emulator::start().unwrap();
    let stored = form(
        &emulator,
        "weights/a%20b.bin",
        "file_upload",
        b"\x00\r\n--b1 binary",
    );
    assert_eq!((stored.status, stored.json()), (200, json!(true)));
    let root = got(&emulator, 200, "GET", "/serverless/files/list");
    assert_eq!(
        (&root[0]["path"], &root[0]["is_file"]),
        (&json!("weights"), &json!(false))
    );
    let inside = got(&emulator, 200, "GET", "/serverless/files/list/weights");
    has(
        &inside[0],
        &[
            "path",
            "name",
            "created_time",
            "updated_time",
            "is_file",
            "size",
            "checksum_sha256",
        ],
    );
    assert_eq!(
        (&inside[0]["path"], &inside[0]["size"]),
        (&json!("weights/a b.bin"), &json!(14))
    );
    let file = platform(
        &emulator,
        "GET",
        "/serverless/files/file/weights/a%20b.bin",
        emulator.api_key(),
    );
    assert_eq!(
        (file.header("content-type"), &file.body[..]),
        (
            Some("application/octet-stream"),
            &b"\x00\r\n--b1 binary"[..]
        )
    );
    assert_eq!(
        got(&emulator, 200, "GET", "/serverless/files/list/nothing"),
        json!([])
    );
    got(&emulator, 404, "GET", "/serverless/files/file/nothing");
    let stranger = emulator.create_key(Scope::Api, "other");
    assert_eq!(
        platform(&emulator, "GET", "/serverless/files/list", &stranger).json(),
        json!([])
    );
    for (path, name, content) in [
        ("x", "other_name", &b"x"[..]),
        ("a/../b", "file_upload", b"x"),
        ("weights", "file_upload", b"x"),
        ("weights/a%20b.bin/c", "file_upload", b"x"),
        ("x?unzip=true", "file_upload", b"no archive"),
        ("x?unzip=true", "file_upload", &zip("../up.txt", b"x")),
        ("x?unzip=perhaps", "file_upload", b"x"),
    ] {
        let refused = form(&emulator, path, name, content);
        assert_eq!(
            (refused.status, refused.json()["error"]["type"].as_str()),
            (400, Some("validation_error")),
            "{path}"
        );
    }
    assert_eq!(
        form(
            &emulator,
            "data?unzip=true",
            "file_upload",
            &zip("in/a.txt", b"hello")
        )
        .status,
        200
    );
    let file = platform(
        &emulator,
        "GET",
        "/serverless/files/file/data/in/a.txt",
        emulator.api_key(),
    );
    assert_eq!(file.body, b"hello");
}

#[test]
fn a_file_is_stored_from_a_url() {
    let emulator = Emulator::start().unwrap();
    let (_, output) = ran(
        &emulator,
        "fal-ai/flux/schnell",
        &json!({"prompt": "a"}),
        emulator.api_key(),
    );
    let path = "/serverless/files/file/url/pictures/a.png";
    let picture = json!({"url": output["images"][0]["url"]});
    assert_eq!(sent(&emulator, 200, "POST", path, &picture), json!(true));
    let file = platform(
        &emulator,
        "GET",
        "/serverless/files/file/pictures/a.png",
        emulator.api_key(),
    );
    assert!(file.body.starts_with(b"\x89PNG"));
    let here = json!({"url": format!("http://{}/_emulator/health", emulator.host())});
    assert_eq!(
        sent(
            &emulator,
            200,
            "POST",
            "/serverless/files/file/url/health",
            &here
        ),
        json!(true)
    );
    let file = platform(
        &emulator,
        "GET",
        "/serverless/files/file/health",
        emulator.api_key(),
    );
    assert_eq!(file.json()["status"], "ok");
    for wrong in [
        json!({}),
        json!({"url": "nothing"}),
        json!({"url": "https://elsewhere.example/a"}),
        json!({"url": "https://v3.fal.media/files/b/none"}),
        json!({"url": format!("http://{}/_emulator/none", emulator.host())}),
    ] {
        sent(&emulator, 400, "POST", path, &wrong);
    }
}
