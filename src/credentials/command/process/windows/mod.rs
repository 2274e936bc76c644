//! The part of running a program that Windows has its own way for.

use std::io::{self, Read};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_BAD_EXE_FORMAT, ERROR_BROKEN_PIPE};
use windows_sys::Win32::System::JobObjects::{AssignProcessToJobObject, CreateJobObjectW, TerminateJobObject};
use windows_sys::Win32::System::Pipes::PeekNamedPipe;
use windows_sys::Win32::System::Threading::CREATE_NO_WINDOW;

use super::Exit;

/// The shell as it is named to the user.
pub(in super::super) const SHELL: &str = "`cmd /C`";

pub(in super::super) fn shell(text: &str) -> Command {
    let mut command = Command::new("cmd");
    // With /S, cmd takes off this one pair of quotes and leaves the text as it was written.
    command.args(["/D", "/S", "/C"]).raw_arg(format!("\"{text}\""));
    command
}

/// Whether the file is no program.
pub(in super::super) fn is_not_a_program(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_BAD_EXE_FORMAT.cast_signed())
}

/// The reading end of a pipe.
pub(super) trait Source: Read + AsRawHandle {}

impl<S: Read + AsRawHandle> Source for S {}

pub(super) fn prepare(command: &mut Command) {
    command.creation_flags(CREATE_NO_WINDOW);
}

pub(super) fn never_block(_: &impl Source) -> io::Result<()> {
    Ok(())
}

/// Reads what is there; `WouldBlock` if there is nothing yet, 0 if there will be nothing more.
pub(super) fn read(source: &mut impl Source, buffer: &mut [u8]) -> io::Result<usize> {
    let mut available = 0;
    // SAFETY: the handle is open as long as `source` is borrowed; nothing is copied, and `available` is valid for
    // writes.
    let peeked = unsafe {
        PeekNamedPipe(source.as_raw_handle(), ptr::null_mut(), 0, ptr::null_mut(), &raw mut available, ptr::null_mut())
    };
    if peeked == 0 {
        let error = io::Error::last_os_error();
        return if error.raw_os_error() == Some(ERROR_BROKEN_PIPE.cast_signed()) { Ok(0) } else { Err(error) };
    }
    // With this much there, reading does not block.
    match usize::try_from(available).unwrap_or(usize::MAX).min(buffer.len()) {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        count => source.read(buffer.get_mut(..count).unwrap_or_default()),
    }
}

/// Waits; a pipe of this system cannot be waited for without a thread or an overlapped read.
pub(super) fn wait_readable(_: Option<&impl Source>, _: Option<&impl Source>, limit: Duration) {
    std::thread::sleep(limit.max(Duration::from_millis(1)));
}

pub(super) enum State {
    Running,
    #[expect(dead_code, reason = "a console application of this system is not stopped for using the console")]
    WantsTerminal,
    Exited,
}

/// The job that a program and what it starts are in.
pub(super) struct Group {
    /// `None` if the system would not make one: then only the program itself can be killed.
    job: Option<OwnedHandle>,
}

impl Group {
    /// What the program starts before this returns is not in the job: the standard library cannot start a program
    /// that waits for it.
    pub(super) fn of(child: &Child) -> Self {
        // SAFETY: null pointers ask for a job without a name and with the default security.
        let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        if job.is_null() {
            return Self { job: None };
        }
        // SAFETY: the handle was just made and is owned by nothing else.
        let job = unsafe { OwnedHandle::from_raw_handle(job) };
        // SAFETY: both handles are open.
        let assigned = unsafe { AssignProcessToJobObject(job.as_raw_handle(), child.as_raw_handle()) };
        Self { job: (assigned != 0).then_some(job) }
    }

    pub(super) fn state(&mut self, child: &mut Child) -> io::Result<State> {
        Ok(if child.try_wait()?.is_some() { State::Exited } else { State::Running })
    }

    pub(super) fn kill(&self, child: &mut Child) {
        if let Some(job) = &self.job {
            // SAFETY: the handle is open.
            unsafe { TerminateJobObject(job.as_raw_handle(), 1) };
        }
        // An error means that it has exited.
        let _ = child.kill();
    }
}

pub(super) fn exit(status: ExitStatus) -> Exit {
    status.code().map_or(Exit::Unknown, Exit::Code)
}
