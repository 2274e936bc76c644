//! Repeated cuts of an operation do not increase the memory in use.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fal::{Client, Code};

use super::cell::{client, wait};
use super::server::{Server, Stage};
use super::table::{Effect, Plan, Row, Started, rows};
use super::{PATIENCE, turn};

/// Counts the bytes in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every method passes its arguments on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), SeqCst);
        // SAFETY: the caller upholds the contract of `System.alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), SeqCst);
        // SAFETY: the caller upholds the contract of `System.dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many times each operation is cut before the first measurement, and between the two.
const ROUNDS: (usize, usize) = (30, 120);
/// The growth in bytes for each operation that is not a leak: tables grow in steps.
const EACH: usize = 64;

/// An operation that gets no response before it is cut, with a client and a server that are used again.
struct Hanging {
    row: Row,
    server: Server,
    client: Client,
    folder: tempfile::TempDir,
}

impl Hanging {
    fn new(row: Row) -> Self {
        let job = row.submits() || row.steps.iter().any(|step| step.effect == Effect::Job);
        let server = Server::start(vec![row.steps[0].reply.clone()], 0, Stage::Waiting, job);
        let client = client(server.address(), None, &Arc::new(()));
        Hanging {
            row,
            server,
            client,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn start(&self) -> Started {
        self.server.again();
        let plan = Plan {
            large: false,
            folder: self.folder.path(),
            timeout: None,
        };
        (self.row.start)(&self.client, &plan).unwrap()
    }

    fn cut(&self, started: Started) {
        wait(self.row.name.as_str(), || self.server.is_reached(&[]));
        started.op.cancel();
        assert!(started.op.wait(Some(PATIENCE)).unwrap());
        assert_eq!(
            started.op.take().unwrap().unwrap_err().code(),
            Code::Cancelled
        );
        drop(started);
        if self.row.submits() {
            self.server.pass();
            wait(self.row.name.as_str(), || self.server.cancels() == 1);
        } else {
            wait(self.row.name.as_str(), || self.server.is_closed());
        }
    }
}

#[test]
fn memory_does_not_grow() {
    let _turn = turn();
    // The fetch of fal's keys for webhooks is shared by all callers and is not cancelled with one
    // of them.
    let lasting = |row: &Row| row.name == "verify_webhook";
    let all: Vec<_> = rows()
        .into_iter()
        .filter(|row| !lasting(row))
        .map(Hanging::new)
        .collect();
    let round = || {
        let started: Vec<_> = all.iter().map(Hanging::start).collect();
        all.iter()
            .zip(started)
            .for_each(|(one, started)| one.cut(started));
    };
    (0..ROUNDS.0).for_each(|_| round());
    let before = IN_USE.load(SeqCst);
    (0..ROUNDS.1).for_each(|_| round());
    let most = before + ROUNDS.1 * all.len() * EACH;
    let grown = || IN_USE.load(SeqCst).saturating_sub(before);
    println!(
        "{} bytes more after {} operations",
        grown(),
        ROUNDS.1 * all.len()
    );
    wait("the memory grows", || IN_USE.load(SeqCst) < most);
    fal::runtime::shutdown(PATIENCE).unwrap();
}
