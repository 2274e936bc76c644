//! Teams, reports as CSV, and the operations that need a contract.

use fal_emulator::{Emulator, Scope, Settings};
use serde_json::json;

use crate::client::{got, has, platform, ran, sent};

const FLUX: &str = "fal-ai/flux/schnell";

fn csv(emulator: &Emulator, path: &str) -> Vec<Vec<String>> {
    let answer = platform(emulator, "GET", path, emulator.admin_key());
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("text/csv")
    );
    let text = String::from_utf8(answer.body).unwrap();
    text.lines()
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect()
}

/// Sends a request from each team.
fn used(emulator: &Emulator) {
    ran(emulator, FLUX, &json!({"prompt": "a"}), emulator.api_key());
    ran(
        emulator,
        FLUX,
        &json!({"prompt": "b"}),
        &emulator.create_key(Scope::Api, "acme-research"),
    );
    ran(
        emulator,
        FLUX,
        &json!({"prompt": "c"}),
        &emulator.create_key(Scope::Api, "stranger"),
    );
    ran(emulator, "acme/job", &json!({"ms": 20}), emulator.api_key());
}

#[test]
fn the_root_sees_all_teams() {
    let emulator = Emulator::start().unwrap();
    used(&emulator);
    let teams = got(&emulator, 200, "GET", "/organization/teams");
    has(
        &teams["teams"][0],
        &["username", "name", "is_org_root", "created_at"],
    );
    assert_eq!(
        (
            &teams["teams"][0]["is_org_root"],
            &teams["teams"][1]["username"]
        ),
        (&json!(true), &json!("acme-research"))
    );
    let events = got(
        &emulator,
        200,
        "GET",
        "/organization/billing-events?expand=auth_method",
    );
    let users: Vec<&str> = events["billing_events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["username"].as_str().unwrap())
        .collect();
    assert_eq!(users, ["acme", "acme-research"]);
    let one = got(
        &emulator,
        200,
        "GET",
        "/organization/billing-events?team_username=acme-research",
    );
    assert_eq!(one["billing_events"].as_array().unwrap().len(), 1);
    let machine = json!({"instance_type": "gpu_1x_h100_sxm5", "ssh_key": "k"});
    sent(&emulator, 201, "POST", "/compute/instances", &machine);
    emulator.advance(std::time::Duration::from_secs(10));
    let usage = got(
        &emulator,
        200,
        "GET",
        "/organization/usage?expand=summary,time_series",
    );
    let rows = usage["summary"].as_array().unwrap();
    has(
        &rows[0],
        &[
            "username",
            "product",
            "endpoint_id",
            "unit",
            "quantity",
            "unit_price",
            "cost",
            "currency",
        ],
    );
    let products: std::collections::BTreeSet<&str> = rows
        .iter()
        .map(|row| row["product"].as_str().unwrap())
        .collect();
    assert_eq!(
        products.into_iter().collect::<Vec<_>>(),
        ["compute", "model_apis", "serverless"]
    );
    let compute = rows.iter().find(|row| row["product"] == "compute").unwrap();
    assert!(compute["quantity"].as_f64().unwrap() >= 10.0);
    let only = got(
        &emulator,
        200,
        "GET",
        "/organization/usage?expand=summary&product=model_apis&team_username=acme",
    );
    assert_eq!(only["summary"].as_array().unwrap().len(), 1);
    for path in ["billing-events", "usage"] {
        got(
            &emulator,
            404,
            "GET",
            &format!("/organization/{path}?team_username=stranger"),
        );
        got(
            &emulator,
            400,
            "GET",
            &format!("/organization/{path}?start=never"),
        );
    }
    got(&emulator, 400, "GET", "/organization/usage?product=toys");
    got(
        &emulator,
        400,
        "GET",
        "/organization/billing-events?start=2020-01-01&end=2020-06-01",
    );
}

#[test]
fn only_the_root_of_an_organization_with_a_contract_sees_them() {
    let emulator = Emulator::start().unwrap();
    let team = emulator.create_key(Scope::Admin, "acme-research");
    let paths = [
        "/organization/teams",
        "/organization/usage",
        "/organization/billing-events",
        "/organization/focus?source=estimate",
    ];
    for path in paths {
        assert_eq!(
            platform(&emulator, "GET", path, &team).status,
            403,
            "{path}"
        );
    }
    let mut settings = Settings::default();
    settings.platform.organization = None;
    emulator.set(settings);
    for path in paths {
        got(&emulator, 403, "GET", path);
    }
    let mut settings = Settings::default();
    settings.platform.enterprise = false;
    emulator.set(settings);
    for path in paths.into_iter().chain([
        "/account/focus?source=invoice",
        "/account/model-access-controls",
    ]) {
        got(&emulator, 403, "GET", path);
    }
}

#[test]
fn reports_are_csv() {
    let emulator = Emulator::start().unwrap();
    used(&emulator);
    let lines = csv(&emulator, "/account/focus?source=estimate");
    let column = |name: &str| lines[0].iter().position(|known| known == name).unwrap();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[1][column("ResourceId")], FLUX);
    assert_eq!(lines[1][column("BilledCost")], "0.003");
    assert_eq!(lines[1].len(), lines[0].len());
    assert_eq!(
        csv(
            &emulator,
            "/account/focus?source=estimate&expand=organization"
        )
        .len(),
        3
    );
    assert_eq!(
        csv(&emulator, "/organization/focus?source=estimate").len(),
        3
    );
    assert_eq!(
        csv(
            &emulator,
            "/organization/focus?source=estimate&team_username=acme-research"
        )
        .len(),
        2
    );
    // The usage of this month is not yet on an invoice.
    assert_eq!(csv(&emulator, "/account/focus?source=invoice").len(), 1);
    let month = &lines[1][column("ChargePeriodStart")][..7];
    let of_month = csv(
        &emulator,
        &format!("/account/focus?source=invoice&charge_month={month}"),
    );
    assert!((2..=2).contains(&of_month.len()));
    for wrong in [
        "",
        "source=guess",
        "source=invoice&billing_month=2026",
        "source=invoice&charge_month=2026-13",
        "source=invoice&billing_month=2026-01&charge_month=2026-01",
        "source=estimate&billing_month=2026-01",
        "source=estimate&start=2020-01-01&end=2020-06-01",
        "source=estimate&expand=all",
    ] {
        got(&emulator, 400, "GET", &format!("/account/focus?{wrong}"));
    }
    got(
        &emulator,
        404,
        "GET",
        "/organization/focus?source=estimate&team_username=stranger",
    );
    got(&emulator, 400, "GET", "/organization/focus");
}

#[test]
fn blocked_models_are_listed_and_refused() {
    let emulator = Emulator::start().unwrap();
    let mut settings = Settings::default();
    settings.platform.blocked_models = vec![FLUX.into()];
    emulator.set(settings);
    let lines = csv(&emulator, "/account/model-access-controls");
    assert_eq!(
        lines[0],
        [
            "endpoint_id",
            "title",
            "category",
            "enterprise_status",
            "ui_access",
            "api_access"
        ]
    );
    let access = |id: &str| lines.iter().find(|line| line[0] == id).unwrap()[5].clone();
    assert_eq!(
        (access(FLUX), access("fal-ai/flux/dev")),
        ("BLOCKED".into(), "ALLOWED".into())
    );
    for host in ["fal.run", "queue.fal.run"] {
        let request =
            crate::client::Request::new("POST", host, &format!("/{FLUX}")).key(emulator.api_key());
        assert_eq!(
            request.json(&json!({"prompt": "a"})).send(&emulator).status,
            403,
            "{host}"
        );
    }
    ran(
        &emulator,
        "fal-ai/flux/dev",
        &json!({"prompt": "a"}),
        emulator.api_key(),
    );
}
