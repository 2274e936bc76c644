"""Checks arguments and converts them to the types that the core takes, before the core is called."""

from __future__ import annotations

import os
import sys
from _collections_abc import Mapping
from _operator import index

from . import _libfal
from ._errors import failed
from ._typing import imported

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, SupportsFloat, SupportsIndex, TypeVar, Union

    from _typeshed import ReadableBuffer

    from ._errors import FalClientError

    _T = TypeVar("_T")

    _Path = Union[str, os.PathLike[str]]
    _Seconds = Union[SupportsFloat, SupportsIndex]
elif sys.version_info >= (3, 10):
    _Path = str | os.PathLike[str]
    _Seconds = float | int
else:
    _Path, _Seconds = str, float

_LEAST, _MOST = -(2**63), 2**63 - 1


def invalid(message: str, cause: BaseException | None = None) -> FalClientError:
    """Returns the error for a malformed argument."""
    return failed("FAL_E_INVALID_ARGUMENT", message, cause)


def text(name: str, value: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is a str, not {type(value).__name__}")
    try:
        value.encode()
        return value
    except UnicodeEncodeError as cause:
        reason = cause.reason
    # The value may be a secret, and the exception above contains it. So it must not become the context of this one.
    raise invalid(f"{name} is not Unicode text: {reason}")


def maybe_text(name: str, value: str | None) -> str | None:
    return None if value is None else text(name, value)


def seconds(name: str, value: _Seconds) -> float:
    """Converts a number of seconds. The core checks the range."""
    try:
        if not isinstance(value, (str, bytes, bytearray)):
            return float(value)
    except OverflowError as cause:
        raise invalid(f"{name} is out of range", cause)
    except TypeError:
        pass
    raise TypeError(f"{name} is a number of seconds, not {type(value).__name__}")


def maybe_seconds(name: str, value: _Seconds | None) -> float | None:
    return None if value is None else seconds(name, value)


def waiting(name: str, value: _Seconds | None) -> float | None:
    """Converts the timeout of a wait."""
    if value is None:
        return None
    time = seconds(name, value)
    if not 0 <= time < float("inf"):
        raise invalid(f"{name} must be a number of seconds from 0, not {time}")
    return time


def count(name: str, value: SupportsIndex) -> int:
    """Converts an integer of 64 bits. The core checks the exact range."""
    try:
        number = index(value)
    except TypeError as cause:
        raise TypeError(f"{name} is an integer, not {type(value).__name__}") from cause
    if not _LEAST <= number <= _MOST:
        raise invalid(f"{name} is out of range")
    return number


def maybe_count(name: str, value: SupportsIndex | None) -> int | None:
    return None if value is None else count(name, value)


def path(name: str, value: _Path | None) -> str | None:
    if value is None:
        return None
    found = os.fsdecode(os.fspath(value))
    if "\0" in found:
        raise invalid(f"{name} contains a NUL character")
    return found


def each(check: Callable[[str, _T], object], **values: _T) -> dict[str, object]:
    """Checks several arguments with one function."""
    return {name: check(name, value) for name, value in values.items()}


def maybe_function(name: str, value: Any) -> Any:
    """Checks a function of the program, which is called later, when something may have been sent."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be a callable, not {type(value).__name__}")
    return value


def dumps(value: object) -> bytes:
    """Converts to JSON text as json.dumps does, but refuses NaN and Infinity.

    A value of a wrong type raises TypeError, which names the type.
    """
    made = _libfal.dumps(value)
    if made is not None:
        return made
    try:
        text: str = imported("json").dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        return text.encode()
    except (ValueError, RecursionError) as cause:
        raise invalid(f"the value is not JSON: {cause}", cause)


def content(value: ReadableBuffer) -> bytes:
    """Returns a bytes object as it is, and a copy of any other bytes-like object, which could change."""
    return value if type(value) is bytes else memoryview(value).tobytes()


def pairs(headers: Mapping[str, str] | None) -> bytes:
    """Converts headers to JSON text."""
    return dumps([(text("the name of a header", name), text("a header", it)) for name, it in (headers or {}).items()])
