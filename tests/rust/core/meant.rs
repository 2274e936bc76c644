//! An operation that succeeds returns the bytes that the emulator meant to send, whatever fails at
//! the service and on the way.
//!
//! Each case follows from its seed: settings, an operation that returns bytes, and faults.
//! `MEANT_SEED` and `MEANT_CASES` select other cases than the defaults. A failure names the seed of
//! its case, and `MEANT_CASE` runs that case alone.

use super::*;
use fal::{Download, EventKind, Job, NextEvent, Upload, UploadWay};
use fal_emulator::{EchoPlace, Fault, OddPart, ResetPoint, Scope, Settings};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

const SEED: u64 = 1;
const CASES: u64 = 600;
/// The number of cases run concurrently: most of the time is pauses between attempts.
const HANDS: usize = 12;
/// The body of the fault for malformed responses, which may replace any response.
const MALFORMED: &[u8] = b"{\"images\": [{\"url\": \"https:";

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }

    /// A size of any magnitude: single bytes are as frequent as thousands.
    fn size(&mut self) -> u64 {
        let bits = self.below(17);
        self.below(1 << bits)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Run,
    RunOfBytes,
    Result,
    Subscribe,
    Stream,
    Download,
    DownloadToDisk,
    DownloadOfRun,
    List,
    ListByOffset,
}

const KINDS: [Kind; 10] = [
    Kind::Run,
    Kind::RunOfBytes,
    Kind::Result,
    Kind::Subscribe,
    Kind::Stream,
    Kind::Download,
    Kind::DownloadToDisk,
    Kind::DownloadOfRun,
    Kind::List,
    Kind::ListByOffset,
];

fn settings(dice: &mut Dice) -> Settings {
    let settings = json!({
        "queue": {
            "late_result_ms": dice.pick(&[0, 0, 100]),
            "late_result": dice.pick(&["bad_request", "accepted", "not_found"]),
            "unfinished_result_202": dice.below(2) == 0,
            "status_always_200": dice.below(2) == 0,
            "stream_events": dice.pick(&[Value::Null, json!(1)]),
        },
        "platform": {
            "odd_pages": dice.pick(&[Value::Null, json!("short"), json!("cursor_without_more"), json!("more_without_cursor")]),
        },
        "file_validator": dice.pick(&["strong", "strong", "weak", "date"]),
        "gzip": dice.below(3) == 0,
    });
    serde_json::from_value(settings).unwrap()
}

fn faults(dice: &mut Dice, kind: Kind) -> Vec<Fault> {
    let is_file = matches!(kind, Kind::Download | Kind::DownloadToDisk);
    if is_file && dice.below(2) == 0 {
        // A download that has to be resumed, and the response to its second request.
        let (cut, size) = (Fault::truncate(1 + dice.size()), 1 + dice.size());
        let then = match dice.below(3) {
            0 => Fault::truncate(size),
            1 => Fault::unframed_and_cut(size),
            _ => odd(dice),
        };
        return vec![cut, then, fault(dice)];
    }
    (0..dice.below(4))
        .map(|_| fault(dice).times(1 + dice.pick(&[0, 0, 1, 8])))
        .collect()
}

fn odd(dice: &mut Dice) -> Fault {
    Fault::odd_part(dice.pick(&OddPart::ALL))
}

fn fault(dice: &mut Dice) -> Fault {
    let size = dice.size();
    let fault = match dice.below(19) {
        0 => Fault::delay(Duration::from_millis(size % 50)),
        1 => Fault::from(fal_emulator::Action::Reset {
            when: ResetPoint::BeforeBody,
        }),
        2 => Fault::from(fal_emulator::Action::Reset {
            when: ResetPoint::AfterBody,
        }),
        3 => Fault::close(),
        4 => Fault::truncate(size),
        5 => Fault::slow(1 + size, Duration::from_millis(1)),
        6 => Fault::malformed_http(),
        7 => Fault::malformed_json(),
        8 | 9 => Fault::gzip_members(1 + size % 9),
        10 => Fault::unframed(),
        11 | 12 => Fault::unframed_and_cut(size),
        13 => odd(dice),
        14 => Fault::status(dice.pick(&[
            300, 304, 400, 401, 404, 408, 416, 422, 429, 500, 502, 503, 504,
        ])),
        // Statuses that no service means as a response with content.
        15 => Fault::status(dice.pick(&[202, 204, 205, 206])),
        16 => Fault::redirect("/elsewhere", dice.pick(&[301, 302, 303, 307, 308])),
        17 => {
            let is_success = |place| {
                matches!(
                    place,
                    EchoPlace::Item | EchoPlace::LongItem | EchoPlace::Success
                )
            };
            let places: Vec<_> = EchoPlace::ALL
                .into_iter()
                .filter(|place| !is_success(*place))
                .collect();
            Fault::echo(dice.pick(&places), dice.pick(&[400, 403, 429, 500, 503]))
        }
        _ if dice.below(8) == 0 => Fault::hang(),
        _ => Fault::early_success().method("PUT"),
    };
    fault.skip(dice.pick(&[0, 0, 0, 1, 2]))
}

/// The result of a case.
enum Came {
    Whole,
    Failed,
    Wrong(String),
}

/// A response may be other than the expected one and still be one that was sent, by a fault.
fn judged(outcome: Result<Response, Error>, is_meant: impl FnOnce(&Response) -> bool) -> Came {
    match outcome {
        Err(_) => Came::Failed,
        Ok(answer) if answer.body()[..] == *MALFORMED => Came::Whole,
        Ok(answer) if is_meant(&answer) => Came::Whole,
        Ok(answer) => {
            let begins = String::from_utf8_lossy(&answer.body()[..answer.body().len().min(100)])
                .into_owned();
            Came::Wrong(format!("{answer:?}: {begins}"))
        }
    }
}

struct Case {
    dice: Dice,
    emulator: Emulator,
    client: Client,
    faults: Vec<Fault>,
}

impl Case {
    fn of(seed: u64) -> (Self, Kind) {
        let mut dice = Dice(seed);
        let kind = dice.pick(&KINDS);
        let emulator = Emulator::builder()
            .settings(settings(&mut dice))
            .start()
            .unwrap();
        let client = builder_with(&emulator, emulator.admin_key());
        let client = client
            .timeout(Duration::from_secs(4))
            .max_attempts(3)
            .unwrap()
            .build()
            .unwrap();
        let faults = faults(&mut dice, kind);
        (
            Case {
                dice,
                emulator,
                client,
                faults,
            },
            kind,
        )
    }

    /// Starts to inject the faults.
    fn begin(&self) {
        self.faults
            .iter()
            .for_each(|fault| self.emulator.inject(fault.clone()));
    }

    fn play(&mut self, kind: Kind) -> Came {
        match kind {
            Kind::Run => {
                let word = "x".repeat(self.dice.size() as usize);
                self.begin();
                let outcome = run(&self.client, "emulator/echo", json!({"word": word}));
                judged(outcome, |answer| {
                    answer.get_str("/body/word").is_ok_and(|said| said == word)
                })
            }
            Kind::RunOfBytes => {
                let (input, meant) = self.bytes();
                self.begin();
                judged(run(&self.client, "emulator/bytes", input), |answer| {
                    answer.body()[..] == meant
                })
            }
            Kind::DownloadOfRun => {
                let (input, meant) = self.bytes();
                let mut request = Request::new("POST", "https://fal.run/emulator/bytes").unwrap();
                request.set_json(input);
                self.begin();
                let outcome =
                    Op::finish(|| self.client.download_start(Download::of_request(request)));
                judged(outcome, |answer| answer.body()[..] == meant)
            }
            Kind::Result | Kind::Subscribe => self.job(kind),
            Kind::Stream => self.stream(),
            Kind::Download | Kind::DownloadToDisk => self.download(kind),
            Kind::List => {
                let made = (0..5).map(|_| self.emulator.create_key(Scope::Api, "acme"));
                // Keys of scope ADMIN are not in the list.
                let keys = made
                    .chain([self.emulator.api_key().to_owned()])
                    .map(|key| key.split_once(':').unwrap().0.to_owned());
                self.listed("keys.list", "key_id", keys.collect())
            }
            Kind::ListByOffset => {
                let names: BTreeSet<_> = (0..5).map(|n| format!("collection {n}")).collect();
                for name in &names {
                    let params = json!({"name": name});
                    Op::finish(|| {
                        self.client
                            .platform_start("assets.collections.create", params)
                    })
                    .unwrap();
                }
                self.listed("assets.collections.list", "name", names)
            }
        }
    }

    fn bytes(&mut self) -> (Value, Vec<u8>) {
        let size = self.dice.size();
        let chunked = self.dice.below(2) == 0;
        (
            json!({"size": size, "chunked": chunked}),
            (0..size).map(|at| (at % 251) as u8).collect(),
        )
    }

    fn job(&mut self, kind: Kind) -> Came {
        let mark = format!("{:x}", self.dice.next());
        let mut request = Request::run("emulator/job").unwrap();
        request.set_json(json!({"output": {"mark": mark}, "ms": self.dice.pick(&[0, 0, 50, 300])}));
        request.set_timeout(Duration::from_secs(6));
        let outcome = if kind == Kind::Result {
            let submitted = Op::finish(|| self.client.submit_start(request)).unwrap();
            let job = Job::of_response("emulator/job", &submitted).unwrap();
            self.begin();
            Op::finish(|| self.client.result_start(&job))
        } else {
            self.begin();
            Op::finish(|| self.client.subscribe_start(request))
        };
        match &outcome {
            Ok(answer) if answer.status() == 202 => Came::Wrong("a 202 is no result".into()),
            _ => judged(outcome, |answer| {
                answer.get_str("/mark").is_ok_and(|said| said == mark)
            }),
        }
    }

    fn stream(&mut self) -> Came {
        let events: Vec<_> = (0..1 + self.dice.below(9))
            .map(|n| json!({"n": n}))
            .collect();
        let mut request = Request::run("emulator/stream").unwrap();
        request.set_json(json!({"events": events}));
        self.begin();
        let (outcome, items) = items(&self.client.stream_start(request).unwrap());
        judged(outcome, |answer| {
            items == events && answer.json().ok() == events.last()
        })
    }

    fn listed(&self, name: &str, member: &str, meant: BTreeSet<String>) -> Came {
        self.begin();
        let (outcome, items) = items(
            &self
                .client
                .platform_list_start(name, json!({"limit": 2}))
                .unwrap(),
        );
        let mut got: Vec<_> = items
            .iter()
            .filter_map(|item| item[member].as_str())
            .collect();
        got.sort_unstable();
        judged(outcome, |_| {
            got.len() == items.len() && got.into_iter().eq(&meant)
        })
    }

    fn download(&mut self, kind: Kind) -> Came {
        let size = self.dice.size();
        let meant: Vec<u8> = (0..size).map(|_| self.dice.next() as u8).collect();
        let upload = Upload::bytes(meant.clone()).way(UploadWay::Signed);
        let stored = Op::finish(|| self.client.upload_start(upload)).unwrap();
        // A modification time identifies a version only if the file had been unchanged for a while.
        self.emulator
            .advance(Duration::from_secs(self.dice.pick(&[0, 100])));
        let what = Download::new(stored.get_str("/url").unwrap()).unwrap();
        self.begin();
        if kind == Kind::Download {
            return judged(Op::finish(|| self.client.download_start(what)), |answer| {
                answer.body()[..] == meant
            });
        }
        let folder = tempfile::tempdir().unwrap();
        let outcome = Op::finish(|| {
            self.client
                .download_start(what.to(folder.path().join("file")))
        });
        let left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .flatten()
            .map(|one| one.path())
            .collect();
        match outcome {
            Err(error) if !left.is_empty() => Came::Wrong(format!("{error}, and {left:?} is left")),
            outcome => judged(outcome, |_| {
                let got = std::fs::read(&left[0]).unwrap();
                left.len() == 1 && (got == meant || got == MALFORMED)
            }),
        }
    }
}

/// Collects the items and the outcome of an operation.
fn items(op: &Op) -> (Result<Response, Error>, Vec<Value>) {
    let mut items = Vec::new();
    while let NextEvent::Event(event) = op.wait_event(Some(PATIENCE)).unwrap() {
        if event.kind() == EventKind::Item {
            items.push(event.content().json().cloned().unwrap_or_default());
        }
    }
    op.wait(Some(PATIENCE)).unwrap();
    (op.take().unwrap(), items)
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn what_ends_well_is_what_was_meant() {
    let (seed, cases) = (
        asked("MEANT_SEED").unwrap_or(SEED),
        asked("MEANT_CASES").unwrap_or(CASES),
    );
    let seeds: Vec<_> = match asked("MEANT_CASE") {
        Some(one) => vec![one],
        None => (0..cases)
            .scan(Dice(seed), |dice, _| Some(dice.next()))
            .collect(),
    };
    let (next, whole) = (AtomicU64::new(0), AtomicU64::new(0));
    let hand = || {
        let mut wrong = Vec::new();
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            let (mut case, kind) = Case::of(*seed);
            match case.play(kind) {
                Came::Whole => drop(whole.fetch_add(1, Ordering::Relaxed)),
                Came::Failed => {}
                Came::Wrong(what) => {
                    wrong.push(format!(
                        "MEANT_CASE={seed}: {kind:?} with {:?}: {what}",
                        case.faults
                    ));
                }
            }
        }
        wrong
    };
    let wrong: Vec<_> = std::thread::scope(|scope| {
        let hands: Vec<_> = (0..HANDS).map(|_| scope.spawn(hand)).collect();
        hands
            .into_iter()
            .flat_map(|hand| hand.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let whole = whole.into_inner();
    println!("{} cases, {whole} of which ended well", seeds.len());
    assert!(
        seeds.len() == 1 || whole * 4 > cases,
        "only {whole} of {cases} ended well"
    );
}
