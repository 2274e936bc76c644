//! Starts, watches and kills a program on Unix.

use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
pub(super) use std::process::Child;
use std::process::{ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::ptr;
use std::time::Duration;

use super::super::invocation::KeyCommand;
use super::state::{Exit, State};

/// Decodes the stderr of a program.
pub(in super::super) fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) type Stdout = ChildStdout;
pub(super) type Stderr = ChildStderr;

/// Returns whether the error says that the file is neither a program nor a script.
pub(in super::super) fn is_not_a_program(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOEXEC)
}

/// The reading end of a pipe.
pub(super) trait Source: Read + AsRawFd {}

impl<S: Read + AsRawFd> Source for S {}

/// Starts a program in its own group, with the variable `marker` set to 1.
pub(super) fn spawn(command: &KeyCommand, marker: &str) -> io::Result<(Child, Group)> {
    let mut command = match command {
        KeyCommand::Program { program, arguments } => {
            let mut command = Command::new(program.as_str());
            command.args(arguments.iter().map(|argument| argument.as_str()));
            command
        }
        KeyCommand::Shell(text) => {
            let mut command = Command::new("sh");
            command.args(["-c", text.as_str()]);
            command
        }
    };
    command.env(marker, "1").process_group(0);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if ignores_children() {
        // The program would inherit that SIGCHLD is ignored, and could not wait for its own
        // children. The hook is set only if needed, because the standard library then forks the
        // whole host instead of using posix_spawn().
        //
        // SAFETY: the hook calls only signal(), which is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGCHLD, libc::SIG_DFL);
                Ok(())
            });
        }
    }
    let child = command.spawn()?;
    let group = Group::of(&child);
    Ok((child, group))
}

fn ignores_children() -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action is allowed. `action` is valid for writes, and all zeros is a valid
    // value of its type.
    unsafe {
        libc::sigaction(libc::SIGCHLD, ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

pub(super) fn never_block(source: &impl Source) -> io::Result<()> {
    let descriptor = source.as_raw_fd();
    // SAFETY: the descriptor is open while `source` is borrowed, and these commands access no
    // memory.
    let result = unsafe {
        let flags = libc::fcntl(descriptor, libc::F_GETFL);
        if flags < 0 {
            flags
        } else {
            libc::fcntl(descriptor, libc::F_SETFL, flags | libc::O_NONBLOCK)
        }
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Reads the available bytes. Returns `WouldBlock` if there are none, and 0 at the end of the
/// stream.
pub(super) fn read(source: &mut impl Source, buffer: &mut [u8]) -> io::Result<usize> {
    source.read(buffer)
}

/// Waits until one of the pipes is readable or closed, but no longer than `limit`.
pub(super) fn wait_readable(
    first: Option<&impl Source>,
    second: Option<&impl Source>,
    limit: Duration,
) {
    // poll() ignores negative descriptors.
    let entry = |fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let mut entries = [
        entry(first.map_or(-1, AsRawFd::as_raw_fd)),
        entry(second.map_or(-1, AsRawFd::as_raw_fd)),
    ];
    // At least 1 ms: 0 would not wait at all.
    let limit = libc::c_int::try_from(limit.as_millis())
        .unwrap_or(libc::c_int::MAX)
        .max(1);
    // SAFETY: the array is valid for its two entries. An error ends the wait early, which is
    // harmless.
    unsafe { libc::poll(entries.as_mut_ptr(), 2, limit) };
}

/// The process group that a program leads.
pub(super) struct Group {
    id: libc::pid_t,
    /// Whether the host has reaped the program. Its id may belong to another process by now.
    lost: bool,
}

impl Group {
    fn of(child: &Child) -> Self {
        match libc::pid_t::try_from(child.id()) {
            Ok(id) => Self { id, lost: false },
            Err(_) => Self { id: 0, lost: true },
        }
    }

    /// Returns the state of the program. Does not reap the program, so that its id stays valid
    /// until [`Self::kill`].
    pub(super) fn state(&mut self, _: &mut Child) -> io::Result<State> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let options = libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: `info` is valid for writes, and all zeros is a valid value of its type.
        let (result, info) = unsafe {
            let result = libc::waitid(
                libc::P_PID,
                self.id.cast_unsigned(),
                info.as_mut_ptr(),
                options,
            );
            (result, info.assume_init())
        };
        if result != 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                // The host ignores SIGCHLD, or has reaped the program.
                Some(libc::ECHILD) => {
                    self.lost = true;
                    Ok(State::Exited)
                }
                Some(libc::EINTR) => Ok(State::Running),
                _ => Err(error),
            };
        }
        // SAFETY: waitid() sets the status of a child.
        let status = unsafe { info.si_status() };
        Ok(match info.si_code {
            libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED => State::Exited,
            libc::CLD_STOPPED if [libc::SIGTTIN, libc::SIGTTOU].contains(&status) => {
                State::WantsTerminal
            }
            _ => State::Running,
        })
    }

    /// Lets background processes of the program continue.
    pub(super) fn spare(&self) {}

    pub(super) fn kill(&self, _: &mut Child) {
        if !self.lost {
            // SAFETY: kill() accesses no memory. The program is not reaped, so the id is still that
            // of its group.
            unsafe { libc::kill(-self.id, libc::SIGKILL) };
        }
    }
}

pub(super) fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Unknown,
    }
}
