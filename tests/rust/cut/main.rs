//! Every operation, cut short at every stage of each of its requests by a cancellation, a deadline,
//! a shutdown or the drop of its handle: it ends exactly once, reports truly what may have been
//! executed, and leaves nothing behind.
//!
//! `table.rs` lists the operations, `server.rs` holds them at a stage, and `cell.rs` checks one of
//! them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]
#![cfg(target_os = "linux")]

mod cell;
#[path = "../logged.rs"]
#[allow(dead_code)] // these tests make their clients with a log of their own
mod logged;
mod memory;
mod server;
mod table;
mod uploads;
mod webhook;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fal::{Code, Dispatcher, runtime};

use self::cell::{Cell, Cut, Run, cells, wait_until_reached};
use self::table::rows;

/// How long a test waits for an event before it fails.
const PATIENCE: Duration = Duration::from_secs(25);
/// The number of concurrent cells.
const TOGETHER: usize = 64;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Waits until no other test runs, and returns with libfal's runtime stopped and the servers'
/// running.
fn turn() -> MutexGuard<'static, ()> {
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    runtime::shutdown(PATIENCE).unwrap();
    server::prepare();
    turn
}

/// The number of this process's threads, and of its sockets.
fn counted() -> (usize, usize) {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    let links = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
    (
        threads,
        links
            .filter(|link| link.to_string_lossy().starts_with("socket:"))
            .count(),
    )
}

/// Applies `cut` to every cell, some at a time, and checks what is left of all of them.
fn each(cut: impl Fn(&[Cell], &Dispatcher)) {
    let _turn = turn();
    let before = counted();
    let all: Vec<_> = rows()
        .into_iter()
        .map(Arc::new)
        .flat_map(|row| cells(&row))
        .collect();
    let dispatcher = Dispatcher::new();
    all.chunks(TOGETHER)
        .for_each(|cells| cut(cells, &dispatcher));
    assert_eq!(
        (
            dispatcher.run(usize::MAX, None).unwrap(),
            dispatcher.outstanding()
        ),
        (0, 0),
        "callbacks"
    );
    runtime::shutdown(PATIENCE).unwrap();
    cell::wait(
        &format!(
            "threads and sockets were {before:?} and are {:?}",
            counted()
        ),
        || counted() == before,
    );
}

fn start<'a>(
    cells: impl IntoIterator<Item = &'a Cell>,
    cut: Cut,
    dispatcher: &Dispatcher,
) -> Vec<Run> {
    cells
        .into_iter()
        .map(|cell| Run::start(cell, cut, dispatcher))
        .collect()
}

fn held(cells: &[Cell], cut: Cut, dispatcher: &Dispatcher) -> Vec<Run> {
    let mut runs = start(cells, cut, dispatcher);
    wait_until_reached(&mut runs);
    runs.iter()
        .for_each(|run| assert!(run.is_reached(), "{}: it ended too early", run.name));
    runs
}

fn finish(runs: &mut [Run], code: Code, dispatcher: &Dispatcher) {
    runs.iter_mut()
        .for_each(|run| run.assert_ended_once(code, dispatcher));
    runs.iter_mut()
        .for_each(|run| run.assert_nothing_is_left(true));
    runs.iter().for_each(Run::assert_one_callback);
}

#[test]
fn cancelled() {
    each(|cells, dispatcher| {
        let mut runs = held(cells, Cut::Cancel, dispatcher);
        runs.iter().for_each(Run::cancel);
        finish(&mut runs, Code::Cancelled, dispatcher);
    });
}

#[test]
fn out_of_time() {
    each(|cells, dispatcher| {
        let (mut left, mut time) = (cells.iter().collect::<Vec<_>>(), Duration::from_secs(2));
        while !left.is_empty() {
            let mut runs = start(left.iter().copied(), Cut::Deadline(time), dispatcher);
            wait_until_reached(&mut runs);
            left = left
                .into_iter()
                .zip(&runs)
                .filter(|(_, run)| !run.is_reached())
                .map(|(cell, _)| cell)
                .collect();
            runs.retain(Run::is_reached);
            finish(&mut runs, Code::Deadline, dispatcher);
            // On a machine that is too busy for all operations to reach their stages, the time is
            // doubled.
            time *= 2;
            assert!(time < PATIENCE, "{} are never reached", left.len());
        }
        dispatcher.run(usize::MAX, None).unwrap();
    });
}

#[test]
fn shut_down() {
    each(|cells, dispatcher| {
        let mut runs = held(cells, Cut::ShutDown, dispatcher);
        let shutdown = std::thread::spawn(|| runtime::shutdown(PATIENCE));
        finish(&mut runs, Code::ShutDown, dispatcher);
        shutdown.join().unwrap().unwrap();
    });
}

#[test]
fn dropped() {
    each(|cells, dispatcher| {
        let mut runs = held(cells, Cut::Drop, dispatcher);
        runs.iter_mut().for_each(Run::drop_handles);
        std::thread::sleep(Duration::from_millis(100));
        runs.iter().for_each(Run::assert_untouched);
        runs.iter().for_each(|run| run.server.release());
        runs.iter_mut()
            .for_each(|run| run.assert_nothing_is_left(false));
    });
}

#[test]
fn dropped_and_shut_down() {
    each(|cells, dispatcher| {
        let mut runs = held(cells, Cut::Drop, dispatcher);
        // The end of another operation shows that the shutdown has begun.
        let mut other = held(&cells[..1], Cut::ShutDown, dispatcher);
        runs.iter_mut().for_each(Run::drop_handles);
        let shutdown = std::thread::spawn(|| runtime::shutdown(PATIENCE));
        finish(&mut other, Code::ShutDown, dispatcher);
        // Where no request could be sent, a cancellation can be sent from here on.
        runs.iter()
            .filter(|run| run.is_connecting())
            .for_each(|run| run.server.release());
        runs.iter_mut()
            .for_each(|run| run.assert_nothing_is_left(true));
        shutdown.join().unwrap().unwrap();
    });
}

/// Every `pub fn *_start` in the sources has to be in the table.
#[test]
fn no_operation_is_missing() {
    fn look(folder: &std::path::Path, found: &mut Vec<String>, root: &std::path::Path) {
        for entry in std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            if entry.is_dir() {
                look(&entry, found, root);
                continue;
            }
            let file = entry.strip_prefix(root).unwrap().display().to_string();
            let text = std::fs::read_to_string(&entry).unwrap();
            let functions = text.lines().filter_map(|line| {
                line.trim()
                    .strip_prefix("pub fn ")?
                    .split(['(', '<'])
                    .next()
            });
            let starts = functions.filter(|name| name.ends_with("_start"));
            found.extend(starts.map(|name| format!("{file} {name}")));
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    look(&root, &mut found, &root);
    found.sort();
    found.dedup();
    let mut listed: Vec<_> = rows().iter().map(|row| row.of.to_owned()).collect();
    listed.sort();
    listed.dedup();
    assert!(found.len() >= 20, "{found:?}");
    assert_eq!(
        found, listed,
        "the operations in the sources, and those in the table"
    );
}
