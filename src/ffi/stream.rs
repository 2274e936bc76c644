//! # Streams
//!
//! A stream is a response that arrives in pieces.

use super::client::fal_client;
use super::request::fal_request;

operations! {
    /// Starts a stream: one POST to the endpoint's path "stream" (or that of
    /// fal_request_set_path()), directly to a runner.
    ///
    /// Each event of the response is a FAL_EVENT_ITEM, in order: JSON, or text if the app sent
    /// something else. The stream pauses while too many items are unread, so read or discard them.
    /// The response of the operation is the last item, by convention the result; it is empty if
    /// there was none. It is an error if the stream ends inside an event whose data is not complete
    /// JSON, or if a step of a workflow failed and no output followed.
    ///
    /// The content type shows a response that is not a stream of events. JSON is one item, which is
    /// also the response. Of anything else each piece is an item of bytes (fal_event_is_bytes())
    /// when it arrives, and the response is empty.
    ///
    /// A stream that breaks is FAL_E_CONNECTION_LOST, even if items have arrived. It is not sent
    /// again if it may have been executed.
    fn fal_client_stream_start(client: &fal_client, request: &fal_request) {
        client.inner.stream_start(request.inner.clone())?
    }

    /// Calls fal_client_stream_start(), discards the items and blocks until the last one arrives,
    /// which is the response. Free it with fal_response_free(). FAL_E_WOULD_DEADLOCK inside a
    /// callback.
    wait fal_client_stream;
}
