//! `/v1/compute/instances` (docs/protocol.md §14.10): simulated machines that are billed per
//! second.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde_json::{Value, json};
use uuid::Uuid;

use super::fields::{Fields, wrong};
use super::paging::{self, USUAL};
use super::usage::Sum;
use super::visit::Visit;
use super::window::Window;
use super::{created, denied, done, not_found, ok};
use crate::answer::Answer;
use crate::clock;
use crate::prices;
use crate::state::State;

const TYPES: [&str; 2] = ["gpu_8x_h100_sxm5", "gpu_1x_h100_sxm5"];
const SECTORS: [&str; 3] = ["sector_1", "sector_2", "sector_3"];

/// The seconds of the emulator's clock between the creation of a machine and its readiness.
const PROVISIONING: u64 = 60;

#[derive(Clone)]
struct Instance {
    ordinal: u64,
    id: String,
    account: String,
    kind: &'static str,
    sector: Option<&'static str>,
    created: SystemTime,
    deleted: Option<SystemTime>,
}

/// All machines, including deleted ones, which the bill needs.
#[derive(Default)]
pub(super) struct Instances(Mutex<Vec<Instance>>);

impl Instances {
    fn all(&self) -> MutexGuard<'_, Vec<Instance>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn enabled(visit: &Visit<'_>) -> Result<(), Answer> {
    if visit.settings.platform.compute {
        Ok(())
    } else {
        Err(denied("Compute is not enabled for this account"))
    }
}

impl Instance {
    fn show(&self, now: SystemTime) -> Value {
        let ready = clock::after(self.created, PROVISIONING) <= now;
        let mut row = json!({
            "id": self.id,
            "instance_type": self.kind,
            "region": "us-west",
            "status": if ready { "ready" } else { "provisioning" },
            "creator_user_nickname": self.account,
        });
        if let Some(sector) = self.sector {
            row["sector"] = json!(sector);
        }
        if ready {
            // TEST-NET-3 (RFC 5737), an address range that is never used.
            row["ip"] = json!(format!("203.0.113.{}", 1 + self.ordinal % 254));
        }
        row
    }

    fn is_of(&self, account: &str) -> bool {
        self.account == account && self.deleted.is_none()
    }
}

pub(super) fn list(visit: &Visit<'_>) -> Result<Answer, Answer> {
    enabled(visit)?;
    let mut instances = visit.state.platform.instances.all().clone();
    instances.retain(|instance| instance.is_of(visit.account()));
    let rows = instances
        .into_iter()
        .map(|instance| (instance.ordinal, instance));
    ok(&paging::page(
        visit,
        "instances",
        USUAL,
        rows,
        |instance| instance.show(visit.now()),
    )?)
}

pub(super) fn create(visit: &Visit<'_>) -> Result<Answer, Answer> {
    enabled(visit)?;
    let fields = Fields::read(visit.request)?;
    let kind = fields
        .choice("instance_type", &TYPES)?
        .ok_or_else(|| wrong("instance_type", "required"))?;
    fields.text("ssh_key", 1..=16_384)?;
    let sector = fields.choice("sector", &SECTORS)?;
    if sector.is_some() && kind != TYPES[0] {
        return Err(wrong("sector", "only with gpu_8x_h100_sxm5"));
    }
    let instance = make(visit.state, visit.account(), kind, sector);
    created(&instance.show(visit.now()))
}

/// Adds a machine of the small kind.
pub(super) fn add(state: &State, account: &str) {
    make(state, account, TYPES[1], None);
}

fn make(
    state: &State,
    account: &str,
    kind: &'static str,
    sector: Option<&'static str>,
) -> Instance {
    let mut instances = state.platform.instances.all();
    let instance = Instance {
        ordinal: instances.len() as u64 + 1,
        id: format!("inst-{}", &Uuid::new_v4().simple().to_string()[..12]),
        account: account.to_owned(),
        kind,
        sector,
        created: state.clock.now(),
        deleted: None,
    };
    instances.push(instance.clone());
    instance
}

pub(super) fn read(visit: &Visit<'_>) -> Result<Answer, Answer> {
    enabled(visit)?;
    let instances = visit.state.platform.instances.all();
    let found = instances
        .iter()
        .find(|instance| instance.id == visit.part("id") && instance.is_of(visit.account()));
    ok(&found
        .ok_or_else(|| not_found("Instance not found"))?
        .show(visit.now()))
}

pub(super) fn delete(visit: &Visit<'_>) -> Result<Answer, Answer> {
    enabled(visit)?;
    let mut instances = visit.state.platform.instances.all();
    let mut all = instances.iter_mut();
    let found =
        all.find(|instance| instance.id == visit.part("id") && instance.is_of(visit.account()));
    found
        .ok_or_else(|| not_found("Instance not found"))?
        .deleted = Some(visit.now());
    done()
}

/// The seconds for which an account's machines existed, for each bucket in which they did, by the
/// start of the bucket.
pub(super) fn used(
    visit: &Visit<'_>,
    account: &str,
    window: &Window,
) -> impl Iterator<Item = (SystemTime, Sum)> + use<> {
    let mut used = Vec::new();
    let end = window.end.min(visit.now());
    for instance in visit
        .state
        .platform
        .instances
        .all()
        .iter()
        .filter(|instance| instance.account == account)
    {
        let until = instance.deleted.unwrap_or(end).min(end);
        let mut from = instance.created.max(window.start);
        while from < until {
            let next = window.next(window.floor(from)).min(until);
            let seconds = next.duration_since(from).unwrap_or_default().as_secs_f64();
            let row = json!({ "endpoint_id": instance.kind, "unit": "second" });
            let price = prices::machine(instance.kind);
            used.push((
                from,
                Sum {
                    row,
                    quantity: (seconds * 1e6).round() / 1e6,
                    price,
                    discount: None,
                },
            ));
            if next <= from {
                break;
            }
            from = next;
        }
    }
    used.into_iter()
}
