//! Runs a program and its child processes until they end or a timeout, and reads their output into
//! bounded buffers. The crate process-wrap neither bounds the output nor zeroizes it.

mod state;
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

use super::invocation::KeyCommand;
pub(super) use state::Exit;
use state::State;
use system::{Child, Group, Stderr, Stdout};
pub(super) use system::{is_not_a_program, text_of};

/// The maximum size of stdout, in bytes. Of stderr, as many bytes are kept and the rest is dropped.
pub(super) const MAX_OUTPUT: usize = 64 * 1024;

/// A variable that is set for the command. A command that uses libfal must not start itself again.
pub(super) const RUNNING_VARIABLE: &str = "FAL_KEY_COMMAND_RUNNING";

/// How often `cancelled` is called.
const TICK: Duration = Duration::from_millis(20);

/// How long the pipes may stay open after the program has exited. A longer wait is useless, because
/// they belong to a background process that the program has started.
const AFTERMATH: Duration = Duration::from_millis(200);

/// How long a killed program may take to end. A program that hangs in the kernel takes longer, and
/// is not reaped.
const REAPING: Duration = Duration::from_millis(500);

/// How the run ended.
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
    /// The program was started, but could not be watched. It was killed.
    Follow(io::Error),
}

/// Runs the program. Blocks for at most `timeout` and [`REAPING`].
pub(super) fn run(
    command: &KeyCommand,
    timeout: Duration,
    cancelled: &dyn Fn() -> bool,
) -> Result<Finished, Failure> {
    if cancelled() {
        return Ok(Finished {
            ending: Ending::Cancelled,
            stdout: Captured::default(),
            stderr: Captured::default(),
        });
    }
    let deadline = Instant::now().checked_add(timeout);
    let (child, group) = system::spawn(command, RUNNING_VARIABLE).map_err(Failure::Start)?;
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

/// A running program. Dropping this kills the program and its group, and reaps the program.
struct Running {
    child: Child,
    group: Group,
    stdout: Pipe<Stdout>,
    stderr: Pipe<Stderr>,
    /// Whether the program has exited or was killed.
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
            // The state is read before the pipes: if the program has exited, all its output is in
            // the pipes.
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

    /// Reaps a program that has exited.
    fn collect(&mut self) -> Exit {
        self.ended = true;
        self.group.spare();
        match self.child.try_wait() {
            Ok(Some(status)) => system::exit(status),
            _ => Exit::Unknown,
        }
    }

    /// Returns the output. Kills the program and its group unless the program has exited.
    fn end(mut self) -> (Captured, Captured) {
        self.kill();
        (
            std::mem::take(&mut self.stdout.captured),
            std::mem::take(&mut self.stderr.captured),
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

/// The reading end of a pipe. It is closed when the writing end is closed.
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

    /// Reads the available output, but not much more than [`MAX_OUTPUT`] bytes: an endless writer
    /// must not block this function.
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

/// The first [`MAX_OUTPUT`] bytes of a stream. Zeroized on drop.
#[derive(Default)]
pub(super) struct Captured {
    /// A buffer of the final size: a vector that grows leaves copies of a secret in memory.
    buffer: Zeroizing<Vec<u8>>,
    length: usize,
    overflowed: bool,
}

impl Captured {
    fn new() -> Self {
        Self {
            buffer: Zeroizing::new(vec![0; MAX_OUTPUT]),
            ..Self::default()
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// Returns whether bytes were dropped.
    pub(super) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Reads once. Drops the bytes that do not fit into the buffer.
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
