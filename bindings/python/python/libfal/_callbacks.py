"""The program's functions that threads of the core call: for log lines, and for the credential.

The core knows them by numbers only. They live as long as the clients and calls that hold them, so that the collector sees all that there is.
"""

from __future__ import annotations

import atexit
import itertools
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _libfal

if TYPE_CHECKING:
    from ._libfal import Op, Question

# For how many seconds the end of the program waits for a log function that runs.
_PATIENCE = 5.0


class Held:
    """A function that the core may call as long as this is held."""

    __slots__ = ("__weakref__", "function", "number")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.number = next(_numbers)
        _held[self.number] = self


class Functions(NamedTuple):
    """What a call needs as long as it is under way."""

    log: Held | None
    credential: Held | None
    notebook: Held | None


_numbers = itertools.count(1)
_held: weakref.WeakValueDictionary[int, Held] = weakref.WeakValueDictionary()

# Calls that nobody looks at any more, and the functions that they may need yet.
_forgotten: list[tuple[Op, Functions]] = []


def hold(name: str, function: Callable[..., Any] | None) -> Held | None:
    if function is None:
        return None
    if not callable(function):
        raise TypeError(f"{name} is a callable, not {type(function).__name__}")
    return Held(function)


def number(held: Held | None) -> int | None:
    return held.number if held else None


def forget(op: Op, functions: Functions) -> None:
    """Keep the functions of a call that goes on, though nobody holds it."""
    if any(functions) and op.ended() is False:
        _forgotten.append((op, functions))


def sweep() -> None:
    """Let go of the functions of calls that have ended meanwhile."""
    if _forgotten:
        _forgotten[:] = [kept for kept in _forgotten if kept[0].ended() is False]


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
    """Begin no log function any more, and let the one that runs come to its end: it may hold a lock that the interpreter wants."""
    end = time.monotonic() + _PATIENCE
    while _libfal.silence() and time.monotonic() < end:
        time.sleep(0.001)


_libfal.call_back(_find, _ask)
atexit.register(_stop)
