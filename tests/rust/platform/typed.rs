//! The calls with types of their own.

use super::server::Server;
use super::*;
use std::time::Instant;

use fal::platform::{Decimal, Planned};

const FLUX: &str = "fal-ai/flux/schnell";

#[test]
fn models_are_found_searched_and_read() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator, emulator.api_key());
    let model = block(client.model(FLUX)).unwrap();
    assert_eq!(
        (model.endpoint_id.as_str(), model.status.as_deref()),
        (FLUX, Some("active"))
    );
    assert!(model.metadata.unwrap().starts_with('{') && model.openapi.is_none());
    let found: Vec<_> = client
        .models(json!({"q": "flux", "limit": 1}))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(
        found.len() > 1 && found.iter().all(|one| one.display_name.is_some()),
        "{found:?}"
    );
    assert_eq!(
        block(client.model("acme/no-such-model"))
            .unwrap_err()
            .code(),
        Code::NotFound
    );
}

#[test]
fn what_ran_is_listed_priced_and_billed() {
    let emulator = Emulator::start().unwrap();
    let (api, admin) = (client(&emulator, emulator.api_key()), admin(&emulator));
    let mut request = fal::Request::run(FLUX).unwrap();
    request.set_field("prompt", json!("a lighthouse")).unwrap();
    let made = Op::finish(|| api.run_start(request)).unwrap();

    let past = api
        .requests(&[FLUX], json!({"expand": "payloads"}))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(
        (Some(past.request_id.as_str()), past.status_code),
        (made.request_id(), Some(200))
    );
    assert!(past.input.unwrap().contains("a lighthouse") && past.output.is_some());

    let price = block(api.prices(&[FLUX])).unwrap().remove(0);
    assert_eq!(
        (price.endpoint_id.as_str(), price.currency.as_str()),
        (FLUX, "USD")
    );
    let cost = block(api.estimate(Planned::Units(&[(FLUX, 4.0)]))).unwrap();
    assert!(
        (cost.total.to_f64() - 4.0 * price.unit_price.to_f64()).abs() < 1e-9,
        "{cost:?} {price:?}"
    );
    block(api.estimate(Planned::Calls(&[(FLUX, 3)]))).unwrap();

    let usage: Vec<_> = admin
        .usage(json!({"expand": ["time_series", "summary"]}))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let summary = usage.iter().find(|one| one.bucket.is_none()).unwrap();
    assert_eq!(
        (
            summary.rows[0].endpoint_id.as_str(),
            summary.rows[0].quantity.to_f64()
        ),
        (FLUX, 1.0)
    );
    assert!(
        usage
            .iter()
            .any(|one| one.bucket.is_some() && !one.rows.is_empty())
    );

    let billing = block(admin.billing()).unwrap();
    assert_eq!(
        (billing.username.as_str(), billing.currency.as_deref()),
        (DEFAULT_ACCOUNT, Some("USD"))
    );
    assert_eq!(
        block(api.billing()).unwrap_err().needed_scope(),
        Some(fal::Scope::Admin)
    );
}

#[test]
fn an_own_apps_queue_is_measured_and_flushed() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator, emulator.api_key());
    let own = call(&client, "serverless.apps.list", json!({})).unwrap();
    let app = own.get_str("/apps/0/endpoint_id").unwrap().to_owned();
    assert_eq!(
        (app.as_str(), block(client.app_queue_size(&app)).unwrap()),
        ("acme/job", 0)
    );
    // The jobs would take an hour. Flushing the queue cancels them, which ends the waiting calls.
    let waiting: Vec<Op> = (0..3)
        .map(|_| {
            client
                .subscribe_start(job(json!({"startup_ms": 3_600_000})))
                .unwrap()
        })
        .collect();
    let end = Instant::now() + PATIENCE;
    while block(client.app_queue_size(&app)).unwrap() < 3 {
        assert!(Instant::now() < end, "they do not queue");
        std::thread::sleep(Duration::from_millis(20));
    }
    block(client.flush_app_queue(&app)).unwrap();
    assert_eq!(block(client.app_queue_size(&app)).unwrap(), 0);
    for op in waiting {
        assert!(op.wait(Some(PATIENCE)).unwrap());
        let error = op.take().unwrap().unwrap_err();
        assert!(
            error.message().contains("499") || error.error_type() == Some("client_cancelled"),
            "{error}"
        );
    }
    for wrong in ["app", "a/b/c", "/b"] {
        assert_eq!(
            block(client.app_queue_size(wrong)).unwrap_err().code(),
            Code::InvalidArgument,
            "{wrong}"
        );
    }
}

fn job(input: Value) -> fal::Request {
    let mut request = fal::Request::run("acme/job").unwrap();
    request.set_json(input);
    request
}

/// Unknown fields are ignored, and null counts as a missing field.
#[test]
fn answers_may_have_more_and_less_than_is_known() {
    let server = Server::json(|_, request| {
        match request.line.split(['?', ' ']).nth(1).unwrap() {
            "/v1/models" => {
                r#"{"models": [{"endpoint_id": "a/b", "score": 1, "metadata": {"display_name": null, "status": "paused",
                    "tags": null, "size": 9007199254740993, "cost": 0.10000000000000000555}}], "has_more": false, "extra": []}"#
            }
            "/v1/keys" => {
                r#"{"keys": [{"key_id": "fake-id", "alias": "a", "scope": "READER", "created_at": "2026-01-01T00:00:00.123456789+05:30",
                    "creator_email": null, "until": "2027"}], "next_cursor": null, "has_more": false}"#
            }
            "/v1/account/billing" => r#"{"username": "acme", "credits": null, "plan": {}}"#,
            _ => {
                r#"{"items": [{"request_id": "r", "endpoint_id": "a/b", "sent_at": "s", "started_at": "t", "ended_at": null,
                    "status_code": 18446744073709551615, "duration": 0.1234567890123456789, "json_output": null}], "has_more": false}"#
            }
        }
        .to_owned()
    });
    let client = builder(&server.host, "fake-id:fake-secret")
        .build()
        .unwrap();
    let model = block(client.model("a/b")).unwrap();
    assert_eq!(
        (
            model.display_name,
            model.status.as_deref(),
            model.tags.len()
        ),
        (None, Some("paused"), 0)
    );
    let metadata = model.metadata.unwrap();
    assert!(
        metadata.contains("9007199254740993") && metadata.contains("0.10000000000000000555"),
        "{metadata}"
    );
    let key = client.keys().unwrap().next().unwrap().unwrap();
    assert_eq!((key.scope.as_str(), key.creator_email), ("READER", None));
    assert_eq!(key.created_at, "2026-01-01T00:00:00.123456789+05:30");
    let billing = block(client.billing()).unwrap();
    assert_eq!((billing.balance, billing.currency), (None, None));
    let past = client
        .requests(&["a/b"], Value::Null)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!(
        (past.ended_at, past.status_code, past.output),
        (None, Some(u64::MAX), None)
    );
    assert_eq!(past.duration.unwrap().as_str(), "0.1234567890123456789");

    let whole = call(&client, "models.list", json!({})).unwrap();
    assert_eq!(
        whole.get_raw("/models/0/metadata/cost").unwrap(),
        "0.10000000000000000555"
    );
    assert_eq!(
        whole.get("/models/0/metadata/size").unwrap().as_u64(),
        Some(9_007_199_254_740_993)
    );
    assert_eq!(
        whole.get_raw("/models/0/none").unwrap_err().code(),
        Code::WrongType
    );
}

#[test]
fn money_keeps_every_digit() {
    let exact = "0.10000000000000000555";
    let server = Server::json(move |_, _| {
        format!(
            r#"{{"prices": [{{"endpoint_id": "a/b", "unit_price": {exact}, "unit": "image", "currency": "USD"}}]}}"#
        )
    });
    let client = builder(&server.host, "fake-id:fake-secret")
        .build()
        .unwrap();
    let price = block(client.prices(&["a/b"])).unwrap().remove(0);
    assert_eq!(price.unit_price.as_str(), exact);
    assert!((Decimal::to_f64(&price.unit_price) - 0.1).abs() < 1e-12);

    for body in [
        "[]",
        "{\"prices\": 1}",
        "{\"prices\": [{}]}",
        r#"{"prices": [{"endpoint_id": "a/b", "unit_price": "1"}]}"#,
    ] {
        let server = Server::json(move |_, _| body.to_owned());
        let client = builder(&server.host, "fake-id:fake-secret")
            .build()
            .unwrap();
        assert_eq!(
            block(client.prices(&["a/b"])).unwrap_err().code(),
            Code::Protocol,
            "{body}"
        );
    }
}
