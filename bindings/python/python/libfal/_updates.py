"""Converts the events of an operation to what a program is told."""

from __future__ import annotations

from ._response import decoded, item
from ._status import Completed, status_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Protocol, TypeVar

    from ._libfal import Answer
    from ._progress import Shown
    from ._status import Status

    _T_co = TypeVar("_T_co", covariant=True)

    class _Reader(Protocol[_T_co]):
        """Converts the events of a call to what the program iterates over."""

        @property
        def is_over(self) -> bool:
            """Whether no event that follows matters."""
            ...

        def of(self, event: Answer | None) -> Iterable[_T_co]:
            """None means that no event waits."""
            ...

        def rest(self) -> Iterable[_T_co]:
            """Returns what follows from the success of the call."""
            ...
else:
    from _collections import deque

# How many lines of a log are kept, the newest ones, as in the core.
_LINES = 1 << 16

_DONE = "[DONE]"


class Statuses:
    """The states of a job by its events."""

    def __init__(self, with_logs: bool) -> None:
        self._logs: deque[dict[str, Any]] | None = deque(maxlen=_LINES) if with_logs else None
        self._facts: dict[str, Any] = {}
        self._has_lines = False
        self._told: Status | None = None

    def of(self, event: Answer | None) -> Status | None:
        """Returns the state after an event, if it is to be told. None means that no event waits: new lines are told then."""
        kind = event.kind() if event else ""
        if event and kind == "log" and self._logs is not None:
            self._logs.append(decoded(event))
            self._has_lines = True
            return None
        if event and kind == "status":
            self._facts = decoded(event)
        elif event or not self._has_lines or not self._facts:
            return None
        self._has_lines = False
        before, self._told = self._told, status_of(self._facts, self._lines())
        return None if before == self._told else self._told

    def completed(self) -> Completed:
        return Completed(self._lines(), {})

    def _lines(self) -> list[dict[str, Any]] | None:
        return None if self._logs is None else list(self._logs)

    @property
    def request_id(self) -> str | None:
        return self._facts.get("request_id")


class States:
    """The states of a job, up to its end."""

    is_over = False

    def __init__(self, with_logs: bool) -> None:
        self._statuses = Statuses(with_logs)

    def of(self, event: Answer | None) -> list[Status]:
        status = self._statuses.of(event)
        self.is_over = isinstance(status, Completed)
        return [status] if status else []

    def rest(self) -> list[Status]:
        """A job with a result has ended, whatever fal said about its state."""
        return [self._statuses.completed()]


class StreamItems:
    """The items of a stream."""

    is_over = False

    def of(self, event: Answer | None) -> list[Any]:
        if event is None or event.kind() != "item":
            return []
        found = item(event)
        # The end of a stream of a language model that an app passes on (docs/protocol.md §6). As JSON it would have quotes.
        return [] if found == _DONE and event.size() == len(_DONE) else [found]

    def rest(self) -> list[Any]:
        return []


class Notices:
    """The calls of the program's functions by the events of an operation."""

    def __init__(
        self,
        with_logs: bool,
        on_enqueue: Callable[[str], object] | None = None,
        on_queue_update: Callable[[Status], object] | None = None,
        shown: Shown | None = None,
    ) -> None:
        self._statuses = Statuses(with_logs)
        self._on_enqueue, self._on_queue_update, self.shown = on_enqueue, on_queue_update, shown

    def of(self, event: Answer | None) -> Iterator[tuple[Callable[..., object], tuple[Any, ...]]]:
        """Yields functions with their arguments. None means that no event waits."""
        if event and event.kind() == "progress":
            if self.shown:
                facts = decoded(event)
                yield self.shown.tell, (facts["transferred"], facts.get("total"))
            return
        status = self._statuses.of(event)
        request_id = self._statuses.request_id
        if self._on_enqueue is not None and request_id:
            enqueued, self._on_enqueue = self._on_enqueue, None
            yield enqueued, (request_id,)
        if self._on_queue_update is not None and status:
            yield self._on_queue_update, (status,)

    def close(self) -> None:
        """Ends what is shown, after the call."""
        if self.shown:
            self.shown.close()
