//! The codes of errors, each with its meaning and remedy.

use std::fmt;

macro_rules! codes {
    ($($variant:ident = $number:literal, $name:literal, $summary:literal, $remedy:literal;)+) => {
        /// What went wrong, for a program to branch on.
        ///
        /// The numbers are those of `fal_status` in C and never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", $name, "`: ", $summary)] $variant = $number,)+
        }

        impl Code {
            /// Every code, in the order of the numbers, from -1 downwards.
            pub const ALL: &'static [Code] = &[$(Code::$variant),+];

            /// The name of the C constant, such as `FAL_E_NO_CREDENTIALS`.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name),+ }
            }

            /// What the code means, in one sentence.
            pub fn summary(self) -> &'static str {
                match self { $(Code::$variant => $summary),+ }
            }

            #[cfg(feature = "capi")]
            pub(crate) fn summary_c(self) -> &'static std::ffi::CStr {
                // Every literal ends with the NUL added here, so the fallback is unreachable.
                match self { $(Code::$variant => std::ffi::CStr::from_bytes_with_nul(concat!($summary, "\0").as_bytes()).unwrap_or(c"")),+ }
            }

            /// What to do, unless the error has a more specific remedy.
            pub fn remedy(self) -> &'static str {
                match self { $(Code::$variant => $remedy),+ }
            }
        }
    };
}

codes! {
    InvalidArgument = -1, "FAL_E_INVALID_ARGUMENT", "An argument is NULL, malformed or out of range; nothing was sent.",
        "Correct the argument named in the message.";
    NoCredentials = -2, "FAL_E_NO_CREDENTIALS", "No source has a key; nothing was sent.",
        "Set FAL_KEY to a key from https://fal.ai/dashboard/keys (the form is id:secret), or pass one explicitly.";
    MalformedCredentials = -3, "FAL_E_MALFORMED_CREDENTIALS", "A source has a value that is not a key; nothing was sent.",
        "Correct or remove the value in the source named in the message; a key has the form id:secret.";
    Unauthenticated = -4, "FAL_E_UNAUTHENTICATED", "The service did not accept the credential (HTTP 401).",
        "Check that the key still exists at https://fal.ai/dashboard/keys, and that it is the one you meant.";
    Forbidden = -5, "FAL_E_FORBIDDEN", "The credential is valid, but does not allow this request (HTTP 403).",
        "Use a key whose account and scope allow this operation.";
    AccountLocked = -6, "FAL_E_ACCOUNT_LOCKED", "The key is valid, but its account is locked (balance, budget, payment or administration).",
        "Resolve the reason in the message; billing is at https://fal.ai/dashboard/billing.";
    NotFound = -7, "FAL_E_NOT_FOUND", "The endpoint, path or object does not exist, or is hidden from this key (HTTP 404 or 410).",
        "Check the endpoint id and the path; a private app needs a key of its owner.";
    InvalidInput = -8, "FAL_E_INVALID_INPUT", "The service refused the input (HTTP 400, 405, 409, 413 or 422).",
        "Correct the input: the error's body lists each field and what is wrong with it.";
    RateLimited = -9, "FAL_E_RATE_LIMITED", "Too many requests at once or in too short a time (HTTP 429); the request was not executed, unless the error says that it may have been.",
        "Send fewer requests at once, or wait for the time that the error gives.";
    ServiceFailed = -10, "FAL_E_SERVICE_FAILED", "The app or the platform failed while it handled the request (HTTP 5xx or 499).",
        "Retry if the error says that it makes sense; otherwise report the request id to support@fal.ai.";
    ServiceUnavailable = -11, "FAL_E_SERVICE_UNAVAILABLE", "The service or a runner was not available in time (HTTP 502, 503 or 504).",
        "Try again later.";
    Connect = -12, "FAL_E_CONNECT", "No connection to the service could be made (DNS, TCP or TLS); nothing was executed.",
        "Check the network, the proxy settings and the system's clock and certificates.";
    ConnectionLost = -13, "FAL_E_CONNECTION_LOST", "The connection broke before the whole response arrived.",
        "Check whether the request may have been executed before you send it again.";
    Deadline = -14, "FAL_E_DEADLINE", "The call did not finish within its timeout.",
        "Allow more time, and check whether the request may have been executed before you send it again.";
    Cancelled = -15, "FAL_E_CANCELLED", "The caller cancelled the call.",
        "Start the call again if the cancellation was not intended.";
    Redirect = -16, "FAL_E_REDIRECT", "The service answered with a redirect that was not followed.",
        "Send the request to the URL in the Location header yourself if you trust it; the key was not sent there.";
    ForeignOrigin = -17, "FAL_E_FOREIGN_ORIGIN", "The URL is not one of fal's; nothing was sent.",
        "Use an https URL of fal, or set your own host as an option of the client. Use another HTTP client for other services.";
    Protocol = -18, "FAL_E_PROTOCOL", "The response does not follow HTTP or fal's protocol.",
        "Check for a proxy or a captive portal between this machine and fal. If there is none, report the request id to support@fal.ai.";
    TooLarge = -19, "FAL_E_TOO_LARGE", "The response is larger than the caller allows.",
        "Raise the limit of response bytes if a response of this size is expected.";
    WrongType = -20, "FAL_E_WRONG_TYPE", "The JSON value at this pointer is missing or has another type.",
        "Read the value as the type that it has: the content type and the text of the response show it.";
    WouldDeadlock = -21, "FAL_E_WOULD_DEADLOCK", "Waiting here would block the thread that has to complete the operation.",
        "Poll, or wait on a thread of your own. Never wait inside a callback.";
    Forked = -22, "FAL_E_FORKED", "The operation was started before this process was forked and belongs to the parent.",
        "Start the operation again in the child, with the same client.";
    ShutDown = -23, "FAL_E_SHUT_DOWN", "The library is shutting down, or was shut down while the call was running.",
        "Start new operations after the shutdown has returned.";
    Panic = -24, "FAL_E_PANIC", "A defect in libfal or in a function of the host was caught; the process is unharmed.",
        "Report the message to the authors of libfal. The operation is lost, but the library continues to work.";
    Taken = -25, "FAL_E_TAKEN", "The outcome of this operation was already taken.",
        "Take the outcome once and keep it.";
    Io = -26, "FAL_E_IO", "The operating system refused a thread, a file or a socket.",
        "Resolve the error of the operating system in the message.";
    CredentialsFailed = -27, "FAL_E_CREDENTIALS_FAILED", "The program, function or login that provides the credential failed; nothing was sent.",
        "Resolve the reason in the message.";
    WebhookInvalid = -28, "FAL_E_WEBHOOK_INVALID", "The webhook was not sent by fal, was changed, or is too old: its signature, time or headers are invalid.",
        "Do not act on the webhook.";
    QueueFull = -29, "FAL_E_QUEUE_FULL", "The queue of unsent inputs is full; this input was not accepted.",
        "Send the input later, allow more inputs to wait, or choose another policy for a full queue.";
    Closed = -30, "FAL_E_CLOSED", "The connection is closed, or closing; nothing was sent.",
        "Start another connection if there is more to send.";
    NotReady = -31, "FAL_E_NOT_READY", "The queued request has not finished yet, so it has no result.",
        "Wait for the request: attach to it, or poll its status.";
}

impl Code {
    /// The number of the code in C. It is negative and never changes.
    pub fn number(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
