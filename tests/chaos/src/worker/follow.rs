//! Follows an operation to its end, which must come exactly once.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use fal::{Code, Dispatcher, Event, EventKind, NextEvent, Op, Response, Result};
use serde_json::{Value, json};

use super::acts::{Begun, Hand, is_nonsense, is_stopped, shown, shown_answer};
use super::sabotage;
use crate::ledger;
use crate::plan::{Act, End, Way, What};

/// Enough time for every operation to end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

type Outcome = Result<Response>;

/// A running operation, and the channel that reports its end.
pub(crate) struct Followed<'p> {
    act: &'p Act,
    begun: Begun,
    /// The number of calls by the dispatcher.
    calls: Option<Arc<AtomicUsize>>,
    told: Option<mpsc::Receiver<Outcome>>,
    seen: Seen,
}

/// The events read so far.
#[derive(Default)]
struct Seen {
    events: u64,
    logs: Vec<String>,
}

/// A callback that must have been called exactly once at the end of the life.
pub(crate) struct Due {
    pub(crate) mark: String,
    pub(crate) calls: Arc<AtomicUsize>,
}

/// Starts an operation. Returns `None` if it has already ended and its end is recorded.
pub(crate) fn start<'p>(hand: &mut Hand, act: &'p Act) -> Option<Followed<'p>> {
    let begun = match patiently(|| hand.begin(act)) {
        Ok(Some(begun)) => begun,
        Ok(None) => {
            write(act, &json!({"end": "none"}));
            return None;
        }
        Err(error) => {
            ledger::said(&shown(&error));
            let (code, may) = (error.code().name(), error.may_have_executed());
            write(act, &json!({"end": "refused", "code": code, "may": may}));
            return None;
        }
    };
    let dropped = matches!(act.end, End::Drop | End::DropFuture(_));
    let (calls, told) = if dropped {
        (None, None)
    } else {
        callback(hand.dispatcher, act, &begun.op)
    };
    Some(Followed {
        act,
        begun,
        calls,
        told,
        seen: Seen::default(),
    })
}

/// Repeats a start that fails because another thread shuts the library down.
fn patiently<T>(mut begin: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 0..1000 {
        match begin() {
            Err(error) if error.code() == Code::ShutDown => {
                std::thread::sleep(Duration::from_millis(5))
            }
            begun => return begun,
        }
    }
    begin()
}

type Called = (Option<Arc<AtomicUsize>>, Option<mpsc::Receiver<Outcome>>);

fn callback(dispatcher: &Dispatcher, act: &Act, op: &Op) -> Called {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let (tell, told) = mpsc::channel();
    let takes = act.end == End::Callback;
    let accepted = dispatcher.when_done(op, move |op| {
        counted.fetch_add(1, Ordering::SeqCst);
        if takes {
            match op.take() {
                // The waiting thread may have given up, and has recorded that.
                Some(outcome) => drop(tell.send(outcome)),
                None => ledger::wrong("a callback came before the end"),
            }
        }
    });
    if let Err(error) = accepted {
        ledger::wrong(&format!(
            "{}: the dispatcher takes no callback: {error}",
            act.mark
        ));
    }
    (Some(calls), takes.then_some(told))
}

impl Followed<'_> {
    /// Follows the operation to its end, and records the end.
    pub(crate) fn finish(mut self, hand: &mut Hand) -> Option<Due> {
        match self.act.end {
            End::Drop => {
                write(self.act, &json!({"end": "lost"}));
                return None;
            }
            End::DropFuture(after) => {
                let future = self.begun.op.clone().outcome();
                let outcome = block_on(future, Duration::from_millis(after));
                self.record(hand, outcome);
                return None;
            }
            _ => {}
        }
        let due = self.calls.clone().map(|calls| Due {
            mark: self.act.mark.clone(),
            calls,
        });
        let op = self.begun.op.clone();
        let outcome = match self.act.end {
            End::Poll => self.polled(&op),
            End::Future => block_on(op.clone().outcome(), PATIENCE),
            End::Callback => self.called(hand.dispatcher, &op),
            End::Cancel(after) => {
                op.discard_events();
                if !op.wait(Some(Duration::from_millis(after))).unwrap() {
                    op.cancel();
                }
                self.waited(&op)
            }
            _ => self.waited(&op),
        };
        if outcome.is_none() {
            ledger::wrong(&format!(
                "{} {:?} {:?}: it does not end",
                self.act.mark, self.act.what, self.act.way
            ));
            op.cancel();
        } else if let Some(Err(error)) = op.take()
            && error.code() == Code::Taken
        {
            // A second take must return this error.
        } else {
            ledger::wrong(&format!(
                "{}: its outcome can be taken twice",
                self.act.mark
            ));
        }
        self.record(hand, outcome);
        due
    }

    fn reads(&self) -> bool {
        self.act.seed.is_multiple_of(2)
    }

    fn waited(&mut self, op: &Op) -> Option<Outcome> {
        if !self.reads() {
            op.discard_events();
        }
        let end = Instant::now() + PATIENCE;
        while self.reads() && Instant::now() < end {
            match op.wait_event(Some(Duration::from_secs(1))).unwrap() {
                NextEvent::Event(event) => self.seen.event(self.act, &event),
                NextEvent::Pending => self.close_idle(),
                NextEvent::End => break,
            }
        }
        op.wait(Some(end.saturating_duration_since(Instant::now())))
            .unwrap()
            .then(|| op.take())
            .flatten()
    }

    /// Polls in short intervals, as a host does once per frame.
    fn polled(&mut self, op: &Op) -> Option<Outcome> {
        if !self.reads() {
            op.discard_events();
        }
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            while self.reads()
                && let NextEvent::Event(event) = op.wait_event(Some(Duration::ZERO)).unwrap()
            {
                self.seen.event(self.act, &event);
            }
            if op.poll().unwrap() {
                return op.take();
            }
            std::thread::sleep(Duration::from_millis(3));
        }
        None
    }

    fn called(&mut self, dispatcher: &Dispatcher, op: &Op) -> Option<Outcome> {
        op.discard_events();
        let told = self.told.as_ref()?;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            dispatcher.run(3, Some(Duration::from_millis(5))).unwrap();
            if let Ok(outcome) = told.recv_timeout(Duration::from_millis(3)) {
                return Some(outcome);
            }
        }
        None
    }

    /// Closes a session that the host has left open.
    fn close_idle(&mut self) {
        if self.act.what == What::WebSocket || self.act.what == What::Realtime {
            self.begun.held = None;
        }
    }

    fn record(self, hand: &mut Hand, outcome: Option<Outcome>) {
        let Followed {
            act, begun, seen, ..
        } = self;
        let sha = begun.content.as_ref().map(|content| sha256(content));
        // A retried attempt of a failing app logs the same lines again, perhaps in the same
        // millisecond.
        if !begun.fails {
            seen.check(act);
        }
        let entry = match outcome {
            None => json!({"end": "lost"}),
            Some(Ok(answer)) => {
                if !begun.secret {
                    ledger::said(&shown_answer(&answer));
                }
                // A fault may make any response malformed, an error response too.
                let nonsense = is_nonsense(answer.body());
                if begun.fails && !nonsense {
                    ledger::wrong(&format!(
                        "{} {:?}: it succeeded, which it cannot",
                        act.mark, act.what
                    ));
                }
                let url = answer.get_str("/url").ok().map(str::to_owned);
                // A server proxy may receive a response in several gzip members, or one cut without
                // a sign, and forwards it as complete.
                let is_file = matches!(act.what, What::Download | What::DownloadOfAnswer);
                let garbled = act.way == Way::Proxy && (is_file || answer.json().is_err());
                if let Err(why) = hand.learn(act, begun, &answer)
                    && !garbled
                {
                    ledger::wrong(&format!("{} {:?} {:?}: {why}", act.mark, act.what, act.way));
                }
                json!({"end": "ok", "url": url, "nonsense": nonsense})
            }
            Some(Err(error)) => {
                ledger::said(&shown(&error));
                if matches!(error.code(), Code::Panic | Code::Taken | Code::Forked) {
                    ledger::wrong(&format!(
                        "{} {:?} {:?}: {error}",
                        act.mark, act.what, act.way
                    ));
                }
                let (code, may) = (error.code().name(), error.may_have_executed());
                let (status, stopped) = (error.http_status(), is_stopped(error.code()));
                json!({"end": "error", "code": code, "may": may, "status": status, "stopped": stopped,
                    "message": error.message()})
            }
        };
        let mut entry = entry;
        entry["sha"] = json!(sha);
        write(act, &entry);
    }
}

impl Seen {
    fn event(&mut self, act: &Act, event: &Event) {
        self.events += 1;
        ledger::said(&format!("{event:?} {}", shown_answer(event.content())));
        if act.what == What::Subscribe
            && event.kind() == EventKind::Log
            && let Ok(line) = event.content().text()
        {
            self.logs.push(line.to_owned());
        }
    }

    /// Checks that each line of the log came only once.
    fn check(&self, act: &Act) {
        for (at, line) in self.logs.iter().enumerate() {
            if self.logs[..at].contains(line) {
                ledger::wrong(&format!(
                    "{}: the line {line:?} of its log came twice",
                    act.mark
                ));
            }
        }
    }
}

fn write(act: &Act, entry: &Value) {
    let mut entry = entry.clone();
    entry["what"] = json!(format!("{:?}", act.what));
    entry["way"] = json!(format!("{:?}", act.way));
    let kept = sabotage::entry(&mut entry);
    entry["mark"] = json!(act.mark);
    entry["what"] = json!(format!("{:?}", act.what));
    entry["way"] = json!(format!("{:?}", act.way));
    if kept {
        ledger::ended(&entry);
    }
}

pub(crate) fn sha256(content: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, content);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future. At the limit drops the future and returns `None`.
fn block_on<T>(future: impl Future<Output = T>, limit: Duration) -> Option<T> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    let end = Instant::now() + limit;
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(done);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        std::thread::park_timeout(left);
    }
}
