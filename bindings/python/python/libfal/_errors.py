"""The exception classes. CLASSES maps an error code to its class."""

from __future__ import annotations

from . import _libfal
from ._explanation import Explanation, from_report

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
else:
    from ._typing import Iterable, Mapping


class Error(Exception):
    """The base class of all errors of libfal. Contains no secret."""

    code: str
    """The code, as in fal.h: "FAL_E_NOT_FOUND"."""
    message: str
    """What happened, in one or two sentences."""
    remedy: str
    """How to correct it."""
    http_status: int | None
    """The HTTP status, if the service answered."""
    error_type: str | None
    """fal's name of the error, such as "image_too_large"."""
    request_id: str | None
    """fal's id of the request."""
    headers: dict[str, str]
    """The headers of the response by their names in lower case; empty if there was no response."""
    body: bytes
    """The body of the response as received, up to 16 MiB; empty if there was no response."""
    may_have_executed: bool
    """Whether the service may have executed the request. If so, sending it again may run and bill it twice."""
    is_retryable: bool
    """Whether the same request may succeed later."""
    retry_after: float | None
    """How many seconds to wait before a retry, as requested by the service."""
    needed_scope: str | None
    """The scope that the operation needs, "API" or "ADMIN", if fal reports it with the refusal."""
    explanation: Explanation | None
    """The search for the credential of the call: all sources."""

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "",
        remedy: str = "",
        http_status: int | None = None,
        error_type: str | None = None,
        request_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        may_have_executed: bool = False,
        is_retryable: bool = False,
        retry_after: float | None = None,
        needed_scope: str | None = None,
        explanation: Explanation | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.http_status = http_status
        self.error_type = error_type
        self.request_id = request_id
        self.headers = dict(headers or {})
        self.body = body
        self.may_have_executed = may_have_executed
        self.is_retryable = is_retryable
        self.retry_after = retry_after
        self.needed_scope = needed_scope
        self.explanation = explanation

    def __str__(self) -> str:
        return "\n".join(part for part in (self.message, self.remedy) if part)


class InvalidArgumentError(Error, ValueError):
    """An argument is malformed or out of range. Nothing was sent."""


class CredentialsError(Error):
    """No source has a key, the key is malformed, or a source failed. Nothing was sent."""

    def __str__(self) -> str:
        sources = self.explanation.sources if self.explanation else ()
        return "\n".join([super().__str__(), *(f"  {source}" for source in sources)])


class AuthenticationError(Error):
    """The service did not accept the credential (401)."""


class ForbiddenError(Error):
    """The credential is valid but lacks permission (403)."""


class AccountLockedError(Error):
    """The key is valid, but its account is locked (403): balance, budget, payment or administration."""


class NotFoundError(Error):
    """The endpoint, path or object does not exist, or is hidden from this key (404, 410)."""


class InvalidInputError(Error):
    """The service rejected the input (400, 405, 409, 413, 422). body lists the fields."""


class RateLimitedError(Error):
    """Too many requests (429). The service did not accept this one."""


class ServiceError(Error):
    """The app or the platform failed or was unavailable (5xx, 408, 499)."""


class TransportError(Error, ConnectionError):
    """The connection failed, or was lost before the whole response arrived: see may_have_executed."""


class DeadlineError(Error, TimeoutError):
    """The call exceeded its time limit: see may_have_executed."""


class CancelledError(Error):
    """The caller cancelled the call."""


class RedirectError(Error):
    """The service answered with a redirect that was not followed."""


class ForeignOriginError(Error):
    """The URL does not belong to fal. Nothing was sent."""


class ProtocolError(Error):
    """The response violates HTTP or fal's protocol."""


class ResponseTooLargeError(Error):
    """The response is longer than max_response_bytes."""


class DecodeError(Error, ValueError):
    """The response is not text, or not JSON of the expected form."""


class UsageError(Error, RuntimeError):
    """A wait inside a log function, a call of a closed client, or an operation of the parent process."""


class ShutDownError(Error):
    """libfal is shutting down, or did so during the call."""


class ResourceError(Error, OSError):
    """The operating system refused a thread, a file or a socket."""


class WebhookInvalidError(Error):
    """A webhook is not from fal, was modified, or is too old. Do not act on it."""


class NotReadyError(Error):
    """The queued request has not finished yet, so it has no result."""


class InternalError(Error):
    """A defect in libfal was caught."""


CLASSES: dict[str, type[Error]] = {
    "FAL_E_INVALID_ARGUMENT": InvalidArgumentError,
    "FAL_E_NO_CREDENTIALS": CredentialsError,
    "FAL_E_MALFORMED_CREDENTIALS": CredentialsError,
    "FAL_E_UNAUTHENTICATED": AuthenticationError,
    "FAL_E_FORBIDDEN": ForbiddenError,
    "FAL_E_ACCOUNT_LOCKED": AccountLockedError,
    "FAL_E_NOT_FOUND": NotFoundError,
    "FAL_E_INVALID_INPUT": InvalidInputError,
    "FAL_E_RATE_LIMITED": RateLimitedError,
    "FAL_E_SERVICE_FAILED": ServiceError,
    "FAL_E_SERVICE_UNAVAILABLE": ServiceError,
    "FAL_E_CONNECT": TransportError,
    "FAL_E_CONNECTION_LOST": TransportError,
    "FAL_E_DEADLINE": DeadlineError,
    "FAL_E_CANCELLED": CancelledError,
    "FAL_E_REDIRECT": RedirectError,
    "FAL_E_FOREIGN_ORIGIN": ForeignOriginError,
    "FAL_E_PROTOCOL": ProtocolError,
    "FAL_E_TOO_LARGE": ResponseTooLargeError,
    "FAL_E_WRONG_TYPE": DecodeError,
    "FAL_E_WOULD_DEADLOCK": UsageError,
    "FAL_E_FORKED": UsageError,
    "FAL_E_SHUT_DOWN": ShutDownError,
    "FAL_E_PANIC": InternalError,
    "FAL_E_TAKEN": UsageError,
    "FAL_E_IO": ResourceError,
    "FAL_E_CREDENTIALS_FAILED": CredentialsError,
    "FAL_E_WEBHOOK_INVALID": WebhookInvalidError,
    "FAL_E_QUEUE_FULL": UsageError,
    "FAL_E_CLOSED": UsageError,
    "FAL_E_NOT_READY": NotReadyError,
}


def error(failure: _libfal.Failure) -> Error:
    """Returns the exception for a failure of the core."""
    facts = failure.facts()
    message: str = facts.pop("message")
    facts["headers"] = joined(facts["headers"])
    if facts["explanation"] is not None:
        facts["explanation"] = from_report(*facts["explanation"])
    return CLASSES[facts["code"]](message, body=failure.body(), **facts)


def failed(code: str, message: str, cause: BaseException | None = None) -> Error:
    """Returns the exception for a failure of the Python half."""
    made = error(_libfal.failure(code, message.encode(errors="backslashreplace").decode()))
    made.__cause__ = cause
    return made


def joined(headers: Iterable[Iterable[str]]) -> dict[str, str]:
    """Joins the values of repeated headers by commas, as HTTP allows."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


# So that repr() and pickle use the public name.
for _class in (Error, *CLASSES.values()):
    _class.__module__ = "libfal"
