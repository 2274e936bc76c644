"""Operations."""

from __future__ import annotations

from . import _ending, _waiting
from ._status import Status
from ._updates import Statuses
from ._values import _Seconds, waiting
from ._waiting import Started, value_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, NoReturn, final

    from typing_extensions import Self

    from ._calls import Call
    from ._libfal import Answer, Op
else:
    from ._calls import Call
    from ._typing import Any, NoReturn, Self, final


@final
class Operation:
    """A running or ended call. Deleting it neither cancels the call nor waits."""

    _op: Op
    _decode: Callable[[Answer], Any]
    _limit: float | None
    _is_job: bool
    _statuses: Statuses
    _result: Any

    def __new__(cls, *_: object) -> Self:
        raise TypeError("cannot create a libfal.Operation: call SyncClient.run_start(), subscribe_start() or request_start()")

    @classmethod
    def _of(cls, call: Call[Any], with_logs: bool = False) -> Self:
        operation = object.__new__(cls)
        with Started(call) as operation._op:
            # Without the arguments, which may be large.
            operation._decode, operation._limit, operation._is_job = call.decode, call.limit, call.is_job
            operation._statuses = Statuses(with_logs)
        return operation

    def done(self) -> bool:
        """Whether the call has ended. Never blocks."""
        return self._ended(value_of(self._op.done()))

    def wait(self, timeout: _Seconds | None = None) -> bool:
        """Wait until the call has ended, at most timeout seconds. Return whether it has ended."""
        return self._ended(_waiting.wait(self._op, waiting("timeout", timeout)))

    def _ended(self, has_ended: bool) -> bool:
        if has_ended and self._is_job:
            self._is_job = False
            _ending.outcome(self._op, True)
        return has_ended

    def cancel(self) -> None:
        """Cancel the call, which then raises CancelledError. Thread-safe; repeated calls have no effect."""
        _ending.cancel(self._op, self._is_job)

    def updates(self) -> list[Status]:
        """Return the new states of the job of subscribe_start() since the last call. Never blocks."""
        found: list[Status] = []
        while True:
            event: Answer | None | Literal[False] = value_of(self._op.next(0.0))
            status = self._statuses.of(event or None)
            if status:
                found.append(status)
            if not event:
                return found

    def result(self, timeout: _Seconds | None = None) -> Any:
        """Wait and return the result, or raise the error of the call. Each call has the same result.

        Raises the built-in TimeoutError after timeout seconds; the call continues.
        """
        if not self.wait(timeout):
            raise TimeoutError("the call has not ended")
        try:
            return self._result
        except AttributeError:
            return self.__dict__.setdefault("_result", self._decode(value_of(self._op.outcome(), self._limit)))

    def __repr__(self) -> str:
        states = {True: "done", False: "running", None: "of another process"}
        return f"<libfal.Operation: {states[self._op.ended()]}>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: Any, /) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a libfal.Operation belongs to its process and cannot be pickled")


Operation.__module__ = "libfal"
