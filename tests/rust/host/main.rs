//! Functions of the host that are slow, block or panic: they run on threads of their own, and do
//! not affect calls, deadlines, cancellations, shutdowns or forked children.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

#[path = "../alone.rs"]
mod alone;
#[cfg(target_os = "linux")]
mod forks;
mod lines;
#[path = "../logged.rs"]
mod logged;
mod others;
mod threads;

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use fal::credentials::{Callback, Environment, Options};
use fal::{Client, Code, Dispatcher, Level, Op, Request, Response, Target, Upload, runtime};
use fal_emulator::{Emulator, Fault};

use alone::{PATIENCE, builder, turn};

fn start(client: &Client, endpoint: &str) -> Op {
    client.run_start(Request::run(endpoint).unwrap()).unwrap()
}

fn call(client: &Client) -> fal::Result<Response> {
    Op::finish(|| client.run_start(Request::run("emulator/echo").unwrap()))
}

#[track_caller]
fn within(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A gate at which the host's functions wait until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar, AtomicUsize)>);

impl Gate {
    /// Called in a function of the host: reports its arrival and waits.
    fn pass(&self) {
        self.0.2.fetch_add(1, Ordering::SeqCst);
        let open = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(open, |open| !*open).unwrap());
    }

    fn come(&self) -> usize {
        self.0.2.load(Ordering::SeqCst)
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// Waits at the gate when it is dropped.
struct Ends(Gate);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.pass();
    }
}

/// The kinds of functions that a host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Log,
    Question,
    Reader,
    Wake,
    Release,
}

const ALL: [Function; 5] = [
    Function::Log,
    Function::Question,
    Function::Reader,
    Function::Wake,
    Function::Release,
];

/// A reader that calls the function when it is read.
struct Reading<F>(F);

impl<F: Fn()> Read for Reading<F> {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        (self.0)();
        Ok(0)
    }
}

/// Bytes that call the function when they are dropped.
struct Lent<F: Fn()>(F);

impl<F: Fn()> AsRef<[u8]> for Lent<F> {
    fn as_ref(&self) -> &[u8] {
        b"lent"
    }
}

impl<F: Fn()> Drop for Lent<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Values that have to live while the function is called.
type Held = Box<dyn std::any::Any>;

impl Function {
    /// Makes libfal call `act` as such a function, and returns the operation that it belongs to.
    fn provoke(self, emulator: &Emulator, act: impl Fn() + Send + Sync + 'static) -> (Op, Held) {
        let plain = || builder(emulator).build().unwrap();
        match self {
            Function::Log => {
                let client = builder(emulator)
                    .log(Level::Debug, move |_, _, _| act())
                    .build()
                    .unwrap();
                (start(&client, "emulator/echo"), Box::new(client))
            }
            Function::Question => {
                let key = emulator.api_key().to_owned();
                let callback = Callback::new(move |answer| {
                    act();
                    answer.key(&key, None).unwrap();
                });
                let variables = [("FAL_EMULATOR_HOST", emulator.host())];
                let builder = logged::builder().environment(Environment::from_variables(variables));
                let client = builder
                    .credentials(Options::new().callback(callback))
                    .build()
                    .unwrap();
                (start(&client, "emulator/echo"), Box::new(client))
            }
            Function::Reader => (
                plain()
                    .upload_start(Upload::reader(Reading(act), None))
                    .unwrap(),
                Box::new(()),
            ),
            Function::Wake => {
                let dispatcher = Dispatcher::new();
                dispatcher.set_wake(Some(Arc::new(act))).unwrap();
                let op = start(&plain(), "emulator/slow");
                dispatcher.when_done(&op, |_| {}).unwrap();
                (op, Box::new(dispatcher))
            }
            // The operation holds the last handle.
            Function::Release => {
                let bytes = bytes::Bytes::from_owner(Lent(act));
                (
                    plain().upload_start(Upload::bytes(bytes)).unwrap(),
                    Box::new(()),
                )
            }
        }
    }
}
