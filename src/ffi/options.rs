//! # Options
//!
//! How a client is made. What is not set comes from the environment or is the default that is named
//! here. One thread at a time may change an options object.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use super::boundary::{self, User, plain};
use super::credential_request::fal_credential_request;
use super::times;
use crate::client::{Client, ClientBuilder, HostRole};
use crate::credentials;
use crate::error::{Error, Result};
use crate::log::Level;
use crate::runtime;

/// Options of a client. Unique; freed with fal_options_free(). Clients and reports copy what they
/// need.
pub struct fal_options {
    builder: ClientBuilder,
    pub(super) credentials: credentials::Options,
}

/// A host that can be replaced: one of the FAL_HOST_ constants. The variable in brackets sets it
/// too; an option is stronger.
pub type fal_host = i32;

/// Synchronous calls (FAL_RUN_HOST), "fal.run". The queue's host follows as "queue." and this one.
pub const FAL_HOST_RUN: fal_host = 0;
/// The queue (FAL_QUEUE_RUN_HOST), "queue.fal.run".
pub const FAL_HOST_QUEUE: fal_host = 1;
/// Tokens and uploads (FAL_REST_HOST), "rest.fal.ai".
pub const FAL_HOST_REST: fal_host = 2;
/// The Platform API (FAL_PLATFORM_HOST), "api.fal.ai".
pub const FAL_HOST_PLATFORM: fal_host = 3;
/// Files (FAL_CDN_HOST), "v3.fal.media". It never sees the key.
pub const FAL_HOST_CDN: fal_host = 4;
/// A fal-emulator on this machine (FAL_EMULATOR_HOST), "127.0.0.1:PORT", that takes the place of
/// all of them.
pub const FAL_HOST_EMULATOR: fal_host = 5;

/// How much is logged: one of the FAL_LOG_ constants.
pub type fal_log_level = i32;

/// Failures that the caller sees as errors too.
pub const FAL_LOG_ERROR: fal_log_level = 1;
/// And what went wrong and was mended, such as by another attempt.
pub const FAL_LOG_WARN: fal_log_level = 2;
/// And where the key came from.
pub const FAL_LOG_INFO: fal_log_level = 3;
/// And each request and answer, without bodies.
pub const FAL_LOG_DEBUG: fal_log_level = 4;

/// Receives a log line (message is NUL-terminated, len bytes long and valid during the call), on a
/// thread that is there for such functions: in the order in which the lines arose, and one at a
/// time for each fal_options_set_log(). It may take its time, which holds up nothing but lines:
/// 1024 of them, or 256 KiB, wait for it, and what comes then is dropped and counted in a line of
/// its own. A line comes a moment after what it tells of, perhaps after the end of the call;
/// fal_log_flush() and fal_shutdown() wait for all of them. The function must not wait for libfal
/// (FAL_E_WOULD_DEADLOCK); it may start operations.
pub type fal_log_callback = Option<
    unsafe extern "C" fn(
        level: fal_log_level,
        message: *const c_char,
        len: usize,
        user: *mut c_void,
    ),
>;

/// Asks the host for a credential when one is needed, on a thread that is there for such functions.
/// request is the callback's to keep, and is answered now or later, on any thread, by exactly one
/// of the functions below. The callback may take its time, and wait for libfal: for calls of
/// another client than the one that asks, whose calls wait for the answer; not for fal_shutdown().
pub type fal_credential_callback =
    Option<unsafe extern "C" fn(request: *mut fal_credential_request, user: *mut c_void)>;

/// The client that options describe; `None` means the defaults.
pub(super) fn client(options: Option<&fal_options>) -> Result<Client> {
    match options {
        Some(options) => options
            .builder
            .clone()
            .credentials(options.credentials.clone())
            .build(),
        None => Client::builder().build(),
    }
}

/// What they say about the credential.
pub(super) fn credentials(options: Option<&fal_options>) -> credentials::Options {
    options
        .map(|options| options.credentials.clone())
        .unwrap_or_default()
}

/// Options with every default. NULL only if memory is gone.
#[unsafe(no_mangle)]
pub extern "C" fn fal_options_new() -> *mut fal_options {
    plain(std::ptr::null_mut(), || {
        let options = fal_options {
            builder: Client::builder(),
            credentials: credentials::Options::new(),
        };
        Box::into_raw(Box::new(options))
    })
}

frees! {
    /// Frees options, and zeroizes a key in them. NULL does nothing.
    fn fal_options_free(options: *mut fal_options);
}

fallible! {
    /// Uses this key, "id:secret". It is copied, and checked when it is first needed.
    fn fal_options_set_key(options: &mut fal_options, key: text[key_len]) {
        options.credentials = options.credentials.clone().key(key);
    }

    /// Uses the key of this profile of the configuration file; or, with fal_options_set_keyring(),
    /// that of this name in the keyring.
    fn fal_options_set_profile(options: &mut fal_options, profile: text[profile_len]) {
        options.credentials = options.credentials.clone().profile(profile);
    }

    /// Reads this configuration file, not the one of FAL_CONFIG_PATH or ~/.fal/config.toml. The
    /// path is UTF-8 on every system.
    fn fal_options_set_config_path(options: &mut fal_options, path: text[path_len]) {
        options.credentials = options.credentials.clone().config_path(path);
    }

    /// Uses no key at all, for public apps. A key or a profile beside it is an error at the first
    /// call.
    fn fal_options_set_anonymous(options: &mut fal_options, anonymous: bool) {
        options.credentials = options.credentials.clone().anonymous(anonymous);
    }

    /// Whether to read the system keyring, which may ask the user to unlock it. By default
    /// FAL_KEYRING=1 decides. In a build without a keyring, asking for it is an error at the first
    /// call.
    fn fal_options_set_keyring(options: &mut fal_options, keyring: bool) {
        options.credentials = options.credentials.clone().keyring(keyring);
    }

    /// Uses this short-lived token, made by fal_client_mint_token() on a machine that holds a key.
    /// It opens some apps on the run host and nothing else.
    fn fal_options_set_app_token(options: &mut fal_options, token: text[token_len]) {
        options.credentials = options.credentials.clone().app_token(token);
    }

    /// Has callback asked for a credential when one is needed, and again when it has expired or was
    /// refused. All calls that wait for one share one question. user has to outlive the clients
    /// made with these options and their operations: until fal_shutdown() has returned is always
    /// enough.
    fn fal_options_set_credential_callback(
        options: &mut fal_options,
        callback: fal_credential_callback,
        user: *mut c_void,
    ) {
        let callback = callback.ok_or_else(|| boundary::null("callback"))?;
        let user = User::new(user);
        let ask = credentials::Callback::new(move |answer| {
            let request = Box::into_raw(Box::new(fal_credential_request::new(answer)));
            // SAFETY: the host gave this callback for these arguments, and now owns the request.
            unsafe { callback(request, user.get()) }
        });
        options.credentials = options.credentials.clone().callback(ask);
    }

    /// Sends everything for fal's services to a server proxy, "https://app.example/api/fal/proxy",
    /// that holds the key. Files are fetched directly. No key is looked for on this machine; one
    /// that is set explicitly goes to the proxy.
    fn fal_options_set_proxy(options: &mut fal_options, url: text[url_len]) {
        options.builder = options.builder.clone().proxy(url)?;
    }

    /// Reaches fal through this HTTP or SOCKS proxy: "[scheme://][user:password@]host[:port]",
    /// where the scheme is http, https, socks4, socks4a, socks5 or socks5h; through none if it is
    /// empty. By default HTTPS_PROXY and then ALL_PROXY are read, and on macOS and Windows the
    /// system's settings, but for a script that finds proxies (PAC, WPAD), which is not run. Hosts
    /// that NO_PROXY names are reached directly in any case, and so is the emulator.
    fn fal_options_set_http_proxy(options: &mut fal_options, url: text[url_len]) {
        options.builder = options.builder.clone().http_proxy(url)?;
    }

    /// Trusts these certificates of authorities, one or more in PEM, besides those that the
    /// operating system trusts.
    fn fal_options_add_root_certificates(options: &mut fal_options, pem: text[pem_len]) {
        let builder = options.builder.clone();
        options.builder = builder.add_root_certificates(pem.as_bytes())?;
    }

    /// Replaces one of the hosts, by "name" or "name:port". FAL_E_INVALID_ARGUMENT for anything
    /// else, and for an emulator that is not on this machine.
    fn fal_options_set_host(options: &mut fal_options, role: fal_host, host: text[host_len]) {
        let role = HostRole::ALL.iter().find(|known| **known as i32 == role);
        let role = *role.ok_or_else(|| Error::invalid("role is not one of the FAL_HOST_ constants"))?;
        options.builder = options.builder.clone().host(role, host)?;
    }

    /// The time for each whole call in milliseconds, from credential to decoded body, retries
    /// included. A request's own time is stronger. By default one hour for a run or a stream, 24
    /// hours for a job that is waited for and for the lines of a live log, six for an upload or a
    /// download, two minutes for anything else. Of a session only the request's own time counts.
    fn fal_options_set_timeout_ms(options: &mut fal_options, timeout_ms: i64) {
        options.builder = options.builder.clone().timeout(times::longest(timeout_ms)?);
    }

    /// How often a call is tried at the most, 1 to 100; by default 5. A POST that may have been
    /// executed is never tried again.
    fn fal_options_set_max_attempts(options: &mut fal_options, most: u32) {
        options.builder = options.builder.clone().max_attempts(most)?;
    }

    /// How long the other side of a transfer may move no byte, in milliseconds; by default 60000.
    /// The connection is then given up with FAL_E_CONNECTION_LOST, and what may be sent again is: a
    /// PUT, a part, a download, which goes on where it ended.
    ///
    /// It holds for uploads, which wait ten times as long while fal puts parts together, for
    /// downloads but those of an app's answer, and for the body of any request to fal but its
    /// answer. An app, the queue, a stream and a session may be silent for as long as the call may
    /// take, and so may this side: a read callback, a disk. Of an upload the buffers of the
    /// operating system hide up to 4 MiB, so that for each MiB that was sent, up to 4, the same
    /// time is added.
    fn fal_options_set_stall_timeout_ms(options: &mut fal_options, stall_timeout_ms: i64) {
        let limit = times::limit(stall_timeout_ms, "stall_timeout_ms")?.unwrap_or(Duration::ZERO);
        options.builder = options.builder.clone().stall_timeout(limit);
    }

    /// Refuses operations of the Platform API that need an ADMIN key before anything is sent, with
    /// FAL_E_FORBIDDEN, if the key in use is known to be an API key: from fal_client_check(), or
    /// from what fal answered before. By default they are sent.
    fn fal_options_set_strict_scopes(options: &mut fal_options, strict: bool) {
        options.builder = options.builder.clone().strict_scopes(strict);
    }

    /// The most bytes that the body of an answer may have; by default 256 MiB.
    fn fal_options_set_max_response_bytes(options: &mut fal_options, most: usize) {
        options.builder = options.builder.clone().max_response_bytes(most);
    }

    /// Adds the host program's name to the header User-Agent, such as "MyGame/1.2".
    fn fal_options_set_user_agent(options: &mut fal_options, product: text[product_len]) {
        options.builder = options.builder.clone().user_agent(product)?;
    }

    /// Has callback called with each log line of at most this level. user comes back unchanged, and
    /// has to outlive the clients made with these options and their operations, what goes on in the
    /// background included: and until their lines are delivered: until fal_shutdown() has returned
    /// FAL_OK is always enough. A NULL callback turns the log off, as it is by default.
    fn fal_options_set_log(
        options: &mut fal_options,
        level: fal_log_level,
        callback: fal_log_callback,
        user: *mut c_void,
    ) {
        let known = [Level::Error, Level::Warn, Level::Info, Level::Debug];
        let level = known.into_iter().find(|known| *known as i32 == level);
        let level =
            level.ok_or_else(|| Error::invalid("level is not one of the FAL_LOG_ constants"))?;
        let builder = options.builder.clone();
        let user = User::new(user);
        options.builder = match callback {
            None => builder.without_log(),
            Some(callback) => builder.log(level, move |level, line| {
                send_line(callback, level, line, user)
            }),
        };
    }
}

fn send_line(
    callback: unsafe extern "C" fn(fal_log_level, *const c_char, usize, *mut c_void),
    level: Level,
    line: &str,
    user: User,
) {
    let mut text = Vec::with_capacity(line.len() + 1);
    text.extend_from_slice(line.as_bytes());
    text.push(0);
    // SAFETY: the host gave this callback for these arguments; the text lives as long as the call.
    runtime::in_callback(|| unsafe {
        callback(level as i32, text.as_ptr().cast(), line.len(), user.get())
    });
}
