//! The one error type of the library.

mod account_lock;
mod answer;
mod cause;
mod clause;
mod code;
mod field;
mod refusal_reason;
pub(crate) mod retry_rules;

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use account_lock::LockReason;
pub(crate) use answer::{Answer, veiled};
pub(crate) use clause::{clause, clause_or};
pub use code::Code;
pub use field::FieldError;
pub(crate) use refusal_reason::RefusalReason;
pub(crate) use retry_rules::Idempotency;

use crate::key::Scope;
use crate::limits::{MESSAGE, shortened};
use crate::secrets::Secrets;

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, what it means for the request, and what to do.
///
/// An error never contains a secret. A key appears as its public id. Where the service repeats a
/// secret that it was sent, in any encoding, the error has `****` instead.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    message: String,
    remedy: Option<String>,
    answer: Option<Answer>,
    request_id: Option<String>,
    may_have_executed: bool,
    retryable: bool,
    retry_after: Option<Duration>,
    needed_scope: Option<Scope>,
    fields: Arc<[FieldError]>,
    /// Whether the secrets in `fields` have been removed.
    is_masked: bool,
    lock_reason: Option<LockReason>,
    about: Option<RefusalReason>,
    os_code: Option<i32>,
    path: Option<PathBuf>,
    resolution: Option<Arc<dyn Any + Send + Sync>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error with this code and message, and with the remedy of the code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            code,
            message: bounded(message.into()),
            remedy: None,
            answer: None,
            request_id: None,
            may_have_executed: false,
            retryable: false,
            retry_after: None,
            needed_scope: None,
            fields: Arc::default(),
            is_masked: false,
            lock_reason: None,
            about: None,
            os_code: None,
            path: None,
            resolution: None,
            source: None,
        }))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Error::new(Code::InvalidArgument, message)
    }

    pub(crate) fn with_code(mut self, code: Code) -> Self {
        self.0.code = code;
        self
    }

    pub(crate) fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = bounded(message.into());
        self
    }

    pub(crate) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(bounded(remedy.into()));
        self
    }

    pub(crate) fn with_answer(mut self, answer: Answer) -> Self {
        self.0.answer = Some(answer);
        self
    }

    /// Sets the id of the request that the error is about, if the response has another id or no id.
    pub(crate) fn with_request_id(mut self, id: impl Into<String>) -> Self {
        self.0.request_id = Some(id.into());
        self
    }

    pub(crate) fn with_outcome_unknown(mut self, may_have_executed: bool) -> Self {
        self.0.may_have_executed = may_have_executed;
        self
    }

    pub(crate) fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    pub(crate) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.0.retry_after = retry_after;
        self
    }

    pub(crate) fn with_needed_scope(mut self, scope: Option<Scope>) -> Self {
        self.0.needed_scope = scope;
        self
    }

    pub(crate) fn with_fields(mut self, fields: Arc<[FieldError]>) -> Self {
        (self.0.fields, self.0.is_masked) = (fields, false);
        self
    }

    pub(crate) fn with_lock_reason(mut self, reason: Option<LockReason>) -> Self {
        self.0.lock_reason = reason;
        self
    }

    pub(crate) fn with_about(mut self, about: Option<RefusalReason>) -> Self {
        self.0.about = about;
        self
    }

    /// Sets the file or folder that the error is about.
    pub(crate) fn with_path(mut self, path: &Path) -> Self {
        self.0.path = Some(path.to_owned());
        self
    }

    /// Sets the operating system's code of this failure, if it has one.
    pub(crate) fn with_cause(self, cause: &io::Error) -> Self {
        self.with_os_code(cause::code_of(cause))
    }

    pub(crate) fn with_os_code(mut self, code: Option<i32>) -> Self {
        self.0.os_code = code;
        self
    }

    /// Attaches the origin of the credential. Its type belongs to a higher module.
    pub(crate) fn with_resolution_of<T: Any + Send + Sync>(mut self, resolution: Arc<T>) -> Self {
        self.0.resolution = Some(resolution);
        self
    }

    /// Removes the secrets from everything but the response, which never has any.
    pub(crate) fn without(mut self, secrets: &Secrets) -> Self {
        let inner = &mut *self.0;
        secrets.hide(&mut inner.message);
        secrets.hide_in(&mut inner.remedy);
        secrets.hide_in(&mut inner.request_id);
        let path = &mut inner.path;
        path.take_if(|path| secrets.are_in(&path.to_string_lossy()));
        if let Some(answer) = &mut inner.answer {
            secrets.hide_in(&mut answer.error_type);
            secrets.hide_in(&mut answer.request_id);
        }
        inner.source.take_if(|source| says(&**source, secrets));
        if inner.is_masked {
            self
        } else {
            self.masked(secrets)
        }
    }

    /// Removes the secrets from the fields, which may be long. The thread that reads the response
    /// does it, so that no other thread waits for it later.
    pub(crate) fn masked(mut self, secrets: &Secrets) -> Self {
        let inner = &mut *self.0;
        for field in Arc::make_mut(&mut inner.fields) {
            field.hide(secrets);
        }
        inner.is_masked = true;
        self
    }

    /// Sets the cause, and the operating system's code if it has one.
    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.os_code = self.0.os_code.or(cause::code_of(&source));
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The code, for a program to branch on.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What happened, in one or two sentences for people. At most 4 KiB.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about the error, for people.
    pub fn remedy(&self) -> &str {
        self.0.remedy.as_deref().unwrap_or(self.0.code.remedy())
    }

    /// The HTTP status of the response, if there was one.
    pub fn http_status(&self) -> Option<u16> {
        self.0.answer.as_ref().map(|answer| answer.status)
    }

    /// fal's name of the error, such as `image_too_large` or `runner_disconnected`
    /// (docs/protocol.md §12.2, §12.3, §14.2).
    pub fn error_type(&self) -> Option<&str> {
        self.0.answer.as_ref()?.error_type.as_deref()
    }

    /// fal's id of the request. For a queued request it is the id of the submission; otherwise it
    /// is from the header `x-fal-request-id` or, for the Platform API, from the body
    /// (docs/protocol.md §14.2).
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref().or_else(|| self.answered_id())
    }

    fn answered_id(&self) -> Option<&str> {
        self.header("x-fal-request-id")
            .or_else(|| self.0.answer.as_ref()?.request_id.as_deref())
    }

    /// The value of a header of the response. The case of the name does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.answer.as_ref()?.headers.get(name)?.to_str().ok()
    }

    /// Every header of the response, in the order of arrival. Values that are not text are left
    /// out.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.0.answer.iter().flat_map(|answer| &answer.headers);
        headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }

    /// The body of the response as received; empty if there was none.
    pub fn body(&self) -> &[u8] {
        self.0.answer.as_ref().map_or(&[], |answer| &answer.body)
    }

    /// Whether the service may have executed the request although no success arrived.
    ///
    /// `true` means that the outcome is unknown: sending the request again may run, and bill, it
    /// twice.
    pub fn may_have_executed(&self) -> bool {
        self.0.may_have_executed
    }

    /// Whether the same request may succeed if it is sent again later.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// How long the service asks the caller to wait before a retry, if it does.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The scope that the operation needs, if fal documents one and refused the request.
    pub fn needed_scope(&self) -> Option<Scope> {
        self.0.needed_scope
    }

    /// The fields of the input that the service refused, in the order of the response. At most
    /// 1000; empty if the response names none.
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// Why the account is locked, for an error with [`Code::AccountLocked`].
    pub fn lock_reason(&self) -> Option<LockReason> {
        self.0.lock_reason
    }

    /// The operating system's code of the failure, if it gave one: `errno` on Unix, and the code of
    /// `GetLastError` on Windows. Files and folders, threads, connections and TLS are the operating
    /// system's.
    pub fn os_code(&self) -> Option<i32> {
        self.0.os_code
    }

    /// The file or folder that the error is about, if it is about one that was read, written or
    /// looked for.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// Why the service refused the request, if its text says so.
    pub(crate) fn about(&self) -> Option<RefusalReason> {
        self.0.about
    }

    /// Whether fal refused the credential. A refusal by an app does not count.
    pub(crate) fn refuses_credential(&self) -> bool {
        self.code() == Code::Unauthenticated && self.about() != Some(RefusalReason::AppsOwn)
    }

    /// The value that [`with_resolution_of`](Self::with_resolution_of) attached, if it has this
    /// type.
    pub(crate) fn resolution_of<T: Any>(&self) -> Option<&T> {
        self.0.resolution.as_deref()?.downcast_ref()
    }
}

/// Whether an error, or one of its sources, contains a secret.
fn says(error: &(dyn StdError + 'static), secrets: &Secrets) -> bool {
    secrets.are_in(&format!("{error} {error:?}"))
        || error.source().is_some_and(|source| says(source, secrets))
}

fn bounded(text: String) -> String {
    if text.len() <= MESSAGE {
        text
    } else {
        shortened(&text, MESSAGE).into_owned()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("http_status", &self.http_status())
            .field("error_type", &self.error_type())
            .field("request_id", &self.request_id())
            .field("may_have_executed", &self.0.may_have_executed)
            .field("retryable", &self.0.retryable)
            .field("needed_scope", &self.0.needed_scope)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}
