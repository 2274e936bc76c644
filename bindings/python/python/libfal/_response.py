"""Responses."""

from __future__ import annotations

from ._errors import failed, joined
from ._libfal import Answer
from ._typing import imported
from ._values import content as content_of
from ._waiting import value_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, final

    from _typeshed import ReadableBuffer
    from typing_extensions import Self
else:
    from ._typing import Any, Callable, Iterator, Mapping, ReadableBuffer, Self, final


@final
class Response:
    """A successful response. response["images"][0] reads its JSON."""

    # Set by the first access. There is no lock, because a signal handler or finalizer may interrupt the first access and read too.
    _known_headers: dict[str, str] | None = None
    _content: bytes | None = None
    _json: Any = NotImplemented

    def __init__(self, status: int, headers: Mapping[str, str], content: ReadableBuffer) -> None:
        self._answer = Answer(content_of(content))
        self._status = status
        self._known_headers = {name.lower(): value for name, value in headers.items()}

    @classmethod
    def _of(cls, answer: Answer) -> Self:
        response = cls.__new__(cls)
        response._answer = answer
        response._status = answer.status()
        return response

    @property
    def _headers(self) -> dict[str, str]:
        known = self._known_headers
        return self.__dict__.setdefault("_known_headers", joined(self._answer.headers())) if known is None else known

    @property
    def status(self) -> int:
        """The HTTP status, 200 to 299."""
        return self._status

    @property
    def headers(self) -> dict[str, str]:
        """The headers by their names in lower case."""
        return dict(self._headers)

    @property
    def request_id(self) -> str | None:
        """fal's id of the request."""
        return self._headers.get("x-fal-request-id")

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

    def __getitem__(self, key: Any, /) -> Any:
        return self.json()[key]

    def __contains__(self, item: object, /) -> bool:
        return item in self.json()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.json())

    def __repr__(self) -> str:
        kind = self._headers.get("content-type", "no type")
        size, request = self._answer.size(), self.request_id or "-"
        return f"<libfal.Response: {self._status}, {size} bytes of {kind}, request {request}>"

    def __reduce__(self) -> tuple[type[Response], tuple[int, dict[str, str], bytes]]:
        return Response, (self._status, self._headers, self.content)


def decoded(answer: Answer) -> Any:
    """Returns the body as JSON. Python's own decoder reads what the core's does not, such as large numbers."""
    value = answer.json()
    return _loads(answer, None) if value is NotImplemented else value


def element(answer: Answer, parse_float: Callable[[str], Any] | None) -> Any:
    """Returns the element of a list."""
    kind = dict(answer.headers()).get("content-type", "")
    # Only log lines have this type. They are not JSON.
    if kind.startswith("text/plain"):
        return value_of(answer.text())
    return _loads(answer, parse_float)


def _loads(answer: Answer, parse_float: Callable[[str], Any] | None) -> Any:
    try:
        return imported("json").loads(answer.body(), parse_float=parse_float)
    except (ValueError, RecursionError) as cause:
        raise failed("FAL_E_WRONG_TYPE", f"the body is not JSON: {cause}", cause)


# So that repr() and pickle use the public name.
Response.__module__ = "libfal"
