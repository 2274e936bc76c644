//! Runs a program to its end or its deadline, with what it started, and reads what it prints into
//! bounded buffers.

mod exit;
#[cfg(unix)]
#[path = "unix.rs"]
#[allow(unsafe_code)]
mod system;
#[cfg(windows)]
#[path = "windows/mod.rs"]
#[allow(unsafe_code)]
mod system;

use std::io;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

pub(super) use exit::Exit;
use system::{Child, Group, State, Stderr, Stdout};
pub(super) use system::{Prepared, SHELL, is_not_a_program, program, shell, text_of};

/// The most that a command may print to stdout, in bytes. Of stderr as much is read, and the rest
/// dropped.
pub(super) const MAX_OUTPUT: usize = 64 * 1024;

/// Set for the command, so that one that uses libfal itself does not run itself again.
pub(super) const RUNNING_VARIABLE: &str = "FAL_KEY_COMMAND_RUNNING";

/// How often `cancelled` is asked.
const TICK: Duration = Duration::from_millis(20);

/// How long pipes may stay open after the program has exited: then something that it left running
/// holds them, and what it may still say is not waited for.
const AFTERMATH: Duration = Duration::from_millis(200);

/// How long a killed program may take to disappear; one that hangs in the kernel is left to the
/// system.
const REAPING: Duration = Duration::from_millis(500);

/// Why the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Exited(Exit),
    TimedOut,
    Cancelled,
    WantsTerminal,
    TooMuchOutput,
}

pub(super) struct Finished {
    pub(super) ending: Ending,
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
}

pub(super) enum Failure {
    /// The program was not started.
    Start(io::Error),
    /// It was, and could not be observed; it has been killed.
    Follow(io::Error),
}

/// Runs the command. Blocks for at most `timeout` and [`REAPING`].
pub(super) fn run(
    prepared: Prepared,
    timeout: Duration,
    cancelled: &dyn Fn() -> bool,
) -> Result<Finished, Failure> {
    if cancelled() {
        return Ok(Finished {
            ending: Ending::Cancelled,
            stdout: Captured::new(),
            stderr: Captured::new(),
        });
    }
    let deadline = Instant::now().checked_add(timeout);
    let (child, group) = system::spawn(prepared, RUNNING_VARIABLE).map_err(Failure::Start)?;
    let mut running = Running::new(child, group).map_err(Failure::Follow)?;
    let ending = running
        .follow(deadline, cancelled)
        .map_err(Failure::Follow)?;
    let (stdout, stderr) = running.end();
    Ok(Finished {
        ending,
        stdout,
        stderr,
    })
}

/// A program that runs. Dropping it kills it and its group, and collects it.
struct Running {
    child: Child,
    group: Group,
    stdout: Pipe<Stdout>,
    stderr: Pipe<Stderr>,
    /// Whether it has come to its end by itself.
    ended: bool,
}

impl Running {
    fn new(mut child: Child, group: Group) -> io::Result<Self> {
        let (stdout, stderr) = (
            Pipe::new(child.stdout.take()),
            Pipe::new(child.stderr.take()),
        );
        let running = Self {
            child,
            group,
            stdout,
            stderr,
            ended: false,
        };
        running.stdout.prepare()?;
        running.stderr.prepare()?;
        Ok(running)
    }

    fn follow(
        &mut self,
        deadline: Option<Instant>,
        cancelled: &dyn Fn() -> bool,
    ) -> io::Result<Ending> {
        let mut pause = Duration::from_millis(1);
        let mut exited_at = None;
        loop {
            // Observed before the pipes are emptied: what an exited program has written is all
            // there.
            let state = self.group.state(&mut self.child)?;
            self.stdout.drain()?;
            self.stderr.drain()?;
            let now = Instant::now();
            let closed = self.stdout.is_closed() && self.stderr.is_closed();
            if self.stdout.captured.overflowed() {
                return Ok(Ending::TooMuchOutput);
            }
            if let State::Exited = state {
                let over = *exited_at.get_or_insert(now) + AFTERMATH;
                if closed || now >= over {
                    return Ok(Ending::Exited(self.collect()));
                }
            } else if let State::WantsTerminal = state {
                return Ok(Ending::WantsTerminal);
            }
            if cancelled() {
                return Ok(Ending::Cancelled);
            }
            let left = deadline.map_or(TICK, |deadline| deadline.saturating_duration_since(now));
            if left.is_zero() {
                return Ok(Ending::TimedOut);
            }
            system::wait_readable(
                self.stdout.source.as_ref(),
                self.stderr.source.as_ref(),
                pause.min(left),
            );
            pause = (pause * 2).min(TICK);
        }
    }

    /// The exit of a program that has exited.
    fn collect(&mut self) -> Exit {
        self.ended = true;
        self.group.spare();
        match self.child.try_wait() {
            Ok(Some(status)) => system::exit(status),
            _ => Exit::Unknown,
        }
    }

    /// What was printed; what still runs and has not ended by itself is killed.
    fn end(mut self) -> (Captured, Captured) {
        self.kill();
        let take = |captured: &mut Captured| std::mem::replace(captured, Captured::empty());
        (
            take(&mut self.stdout.captured),
            take(&mut self.stderr.captured),
        )
    }

    fn kill(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.group.kill(&mut self.child);
        let over = Instant::now() + REAPING;
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() >= over {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One end of a pipe, closed as soon as the other end is.
struct Pipe<S> {
    source: Option<S>,
    captured: Captured,
}

impl<S: system::Source> Pipe<S> {
    fn new(source: Option<S>) -> Self {
        Self {
            source,
            captured: Captured::new(),
        }
    }

    fn prepare(&self) -> io::Result<()> {
        self.source.as_ref().map_or(Ok(()), system::never_block)
    }

    fn is_closed(&self) -> bool {
        self.source.is_none()
    }

    /// Reads what is there, at most about [`MAX_OUTPUT`] bytes, so that an endless writer does not
    /// keep us here.
    fn drain(&mut self) -> io::Result<()> {
        let mut left = MAX_OUTPUT;
        while let Some(source) = &mut self.source {
            match self.captured.read_from(source) {
                Ok(0) => self.source = None,
                Ok(count) => left = left.saturating_sub(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if left == 0 {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The first [`MAX_OUTPUT`] bytes of a stream. Overwritten when it is dropped.
pub(super) struct Captured {
    /// Of its final size from the start: growing would leave copies of a secret behind.
    buffer: Zeroizing<Vec<u8>>,
    length: usize,
    overflowed: bool,
}

impl Captured {
    fn new() -> Self {
        Self {
            buffer: Zeroizing::new(vec![0; MAX_OUTPUT]),
            ..Self::empty()
        }
    }

    fn empty() -> Self {
        Self {
            buffer: Zeroizing::new(Vec::new()),
            length: 0,
            overflowed: false,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// Whether there was more than was kept.
    pub(super) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Reads once; what is beyond the buffer is dropped.
    fn read_from(&mut self, source: &mut impl system::Source) -> io::Result<usize> {
        match self
            .buffer
            .get_mut(self.length..)
            .filter(|room| !room.is_empty())
        {
            Some(room) => {
                let count = system::read(source, room)?;
                self.length += count;
                Ok(count)
            }
            None => {
                let mut dropped = Zeroizing::new([0; 4096]);
                let count = system::read(source, dropped.as_mut_slice())?;
                self.overflowed |= count > 0;
                Ok(count)
            }
        }
    }
}
