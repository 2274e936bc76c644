//! The part of running a program that Windows has its own way for.
//!
//! The standard library would let the program inherit every handle of the host that can be
//! inherited, such as a port or a file that then stays in use, and could put it into its job only
//! once it runs. So it is started here.

mod search;
mod start;

use std::io::{self, PipeReader, Read};
use std::os::windows::io::AsRawHandle;
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_BAD_EXE_FORMAT, ERROR_BROKEN_PIPE};
use windows_sys::Win32::Globalization::{CP_OEMCP, MultiByteToWideChar};
use windows_sys::Win32::System::Pipes::PeekNamedPipe;
use zeroize::Zeroizing;

use super::exit::Exit;
pub(super) use start::{Child, Group, spawn};

/// The shell as it is named to the user.
pub(in super::super) const SHELL: &str = "`cmd /C`";

pub(super) type Stdout = PipeReader;
pub(super) type Stderr = PipeReader;

/// What is to be started.
pub(in super::super) enum Prepared {
    Program {
        program: String,
        arguments: Vec<Zeroizing<String>>,
    },
    Shell(Zeroizing<String>),
}

/// A program by its path, or by a name that is looked for in PATH.
pub(in super::super) fn program<'a>(
    program: &str,
    arguments: impl Iterator<Item = &'a str>,
) -> Prepared {
    let arguments = arguments
        .map(|argument| Zeroizing::new(argument.to_owned()))
        .collect();
    Prepared::Program {
        program: program.to_owned(),
        arguments,
    }
}

pub(in super::super) fn shell(text: &str) -> Prepared {
    Prepared::Shell(Zeroizing::new(text.to_owned()))
}

/// Whether the file is no program.
pub(in super::super) fn is_not_a_program(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_BAD_EXE_FORMAT.cast_signed())
}

/// What a program wrote for people: UTF-8, or the encoding of consoles.
pub(in super::super) fn text_of(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    // No character of such an encoding takes more units than bytes.
    let mut units = Zeroizing::new(vec![0_u16; bytes.len()]);
    let size = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
    // SAFETY: both buffers are valid for their sizes.
    let count = unsafe {
        let (from, to) = (size(bytes.len()), size(units.len()));
        MultiByteToWideChar(CP_OEMCP, 0, bytes.as_ptr(), from, units.as_mut_ptr(), to)
    };
    String::from_utf16_lossy(
        usize::try_from(count)
            .ok()
            .and_then(|count| units.get(..count))
            .unwrap_or_default(),
    )
}

/// The reading end of a pipe.
pub(super) trait Source: Read + AsRawHandle {}

impl<S: Read + AsRawHandle> Source for S {}

pub(super) fn never_block(_: &impl Source) -> io::Result<()> {
    Ok(())
}

/// Reads what is there; `WouldBlock` if there is nothing yet, 0 if there will be nothing more.
pub(super) fn read(source: &mut impl Source, buffer: &mut [u8]) -> io::Result<usize> {
    let mut available = 0;
    // SAFETY: the handle is open as long as `source` is borrowed; nothing is copied, and
    // `available` is valid for writes.
    let peeked = unsafe {
        PeekNamedPipe(
            source.as_raw_handle(),
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            &raw mut available,
            ptr::null_mut(),
        )
    };
    if peeked == 0 {
        let error = io::Error::last_os_error();
        return if error.raw_os_error() == Some(ERROR_BROKEN_PIPE.cast_signed()) {
            Ok(0)
        } else {
            Err(error)
        };
    }
    // With this much there, reading does not block.
    match usize::try_from(available)
        .unwrap_or(usize::MAX)
        .min(buffer.len())
    {
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
    #[expect(
        dead_code,
        reason = "a console application of this system is not stopped for using the console"
    )]
    WantsTerminal,
    Exited,
}

pub(super) fn exit(code: u32) -> Exit {
    Exit::Code(code.cast_signed())
}
