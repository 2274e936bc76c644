"""The program's functions that threads of the core call: for log lines, and for the credential.

The core knows them by numbers only: clients hold them, so that the collector sees what holds what. The functions of a client that is gone
are kept until the core says that it calls them no more: calls may be under way yet, and lines of the log.
"""

from __future__ import annotations

import atexit
import itertools
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _libfal
from ._libfal import Task

if TYPE_CHECKING:
    from ._libfal import Question

# For how many seconds the end of the program waits for lines that log functions have not heard yet, and for a function that runs.
_LAST_WORDS = 1.0
_PATIENCE = 5.0
_STEP = 0.005


class Held:
    """A function that the core may call as long as this is held."""

    __slots__ = ("__weakref__", "function", "number")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.number = next(_numbers)
        _held[self.number] = self


class Functions(NamedTuple):
    """The functions of a client."""

    log: Held | None
    credential: Held | None
    notebook: Held | None


_numbers = itertools.count(1)
_held: weakref.WeakValueDictionary[int, Held] = weakref.WeakValueDictionary()

# Whether there is, or was, a log function.
_logs = False

# The functions of clients that are gone.
_kept: dict[int, Held] = {}


def hold_log(function: Callable[..., Any] | None) -> Held | None:
    global _logs
    if function is None:
        return None
    if not callable(function):
        raise TypeError(f"log is a callable, not {type(function).__name__}")
    _logs = True
    return Held(function)


def number(held: Held | None) -> int | None:
    return held.number if held else None


def let_go(functions: Functions) -> None:
    """Nobody but the core needs the functions any more."""
    for held in functions:
        if held:
            _kept[held.number] = held


def _release(number: int) -> None:
    _kept.pop(number, None)


def _find(number: int) -> Callable[..., Any] | None:
    held = _held.get(number)
    return held.function if held else None


def _ask(number: int, question: Question) -> None:
    held = _held.get(number)
    if held:
        held.function(question)
    else:
        question.fail("the client whose function was to be asked is gone")


def _stop() -> None:
    """Tell the log functions what there is to tell, and begin none any more. One that runs comes to its end: it may hold a lock that
    the interpreter wants.
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
