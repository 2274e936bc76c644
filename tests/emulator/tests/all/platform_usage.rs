//! Prices, usage, bills and statistics, all computed from the same requests.

use fal_emulator::{Emulator, Scope, Seed, Settings};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

use crate::client::{Request, got, has, id, platform, ran, sent};

const FLUX: &str = "fal-ai/flux/schnell";

fn near(value: &Value, expected: f64) {
    assert!(
        (value.as_f64().unwrap() - expected).abs() < 1e-9,
        "{value} is not {expected}"
    );
}

/// Sends requests: two pictures of a megapixel each by the API key, one by the ADMIN key, and
/// requests that cost nothing.
fn used(emulator: &Emulator) {
    let input = json!({"prompt": "a cat", "num_images": 2, "image_size": "square"});
    ran(emulator, FLUX, &input, emulator.api_key());
    ran(
        emulator,
        FLUX,
        &json!({"prompt": "a dog"}),
        emulator.admin_key(),
    );
    let failed = Request::run(FLUX, &json!({}))
        .key(emulator.api_key())
        .send(emulator);
    assert_eq!(failed.status, 422);
    let broken = Request::run("emulator/fail", &json!({"error_type": "internal_error"}))
        .key(emulator.api_key());
    assert_eq!(broken.send(emulator).status, 500);
    ran(emulator, "acme/shared", &json!({}), emulator.api_key());
}

#[test]
fn one_price_list_serves_all() {
    let emulator = Emulator::start().unwrap();
    let page = got(
        &emulator,
        200,
        "GET",
        "/models/pricing?endpoint_id=fal-ai/flux/dev,acme/private",
    );
    has(&page, &["prices", "next_cursor", "has_more"]);
    has(
        &page["prices"][0],
        &["endpoint_id", "unit_price", "unit", "currency"],
    );
    near(&page["prices"][0]["unit_price"], 0.025);
    assert_eq!(page["prices"][1]["endpoint_id"], "acme/private");
    let mut settings = Settings::default();
    settings
        .platform
        .discounts
        .insert("acme".into(), 20.0.try_into().unwrap());
    emulator.set(settings);
    let page = got(
        &emulator,
        200,
        "GET",
        "/models/pricing?endpoint_id=fal-ai/flux/dev",
    );
    near(&page["prices"][0]["unit_price"], 0.02);
    got(&emulator, 400, "GET", "/models/pricing");
    got(
        &emulator,
        404,
        "GET",
        "/models/pricing?endpoint_id=no/model",
    );
    let stranger = emulator.create_key(Scope::Api, "other");
    assert_eq!(
        platform(
            &emulator,
            "GET",
            "/models/pricing?endpoint_id=acme/private",
            &stranger
        )
        .status,
        404
    );
    let many = format!("/models/pricing?endpoint_id={}", vec!["a/b"; 51].join(","));
    got(&emulator, 400, "GET", &many);
}

#[test]
fn planned_calls_are_estimated() {
    let emulator = Emulator::start().unwrap();
    let path = "/models/pricing/estimate";
    let units = json!({"estimate_type": "unit_price", "endpoints": {
        "fal-ai/flux/dev": {"unit_quantity": 10.5}, "fal-ai/flux/schnell": {"unit_quantity": 1},
    }});
    let estimate = sent(&emulator, 200, "POST", path, &units);
    has(&estimate, &["estimate_type", "total_cost", "currency"]);
    near(&estimate["total_cost"], 0.2655);
    let calls = json!({"estimate_type": "historical_api_price", "endpoints": {FLUX: {"call_quantity": 10}}});
    near(
        &sent(&emulator, 200, "POST", path, &calls)["total_cost"],
        0.03,
    );
    used(&emulator);
    // Requests of two units and of one: one and a half on average.
    near(
        &sent(&emulator, 200, "POST", path, &calls)["total_cost"],
        0.045,
    );
    for wrong in [
        json!({}),
        json!({"estimate_type": "guess", "endpoints": {}}),
        json!({"estimate_type": "unit_price", "endpoints": []}),
        json!({"estimate_type": "unit_price", "endpoints": {FLUX: {"unit_quantity": 0}}}),
        json!({"estimate_type": "unit_price", "endpoints": {FLUX: {"call_quantity": 1}}}),
        json!({"estimate_type": "historical_api_price", "endpoints": {FLUX: {"call_quantity": 1.5}}}),
    ] {
        sent(&emulator, 400, "POST", path, &wrong);
    }
    let unknown =
        json!({"estimate_type": "unit_price", "endpoints": {"no/model": {"unit_quantity": 1}}});
    sent(&emulator, 404, "POST", path, &unknown);
}

#[test]
fn what_ran_is_billed_and_nothing_else() {
    let emulator = Emulator::start().unwrap();
    used(&emulator);
    let page = got(
        &emulator,
        200,
        "GET",
        "/models/billing-events?expand=auth_method,auth_method_structured",
    );
    let events = page["billing_events"].as_array().unwrap();
    assert_eq!(events.len(), 2, "{page}");
    has(
        &events[0],
        &[
            "request_id",
            "endpoint_id",
            "timestamp",
            "output_units",
            "unit_price",
            "percent_discount",
            "cost_subtotal",
            "cost_discount",
            "cost_total",
            "cost_estimate_nano_usd",
            "auth_method",
            "auth_method_structured",
        ],
    );
    near(&events[0]["output_units"], 2.0);
    near(&events[0]["cost_total"], 0.006);
    assert_eq!(events[0]["cost_estimate_nano_usd"], 6_000_000);
    assert_eq!(events[0]["percent_discount"], json!(null));
    assert_eq!(
        events[0]["auth_method_structured"]["api_key_id"],
        id(emulator.api_key())
    );
    let of_key = format!(
        "/models/billing-events?api_key_id={}",
        id(emulator.admin_key())
    );
    assert_eq!(
        got(&emulator, 200, "GET", &of_key)["billing_events"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for (query, count) in [
        ("endpoint_id=fal-ai/flux/dev", 0),
        ("login_username=acme", 0),
        (
            &format!("request_id={}", events[1]["request_id"].as_str().unwrap()),
            1,
        ),
        ("start=2020-01-01&end=2020-02-01", 0),
    ] {
        let page = got(
            &emulator,
            200,
            "GET",
            &format!("/models/billing-events?{query}"),
        );
        assert_eq!(
            page["billing_events"].as_array().unwrap().len(),
            count,
            "{query}"
        );
    }
    for wrong in [
        "start=yesterday",
        "start=2020-01-01&end=2020-05-01",
        "start=2021-01-01&end=2020-01-01",
        "expand=summary",
        "limit=0",
    ] {
        got(
            &emulator,
            400,
            "GET",
            &format!("/models/billing-events?{wrong}"),
        );
    }
}

#[test]
fn usage_sums_up_the_bills() {
    let emulator = Emulator::start().unwrap();
    let mut settings = Settings::default();
    settings
        .platform
        .discounts
        .insert("acme".into(), 50.0.try_into().unwrap());
    emulator.set(settings);
    used(&emulator);
    let page = got(
        &emulator,
        200,
        "GET",
        "/models/usage?expand=time_series,summary",
    );
    has(
        &page,
        &["time_series", "summary", "next_cursor", "has_more"],
    );
    let row = &page["summary"][0];
    has(
        row,
        &[
            "endpoint_id",
            "unit",
            "quantity",
            "unit_price",
            "percent_discount",
            "cost_subtotal",
            "cost_discount",
            "cost_total",
            "cost",
            "currency",
        ],
    );
    for (name, expected) in [
        ("quantity", 3.0),
        ("unit_price", 0.003),
        ("percent_discount", 50.0),
        ("cost_subtotal", 0.009),
        ("cost_discount", 0.0045),
        ("cost_total", 0.0045),
        ("cost", 0.0045),
    ] {
        near(&row[name], expected);
    }
    let buckets = page["time_series"].as_array().unwrap();
    let total: f64 = buckets
        .iter()
        .map(|bucket| bucket["results"][0]["quantity"].as_f64().unwrap())
        .sum();
    assert!((total - 3.0).abs() < 1e-9);
    assert!(buckets[0]["bucket"].as_str().unwrap().ends_with("+00:00"));

    let by_key = got(
        &emulator,
        200,
        "GET",
        "/models/usage?expand=summary,auth_method_structured",
    );
    assert_eq!(by_key["summary"].as_array().unwrap().len(), 2);
    assert!(by_key.get("time_series").is_none());
    for wrong in [
        "expand=auth_method",
        "expand=all",
        "timezone=Mars/Base",
        "timeframe=year",
        "bound_to_timeframe=maybe",
    ] {
        got(&emulator, 400, "GET", &format!("/models/usage?{wrong}"));
    }
    let tomorrow = got(
        &emulator,
        200,
        "GET",
        "/models/usage?start=2100-01-01&end=2100-01-02",
    );
    assert_eq!(tomorrow["time_series"], json!([]));
}

#[test]
fn buckets_begin_where_their_zone_says() {
    let emulator = Emulator::start().unwrap();
    used(&emulator);
    for (query, end) in [
        ("timeframe=day&timezone=Asia/Kolkata", "T00:00:00+05:30"),
        ("timeframe=month&timezone=UTC", "-01T00:00:00+00:00"),
        ("timeframe=hour&timezone=Asia/Kolkata", ":00:00+05:30"),
        ("timeframe=minute", ":00+00:00"),
    ] {
        let page = got(&emulator, 200, "GET", &format!("/models/usage?{query}"));
        let bucket = page["time_series"][0]["bucket"].as_str().unwrap();
        assert!(bucket.ends_with(end), "{query}: {bucket}");
    }
}

#[test]
fn analytics_count_what_is_asked_for() {
    let emulator = Emulator::start().unwrap();
    used(&emulator);
    let query = "expand=summary,request_count,success_count,user_error_count,error_count,runtime_error_count,p50_duration,p90_prepare_duration,total_billable_duration";
    let path = format!("/models/analytics?endpoint_id={FLUX},emulator/fail&{query}");
    let page = got(&emulator, 200, "GET", &path);
    assert!(page.get("time_series").is_none());
    let rows = page["summary"].as_array().unwrap();
    let of = |id: &str| rows.iter().find(|row| row["endpoint_id"] == id).unwrap();
    let counts = |row: &Value| {
        [
            "request_count",
            "success_count",
            "user_error_count",
            "error_count",
            "runtime_error_count",
        ]
        .map(|name| row[name].as_u64().unwrap())
    };
    assert_eq!(counts(of(FLUX)), [3, 2, 1, 0, 0]);
    assert_eq!(counts(of("emulator/fail")), [1, 0, 0, 1, 1]);
    assert!(of(FLUX)["p50_duration"].is_number());
    has(
        &of(FLUX).clone(),
        &[
            "endpoint_id",
            "request_count",
            "success_count",
            "user_error_count",
            "error_count",
            "runtime_error_count",
            "p50_duration",
            "p90_prepare_duration",
            "total_billable_duration",
        ],
    );
    let series = got(
        &emulator,
        200,
        "GET",
        &format!("/models/analytics?endpoint_id={FLUX}"),
    );
    has(
        &series["time_series"][0]["results"][0],
        &["endpoint_id", "request_count"],
    );
    for wrong in [
        "",
        "endpoint_id=fal-ai/flux/dev&expand=request_count",
        "endpoint_id=fal-ai/flux/dev&expand=summary",
        "endpoint_id=fal-ai/flux/dev&expand=summary,p42_duration",
    ] {
        got(&emulator, 400, "GET", &format!("/models/analytics?{wrong}"));
    }
    got(
        &emulator,
        404,
        "GET",
        "/models/analytics?endpoint_id=no/model",
    );

    let own = got(
        &emulator,
        200,
        "GET",
        "/serverless/analytics?endpoint_id=acme/shared&expand=summary,request_count",
    );
    assert_eq!(
        own["summary"],
        json!([{"endpoint_id": "acme/shared", "request_count": 1}])
    );
    got(
        &emulator,
        403,
        "GET",
        &format!("/serverless/analytics?endpoint_id={FLUX}"),
    );
    got(
        &emulator,
        404,
        "GET",
        "/serverless/analytics?endpoint_id=acme/nothing",
    );
    // All routes of an app, which have separate rows.
    ran(
        &emulator,
        "acme/paint/dev",
        &json!({"prompt": "a"}),
        emulator.api_key(),
    );
    ran(
        &emulator,
        "acme/paint/schnell",
        &json!({"prompt": "b"}),
        emulator.api_key(),
    );
    let path = "/serverless/analytics?endpoint_id=acme/paint&expand=summary,request_count";
    assert_eq!(
        got(&emulator, 200, "GET", path)["summary"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn own_apps_cost_seconds() {
    let emulator = Emulator::start().unwrap();
    let stranger = emulator.create_key(Scope::Api, "other");
    ran(
        &emulator,
        "acme/job",
        &json!({"ms": 100}),
        emulator.api_key(),
    );
    ran(&emulator, "acme/job", &json!({"ms": 50}), &stranger);
    let page = got(
        &emulator,
        200,
        "GET",
        "/serverless/usage?expand=summary,time_series",
    );
    let row = &page["summary"][0];
    has(
        row,
        &[
            "app",
            "environment",
            "machine_type",
            "unit",
            "quantity",
            "unit_price",
            "percent_discount",
            "cost_subtotal",
            "cost_discount",
            "cost_total",
            "cost",
            "currency",
            "is_surge",
        ],
    );
    assert_eq!(
        (&row["app"], &row["unit"], &row["is_surge"]),
        (&json!("acme/job"), &json!("second"), &json!(false))
    );
    assert!(row["quantity"].as_f64().unwrap() >= 0.15);
    for (query, count) in [
        ("app=acme/job", 1),
        ("app=acme/paint", 0),
        ("search=jo", 1),
        ("app=acme/job&search=x", 0),
    ] {
        let page = got(
            &emulator,
            200,
            "GET",
            &format!("/serverless/usage?expand=summary&{query}"),
        );
        assert_eq!(page["summary"].as_array().unwrap().len(), count, "{query}");
    }
    got(
        &emulator,
        400,
        "GET",
        "/serverless/usage?expand=auth_method",
    );
    // The caller of a shared app pays for the request.
    let bill = platform(
        &emulator,
        "GET",
        "/models/billing-events",
        &emulator.create_key(Scope::Admin, "other"),
    )
    .json();
    assert_eq!(bill["billing_events"][0]["endpoint_id"], "acme/job");
}

#[test]
fn thousands_are_paged_through_quickly() {
    let emulator = Emulator::start().unwrap();
    emulator.seed(&Seed {
        keys: 1000,
        billing_events: 10_000,
        instances: 150,
        ..Seed::default()
    });
    let began = Instant::now();
    let pages = |path: &str, name: &str| {
        let (mut cursor, mut rows, mut pages) = (String::new(), Vec::new(), 0);
        loop {
            let page = got(&emulator, 200, "GET", &format!("{path}{cursor}"));
            rows.extend(page[name].as_array().unwrap().clone());
            pages += 1;
            let Some(next) = page["next_cursor"].as_str() else {
                assert_eq!(page["has_more"], json!(false));
                return (rows, pages);
            };
            assert_eq!(page["has_more"], json!(true));
            cursor = format!("&cursor={}", next.replace('=', "%3D"));
        }
    };
    let (keys, count) = pages("/keys?limit=100", "keys");
    assert_eq!((keys.len(), count), (1001, 11));
    let (events, count) = pages("/models/billing-events?limit=1000", "billing_events");
    assert_eq!((events.len(), count), (10_000, 10));
    let mut ids: Vec<&str> = events
        .iter()
        .map(|event| event["request_id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10_000);
    let (events, count) = pages("/models/billing-events?limit=20000", "billing_events");
    assert_eq!((events.len(), count), (10_000, 1));
    let page = got(
        &emulator,
        200,
        "GET",
        "/organization/billing-events?limit=1000",
    );
    assert_eq!(page["billing_events"].as_array().unwrap().len(), 100);
    assert_eq!(
        pages("/compute/instances?limit=100", "instances").0.len(),
        150
    );
    let page = got(&emulator, 200, "GET", "/models/usage?expand=summary");
    near(&page["summary"][0]["quantity"], 10_000.0);
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
}
