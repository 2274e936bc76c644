//! What realtime sessions and WebSockets have in common: how they are started, and the operation
//! that goes with them.

use super::boundary::{self, Out, status};
use super::client::{copy, fal_client};
use super::error::fal_error;
use super::op::fal_op;
use super::request::fal_request;
use super::shared::{Counted, Shared};
use super::socket_options::{self, fal_socket_options};
use super::status::fal_status;
use crate::client::Client;
use crate::error::Result;
use crate::operation::Op;
use crate::request::Request;
use crate::services::socket::SocketOptions;

/// A session of the core and its operation.
pub(super) struct Session<T> {
    session: T,
    op: Shared<fal_op>,
}

impl<T> Session<T> {
    pub(super) fn new(session: T, op: Op) -> Self {
        Session {
            session,
            op: fal_op::new(op),
        }
    }

    pub(super) fn get(&self) -> &T {
        &self.session
    }

    pub(super) fn op(&self) -> *const fal_op {
        self.op.lend()
    }
}

/// Starts a session with what a host gave, and shares it with the host.
///
/// # Safety
/// The pointers are as the header says: NULL, or live, or writable.
pub(super) unsafe fn start<S: AsRef<Counted>>(
    client: *const fal_client,
    request: *const fal_request,
    options: *const fal_socket_options,
    out: *mut *mut S,
    err: *mut *mut fal_error,
    begin: impl FnOnce(&Client, Request, SocketOptions) -> Result<Shared<S>>,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by this function's own contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or live, by this function's own contract.
        let client = unsafe { boundary::borrow(client, "client") }?;
        // SAFETY: NULL or live, by this function's own contract.
        let (request, options) = unsafe { (copy(request)?, socket_options::copy(options)) };
        out.set(begin(client.client(), request, options)?.give());
        Ok(())
    })
}
