//! # Options
//!
//! Options describe a client. What is not set comes from the environment, or has the default that
//! is stated here. Only one thread at a time may change an options object.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use super::boundary::{self, no_constant, plain};
use super::credential_request::fal_credential_request;
use super::times;
use crate::client::{Client, ClientBuilder, HostRole};
use crate::credentials;
use crate::error::Result;
use crate::log::{Level, Target};
use crate::runtime;

/// Options of a client. Unique; freed with fal_options_free(). Only one thread at a time may change
/// them. Clients and reports copy what they need.
pub struct fal_options {
    builder: ClientBuilder,
    pub(super) credentials: credentials::Options,
}

/// A host that fal_options_set_host() can replace. The environment variable in parentheses replaces
/// it, too; an option takes precedence over the variable.
pub type fal_host = i32;

/// Synchronous calls (FAL_RUN_HOST). The default is "fal.run". If only this host is replaced, the
/// queue's host becomes "queue." followed by it.
pub const FAL_HOST_RUN: fal_host = 0;
/// The queue (FAL_QUEUE_RUN_HOST). The default is "queue.fal.run".
pub const FAL_HOST_QUEUE: fal_host = 1;
/// Tokens and uploads (FAL_REST_HOST). The default is "rest.fal.ai".
pub const FAL_HOST_REST: fal_host = 2;
/// The Platform API (FAL_PLATFORM_HOST). The default is "api.fal.ai".
pub const FAL_HOST_PLATFORM: fal_host = 3;
/// Files (FAL_CDN_HOST). The default is "v3.fal.media". The key is never sent to it.
pub const FAL_HOST_CDN: fal_host = 4;
/// A fal-emulator on this machine (FAL_EMULATOR_HOST), such as "127.0.0.1:8080", which replaces all
/// other hosts.
pub const FAL_HOST_EMULATOR: fal_host = 5;

/// How much is logged: see fal_options_set_log(). Each level includes the levels before it.
pub type fal_log_level = i32;

/// Failures that the caller also receives as errors.
pub const FAL_LOG_ERROR: fal_log_level = 1;
/// Problems that libfal recovered from, such as by a retry.
pub const FAL_LOG_WARN: fal_log_level = 2;
/// The source of the key.
pub const FAL_LOG_INFO: fal_log_level = 3;
/// Every request and response, without bodies.
pub const FAL_LOG_DEBUG: fal_log_level = 4;

/// Called once when libfal no longer uses user. It runs on a thread of libfal that runs only
/// callbacks, or on one of the host's threads, perhaps during the function that it was passed to.
/// It must not wait for libfal.
pub type fal_release_callback = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// Receives one log line. message ends with a NUL, is len bytes long, and is valid during the call.
/// target ends with a NUL, lives as long as the library, and says which part of libfal writes the
/// line: "credentials", "transport", "queue", "storage", or "log" for a line about the log itself.
/// Later versions may add some. The callback runs on a thread of libfal that runs only such
/// callbacks, in the order of the lines, and one call at a time for each fal_options_set_log().
///
/// It may block: only log lines wait for it. Up to 1024 lines or 256 KiB are queued; further ones
/// are dropped and counted in a line of their own. A line arrives shortly after the event that it
/// reports, perhaps after the end of the call; fal_log_flush() and fal_shutdown() wait for all
/// lines. The callback may start operations, but waiting for one fails with FAL_E_WOULD_DEADLOCK.
pub type fal_log_callback = Option<
    unsafe extern "C" fn(
        level: fal_log_level,
        target: *const c_char,
        message: *const c_char,
        len: usize,
        user: *mut c_void,
    ),
>;

/// Asks the host for a credential. The callback owns request, and must complete it with exactly one
/// of the functions of the section Credential requests, at once or later, on any thread. It runs on
/// a thread of libfal that runs only such callbacks; several clients may ask at once.
///
/// It may block, and may wait for calls of other clients. It must not wait for calls of the client
/// that asks, which wait for the credential, or for fal_shutdown().
pub type fal_credential_callback =
    Option<unsafe extern "C" fn(request: *mut fal_credential_request, user: *mut c_void)>;

/// Creates the client that options describe; `None` means the defaults.
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

/// The part of options that concerns the credential.
pub(super) fn credentials(options: Option<&fal_options>) -> credentials::Options {
    options
        .map(|options| options.credentials.clone())
        .unwrap_or_default()
}

/// Creates options with every default. Returns NULL only if there is no memory. Free them with
/// fal_options_free().
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
    /// Frees options, and overwrites a key in them with zeros. NULL is ignored.
    fn fal_options_free(options: *mut fal_options);
}

fallible! {
    /// Sets the key, "id:secret". It is copied, and checked when it is first needed.
    fn fal_options_set_key(options: &mut fal_options, key: text[key_len]) {
        options.credentials = options.credentials.clone().key(key);
    }

    /// Selects the profile of the configuration file whose key is used. With
    /// fal_options_set_keyring() it is the account in the keyring.
    fn fal_options_set_profile(options: &mut fal_options, profile: text[profile_len]) {
        options.credentials = options.credentials.clone().profile(profile);
    }

    /// Sets the path of the configuration file, instead of FAL_CONFIG_PATH or ~/.fal/config.toml.
    fn fal_options_set_config_path(options: &mut fal_options, path: text[path_len]) {
        options.credentials = options.credentials.clone().config_path(path);
    }

    /// Sets whether requests are sent without a key, for public apps; by default false. If a key, an
    /// app token, a profile or a callback is set as well, operations fail with
    /// FAL_E_MALFORMED_CREDENTIALS.
    fn fal_options_set_anonymous(options: &mut fal_options, anonymous: bool) {
        options.credentials = options.credentials.clone().anonymous(anonymous);
    }

    /// Sets whether the system keyring is read, which may make the system ask the user to unlock
    /// it. By default it is read if the variable FAL_KEYRING is 1. With true in a build without
    /// keyring support, operations that need it fail with FAL_E_MALFORMED_CREDENTIALS.
    fn fal_options_set_keyring(options: &mut fal_options, keyring: bool) {
        options.credentials = options.credentials.clone().keyring(keyring);
    }

    /// Sets a short-lived token to be used instead of a key. A machine that has a key creates one
    /// with fal_client_mint_token(). It permits calls of its apps on the run host and nothing else.
    fn fal_options_set_app_token(options: &mut fal_options, token: text[token_len]) {
        options.credentials = options.credentials.clone().app_token(token);
    }

    /// Sets the callback that supplies the credential. It is called when a credential is needed,
    /// and again when the credential has expired or was rejected; calls that wait at the same time
    /// share one request. user is passed to the callback. release, which may be NULL, is called
    /// once the options, the clients made with them and their operations are gone or the callback
    /// was replaced, or if this function fails.
    fn fal_options_set_credential_callback(
        options: &mut fal_options,
        callback: fal_credential_callback,
        user: lease[release],
    ) {
        let callback = callback.ok_or_else(|| boundary::null("callback"))?;
        let ask = credentials::Callback::new(move |answer| {
            let request = Box::into_raw(Box::new(fal_credential_request::new(answer)));
            // SAFETY: the host passed this callback for these arguments, and now owns the request.
            unsafe { callback(request, user.user()) }
        });
        options.credentials = options.credentials.clone().callback(ask);
    }

    /// Sets the URL of a server proxy, such as "https://app.example/api/fal/proxy", which adds the
    /// key. Everything for fal's services is sent to it; files are fetched directly. No key is
    /// looked for on this machine. A key that is set explicitly is sent to the proxy.
    fn fal_options_set_server_proxy(options: &mut fal_options, url: text[url_len]) {
        options.builder = options.builder.clone().proxy(url)?;
    }

    /// Sets the HTTP or SOCKS proxy through which fal is reached:
    /// "[scheme://][user:password@]host[:port]" with the scheme http, https, socks4, socks4a,
    /// socks5 or socks5h. An empty text means no proxy.
    ///
    /// By default the variables HTTPS_PROXY and then ALL_PROXY are read, and on macOS and Windows
    /// the settings of the system, except proxy scripts (PAC, WPAD). Hosts that NO_PROXY names, and
    /// the emulator, are always reached directly.
    fn fal_options_set_http_proxy(options: &mut fal_options, url: text[url_len]) {
        options.builder = options.builder.clone().http_proxy(url)?;
    }

    /// Adds trusted root certificates, one or more in PEM, to those that the operating system
    /// trusts.
    fn fal_options_add_root_certificates(options: &mut fal_options, pem: text[pem_len]) {
        let builder = options.builder.clone();
        options.builder = builder.add_root_certificates(pem.as_bytes())?;
    }

    /// Replaces a host by "name" or "name:port". FAL_E_INVALID_ARGUMENT if host is malformed, or
    /// names an emulator that is not on this machine.
    fn fal_options_set_host(options: &mut fal_options, role: fal_host, host: text[host_len]) {
        let known = HostRole::ALL.iter().find(|known| **known as i32 == role);
        let known = known.ok_or_else(|| no_constant("role", "FAL_HOST_", role))?;
        options.builder = options.builder.clone().host(*known, host)?;
    }

    /// Sets the timeout of each call in milliseconds, from the credential to the decoded body,
    /// retries included. A timeout of the request takes precedence. By default one hour for a run
    /// or a stream, 24 hours for waiting for a job and for a live log, six hours for an upload or a
    /// download, and two minutes for anything else. Realtime and WebSocket sessions ignore it.
    fn fal_options_set_timeout_ms(options: &mut fal_options, timeout_ms: i64) {
        options.builder = options.builder.clone().timeout(times::longest(timeout_ms)?);
    }

    /// Sets how many times a request is sent at most, 1 to 100; by default 5. A POST that may have
    /// been executed is never sent again.
    fn fal_options_set_max_attempts(options: &mut fal_options, most: u32) {
        options.builder = options.builder.clone().max_attempts(most)?;
    }

    /// Sets for how many milliseconds the other side of a transfer may move no byte; by default
    /// 60000. The connection is then closed with FAL_E_CONNECTION_LOST. A PUT and a part are sent
    /// again, and a download is resumed.
    ///
    /// It holds for uploads, for downloads except of an app's response, and for sending the body of
    /// any request to fal. While fal assembles the parts of an upload the timeout is ten times as
    /// long. Waiting for an app, the queue, a stream or a session is limited only by the timeout of
    /// the call, and so is waiting for this side: a read callback or a disk. The operating system
    /// buffers up to 4 MiB of an upload, so each sent MiB, up to 4, adds the same time again.
    fn fal_options_set_stall_timeout_ms(options: &mut fal_options, stall_timeout_ms: i64) {
        let limit = times::limit(stall_timeout_ms, "stall_timeout_ms")?.unwrap_or(Duration::ZERO);
        options.builder = options.builder.clone().stall_timeout(limit);
    }

    /// Sets whether operations of the Platform API that need an ADMIN key fail with FAL_E_FORBIDDEN
    /// before anything is sent if the key is known to be an API key, from fal_client_check() or an
    /// earlier response. By default false: they are sent.
    fn fal_options_set_strict_scopes(options: &mut fal_options, strict: bool) {
        options.builder = options.builder.clone().strict_scopes(strict);
    }

    /// Sets the maximum size of a response body in bytes; by default 256 MiB. A larger one fails
    /// with FAL_E_TOO_LARGE.
    fn fal_options_set_max_response_bytes(options: &mut fal_options, most: usize) {
        options.builder = options.builder.clone().max_response_bytes(most);
    }

    /// Adds the name of the host program to the User-Agent header, such as "MyGame/1.2".
    fn fal_options_set_user_agent(options: &mut fal_options, product: text[product_len]) {
        options.builder = options.builder.clone().user_agent(product)?;
    }

    /// Sets the callback for log lines of this level and those before it. NULL turns the log
    /// off, which is the default. user is passed to the callback. release, which may be NULL, is
    /// called once the options, the clients made with them and their operations, background work
    /// included, are gone or the callback was replaced, and their lines are delivered; or if this
    /// function fails.
    fn fal_options_set_log(
        options: &mut fal_options,
        level: fal_log_level,
        callback: fal_log_callback,
        user: lease[release],
    ) {
        let known = [Level::Error, Level::Warn, Level::Info, Level::Debug];
        let known = known.into_iter().find(|known| *known as i32 == level);
        let level = known.ok_or_else(|| no_constant("level", "FAL_LOG_", level))?;
        let builder = options.builder.clone();
        options.builder = match callback {
            None => builder.without_log(),
            Some(callback) => builder.log(level, move |level, target, line| {
                send_line(callback, level, target, line, user.user())
            }),
        };
    }
}

fn send_line(
    callback: unsafe extern "C" fn(fal_log_level, *const c_char, *const c_char, usize, *mut c_void),
    level: Level,
    target: Target,
    line: &str,
    user: *mut c_void,
) {
    let mut text = Vec::with_capacity(line.len() + 1);
    text.extend_from_slice(line.as_bytes());
    text.push(0);
    // SAFETY: the host passed this callback for these arguments; the text outlives the call.
    runtime::in_callback(|| unsafe {
        callback(
            level as i32,
            target.name().as_ptr(),
            text.as_ptr().cast(),
            line.len(),
            user,
        )
    });
}
