//! How long other calls are delayed while an operation reads a response that is expensive to
//! process, and how soon the operation ends when it is cancelled or its deadline passes.
//!
//! The runtime has one worker thread here, in a process of the test's own, so one blocked thread
//! delays every call. With more threads it would take as many such responses at the same time. Two
//! of them are read at once all the same, because they share the helper threads.
//!
//! The machine may be busy, so no time is taken as measured. A thread of the test makes the other
//! call's requests to the same server without the library, and its delay is subtracted. The best of
//! several tries counts, because a blocked thread delays each of them.
//!
//! With FAL_TEST_LATE_ROW only the rows are measured whose name contains its value.

mod rows;
mod server;

use self::rows::{ROWS, Row};
use self::server::Answers;
use super::hostile::{client_of, hostile_to};
use super::*;
use std::fmt::Write as _;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// Other calls are delayed by less than this, and an operation that is cancelled ends within it.
const LATE: Duration = Duration::from_millis(100);
/// The number of tries for each measurement.
const TRIES: usize = 8;
/// How long other calls are observed.
const WATCHED: Duration = Duration::from_millis(600);
/// An operation is cancelled, or its deadline passes, at so many points of the time that it takes
/// to read the response.
const POINTS: u32 = 7;
/// The time that is taken for an operation that does not end by itself.
const LONGEST: Duration = Duration::from_millis(160);
/// How often the points are chosen anew if the operation had ended before each of them.
const ROUNDS: usize = 20;

/// Tells the test that it runs alone in its process.
const ALONE: &str = "FAL_TEST_LATE";

/// Selects rows to measure, by a part of their name.
const ROW: &str = "FAL_TEST_LATE_ROW";

/// The page with the table.
const PAGE: &str = include_str!("../../../docs/guarantees.md");
const HEAD: &str =
    "| Operation | what is sent | others are late by | a cancellation takes | a deadline takes |\n";
const RULE: &str = "|---|---|---|---|---|\n";

/// Measures the delay of a thread without the library, which repeats the other call's request to
/// the same server.
struct Control {
    latest: AtomicU64,
    over: AtomicBool,
}

impl Control {
    fn ask(&self, host: &str) {
        while !self.over.load(Ordering::Relaxed) {
            let asked = Instant::now();
            let mut connection = TcpStream::connect(host).unwrap();
            connection
                .write_all(b"POST /emulator/other HTTP/1.1\r\nhost: fal.run\r\n\r\n")
                .unwrap();
            connection.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = std::io::copy(&mut connection, &mut std::io::sink());
            self.latest
                .fetch_max(asked.elapsed().as_micros() as u64, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn begin(&self) {
        self.latest.store(0, Ordering::Relaxed);
    }

    /// Returns `time` without the delay that the machine caused.
    fn corrected(&self, time: Duration) -> Duration {
        time.saturating_sub(Duration::from_micros(self.latest.load(Ordering::Relaxed)))
    }
}

/// Stops the thread when it is dropped.
struct Over<'a>(&'a Control);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

/// Stands for a missing time.
const NONE: &str = "–";

struct Bench {
    host: String,
    control: Control,
    /// The number of expensive responses that were started.
    begun: Arc<AtomicU64>,
}

impl Bench {
    fn client(&self, timeout: Duration) -> Client {
        client_of(&self.host).timeout(timeout).build().unwrap()
    }

    /// Returns the longest time of a run of another app while two of these operations are under
    /// way, one started after the other.
    fn lateness(&self, row: &Row) -> Duration {
        let client = self.client(PATIENCE);
        let start = || {
            let started = (row.start)(&client, PATIENCE);
            started.op.discard_events();
            started
        };
        let mut two = [start(), start()];
        let (mut latest, begun) = (Duration::ZERO, Instant::now());
        while begun.elapsed() < WATCHED {
            self.control.begin();
            let asked = Instant::now();
            run(&client, "emulator/other", json!({})).unwrap();
            latest = latest.max(self.control.corrected(asked.elapsed()));
            for one in two.iter_mut().filter(|one| one.op.ended() == Some(true)) {
                *one = start();
            }
        }
        two.iter().for_each(|one| one.op.cancel());
        latest
    }

    /// Returns how long an operation takes to end that is cancelled after `pause`, or `None` if it
    /// had ended by then or no response had started.
    fn cancelled(&self, row: &Row, pause: Duration) -> Option<Duration> {
        self.ended(row, PATIENCE, pause, true)
    }

    /// The same for an operation whose deadline passes.
    fn overdue(&self, row: &Row, time: Duration) -> Option<Duration> {
        self.ended(row, time, time, false)
    }

    fn ended(&self, row: &Row, time: Duration, pause: Duration, is_told: bool) -> Option<Duration> {
        let (client, before) = (self.client(time), self.begun.load(Ordering::Relaxed));
        let due = Instant::now() + pause;
        let started = (row.start)(&client, time);
        started.op.discard_events();
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let counts =
            self.begun.load(Ordering::Relaxed) > before && started.op.ended() == Some(false);
        self.control.begin();
        if is_told {
            started.op.cancel();
        }
        started.op.wait(Some(10 * LATE)).unwrap();
        let took = self.control.corrected(due.elapsed());
        started.op.cancel();
        counts.then_some(took)
    }

    /// Returns the longest time over the points, or `None` if none of them could be measured.
    fn slowest(
        &self,
        row: &Row,
        measure: impl Fn(Duration) -> Option<Duration>,
    ) -> Option<Duration> {
        let round = |_| {
            let measured = self.points(row).filter_map(|pause| best(|| measure(pause)));
            measured.max()
        };
        (0..ROUNDS).find_map(round)
    }

    /// Returns points between the start of the response and the end of the operation, measured
    /// from the start of the operation on this machine at this time.
    fn points(&self, row: &Row) -> impl Iterator<Item = Duration> {
        let (client, before) = (self.client(PATIENCE), self.begun.load(Ordering::Relaxed));
        let start = Instant::now();
        let started = (row.start)(&client, PATIENCE);
        started.op.discard_events();
        let has_ended = || started.op.ended() == Some(true);
        let wait_until = |is_reached: &dyn Fn() -> bool| {
            while !is_reached() && !has_ended() {
                std::thread::sleep(Duration::from_micros(200));
            }
            start.elapsed()
        };
        let begun = wait_until(&|| self.begun.load(Ordering::Relaxed) > before);
        let ended = wait_until(&|| start.elapsed() >= begun + LONGEST);
        started.op.cancel();
        (1..=POINTS).map(move |point| begun + (ended - begun) * point / (POINTS + 1))
    }
}

/// Returns the shortest of several times, or `None` if it cannot be measured.
fn best(measure: impl Fn() -> Option<Duration>) -> Option<Duration> {
    let mut best = measure()?;
    for _ in 1..TRIES {
        if best < LATE {
            break;
        }
        best = best.min(measure().unwrap_or(best));
    }
    Some(best)
}

/// Returns whether this is the test's own process. If not, it runs the test in one.
#[allow(clippy::print_stdout)]
fn alone() -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut own = std::process::Command::new(std::env::current_exe().unwrap());
    let test = "late::nobody_is_late_while_a_hostile_answer_is_read";
    let output = own
        .args([test, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

#[test]
fn nobody_is_late_while_a_hostile_answer_is_read() {
    if !alone() {
        return;
    }
    fal::runtime::Config::default()
        .worker_threads(1)
        .unwrap()
        .install()
        .unwrap();
    let begun = Arc::new(AtomicU64::new(0));
    let answers = Answers::new(begun.clone());
    let host = hostile_to(move |head, connection| answers.give(head, connection));
    let bench = Bench {
        host,
        control: Control {
            latest: AtomicU64::new(0),
            over: AtomicBool::new(false),
        },
        begun,
    };
    let only = std::env::var(ROW).unwrap_or_default();
    std::thread::scope(|scope| {
        scope.spawn(|| bench.control.ask(&bench.host));
        let _over = Over(&bench.control);
        let (mut table, mut late) = (format!("{HEAD}{RULE}"), vec![]);
        for row in ROWS.iter().filter(|row| row.name().contains(&only)) {
            let overdue = || bench.slowest(row, |pause| bench.overdue(row, pause));
            let times = [
                best(|| Some(bench.lateness(row))),
                bench.slowest(row, |pause| bench.cancelled(row, pause)),
                if row.has_deadline { overdue() } else { None },
            ];
            let measured = if row.has_deadline { 3 } else { 2 };
            let is_late = |time: &Option<Duration>| time.is_none_or(|time| time >= LATE);
            if times[..measured].iter().any(is_late) {
                late.push(row.name());
            }
            let told = times
                .map(|time| time.map_or(NONE.into(), |time| format!("{} ms", time.as_millis())));
            let _ = writeln!(table, "{} {} |", row.name(), told.join(" | "));
        }
        println!("{table}");
        assert!(late.is_empty(), "{late:#?} of\n{table}");
    });
}

/// The times on the page are those of one run. The page only claims that they are short.
#[test]
fn the_page_has_these_rows() {
    let (_, table) = PAGE
        .split_once(&format!("{HEAD}{RULE}"))
        .expect("the page has the table");
    let lines: Vec<_> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert_eq!(lines.len(), ROWS.len());
    for (line, row) in lines.into_iter().zip(&ROWS) {
        let times = line.strip_prefix(&row.name());
        let times = times.unwrap_or_else(|| panic!("{line} in the place of {}", row.name()));
        let times: Vec<_> = times
            .trim_end_matches('|')
            .split('|')
            .map(str::trim)
            .collect();
        let short = |time: &&str| {
            let time = time.strip_suffix(" ms").and_then(|time| time.parse().ok());
            time.is_some_and(|time| Duration::from_millis(time) < LATE)
        };
        let deadline = if row.has_deadline {
            short(&times[2])
        } else {
            times[2] == NONE
        };
        assert!(
            times.len() == 3 && times[..2].iter().all(short) && deadline,
            "{line}"
        );
    }
}
