//! Log lines for the host's log function. Off by default; no global logger is used.
//!
//! The thread that logs formats the line, removes secrets, and adds the line to a bounded queue.
//! Another thread calls the host's function, which may block. When the queue is full, further lines
//! are dropped, and one line with their number takes their place.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::runtime;
use crate::runtime::host_functions::{HostOwned, HostThreads, Kind};
use crate::runtime::per_runtime::{OfInstance, PerRuntime};
use crate::secrets::Secrets;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
#[non_exhaustive]
pub enum Level {
    /// A failure that the caller also receives as an error.
    Error = 1,
    /// A failure that libfal handled, for example by a retry.
    Warn = 2,
    /// The source of the key.
    Info = 3,
    /// Each request and response, without bodies.
    Debug = 4,
}

/// The part of libfal that writes a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// The search for a key and its use.
    Credentials,
    /// Requests, responses and retries.
    Transport,
    /// Jobs of the queue.
    Queue,
    /// Uploads in parts.
    Storage,
    /// The log itself: how many lines were dropped.
    Log,
}

impl Target {
    /// The name, which does not change between versions.
    pub fn as_str(self) -> &'static str {
        self.name().to_str().unwrap_or_default()
    }

    pub(crate) fn name(self) -> &'static CStr {
        match self {
            Target::Credentials => c"credentials",
            Target::Transport => c"transport",
            Target::Queue => c"queue",
            Target::Storage => c"storage",
            Target::Log => c"log",
        }
    }
}

/// The most lines in the queue of one function.
const MOST: usize = 1024;
/// The most bytes in the queue. A line that is alone in it may be longer.
const MOST_BYTES: usize = 256 << 10;
/// After this many lines the thread serves other functions of the host.
const TURN: usize = 64;

type Sink = Box<dyn Fn(Level, Target, &str) + Send + Sync>;
type Line = (Level, Target, String);

#[derive(Clone, Default)]
pub(crate) struct Log {
    outlet: Option<Arc<Outlet>>,
}

/// The host's function. It receives the lines up to level `most`, in order and one at a time.
struct Outlet {
    most: Level,
    sink: HostOwned<Sink>,
    queue: PerRuntime<Queue>,
}

/// The queue of one function in one lifetime of the runtime.
struct Queue {
    host: Weak<HostThreads>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Line>,
    bytes: usize,
    /// How many lines were dropped since the last line was added.
    dropped: u64,
    /// Whether a thread delivers the lines, or is scheduled to.
    served: bool,
}

impl Log {
    pub(crate) fn new(
        most: Level,
        sink: impl Fn(Level, Target, &str) + Send + Sync + 'static,
    ) -> Self {
        let outlet = Outlet {
            most,
            sink: HostOwned::new(Box::new(sink)),
            queue: PerRuntime::default(),
        };
        Log {
            outlet: Some(Arc::new(outlet)),
        }
    }

    /// Writes a line after removing `secrets` from it. Never blocks.
    pub(crate) fn write(
        &self,
        level: Level,
        target: Target,
        secrets: &Secrets,
        line: fmt::Arguments<'_>,
    ) {
        if let Some(outlet) = &self.outlet
            && level <= outlet.most
        {
            let mut line = line.to_string();
            secrets.hide(&mut line);
            outlet.add((level, target, line));
        }
    }
}

impl Outlet {
    fn add(self: &Arc<Self>, line: Line) {
        let make = || {
            Ok(Queue {
                host: Arc::downgrade(runtime::current_or_closing()?.host()),
                waiting: Mutex::default(),
            })
        };
        // There is no runtime: it was shut down, and so was the operation that logs.
        let Ok(queue) = self.queue.get(make) else {
            return;
        };
        if queue.lock().add(self.most, line) {
            self.serve(queue);
        }
    }

    /// Schedules the delivery of the lines on a thread of the host's functions.
    fn serve(self: &Arc<Self>, queue: Arc<OfInstance<Queue>>) {
        let (outlet, host) = (self.clone(), queue.host.upgrade());
        let again = queue.clone();
        let posted = host.map(|host| host.post(Kind::Log, move || outlet.deliver(queue)));
        if !matches!(posted, Some(Ok(()))) {
            again.lock().give_up();
        }
    }

    fn deliver(self: Arc<Self>, queue: Arc<OfInstance<Queue>>) {
        for _ in 0..TURN {
            if queue.host.upgrade().is_none_or(|host| host.has_given_up()) {
                return queue.lock().give_up();
            }
            let Some((level, target, line)) = queue.lock().next(self.most) else {
                return;
            };
            if let Some(sink) = self.sink.get() {
                // A panic is caught, and the function is called again for the next line.
                let _ = catch_unwind(AssertUnwindSafe(|| sink(level, target, &line)));
            }
        }
        self.serve(queue);
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Adds a line if there is room. Returns whether a delivery must be scheduled.
    fn add(&mut self, most: Level, line: Line) -> bool {
        let room = self.lines.len() < MOST && self.bytes + line.2.len() <= MOST_BYTES;
        if !room && !self.lines.is_empty() {
            self.dropped += 1;
            return false;
        }
        let gap = self.gap(most);
        for line in gap.into_iter().chain([line]) {
            self.bytes += line.2.len();
            self.lines.push_back(line);
        }
        !std::mem::replace(&mut self.served, true)
    }

    /// Removes and returns the next line. After `None` the thread must stop delivering.
    fn next(&mut self, most: Level) -> Option<Line> {
        match self.lines.pop_front() {
            Some(line) => {
                self.bytes -= line.2.len();
                Some(line)
            }
            None => {
                let gap = self.gap(most);
                self.served = gap.is_some();
                gap
            }
        }
    }

    /// Returns the line that reports dropped lines, at a level that the host receives.
    fn gap(&mut self, most: Level) -> Option<Line> {
        let told = match std::mem::take(&mut self.dropped) {
            0 => return None,
            1 => "1 line was dropped".to_owned(),
            many => format!("{many} lines were dropped"),
        };
        Some((
            Level::Warn.min(most),
            Target::Log,
            format!("{told}: the log function did not keep up"),
        ))
    }

    fn give_up(&mut self) {
        *self = Waiting::default();
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log")
            .field(&self.outlet.as_ref().map(|outlet| outlet.most))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(waiting: &mut Waiting) -> Vec<String> {
        std::iter::from_fn(|| waiting.next(Level::Debug))
            .map(|(_, _, line)| line)
            .collect()
    }

    #[test]
    fn what_does_not_fit_is_counted_and_told_once_in_its_place() {
        let mut waiting = Waiting::default();
        let add = |waiting: &mut Waiting, n: usize| {
            waiting.add(Level::Debug, (Level::Debug, Target::Queue, n.to_string()))
        };
        assert!(add(&mut waiting, 0), "a thread is needed");
        (1..MOST + 3).for_each(|n| assert!(!add(&mut waiting, n)));
        assert_eq!(waiting.next(Level::Debug).unwrap().2, "0");
        add(&mut waiting, 7777);
        let lines = taken(&mut waiting);
        assert_eq!(lines.len(), MOST - 1 + 2);
        assert_eq!(lines[MOST - 2], (MOST - 1).to_string());
        assert_eq!(
            lines[MOST - 1..],
            [
                "3 lines were dropped: the log function did not keep up",
                "7777"
            ]
        );
        assert!(waiting.bytes == 0 && !waiting.served);
        (0..=MOST).for_each(|n| assert_eq!(add(&mut waiting, n), n == 0));
        assert_eq!(
            taken(&mut waiting).pop().unwrap(),
            "1 line was dropped: the log function did not keep up"
        );
    }

    #[test]
    fn bytes_count_too_but_one_line_may_be_long() {
        let mut waiting = Waiting::default();
        let long = "x".repeat(MOST_BYTES + 1);
        let line = |text| (Level::Error, Target::Queue, text);
        assert!(waiting.add(Level::Error, line(long.clone())));
        waiting.add(Level::Error, line(String::new()));
        assert_eq!(waiting.next(Level::Error), Some(line(long)));
        let (level, target, told) = waiting.next(Level::Error).unwrap();
        assert_eq!(
            (level, target, told.contains("1 line was dropped")),
            (Level::Error, Target::Log, true),
            "delivered at any level"
        );
    }
}
