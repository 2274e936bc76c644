"""Work that may block, beside an event loop, on daemon threads: it keeps neither the loop nor the program from ending."""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock

from ._typing import imported

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
else:
    from _collections import deque

# How many threads may run at once, as in the default executor of asyncio.
_MOST = min(32, (os.cpu_count() or 1) + 4)

_lock = allocate_lock()
_works: deque[Callable[[], None]] = deque()
_running = 0


def start(work: Callable[[], None]) -> None:
    """Calls a function, which raises nothing, as soon as a thread is free."""
    global _running
    with _lock:
        _works.append(work)
        if _running == _MOST:
            return
        _running += 1
    try:
        imported("threading").Thread(target=_run, name="libfal", daemon=True).start()
    except BaseException:
        with _lock:
            _running -= 1
        forget(work)
        raise


def forget(work: Callable[[], None]) -> None:
    """Does not call a function that was not called yet."""
    with _lock:
        if work in _works:
            _works.remove(work)


def _run() -> None:
    global _running
    # At its end, the interpreter aborts if it closes the standard input while a thread reads it.
    _kept = sys.stdin
    while True:
        with _lock:
            if not _works:
                _running -= 1
                return
            work = _works.popleft()
        work()
        del work


def _forget_parent() -> None:
    global _lock, _running
    _lock, _running = allocate_lock(), 0
    _works.clear()


if hasattr(os, "register_at_fork"):
    # A child has no thread of its parent.
    os.register_at_fork(after_in_child=_forget_parent)
