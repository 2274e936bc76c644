//! One operation, held at one stage of one of its requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use fal::credentials::Environment;
use fal::{Client, Code, Dispatcher};
use tempfile::TempDir;

use super::server::{Reply, Server, Stage, connecting};
use super::table::{Effect, Plan, Row, Started, Step};
use super::{PATIENCE, logged};

pub(crate) struct Cell {
    pub(crate) row: Arc<Row>,
    pub(crate) hold: usize,
    pub(crate) stage: Stage,
}

/// How the operation is cut there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Cancel,
    Deadline(Duration),
    ShutDown,
    /// Its handle is dropped.
    Drop,
}

/// A cell with its operation under way.
pub(crate) struct Run {
    pub(crate) name: String,
    step: Step,
    stage: Stage,
    session: bool,
    channel: bool,
    hold: usize,
    pub(crate) server: Server,
    client: Option<Client>,
    started: Option<Started>,
    /// Held by the client and, through it, by all work for the client.
    alive: Arc<()>,
    folder: TempDir,
    calls: Arc<AtomicUsize>,
    reached: bool,
}

/// All cells of a row.
pub(crate) fn cells(row: &Arc<Row>) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (hold, step) in row.steps.iter().enumerate() {
        let stages = Stage::ALL.into_iter().filter(|stage| step.has(*stage));
        cells.extend(stages.map(|stage| Cell {
            row: row.clone(),
            hold,
            stage,
        }));
    }
    cells
}

/// A client that knows this address only, and holds `alive`.
pub(crate) fn client(address: SocketAddr, timeout: Option<Duration>, alive: &Arc<()>) -> Client {
    let variables = [
        ("FAL_KEY", "fake-id:fake-secret-0".to_owned()),
        ("FAL_EMULATOR_HOST", address.to_string()),
    ];
    let held = alive.clone();
    let builder = Client::builder().environment(Environment::from_variables(variables));
    let builder = builder.log(fal::Level::Debug, move |level, _, line| {
        let _held = &held;
        logged::write(level, line);
    });
    timeout
        .into_iter()
        .fold(builder, fal::ClientBuilder::timeout)
        .build()
        .unwrap()
}

impl Run {
    pub(crate) fn start(cell: &Cell, cut: Cut, dispatcher: &Dispatcher) -> Self {
        let (row, step) = (&cell.row, cell.row.steps[cell.hold].clone());
        let script = row.steps.iter().map(|step| step.reply.clone()).collect();
        let is_job = |step: &Step| matches!(step.effect, Effect::Job | Effect::Submission);
        let job = row.steps.iter().any(is_job);
        let server = Server::start(script, cell.hold, cell.stage, job);
        let timeout = if let Cut::Deadline(time) = cut {
            Some(time)
        } else {
            None
        };
        let alive = Arc::new(());
        let client = client(server.address(), timeout, &alive);
        let folder = tempfile::tempdir().unwrap();
        let plan = Plan {
            large: cell.stage == Stage::Sending,
            folder: folder.path(),
            timeout,
        };
        let started = (row.start)(&client, &plan).unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        started.op.discard_events();
        // The callback holds a handle of the operation.
        if cut != Cut::Drop {
            let counted = calls.clone();
            dispatcher
                .when_done(&started.op, move |_| {
                    counted.fetch_add(1, SeqCst);
                })
                .unwrap();
        }
        let name = format!(
            "{}, request {}, {:?}, {cut:?}",
            row.name,
            cell.hold + 1,
            cell.stage
        );
        let (stage, session, hold) = (cell.stage, row.session, cell.hold);
        let channel = matches!(step.reply, Reply::Messages(_)) && !session;
        let (client, started) = (Some(client), Some(started));
        Run {
            name,
            step,
            stage,
            session,
            channel,
            hold,
            server,
            client,
            started,
            alive,
            folder,
            calls,
            reached: false,
        }
    }

    pub(crate) fn cancel(&self) {
        let op = &self.started.as_ref().unwrap().op;
        op.cancel();
        op.cancel();
    }

    pub(crate) fn is_connecting(&self) -> bool {
        self.stage == Stage::Connecting
    }

    /// Whether the operation is held at its stage.
    pub(crate) fn is_reached(&self) -> bool {
        self.reached
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.started
            .as_ref()
            .is_none_or(|started| started.op.poll().unwrap())
    }

    pub(crate) fn drop_handles(&mut self) {
        self.started = None;
        self.client = None;
    }

    /// Asserts that the operation ended once, with this code and the right `may_have_executed`.
    pub(crate) fn assert_ended_once(&mut self, code: Code, dispatcher: &Dispatcher) {
        let name = &self.name;
        let op = &self.started.as_ref().unwrap().op;
        assert!(op.wait(Some(PATIENCE)).unwrap(), "{name}: it does not end");
        wait(&format!("{name}: no callback"), || {
            dispatcher.run(usize::MAX, None).unwrap();
            self.calls.load(SeqCst) > 0
        });
        let error = op
            .take()
            .expect("ended")
            .err()
            .unwrap_or_else(|| panic!("{name}: it succeeded"));
        assert_eq!(error.code(), code, "{name}: {error}");
        assert_eq!(
            error.may_have_executed(),
            self.step.may_have_executed(self.stage),
            "{name}: {error}"
        );
        assert_eq!(
            op.take().unwrap().unwrap_err().code(),
            Code::Taken,
            "{name}"
        );
        assert!(
            op.poll().unwrap() && op.wait(Some(Duration::ZERO)).unwrap(),
            "{name}"
        );
        // If no request could be sent because of the full backlog, requests can be sent from here
        // on.
        if self.stage == Stage::Connecting {
            self.server.release();
        }
    }

    pub(crate) fn assert_one_callback(&self) {
        assert_eq!(self.calls.load(SeqCst), 1, "{}: callbacks", self.name);
    }

    /// Asserts that the operation continues without a handle.
    pub(crate) fn assert_untouched(&self) {
        let by_itself = self.session && self.stage != Stage::Connecting;
        assert!(
            by_itself || !self.server.is_closed(),
            "{}: its connection was closed",
            self.name
        );
    }

    /// Asserts that nothing of the operation is left. `cut` says whether it was cut or ended by
    /// itself.
    pub(crate) fn assert_nothing_is_left(&mut self, cut: bool) {
        self.drop_handles();
        let name = &self.name;
        if self.stage == Stage::Sending {
            // The HTTP stack still sends the part of a request's body that it has accepted. A
            // session has no such part.
            if cut && self.session {
                wait(&format!("{name}: its connection is kept"), || {
                    self.server.is_left()
                });
            }
            // The server has to read what the system has buffered before it sees the end.
            self.server.release();
        }
        // After a large upload, the server sees the end after the data that was under way. The
        // check of the other connections, below, covers that.
        let is_read_on = self.step.effect == Effect::Submission
            && matches!(self.stage, Stage::Waiting | Stage::Reading);
        if cut && is_read_on {
            assert!(!self.server.is_closed(), "{name}: its answer is not read");
            self.server.release();
        } else if cut && matches!(self.stage, Stage::Waiting | Stage::Reading) {
            wait(&format!("{name}: its connection stays open"), || {
                self.server.is_closed()
            });
        }
        let told = usize::from(cut && (is_read_on || self.step.effect == Effect::Job));
        wait(&format!("{name}: the job is not cancelled"), || {
            self.server.cancels() == told
        });
        wait(&format!("{name}: it still runs"), || {
            Arc::strong_count(&self.alive) == 1
        });
        wait(&format!("{name}: connections stay open"), || {
            self.server.open() == 0
        });
        // A channel completes a message that it has begun to send, because other requests share the
        // connection.
        if cut && self.stage == Stage::Sending && !self.channel {
            assert_eq!(
                self.server.arrived(),
                self.hold,
                "{name}: the cut request arrived completely"
            );
        }
        if !cut {
            assert!(
                self.server.is_finished(),
                "{name}: it did not continue to its end"
            );
        }
        assert_eq!(self.server.cancels(), told, "{name}");
        let files = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|file| file.unwrap().file_name());
        let partial = files.filter(|name| name.to_string_lossy().ends_with(".part"));
        assert_eq!(partial.count(), 0, "{name}: a file is left");
    }
}

/// Waits until all operations that have not ended are held at their stages.
pub(crate) fn wait_until_reached(runs: &mut [Run]) {
    let end = Instant::now() + PATIENCE;
    loop {
        let ports = connecting();
        runs.iter_mut()
            .filter(|run| !run.reached)
            .for_each(|run| run.reached = run.server.is_reached(&ports));
        let Some(left) = runs.iter().find(|run| !run.reached && !run.has_ended()) else {
            return;
        };
        assert!(
            Instant::now() < end,
            "{}: the stage is not reached",
            left.name
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn wait(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
