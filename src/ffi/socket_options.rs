//! # Options of WebSockets
//!
//! Options of a realtime session or a WebSocket. What is not set has the default that is stated
//! here. Only one thread at a time may change an options object.

use std::time::Duration;

use super::boundary::{no_constant, plain};
use crate::services::socket::{SocketOptions, WhenFull};

/// Options of a realtime session or a WebSocket. Unique; freed with fal_socket_options_free(). Only one
/// thread at a time may change them. Sessions copy what they need.
pub struct fal_socket_options {
    pub(super) inner: SocketOptions,
}

/// What happens to an input when the queue of unsent inputs is full: see
/// fal_socket_options_set_queue().
pub type fal_when_full = i32;

/// The new input fails with FAL_E_QUEUE_FULL.
pub const FAL_WHEN_FULL_REFUSE: fal_when_full = 0;
/// The oldest input is dropped, which an event reports.
pub const FAL_WHEN_FULL_DROP_OLDEST: fal_when_full = 1;
/// Only the newest input waits, whatever the limit: a further one replaces it, which an event reports.
pub const FAL_WHEN_FULL_KEEP_NEWEST: fal_when_full = 2;

/// The options of a session; `None` means the defaults.
pub(super) fn options_or_default(options: Option<&fal_socket_options>) -> SocketOptions {
    options
        .map(|options| options.inner.clone())
        .unwrap_or_default()
}

/// Creates options with every default. Returns NULL only if there is no memory. Free them with
/// fal_socket_options_free().
#[unsafe(no_mangle)]
pub extern "C" fn fal_socket_options_new() -> *mut fal_socket_options {
    plain(std::ptr::null_mut(), || {
        Box::into_raw(Box::new(fal_socket_options {
            inner: SocketOptions::new(),
        }))
    })
}

frees! {
    /// Frees options. NULL is ignored.
    fn fal_socket_options_free(options: *mut fal_socket_options);
}

fallible! {
    /// Sets how many inputs the service keeps while the app is busy, 1 to 60; it drops the oldest
    /// ones. By default the app decides.
    fn fal_socket_options_set_max_buffering(options: &mut fal_socket_options, most: u32) {
        options.inner = options.inner.clone().max_buffering(most)?;
    }

    /// Sets whether a connection is authorized by the Authorization header instead of a short-lived
    /// token; by default false.
    fn fal_socket_options_set_use_header(options: &mut fal_socket_options, use_header: bool) {
        options.inner = options.inner.clone().use_header(use_header);
    }

    /// Sets the lifetime of the short-lived tokens, 1 to 3600 seconds; by default 120. A token is
    /// renewed after 90 % of its lifetime.
    fn fal_socket_options_set_token_seconds(options: &mut fal_socket_options, seconds: u32) {
        let lifetime = Duration::from_secs(seconds.into());
        options.inner = options.inner.clone().token_lifetime(lifetime)?;
    }

    /// Sets how many inputs may wait to be sent, 1 to 65536, by default 64; and what happens to
    /// further ones, by default FAL_WHEN_FULL_REFUSE. FAL_WHEN_FULL_KEEP_NEWEST ignores most.
    fn fal_socket_options_set_queue(
        options: &mut fal_socket_options,
        most: usize,
        when_full: fal_when_full,
    ) {
        let when_full = match when_full {
            FAL_WHEN_FULL_REFUSE => WhenFull::Refuse,
            FAL_WHEN_FULL_DROP_OLDEST => WhenFull::DropOldest,
            FAL_WHEN_FULL_KEEP_NEWEST => WhenFull::KeepNewest,
            other => return Err(no_constant("when_full", "FAL_WHEN_FULL_", other)),
        };
        options.inner = options.inner.clone().queue(most, when_full)?;
    }

    /// Sets the maximum size of a message in bytes, in both directions. The default is 32 MiB, or
    /// the client's limit of a response body if that is less. A larger message from the app ends
    /// the session with FAL_E_TOO_LARGE.
    fn fal_socket_options_set_max_message_bytes(options: &mut fal_socket_options, most: usize) {
        options.inner = options.inner.clone().max_message_bytes(most);
    }

    /// Sets the interval of pings in milliseconds; by default 30000; 0 sends none. If the other
    /// side moves no byte for four intervals, the connection is considered lost. Time during which
    /// the host does not read events does not count.
    fn fal_socket_options_set_ping_ms(options: &mut fal_socket_options, ping_ms: u32) {
        let ping = Duration::from_millis(ping_ms.into());
        options.inner = options.inner.clone().ping(Some(ping));
    }
}
