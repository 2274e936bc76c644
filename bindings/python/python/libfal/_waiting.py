"""Waits for the core, and converts its failures to exceptions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar, Union

from . import _libfal
from ._errors import error
from ._libfal import Answer, Failure, Op, Task

_T = TypeVar("_T")

# The length of one step of a wait, in seconds. Python runs signal handlers between two steps, and only in the main thread. Other
# threads also wait in steps, because a library such as gevent may run several threads in the main thread.
_STEP = 0.025
_STEP_ELSEWHERE = 1.0


class _Waited(Protocol):
    def wait(self, seconds: float, /) -> bool | Failure: ...


def value_of(value: Union[_T, Failure]) -> _T:
    """Returns a value of the core, or raises its failure."""
    if isinstance(value, Failure):
        raise error(value)
    return value


def step() -> float:
    """Returns how long this thread may wait before it must run signal handlers."""
    return _STEP if threading.get_ident() == threading.main_thread().ident else _STEP_ELSEWHERE


def wait(waited: _Waited, timeout: float | None = None) -> bool:
    """Waits for the end, and returns whether it has ended."""
    most = step()
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = most if end is None else end - time.monotonic()
        if value_of(waited.wait(max(0.0, min(left, most)))):
            return True
        if end is not None and time.monotonic() >= end:
            return False


def finish(start: Callable[[], Op | Failure]) -> Answer:
    """Starts a call and waits for its response. Starts nothing if this thread must not wait. Ctrl-C cancels the call."""
    return value_of(ended(start).outcome())


def ended(start: Callable[[], Op | Failure]) -> Op:
    """Starts a call and waits for its end. Starts nothing if this thread must not wait. Ctrl-C cancels the call."""
    value_of(_libfal.may_wait())
    op = value_of(start())
    try:
        wait(op)
    except BaseException:
        op.cancel()
        raise
    return op


def work(task: Task | Failure) -> str | bool | None:
    """Waits for blocking work. Ctrl-C ends the wait, not the work."""
    begun = value_of(task)
    wait(begun)
    return value_of(begun.outcome())


def text(task: Task | Failure) -> str:
    """Waits for blocking work and returns its text."""
    done = work(task)
    assert isinstance(done, str)
    return done
