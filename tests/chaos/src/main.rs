//! Runs every operation of libfal, from several threads and processes at once, under faults of the
//! service and of the network, with shutdowns and forks in between. Then it audits the records: see
//! README.md.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]
#![cfg(target_os = "linux")]

mod audit;
mod between;
mod dice;
mod faults;
mod ledger;
mod plan;
mod round;
mod secrets;
mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Instant, SystemTime};

use crate::plan::{Round, Size};
use crate::secrets::Secrets;

const USAGE: &str =
    "fal-chaos [--requests N] [--seed S] [--at-once N] [--round R] [--keep] [--sabotage WHAT|all]

  --requests  the smallest number of operations; default 1000
  --seed      the seed of all decisions; default: a random one
  --at-once   the number of rounds at once; default 4
  --round     play only this round, as the report of a failure names it
  --keep      keep the files of a round that failed
  --sabotage  make a process misbehave, which the audit must detect";

#[derive(Default)]
struct Options {
    requests: u64,
    seed: u64,
    round: Option<u64>,
    at_once: u64,
    keep: bool,
    sabotage: Option<String>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, worker, folder] = words.as_slice()
        && first == "--worker"
    {
        worker::main(&PathBuf::from(folder), worker);
        return ExitCode::SUCCESS;
    }
    let Some(options) = options(&words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    prove();
    let well = match options.sabotage.as_deref() {
        None => run(&options),
        Some("all") => {
            // Also checks that the same round without sabotage is faultless.
            let all = worker::sabotage::ALL
                .into_iter()
                .map(|what| (what, true))
                .chain([("nothing", false)]);
            std::thread::scope(|scope| {
                let look = |(what, expected)| {
                    scope.spawn({
                        let options = &options;
                        move || is_seen(options, what) == expected
                    })
                };
                let looks: Vec<_> = all.map(look).collect();
                looks.into_iter().all(|look| look.join().unwrap())
            })
        }
        Some(what) => is_seen(&options, what),
    };
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn options(words: &[String]) -> Option<Options> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let mut options = Options {
        requests: 1000,
        seed: now.as_millis() as u64,
        at_once: 4,
        ..Options::default()
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--requests" => options.requests = words.next()?.parse().ok()?,
            "--seed" => options.seed = words.next()?.parse().ok()?,
            "--round" => options.round = Some(words.next()?.parse().ok()?),
            "--at-once" => options.at_once = words.next()?.parse().ok()?,
            "--keep" => options.keep = true,
            "--sabotage" => options.sabotage = Some(words.next()?.clone()),
            _ => return None,
        }
    }
    Some(options)
}

/// Checks that the search for secrets finds each planted one.
fn prove() {
    let secrets = Secrets::new(&[("a key", "5d0c7b1e9a")]);
    for (line, what) in secrets.planted() {
        assert!(
            secrets.in_text(&line).is_some(),
            "the search does not see {what}"
        );
    }
    let token = "INFO eyJhbGciOiJub25lIn0.eyJhcHBzIjpbXX0.x";
    assert!(
        secrets.in_text(token).is_some()
            && secrets
                .in_text("POST https://fal.run/emulator/echo")
                .is_none()
    );
}

/// The sums of all rounds.
#[derive(Default)]
struct Sum {
    operations: u64,
    requests: u64,
    executions: u64,
    lines: u64,
    connections: u64,
    ends: BTreeMap<String, u64>,
    struck: BTreeMap<String, u64>,
    failed: Vec<u64>,
}

impl Sum {
    fn add(&mut self, round: &Round, came: &round::Came) {
        self.requests += came.findings.requests;
        self.executions += came.findings.executions;
        self.lines += came.findings.lines;
        self.connections += came.connections;
        came.findings
            .ends
            .iter()
            .for_each(|(end, times)| *self.ends.entry(end.clone()).or_default() += times);
        came.findings
            .struck
            .iter()
            .for_each(|(kind, times)| *self.struck.entry(kind.clone()).or_default() += times);
        for what in &came.findings.wrong {
            println!("chaos: seed {} round {}: {what}", round.seed, round.number);
        }
        if !came.findings.wrong.is_empty() {
            self.failed.push(round.number);
        }
    }
}

/// Plays rounds until there were enough operations. Returns whether no round had a fault.
fn run(options: &Options) -> bool {
    println!("chaos: seed {}", options.seed);
    let began = Instant::now();
    let next = Mutex::new(options.round.unwrap_or(0));
    let sum = Mutex::new(Sum::default());
    std::thread::scope(|scope| {
        let one_after_another = || {
            loop {
                let mut number = next.lock().unwrap();
                let round = Round::of(options.seed, *number, Size::Whole);
                let mut sofar = sum.lock().unwrap();
                let is_more = sofar.operations < options.requests;
                if !is_more || options.round.is_some_and(|only| *number > only) {
                    return;
                }
                sofar.operations += round.acts().count() as u64;
                *number += 1;
                drop((number, sofar));
                let came = play(&round, None, options.keep);
                sum.lock().unwrap().add(&round, &came);
            }
        };
        (0..options.at_once).for_each(|_| drop(scope.spawn(one_after_another)));
    });
    let Sum {
        operations,
        requests,
        executions,
        lines,
        connections,
        ends,
        struck,
        failed,
    } = sum.into_inner().unwrap();
    let seconds = began.elapsed().as_secs();
    println!(
        "chaos: {operations} operations, {requests} requests over {connections} connections, {executions} done, \
         {lines} lines searched, in {seconds} s"
    );
    println!("chaos: {ends:?}");
    println!("chaos: faults that struck: {struck:?}");
    for round in &failed {
        println!(
            "chaos: failed; to repeat: fal-chaos --seed {} --round {round} --keep",
            options.seed
        );
    }
    failed.is_empty()
}

fn play(round: &Round, sabotage: Option<&str>, keep: bool) -> round::Came {
    let folder = tempfile::Builder::new()
        .prefix("fal-chaos-")
        .tempdir()
        .unwrap();
    let came = round::play(round, folder.path(), sabotage).unwrap();
    if keep && !came.findings.wrong.is_empty() {
        println!(
            "chaos: the files of round {}: {}",
            round.number,
            folder.keep().display()
        );
    }
    came
}

/// Whether the audit of a round with this sabotage finds a fault.
fn is_seen(options: &Options, what: &str) -> bool {
    let round = Round::of(options.seed, options.round.unwrap_or(0), Size::Small);
    let came = play(&round, Some(what), options.keep);
    match came.findings.wrong.first() {
        Some(wrong) => println!("chaos: {what} is detected: {wrong}"),
        None => println!("chaos: {what} is NOT detected"),
    }
    !came.findings.wrong.is_empty()
}
