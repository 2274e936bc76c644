//! Synchronous calls of an endpoint (docs/protocol.md §4).

use serde_json::Value;

use crate::client::Client;
use crate::error::Result;
use crate::operation::Op;
use crate::request::Request;
use crate::response::Response;

impl Client {
    /// Starts a run: one POST to the endpoint, straight to a runner, without the queue.
    ///
    /// It is never sent a second time once it may have been executed; the error then says so
    /// ([`Error::may_have_executed`](crate::Error::may_have_executed)). A success that says itself
    /// that the output is not in it (202, 204, 205 or 206 to a POST or GET) is
    /// [`Code::Protocol`](crate::Code::Protocol).
    pub fn run_start(&self, request: Request) -> Result<Op> {
        self.start_run(request)
    }

    /// Runs an endpoint with this input and waits for its output, on any async runtime.
    ///
    /// If the future is dropped, the call is cancelled.
    pub async fn run(&self, endpoint: &str, input: Value) -> Result<Response> {
        let mut request = Request::run(endpoint)?;
        request.set_json(input);
        self.run_start(request)?.outcome().await
    }
}
