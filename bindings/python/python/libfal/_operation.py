"""Operations."""

from __future__ import annotations

from . import _waiting
from ._libfal import Op
from ._response import Response
from ._values import _Seconds, waiting
from ._waiting import value_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any, NoReturn, final

    from typing_extensions import Self
else:
    from ._typing import Any, NoReturn, Self, final


@final
class Operation:
    """A running or ended call. Deleting it neither cancels the call nor waits."""

    _op: Op
    _response: Response

    def __new__(cls, *_: object) -> Self:
        raise TypeError("cannot create a libfal.Operation: call Client.run_start(), request_start() or platform_start()")

    @classmethod
    def _of(cls, op: Op) -> Self:
        operation = object.__new__(cls)
        operation._op = op
        return operation

    def done(self) -> bool:
        """Whether the call has ended. Never blocks."""
        return value_of(self._op.done())

    def wait(self, timeout: _Seconds | None = None) -> bool:
        """Wait until the call has ended, at most timeout seconds. Return whether it has ended."""
        return _waiting.wait(self._op, waiting("timeout", timeout))

    def cancel(self) -> None:
        """Cancel the call, which then raises CancelledError. Thread-safe; repeated calls have no effect."""
        self._op.cancel()

    def result(self, timeout: _Seconds | None = None) -> Response:
        """Wait and return the response, or raise the error of the call. Each call has the same result.

        Raises the built-in TimeoutError after timeout seconds; the call continues.
        """
        if not self.wait(timeout):
            raise TimeoutError("the call has not ended")
        try:
            return self._response
        except AttributeError:
            response: Response = self.__dict__.setdefault("_response", Response._of(value_of(self._op.outcome())))
            return response

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
