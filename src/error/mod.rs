//! One error type for everything.

mod about;
mod account_lock;
mod answer;
mod clause;
mod code;
mod field;
pub(crate) mod retry_rules;

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use about::RefusalReason;
pub use account_lock::LockReason;
pub(crate) use answer::{Answer, veiled};
pub(crate) use clause::clause;
pub use code::Code;
pub use field::FieldError;
pub(crate) use retry_rules::Idempotency;

use crate::key::Scope;
use crate::limits::{MESSAGE, shortened};
use crate::secrets::Secrets;

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, what it means for the request, and what to do.
///
/// It never contains a secret: keys appear as their public id, and where the service repeats what
/// it was sent, in whatever form, there is `****` in its place.
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
    /// There is no secret in the fields any more.
    is_masked: bool,
    lock_reason: Option<LockReason>,
    about: Option<RefusalReason>,
    resolution: Option<Arc<dyn Any + Send + Sync>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this code with this message, and the code's usual remedy.
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

    /// The request that the error is about, where the answer names another one or none.
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

    /// Where the credential came from, of a type that its module knows.
    pub(crate) fn with_resolution_of<T: Any + Send + Sync>(mut self, resolution: Arc<T>) -> Self {
        self.0.resolution = Some(resolution);
        self
    }

    /// The same without a secret in anything that it says. Its answer has none from the beginning.
    pub(crate) fn without(mut self, secrets: &Secrets) -> Self {
        let inner = &mut *self.0;
        secrets.hide(&mut inner.message);
        secrets.hide_in(&mut inner.remedy);
        secrets.hide_in(&mut inner.request_id);
        if let Some(answer) = &mut inner.answer {
            secrets.hide_in(&mut answer.error_type);
            secrets.hide_in(&mut answer.request_id);
        }
        if inner
            .source
            .as_deref()
            .is_some_and(|source| says(source, secrets))
        {
            inner.source = None;
        }
        if inner.is_masked {
            self
        } else {
            self.masked(secrets)
        }
    }

    /// The same of what it says of fields, which may be long: where it is read, so that nobody
    /// waits for it later.
    pub(crate) fn masked(mut self, secrets: &Secrets) -> Self {
        let inner = &mut *self.0;
        if Arc::get_mut(&mut inner.fields).is_none() {
            inner.fields = inner.fields.iter().cloned().collect();
        }
        if let Some(fields) = Arc::get_mut(&mut inner.fields) {
            fields.iter_mut().for_each(|field| field.hide(secrets));
        }
        inner.is_masked = true;
        self
    }

    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The code to branch on.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What happened, in one or two sentences for people: at most 4 KiB, whatever the service said.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it, for people.
    pub fn remedy(&self) -> &str {
        self.0.remedy.as_deref().unwrap_or(self.0.code.remedy())
    }

    /// The HTTP status, if the service answered.
    pub fn http_status(&self) -> Option<u16> {
        self.0.answer.as_ref().map(|answer| answer.status)
    }

    /// fal's own name of the error, such as `image_too_large` or `runner_disconnected`
    /// (docs/protocol.md §12.2, §12.3, §14.2).
    pub fn error_type(&self) -> Option<&str> {
        self.0.answer.as_ref()?.error_type.as_deref()
    }

    /// fal's id of the request: of a queued one, as it was submitted; else from the header
    /// `x-fal-request-id` or, as the Platform API has it, from the body (docs/protocol.md §14.2).
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref().or_else(|| self.answered_id())
    }

    fn answered_id(&self) -> Option<&str> {
        self.header("x-fal-request-id")
            .or_else(|| self.0.answer.as_ref()?.request_id.as_deref())
    }

    /// A header of the answer, if there was one; the name's case does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.answer.as_ref()?.headers.get(name)?.to_str().ok()
    }

    /// Every header of the answer, in the order of arrival. Values that are not text are left out.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.0.answer.iter().flat_map(|answer| &answer.headers);
        headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }

    /// The body of the answer as received; empty if there was none.
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

    /// How long the service asked to wait, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The scope that the operation needs, where fal says so and the answer was a refusal.
    pub fn needed_scope(&self) -> Option<Scope> {
        self.0.needed_scope
    }

    /// What is wrong with which field of the input, in the service's order; empty if it named none.
    /// At most 1000.
    pub fn fields(&self) -> &[FieldError] {
        &self.0.fields
    }

    /// Why the account is locked, if [`Code::AccountLocked`] says that it is.
    pub fn lock_reason(&self) -> Option<LockReason> {
        self.0.lock_reason
    }

    /// What a refusal was about, where fal's text tells.
    pub(crate) fn about(&self) -> Option<RefusalReason> {
        self.0.about
    }

    /// Whether fal refused the credential: it, and not an app for reasons of its own.
    pub(crate) fn refuses_credential(&self) -> bool {
        self.code() == Code::Unauthenticated && self.about() != Some(RefusalReason::AppsOwn)
    }

    /// What [`with_resolution_of`](Self::with_resolution_of) was given, if it is of this type.
    pub(crate) fn resolution_of<T: Any>(&self) -> Option<&T> {
        self.0.resolution.as_deref()?.downcast_ref()
    }
}

/// Whether an error, or what it comes from, says one of the secrets.
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
