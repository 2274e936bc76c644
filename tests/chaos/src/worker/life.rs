//! One life of the library: threads call it, with shutdowns and forks in between. At the end
//! nothing may be left.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fal::{Code, Dispatcher, runtime};

use super::acts::{Hand, shown};
use super::clients::{Clients, World};
use super::counts::Counts;
use super::follow::{self, Due, PATIENCE};
use super::receiver::Receiver;
use super::{child, sabotage};
use crate::ledger;
use crate::plan::{Act, Life};

/// The number of operations that one thread runs at once.
const AT_ONCE: usize = 8;

pub(crate) fn live(
    number: usize,
    life: &Life,
    world: &World,
    receiver: &Receiver,
    counts: &mut Counts,
) {
    let clients = Clients::new(world);
    let dispatcher = Dispatcher::new();
    let due = Mutex::new(Vec::new());
    let scratch = tempfile::tempdir_in(&world.folder).unwrap();
    std::thread::scope(|scope| {
        for acts in &life.threads {
            let hand = Hand::new(
                &clients,
                &dispatcher,
                Some(receiver),
                scratch.path().to_owned(),
            );
            let due = &due;
            scope.spawn(move || {
                let called = work(hand, acts);
                due.lock().unwrap().extend(called);
            });
        }
        disturb(life, &clients, &dispatcher, scratch.path());
    });
    sabotage::now(world, number);
    if let Err(error) = runtime::shutdown(PATIENCE) {
        ledger::wrong(&format!("life {number}: the shutdown: {}", shown(&error)));
    }
    settle(&dispatcher, due.into_inner().unwrap());
    look_for_partial_files(scratch.path());
    drop((clients, dispatcher, scratch));
    receiver.forget();
    counts.compare(number);
}

/// Runs the operations of one thread, several at a time.
pub(crate) fn work(mut hand: Hand, acts: &[Act]) -> Vec<Due> {
    let mut due = Vec::new();
    for acts in acts.chunks(AT_ONCE) {
        let begun: Vec<_> = acts
            .iter()
            .filter_map(|act| follow::start(&mut hand, act))
            .collect();
        due.extend(begun.into_iter().filter_map(|op| op.finish(&mut hand)));
    }
    due
}

/// Shuts down and forks while the threads call.
fn disturb(life: &Life, clients: &Clients, dispatcher: &Dispatcher, scratch: &Path) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for pause in &life.shutdowns {
                std::thread::sleep(Duration::from_millis(*pause));
                match runtime::shutdown(PATIENCE) {
                    Ok(()) => {}
                    Err(error) => {
                        ledger::wrong(&format!("a shutdown between calls: {}", shown(&error)))
                    }
                }
            }
        });
        for (pause, acts) in &life.forks {
            std::thread::sleep(Duration::from_millis(*pause));
            child::fork(acts, clients, dispatcher, scratch);
        }
    });
}

/// Checks that every callback is called once, also for operations that no thread waited for.
fn settle(dispatcher: &Dispatcher, due: Vec<Due>) {
    let end = Instant::now() + PATIENCE;
    while dispatcher.outstanding() > 0 && Instant::now() < end {
        dispatcher.run(usize::MAX, None).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    if dispatcher.outstanding() > 0 {
        ledger::wrong(&format!(
            "{} callbacks never become ready",
            dispatcher.outstanding()
        ));
    }
    for due in due {
        match due.calls.load(Ordering::SeqCst) {
            1 => {}
            calls => ledger::wrong(&format!("{}: {calls} callbacks", due.mark)),
        }
    }
}

fn look_for_partial_files(folder: &Path) {
    let names = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name());
    for name in names.filter(|name| name.to_string_lossy().ends_with(".part")) {
        ledger::wrong(&format!(
            "a partial file is left: {}",
            name.to_string_lossy()
        ));
    }
}

/// Whether the library refused an operation of the parent in its child.
pub(crate) fn is_forked<T>(outcome: fal::Result<T>) -> bool {
    outcome.is_err_and(|error| error.code() == Code::Forked)
}
