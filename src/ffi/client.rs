//! # Client
//!
//! A client holds a credential, hosts, limits and connections. Creating one sends nothing and reads
//! only the variables that name hosts and proxies; the key is looked for by the first
//! operation. Any number of threads may use a client at once. A client created before a fork may be
//! used in the child.

use std::time::Duration;

use super::options::{self, fal_options};
use super::report::fal_credentials;
use super::request::fal_request;
use super::shared::{Counted, Shared};
use crate::client::Client;

/// A client. Shared: see fal_client_retain() and fal_client_release(). Any number of threads may use
/// it at once. Operations keep what they need of it.
pub struct fal_client {
    pub(super) inner: Client,
    counted: Counted,
}

fallible! {
    /// Creates a client. options may be NULL for the defaults, and may be freed afterwards. Release
    /// the client with fal_client_release().
    ///
    /// FAL_E_INVALID_ARGUMENT if a variable that names a host or a proxy is malformed.
    fn fal_client_new(options: Option<&fal_options>) -> Shared<fal_client> {
        let inner = options::client(options)?;
        Shared::new(|counted| fal_client { inner, counted })
    }
}

counted! {
    /// Adds a reference to the client and returns it. NULL returns NULL.
    fn fal_client_retain(client: *const fal_client) -> *mut fal_client;

    /// Releases one reference. The last release frees the client; its operations continue. NULL is
    /// ignored.
    fn fal_client_release(client: *mut fal_client);
}

fallible! {
    /// Looks for the key again and reports every source, as fal_credentials_explain() does for the
    /// client's options. The client keeps the key that it found first; if the search finds another
    /// one now, a note says which one is used. Free the report with fal_credentials_free().
    fn fal_client_explain(client: &fal_client) -> fal_credentials {
        fal_credentials::new(client.inner.explain())
    }

    /// Replaces the client's credential by the one that options describe; NULL means what the
    /// environment has. The other settings of options are ignored. Operations that are already
    /// running keep their credential.
    fn fal_client_set_credentials(client: &fal_client, options: Option<&fal_options>) {
        client.inner.set_credentials(options::credentials(options));
    }
}

operations! {
    /// Starts a check of the credential. It sends at most three requests, none of which runs
    /// anything or costs money, and repeats them if the credential changes meanwhile. The response
    /// is JSON: /accepted (boolean), /scope ("API", "ADMIN" or null), /account (null unless fal
    /// names it), /locked (why the account is locked, or null), /key_id and /source.
    fn fal_client_check_start(client: &fal_client) {
        client.inner.check_start()?
    }

    /// Calls fal_client_check_start() and blocks until the response arrives. Free it with
    /// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_check;

    /// Starts creating a short-lived token, valid for 1 to 3600 seconds, that permits calls of the
    /// given apps and nothing else. endpoints lists the apps by endpoint id, separated by commas.
    /// The response is JSON: /token, which is a secret, and /expires_in in seconds.
    fn fal_client_mint_token_start(
        client: &fal_client,
        endpoints: text[endpoints_len],
        seconds: u32,
    ) {
        let endpoints: Vec<_> = endpoints.split(',').map(str::trim).collect();
        client.inner.mint_token_start(&endpoints, Duration::from_secs(seconds.into()))?
    }

    /// Calls fal_client_mint_token_start() and blocks until the response arrives. Free it with
    /// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_mint_token;

    /// Starts a run: one POST of the request's input to its endpoint, directly to a runner, without
    /// the queue. The request is copied and may be changed or freed. Release the operation with
    /// fal_op_release().
    ///
    /// The POST is sent again only if it provably did not reach the service, or the service said
    /// that it did not accept it. A success status that means that the output is missing (202, 204,
    /// 205 or 206 for a POST or GET) is FAL_E_PROTOCOL.
    fn fal_client_run_start(client: &fal_client, request: &fal_request) {
        client.inner.run_start(request.inner.clone())?
    }

    /// Calls fal_client_run_start() and blocks until the response arrives. Free it with
    /// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_run;

    /// Starts a request that was created with fal_request_new_http(). The key is sent to those of
    /// fal's services that accept keys. A URL outside fal is FAL_E_FOREIGN_ORIGIN. GET, HEAD and
    /// OPTIONS are retried; other methods are sent again only under the rule of
    /// fal_client_run_start().
    fn fal_client_send_start(client: &fal_client, request: &fal_request) {
        client.inner.send_start(request.inner.clone())?
    }

    /// Calls fal_client_send_start() and blocks until the response arrives. Free it with
    /// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_send;
}
