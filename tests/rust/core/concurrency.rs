//! One client used by many threads.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Instant;

use super::hostile::{client_of, head_of};
use super::*;
use fal::Dispatcher;
use fal_emulator::Fault;

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn sixty_four_threads_get_their_own_answers() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    thread::scope(|scope| {
        for thread in 0..64 {
            let client = &client;
            scope.spawn(move || {
                for call in 0..100 {
                    let mine = json!({"thread": thread, "call": call});
                    let echoed = run(client, "emulator/echo", mine.clone()).unwrap();
                    assert_eq!(echoed.get("/body").unwrap(), &mine);
                }
            });
        }
    });
    assert_eq!(emulator.arrivals().len(), 6400);
}

#[test]
fn a_callback_comes_once_on_the_thread_that_runs_the_dispatcher() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let dispatcher = Dispatcher::new();
    let woken = Arc::new(AtomicUsize::new(0));
    let counter = woken.clone();
    dispatcher
        .set_wake(Some(Arc::new(move || count(&counter))))
        .unwrap();
    let calls = Arc::new(Mutex::new(Vec::new()));
    emulator.inject(Fault::status(500).skip(1));
    // The second request does not meet this fault.
    emulator.inject(Fault::hang().skip(1));
    let here = thread::current().id();
    for name in ["answered", "failed", "cancelled"] {
        let op = client
            .run_start(Request::run("emulator/echo").unwrap())
            .unwrap();
        let calls = calls.clone();
        let done = move |op: Op| {
            assert_eq!(thread::current().id(), here);
            assert!(
                op.wait(None).unwrap(),
                "it has ended, so there is nothing to wait for"
            );
            calls
                .lock()
                .unwrap()
                .push((name, op.take().unwrap().is_ok()));
        };
        dispatcher.when_done(&op, done).unwrap();
        if name == "cancelled" {
            emulator.wait_for_arrivals(3, PATIENCE).unwrap();
            op.cancel();
        }
        op.wait(None).unwrap();
    }
    assert!(
        calls.lock().unwrap().is_empty(),
        "nothing runs outside run()"
    );
    assert_eq!(dispatcher.outstanding(), 3);
    assert_eq!(dispatcher.run(1, None).unwrap(), 1);
    // A host that calls run() after each wake-up misses no callback, although one wake-up may stand
    // for several callbacks. An operation ends a moment before its callback is queued.
    let (mut heard, deadline) = (0, Instant::now() + PATIENCE);
    while dispatcher.outstanding() > 0 {
        let woken = woken.load(Ordering::SeqCst);
        if woken > heard {
            heard = woken;
            dispatcher.run(usize::MAX, None).unwrap();
        }
        assert!(Instant::now() < deadline, "woken {woken} times");
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(dispatcher.run(usize::MAX, None).unwrap(), 0);
    let mut calls = calls.lock().unwrap().clone();
    calls.sort();
    assert_eq!(
        calls,
        [("answered", true), ("cancelled", false), ("failed", false)]
    );
    assert!((1..=3).contains(&woken.load(Ordering::SeqCst)));
}

#[test]
fn a_callback_after_the_end_waits_for_the_next_run() {
    let emulator = Emulator::start().unwrap();
    let op = client(&emulator)
        .run_start(Request::run("emulator/echo").unwrap())
        .unwrap();
    op.wait(None).unwrap();
    let dispatcher = Dispatcher::new();
    let called = Arc::new(AtomicUsize::new(0));
    let counter = called.clone();
    dispatcher.when_done(&op, move |_| count(&counter)).unwrap();
    assert_eq!(called.load(Ordering::SeqCst), 0);
    dispatcher.run(10, None).unwrap();
    assert_eq!(called.load(Ordering::SeqCst), 1);
}

#[test]
fn waiting_where_it_would_deadlock_is_refused_and_sends_nothing() {
    let emulator = Emulator::start().unwrap();
    let client = client(&emulator);
    let dispatcher = Dispatcher::new();
    let op = client
        .run_start(Request::run("emulator/echo").unwrap())
        .unwrap();
    let codes = Arc::new(Mutex::new(Vec::new()));
    let (inside, inner, results) = (client.clone(), dispatcher.clone(), codes.clone());
    emulator.inject(Fault::hang().skip(1).always());
    let done = move |_: Op| {
        let pending = inside
            .run_start(Request::run("emulator/echo").unwrap())
            .unwrap();
        let mut codes = results.lock().unwrap();
        codes.push(pending.wait(None).unwrap_err().code());
        codes.push(echo(&inside).unwrap_err().code());
        codes.push(inner.run(1, None).unwrap_err().code());
        codes.push(fal::runtime::shutdown(PATIENCE).unwrap_err().code());
        codes.push(fal::runtime::may_wait().unwrap_err().code());
        pending.cancel();
    };
    dispatcher.when_done(&op, done).unwrap();
    op.wait(None).unwrap();
    fal::runtime::may_wait().unwrap();
    while dispatcher.outstanding() > 0 {
        dispatcher.run(1, None).unwrap();
    }
    assert_eq!(*codes.lock().unwrap(), [fal::Code::WouldDeadlock; 5]);
    assert!(
        emulator.arrivals().len() <= 2,
        "the refused call sent something"
    );
    // A log function may not wait for a call, because it would receive the lines of that call.
    let refused = Arc::new(Mutex::new(None));
    let (slot, cell) = (refused.clone(), Arc::new(Mutex::new(None::<Client>)));
    let held = cell.clone();
    emulator.clear_faults();
    let client = builder(&emulator).log(fal::Level::Debug, move |_, _, _| {
        if let Some(client) = held.lock().unwrap().take() {
            *slot.lock().unwrap() = Some(echo(&client).unwrap_err().code());
        }
    });
    let client = client.build().unwrap();
    *cell.lock().unwrap() = Some(client.clone());
    echo(&client).unwrap();
    fal::runtime::flush_log(PATIENCE).unwrap();
    assert_eq!(*refused.lock().unwrap(), Some(fal::Code::WouldDeadlock));
}

/// A server that counts its connections, and answers only when `RUNS` requests wait at once.
struct Crowd {
    host: String,
    connections: Arc<AtomicUsize>,
}

impl Crowd {
    /// As many runs of a client as are sent at once.
    const RUNS: usize = 128;

    fn start() -> Crowd {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, all) = (connections.clone(), Arc::new(Barrier::new(Self::RUNS)));
        thread::spawn(move || {
            for connection in listener.incoming() {
                count(&counter);
                let (connection, all) = (connection.unwrap(), all.clone());
                thread::spawn(move || answer_each(connection, &all));
            }
        });
        Crowd { host, connections }
    }
}

fn answer_each(mut connection: TcpStream, all: &Barrier) -> io::Result<()> {
    loop {
        if head_of(&mut connection).is_empty() {
            return Ok(());
        }
        all.wait();
        connection
            .write_all(b"HTTP/1.1 200 OK\r\nx-fal-request-id: r\r\ncontent-length: 2\r\n\r\n{}")?;
    }
}

#[test]
fn the_connections_of_many_runs_serve_later_runs() {
    const MANY: usize = 512;
    let server = Crowd::start();
    let client = client_of(&server.host).build().unwrap();
    for _ in 0..2 {
        let start = |_| {
            client
                .run_start(Request::run("emulator/echo").unwrap())
                .unwrap()
        };
        let ops: Vec<Op> = (0..MANY).map(start).collect();
        for op in ops {
            op.wait(None).unwrap();
            op.take().unwrap().unwrap();
        }
    }
    let connections = server.connections.load(Ordering::SeqCst);
    assert_eq!(connections, Crowd::RUNS);
}
