"""Passes two headers of the current request of a fal app on to the calls that the app makes, and a renewed token back."""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from ._libfal import Answer

    _T = TypeVar("_T")
else:
    from ._typing import Any, Callable

_TOKEN = "x-fal-cdn-token"
_PASSED_ON = (_TOKEN, "x-app-fal-can-disable-filter")

_get_current_app: Callable[[], Any] | None = None
is_inside = False
"""Whether headers may have to be passed on."""


def set_get_current_app(func: Callable[[], Any]) -> None:
    """Set the function that returns the fal app in which the program runs. Its current_request has the headers to pass on."""
    global _get_current_app, is_inside
    _get_current_app, is_inside = func, True


def _current_request(get_app: Callable[[], Any]) -> Any:
    return getattr(get_app(), "current_request", None)


def passing_on(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Returns the headers of a call with those that the app passes on."""
    request = _current_request(_get_current_app) if _get_current_app else None
    if request is None:
        return headers
    passed = {name: request.headers.get(name) for name in _PASSED_ON}
    return {**headers, **{name: value for name, value in passed.items() if value}}


def passing_back(decode: Callable[[Answer], _T]) -> Callable[[Answer], _T]:
    """Returns a function that gives the app the token in a response, and then decodes it."""
    request = _current_request(_get_current_app) if _get_current_app else None
    if request is None:
        return decode

    def passed_back(answer: Answer) -> _T:
        for name, value in answer.headers():
            if name == _TOKEN and value:
                request.headers[_TOKEN] = value
        return decode(answer)

    return passed_back


set_get_current_app.__module__ = "libfal"
