use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use fal_emulator::{DeliveryOutcome, Emulator, Settings, WebhookDelivery, WebhookSettings};
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::client::Request;
use crate::queue::{eventually, get, path_of, post, until};

#[derive(Clone, Debug, Default)]
struct Received {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether one of these keys verifies the signature (docs/protocol.md §10.3).
    fn verifies(&self, jwks: &Value) -> bool {
        let hash: String = digest(&SHA256, &self.body)
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let [id, user, time, signature] = ["request-id", "user-id", "timestamp", "signature"]
            .map(|name| self.header(&format!("x-fal-webhook-{name}")));
        let message = format!("{id}\n{user}\n{time}\n{hash}");
        let signature: Vec<u8> = (0..64)
            .map(|at| u8::from_str_radix(&signature[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        jwks["keys"].as_array().unwrap().iter().any(|key| {
            let x = URL_SAFE_NO_PAD
                .decode(key["x"].as_str().unwrap().trim_end_matches('='))
                .unwrap();
            UnparsedPublicKey::new(&ED25519, x)
                .verify(message.as_bytes(), &signature)
                .is_ok()
        })
    }
}

/// A server that sends these response heads in turn, the last one repeatedly, and records the
/// requests.
struct Receiver {
    url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?x=1", listener.local_addr().unwrap());
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let kept = Arc::clone(&received);
        // The thread ends with the test process.
        std::thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let mut reader = BufReader::new(stream.unwrap());
                let mut lines = Vec::new();
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    if line.trim_end().is_empty() {
                        break;
                    }
                    lines.push(line.trim_end().to_owned());
                }
                let headers: Vec<(String, String)> = lines[1..]
                    .iter()
                    .filter_map(|line| line.split_once(": "))
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                let mut one = Received {
                    line: lines[0].clone(),
                    headers,
                    body: Vec::new(),
                };
                one.body = vec![0; one.header("content-length").parse().unwrap()];
                reader.read_exact(&mut one.body).unwrap();
                kept.lock().unwrap().push(one);
                let answer = answers[index.min(answers.len() - 1)];
                let head =
                    format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                reader.get_mut().write_all(head.as_bytes()).unwrap();
            }
        });
        Self { url, received }
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

/// Submits a request and returns its path.
fn submit(emulator: &Emulator, endpoint: &str, input: &Value, webhook: &str) -> String {
    let webhook: String = form_urlencoded::byte_serialize(webhook.as_bytes()).collect();
    path_of(
        &post(
            emulator,
            &format!("{endpoint}?fal_webhook={webhook}"),
            input,
        )
        .send(emulator)
        .json(),
    )
}

/// The only delivery, after it has ended.
fn ended(emulator: &Emulator) -> WebhookDelivery {
    let ended = || {
        emulator
            .webhooks()
            .first()
            .is_some_and(|one| one.outcome != DeliveryOutcome::Pending)
    };
    assert!(eventually(ended, true), "{:?}", emulator.webhooks());
    assert_eq!(emulator.webhooks().len(), 1);
    emulator.webhooks().remove(0)
}

fn jwks(emulator: &Emulator) -> Value {
    let response = Request::get("rest.fal.ai", "/.well-known/jwks.json").send(emulator);
    assert_eq!(response.status, 200);
    response.json()
}

fn with(webhooks: WebhookSettings) -> Emulator {
    Emulator::builder()
        .settings(Settings {
            webhooks,
            ..Settings::default()
        })
        .start()
        .unwrap()
}

#[test]
fn a_finished_request_is_told_and_signed() {
    let (emulator, receiver) = (Emulator::start().unwrap(), Receiver::start(&["200 OK"]));
    let path = submit(
        &emulator,
        "emulator/job",
        &json!({"output": {"a": "grün"}}),
        &receiver.url,
    );
    let id = path.rsplit_once('/').unwrap().1;
    let delivery = ended(&emulator);
    assert_eq!(
        (delivery.outcome, delivery.request_id.as_str()),
        (DeliveryOutcome::Delivered, id)
    );
    assert_eq!(
        (delivery.attempts.len(), &delivery.attempts[0].answer),
        (1, &Ok(200))
    );
    let received = receiver.received().remove(0);
    assert_eq!(received.line, "POST /hook?x=1 HTTP/1.1");
    assert_eq!(received.header("content-type"), "application/json");
    assert_eq!(
        received.header("host"),
        receiver.url["http://".len()..].split_once('/').unwrap().0
    );
    assert_eq!(
        received.json(),
        json!({"request_id": id, "gateway_request_id": id, "status": "OK", "payload": {"a": "grün"}})
    );
    assert_eq!(
        (
            received.header("x-fal-webhook-request-id"),
            received.header("x-fal-webhook-user-id")
        ),
        (id, "acme")
    );
    let time: u64 = received.header("x-fal-webhook-timestamp").parse().unwrap();
    let now = emulator.now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!((now - 60..=now).contains(&time));
    assert!(received.verifies(&jwks(&emulator)));
    assert!(!received.verifies(&jwks(&Emulator::start().unwrap())));
    assert!(
        !Received {
            body: b"{}".to_vec(),
            ..received
        }
        .verifies(&jwks(&emulator))
    );
    let listed = Request::get("127.0.0.1", "/_emulator/webhooks")
        .send(&emulator)
        .json();
    let listed = &listed["deliveries"][0];
    assert_eq!(
        (&listed["outcome"], &listed["attempts"][0]["status"]),
        (&json!("delivered"), &json!(200))
    );
}

#[test]
fn failures_and_what_is_not_json_are_told() {
    for (endpoint, input, is_error, expected) in [
        (
            "fal-ai/flux/dev",
            json!({}),
            false,
            json!({"status": "ERROR", "error": "Invalid status code: 422", "payload_error": null}),
        ),
        (
            "emulator/bytes",
            json!({"size": 3}),
            false,
            json!({"status": "OK", "error": null, "payload": null}),
        ),
        (
            "emulator/bytes",
            json!({"size": 3}),
            true,
            json!({"status": "ERROR", "error": "Invalid status code: 200", "payload": null}),
        ),
        (
            "emulator/job",
            json!({"fail": {"status": 500, "html": true}}),
            false,
            json!({"status": "ERROR", "error": "Invalid status code: 500", "payload": null}),
        ),
    ] {
        let emulator = with(WebhookSettings {
            payload_error_is_error: is_error,
            ..WebhookSettings::default()
        });
        let receiver = Receiver::start(&["204 No Content"]);
        submit(&emulator, endpoint, &input, &receiver.url);
        assert_eq!(ended(&emulator).outcome, DeliveryOutcome::Delivered);
        let told = receiver.received()[0].json();
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&told[name], value, "{endpoint}: {name}");
        }
        let text = told["payload_error"].as_str().unwrap_or_default();
        assert_eq!(
            text.starts_with("Response payload is not JSON"),
            expected.get("payload").is_some(),
            "{endpoint}"
        );
    }
}

#[test]
fn the_last_attempt_of_a_repeated_request_is_named() {
    let (emulator, receiver) = (Emulator::start().unwrap(), Receiver::start(&["200 OK"]));
    let path = submit(
        &emulator,
        "emulator/job",
        &json!({"fail": {"status": 503, "attempts": 1}}),
        &receiver.url,
    );
    ended(&emulator);
    let told = receiver.received()[0].json();
    assert_eq!(told["request_id"], path.rsplit_once('/').unwrap().1);
    assert_ne!(told["gateway_request_id"], told["request_id"]);
}

#[test]
fn a_delivery_is_repeated_until_it_succeeds() {
    let emulator = Emulator::start().unwrap();
    let receiver = Receiver::start(&["500 Oops", "404 Not Found", "not HTTP", "202 Accepted"]);
    submit(&emulator, "emulator/job", &json!({}), &receiver.url);
    for attempts in 1..4 {
        let ask = || {
            emulator
                .webhooks()
                .first()
                .map_or(0, |one| one.attempts.len())
        };
        assert_eq!(eventually(ask, attempts), attempts);
        emulator.advance(Duration::from_secs(1 << (attempts - 1)));
    }
    let delivery = ended(&emulator);
    assert_eq!(delivery.outcome, DeliveryOutcome::Delivered);
    let answers: Vec<_> = delivery
        .attempts
        .iter()
        .map(|attempt| attempt.answer.as_ref().ok().copied())
        .collect();
    assert_eq!(answers, [Some(500), Some(404), None, Some(202)]);
    let received = receiver.received();
    assert_eq!(received[3].body, received[0].body);
    let times = [0, 3].map(|index: usize| {
        received[index]
            .header("x-fal-webhook-timestamp")
            .parse::<u64>()
            .unwrap()
    });
    assert!(times[1] >= times[0] + 7, "{times:?}");
    assert!(received.iter().all(|one| one.verifies(&jwks(&emulator))));
}

#[test]
fn it_gives_up_after_31_retries_or_when_the_result_expires() {
    for (size, outcome) in [
        (10, DeliveryOutcome::GivenUp),
        (20_000, DeliveryOutcome::Expired),
    ] {
        let (emulator, receiver) = (Emulator::start().unwrap(), Receiver::start(&["503 Busy"]));
        submit(
            &emulator,
            "emulator/job",
            &json!({"output": "x".repeat(size)}),
            &receiver.url,
        );
        let attempts = || {
            emulator
                .webhooks()
                .first()
                .map_or(0, |one| one.attempts.len())
        };
        let mut seen = 0;
        while emulator
            .webhooks()
            .first()
            .is_none_or(|one| one.outcome == DeliveryOutcome::Pending)
        {
            if attempts() > seen {
                seen = attempts();
                emulator.advance(
                    Duration::from_secs(1 << (seen - 1).min(7)).min(Duration::from_secs(120)),
                );
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(ended(&emulator).outcome, outcome);
        // Pauses of 1 + 2 + … + 64 seconds, then 120 each: 360 seconds allow the first attempt and
        // 8 more.
        assert_eq!(receiver.received().len(), if size == 10 { 32 } else { 9 });
    }
}

#[test]
fn a_silent_target_is_given_up_after_its_time() {
    let emulator = with(WebhookSettings {
        retries: 0,
        ..WebhookSettings::default()
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    submit(
        &emulator,
        "emulator/job",
        &json!({}),
        &format!("http://{}/", listener.local_addr().unwrap()),
    );
    let accepted = listener.accept().unwrap();
    emulator.advance(Duration::from_secs(15));
    let delivery = ended(&emulator);
    assert_eq!(
        (delivery.outcome, &delivery.attempts[0].answer),
        (DeliveryOutcome::GivenUp, &Err("timed out".into()))
    );
    drop(accepted);
}

#[test]
fn redirects_are_not_followed_and_other_machines_not_told() {
    let (emulator, receiver) = (
        Emulator::start().unwrap(),
        Receiver::start(&["307 Elsewhere\r\nLocation: /there"]),
    );
    submit(&emulator, "emulator/job", &json!({}), &receiver.url);
    let delivery = ended(&emulator);
    assert_eq!(
        (delivery.outcome, delivery.attempts.len()),
        (DeliveryOutcome::Redirected, 1)
    );
    assert_eq!(receiver.received().len(), 1);
    for url in [
        "http://192.0.2.1/",
        "https://127.0.0.1:1/",
        "http://example.com/?fal_jwt_token=a.b.c",
    ] {
        let emulator = Emulator::start().unwrap();
        submit(&emulator, "emulator/job", &json!({}), url);
        let delivery = ended(&emulator);
        assert_eq!(
            (delivery.outcome, delivery.attempts.len()),
            (DeliveryOutcome::Dropped, 0)
        );
        assert!(!delivery.url.contains("a.b.c"));
    }
}

#[test]
fn a_cancelled_request_is_told_if_it_is_set_so() {
    for on_cancel in [true, false] {
        let emulator = with(WebhookSettings {
            on_cancel,
            ..WebhookSettings::default()
        });
        let receiver = Receiver::start(&["200 OK"]);
        let path = submit(
            &emulator,
            "emulator/job",
            &json!({"startup_ms": 3_600_000}),
            &receiver.url,
        );
        let cancel =
            Request::new("PUT", "queue.fal.run", &format!("{path}/cancel")).key(emulator.api_key());
        assert_eq!(cancel.send(&emulator).status, 202);
        until(&emulator, &path, "COMPLETED");
        assert_eq!(get(&emulator, &path).status, 499);
        assert_eq!(emulator.webhooks().len(), usize::from(on_cancel));
        if on_cancel {
            ended(&emulator);
            assert_eq!(
                receiver.received()[0].json()["error"],
                "Invalid status code: 499"
            );
        }
    }
}

#[test]
fn keys_rotate_and_are_padded_or_not() {
    let emulator = Emulator::start().unwrap();
    let first = jwks(&emulator);
    let key = first["keys"][0].as_object().unwrap();
    assert_eq!(
        (&key["kty"], &key["crv"]),
        (&json!("OKP"), &json!("Ed25519"))
    );
    assert_eq!(
        URL_SAFE.decode(key["x"].as_str().unwrap()).unwrap().len(),
        32
    );
    let older = Request::get("rest.alpha.fal.ai", "/.well-known/jwks.json").send(&emulator);
    assert_eq!(older.json(), first);
    let webhooks = WebhookSettings {
        jwks_padding: false,
        ..WebhookSettings::default()
    };
    emulator.set(Settings {
        webhooks,
        ..Settings::default()
    });
    assert_eq!(
        URL_SAFE_NO_PAD
            .decode(jwks(&emulator)["keys"][0]["x"].as_str().unwrap())
            .unwrap()
            .len(),
        32
    );

    let rotate = |body: Value| {
        Request::new("POST", "127.0.0.1", "/_emulator/webhooks/keys")
            .json(&body)
            .send(&emulator)
    };
    assert_eq!(
        (
            rotate(json!({})).status,
            jwks(&emulator)["keys"].as_array().unwrap().len()
        ),
        (201, 2)
    );
    let receiver = Receiver::start(&["200 OK"]);
    submit(&emulator, "emulator/job", &json!({}), &receiver.url);
    ended(&emulator);
    let told = receiver.received().remove(0);
    assert!(told.verifies(&jwks(&emulator)) && !told.verifies(&first));
    assert_eq!(
        rotate(json!({"keep_old": false})).json(),
        json!({"keys": 1})
    );
    assert!(!told.verifies(&jwks(&emulator)));
    emulator.rotate_webhook_key(true);
    assert_eq!(jwks(&emulator)["keys"].as_array().unwrap().len(), 2);
    assert_eq!(
        Request::new("POST", "rest.fal.ai", "/.well-known/jwks.json")
            .send(&emulator)
            .status,
        405
    );
}
