"""How Python waits for the core, and takes what it says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar, Union

from . import _libfal
from ._errors import error
from ._libfal import Answer, Failure, Op, Task

_T = TypeVar("_T")

# How long one step of a wait is, in seconds. Python runs handlers of signals between two steps, and only in the main thread; the others
# look too, because a library may have made many threads of the main one.
_STEP = 0.025
_STEP_ELSEWHERE = 1.0


class _Waited(Protocol):
    def wait(self, seconds: float, /) -> bool | Failure: ...


def told(value: Union[_T, Failure]) -> _T:
    """What the core gave; or raises what went wrong."""
    if isinstance(value, Failure):
        raise error(value)
    return value


def step() -> float:
    """How long this thread may wait until it looks for signals."""
    return _STEP if threading.get_ident() == threading.main_thread().ident else _STEP_ELSEWHERE


def wait(waited: _Waited, timeout: float | None = None) -> bool:
    """Wait for an end, and say whether it has come."""
    most = step()
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = most if end is None else end - time.monotonic()
        if told(waited.wait(max(0.0, min(left, most)))):
            return True
        if end is not None and time.monotonic() >= end:
            return False


def finish(start: Callable[[], Op | Failure]) -> Answer:
    """The synchronous form of a call. Where waiting is refused nothing is started; Ctrl-C cancels."""
    return told(ended(start).outcome())


def ended(start: Callable[[], Op | Failure]) -> Op:
    """The same, for who wants more than the answer."""
    told(_libfal.may_wait())
    op = told(start())
    try:
        wait(op)
    except BaseException:
        op.cancel()
        raise
    return op


def work(task: Task | Failure) -> str | bool | None:
    """Wait for work that blocks. Ctrl-C ends the waiting, and not the work."""
    begun = told(task)
    wait(begun)
    return told(begun.outcome())


def text(task: Task | Failure) -> str:
    """The text that such work gives."""
    done = work(task)
    assert isinstance(done, str)
    return done
