"""Functions of the program that threads of the core call: for log lines, and for the credential.

The core refers to a function by a number. The client holds the function, so that the garbage collector sees the reference. After a client
is deleted, its functions are kept until the core releases them, because running calls and queued log lines may still need them.
"""

from __future__ import annotations

import atexit
import itertools
import sys
import time
from _weakref import ref

from . import _libfal
from ._libfal import Task
from ._values import maybe_function

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ._libfal import Question

# How many seconds the end of the program waits for queued log lines, and for a running log function.
_LAST_WORDS = 1.0
_PATIENCE = 5.0
_STEP = 0.005


class Held:
    """A function that the core may call while this object exists."""

    __slots__ = ("__weakref__", "function", "number")

    def __init__(self, function: Callable[..., Any]) -> None:
        _prepare_gevent()
        self.function = function
        self.number = number = next(_numbers)
        _held[number] = ref(self, lambda _, drop=_held.pop: drop(number, None))  # type: ignore[misc]


_numbers = itertools.count(1)
_held: dict[int, ref[Held]] = {}

# Whether a log function was ever set.
_logs = False

# The functions of deleted clients that the core has not released.
_kept: dict[int, Held] = {}


def _prepare_gevent() -> None:
    """Lets gevent finish its imports. Two threads that make their first hubs at the same time would wait for each other forever: the
    thread that calls the function, and the one that calls libfal.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey and monkey.is_module_patched("threading"):
        sys.modules["gevent"].get_hub()


def hold_log(function: Callable[..., Any] | None) -> Held | None:
    global _logs
    if function is None:
        return None
    maybe_function("log", function)
    _logs = True
    return Held(function)


def number(held: Held | None) -> int | None:
    return held.number if held else None


def let_go(functions: Iterable[Held | None]) -> None:
    """Keeps the functions of a deleted client until the core releases them."""
    for held in functions:
        if held:
            _kept[held.number] = held


def _release(number: int) -> None:
    _kept.pop(number, None)


def _get(number: int) -> Held | None:
    found = _held.get(number)
    return found() if found else None


def _find(number: int) -> Callable[..., Any] | None:
    held = _get(number)
    return held.function if held else None


def _ask(number: int, question: Question) -> None:
    held = _get(number)
    if held:
        held.function(question)
    else:
        question.fail("the client of the function was deleted")


def _stop() -> None:
    """Delivers queued log lines, then starts no more log functions. Waits for a running one, which may hold a lock that the
    interpreter needs.
    """
    if not _logs:
        return
    try:
        flushing = _libfal.flush_log(_LAST_WORDS)
        while isinstance(flushing, Task) and flushing.wait(_STEP) is False:
            pass
    finally:
        end = time.monotonic() + _PATIENCE
        while _libfal.silence() and time.monotonic() < end:
            time.sleep(_STEP)


_libfal.call_back(_find, _ask, _release)
atexit.register(_stop)
