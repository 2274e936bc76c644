//! Deliveries of webhooks, verified with the keys that fal publishes and over real sockets.

use super::*;
use fal::Code;
use fal::credentials::Options;
use fal::webhook::{Delivery, Status, Webhook};
use fal_emulator::Fault;
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::time::SystemTime;

const PATH: &str = "/.well-known/jwks.json";

/// The sender, with a key of the test's own.
struct Sender(Ed25519KeyPair);

impl Sender {
    fn new(seed: u8) -> Self {
        Sender(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn key_set(&self) -> Value {
        let x = base64::Engine::encode(
            &base64::engine::general_purpose::URL_SAFE,
            self.0.public_key().as_ref(),
        );
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]})
    }

    /// Makes the emulator publish this key.
    fn publish(&self, emulator: &Emulator) {
        emulator.clear_faults();
        emulator.inject(Fault::status(200).path(PATH).body(self.key_set()).always());
    }

    fn deliver(&self, body: &Value) -> Webhook {
        let body = body.to_string();
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs()
            .to_string();
        let hash = hex(digest(&SHA256, body.as_bytes()).as_ref());
        let signature = hex(self
            .0
            .sign(format!("r-1\nu-1\n{now}\n{hash}").as_bytes())
            .as_ref());
        let mut webhook = Webhook::new(body.into());
        webhook.set_header("X-Fal-Webhook-Request-Id", "r-1");
        webhook.set_header("X-Fal-Webhook-User-Id", "u-1");
        webhook.set_header("X-Fal-Webhook-Timestamp", &now);
        webhook.set_header("X-Fal-Webhook-Signature", &signature);
        webhook
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn verify(client: &Client, webhook: Webhook) -> Result<Response, Error> {
    Op::finish(|| client.verify_webhook_start(webhook))
}

fn output() -> Value {
    json!({"request_id": "r-1", "gateway_request_id": "g-1", "status": "OK", "payload": {"seed": 7}})
}

#[test]
fn the_keys_are_fetched_once_without_a_credential() {
    let emulator = Emulator::start().unwrap();
    let sender = Sender::new(1);
    sender.publish(&emulator);
    let client = client(&emulator);
    for _ in 0..3 {
        let verified = verify(&client, sender.deliver(&output())).unwrap();
        let delivery = Delivery::of(&verified).unwrap();
        assert_eq!(
            (delivery.request_id.as_str(), delivery.status),
            ("r-1", Status::Ok)
        );
        assert_eq!(verified.get("/payload/seed").unwrap(), 7);
        assert_eq!(verified.header("x-fal-webhook-user-id"), Some("u-1"));
    }
    let arrivals = emulator.arrivals();
    assert_eq!(arrivals.len(), 1);
    assert_eq!(
        (arrivals[0].host.as_str(), arrivals[0].path.as_str()),
        ("rest.fal.ai", PATH)
    );
    assert!(arrivals[0].authorization.is_none());
}

#[test]
fn no_key_is_needed_and_no_proxy_asked() {
    let emulator = Emulator::start().unwrap();
    let sender = Sender::new(1);
    sender.publish(&emulator);
    let environment = || Environment::from_variables([("FAL_EMULATOR_HOST", emulator.host())]);
    let keyless = crate::logged::builder().environment(environment());
    // The proxy's key belongs to its caller, and the keys of the service are public.
    let proxied = crate::logged::builder()
        .environment(environment())
        .proxy("https://app.example/api/fal/proxy")
        .unwrap();
    let explicit = proxied
        .clone()
        .credentials(Options::new().key("fake-id:fake-secret-0"));
    for builder in [keyless, proxied, explicit] {
        emulator.clear_arrivals();
        verify(&builder.build().unwrap(), sender.deliver(&output())).unwrap();
        assert_eq!(emulator.arrivals().len(), 1);
        assert_eq!(emulator.arrivals()[0].host, "rest.fal.ai");
        assert!(emulator.arrivals()[0].authorization.is_none());
    }
}

#[test]
fn the_old_host_has_the_keys_too() {
    let emulator = Emulator::start().unwrap();
    let sender = Sender::new(1);
    sender.publish(&emulator);
    let client = builder(&emulator)
        .host(fal::HostRole::Rest, "rest.alpha.fal.ai")
        .unwrap()
        .build()
        .unwrap();
    verify(&client, sender.deliver(&output())).unwrap();
    assert_eq!(emulator.arrivals()[0].host, "rest.alpha.fal.ai");
    assert!(emulator.arrivals()[0].authorization.is_none());
}

#[test]
fn those_who_ask_at_once_share_one_request() {
    let emulator = Emulator::start().unwrap();
    let sender = Sender::new(1);
    emulator.inject(
        Fault::status(200)
            .path(PATH)
            .body(sender.key_set())
            .delayed(Duration::from_millis(300))
            .always(),
    );
    let client = client(&emulator);
    let ops: Vec<_> = (0..20)
        .map(|_| {
            client
                .verify_webhook_start(sender.deliver(&output()))
                .unwrap()
        })
        .collect();
    for op in ops {
        assert!(op.wait(Some(PATIENCE)).unwrap());
        op.take().unwrap().unwrap();
    }
    assert_eq!(emulator.arrivals().len(), 1);
}

#[test]
fn a_forged_signature_costs_no_request_each() {
    let emulator = Emulator::start().unwrap();
    let (sender, forger) = (Sender::new(1), Sender::new(2));
    sender.publish(&emulator);
    let client = client(&emulator);
    for _ in 0..5 {
        let error = verify(&client, forger.deliver(&output())).unwrap_err();
        assert_eq!(error.code(), Code::WebhookInvalid, "{error}");
        assert!(!error.is_retryable() && !error.may_have_executed());
    }
    verify(&client, sender.deliver(&output())).unwrap();
    assert_eq!(emulator.arrivals().len(), 1, "the keys were fresh");
}

#[test]
fn what_needs_no_key_to_be_refused_is_refused_without_a_request() {
    let emulator = Emulator::start().unwrap();
    let error = verify(&client(&emulator), Webhook::new("{}".into())).unwrap_err();
    assert_eq!(error.code(), Code::WebhookInvalid);
    assert!(
        error
            .message()
            .contains("x-fal-webhook-request-id is missing"),
        "{error}"
    );
    assert!(emulator.arrivals().is_empty());
}

#[test]
fn keys_that_cannot_be_had_are_no_verdict() {
    let emulator = Emulator::start().unwrap();
    let sender = Sender::new(1);
    let client = builder(&emulator).max_attempts(1).unwrap().build().unwrap();
    for (fault, code) in [
        (Fault::status(500), Code::ServiceFailed),
        (Fault::close(), Code::ConnectionLost),
        (Fault::status(200).body(json!({"keys": []})), Code::Protocol),
        (Fault::status(200).body("{"), Code::Protocol),
    ] {
        emulator.inject(fault.clone().path(PATH));
        let error = verify(&client, sender.deliver(&output())).unwrap_err();
        assert_eq!(error.code(), code, "{fault:?}: {error}");
        // A failure to fetch the keys is remembered for one second.
        let again = verify(&client, sender.deliver(&output())).unwrap_err();
        assert_eq!(again.message(), error.message());
        std::thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(emulator.arrivals().len(), 4);
    sender.publish(&emulator);
    verify(&client, sender.deliver(&output())).unwrap();
}

/// Accepts one delivery, responds with 200, and returns its headers and body.
fn receive(listener: &TcpListener) -> (Vec<(String, String)>, Vec<u8>) {
    use std::io::{BufRead, BufReader, Read, Write};
    let (connection, _) = listener.accept().unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("POST "), "{line}");
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .unwrap();
    let mut body = vec![0; length.1.trim().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    reader
        .get_mut()
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .unwrap();
    (headers, body)
}

#[test]
fn what_the_queue_delivers_is_verified() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let webhook = format!("http://{}/hook", listener.local_addr().unwrap());
    for (endpoint, input, status) in [
        ("emulator/echo", json!({"word": "hello"}), Status::Ok),
        ("emulator/fail/image_too_large", json!({}), Status::Error),
    ] {
        let mut submit = Request::new(
            "POST",
            &format!("https://queue.fal.run/{endpoint}?fal_webhook={webhook}"),
        )
        .unwrap();
        submit.set_json(input);
        let submitted = Op::finish(|| client.send_start(submit)).unwrap();
        let (headers, body) = receive(&listener);
        let arrived = |body: Vec<u8>| {
            let mut webhook = Webhook::new(body.into());
            headers
                .iter()
                .for_each(|(name, value)| webhook.set_header(name, value));
            webhook
        };
        let verified = verify(&client, arrived(body.clone())).unwrap();
        let delivery = Delivery::of(&verified).unwrap();
        assert_eq!(
            delivery.request_id,
            submitted.get_str("/request_id").unwrap()
        );
        assert_eq!(
            (delivery.status, delivery.error.is_some()),
            (status, status == Status::Error)
        );
        let mut changed = body;
        changed[0] ^= 1;
        assert_eq!(
            verify(&client, arrived(changed)).unwrap_err().code(),
            Code::WebhookInvalid
        );
    }
    let fetched = emulator
        .arrivals()
        .into_iter()
        .filter(|arrival| arrival.path == PATH)
        .collect::<Vec<_>>();
    assert_eq!(fetched.len(), 1);
    assert!(fetched[0].authorization.is_none());
}

/// Each version of what the sources leave open (docs/protocol.md §10.3, §16.35).
#[test]
fn an_output_that_is_not_json_is_told_with_either_status_and_keys_with_either_padding() {
    use fal_emulator::{Settings, WebhookSettings};
    for (jwks_padding, payload_error_is_error, status) in
        [(true, false, Status::Ok), (false, true, Status::Error)]
    {
        let emulator = Emulator::start().unwrap();
        let webhooks = WebhookSettings {
            jwks_padding,
            payload_error_is_error,
            ..WebhookSettings::default()
        };
        emulator.set(Settings {
            webhooks,
            ..Settings::default()
        });
        let client = client(&emulator);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("https://queue.fal.run/emulator/bytes?fal_webhook=http://{address}/hook");
        let mut submit = Request::new("POST", &url).unwrap();
        submit.set_json(json!({"size": 10}));
        Op::finish(|| client.send_start(submit)).unwrap();
        let (headers, body) = receive(&listener);
        let mut webhook = Webhook::new(body.into());
        headers
            .iter()
            .for_each(|(name, value)| webhook.set_header(name, value));
        let delivery = Delivery::of(&verify(&client, webhook).unwrap()).unwrap();
        assert_eq!(delivery.status, status);
        assert!(
            delivery.payload.is_null() && delivery.payload_error.is_some(),
            "{delivery:?}"
        );
    }
}

/// It is unknown whether fal delivers a cancelled request (docs/protocol.md §16.36). Such a
/// delivery counts as a failure, and libfal never waits for one.
#[test]
fn a_delivery_of_a_cancelled_request_is_one_like_others() {
    use fal_emulator::{Settings, WebhookSettings};
    for on_cancel in [true, false] {
        let emulator = Emulator::start().unwrap();
        let webhooks = WebhookSettings {
            on_cancel,
            ..WebhookSettings::default()
        };
        emulator.set(Settings {
            webhooks,
            ..Settings::default()
        });
        let client = client(&emulator);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut request = super::queue::job_of(json!({"startup_ms": 3_600_000}));
        request
            .set_webhook(&format!("http://{}/hook", listener.local_addr().unwrap()))
            .unwrap();
        let answer = Op::finish(|| client.submit_start(request)).unwrap();
        let job = fal::Job::of_response(super::queue::JOB, &answer).unwrap();
        Op::finish(|| client.cancel_start(&job)).unwrap();
        assert_eq!(
            Op::finish(|| client.attach_start(&job))
                .unwrap_err()
                .http_status(),
            Some(499)
        );
        if on_cancel {
            let (headers, body) = receive(&listener);
            let mut webhook = Webhook::new(body.into());
            headers
                .iter()
                .for_each(|(name, value)| webhook.set_header(name, value));
            let delivery = Delivery::of(&verify(&client, webhook).unwrap()).unwrap();
            assert_eq!(
                (delivery.request_id.as_str(), delivery.status),
                (job.request_id(), Status::Error)
            );
            assert_eq!(delivery.error.as_deref(), Some("Invalid status code: 499"));
        }
        assert_eq!(emulator.webhooks().len(), usize::from(on_cancel));
    }
}
