//! Starts, watches and kills a program on Windows.
//!
//! The standard library would let the program inherit every inheritable handle of the host, so that
//! ports and files would stay in use. It could also add the program to a job only after the start.
//! So this module calls CreateProcessW() itself.

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

use super::state::Exit;
pub(super) use start::{Child, Group, spawn};

pub(super) type Stdout = PipeReader;
pub(super) type Stderr = PipeReader;

/// Returns whether the error says that the file is not a program.
pub(in super::super) fn is_not_a_program(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ERROR_BAD_EXE_FORMAT.cast_signed())
}

/// Decodes the stderr of a program: UTF-8, or the encoding of the console.
pub(in super::super) fn text_of(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    // A character takes at most as many UTF-16 units as bytes.
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

/// Reads the available bytes. Returns `WouldBlock` if there are none, and 0 at the end of the
/// stream.
pub(super) fn read(source: &mut impl Source, buffer: &mut [u8]) -> io::Result<usize> {
    let mut available = 0;
    // SAFETY: the handle is open while `source` is borrowed. Nothing is copied, and `available` is
    // valid for writes.
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
    // A read of the available bytes does not block.
    match usize::try_from(available)
        .unwrap_or(usize::MAX)
        .min(buffer.len())
    {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        count => source.read(buffer.get_mut(..count).unwrap_or_default()),
    }
}

/// Sleeps for `limit`. A wait for a pipe would need a thread or an overlapped read.
pub(super) fn wait_readable(_: Option<&impl Source>, _: Option<&impl Source>, limit: Duration) {
    std::thread::sleep(limit.max(Duration::from_millis(1)));
}

pub(super) fn exit(code: u32) -> Exit {
    Exit::Code(code.cast_signed())
}
