//! The faults of a round.

use std::time::Duration;

use fal_emulator::{Action, EchoPlace, Fault, OddPart, RetryAfterForm, Settings};
use serde_json::{Value, json};

use crate::dice::Dice;

/// The largest number of faults in a round.
const MOST: u64 = 90;
/// The approximate number of requests to one host in a round.
const REQUESTS: u64 = 150;

/// Draws one of the behaviours that fal may have.
pub(crate) fn settings(dice: &mut Dice) -> Settings {
    let beats = if dice.percent(10) {
        json!(50)
    } else {
        Value::Null
    };
    let running: Value = dice.pick(&[Value::Null, Value::Null, json!(8)]);
    let settings = json!({
        "queue": {
            "concurrent_requests": running,
            "startup_ms": dice.pick(&[0, 0, 20]),
            "status_always_200": dice.percent(30),
            "full_id_urls": dice.percent(20),
            "app_errors_in_status": dice.percent(30),
            "stream_comments": dice.percent(30),
            "status_logs": dice.pick(&["whole", "new"]),
            "unfinished_result_202": dice.percent(30),
            "cancel_answer": dice.pick(&["status", "success"]),
            "late_result_ms": dice.pick(&[0, 0, 20, 300]),
            "late_result": dice.pick(&["bad_request", "accepted", "not_found"]),
            "stream_heartbeat_ms": beats,
            "heartbeat": dice.pick(&["comment", "repeat"]),
        },
        "webhooks": {"first_pause_ms": 20},
        // The audit reads the mark in every body.
        "journal": {"body_bytes": 1_u64 << 40},
        "platform": {
            "requests_per_minute": dice.pick(&[Value::Null, Value::Null, json!(40)]),
            "odd_pages": dice.pick(&[Value::Null, json!("short"), json!("cursor_without_more"), json!("more_without_cursor")]),
        },
        "token_answer": dice.pick(&["string", "token", "detail"]),
        "bad_key_text": dice.pick(&["current", "older"]),
        "realtime_refusal": dice.pick(&["http", "message"]),
        "cdn_base_url": dice.pick(&["v3", "v3b"]),
        "file_validator": dice.pick(&["strong", "strong", "weak", "date"]),
        "part_answer": dice.pick(&["both", "header", "body"]),
        "gzip": dice.percent(40),
        "access_token_seconds": dice.within(30..4000),
    });
    serde_json::from_value(settings).unwrap()
}

/// The hosts to which a server proxy forwards.
const PROXIED: [&str; 3] = ["fal.run", "queue.fal.run", "rest.fal.ai"];

/// The hosts that store files.
const FILES: [&str; 3] = ["v3.fal.media", "v3b.fal.media", "storage.googleapis.com"];

/// Draws the faults of a round. Each strikes some requests of its kind.
pub(crate) fn draw(dice: &mut Dice) -> Vec<Fault> {
    let mut faults: Vec<_> = (0..dice.within(MOST / 3..MOST))
        .map(|_| fault(dice))
        .collect();
    faults.extend(parts(dice));
    faults
}

/// Returns faults of resumed downloads. The client requests a part only after a cut, so each pair
/// cuts a download and then falsifies the part.
fn parts(dice: &mut Dice) -> Vec<Fault> {
    let of_file =
        |fault: Fault, host: &str| fault.method("GET").path("/files/*").host(host).times(2);
    let pair = |host| {
        let (cut, odd) = (
            Fault::truncate(1 + dice.scaled(10)),
            Fault::odd_part(odd(dice)),
        );
        [of_file(cut, host), of_file(odd, host)]
    };
    ["v3.fal.media", "v3b.fal.media"]
        .into_iter()
        .flat_map(pair)
        .collect()
}

fn fault(dice: &mut Dice) -> Fault {
    let host = dice.weighed(&[
        (30, "fal.run"),
        (30, "queue.fal.run"),
        (15, "api.fal.ai"),
        (20, "rest.fal.ai"),
        (6, "v3.fal.media"),
        (10, "v3b.fal.media"),
        (5, "storage.googleapis.com"),
        (3, "auth.fal.ai"),
        (4, "ws.fal.run"),
    ]);
    let fault = match harm(dice) {
        // From another host this would be an early response of the app, which is legitimate.
        Fault {
            action: Action::EarlySuccess,
            ..
        } if !FILES.contains(&host) => Fault::reset_before_body(),
        // For a GET of a file it would be other content, which a client cannot detect.
        early @ Fault {
            action: Action::EarlySuccess,
            ..
        } => early.method("PUT"),
        // A server proxy forwards the echo of its own key, which its client does not know.
        Fault {
            action: Action::Echo { .. },
            ..
        } if PROXIED.contains(&host) => Fault::close(),
        // To the audit a malformed renewal would look like a lost one.
        Fault {
            action: Action::MalformedJson,
            ..
        } if host == "auth.fal.ai" => Fault::reset_after_body(),
        harm => harm,
    };
    let fault = fault
        .host(host)
        .skip(dice.within(0..REQUESTS))
        .times(1 + dice.scaled(2));
    let fault = if dice.percent(20) {
        fault.delayed(Duration::from_millis(dice.scaled(8)))
    } else {
        fault
    };
    if dice.percent(5) { tunnel(dice) } else { fault }
}

fn harm(dice: &mut Dice) -> Fault {
    match dice.within(0..22) {
        0 | 1 => Fault::reset_before_body(),
        2 | 3 => Fault::reset_after_body(),
        4 => Fault::close(),
        5 => Fault::truncate(dice.scaled(8)),
        6 => Fault::malformed_http(),
        7 => Fault::malformed_json(),
        8 => Fault::slow(
            1 + dice.scaled(8),
            Duration::from_millis(dice.within(1..10)),
        ),
        9 => Fault::hang(),
        10 => Fault::redirect(
            dice.pick(&["https://evil.example/x", "/elsewhere"]),
            dice.pick(&[301, 302, 303, 307]),
        ),
        11 => too_many(dice),
        12 => Fault::status(401)
            .body(json!({"detail": "Cannot access application: invalid key credentials"})),
        13 => ingress(dice),
        14 => gateway(dice),
        15 => Fault::gzip_members(dice.within(1..5)),
        16 => Fault::unframed(),
        17 => Fault::unframed_and_cut(dice.scaled(8)),
        18 => Fault::early_success(),
        19 | 20 => Fault::echo(
            place(dice),
            dice.pick(&[400, 401, 403, 404, 422, 429, 500, 503]),
        ),
        _ => Fault::delay(Duration::from_millis(dice.scaled(9))),
    }
}

/// Draws a place in an HTTP response. Events of a stream are left out, because they would look like
/// those of the app.
fn place(dice: &mut Dice) -> EchoPlace {
    dice.pick(&[
        EchoPlace::Reason,
        EchoPlace::Header,
        EchoPlace::HeaderName,
        EchoPlace::Location,
        EchoPlace::Detail,
        EchoPlace::Escaped,
        EchoPlace::Fields,
        EchoPlace::Text,
        EchoPlace::Page,
        EchoPlace::ErrorType,
        EchoPlace::RequestId,
        EchoPlace::Cut,
        EchoPlace::Job,
    ])
}

fn odd(dice: &mut Dice) -> OddPart {
    dice.pick(&OddPart::ALL)
}

fn too_many(dice: &mut Dice) -> Fault {
    let fault = Fault::status(429).body(json!({"detail": "Too many requests"}));
    let form = dice.pick(&[RetryAfterForm::Seconds, RetryAfterForm::HttpDate]);
    if dice.percent(50) {
        fault.retry_after(dice.within(0..2), form)
    } else {
        fault
    }
}

/// A response without fal's headers, so that the fate of the request is unknown.
fn ingress(dice: &mut Dice) -> Fault {
    let status = dice.pick(&[502, 503, 504]);
    Fault::status(status)
        .body("<html><body>nginx</body></html>")
        .without_request_id()
}

/// A response of fal's gateway: either no runner was reached, or another error occurred.
fn gateway(dice: &mut Dice) -> Fault {
    let (status, kind) = dice.pick(&[
        (503, "runner_scheduling_failure"),
        (503, "runner_connection_refused"),
        (503, "runner_connection_timeout"),
        (504, "startup_timeout"),
        (504, "request_timeout"),
        (503, "runner_disconnected"),
        (500, "internal_error"),
    ]);
    let fault = Fault::status(status).body(json!({"detail": "chaos", "error_type": kind}));
    let fault = fault.header("X-Fal-Error-Type", kind);
    if dice.percent(30) {
        fault.header("X-Fal-Needs-Retry", dice.pick(&["0", "1"]))
    } else {
        fault
    }
}

/// Draws a fault of a proxy tunnel.
fn tunnel(dice: &mut Dice) -> Fault {
    let harm = match dice.within(0..4) {
        0 => Fault::close(),
        1 => Fault::reset_before_body(),
        2 => Fault::malformed_http(),
        _ => Fault::status(503),
    };
    harm.method("CONNECT").skip(dice.within(0..20))
}
