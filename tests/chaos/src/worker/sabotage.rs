//! Deliberate misbehaviour of a client. The audit must detect each kind.

use fal::credentials::Environment;
use fal::{Client, Op, Request};

use super::clients::World;
use crate::ledger;

/// The kinds, as `--sabotage` names them.
pub(crate) const ALL: [&str; 9] = [
    "twice",
    "lie",
    "deny",
    "print",
    "encode",
    "descriptor",
    "thread",
    "memory",
    "forget",
];

pub(crate) const VARIABLE: &str = "CHAOS_SABOTAGE";

/// Misbehaves as requested, in the second life.
pub(crate) fn now(world: &World, life: usize) {
    let Ok(what) = std::env::var(VARIABLE) else {
        return;
    };
    if life != 1 {
        return;
    }
    let key = &world.keys[0];
    match what.as_str() {
        "print" => ledger::said(&format!("the key is {key}")),
        "encode" => ledger::said(
            &key.bytes()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>(),
        ),
        "descriptor" => std::mem::forget(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()),
        "thread" => drop(std::thread::spawn(|| {
            std::thread::sleep(std::time::Duration::from_secs(3600))
        })),
        "memory" => std::mem::forget(vec![0_u8; 1 << 20]),
        "twice" => {
            run(world, "mkfeedfacefeedface");
            run(world, "mkfeedfacefeedface");
        }
        _ => {}
    }
}

/// Changes the record of an operation. Returns whether to write it.
pub(crate) fn entry(entry: &mut serde_json::Value) -> bool {
    match std::env::var(VARIABLE).as_deref() {
        // The operation was executed, and the error denies it.
        Ok("lie") if entry["end"] == "ok" && entry["what"] == "Run" => {
            *entry = serde_json::json!({"end": "error", "code": "connection lost", "may": false, "status": null});
        }
        // The operation was not executed, and the record claims success.
        Ok("deny") if entry["end"] == "error" && entry["way"] == "Nowhere" => {
            entry["end"] = "ok".into()
        }
        Ok("forget") if entry["what"] == "Run" => return false,
        _ => {}
    }
    true
}

fn run(world: &World, mark: &str) {
    let variables = [
        ("FAL_KEY", world.keys[0].clone()),
        ("FAL_EMULATOR_HOST", world.emulator.clone()),
    ];
    let client = Client::builder()
        .environment(Environment::from_variables(variables))
        .build()
        .unwrap();
    let mut request = Request::run("emulator/echo").unwrap();
    request.set_json(serde_json::json!({"mark": mark}));
    drop(Op::finish(|| client.run_start(request)));
}
