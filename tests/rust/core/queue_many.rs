//! Ten thousand concurrent jobs in one process, against an emulator in another.

use super::queue::job_of;
use super::*;
use fal_emulator::QueueSettings;
use std::io::{BufRead as _, BufReader, Lines, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Instant;

const JOBS: usize = 10_000;
/// One worker, and two threads that resolve names and read files.
const THREADS: usize = 3;
/// 128 requests under way, as many connections that are being made while another became idle, 64
/// streams, and 64 idle connections.
const SOCKETS: usize = 2 * 128 + 64 + 64;
const LONGEST: Duration = Duration::from_secs(300);

/// An emulator in a process of its own, so that the memory, threads and sockets of this process are
/// the client's.
struct Elsewhere {
    child: Child,
    /// Kept open, because the other process prints the result of its test.
    _output: Lines<BufReader<ChildStdout>>,
    host: String,
    key: String,
}

impl Elsewhere {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "queue_many::serves_another_process",
                "--ignored",
                "--nocapture",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let lines = output.by_ref().map(Result::unwrap);
        let told: Vec<String> = lines
            .filter_map(|line| Some(line.split_once("emulator: ")?.1.to_owned()))
            .take(2)
            .collect();
        let [host, key] = told.try_into().unwrap();
        Elsewhere {
            child,
            _output: output,
            host,
            key,
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "the other process of the test below"]
#[allow(clippy::print_stdout)]
fn serves_another_process() {
    let emulator = super::queue::queue(QueueSettings {
        concurrent_requests: None,
        ..QueueSettings::default()
    });
    println!("emulator: {}", emulator.host());
    println!("emulator: {}", emulator.api_key());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// A figure of this process in KiB.
fn memory(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("fal-")).count()
}

fn sockets() -> usize {
    let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    files
        .filter(|file| {
            std::fs::read_link(file.path())
                .is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
        })
        .count()
}

#[test]
#[allow(clippy::print_stderr)]
fn ten_thousand_jobs_at_once() {
    let emulator = Elsewhere::start();
    let variables = [
        ("FAL_KEY", emulator.key.as_str()),
        ("FAL_EMULATOR_HOST", emulator.host.as_str()),
    ];
    let client = Client::builder()
        .environment(Environment::from_variables(variables))
        .build()
        .unwrap();
    Op::finish(|| client.subscribe_start(job_of(json!({})))).unwrap();
    let (before, began) = (memory("VmRSS"), Instant::now());
    let (mut most_threads, mut most_sockets) = (0, 0);
    let mut look = || {
        most_threads = most_threads.max(threads());
        most_sockets = most_sockets.max(sockets());
    };
    let ops: Vec<Op> = (0..JOBS)
        .map(|n| {
            let op = client
                .subscribe_start(job_of(json!({"ms": 500, "output": {"n": n}})))
                .unwrap();
            op.discard_events();
            op
        })
        .collect();
    for (n, op) in ops.iter().enumerate() {
        while !op.wait(Some(Duration::from_millis(20))).unwrap() {
            look();
            assert!(began.elapsed() < LONGEST, "job {n} has not ended");
        }
        let output = op
            .take()
            .unwrap()
            .unwrap_or_else(|error| panic!("job {n}: {error}"));
        assert_eq!(output.get("/n").unwrap(), n);
    }
    look();
    let each = (memory("VmHWM") - before) as f64 / JOBS as f64;
    eprintln!(
        "{JOBS} jobs in {:.1} s: at most {most_threads} threads of libfal, {most_sockets} sockets, {each:.1} KiB a job",
        began.elapsed().as_secs_f64()
    );
    assert!(
        (1..=THREADS).contains(&most_threads),
        "{most_threads} threads"
    );
    assert!(most_sockets <= SOCKETS, "{most_sockets} sockets");
    assert!(each < 64.0, "{each:.1} KiB a job");
}
