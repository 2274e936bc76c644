//! # Options of WebSockets
//!
//! How a realtime session or a WebSocket is to be. What is not set is the default that is named
//! here. One thread at a time may change an options object.

use std::time::Duration;

use super::boundary::plain;
use crate::error::Error;
use crate::services::socket::{SocketOptions, WhenFull};

/// Options of a realtime session or a WebSocket. Unique; freed with fal_socket_options_free().
/// Sessions copy what they need.
pub struct fal_socket_options {
    pub(super) inner: SocketOptions,
}

/// What happens to an input where as many wait as may: one of the FAL_WHEN_FULL_ constants.
pub type fal_when_full = i32;

/// It is refused with FAL_E_QUEUE_FULL.
pub const FAL_WHEN_FULL_REFUSE: fal_when_full = 0;
/// The oldest goes, and is reported as dropped.
pub const FAL_WHEN_FULL_DROP_OLDEST: fal_when_full = 1;
/// Only the newest waits: all others go, and are reported as dropped.
pub const FAL_WHEN_FULL_KEEP_NEWEST: fal_when_full = 2;

/// The options of a session; `None` means the defaults.
pub(super) fn options_or_default(options: Option<&fal_socket_options>) -> SocketOptions {
    options
        .map(|options| options.inner.clone())
        .unwrap_or_default()
}

/// Options with every default. NULL only if memory is gone.
#[unsafe(no_mangle)]
pub extern "C" fn fal_socket_options_new() -> *mut fal_socket_options {
    plain(std::ptr::null_mut(), || {
        Box::into_raw(Box::new(fal_socket_options {
            inner: SocketOptions::new(),
        }))
    })
}

frees! {
    /// Frees options. NULL does nothing.
    fn fal_socket_options_free(options: *mut fal_socket_options);
}

fallible! {
    /// How many inputs the service keeps while the app is busy, 1 to 60; the oldest go. By default
    /// the app decides.
    fn fal_socket_options_set_max_buffering(options: &mut fal_socket_options, most: u32) {
        options.inner = options.inner.clone().max_buffering(most)?;
    }

    /// Opens connections with the Authorization header in place of a short-lived token.
    fn fal_socket_options_set_use_header(options: &mut fal_socket_options, use_header: bool) {
        options.inner = options.inner.clone().use_header(use_header);
    }

    /// How long the tokens live that open connections, 1 to 3600 seconds, by default 120. They are
    /// renewed at 90 % of their life.
    fn fal_socket_options_set_token_seconds(options: &mut fal_socket_options, seconds: u32) {
        let lifetime = Duration::from_secs(seconds.into());
        options.inner = options.inner.clone().token_lifetime(lifetime)?;
    }

    /// How many inputs may wait to be sent, 1 to 65536, by default 64, and what happens to more, a
    /// FAL_WHEN_FULL_ constant, by default FAL_WHEN_FULL_REFUSE.
    fn fal_socket_options_set_queue(
        options: &mut fal_socket_options,
        most: usize,
        when_full: fal_when_full,
    ) {
        let when_full = match when_full {
            FAL_WHEN_FULL_REFUSE => WhenFull::Refuse,
            FAL_WHEN_FULL_DROP_OLDEST => WhenFull::DropOldest,
            FAL_WHEN_FULL_KEEP_NEWEST => WhenFull::KeepNewest,
            other => {
                return Err(Error::invalid(format!(
                    "when_full {other} is no FAL_WHEN_FULL_ constant"
                )));
            }
        };
        options.inner = options.inner.clone().queue(most, when_full)?;
    }

    /// The most bytes of a message either way; by default 32 MiB, or the client's limit of answers
    /// if that is less. A larger one that arrives ends the session with FAL_E_TOO_LARGE.
    fn fal_socket_options_set_max_message_bytes(options: &mut fal_socket_options, most: usize) {
        options.inner = options.inner.clone().max_message_bytes(most);
    }

    /// How often a ping is sent: every so many milliseconds, by default 30000; 0 sends none. Once
    /// the other side has moved nothing for four times as long, the connection counts as lost; a
    /// message that comes or goes slowly moves. While the host does not read its events, silence
    /// does not count.
    fn fal_socket_options_set_ping_ms(options: &mut fal_socket_options, ping_ms: u32) {
        let ping = Duration::from_millis(ping_ms.into());
        options.inner = options.inner.clone().ping(Some(ping));
    }
}
