//! # Client
//!
//! A client holds a credential, addresses, limits and connections. Making one sends nothing and
//! reads nothing but the variables that name hosts; the key is looked for at the first call. Any
//! number of threads may use a client at once. A client made before a fork may be used in the
//! child.

use std::time::Duration;

use super::options::{self, fal_options};
use super::report::fal_credentials;
use super::request::fal_request;
use super::shared::{Counted, Shared};
use crate::client::Client;

/// A client. Shared: fal_client_retain() and fal_client_release(). Operations keep what they need
/// of it.
pub struct fal_client {
    pub(super) inner: Client,
    counted: Counted,
}

impl AsRef<Counted> for fal_client {
    fn as_ref(&self) -> &Counted {
        &self.counted
    }
}

fallible! {
    /// Makes a client. options may be NULL, for the defaults, and may be freed afterwards. Release
    /// it with fal_client_release().
    fn fal_client_new(options: Option<&fal_options>) -> Shared<fal_client> {
        let inner = options::client(options)?;
        Shared::new(|counted| fal_client { inner, counted })
    }
}

counted! {
    /// One more owner of the client; returns it. NULL gives NULL.
    fn fal_client_retain(client: *const fal_client) -> *mut fal_client;

    /// One owner less; the last one frees the client. Operations under way go on. NULL does
    /// nothing.
    fn fal_client_release(client: *mut fal_client);
}

fallible! {
    /// Looks for the key anew and reports every source, as fal_credentials_explain() does for this
    /// client's options. A key is kept once it is found; if another one is found now, a note says
    /// with which one calls go on.
    fn fal_client_explain(client: &fal_client) -> fal_credentials {
        fal_credentials::new(client.inner.explain())
    }

    /// Uses another credential from now on, the one that options describe (NULL: what the
    /// environment offers); their other settings are ignored. Operations under way keep theirs, for
    /// all of their requests.
    fn fal_client_set_credentials(client: &fal_client, options: Option<&fal_options>) {
        client.inner.set_credentials(options::credentials(options));
    }
}

operations! {
    /// Starts a check of the credential: three requests at the most, none of which runs or costs
    /// anything. They are made again if the key is renewed meanwhile. The response is JSON:
    /// /accepted (boolean), /scope ("API", "ADMIN" or null), /account (null unless fal tells it),
    /// /locked (why the account is locked, or null), /key_id and /source.
    fn fal_client_check_start(client: &fal_client) {
        client.inner.check_start()?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_check;

    /// Starts making a short-lived token that opens these apps, given by their endpoint ids and
    /// separated by commas, for 1 to 3600 seconds, and nothing else. The response is JSON: /token,
    /// which is a secret, and /expires_in in seconds.
    fn fal_client_mint_token_start(client: &fal_client, endpoints: text[endpoints_len], seconds: u32) {
        let endpoints: Vec<_> = endpoints.split(',').map(str::trim).collect();
        client.inner.mint_token_start(&endpoints, Duration::from_secs(seconds.into()))?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_mint_token;

    /// Starts a run: one POST of the request's input to its endpoint, straight to a runner, without
    /// the queue. The request is copied and may be changed or freed. Release the operation with
    /// fal_op_release().
    ///
    /// It is sent again only if it provably did not reach the service or the service did not take
    /// it. A success that says itself that the output is not in it (202, 204, 205 or 206 to a POST
    /// or GET) is FAL_E_PROTOCOL.
    fn fal_client_run_start(client: &fal_client, request: &fal_request) {
        client.inner.run_start(request.inner.clone())?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_run;

    /// Starts a request that was made with fal_request_new_http(). The key goes along to those of
    /// fal's services that take keys; an address outside fal is refused with FAL_E_FOREIGN_ORIGIN.
    /// GET and HEAD are tried again freely.
    fn fal_client_send_start(client: &fal_client, request: &fal_request) {
        client.inner.send_start(request.inner.clone())?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_send;
}
