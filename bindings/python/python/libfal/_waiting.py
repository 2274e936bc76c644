"""Waits for the core, and converts its failures to exceptions."""

from __future__ import annotations

import _thread
import sys
import time
from itertools import starmap

from . import _ending, _libfal
from ._errors import FalClientError, error, failed
from ._libfal import Failure, Op

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Any, Literal, Protocol, TypeVar

    from ._calls import Call
    from ._libfal import Answer, Task
    from ._updates import _Reader

    _T = TypeVar("_T")

    class _Waited(Protocol):
        def wait(self, seconds: float, /) -> bool | Failure: ...


# The length of one step of a wait, in seconds. Python runs signal handlers between two steps, and only in the main thread. Other
# threads also wait in steps, because a library such as gevent may run several threads in the main thread.
STEP = 0.025
_STEP_ELSEWHERE = 1.0


def value_of(value: _T | Failure, limit: float | None = None) -> _T:
    """Returns a value of the core, or raises its failure. limit is the time limit of the call."""
    if isinstance(value, Failure):
        raise error(value, limit)
    return value


def step() -> float:
    """Returns how long this thread may wait before it must run signal handlers."""
    # A step may always be short: if the program has not imported threading, or is importing it now.
    main_thread = getattr(sys.modules.get("threading"), "main_thread", None)
    return STEP if main_thread is None or _thread.get_ident() == main_thread().ident else _STEP_ELSEWHERE


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


class Started:
    """Starts a call. Cancels it if the block is left by an exception, such as KeyboardInterrupt."""

    def __init__(self, call: Call[Any]) -> None:
        self._call = call
        # A signal handler may raise as soon as a function of the core returns. The list has the operation even then.
        self._held: list[Op | Failure] = []

    def __enter__(self) -> Op:
        call = self._call
        try:
            self._held.extend(starmap(call.start, (call.arguments,)))
            op = value_of(self._held[0], call.limit)
            if call.notices is None and not call.is_iterated:
                op.discard_events()
            return op
        except BaseException as raised:
            self.__exit__(type(raised), raised, None)
            raise

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        if kind is not None:
            self.cancel()
        if self._call.notices:
            self._call.notices.close()

    def cancel(self) -> None:
        for op in self._held:
            if isinstance(op, Op):
                _ending.cancel(op, self._call.is_job)


def finish(call: Call[_T]) -> _T:
    """Makes a call and returns its result. Starts nothing if this thread must not wait. Ctrl-C cancels the call."""
    if call.start_and_wait and call.notices is None:
        return call.decode(value_of(_at_once(call, call.start_and_wait), call.limit))
    return call.decode(value_of(_ending.outcome(ended(call), call.is_job), call.limit))


def _at_once(call: Call[Any], start_and_wait: Callable[..., Answer | Op | Failure]) -> Answer | Failure:
    """Starts a call and waits, in one call of the core if it ends within a step. Returns its outcome."""
    found: Answer | Op | Failure | None = None
    try:
        found = start_and_wait(*call.arguments, step())
        return outcome(found) if isinstance(found, Op) else found
    except BaseException:
        if isinstance(found, Op):
            found.cancel()
        raise


def outcome(op: Op) -> Answer | Failure:
    """Waits for the end of an operation and returns its outcome.

    The caller cancels it if an exception ends the wait, because a signal handler may raise before this function has it. A value that
    the caller does not have yet is deleted then, which cancels it too.
    """
    wait(op)
    return op.outcome()


def ended(call: Call[Any]) -> Op:
    """Makes a call and returns the ended operation. Starts nothing if this thread must not wait. Ctrl-C cancels the call."""
    value_of(_libfal.may_wait())
    with Started(call) as op:
        if call.notices is None:
            wait(op)
        else:
            for event in events(op):
                for function, arguments in call.notices.of(event):
                    function(*arguments)
    return op


def iterate(call: Call[Any], reader: _Reader[_T]) -> Iterator[_T]:
    """Makes a call and yields what a reader makes of its events."""
    value_of(_libfal.may_wait())
    with Started(call) as op:
        for event in events(op, call.limit):
            yield from reader.of(event)
            if reader.is_over:
                op.cancel()
                return
        call.decode(value_of(op.outcome()))
    yield from reader.rest()


def events(op: Op, idle: float | None = None) -> Iterator[Answer | None]:
    """Yields the events of an operation until it has ended, and None before a wait for the next event.

    Raises FalClientTimeoutError if there is none for that many seconds.
    """
    while True:
        found: Answer | None | Literal[False] = value_of(op.next(0.0))
        if found is None:
            yield None
            found = next_event(op, idle)
        if found is False:
            return
        yield found


def next_event(op: Op, idle: float | None) -> Answer | Literal[False]:
    """Returns the next event, or False after the last one. Raises FalClientTimeoutError if there is none for idle seconds."""
    most = step()
    end = None if idle is None else time.monotonic() + idle
    while True:
        found: Answer | None | Literal[False] = value_of(op.next(most if end is None else max(0.0, min(end - time.monotonic(), most))))
        if found is not None:
            return found
        if end is not None and time.monotonic() >= end:
            raise idled(op, idle)


def idled(op: Op, idle: float | None) -> FalClientError:
    """Returns the error of a call that is under way, and of which nothing arrived for so long."""
    raised = failed("FAL_E_DEADLINE", f"nothing arrived for {idle} s; the request may have been executed")
    raised.__dict__.update(timeout=idle, request_id=op.request_id(), may_have_executed=True)
    return raised


def work(task: Task | Failure) -> Any:
    """Waits for blocking work and returns its result. Ctrl-C ends the wait, not the work."""
    begun = value_of(task)
    wait(begun)
    return value_of(begun.outcome())
