//! # Status
//!
//! Every function that can fail returns a fal_status. Its `fal_error **err`, which may be NULL,
//! receives the error: see the conventions at the head of this file, which also say what to expect.

use std::ffi::c_char;

use super::boundary::plain;
use crate::error::Code;

/// The outcome of a call: FAL_OK, FAL_PENDING, or one of the negative FAL_E_ codes. A later library may
/// return further negative codes: handle those by fal_error_is_retryable() and its siblings.
pub type fal_status = i32;

/// The call succeeded.
pub const FAL_OK: fal_status = 0;
/// Nothing is ready yet: the operation has not ended, or there is no event, notice or callback. This
/// is not an error, and no fal_error is created.
pub const FAL_PENDING: fal_status = 1;
/// An argument is NULL, malformed or out of range. Nothing was sent.
pub const FAL_E_INVALID_ARGUMENT: fal_status = -1;
/// No source has a key. Nothing was sent.
pub const FAL_E_NO_CREDENTIALS: fal_status = -2;
/// A source has a value that is not a key. Nothing was sent.
pub const FAL_E_MALFORMED_CREDENTIALS: fal_status = -3;
/// The service rejected the credential (HTTP 401).
pub const FAL_E_UNAUTHENTICATED: fal_status = -4;
/// The credential is valid but does not permit this request (HTTP 403).
pub const FAL_E_FORBIDDEN: fal_status = -5;
/// The key is valid, but its account is locked: by its balance, its budget, its payment method or
/// an administrator.
pub const FAL_E_ACCOUNT_LOCKED: fal_status = -6;
/// The endpoint, path or object does not exist, or is hidden from this key (HTTP 404 or 410).
pub const FAL_E_NOT_FOUND: fal_status = -7;
/// The service rejected the input (HTTP 400, 405, 409, 413 or 422).
pub const FAL_E_INVALID_INPUT: fal_status = -8;
/// Too many requests are running, or were sent in too short a time (HTTP 429). The request was not
/// executed unless fal_error_may_have_executed() is true.
pub const FAL_E_RATE_LIMITED: fal_status = -9;
/// The app or the platform failed while it handled the request (HTTP 5xx or 499).
pub const FAL_E_SERVICE_FAILED: fal_status = -10;
/// The service or a runner was not available in time (HTTP 502, 503 or 504).
pub const FAL_E_SERVICE_UNAVAILABLE: fal_status = -11;
/// No connection to the service could be established (DNS, TCP or TLS). Nothing was executed.
pub const FAL_E_CONNECT: fal_status = -12;
/// The connection broke before the whole response arrived.
pub const FAL_E_CONNECTION_LOST: fal_status = -13;
/// The call did not finish within its timeout.
pub const FAL_E_DEADLINE: fal_status = -14;
/// The caller cancelled the call.
pub const FAL_E_CANCELLED: fal_status = -15;
/// The service responded with a redirect that libfal does not follow.
pub const FAL_E_REDIRECT: fal_status = -16;
/// The URL is not one of fal's. Nothing was sent.
pub const FAL_E_FOREIGN_ORIGIN: fal_status = -17;
/// The response violates HTTP or fal's protocol.
pub const FAL_E_PROTOCOL: fal_status = -18;
/// The response is larger than the caller allows.
pub const FAL_E_TOO_LARGE: fal_status = -19;
/// The JSON value at this pointer is missing or has another type.
pub const FAL_E_WRONG_TYPE: fal_status = -20;
/// Waiting here would block the thread that has to make the progress.
pub const FAL_E_WOULD_DEADLOCK: fal_status = -21;
/// The operation was started in the parent process, before a fork, and belongs to the parent.
pub const FAL_E_FORKED: fal_status = -22;
/// The library is shutting down, or was shut down while the call was running.
pub const FAL_E_SHUT_DOWN: fal_status = -23;
/// A defect in libfal or in a thread hook of the host was caught. The process is unharmed.
pub const FAL_E_PANIC: fal_status = -24;
/// The outcome of this operation was already taken.
pub const FAL_E_TAKEN: fal_status = -25;
/// The operating system denied a thread, a file, a socket or memory.
pub const FAL_E_IO: fal_status = -26;
/// The program, callback or login that supplies the credential failed. Nothing was sent.
pub const FAL_E_CREDENTIALS_FAILED: fal_status = -27;
/// The webhook was not sent by fal, was changed, or is too old: its signature, time or headers are
/// invalid.
pub const FAL_E_WEBHOOK_INVALID: fal_status = -28;
/// The queue of unsent inputs is full. This input was not accepted.
pub const FAL_E_QUEUE_FULL: fal_status = -29;
/// The connection is closed or closing. Nothing was sent.
pub const FAL_E_CLOSED: fal_status = -30;
/// The job has not finished, so it has no result yet.
pub const FAL_E_NOT_READY: fal_status = -31;

/// Returns the name of a status, such as "FAL_E_NO_CREDENTIALS"; "FAL_E_UNKNOWN" for any other
/// number. The string is static.
#[unsafe(no_mangle)]
pub extern "C" fn fal_status_name(status: fal_status) -> *const c_char {
    plain(c"".as_ptr(), || named(status).as_ptr())
}

macro_rules! names {
    ($($constant:ident = $name:literal),+ $(,)?) => {
        fn named(status: fal_status) -> &'static std::ffi::CStr {
            match status {
                $($constant => $name,)+
                _ => c"FAL_E_UNKNOWN",
            }
        }

        /// What the test compares with the core's table.
        #[cfg(test)]
        const NAMED: &[(fal_status, &std::ffi::CStr)] = &[$(($constant, $name)),+];
    };
}

names! {
    FAL_OK = c"FAL_OK",
    FAL_PENDING = c"FAL_PENDING",
    FAL_E_INVALID_ARGUMENT = c"FAL_E_INVALID_ARGUMENT",
    FAL_E_NO_CREDENTIALS = c"FAL_E_NO_CREDENTIALS",
    FAL_E_MALFORMED_CREDENTIALS = c"FAL_E_MALFORMED_CREDENTIALS",
    FAL_E_UNAUTHENTICATED = c"FAL_E_UNAUTHENTICATED",
    FAL_E_FORBIDDEN = c"FAL_E_FORBIDDEN",
    FAL_E_ACCOUNT_LOCKED = c"FAL_E_ACCOUNT_LOCKED",
    FAL_E_NOT_FOUND = c"FAL_E_NOT_FOUND",
    FAL_E_INVALID_INPUT = c"FAL_E_INVALID_INPUT",
    FAL_E_RATE_LIMITED = c"FAL_E_RATE_LIMITED",
    FAL_E_SERVICE_FAILED = c"FAL_E_SERVICE_FAILED",
    FAL_E_SERVICE_UNAVAILABLE = c"FAL_E_SERVICE_UNAVAILABLE",
    FAL_E_CONNECT = c"FAL_E_CONNECT",
    FAL_E_CONNECTION_LOST = c"FAL_E_CONNECTION_LOST",
    FAL_E_DEADLINE = c"FAL_E_DEADLINE",
    FAL_E_CANCELLED = c"FAL_E_CANCELLED",
    FAL_E_REDIRECT = c"FAL_E_REDIRECT",
    FAL_E_FOREIGN_ORIGIN = c"FAL_E_FOREIGN_ORIGIN",
    FAL_E_PROTOCOL = c"FAL_E_PROTOCOL",
    FAL_E_TOO_LARGE = c"FAL_E_TOO_LARGE",
    FAL_E_WRONG_TYPE = c"FAL_E_WRONG_TYPE",
    FAL_E_WOULD_DEADLOCK = c"FAL_E_WOULD_DEADLOCK",
    FAL_E_FORKED = c"FAL_E_FORKED",
    FAL_E_SHUT_DOWN = c"FAL_E_SHUT_DOWN",
    FAL_E_PANIC = c"FAL_E_PANIC",
    FAL_E_TAKEN = c"FAL_E_TAKEN",
    FAL_E_IO = c"FAL_E_IO",
    FAL_E_CREDENTIALS_FAILED = c"FAL_E_CREDENTIALS_FAILED",
    FAL_E_WEBHOOK_INVALID = c"FAL_E_WEBHOOK_INVALID",
    FAL_E_QUEUE_FULL = c"FAL_E_QUEUE_FULL",
    FAL_E_CLOSED = c"FAL_E_CLOSED",
    FAL_E_NOT_READY = c"FAL_E_NOT_READY",
}

/// Returns the meaning of a status as an English sentence; NULL for an unknown status. The string
/// is static.
#[unsafe(no_mangle)]
pub extern "C" fn fal_status_meaning(status: fal_status) -> *const c_char {
    plain(std::ptr::null(), || match status {
        FAL_OK => c"It worked.".as_ptr(),
        FAL_PENDING => c"Nothing is ready yet.".as_ptr(),
        _ => Code::ALL
            .iter()
            .find(|code| code.number() == status)
            .map_or(std::ptr::null(), |code| code.summary_c().as_ptr()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_the_cores_codes() {
        let errors = NAMED.iter().filter(|(status, _)| *status < 0);
        let constants: Vec<_> = errors
            .map(|(status, name)| (*status, name.to_str().unwrap()))
            .collect();
        let codes: Vec<_> = Code::ALL
            .iter()
            .map(|code| (code.number(), code.name()))
            .collect();
        assert_eq!(constants, codes);
    }
}
