"""The end of the program: a job whose cancellation has begun is cancelled at fal before the threads of the core end."""

from __future__ import annotations

import atexit
import time

from . import _libfal
from ._libfal import Failure

TYPE_CHECKING = False

if TYPE_CHECKING:
    from ._libfal import Answer, Op

# How many seconds after the cancellation of an operation a request for it may still be under way, and how many seconds the end of the
# program waits for it.
_RECENT = 30.0
_PATIENCE = 5.0

_last = float("-inf")


def cancel(op: Op, is_job: bool) -> None:
    """Cancels an operation. The core then cancels its job at fal in the background."""
    if is_job and op.ended() is False:
        _begin()
    op.cancel()


def outcome(op: Op, is_job: bool) -> Answer | Failure:
    """Returns the outcome of an ended operation. The core also cancels a job whose time limit is over."""
    if is_job and is_late(op):
        _begin()
    return op.outcome()


def is_late(op: Op) -> bool:
    """Whether an operation has ended at its time limit."""
    found = op.outcome() if op.ended() else None
    return isinstance(found, Failure) and found.facts()["code"] == "FAL_E_DEADLINE"


def _begin() -> None:
    global _last
    _last = time.monotonic()


def _wait() -> None:
    if time.monotonic() - _last > _RECENT:
        return
    task = _libfal.shutdown(_PATIENCE)
    while not isinstance(task, Failure) and task.wait(0.005) is False:
        pass


atexit.register(_wait)
