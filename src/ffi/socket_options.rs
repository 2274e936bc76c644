//! # Options of WebSockets
//!
//! How a realtime session or a WebSocket is to be. What is not set is the default that is named
//! here. One thread at a time may change an options object.

use std::time::Duration;

use super::boundary::{self, plain, status};
use super::error::fal_error;
use super::status::fal_status;
use crate::error::{Error, Result};
use crate::services::socket::{SocketOptions, WhenFull};

/// Options of a realtime session or a WebSocket. Unique; freed with fal_socket_options_free().
/// Sessions copy what they need.
pub struct fal_socket_options {
    options: SocketOptions,
}

/// What happens to an input where as many wait as may: one of the FAL_WHEN_FULL_ constants.
pub type fal_when_full = i32;

/// It is refused with FAL_E_QUEUE_FULL.
pub const FAL_WHEN_FULL_REFUSE: fal_when_full = 0;
/// The oldest goes, and is reported as dropped.
pub const FAL_WHEN_FULL_DROP_OLDEST: fal_when_full = 1;
/// Only the newest waits: all others go, and are reported as dropped.
pub const FAL_WHEN_FULL_KEEP_NEWEST: fal_when_full = 2;

/// What they say; the defaults for NULL.
///
/// # Safety
/// `options` is NULL or live.
pub(super) unsafe fn copy(options: *const fal_socket_options) -> SocketOptions {
    // SAFETY: by this function's own contract.
    unsafe { options.as_ref() }
        .map(|options| options.options.clone())
        .unwrap_or_default()
}

/// Changes options by a step that may fail and then changes nothing.
///
/// # Safety
/// `options` is NULL or live and used by nobody else.
unsafe fn change(
    options: *mut fal_socket_options,
    err: *mut *mut fal_error,
    step: impl FnOnce(SocketOptions) -> Result<SocketOptions>,
) -> fal_status {
    status(err, || {
        // SAFETY: by this function's own contract.
        let options = unsafe { boundary::borrow_mut(options, "options") }?;
        options.options = step(options.options.clone())?;
        Ok(())
    })
}

/// Options with every default. NULL only if memory is gone.
#[unsafe(no_mangle)]
pub extern "C" fn fal_socket_options_new() -> *mut fal_socket_options {
    plain(std::ptr::null_mut(), || {
        Box::into_raw(Box::new(fal_socket_options {
            options: SocketOptions::new(),
        }))
    })
}

/// Frees options. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_socket_options_free(options: *mut fal_socket_options) {
    // SAFETY: the caller owns them.
    unsafe { boundary::free(options) }
}

/// How many inputs the service keeps while the app is busy, 1 to 60; the oldest go. By default the
/// app decides.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_socket_options_set_max_buffering(
    options: *mut fal_socket_options,
    most: u32,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe { change(options, err, |options| options.max_buffering(most)) }
}

/// Opens connections with the Authorization header in place of a short-lived token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_socket_options_set_use_header(
    options: *mut fal_socket_options,
    use_header: bool,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe { change(options, err, |options| Ok(options.use_header(use_header))) }
}

/// How long the tokens live that open connections, 1 to 3600 seconds, by default 120. They are
/// renewed at 90 % of their life.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_socket_options_set_token_seconds(
    options: *mut fal_socket_options,
    seconds: u32,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe {
        change(options, err, |options| {
            options.token_lifetime(Duration::from_secs(seconds.into()))
        })
    }
}

/// How many inputs may wait to be sent, 1 to 65536, by default 64, and what happens to more, a
/// FAL_WHEN_FULL_ constant, by default FAL_WHEN_FULL_REFUSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_socket_options_set_queue(
    options: *mut fal_socket_options,
    most: usize,
    when_full: fal_when_full,
    err: *mut *mut fal_error,
) -> fal_status {
    let when_full = match when_full {
        FAL_WHEN_FULL_REFUSE => Ok(WhenFull::Refuse),
        FAL_WHEN_FULL_DROP_OLDEST => Ok(WhenFull::DropOldest),
        FAL_WHEN_FULL_KEEP_NEWEST => Ok(WhenFull::KeepNewest),
        other => Err(Error::invalid(format!(
            "when_full {other} is no FAL_WHEN_FULL_ constant"
        ))),
    };
    // SAFETY: as the header says.
    unsafe { change(options, err, |options| options.queue(most, when_full?)) }
}

/// The most bytes of a message either way; by default 32 MiB, or the client's limit of answers if
/// that is less. A larger one that arrives ends the session with FAL_E_TOO_LARGE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_socket_options_set_max_message_bytes(
    options: *mut fal_socket_options,
    most: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe { change(options, err, |options| Ok(options.max_message_bytes(most))) }
}

/// How often a ping is sent: every so many milliseconds, by default 30000; 0 sends none. Once the
/// other side has moved nothing for four times as long, the connection counts as lost; a message
/// that comes or goes slowly moves. While the host does not read its events, silence does not
/// count.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_socket_options_set_ping_ms(
    options: *mut fal_socket_options,
    ping_ms: u32,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe {
        change(options, err, |options| {
            Ok(options.ping(Some(Duration::from_millis(ping_ms.into()))))
        })
    }
}
