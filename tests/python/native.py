"""What the tests of the native half share: they call it without the Python half."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from libfal import _libfal
from libfal._libfal import Answer, Core, Failure, Op

import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    import libfal

# No test waits so long, unless it fails.
PATIENCE = 30.0


def core_of(client: libfal.SyncClient) -> Core:
    core = client._core
    assert core is not None
    return core


def request(endpoint: str, input: object = None, **members: Any) -> _libfal._Request:
    """Returns a request for the core."""
    body = None if input is None else json.dumps(input).encode()
    return {"endpoint": endpoint, "body": body, "timeout": PATIENCE, **members}  # type: ignore[typeddict-item]


def given(value: Any) -> Any:
    """Returns a value, which is no failure."""
    assert not isinstance(value, Failure), value.facts()
    return value


def code(value: object) -> str:
    """Returns the code of a failure."""
    assert isinstance(value, Failure), value
    found: str = value.facts()["code"]
    return found


def outcome(op: object) -> Any:
    """Waits for an operation and returns its JSON."""
    return given(given(op).finish(PATIENCE)).json()


def events(op: Op) -> Iterator[Answer]:
    """Returns all events up to the end."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        event = given(op.next(1.0))
        if event is False:
            return
        if event is not None:
            yield event
    raise AssertionError("the events do not end")


__all__ = ["PATIENCE", "code", "core_of", "events", "given", "logs", "outcome", "request"]
