//! The page of requests, as a browser requests it.

use std::io::Write;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fal_emulator::{Emulator, Fault};
use serde_json::{Value, json};

use crate::client::{Connection, Request, id, ran, secret};

const PAGE: &str = "/dashboard/requests";

fn get(emulator: &Emulator, rest: &str) -> Value {
    let answer = Request::get(&emulator.host(), &format!("{PAGE}{rest}")).send(emulator);
    assert_eq!(answer.status, 200, "{rest}");
    answer.json()
}

fn detail(emulator: &Emulator, ordinal: u64) -> Value {
    get(emulator, &format!("/{ordinal}.json"))
}

#[test]
fn it_is_at_the_emulator_itself_and_loads_nothing_else() {
    let emulator = Emulator::start().unwrap();
    for (end, kind) in [
        ("", "text/html"),
        (".css", "text/css"),
        (".js", "text/javascript"),
        (".json", "application/json"),
    ] {
        let answer = Request::get(&emulator.host(), &format!("{PAGE}{end}")).send(&emulator);
        assert_eq!(answer.status, 200, "{end}");
        assert!(answer.header("content-type").unwrap().starts_with(kind));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let text = String::from_utf8(answer.body).unwrap();
        assert!(!text.contains("innerHTML") && !text.contains("http:"));
        if end.is_empty() {
            assert!(
                !text.contains("https:") && !text.contains("<script>") && !text.contains("style=")
            );
        }
    }
    let page = Request::get(&emulator.host(), PAGE).send(&emulator);
    let policy = page.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self';",
        "img-src 'self' data:;",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert_eq!(
        Request::new("POST", &emulator.host(), PAGE)
            .send(&emulator)
            .status,
        405
    );
    for path in [
        "/dashboard/requestsx",
        "/dashboard/requests/none",
        "/dashboard/requests/7.json",
    ] {
        assert_eq!(
            Request::get(&emulator.host(), path).send(&emulator).status,
            404,
            "{path}"
        );
    }
    assert_eq!(
        Request::get(&emulator.host(), "/dashboard/requests.json?colour=red")
            .send(&emulator)
            .status,
        400
    );
    // Its own requests would arrive at fal.ai.
    assert!(emulator.arrivals().is_empty());
    assert_eq!(Request::get("fal.ai", PAGE).send(&emulator).status, 404);
}

#[test]
fn a_run_shows_input_output_picture_time_and_cost() {
    let emulator = Emulator::start().unwrap();
    let input = json!({"prompt": "a lighthouse", "image_size": {"width": 1000, "height": 1000}});
    let (request_id, output) = ran(&emulator, "fal-ai/flux/schnell", &input, emulator.api_key());
    let row = &get(&emulator, ".json")["rows"][0];
    assert_eq!(
        (&row["endpoint"], &row["method"]),
        (&json!("fal-ai/flux/schnell"), &json!("POST"))
    );
    assert_eq!(
        (&row["key_id"], &row["preview"]),
        (&json!(id(emulator.api_key())), &json!("a lighthouse"))
    );
    assert_eq!(
        (&row["outcome"], &row["request_id"]),
        (&json!(200), &json!(request_id))
    );
    assert_eq!(row["cost"], 0.003);
    assert!(row["duration_ms"].as_f64().unwrap() > 0.0);
    let one = detail(&emulator, 1);
    let text =
        |part: &str| serde_json::from_str::<Value>(one[part]["text"].as_str().unwrap()).unwrap();
    assert_eq!(
        (text("input"), text("output"), text("response")),
        (input, output.clone(), output.clone())
    );
    assert_eq!(one["run"]["unit"], "megapixel");
    let url = output["images"][0]["url"].as_str().unwrap();
    let medium = &one["output"]["media"][0];
    assert_eq!(
        (&medium["kind"], &medium["url"]),
        (&json!("image"), &json!(url))
    );
    let picture =
        Request::get(&emulator.host(), medium["source"].as_str().unwrap()).send(&emulator);
    assert!(picture.body.starts_with(b"\x89PNG"));
    assert!(
        picture
            .header("content-security-policy")
            .unwrap()
            .contains("sandbox")
    );
    assert!(!one.to_string().contains(secret(emulator.api_key())));
}

#[test]
fn films_and_pictures_within_a_url_are_shown_too() {
    let emulator = Emulator::start().unwrap();
    ran(
        &emulator,
        "fal-ai/veo3",
        &json!({"prompt": "waves"}),
        emulator.api_key(),
    );
    let film = &detail(&emulator, 1)["output"]["media"][0];
    assert_eq!(film["kind"], "video");
    let part = Request::get(&emulator.host(), film["source"].as_str().unwrap())
        .header("Range", "bytes=0-3");
    let part = part.send(&emulator);
    assert_eq!(
        (part.status, part.body.len()),
        (206, 4),
        "a player asks for parts"
    );
    let input =
        json!({"prompt": "x", "sync_mode": true, "image_size": {"width": 64, "height": 64}});
    ran(&emulator, "fal-ai/flux/schnell", &input, emulator.api_key());
    let medium = &detail(&emulator, 2)["output"]["media"][0];
    assert!(
        medium["source"]
            .as_str()
            .unwrap()
            .starts_with("data:image/png;base64,")
    );
    // A page of the storage is not shown, nor any other host's.
    let upload = json!({"file_name": "page.html", "content_type": "text/html"});
    let place = Request::new(
        "POST",
        "rest.fal.ai",
        "/storage/upload/initiate?storage_type=fal-cdn-v3",
    );
    let place = place
        .key(emulator.api_key())
        .json(&upload)
        .send(&emulator)
        .json();
    let target = place["upload_url"]
        .as_str()
        .unwrap()
        .strip_prefix("https://")
        .unwrap();
    let (host, path) = target.split_once('/').unwrap();
    let put = Request::new("PUT", host, &format!("/{path}")).header("Content-Type", "text/html");
    assert_eq!(
        put.bytes("<script>alert(1)</script>")
            .send(&emulator)
            .status,
        200
    );
    let file = place["file_url"]
        .as_str()
        .unwrap()
        .strip_prefix("https://")
        .unwrap();
    for url in [
        file,
        "example.com/a.png",
        "v3.fal.media/files/none.png",
        "none",
    ] {
        let asked = Request::get(&emulator.host(), &format!("{PAGE}/files/{url}"));
        assert_eq!(asked.send(&emulator).status, 404, "{url}");
    }
}

#[test]
fn a_queued_request_shows_its_way_through_the_queue() {
    let emulator = Emulator::start().unwrap();
    let submit = Request::new("POST", "queue.fal.run", "/emulator/job").key(emulator.api_key());
    submit
        .json(&json!({"ms": 3_600_000, "logs": ["half way"]}))
        .send(&emulator);
    let state = || get(&emulator, ".json")["rows"][0]["state"].clone();
    let end = std::time::Instant::now() + Duration::from_secs(10);
    while state() != "IN_PROGRESS" {
        assert!(std::time::Instant::now() < end, "{}", state());
    }
    emulator.advance(Duration::from_secs(3600));
    while state() != "COMPLETED" {
        assert!(std::time::Instant::now() < end, "{}", state());
    }
    let one = detail(&emulator, 1);
    let states: Vec<&str> = one["states"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]);
    assert!(one["run"]["ran_s"].as_f64().unwrap() >= 3600.0);
    assert!(one["run"]["log"].to_string().contains("half way"));
    assert!(one["cost"].is_number());
}

#[test]
fn the_curl_line_repeats_the_request() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    let text = "it's $FAL_KEY `x` \\ \"</script><img src=x onerror=alert(1)>\n";
    let requests = [
        Request::run("emulator/echo/a%20b?q=it's&r=2", &json!({"text": text}))
            .key(key)
            .header("X-Fal-Tags", "a='b'"),
        Request::new("PUT", "fal.run", "/emulator/echo")
            .key(key)
            .header("Content-Type", "text/plain")
            .bytes(text),
        Request::new("POST", "fal.run", "/emulator/echo")
            .key(key)
            .bytes(vec![0, 255, 39, 10]),
        Request::get("fal.run", "/acme/public"),
    ];
    for request in requests {
        emulator.clear_arrivals();
        request.send(&emulator);
        let first = emulator.arrivals().remove(0);
        let line = detail(&emulator, first.ordinal)["curl"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(!line.contains(secret(key)), "{line}");
        let repeated = std::process::Command::new("sh")
            .args(["-c", &line])
            .env("FAL_KEY", key)
            .output()
            .unwrap();
        assert!(repeated.status.success(), "{line}");
        let second = emulator.arrivals().remove(1);
        assert_eq!(
            (&second.method, &second.host, &second.path),
            (&first.method, &first.host, &first.path)
        );
        assert_eq!((&second.query, &second.body), (&first.query, &first.body));
        assert_eq!(second.authorization, first.authorization);
        for name in ["content-type", "x-fal-tags"] {
            if let Some(value) = first.headers.get(name) {
                assert_eq!(second.headers.get(name), Some(value));
            }
        }
        assert_eq!(second.outcome, first.outcome);
    }
}

#[test]
fn what_cannot_be_repeated_says_why() {
    let emulator = Emulator::start().unwrap();
    Request::run("emulator/echo", &json!("x".repeat(70_000)))
        .key(emulator.api_key())
        .send(&emulator);
    Request::get("fal.run", "/acme/public")
        .header("Authorization", "Basic fake-secret-x")
        .send(&emulator);
    Request::get("fal.run", "/acme/public?fal_jwt_token=fake-secret-x").send(&emulator);
    let whys: Vec<String> = (1..=2)
        .map(|ordinal| {
            detail(&emulator, ordinal)["no_curl"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        whys,
        [
            "The journal keeps only the beginning of the body.",
            "The authorization is of an unknown scheme."
        ]
    );
    let line = detail(&emulator, 3)["curl"].as_str().unwrap().to_owned();
    assert!(line.ends_with("?fal_jwt_token='\"$FAL_TOKEN\"''"), "{line}");
    let all = (1..=3)
        .map(|ordinal| detail(&emulator, ordinal).to_string())
        .collect::<String>();
    assert!(!all.contains("fake-secret"), "{all}");
}

#[test]
fn an_answer_that_repeats_a_credential_is_not_kept() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    for fault in [
        Fault::echo(fal_emulator::EchoPlace::Detail, 400),
        Fault::echo(fal_emulator::EchoPlace::Text, 400),
    ] {
        emulator.inject(fault);
        let run = Request::run("emulator/echo", &json!({}))
            .key(key)
            .send(&emulator);
        assert!(
            String::from_utf8_lossy(&run.body).contains(secret(key)),
            "it repeats the credential"
        );
    }
    // Nor those of the hosts that answer with credentials.
    let token = Request::new("POST", "rest.fal.ai", "/tokens/")
        .key(key)
        .json(&json!({"allowed_apps": ["a"]}));
    let token = token.send(&emulator).json().to_string();
    let made = Request::new("POST", "api.fal.ai", "/v1/keys").key(emulator.admin_key());
    let made = made
        .json(&json!({"alias": "a", "scope": "API"}))
        .send(&emulator)
        .json();
    let secrets = [
        secret(key).to_owned(),
        token.trim_matches('"').to_owned(),
        made["key_secret"].as_str().unwrap().to_owned(),
    ];
    for arrival in emulator.arrivals() {
        let shown = format!("{arrival:?} {}", detail(&emulator, arrival.ordinal));
        assert!(
            !secrets.iter().any(|secret| shown.contains(secret)),
            "{}",
            arrival.path
        );
    }
}

/// The next event of the stream, without its signs of life.
fn event(stream: &mut Connection) -> (String, Value) {
    loop {
        let chunk = String::from_utf8(stream.read_chunk().unwrap().unwrap()).unwrap();
        if let Some((name, data)) = chunk
            .strip_prefix("event: ")
            .and_then(|rest| rest.split_once("\ndata: "))
        {
            return (name.to_owned(), serde_json::from_str(data).unwrap());
        }
    }
}

#[test]
fn arrivals_are_reported_as_they_change() {
    let emulator = Emulator::start().unwrap();
    let mut stream = Connection::open(&emulator);
    let path = format!("{PAGE}/events?endpoint=emulator/*");
    stream
        .write(&Request::get(&emulator.host(), &path))
        .unwrap();
    let head = stream.read_head().unwrap();
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert!(
        stream.read_chunk().unwrap().unwrap().starts_with(b": "),
        "it is open"
    );
    Request::get("fal.run", "/acme/public").send(&emulator);
    let mut slow = Connection::open(&emulator);
    let head = "POST /emulator/echo HTTP/1.1\r\nHost: fal.run\r\nContent-Length: 2\r\n";
    write!(
        slow.0,
        "{head}Authorization: Key {}\r\n\r\n",
        emulator.api_key()
    )
    .unwrap();
    let (name, news) = event(&mut stream);
    assert_eq!(
        (name.as_str(), news["rows"].as_array().unwrap().len()),
        ("rows", 1)
    );
    assert_eq!(
        (&news["rows"][0]["ordinal"], &news["rows"][0]["outcome"]),
        (&json!(2), &json!("pending"))
    );
    slow.0.write_all(b"{}").unwrap();
    let (_, news) = event(&mut stream);
    assert_eq!(
        (&news["rows"][0]["ordinal"], &news["rows"][0]["outcome"]),
        (&json!(2), &json!(200))
    );
    // After a reset it goes on, with the ordinals of the new beginning.
    Request::new("POST", &emulator.host(), "/_emulator/reset").send(&emulator);
    assert_eq!(event(&mut stream).0, "reset");
    ran(&emulator, "emulator/echo", &json!({}), emulator.api_key());
    let (_, news) = event(&mut stream);
    assert_eq!(news["rows"][0]["ordinal"], 1);
    emulator.clear_arrivals();
    assert_eq!(event(&mut stream).0, "reset");
}

#[test]
fn a_browser_that_leaves_is_forgotten() {
    let emulator = Emulator::start().unwrap();
    let mut stream = Connection::open(&emulator);
    stream
        .write(&Request::get(&emulator.host(), &format!("{PAGE}/events")))
        .unwrap();
    stream.read_head().unwrap();
    drop(stream);
    // The emulator ends only when nothing holds its state any more.
    drop(emulator);
}

#[test]
fn sessions_are_looked_at_one_by_one() {
    let emulator = Emulator::start().unwrap();
    let run = Request::run("emulator/echo", &json!({"n": 1})).key(emulator.api_key());
    run.header("X-Fal-Emulator-Session", "mine").send(&emulator);
    let all = get(&emulator, ".json");
    assert_eq!(
        (&all["matched"], &all["sessions"]),
        (&json!(0), &json!(["mine"]))
    );
    assert_eq!(get(&emulator, ".json?session=mine")["matched"], 1);
    let one = get(&emulator, "/1.json?session=mine");
    assert!(
        one["curl"]
            .as_str()
            .unwrap()
            .contains("x-fal-emulator-session: mine")
    );
    // Looking at a session does not begin one.
    assert_eq!(get(&emulator, ".json?session=none")["matched"], 0);
    assert_eq!(get(&emulator, ".json")["sessions"], json!(["mine"]));
}

#[test]
fn no_credential_of_a_request_is_shown_wherever_it_is() {
    let emulator = Emulator::start().unwrap();
    let key = emulator.api_key();
    let coded = STANDARD.encode(format!("user:{key}"));
    let input = json!({
        "prompt": format!("Key {key}"), (secret(key)): [secret(key)], "coded": coded, "kept": "a lighthouse",
        "password": "short",
    });
    Request::run(&format!("emulator/echo/{}", secret(key)), &input)
        .key(key)
        .header("Cookie", "session=fake-cookie-1234; other=fake-cookie-5678")
        .header("X-Fal-Token", "fake-token-1234")
        .header("X-Fal-Tags", secret(key))
        .send(&emulator);
    Request::run(
        &format!("emulator/echo?key={key}&q=1"),
        &json!({ "key": key }),
    )
    .key(key)
    .send(&emulator);
    let log = json!({ "logs": [format!("with {key}")], "output": { "again": key } });
    ran(&emulator, "emulator/job", &log, key);
    let logged = Request::new("PUT", "fal.run", "/emulator/echo").key(key);
    logged.bytes(format!("not json {key}")).send(&emulator);
    let hidden = [
        secret(key),
        &coded[8..40],
        "fake-cookie",
        "fake-token",
        "\"short\"",
    ];
    let journal = Request::get(&emulator.host(), "/_emulator/requests")
        .send(&emulator)
        .json();
    let mut shown = vec![get(&emulator, ".json").to_string(), journal.to_string()];
    shown.extend((1..=4).map(|ordinal| detail(&emulator, ordinal).to_string()));
    for text in &shown {
        for part in hidden {
            assert!(!text.contains(part), "{part}: {text}");
        }
    }
    // The rest is there, and the test's own view has what really arrived.
    assert!(shown[1].contains("a lighthouse") && shown[2].contains("a lighthouse"));
    assert_eq!(journal["requests"][1]["query"], "key=****&q=1");
    let arrivals = emulator.arrivals();
    assert!(arrivals[0].headers["cookie"].contains("fake-cookie-1234"));
    assert_eq!(arrivals[1].body.json().unwrap()["key"], key);
    let whys = [1, 2].map(|ordinal| detail(&emulator, ordinal)["no_curl"].clone());
    assert_eq!(
        whys,
        [
            "The body has a secret, which is not shown.",
            "The body has a secret, which is not shown."
        ]
    );
}
