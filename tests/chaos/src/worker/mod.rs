//! A process that uses the library as carelessly as a host may.

mod acts;
mod child;
mod clients;
mod counts;
mod follow;
mod heap;
mod life;
mod receiver;
pub(crate) mod sabotage;

use std::path::{Path, PathBuf};

use fal::{Op, Request};

use self::clients::{Clients, World};
use self::counts::Counts;
use self::receiver::Receiver;
use crate::plan::{Size, Way};
use crate::{ledger, plan};

/// The name of the process that, after all others have ended, checks whether the login still works.
pub(crate) const WITNESS: &str = "witness";

/// Runs a process of the round in this folder. `world.json` there has the remaining settings.
pub(crate) fn main(folder: &Path, worker: &str) {
    let text = std::fs::read_to_string(folder.join("world.json")).unwrap();
    let text: serde_json::Value = serde_json::from_str(&text).unwrap();
    let word = |name: &str| text[name].as_str().unwrap().to_owned();
    let number = |name: &str| text[name].as_u64().unwrap();
    ledger::open(&folder.join(format!("ledger-{worker}")));
    let world = World {
        host: word("host"),
        emulator: word("emulator"),
        keys: [word("api_key"), word("admin_key")],
        folder: PathBuf::from(folder),
    };
    if worker == WITNESS {
        return look_at_login(&world);
    }
    let size = if text["small"] == true {
        Size::Small
    } else {
        Size::Whole
    };
    let lives = plan::lives(
        number("seed"),
        number("round"),
        worker.parse().unwrap(),
        size,
    );
    let receiver = Receiver::start();
    // With the features of the whole workspace, tokio's first runtime opens two sockets that stay
    // open.
    drop(
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap(),
    );
    let mut counts = Counts::now();
    for (number, life) in lives.iter().enumerate() {
        life::live(number, life, &world, &receiver, &mut counts);
    }
    // A panic above is a fault of this program, which the missing "done" reports.
    ledger::counted("done");
}

fn look_at_login(world: &World) {
    let clients = Clients::new(world);
    let run = || {
        clients
            .of(Way::Login)
            .run_start(Request::run("emulator/echo")?)
    };
    if let Err(error) = Op::finish(run) {
        ledger::wrong(&format!("the login is lost: {error}"));
    }
    ledger::counted("done");
}
