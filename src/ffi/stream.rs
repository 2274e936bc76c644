//! # Streams
//!
//! Answers of an endpoint that come piece by piece.

use super::client::fal_client;
use super::request::fal_request;

operations! {
    /// Starts a stream: one POST to the endpoint's path "stream" (fal_request_set_path() names
    /// another), straight to a runner.
    ///
    /// Each event of the answer is a FAL_EVENT_ITEM, in order: JSON, or text where the app sent
    /// something else. They wait to be read, and the stream with them: read or discard them. The
    /// response is the last of them, by convention the result; it is empty if there was none. The
    /// stream of a workflow in which a step failed, without an output after it, is an error; so is
    /// a stream that ends inside an event.
    ///
    /// An answer that is no stream of events is told apart by its content type: JSON is one item,
    /// which is the response, too; of anything else each piece is an item of bytes
    /// (fal_event_is_bytes()) as it arrives, and the response is empty.
    ///
    /// A stream that breaks is FAL_E_CONNECTION_LOST, whatever had arrived. It is never sent a
    /// second time once it may have been executed.
    fn fal_client_stream_start(client: &fal_client, request: &fal_request) {
        client.inner.stream_start(request.inner.clone())?
    }

    /// The same, and waits for the last item; the others are discarded. Free the response with
    /// fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_stream;
}
