"""Responses."""

from __future__ import annotations

import sys

from ._errors import DecodeError, failed
from ._headers import Headers
from ._libfal import Answer
from ._typing import imported
from ._values import content as content_of
from ._waiting import value_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, final

    from _typeshed import ReadableBuffer
    from typing_extensions import Self
else:
    from ._typing import Any, Callable, Mapping, ReadableBuffer, Self, final


@final
class Response:
    """A response as fal sent it."""

    # Set by the first access. There is no lock, because a signal handler or finalizer may interrupt the first access and read too.
    _known_headers: Headers | None = None
    _content: bytes | None = None
    _json: Any = NotImplemented

    def __init__(self, status_code: int, headers: Mapping[str, str], content: ReadableBuffer) -> None:
        self._answer = Answer(content_of(content))
        self._status_code = status_code
        self._known_headers = Headers(headers)

    @classmethod
    def _of(cls, answer: Answer) -> Self:
        response = cls.__new__(cls)
        response._answer = answer
        response._status_code = answer.status()
        return response

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        return self._status_code

    @property
    def headers(self) -> Headers:
        """The headers. Upper and lower case in a name are the same."""
        known = self._known_headers
        return self.__dict__.setdefault("_known_headers", Headers.of(self._answer.headers())) if known is None else known

    @property
    def request_id(self) -> str | None:
        """fal's id of the request."""
        found: str | None = self.headers.get("x-fal-request-id")
        return found

    @property
    def content(self) -> bytes:
        """The body as received."""
        known = self._content
        return self.__dict__.setdefault("_content", self._answer.body()) if known is None else known

    @property
    def text(self) -> str:
        """The body as text. Raises DecodeError if it is not UTF-8."""
        return value_of(self._answer.text())

    def json(self, *, parse_float: Callable[[str], Any] | None = None) -> Any:
        """Return the body as JSON, decoded at the first call. Raises DecodeError if it is not JSON.

        parse_float converts fractions, as in json.loads: decimal.Decimal keeps all digits.
        """
        if parse_float is not None:
            return _loads(self._answer, parse_float)
        if self._json is not NotImplemented:
            return self._json
        return self.__dict__.setdefault("_json", decoded(self._answer))

    def __repr__(self) -> str:
        kind = self.headers.get("content-type", "no type")
        size, request = self._answer.size(), self.request_id or "-"
        return f"<libfal.Response: {self._status_code}, {size} bytes of {kind}, request {request}>"

    def __reduce__(self) -> tuple[type[Response], tuple[int, dict[str, str], bytes]]:
        return Response, (self._status_code, dict(self.headers), self.content)


def decoded(answer: Answer) -> Any:
    """Returns the body as JSON. Python's own decoder reads what the core's does not, such as large numbers."""
    value = answer.json()
    return _loads(answer, None) if value is NotImplemented else value


def plain(answer: Answer, parse_float: Callable[[str], Any] | None = None) -> Any:
    """Returns the body as its type says: JSON, a text, or bytes. None if the response has none."""
    if answer.status() == 204:
        return None
    kind = Headers.of(answer.headers()).get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return decoded(answer) if parse_float is None else _loads(answer, parse_float)
    return value_of(answer.text()) if kind.startswith("text/") else answer.body()


def item(answer: Answer) -> Any:
    """Returns an item of a stream: JSON, else a text, or bytes."""
    if answer.is_bytes():
        return answer.body()
    value = answer.json()
    if value is not NotImplemented:
        return value
    # Python's decoder reads NaN, and numbers of any size. The word NaN alone is a text.
    if answer.body()[:1] in (b"{", b"["):
        with imported("contextlib").suppress(DecodeError):
            return _loads(answer, None)
    return element(answer, None)


def element(answer: Answer, parse_float: Callable[[str], Any] | None) -> Any:
    """Returns the element of a list."""
    kind = dict(answer.headers()).get("content-type", "")
    # Log lines, and what an app streams without being JSON.
    if kind.startswith("text/plain"):
        return value_of(answer.text())
    return _loads(answer, parse_float)


def _loads(answer: Answer, parse_float: Callable[[str], Any] | None) -> Any:
    try:
        return imported("json").loads(answer.body(), parse_float=parse_float)
    except (ValueError, RecursionError) as cause:
        error = failed("FAL_E_WRONG_TYPE", *_why(cause))
        # The output of a call that was paid for must not be lost.
        error.response, error.may_have_executed = Response._of(answer), True
        raise error


def _why(cause: ValueError | RecursionError) -> tuple[str, BaseException, str]:
    """Returns why Python's decoder refused a body, the exception, and a remedy if there is a better one than that of the code."""
    if isinstance(cause, RecursionError):
        return f"the body is nested too deeply: {cause}", cause, "Read error.response.content with a decoder that has no such limit."
    if "set_int_max_str_digits" in str(cause):
        most = sys.__dict__["get_int_max_str_digits"]()
        remedy = "Call sys.set_int_max_str_digits(0), then error.response.json()."
        return f"the body has an integer of more than {most} digits, the limit of this Python", cause, remedy
    return f"the body is not JSON: {cause}", cause, ""


# So that repr() and pickle use the public name.
Response.__module__ = "libfal"
