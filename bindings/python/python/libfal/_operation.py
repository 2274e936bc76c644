"""A call under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, final

from . import _waiting
from ._response import Response
from ._values import Seconds, waiting
from ._waiting import told

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._libfal import Op


@final
class Operation:
    """A call under way. Forgetting it neither cancels nor waits."""

    _op: Op
    _response: Response

    def __new__(cls, *_: object) -> Self:
        raise TypeError("a libfal.Operation is made by a client: run_start(), request_start(), platform_start()")

    @classmethod
    def _of(cls, op: Op) -> Self:
        operation = object.__new__(cls)
        operation._op = op
        return operation

    def done(self) -> bool:
        """Whether the call has ended. Never blocks."""
        return told(self._op.done())

    def wait(self, timeout: Seconds | None = None) -> bool:
        """Wait until the call has ended, at most timeout seconds, and say whether it has."""
        return _waiting.wait(self._op, waiting("timeout", timeout))

    def cancel(self) -> None:
        """Ask the call to end with CancelledError. Any thread, any number of times."""
        self._op.cancel()

    def result(self, timeout: Seconds | None = None) -> Response:
        """Wait for the answer, or raise the call's error; the same each time.

        Raises the built-in TimeoutError, and leaves the call alone, if it takes more than timeout seconds.
        """
        if not self.wait(timeout):
            raise TimeoutError("the call is still under way")
        try:
            return self._response
        except AttributeError:
            response: Response = self.__dict__.setdefault("_response", Response._of(told(self._op.outcome())))
            return response

    def __repr__(self) -> str:
        states = {True: "done", False: "under way", None: "of another process"}
        return f"<libfal.Operation: {states[self._op.ended()]}>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: Any, /) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a libfal.Operation belongs to its process and cannot be pickled")


Operation.__module__ = "libfal"
