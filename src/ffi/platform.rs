//! # Platform API
//!
//! The operations of fal's Platform API are called by name, such as "models.pricing".
//! docs/platform.md lists all 82 with their parameters and the scope of the key that each needs
//! (docs/protocol.md §14).
//!
//! The parameters are one JSON object, whether they belong into the path, the query, a header or
//! the body. They are checked first: a parameter that is missing, unknown, out of range or of a
//! wrong type is FAL_E_INVALID_ARGUMENT with a message that says what is allowed, and nothing is
//! sent. Requests that fal recognizes as repeated are retried: GET, and operations that take an
//! idempotency key, which libfal generates.

use std::ffi::c_char;
use std::sync::Arc;

use once_cell::race::OnceBox;
use serde_json::Value;
use zeroize::Zeroizing;

use super::boundary::plain;
use super::client::fal_client;
use super::op::fal_op;
use super::options::fal_options;
use super::shared::Shared;
use super::store::{activation, store};
use super::texts::set_len;
use crate::credentials::{Environment, store_in_keyring};
use crate::error::{Error, Result};
use crate::key::{Key, Scope};
use crate::operation::Op;
use crate::services::platform::CreatingKey;

operations! {
    /// Starts an operation, given by its name. params is a JSON object, or NULL for no parameters.
    /// The response is what fal sent: JSON, nothing, a file, CSV or text. "serverless.logs.stream"
    /// reports each line as a FAL_EVENT_ITEM until it is cancelled.
    ///
    /// FAL_E_INVALID_ARGUMENT for "keys.create", because its response contains a secret: see
    /// fal_client_create_key().
    fn fal_client_platform_start(
        client: &fal_client,
        name: text[name_len],
        params: Option<text[params_len]>,
    ) {
        client.inner.platform_start(name, json(params)?)?
    }

    /// Calls fal_client_platform_start() and blocks until the response arrives. Free it with
    /// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_platform;
}

fallible! {
    /// Starts reading all pages of a list, such as "keys.list". Each element is a FAL_EVENT_ITEM. A
    /// page is requested when the last element of the page before it was read, so a list may be
    /// larger than the memory. To stop early, cancel the operation and discard its events. The
    /// parameter "limit" is the size of a page. The client's timeout applies to each page.
    /// "serverless.logs.stream" can be read in this way, too.
    ///
    /// FAL_E_PROTOCOL if the list does not end: fal returned a page twice, or 1000 empty pages in a
    /// row.
    fn fal_client_platform_list_start(
        client: &fal_client,
        name: text[name_len],
        params: Option<text[params_len]>,
    ) -> Shared<fal_op> {
        fal_op::new(client.inner.platform_list_start(name, json(params)?)?)
    }
}

/// Returns the scope of the key in use, "API" or "ADMIN", if fal_client_check() or an earlier
/// response revealed it; otherwise NULL. The string is static.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_known_scope(
    client: *const fal_client,
    len: *mut usize,
) -> *const c_char {
    let scope = plain(None, || {
        // SAFETY: NULL or live, by the header's contract.
        unsafe { client.as_ref() }.and_then(|client| client.inner.known_scope())
    });
    let name = match scope {
        None => c"",
        Some(Scope::Api) => c"API",
        Some(Scope::Admin) => c"ADMIN",
    };
    // SAFETY: NULL or writable, by the header's contract.
    unsafe { set_len(len, name.count_bytes()) };
    if name.is_empty() {
        std::ptr::null()
    } else {
        name.as_ptr()
    }
}

/// An API key that is being created, or was. Unique; freed with fal_new_key_free(), which
/// overwrites the secret. Several threads may read it at once.
pub struct fal_new_key {
    creating: CreatingKey,
    op: Shared<fal_op>,
    /// Does not block: two threads may both create the value. A forked child could wait forever for
    /// a thread that only the parent has.
    made: OnceBox<Made>,
}

struct Made {
    key: Arc<Key>,
    /// With a NUL at the end, as the next field.
    id: Box<[u8]>,
    whole: Zeroizing<Vec<u8>>,
}

impl fal_new_key {
    fn new(creating: CreatingKey) -> Self {
        let op = fal_op::new(creating.op().clone());
        fal_new_key {
            creating,
            op,
            made: OnceBox::new(),
        }
    }

    fn made(&self) -> Option<&Made> {
        let made = self.made.get_or_try_init(|| {
            let key = self.creating.key().ok_or(())?;
            // The final size: growing would leave copies of the secret in freed memory.
            let mut whole = Zeroizing::new(Vec::with_capacity(
                key.id().len() + key.expose_secret().len() + 2,
            ));
            for part in [key.id(), ":", key.expose_secret(), "\0"] {
                whole.extend_from_slice(part.as_bytes());
            }
            let id = [key.id().as_bytes(), b"\0"].concat().into_boxed_slice();
            Ok::<_, ()>(Box::new(Made { key, id, whole }))
        });
        made.ok()
    }

    fn ready(&self) -> Result<&Made> {
        self.made()
            .ok_or_else(|| Error::invalid("the key does not exist yet"))
    }
}

fallible! {
    /// Starts creating an API key with a name of 1 to 255 characters. The client needs an ADMIN
    /// key. When the operation of fal_new_key_op() has succeeded, *out has the new key, which is
    /// valid at once. Its secret is available only there: not in the response, in an error or in
    /// the log. Free *out with fal_new_key_free().
    ///
    /// The request is sent once. If its response is lost, fal_error_may_have_executed() is true and
    /// an unknown key may exist: fal_error_remedy() says how to find it.
    fn fal_client_create_key_start(client: &fal_client, alias: text[alias_len]) -> fal_new_key {
        fal_new_key::new(client.inner.create_key_start(alias)?)
    }

    /// Creates an API key as fal_client_create_key_start() does, and blocks until it exists. Free
    /// it with fal_new_key_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    fn fal_client_create_key(client: &fal_client, alias: text[alias_len]) -> fal_new_key {
        let mut creating = None;
        Op::finish(|| {
            let started = creating.insert(client.inner.create_key_start(alias)?);
            Ok(started.op().clone())
        })?;
        fal_new_key::new(creating.ok_or_else(|| Error::invalid("no operation was started"))?)
    }
}

frees! {
    /// Frees the object and overwrites the secret. It does not stop the creation of a key. NULL is
    /// ignored.
    fn fal_new_key_free(key: *mut fal_new_key);
}

infallible! {
    /// Returns the operation that creates the key. It is borrowed from the object: retain it to
    /// keep it longer. NULL for NULL.
    fn fal_new_key_op(key: &fal_new_key) -> *const fal_op = (std::ptr::null()) {
        key.op.lend()
    }
}

/// Returns the public id of the key; NULL until the key exists.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_new_key_id(key: *const fal_new_key, len: *mut usize) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { text(key, len, |made| &made.id) }
}

/// Returns the whole key, "id:secret"; NULL until the key exists. Do not write it to a log or a
/// file that others can read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_new_key_secret(
    key: *const fal_new_key,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { text(key, len, |made| &made.whole) }
}

fallible! {
    /// Stores the key in a profile of the configuration file, as fal_profiles_store_key() does,
    /// without passing the secret through the host program. FAL_E_INVALID_ARGUMENT until the key
    /// exists.
    fn fal_new_key_store_in_profile(
        key: &fal_new_key,
        options: Option<&fal_options>,
        profile: text[profile_len],
        activate: bool,
    ) {
        let made = key.ready()?;
        store(options)?.store_key(profile, &made.key, activation(activate))?;
    }

    /// Stores the key in the system keyring, as fal_keyring_store_key() does, without passing the
    /// secret through the host program. FAL_E_INVALID_ARGUMENT until the key exists.
    fn fal_new_key_store_in_keyring(key: &fal_new_key, account: text[account_len]) {
        store_in_keyring(&Environment::process(), account, &key.ready()?.key)?;
    }
}

operations! {
    /// Starts revoking an API key, given by its id. The key is invalid at once. It succeeds if
    /// there is no such key. FAL_E_INVALID_ARGUMENT if it is the client's own key, unless allow_own
    /// is true.
    fn fal_client_revoke_key_start(client: &fal_client, id: text[id_len], allow_own: bool) {
        client.inner.revoke_key_start(id, allow_own)?
    }

    /// Calls fal_client_revoke_key_start() and blocks until the response arrives, which is empty.
    /// Free it with fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_revoke_key;
}

fn json(params: Option<&str>) -> Result<Value> {
    params.map_or(Ok(Value::Null), |params| {
        serde_json::from_str(params).map_err(|e| Error::invalid(format!("params is not JSON: {e}")))
    })
}

/// # Safety
/// `key` is NULL or live; `len` is NULL or writable.
unsafe fn text(
    key: *const fal_new_key,
    len: *mut usize,
    get: impl FnOnce(&Made) -> &[u8],
) -> *const c_char {
    let text = plain(None, || {
        // SAFETY: by this function's own contract.
        unsafe { key.as_ref() }.and_then(|key| key.made()).map(get)
    });
    // SAFETY: by this function's own contract.
    unsafe { set_len(len, text.map_or(0, |text| text.len() - 1)) };
    text.map_or(std::ptr::null(), |text| text.as_ptr().cast())
}
