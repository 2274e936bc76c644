"""The states of a job."""

from __future__ import annotations

from ._response import decoded
from ._typing import fill

TYPE_CHECKING = False

if TYPE_CHECKING:
    from dataclasses import dataclass
    from typing import Any, Any as _Any

    from ._libfal import Answer
else:
    from ._typing import Any, dataclass

    # The name that typing.get_type_hints() finds in the public module of a class.
    _Any = Any


@dataclass(frozen=True)
class Status:
    """The state of a job: Queued, InProgress, Completed or UnknownStatus."""


@dataclass(frozen=True)
class Queued(Status):
    """The job waits.

    Args:
        position: How many requests are before it; None if fal does not say.
    """

    position: int | None
    """How many requests are before it; None if fal does not say."""

    def __init__(self, position: int | None) -> None:
        fill(self, locals())


@dataclass(frozen=True)
class InProgress(Status):
    """The job runs.

    Args:
        logs: The lines of its log so far; None without with_logs.
    """

    logs: list[dict[str, _Any]] | None
    """The lines of its log so far; None without with_logs."""

    def __init__(self, logs: list[dict[str, _Any]] | None) -> None:
        fill(self, locals())


@dataclass(frozen=True)
class Completed(Status):
    """The job has ended: it has a result, it failed, or it was cancelled.

    Args:
        logs: The lines of its log; None without with_logs.
        metrics: What fal measured, such as "inference_time" in seconds.
        error: Why it failed, if fal says so. Only the result shows errors of the app itself.
        error_type: fal's name of the error.
    """

    logs: list[dict[str, _Any]] | None
    """The lines of its log; None without with_logs."""
    metrics: dict[str, _Any]
    """What fal measured, such as "inference_time" in seconds."""
    error: str | None = None
    """Why it failed, if fal says so. Only the result shows errors of the app itself."""
    error_type: str | None = None
    """fal's name of the error."""

    def __init__(
        self,
        logs: list[dict[str, _Any]] | None,
        metrics: dict[str, _Any],
        error: str | None = None,
        error_type: str | None = None,
    ) -> None:
        fill(self, locals())


@dataclass(frozen=True)
class UnknownStatus(Status):
    """A state that fal does not document.

    Args:
        status: Its name.
        logs: The lines of its log; None without with_logs.
    """

    status: str
    """Its name."""
    logs: list[dict[str, _Any]] | None = None
    """The lines of its log; None without with_logs."""

    def __init__(self, status: str, logs: list[dict[str, _Any]] | None = None) -> None:
        fill(self, locals())


def status_of(facts: dict[str, Any], logs: list[dict[str, Any]] | None) -> Status:
    """Returns the state in a response of fal. Only its name is certain to be there."""
    name = facts.get("status")
    if name == "IN_QUEUE":
        return Queued(facts.get("queue_position"))
    if name == "IN_PROGRESS":
        return InProgress(logs)
    if name == "COMPLETED":
        return Completed(logs, facts.get("metrics") or {}, facts.get("error"), facts.get("error_type"))
    return UnknownStatus(str(name), logs)


def answered(answer: Answer, with_logs: bool) -> Status:
    """Returns the state in the response to a request for it."""
    facts = decoded(answer)
    logs = facts.get("logs") if with_logs else None
    return status_of(facts, logs if logs is None or isinstance(logs, list) else [logs])


# So that repr() and pickle use the public name.
for _class in (Status, Queued, InProgress, Completed, UnknownStatus):
    _class.__module__ = "libfal"
