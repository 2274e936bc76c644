//! The host's own log, off by default. No global logger is touched.
//!
//! A line is made and cleaned of secrets where it arises, and waits for a thread on which the
//! host's function may take its time. So many wait for each function; what comes then is dropped
//! and counted, and the count is told in its place.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::runtime;
use crate::runtime::host_functions::{HostOwned, HostThreads, Kind};
use crate::runtime::per_runtime::{OfInstance, PerRuntime};
use crate::secrets::Secrets;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
#[non_exhaustive]
pub enum Level {
    /// Something failed and the caller will see the error.
    Error = 1,
    /// Something went wrong and was mended, such as by a retry.
    Warn = 2,
    /// Where the key came from.
    Info = 3,
    /// Each request and answer, without bodies.
    Debug = 4,
}

/// The most lines that wait for one function …
const MOST: usize = 1024;
/// … and the most bytes in them; one line may be longer.
const MOST_BYTES: usize = 256 << 10;
/// After so many lines in a row others have their turn.
const TURN: usize = 64;

type Sink = Box<dyn Fn(Level, &str) + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) struct Log {
    outlet: Option<Arc<Outlet>>,
}

/// The host's function, which receives lines of at most the chosen level, in order and one at a
/// time.
struct Outlet {
    most: Level,
    sink: HostOwned<Sink>,
    queue: PerRuntime<Queue>,
}

/// The lines that wait for a function, in one life of the runtime.
struct Queue {
    host: Arc<HostThreads>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<(Level, String)>,
    bytes: usize,
    /// Since the last line that waits.
    dropped: u64,
    /// A thread gives the lines to the function, or is about to.
    served: bool,
}

impl Log {
    pub(crate) fn new(most: Level, sink: impl Fn(Level, &str) + Send + Sync + 'static) -> Self {
        let outlet = Outlet {
            most,
            sink: HostOwned::new(Box::new(sink)),
            queue: PerRuntime::default(),
        };
        Log {
            outlet: Some(Arc::new(outlet)),
        }
    }

    /// Writes a line, without the secrets of the operation that it is about. It waits for nobody.
    pub(crate) fn write(&self, level: Level, secrets: &Secrets, line: fmt::Arguments<'_>) {
        if let Some(outlet) = &self.outlet
            && level <= outlet.most
        {
            let mut line = line.to_string();
            secrets.hide(&mut line);
            outlet.add(level, line);
        }
    }
}

impl Outlet {
    fn add(self: &Arc<Self>, level: Level, line: String) {
        let make = || {
            Ok(Queue {
                host: runtime::current_or_closing()?.host().clone(),
                waiting: Mutex::default(),
            })
        };
        // Without a runtime nothing happens that a line could be about.
        let Ok(queue) = self.queue.get(make) else {
            return;
        };
        if queue.lock().add(self.most, level, line) {
            self.serve(queue);
        }
    }

    /// Has a thread give the lines to the function.
    fn serve(self: &Arc<Self>, queue: Arc<OfInstance<Queue>>) {
        let (outlet, host) = (self.clone(), queue.host.clone());
        let again = queue.clone();
        if host.post(Kind::Log, move || outlet.deliver(queue)).is_err() {
            again.lock().give_up();
        }
    }

    fn deliver(self: Arc<Self>, queue: Arc<OfInstance<Queue>>) {
        for _ in 0..TURN {
            if queue.host.has_given_up() {
                return queue.lock().give_up();
            }
            let Some((level, line)) = queue.lock().next(self.most) else {
                return;
            };
            if let Some(sink) = self.sink.get() {
                // The function is called again: this line may have been the only one that it does
                // not like.
                let _ = catch_unwind(AssertUnwindSafe(|| sink(level, &line)));
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
    /// Adds a line if there is room, and says whether a thread is needed for it.
    fn add(&mut self, most: Level, level: Level, line: String) -> bool {
        let room = self.lines.len() < MOST && self.bytes + line.len() <= MOST_BYTES;
        if !room && !self.lines.is_empty() {
            self.dropped += 1;
            return false;
        }
        let gap = self.gap(most);
        for (level, line) in gap.into_iter().chain([(level, line)]) {
            self.bytes += line.len();
            self.lines.push_back((level, line));
        }
        !std::mem::replace(&mut self.served, true)
    }

    /// The next line; `None` ends the turn of the thread.
    fn next(&mut self, most: Level) -> Option<(Level, String)> {
        match self.lines.pop_front() {
            Some((level, line)) => {
                self.bytes -= line.len();
                Some((level, line))
            }
            None => {
                let gap = self.gap(most);
                self.served = gap.is_some();
                gap
            }
        }
    }

    /// What is told in the place of lines that were dropped, at a level that the host hears.
    fn gap(&mut self, most: Level) -> Option<(Level, String)> {
        let told = match std::mem::take(&mut self.dropped) {
            0 => return None,
            1 => "1 line was dropped".to_owned(),
            many => format!("{many} lines were dropped"),
        };
        Some((
            Level::Warn.min(most),
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
            .map(|(_, line)| line)
            .collect()
    }

    #[test]
    fn what_does_not_fit_is_counted_and_told_once_in_its_place() {
        let mut waiting = Waiting::default();
        let add = |waiting: &mut Waiting, n: usize| {
            waiting.add(Level::Debug, Level::Debug, n.to_string())
        };
        assert!(add(&mut waiting, 0), "a thread is needed");
        (1..MOST + 3).for_each(|n| assert!(!add(&mut waiting, n)));
        assert_eq!(waiting.next(Level::Debug).unwrap().1, "0");
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
        assert!(waiting.add(Level::Error, Level::Error, long.clone()));
        waiting.add(Level::Error, Level::Error, String::new());
        assert_eq!(waiting.next(Level::Error), Some((Level::Error, long)));
        let (level, told) = waiting.next(Level::Error).unwrap();
        assert_eq!(
            (level, told.contains("1 line was dropped")),
            (Level::Error, true),
            "it is heard at any level"
        );
    }
}
