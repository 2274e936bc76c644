"""The exception classes. CLASSES maps an error code to its class."""

from __future__ import annotations

import errno
import os

from . import _libfal
from ._explanation import Explanation, from_report
from ._headers import Headers

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ._response import Response
else:
    from ._typing import Any, Callable, Mapping

    Response = object


class FalClientError(Exception):
    """The base class of all errors of libfal. Contains no secret.

    An error with an HTTP status is also a FalClientHTTPError.
    """

    code: str = ""
    """The code, as in fal.h: "FAL_E_NOT_FOUND"."""
    message: str = ""
    """What happened, in one or two sentences."""
    remedy: str = ""
    """How to correct it."""
    status_code: int | None
    """The HTTP status, if the service answered."""
    response_headers: dict[str, str]
    """The headers of the response; empty if there was no response. Upper and lower case in a name are the same."""
    response: Response | None = None
    """The response, if the service answered. Its content has up to 16 MiB."""
    error_type: str | None = None
    """fal's name of the error, such as "image_too_large"."""
    request_id: str | None = None
    """fal's id of the request."""
    may_have_executed: bool = False
    """Whether the service may have executed the request. If so, sending it again may run and bill it twice."""
    is_retryable: bool = False
    """Whether the same request may succeed later."""
    retry_after: float | None = None
    """How many seconds to wait before a retry, as requested by the service."""
    needed_scope: str | None = None
    """The scope that the operation needs, "API" or "ADMIN", if fal reports it with the refusal."""
    explanation: Explanation | None = None
    """The search for the credential of the call: all sources."""

    def __init__(self, *args: object, remedy: str = "") -> None:
        super().__init__(*args)
        self.message = Exception.__str__(self)
        self.remedy = remedy
        self.status_code = None
        self.response_headers = Headers()

    def __str__(self) -> str:
        return "\n".join(part for part in (self.message, self.remedy) if part)

    def __reduce__(self) -> tuple[Callable[..., FalClientError], tuple[type[FalClientError], tuple[Any, ...], dict[str, Any]]]:
        return _made, (getattr(type(self), "_plain", type(self)), self.args, self.__dict__)


class FalClientHTTPError(FalClientError):
    """The service answered with an HTTP status that is an error, or with a response that cannot be used."""

    status_code: int
    """The HTTP status."""

    def __init__(
        self,
        message: str,
        status_code: int,
        response_headers: Mapping[str, str],
        response: Response | None,
        error_type: str | None = None,
    ) -> None:
        super().__init__(message)
        # None in other errors, where a program may set it; here it never does.
        self.status_code = status_code  # pyright: ignore[reportIncompatibleVariableOverride]
        self.response_headers = Headers(response_headers)
        self.response = response
        self.error_type = error_type


class FalClientTimeoutError(FalClientError, TimeoutError):
    """A call exceeded its time limit: see may_have_executed. A job was cancelled; request_id is its id."""

    timeout: float | None
    """The limit in seconds."""

    def __init__(self, timeout: float | None, request_id: str | None = None) -> None:
        super().__init__(f"the call had not ended after {timeout} s")
        self.timeout = timeout
        self.request_id = request_id

    def __str__(self) -> str:
        text = super().__str__()
        is_told = self.request_id is None or self.request_id in text
        return text if is_told else f"request {self.request_id}: {text}"


class RealtimeError(FalClientError, RuntimeError):
    """A realtime app reported an error, or a connection broke."""

    error: str
    """The name of the error, such as "INTERNAL_ERROR"; "CONNECTION_CLOSED" if the connection broke."""
    reason: str
    """The reason in the message of the app."""
    payload: dict[str, Any]
    """The message of the app."""

    def __init__(self, error: str, reason: str | None = None, payload: dict[str, Any] | None = None) -> None:
        super().__init__(f"{error}: {reason}" if reason else error)
        self.error = error
        self.reason = reason or ""
        self.payload = payload or {}


class InvalidArgumentError(FalClientError, ValueError):
    """An argument is malformed or out of range. Nothing was sent."""


class CredentialsError(FalClientError):
    """No source has a key, the key is malformed, or a source failed. Nothing was sent."""

    def __str__(self) -> str:
        sources = self.explanation.sources if self.explanation else ()
        return "\n".join([super().__str__(), *(f"  {source}" for source in sources)])


class MissingCredentialsError(CredentialsError):
    """No source has a key. Nothing was sent."""


class AuthenticationError(FalClientError):
    """The service did not accept the credential (401)."""


class ForbiddenError(FalClientError):
    """The credential is valid but lacks permission (403)."""


class AccountLockedError(FalClientError):
    """The key is valid, but its account is locked (403): balance, budget, payment or administration."""


class NotFoundError(FalClientError):
    """The endpoint, path or object does not exist, or is hidden from this key (404, 410)."""


class InvalidInputError(FalClientError):
    """The service rejected the input (400, 405, 409, 413, 422). response lists the fields."""


class RateLimitedError(FalClientError):
    """Too many requests (429). The service did not execute this one, unless may_have_executed."""


class ServiceError(FalClientError):
    """The app or the platform failed or was unavailable (5xx, 408, 499)."""


class TransportError(FalClientError, ConnectionError):
    """The connection failed, or was lost before the whole response arrived: see may_have_executed.

    errno is the number of the operating system, if it gave one.
    """


class CancelledError(FalClientError):
    """The caller cancelled the call."""


class RedirectError(FalClientError):
    """The service answered with a redirect that was not followed."""


class ForeignOriginError(FalClientError):
    """The URL does not belong to fal. Nothing was sent."""


class ProtocolError(FalClientError):
    """The response violates HTTP or fal's protocol."""


class ResponseTooLargeError(FalClientError):
    """The response is longer than max_response_bytes."""


class DecodeError(FalClientError, ValueError):
    """The response is not text, or not JSON of the expected form."""


class UsageError(FalClientError, RuntimeError):
    """A wait inside a log function, a call of a closed client, or an operation of the parent process."""


class ShutDownError(FalClientError):
    """libfal is shutting down, or did so during the call."""


class ResourceError(FalClientError, OSError):
    """The operating system refused a thread, a file or a socket. It is also a FileNotFoundError, FileExistsError and so on by its errno."""

    _refusal: tuple[int, str | None] | None = None


class WebhookInvalidError(FalClientError):
    """A webhook is not from fal, was modified, or is too old. Do not act on it."""


class NotReadyError(FalClientError):
    """The queued request has not finished yet, so it has no result."""


class InternalError(FalClientError):
    """A defect in libfal was caught."""


CLASSES: dict[str, type[FalClientError]] = {
    "FAL_E_INVALID_ARGUMENT": InvalidArgumentError,
    "FAL_E_NO_CREDENTIALS": MissingCredentialsError,
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
    "FAL_E_DEADLINE": FalClientTimeoutError,
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


def error(failure: _libfal.Failure, limit: float | None = None) -> FalClientError:
    """Returns the exception for a failure of the core. limit is the time limit of the call."""
    # A response raises errors itself.
    from ._response import Response

    facts = failure.facts()
    cls, message = CLASSES[facts["code"]], facts["message"]
    status, headers = facts.pop("http_status"), Headers.of(facts.pop("headers"))
    response = None if status is None else Response(status, headers, failure.body())
    facts.update(status_code=status, response_headers=headers, response=response)
    if facts["explanation"] is not None:
        facts["explanation"] = from_report(*facts["explanation"])
    if cls is FalClientTimeoutError:
        facts["timeout"] = limit
    number, name = facts.pop("os_code"), facts.pop("path")
    if number is not None and issubclass(cls, OSError):
        facts["_refusal"] = _refusal(number, name)
    return _made(cls, (message,), facts)


def _made(cls: type[FalClientError], args: tuple[Any, ...], facts: dict[str, Any]) -> FalClientError:
    """Returns an exception with these attributes."""
    refusal: tuple[int, str | None] | None = facts.get("_refusal")
    made = _both(cls, FalClientHTTPError) if facts.get("status_code") is not None else cls
    # The class of Python for the number.
    made = _both(made, type(OSError(refusal[0], ""))) if refusal and issubclass(cls, ResourceError) else made
    error: Any = made.__new__(made, *args)
    error.args = args
    error.__dict__.update(facts)
    if refusal:
        (error.errno, error.filename), error.strerror = refusal, os.strerror(refusal[0])
    found: FalClientError = error
    return found


_twins: dict[tuple[type[FalClientError], type[Exception]], type[FalClientError]] = {}


def _both(cls: type[FalClientError], other: type[Exception]) -> type[FalClientError]:
    """Returns the class of the errors of a class that are also of the other one."""
    if issubclass(cls, other):
        return cls
    if (cls, other) not in _twins:
        names = {"__module__": cls.__module__, "__doc__": cls.__doc__, "__qualname__": cls.__qualname__, "_plain": getattr(cls, "_plain", cls)}
        _twins.setdefault((cls, other), type(cls.__name__, (cls, other), names))
    return _twins[cls, other]


def _refusal(number: int, name: str | None) -> tuple[int, str | None]:
    """Returns a refusal of the operating system: its number as Python has it, and the file."""
    # Windows has numbers of its own, which OSError converts.
    return OSError(0, "", None, number).errno or number, name


def failed(code: str, message: str, cause: BaseException | None = None, remedy: str = "") -> FalClientError:
    """Returns the exception for a failure of the Python half. By default its remedy is that of the code."""
    made = error(_libfal.failure(code, message.encode(errors="backslashreplace").decode()))
    made.__cause__ = cause
    made.remedy = remedy or made.remedy
    return made


def refused(message: str, cause: OSError) -> FalClientError:
    """Returns the exception for a file that the operating system refused."""
    told = failed("FAL_E_IO", message)
    made = _made(ResourceError, told.args, {**vars(told), "_refusal": (cause.errno or errno.EIO, cause.filename)})
    made.__cause__ = cause
    return made


# So that repr() and pickle use the public name.
for _class in (FalClientError, FalClientHTTPError, RealtimeError, CredentialsError, *CLASSES.values()):
    _class.__module__ = "libfal"
