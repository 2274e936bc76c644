"""Waits for the core, and converts its failures to exceptions."""

from __future__ import annotations

import _thread
import sys
import time

from . import _libfal
from ._errors import error
from ._libfal import Failure

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeVar

    from ._libfal import Answer, Op, Task

    _T = TypeVar("_T")

    class _Waited(Protocol):
        def wait(self, seconds: float, /) -> bool | Failure: ...


# The length of one step of a wait, in seconds. Python runs signal handlers between two steps, and only in the main thread. Other
# threads also wait in steps, because a library such as gevent may run several threads in the main thread.
_STEP = 0.025
_STEP_ELSEWHERE = 1.0


def value_of(value: _T | Failure) -> _T:
    """Returns a value of the core, or raises its failure."""
    if isinstance(value, Failure):
        raise error(value)
    return value


def step() -> float:
    """Returns how long this thread may wait before it must run signal handlers."""
    # A step may always be short: if the program has not imported threading, or is importing it now.
    main_thread = getattr(sys.modules.get("threading"), "main_thread", None)
    return _STEP if main_thread is None or _thread.get_ident() == main_thread().ident else _STEP_ELSEWHERE


def wait(waited: _Waited, timeout: float | None = None) -> bool:
    """Waits for the end, and returns whether it has ended."""
    most = step()
    if timeout is None:
        while not value_of(waited.wait(most)):
            pass
        return True
    end = time.monotonic() + timeout
    while not value_of(waited.wait(max(0.0, min(end - time.monotonic(), most)))):
        if time.monotonic() >= end:
            return False
    return True


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


def work(task: Task | Failure) -> Any:
    """Waits for blocking work and returns its result. Ctrl-C ends the wait, not the work."""
    begun = value_of(task)
    wait(begun)
    return value_of(begun.outcome())
