//! # Options
//!
//! How a client is made. What is not set comes from the environment or is the default that is named
//! here. One thread at a time may change an options object.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use super::boundary::{self, User, plain, status};
use super::credential_request::fal_credential_request;
use super::error::fal_error;
use super::status::fal_status;
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
    credentials: credentials::Options,
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

/// The client that options describe; NULL means the defaults.
///
/// # Safety
/// `options` is NULL or live.
pub(super) unsafe fn client(options: *const fal_options) -> Result<Client> {
    // SAFETY: by this function's own contract.
    match unsafe { options.as_ref() } {
        Some(options) => options
            .builder
            .clone()
            .credentials(options.credentials.clone())
            .build(),
        None => Client::builder().build(),
    }
}

/// What they say about the credential.
///
/// # Safety
/// As for [`client`].
pub(super) unsafe fn credentials(options: *const fal_options) -> credentials::Options {
    // SAFETY: by this function's own contract.
    unsafe { options.as_ref() }
        .map(|options| options.credentials.clone())
        .unwrap_or_default()
}

/// Changes options by a step that may fail and then changes nothing.
///
/// # Safety
/// `options` is NULL or live and used by nobody else.
unsafe fn change(
    options: *mut fal_options,
    err: *mut *mut fal_error,
    step: impl FnOnce(&mut fal_options) -> Result<()>,
) -> fal_status {
    status(err, || {
        // SAFETY: by this function's own contract.
        step(unsafe { boundary::borrow_mut(options, "options") }?)
    })
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

/// Frees options, and zeroizes a key in them. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_free(options: *mut fal_options) {
    // SAFETY: the caller owns them.
    unsafe { boundary::free(options) }
}

/// Uses this key, "id:secret". It is copied, and checked when it is first needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_key(
    options: *mut fal_options,
    key: *const c_char,
    key_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of both pointers.
    unsafe {
        change(options, err, |options| {
            let key = boundary::text(key, key_len, "key")?;
            options.credentials = options.credentials.clone().key(key);
            Ok(())
        })
    }
}

/// Uses the key of this profile of the configuration file; or, with fal_options_set_keyring(), that
/// of this name in the keyring.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_profile(
    options: *mut fal_options,
    profile: *const c_char,
    profile_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of both pointers.
    unsafe {
        change(options, err, |options| {
            let profile = boundary::text(profile, profile_len, "profile")?;
            options.credentials = options.credentials.clone().profile(profile);
            Ok(())
        })
    }
}

/// Reads this configuration file, not the one of FAL_CONFIG_PATH or ~/.fal/config.toml. The path is
/// UTF-8 on every system.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_config_path(
    options: *mut fal_options,
    path: *const c_char,
    path_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of both pointers.
    unsafe {
        change(options, err, |options| {
            let path = boundary::text(path, path_len, "path")?;
            options.credentials = options.credentials.clone().config_path(path);
            Ok(())
        })
    }
}

/// Uses no key at all, for public apps. A key or a profile beside it is an error at the first call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_anonymous(
    options: *mut fal_options,
    anonymous: bool,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe {
        change(options, err, |options| {
            options.credentials = options.credentials.clone().anonymous(anonymous);
            Ok(())
        })
    }
}

/// Whether to read the system keyring, which may ask the user to unlock it. By default
/// FAL_KEYRING=1 decides. In a build without a keyring, asking for it is an error at the first
/// call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_keyring(
    options: *mut fal_options,
    keyring: bool,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe {
        change(options, err, |options| {
            options.credentials = options.credentials.clone().keyring(keyring);
            Ok(())
        })
    }
}

/// Uses this short-lived token, made by fal_client_mint_token() on a machine that holds a key. It
/// opens some apps on the run host and nothing else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_app_token(
    options: *mut fal_options,
    token: *const c_char,
    token_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of both pointers.
    unsafe {
        change(options, err, |options| {
            let token = boundary::text(token, token_len, "token")?;
            options.credentials = options.credentials.clone().app_token(token);
            Ok(())
        })
    }
}

/// Has callback asked for a credential when one is needed, and again when it has expired or was
/// refused. All calls that wait for one share one question. user has to outlive the clients made
/// with these options and their operations: until fal_shutdown() has returned is always enough.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_credential_callback(
    options: *mut fal_options,
    callback: fal_credential_callback,
    user: *mut c_void,
    err: *mut *mut fal_error,
) -> fal_status {
    let user = User::new(user);
    let ask = callback.map(|callback| {
        move |answer| {
            let request = Box::into_raw(Box::new(fal_credential_request::new(answer)));
            // SAFETY: the host gave this callback for these arguments, and now owns the request.
            unsafe { callback(request, user.get()) }
        }
    });
    // SAFETY: as the header says.
    unsafe {
        change(options, err, |options| {
            let ask = ask.ok_or_else(|| boundary::null("callback"))?;
            options.credentials = options
                .credentials
                .clone()
                .callback(credentials::Callback::new(ask));
            Ok(())
        })
    }
}

/// Sends everything for fal's services to a server proxy, "https://app.example/api/fal/proxy", that
/// holds the key. Files are fetched directly. No key is looked for on this machine; one that is set
/// explicitly goes to the proxy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_proxy(
    options: *mut fal_options,
    url: *const c_char,
    url_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of both pointers.
    unsafe {
        change(options, err, |options| {
            let url = boundary::text(url, url_len, "url")?;
            options.builder = options.builder.clone().proxy(url)?;
            Ok(())
        })
    }
}

/// Reaches fal through this HTTP or SOCKS proxy: "[scheme://][user:password@]host[:port]", where
/// the scheme is http, https, socks4, socks4a, socks5 or socks5h; through none if it is empty. By
/// default HTTPS_PROXY and then ALL_PROXY are read, and on macOS and Windows the system's settings,
/// but for a script that finds proxies (PAC, WPAD), which is not run. Hosts that NO_PROXY names are
/// reached directly in any case, and so is the emulator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_http_proxy(
    options: *mut fal_options,
    url: *const c_char,
    url_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of both pointers.
    unsafe {
        change(options, err, |options| {
            let url = boundary::text(url, url_len, "url")?;
            options.builder = options.builder.clone().http_proxy(url)?;
            Ok(())
        })
    }
}

/// Trusts these certificates of authorities, one or more in PEM, besides those that the operating
/// system trusts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_add_root_certificates(
    options: *mut fal_options,
    pem: *const c_char,
    pem_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of both pointers.
    unsafe {
        change(options, err, |options| {
            let pem = boundary::text(pem, pem_len, "pem")?;
            options.builder = options
                .builder
                .clone()
                .add_root_certificates(pem.as_bytes())?;
            Ok(())
        })
    }
}

/// Replaces one of the hosts, by "name" or "name:port". FAL_E_INVALID_ARGUMENT for anything else,
/// and for an emulator that is not on this machine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_host(
    options: *mut fal_options,
    role: fal_host,
    host: *const c_char,
    host_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of both pointers.
    unsafe {
        change(options, err, |options| {
            let role = HostRole::ALL.iter().find(|known| **known as i32 == role);
            let role = *role
                .ok_or_else(|| Error::invalid("role is not one of the FAL_HOST_ constants"))?;
            let host = boundary::text(host, host_len, "host")?;
            options.builder = options.builder.clone().host(role, host)?;
            Ok(())
        })
    }
}

/// The time for each whole call in milliseconds, from credential to decoded body, retries included.
/// A request's own time is stronger. By default one hour for a run or a stream, 24 hours for a job
/// that is waited for and for the lines of a live log, six for an upload or a download, two minutes
/// for anything else. Of a session only the request's own time counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_timeout_ms(
    options: *mut fal_options,
    timeout_ms: i64,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe {
        change(options, err, |options| {
            options.builder = options.builder.clone().timeout(times::longest(timeout_ms)?);
            Ok(())
        })
    }
}

/// How often a call is tried at the most, 1 to 100; by default 5. A POST that may have been
/// executed is never tried again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_max_attempts(
    options: *mut fal_options,
    most: u32,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe {
        change(options, err, |options| {
            options.builder = options.builder.clone().max_attempts(most)?;
            Ok(())
        })
    }
}

/// How long the other side of a transfer may move no byte, in milliseconds; by default 60000. The
/// connection is then given up with FAL_E_CONNECTION_LOST, and what may be sent again is: a PUT, a
/// part, a download, which goes on where it ended.
///
/// It holds for uploads, which wait ten times as long while fal puts parts together, for downloads
/// but those of an app's answer, and for the body of any request to fal but its answer. An app, the
/// queue, a stream and a session may be silent for as long as the call may take, and so may this
/// side: a read callback, a disk. Of an upload the buffers of the operating system hide up to 4
/// MiB, so that for each MiB that was sent, up to 4, the same time is added.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_stall_timeout_ms(
    options: *mut fal_options,
    stall_timeout_ms: i64,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe {
        change(options, err, |options| {
            let limit =
                times::limit(stall_timeout_ms, "stall_timeout_ms")?.unwrap_or(Duration::ZERO);
            options.builder = options.builder.clone().stall_timeout(limit);
            Ok(())
        })
    }
}

/// Refuses operations of the Platform API that need an ADMIN key before anything is sent, with
/// FAL_E_FORBIDDEN, if the key in use is known to be an API key: from fal_client_check(), or from
/// what fal answered before. By default they are sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_strict_scopes(
    options: *mut fal_options,
    strict: bool,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe {
        change(options, err, |options| {
            options.builder = options.builder.clone().strict_scopes(strict);
            Ok(())
        })
    }
}

/// The most bytes that the body of an answer may have; by default 256 MiB.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_max_response_bytes(
    options: *mut fal_options,
    most: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe {
        change(options, err, |options| {
            options.builder = options.builder.clone().max_response_bytes(most);
            Ok(())
        })
    }
}

/// Adds the host program's name to the header User-Agent, such as "MyGame/1.2".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_user_agent(
    options: *mut fal_options,
    product: *const c_char,
    product_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of both pointers.
    unsafe {
        change(options, err, |options| {
            let product = boundary::text(product, product_len, "product")?;
            options.builder = options.builder.clone().user_agent(product)?;
            Ok(())
        })
    }
}

/// Has callback called with each log line of at most this level. user comes back unchanged, and has
/// to outlive the clients made with these options and their operations, what goes on in the
/// background included: and until their lines are delivered: until fal_shutdown() has returned
/// FAL_OK is always enough. A NULL callback turns the log off, as it is by default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_options_set_log(
    options: *mut fal_options,
    level: fal_log_level,
    callback: fal_log_callback,
    user: *mut c_void,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe {
        change(options, err, |options| {
            let known = [Level::Error, Level::Warn, Level::Info, Level::Debug];
            let level = known.into_iter().find(|known| *known as i32 == level);
            let level = level
                .ok_or_else(|| Error::invalid("level is not one of the FAL_LOG_ constants"))?;
            let builder = options.builder.clone();
            options.builder = match callback {
                None => builder.without_log(),
                Some(callback) => {
                    let user = User::new(user);
                    builder.log(level, move |level, line| {
                        send_line(callback, level, line, user)
                    })
                }
            };
            Ok(())
        })
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

impl fal_options {
    pub(super) fn credentials(&self) -> credentials::Options {
        self.credentials.clone()
    }
}
