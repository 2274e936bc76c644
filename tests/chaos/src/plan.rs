//! The decisions of a round, as data. They follow from the seed and the number of the round; the
//! times at which things happen do not.

use fal::UploadWay;
use fal_emulator::{Fault, Settings};

use crate::dice::Dice;
use crate::faults;

/// The number of processes, and of threads in each that call the library.
pub(crate) const WORKERS: u64 = 3;
const THREADS: u64 = 3;

/// The size of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Whole,
    /// Few operations, and no faults except deliberate ones.
    Small,
}

impl Size {
    /// The number of lives of a process.
    fn lives(self) -> u64 {
        if self == Size::Whole { 4 } else { 2 }
    }

    /// The number of operations of a thread in one life.
    fn acts(self) -> u64 {
        if self == Size::Whole { 24 } else { 6 }
    }
}

/// A few time jumps of this size stay below ten minutes.
const CALM_BITS: u64 = 13;

/// One emulator, and the processes that use it.
pub(crate) struct Round {
    pub(crate) seed: u64,
    pub(crate) number: u64,
    pub(crate) size: Size,
    pub(crate) settings: Settings,
    pub(crate) faults: Vec<Fault>,
    /// The number of bits of the milliseconds by which time jumps. Far jumps exceed the ten minutes
    /// for which fal remembers idempotency keys.
    pub(crate) jump_bits: u64,
    pub(crate) workers: Vec<Vec<Life>>,
}

/// The time from the first call to the shutdown of the library.
pub(crate) struct Life {
    pub(crate) threads: Vec<Vec<Act>>,
    /// Shutdowns during calls: the milliseconds before each.
    pub(crate) shutdowns: Vec<u64>,
    /// Forks: the milliseconds before each, and the operations of the child.
    pub(crate) forks: Vec<(u64, Vec<Act>)>,
}

/// One operation.
#[derive(Clone)]
pub(crate) struct Act {
    /// A text that only the input of this operation contains.
    pub(crate) mark: String,
    pub(crate) what: What,
    pub(crate) way: Way,
    pub(crate) end: End,
    pub(crate) timeout_ms: u64,
    /// Seeds the small decisions of this operation.
    pub(crate) seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Run,
    Picture,
    Failing,
    Get,
    Post,
    Submit,
    Subscribe,
    Status,
    Result,
    Cancel,
    Attach,
    Stream,
    Realtime,
    WebSocket,
    Channel,
    Upload(UploadWay),
    RunWithFile(UploadWay),
    Download,
    DownloadOfAnswer,
    CreateCollection,
    CreateCharacter,
    CreateTag,
    CreateInstance,
    CreateKey,
    Platform,
    List,
    Logs,
    Check,
    Token,
    Webhook,
    ForgedWebhook,
    Explain,
}

/// How the client reaches fal and gets its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    Key,
    Admin,
    /// A callback of the host, whose keys expire soon.
    Callback,
    /// A key command.
    Command,
    /// A login that all processes share and renew.
    Login,
    /// fal's own host names over TLS, mostly with HTTP/2.
    Tls,
    /// A server proxy that holds the key.
    Proxy,
    /// An address without a server.
    Nowhere,
}

impl Way {
    pub(crate) const ALL: [Way; 8] = [
        Way::Key,
        Way::Admin,
        Way::Callback,
        Way::Command,
        Way::Login,
        Way::Tls,
        Way::Proxy,
        Way::Nowhere,
    ];
}

/// How the host learns the end of the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Wait,
    Poll,
    /// By a callback of the dispatcher.
    Callback,
    /// By awaiting the operation.
    Future,
    /// By waiting this many milliseconds, and then cancelling the operation.
    Cancel(u64),
    /// Not at all: the future is dropped after this many milliseconds.
    DropFuture(u64),
    /// Not at all: the handle is dropped at once.
    Drop,
}

impl Round {
    pub(crate) fn of(seed: u64, number: u64, size: Size) -> Self {
        let mut dice = Dice::of(seed, &[number, 1]);
        let settings = faults::settings(&mut dice);
        let faults = if size == Size::Whole {
            faults::draw(&mut dice)
        } else {
            Vec::new()
        };
        let jump_bits = dice.pick(&[0, CALM_BITS, CALM_BITS, 22]);
        let workers = (0..WORKERS)
            .map(|worker| lives(seed, number, worker, size))
            .collect();
        Round {
            seed,
            number,
            size,
            settings,
            faults,
            jump_bits,
            workers,
        }
    }

    /// Whether fal remembers every idempotency key for as long as its operation runs.
    pub(crate) fn is_calm(&self) -> bool {
        self.jump_bits <= CALM_BITS
    }

    /// Returns all operations, including those of forked children.
    pub(crate) fn acts(&self) -> impl Iterator<Item = &Act> {
        let lives = self.workers.iter().flatten();
        lives.flat_map(|life| {
            life.threads
                .iter()
                .chain(life.forks.iter().map(|(_, acts)| acts))
                .flatten()
        })
    }
}

/// Returns the lives of one process of a round.
pub(crate) fn lives(seed: u64, number: u64, worker: u64, size: Size) -> Vec<Life> {
    (0..size.lives())
        .map(|life| Life::of(seed, &[number, 2, worker, life], size))
        .collect()
}

impl Life {
    fn of(seed: u64, place: &[u64], size: Size) -> Self {
        let mut dice = Dice::of(seed, place);
        let shutdowns = (0..dice.within(0..3)).map(|_| dice.scaled(10)).collect();
        let forks = (0..dice.within(0..3))
            .map(|fork| (dice.scaled(9), acts(seed, place, 100 + fork, 4, false)));
        let forks = forks.collect();
        let threads = (0..THREADS)
            .map(|thread| acts(seed, place, thread, size.acts(), true))
            .collect();
        Life {
            threads,
            shutdowns,
            forks,
        }
    }
}

fn acts(seed: u64, place: &[u64], thread: u64, count: u64, whole: bool) -> Vec<Act> {
    let act = |n| Act::draw(&mut Dice::of(seed, &[place, &[thread, n]].concat()), whole);
    (0..count).map(act).collect()
}

impl Act {
    /// `whole` is false in a forked child, which has neither its parent's threads nor its webhook
    /// receiver.
    fn draw(dice: &mut Dice, whole: bool) -> Self {
        let mark = format!("mk{:016x}", dice.within(0..u64::MAX));
        let what = loop {
            let way = dice.pick(UploadWay::ALL);
            let what = dice.weighed(&whats(way));
            if whole || !matches!(what, What::Webhook | What::ForgedWebhook) {
                break what;
            }
        };
        let way = what.way(dice);
        let timeout_ms = if dice.percent(10) {
            dice.scaled(10) + 1
        } else {
            dice.within(2500..8000)
        };
        Act {
            mark,
            what,
            way,
            end: end(dice),
            timeout_ms,
            seed: dice.within(0..u64::MAX),
        }
    }
}

fn whats(way: UploadWay) -> Vec<(u64, What)> {
    vec![
        (12, What::Run),
        (3, What::Picture),
        (8, What::Failing),
        (3, What::Get),
        (4, What::Post),
        (6, What::Submit),
        (9, What::Subscribe),
        (2, What::Status),
        (2, What::Result),
        (2, What::Cancel),
        (2, What::Attach),
        (5, What::Stream),
        (4, What::Realtime),
        (3, What::WebSocket),
        (5, What::Channel),
        (8, What::Upload(way)),
        (4, What::RunWithFile(way)),
        (3, What::Download),
        (3, What::DownloadOfAnswer),
        (4, What::CreateCollection),
        (2, What::CreateCharacter),
        (2, What::CreateTag),
        (3, What::CreateInstance),
        (3, What::CreateKey),
        (3, What::Platform),
        (2, What::List),
        (1, What::Logs),
        (3, What::Check),
        (3, What::Token),
        (4, What::Webhook),
        (2, What::ForgedWebhook),
        (1, What::Explain),
    ]
}

impl What {
    fn way(self, dice: &mut Dice) -> Way {
        match self {
            What::CreateInstance | What::CreateKey | What::List => {
                dice.pick(&[Way::Admin, Way::Admin, Way::Nowhere])
            }
            // A server proxy forwards no WebSocket.
            What::Channel | What::Realtime | What::WebSocket => {
                dice.pick(&[Way::Key, Way::Tls, Way::Callback])
            }
            _ => dice.weighed(&[
                (30, Way::Key),
                (8, Way::Admin),
                (14, Way::Callback),
                (6, Way::Command),
                (14, Way::Login),
                (20, Way::Tls),
                (5, Way::Proxy),
                (3, Way::Nowhere),
            ]),
        }
    }
}

fn end(dice: &mut Dice) -> End {
    let soon = dice.scaled(9);
    dice.weighed(&[
        (30, End::Wait),
        (15, End::Poll),
        (25, End::Callback),
        (15, End::Future),
        (8, End::Cancel(soon)),
        (3, End::DropFuture(soon)),
        (4, End::Drop),
    ])
}
