//! # Channels
//!
//! HTTP over WebSocket: the requests of one endpoint over one connection, which is made once for
//! all of them. Answers come in the order of the requests.

use std::time::Duration;

use super::boundary::{self, Out, status};
use super::client::{copy, fal_client};
use super::error::fal_error;
use super::op::fal_op;
use super::request::fal_request;
use super::response::fal_response;
use super::shared::{self, Counted, Shared};
use super::status::fal_status;
use crate::operation::Op;
use crate::services::channel::Channel;

/// A channel to an endpoint. Shared: fal_channel_retain() and fal_channel_release(). Any thread may
/// use it.
pub struct fal_channel {
    channel: Channel,
    counted: Counted,
}

impl AsRef<Counted> for fal_channel {
    fn as_ref(&self) -> &Counted {
        &self.counted
    }
}

/// A channel to the endpoint of a request, whose path and headers hold for all requests of the
/// channel. Nothing is sent yet: it connects with the first request, and again with the next one if
/// the connection has ended meanwhile. The client is kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_channel_new(
    client: *const fal_client,
    request: *const fal_request,
    out: *mut *mut fal_channel,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or live, by the header's contract.
        let client = unsafe { boundary::borrow(client, "client") }?;
        // SAFETY: NULL or live, by the header's contract.
        let request = unsafe { boundary::borrow(request, "request") }?;
        let channel = client.client().channel(request.get())?;
        out.set(Shared::new(|counted| fal_channel { channel, counted }).give());
        Ok(())
    })
}

/// How often a ping is sent: every so many milliseconds, by default 30000; 0 sends none. Once the
/// other side has moved nothing for four times as long, the connection counts as lost: requests
/// under way on it are not sent again, and their outcome is unknown. While the host does not read
/// an answer, silence does not count. It holds for every owner of the channel, from the next
/// connection on. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_channel_set_ping_ms(
    channel: *const fal_channel,
    ping_ms: u32,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or live, by the header's contract.
        let channel = unsafe { boundary::borrow(channel, "channel") }?;
        channel
            .channel
            .set_ping(Some(Duration::from_millis(ping_ms.into())));
        Ok(())
    })
}

/// Starts a run over the channel with the input and the time limit of a request to its endpoint;
/// its other parts are not used. The outcome is that of fal_client_run_start(); if the endpoint
/// streams events, it is that of fal_client_stream_start(), with the same events. Cancelling leaves
/// the connection, and the others on it, alone; an answer whose items are not read holds up those
/// behind it.
///
/// A request is not sent again once it may have been executed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_channel_run_start(
    channel: *const fal_channel,
    request: *const fal_request,
    out: *mut *mut fal_op,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or live, by the header's contract.
        let channel = unsafe { boundary::borrow(channel, "channel") }?;
        // SAFETY: NULL or live, by the header's contract.
        let op = channel.channel.run_start(unsafe { copy(request) }?)?;
        out.set(fal_op::new(op).give());
        Ok(())
    })
}

/// The same, and waits for the answer. Free the response with fal_response_free().
///
/// FAL_E_WOULD_DEADLOCK inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_channel_run(
    channel: *const fal_channel,
    request: *const fal_request,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or live, by the header's contract.
        let channel = unsafe { boundary::borrow(channel, "channel") }?;
        // SAFETY: NULL or live, by the header's contract.
        let request = unsafe { copy(request) }?;
        out.give(fal_response::new(Op::finish(|| {
            channel.channel.run_start(request)
        })?));
        Ok(())
    })
}

/// One more owner of the channel; returns it. NULL gives NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_channel_retain(channel: *const fal_channel) -> *mut fal_channel {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { shared::retain(channel) }
}

/// One owner less; the connection is closed after the last one, once every answer has come. NULL
/// does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_channel_release(channel: *mut fal_channel) {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { shared::release(channel) }
}
