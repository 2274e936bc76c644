//! # Client
//!
//! A client holds a credential, addresses, limits and connections. Making one sends nothing and
//! reads nothing but the variables that name hosts; the key is looked for at the first call. Any
//! number of threads may use a client at once. A client made before a fork may be used in the
//! child.

use std::ffi::c_char;
use std::time::Duration;

use super::boundary::{self, Out, status};
use super::credentials::fal_credentials;
use super::error::fal_error;
use super::op::fal_op;
use super::options::fal_options;
use super::request::fal_request;
use super::response::fal_response;
use super::shared::{self, Counted, Shared};
use super::status::fal_status;
use crate::client::Client;
use crate::error::Result;
use crate::operation::Op;
use crate::request::Request;

/// A client. Shared: fal_client_retain() and fal_client_release(). Operations keep what they need
/// of it.
pub struct fal_client {
    client: Client,
    counted: Counted,
}

impl AsRef<Counted> for fal_client {
    fn as_ref(&self) -> &Counted {
        &self.counted
    }
}

impl fal_client {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

/// Makes a client. options may be NULL, for the defaults, and may be freed afterwards. Release it
/// with fal_client_release().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_new(
    options: *const fal_options,
    out: *mut *mut fal_client,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or live, by the header's contract.
        let client = unsafe { super::options::client(options) }?;
        out.set(Shared::new(|counted| fal_client { client, counted }).give());
        Ok(())
    })
}

/// One more owner of the client; returns it. NULL gives NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_retain(client: *const fal_client) -> *mut fal_client {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { shared::retain(client) }
}

/// One owner less; the last one frees the client. Operations under way go on. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_release(client: *mut fal_client) {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { shared::release(client) }
}

/// Looks for the key anew and reports every source, as fal_credentials_explain() does for this
/// client's options. A key is kept once it is found; if another one is found now, a note says with
/// which one calls go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_explain(
    client: *const fal_client,
    out: *mut *mut fal_credentials,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or live, by the header's contract.
        let client = unsafe { boundary::borrow(client, "client") }?;
        out.give(fal_credentials::new(client.client.explain()));
        Ok(())
    })
}

/// Uses another credential from now on, the one that options describe (NULL: what the environment
/// offers); their other settings are ignored. Operations under way keep theirs, for all of their
/// requests.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_set_credentials(
    client: *const fal_client,
    options: *const fal_options,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or live, by the header's contract.
        let client = unsafe { boundary::borrow(client, "client") }?;
        // SAFETY: NULL or live, by the header's contract.
        let credentials = unsafe { options.as_ref() }
            .map(fal_options::credentials)
            .unwrap_or_default();
        client.client.set_credentials(credentials);
        Ok(())
    })
}

/// Starts a check of the credential: three requests at the most, none of which runs or costs
/// anything. They are made again if the key is renewed meanwhile. The response is JSON: /accepted
/// (boolean), /scope ("API", "ADMIN" or null), /account (null unless fal tells it), /locked (why
/// the account is locked, or null), /key_id and /source.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_check_start(
    client: *const fal_client,
    out: *mut *mut fal_op,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { start(client, out, err, Client::check_start) }
}

/// The same, and waits for the answer. Free the response with fal_response_free().
///
/// FAL_E_WOULD_DEADLOCK inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_check(
    client: *const fal_client,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { call(client, out, err, Client::check_start) }
}

/// Starts making a short-lived token that opens these apps, given by their endpoint ids and
/// separated by commas, for 1 to 3600 seconds, and nothing else. The response is JSON: /token,
/// which is a secret, and /expires_in in seconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_mint_token_start(
    client: *const fal_client,
    endpoints: *const c_char,
    endpoints_len: usize,
    seconds: u32,
    out: *mut *mut fal_op,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        start(client, out, err, |client| {
            mint(
                client,
                boundary::text(endpoints, endpoints_len, "endpoints")?,
                seconds,
            )
        })
    }
}

/// The same, and waits for the answer. Free the response with fal_response_free().
///
/// FAL_E_WOULD_DEADLOCK inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_mint_token(
    client: *const fal_client,
    endpoints: *const c_char,
    endpoints_len: usize,
    seconds: u32,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        call(client, out, err, |client| {
            mint(
                client,
                boundary::text(endpoints, endpoints_len, "endpoints")?,
                seconds,
            )
        })
    }
}

fn mint(client: &Client, endpoints: &str, seconds: u32) -> Result<Op> {
    let endpoints: Vec<_> = endpoints.split(',').map(str::trim).collect();
    client.mint_token_start(&endpoints, Duration::from_secs(seconds.into()))
}

/// Starts a run: one POST of the request's input to its endpoint, straight to a runner, without the
/// queue. The request is copied and may be changed or freed. Release the operation with
/// fal_op_release().
///
/// It is sent again only if it provably did not reach the service or the service did not take it. A
/// success that says itself that the output is not in it (202, 204, 205 or 206 to a POST or GET) is
/// FAL_E_PROTOCOL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_run_start(
    client: *const fal_client,
    request: *const fal_request,
    out: *mut *mut fal_op,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { start(client, out, err, |client| client.run_start(copy(request)?)) }
}

/// The same, and waits for the answer. Free the response with fal_response_free().
///
/// FAL_E_WOULD_DEADLOCK inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_run(
    client: *const fal_client,
    request: *const fal_request,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { call(client, out, err, |client| client.run_start(copy(request)?)) }
}

/// Starts a request that was made with fal_request_new_http(). The key goes along to those of fal's
/// services that take keys; an address outside fal is refused with FAL_E_FOREIGN_ORIGIN. GET and
/// HEAD are tried again freely.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_send_start(
    client: *const fal_client,
    request: *const fal_request,
    out: *mut *mut fal_op,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { start(client, out, err, |client| client.send_start(copy(request)?)) }
}

/// The same, and waits for the answer. Free the response with fal_response_free().
///
/// FAL_E_WOULD_DEADLOCK inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_send(
    client: *const fal_client,
    request: *const fal_request,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe { call(client, out, err, |client| client.send_start(copy(request)?)) }
}

/// # Safety
/// Each pointer is NULL or valid for its type.
pub(super) unsafe fn start(
    client: *const fal_client,
    out: *mut *mut fal_op,
    err: *mut *mut fal_error,
    verb: impl FnOnce(&Client) -> Result<Op>,
) -> fal_status {
    status(err, || {
        // SAFETY: by this function's own contract.
        let (out, client) = unsafe {
            (
                Out::object(out, "out")?,
                boundary::borrow(client, "client")?,
            )
        };
        out.set(fal_op::new(verb(&client.client)?).give());
        Ok(())
    })
}

/// # Safety
/// Each pointer is NULL or valid for its type.
pub(super) unsafe fn call(
    client: *const fal_client,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
    verb: impl FnOnce(&Client) -> Result<Op>,
) -> fal_status {
    status(err, || {
        // SAFETY: by this function's own contract.
        let (out, client) = unsafe {
            (
                Out::object(out, "out")?,
                boundary::borrow(client, "client")?,
            )
        };
        out.give(fal_response::new(Op::finish(|| verb(&client.client))?));
        Ok(())
    })
}

/// # Safety
/// `request` is NULL or live.
pub(super) unsafe fn copy(request: *const fal_request) -> Result<Request> {
    // SAFETY: by this function's own contract.
    Ok(unsafe { boundary::borrow(request, "request") }?.copy())
}
