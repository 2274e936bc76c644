//! # Platform API
//!
//! Every operation of fal's Platform API, by its name, such as "models.pricing"; docs/platform.md
//! lists all 82 with their parameters, and the scope that each needs of the key (docs/protocol.md
//! §14). Parameters are one JSON object, wherever they go: path, query, header or body. They are
//! checked first; what is missing, unknown, of a wrong type or out of bounds is
//! FAL_E_INVALID_ARGUMENT with a message that says what is allowed, and nothing is sent. Requests
//! that fal can tell from repeats are tried again: GET, and what takes an idempotency key, which is
//! made and sent.

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
    /// Starts an operation by its name. params is a JSON object; NULL for none. The response is
    /// what fal sent: JSON, nothing, a file, CSV or text. "serverless.logs.stream" gives each line
    /// as a FAL_EVENT_ITEM, until it is cancelled.
    ///
    /// "keys.create" is refused, since its answer holds a secret: see fal_client_create_key().
    fn fal_client_platform_start(
        client: &fal_client,
        name: text[name_len],
        params: Option<text[params_len]>,
    ) {
        client.inner.platform_start(name, json(params)?)?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_platform;
}

fallible! {
    /// Starts reading a list, such as "keys.list", through all its pages: each element is a
    /// FAL_EVENT_ITEM. The next page is asked for when the last element before it was read, so a
    /// list may be longer than the memory. To stop early, cancel the operation and discard its
    /// events. The parameter "limit" is the size of a page. The client's time holds for each page.
    /// The lines of "serverless.logs.stream" can be read so too.
    ///
    /// FAL_E_PROTOCOL, in the end, if the list would never end: fal gives a page twice, or 1000 in
    /// a row without an element.
    fn fal_client_platform_list_start(
        client: &fal_client,
        name: text[name_len],
        params: Option<text[params_len]>,
    ) -> Shared<fal_op> {
        fal_op::new(client.inner.platform_list_start(name, json(params)?)?)
    }
}

/// The scope of the key in use, "API" or "ADMIN", if it is known: from fal_client_check(), or from
/// what fal answered. NULL if it is not. The string is static.
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

/// A key that is being made, or was. Its secret is overwritten when it is freed. Unique; freed with
/// fal_new_key_free(). Several threads may read it at once.
pub struct fal_new_key {
    creating: CreatingKey,
    op: Shared<fal_op>,
    /// Two threads may both make it, and neither waits for the other: in a forked child there is no
    /// other.
    made: OnceBox<Made>,
}

struct Made {
    key: Arc<Key>,
    /// With their NULs.
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
            // Of the final size: growing would leave copies of the secret behind.
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
            .ok_or_else(|| Error::invalid("the key was not made, or not yet"))
    }
}

fallible! {
    /// Starts making an API key of this name, 1 to 255 characters; the client needs an ADMIN key.
    /// When the operation of fal_new_key_op() has ended well, the key is in the object; it works at
    /// once. Its secret comes only this time, and is nowhere else: not in the response, in an error
    /// or in the log.
    ///
    /// It is never asked for twice. If the answer is lost, fal_error_may_have_executed() is true,
    /// and a key may be there that nobody knows: fal_error_remedy() tells how to find it.
    fn fal_client_create_key_start(client: &fal_client, alias: text[alias_len]) -> fal_new_key {
        fal_new_key::new(client.inner.create_key_start(alias)?)
    }

    /// The same, and waits for the key. Free it with fal_new_key_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    fn fal_client_create_key(client: &fal_client, alias: text[alias_len]) -> fal_new_key {
        let mut creating = None;
        Op::finish(|| {
            let started = creating.insert(client.inner.create_key_start(alias)?);
            Ok(started.op().clone())
        })?;
        fal_new_key::new(creating.ok_or_else(|| Error::invalid("nothing was started"))?)
    }
}

frees! {
    /// Frees it, and overwrites the secret. A key that is being made is made nevertheless. NULL
    /// does nothing.
    fn fal_new_key_free(key: *mut fal_new_key);
}

infallible! {
    /// The operation that makes the key; borrowed from it, so retain it to keep it longer. NULL for
    /// NULL.
    fn fal_new_key_op(key: &fal_new_key) -> *const fal_op = (std::ptr::null()) {
        key.op.lend()
    }
}

/// The public half of the key; NULL before it was made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_new_key_id(key: *const fal_new_key, len: *mut usize) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { text(key, len, |made| &made.id) }
}

/// The whole key, "id:secret": keep it out of logs and files that others read. NULL before it was
/// made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_new_key_secret(
    key: *const fal_new_key,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { text(key, len, |made| &made.whole) }
}

fallible! {
    /// Stores the key in a profile of the configuration file, as fal_credentials_store_key() does;
    /// the secret does not pass through the host.
    fn fal_new_key_store_in_profile(
        key: &fal_new_key,
        options: Option<&fal_options>,
        profile: text[profile_len],
        activate: bool,
    ) {
        let made = key.ready()?;
        store(options)?.store_key(profile, &made.key, activation(activate))?;
    }

    /// Stores the key in the system keyring, as fal_keyring_store_key() does; the secret does not
    /// pass through the host.
    fn fal_new_key_store_in_keyring(key: &fal_new_key, account: text[account_len]) {
        store_in_keyring(&Environment::process(), account, &key.ready()?.key)?;
    }
}

operations! {
    /// Starts revoking an API key by its id. It stops at once; that there is none of this id is no
    /// error. The key that the client itself uses is FAL_E_INVALID_ARGUMENT, unless allow_own.
    fn fal_client_revoke_key_start(client: &fal_client, id: text[id_len], allow_own: bool) {
        client.inner.revoke_key_start(id, allow_own)?
    }

    /// The same, and waits for the answer, which is empty.
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
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
