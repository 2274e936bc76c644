//! # Channels
//!
//! A channel sends HTTP requests to one endpoint over one WebSocket connection, and so saves
//! opening a connection for each. Responses arrive in the order of the requests.

use std::time::Duration;

use super::client::fal_client;
use super::request::fal_request;
use super::shared::{Counted, Shared};
use crate::services::channel::Channel;

/// A channel to an endpoint. Shared: see fal_channel_retain() and fal_channel_release(). Any thread
/// may use it.
pub struct fal_channel {
    inner: Channel,
    counted: Counted,
}

fallible! {
    /// Creates a channel to the endpoint of a request, whose path and headers apply to all requests
    /// of the channel. It sends nothing: the first run connects, and a later one reconnects if the
    /// connection has ended. The channel keeps the client alive. Release it with
    /// fal_channel_release().
    fn fal_channel_new(client: &fal_client, request: &fal_request) -> Shared<fal_channel> {
        let inner = client.inner.channel(&request.inner)?;
        Shared::new(|counted| fal_channel { inner, counted })
    }

    /// Sets the interval of pings in milliseconds; by default 30000; 0 sends none. If the other
    /// side moves no byte for four intervals, the connection is considered lost: its running
    /// requests are not sent again, and their outcome is unknown. Time during which the host does
    /// not read a response does not count. The setting applies to all users of the channel, from
    /// the next connection on. Any thread may call it.
    fn fal_channel_set_ping_ms(channel: &fal_channel, ping_ms: u32) {
        channel.inner.set_ping(Some(Duration::from_millis(ping_ms.into())));
    }
}

operations! {
    /// Starts a run over the channel with the input and timeout of a request to its endpoint; other
    /// parts of the request are not used. The outcome is as in fal_client_run_start() or, if the
    /// endpoint streams events, as in fal_client_stream_start(), with the same events. Cancelling
    /// one run does not affect the connection or other runs. A response whose items are not read
    /// delays the responses after it.
    ///
    /// A request is not sent again if it may have been executed.
    fn fal_channel_run_start(channel: &fal_channel, request: &fal_request) {
        channel.inner.run_start(request.inner.clone())?
    }

    /// Calls fal_channel_run_start() and blocks until the response arrives. Free it with
    /// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_channel_run;
}

counted! {
    /// Adds a reference to the channel and returns it. NULL returns NULL.
    fn fal_channel_retain(channel: *const fal_channel) -> *mut fal_channel;

    /// Releases one reference. After the last release the connection is closed when all responses
    /// have arrived. NULL is ignored.
    fn fal_channel_release(channel: *mut fal_channel);
}
