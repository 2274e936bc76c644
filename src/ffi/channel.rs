//! # Channels
//!
//! HTTP over WebSocket: the requests of one endpoint over one connection, which is made once for
//! all of them. Answers come in the order of the requests.

use std::time::Duration;

use super::client::fal_client;
use super::request::fal_request;
use super::shared::{Counted, Shared};
use crate::services::channel::Channel;

/// A channel to an endpoint. Shared: fal_channel_retain() and fal_channel_release(). Any thread may
/// use it.
pub struct fal_channel {
    inner: Channel,
    counted: Counted,
}

impl AsRef<Counted> for fal_channel {
    fn as_ref(&self) -> &Counted {
        &self.counted
    }
}

fallible! {
    /// A channel to the endpoint of a request, whose path and headers hold for all requests of the
    /// channel. Nothing is sent yet: it connects with the first request, and again with the next
    /// one if the connection has ended meanwhile. The client is kept.
    fn fal_channel_new(client: &fal_client, request: &fal_request) -> Shared<fal_channel> {
        let inner = client.inner.channel(&request.inner)?;
        Shared::new(|counted| fal_channel { inner, counted })
    }

    /// How often a ping is sent: every so many milliseconds, by default 30000; 0 sends none. Once
    /// the other side has moved nothing for four times as long, the connection counts as lost:
    /// requests under way on it are not sent again, and their outcome is unknown. While the host
    /// does not read an answer, silence does not count. It holds for every owner of the channel,
    /// from the next connection on. Any thread.
    fn fal_channel_set_ping_ms(channel: &fal_channel, ping_ms: u32) {
        channel.inner.set_ping(Some(Duration::from_millis(ping_ms.into())));
    }
}

operations! {
    /// Starts a run over the channel with the input and the time limit of a request to its
    /// endpoint; its other parts are not used. The outcome is that of fal_client_run_start(); if
    /// the endpoint streams events, it is that of fal_client_stream_start(), with the same events.
    /// Cancelling leaves the connection, and the others on it, alone; an answer whose items are not
    /// read holds up those behind it.
    ///
    /// A request is not sent again once it may have been executed.
    fn fal_channel_run_start(channel: &fal_channel, request: &fal_request) {
        channel.inner.run_start(request.inner.clone())?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_channel_run;
}

counted! {
    /// One more owner of the channel; returns it. NULL gives NULL.
    fn fal_channel_retain(channel: *const fal_channel) -> *mut fal_channel;

    /// One owner less; the connection is closed after the last one, once every answer has come.
    /// NULL does nothing.
    fn fal_channel_release(channel: *mut fal_channel);
}
