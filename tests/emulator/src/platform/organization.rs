//! `/v1/organization/…` (docs/protocol.md §14.13): all teams of an organization, for ADMIN keys of
//! its root team.

use serde_json::{Value, json};

use super::account::enterprise;
use super::billing::{self, Filter, LONGEST_REPORT, billed, billed_at};
use super::focus::Report;
use super::paging::{self, Limit};
use super::settings::Organization;
use super::usage::{self, Sum};
use super::visit::Visit;
use super::window::{DAY, Window};
use super::{compute, csv, denied, not_found, ok};
use crate::answer::Answer;
use crate::clock;
use crate::history::Record;
use crate::prices;

/// The organization, if the caller belongs to its root team.
pub(super) fn root<'v>(visit: &'v Visit<'_>) -> Result<&'v Organization, Answer> {
    enterprise(visit)?;
    let organization = visit.settings.platform.organization.as_ref();
    organization
        .filter(|organization| organization.root == visit.account())
        .ok_or_else(|| denied("This operation needs a key of the organization's root team"))
}

/// The teams that the query names, or all of them; 404 for any other.
fn chosen(visit: &Visit<'_>) -> Result<Vec<String>, Answer> {
    let teams = &root(visit)?.teams;
    let wanted = visit.many("team_username")?;
    match wanted.iter().find(|team| !teams.contains(team)) {
        Some(stranger) => Err(not_found(&format!("{stranger}: no such team"))),
        None if wanted.is_empty() => Ok(teams.clone()),
        None => Ok(wanted),
    }
}

pub(super) fn teams(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let organization = root(visit)?;
    let began = clock::rfc3339(visit.state.clock.began());
    let row = |team: &String| json!({ "username": team, "name": team, "is_org_root": *team == organization.root, "created_at": began });
    ok(&json!({ "teams": organization.teams.iter().map(row).collect::<Vec<_>>() }))
}

pub(super) fn focus(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let report = Report::read(visit)?;
    csv(report.csv(visit, &chosen(visit)?))
}

pub(super) fn billing_events(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let expand = visit.choices("expand", &billing::AUTH)?;
    let filter = Filter::read(visit)?;
    let window = Window::plain(visit, DAY, Some(LONGEST_REPORT))?;
    let teams = chosen(visit)?;
    let mut records: Vec<_> = teams.iter().flat_map(|team| billed(visit, team)).collect();
    records.retain(|record| filter.passes(record) && window.holds(billed_at(record)));
    records.sort_by_key(|record| record.ordinal);
    let records = records.into_iter().map(|record| (record.ordinal, record));
    ok(&paging::page(
        visit,
        "billing_events",
        Limit::Capped(100),
        records,
        |record| {
            let account = record.account.as_deref().unwrap_or_default();
            let discount = prices::discount(&visit.settings.platform.discounts, account);
            with_team(billing::event(&record, discount, &expand), account)
        },
    )?)
}

fn with_team(mut row: Value, account: &str) -> Value {
    row["username"] = json!(account);
    row
}

const PRODUCTS: [&str; 3] = ["model_apis", "serverless", "compute"];

pub(super) fn usage(visit: &Visit<'_>) -> Result<Answer, Answer> {
    let expand = usage::expansion(visit, &billing::AUTH)?;
    let filter = Filter::read(visit)?;
    let window = Window::buckets(visit)?;
    let teams = chosen(visit)?;
    let products = visit.choices("product", &PRODUCTS)?;
    let wants =
        |product: &str| products.is_empty() || products.iter().any(|known| known == product);
    let wanted = |record: &Record| filter.passes(record) && window.holds(billed_at(record));
    let mut sums = Vec::new();
    for team in &teams {
        let discount = prices::discount(&visit.settings.platform.discounts, team);
        if wants("model_apis") {
            let records = billed(visit, team).filter(|record| wanted(record));
            let sum = |record: &Record| usage::of_model(record, discount, &expand);
            sums.extend(records.map(|record| {
                (
                    billed_at(&record),
                    of_team(sum(&record), team, "model_apis"),
                )
            }));
        }
        if wants("serverless") {
            let mut records = visit.state.history.all();
            records
                .retain(|record| record.owner == *team && record.ended.is_some() && wanted(record));
            let sum = |record: &Record| {
                let mut sum = usage::of_app(record);
                sum.row = billing::with_auth(
                    json!({ "endpoint_id": record.app, "unit": "second" }),
                    record,
                    &expand,
                );
                sum
            };
            sums.extend(
                records
                    .iter()
                    .map(|record| (billed_at(record), of_team(sum(record), team, "serverless"))),
            );
        }
        if wants("compute") {
            let machines = compute::used(visit, team, &window);
            sums.extend(machines.map(|(time, sum)| (time, of_team(sum, team, "compute"))));
        }
    }
    usage::answer(visit, &window, &expand, sums, show)
}

fn of_team(mut sum: Sum, team: &str, product: &str) -> Sum {
    sum.row["username"] = json!(team);
    sum.row["product"] = json!(product);
    sum
}

/// A row for an organization has one cost, after the discount.
fn show(sum: &Sum) -> Value {
    let mut row = sum.show();
    if let Some(row) = row.as_object_mut() {
        row.retain(|name, _| {
            !matches!(
                name.as_str(),
                "percent_discount" | "cost_subtotal" | "cost_discount" | "cost_total"
            )
        });
    }
    row
}
