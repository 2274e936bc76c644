//! The calls with types of their own.

use super::server::Server;
use super::*;
use fal::platform::{Decimal, Planned};

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

const FLUX: &str = "fal-ai/flux/schnell";

#[test]
fn models_are_found_searched_and_read() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator, emulator.api_key());
    let model = block(client.model(FLUX)).unwrap();
    assert_eq!((model.endpoint_id.as_str(), model.status.as_deref()), (FLUX, Some("active")));
    assert!(model.metadata.unwrap().starts_with('{') && model.openapi.is_none());
    let found: Vec<_> = client.models(json!({"q": "flux", "limit": 1})).unwrap().map(Result::unwrap).collect();
    assert!(found.len() > 1 && found.iter().all(|one| one.display_name.is_some()), "{found:?}");
    assert_eq!(block(client.model("acme/no-such-model")).unwrap_err().code(), Code::NotFound);
}

#[test]
fn what_ran_is_listed_priced_and_billed() {
    let emulator = Emulator::start().unwrap();
    let (api, admin) = (client(&emulator, emulator.api_key()), admin(&emulator));
    let mut request = fal::Request::run(FLUX).unwrap();
    request.set_field("prompt", json!("a lighthouse")).unwrap();
    let made = Op::finish(|| api.run_start(request)).unwrap();

    let past = api.requests(&[FLUX], json!({"expand": "payloads"})).unwrap().next().unwrap().unwrap();
    assert_eq!((Some(past.request_id.as_str()), past.status_code), (made.request_id(), Some(200)));
    assert!(past.input.unwrap().contains("a lighthouse") && past.output.is_some());

    let price = block(api.prices(&[FLUX])).unwrap().remove(0);
    assert_eq!((price.endpoint_id.as_str(), price.currency.as_str()), (FLUX, "USD"));
    let cost = block(api.estimate(Planned::Units(&[(FLUX, 4.0)]))).unwrap();
    assert!((cost.total.to_f64() - 4.0 * price.unit_price.to_f64()).abs() < 1e-9, "{cost:?} {price:?}");
    block(api.estimate(Planned::Calls(&[(FLUX, 3)]))).unwrap();

    let usage: Vec<_> =
        admin.usage(json!({"expand": ["time_series", "summary"]})).unwrap().map(Result::unwrap).collect();
    let summary = usage.iter().find(|one| one.bucket.is_none()).unwrap();
    assert_eq!((summary.rows[0].endpoint_id.as_str(), summary.rows[0].quantity.to_f64()), (FLUX, 1.0));
    assert!(usage.iter().any(|one| one.bucket.is_some() && !one.rows.is_empty()));

    let billing = block(admin.billing()).unwrap();
    assert_eq!((billing.username.as_str(), billing.currency.as_deref()), (DEFAULT_ACCOUNT, Some("USD")));
    assert_eq!(block(api.billing()).unwrap_err().needed_scope(), Some(fal::Scope::Admin));
}

#[test]
fn an_own_apps_queue_is_measured_and_flushed() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator, emulator.api_key());
    let own = call(&client, "serverless.apps.list", json!({})).unwrap();
    let app = own.get_str("/apps/0/endpoint_id").unwrap().to_owned();
    assert_eq!(block(client.app_queue_size(&app)).unwrap(), 0);
    block(client.flush_app_queue(&app)).unwrap();
    for wrong in ["app", "a/b/c", "/b"] {
        assert_eq!(block(client.app_queue_size(wrong)).unwrap_err().code(), Code::InvalidArgument, "{wrong}");
    }
}

#[test]
fn money_keeps_every_digit() {
    let exact = "0.10000000000000000555";
    let server = Server::json(move |_, _| {
        format!(
            r#"{{"prices": [{{"endpoint_id": "a/b", "unit_price": {exact}, "unit": "image", "currency": "USD"}}]}}"#
        )
    });
    let client = builder(&server.host, "fake-id:fake-secret").build().unwrap();
    let price = block(client.prices(&["a/b"])).unwrap().remove(0);
    assert_eq!(price.unit_price.as_str(), exact);
    assert!((Decimal::to_f64(&price.unit_price) - 0.1).abs() < 1e-12);

    for body in
        ["[]", "{\"prices\": 1}", "{\"prices\": [{}]}", r#"{"prices": [{"endpoint_id": "a/b", "unit_price": "1"}]}"#]
    {
        let server = Server::json(move |_, _| body.to_owned());
        let client = builder(&server.host, "fake-id:fake-secret").build().unwrap();
        assert_eq!(block(client.prices(&["a/b"])).unwrap_err().code(), Code::Protocol, "{body}");
    }
}
