"""Handles to jobs."""

from __future__ import annotations

import os

from . import _calls, _loop
from ._response import decoded
from ._typing import fill
from ._updates import States
from ._values import invalid, text
from ._waiting import finish, iterate

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from dataclasses import dataclass
    from typing import Any

    from typing_extensions import Self

    from ._async_client import AsyncClient
    from ._base import Base
    from ._client import SyncClient
    from ._libfal import Answer
    from ._status import Status
    from ._values import _Seconds
else:
    from ._libfal import Answer
    from ._status import Status
    from ._typing import Any, AsyncIterator, Iterator, Self, dataclass
    from ._values import _Seconds

    AsyncClient = SyncClient = object


@dataclass(frozen=True)
class _RequestHandle:
    """A job. Its application and request_id identify it; the addresses are only shown."""

    request_id: str
    response_url: str
    status_url: str
    cancel_url: str
    client: Any
    application: str = ""

    _omitted = ("response_url", "status_url", "cancel_url", "client", "application")

    def __init__(
        self,
        request_id: str,
        response_url: str,
        status_url: str,
        cancel_url: str,
        client: Any,
        application: str = "",
    ) -> None:
        # The path of the address is that of the app, followed by the request.
        application = application or response_url.partition("://")[2].partition("/")[2].partition("/requests/")[0]
        fill(self, locals())

    @classmethod
    def from_request_id(cls, client: Any, application: str, request_id: str) -> Self:
        """Return the handle to a job that was submitted before, in this process or another."""
        url = _url(client, text("application", application), text("request_id", request_id))
        return cls(request_id, url, f"{url}/status", f"{url}/cancel", client, application)

    @classmethod
    def _submitted(cls, client: Any, application: str, answer: Answer) -> Self:
        """Returns the handle for the response to a submission. Only the id of the request is certain to be there."""
        facts = decoded(answer)
        request_id: str = facts["request_id"]
        url = _url(client, application, request_id)
        named = [facts.get(name) for name in ("response_url", "status_url", "cancel_url")]
        urls = [found or built for found, built in zip(named, (url, f"{url}/status", f"{url}/cancel"))]
        response_url, status_url, cancel_url = urls
        return cls(request_id, response_url, status_url, cancel_url, client, application)


def _url(client: Base, application: str, request_id: str) -> str:
    """Returns the address of a job, as the core builds it."""
    host = client._queue_host or os.environ.get("FAL_QUEUE_RUN_HOST") or f"queue.{os.environ.get('FAL_RUN_HOST') or 'fal.run'}"
    application = application.strip("/")
    owner, _, name = application.partition("-")
    # The short form of an id, as the official client reads it.
    parts = [owner, name] if "/" not in application and owner.isdecimal() and name else application.split("/")
    if len(parts) < 2:
        raise invalid(f"application must be the id of an endpoint, such as fal-ai/flux/dev, not {application!r}")
    app = "/".join(parts[: 3 if parts[0] in ("workflows", "comfy") else 2])
    shown = "".join(chr(byte) if chr(byte).isalnum() and byte < 128 or byte in b"-._~" else f"%{byte:02X}" for byte in request_id.encode())
    return f"https://{host}/{app}/requests/{shown}"


class SyncRequestHandle(_RequestHandle):
    """A job that was submitted."""

    client: SyncClient

    def status(self, *, with_logs: bool = False) -> Status:
        """Return the state of the job, with the lines of its log if asked for."""
        return finish(_calls.status(self.client, self.application, self.request_id, with_logs))

    def iter_events(self, *, with_logs: bool = False, interval: _Seconds = _calls.INTERVAL) -> Iterator[Status]:
        """Yield each new state of the job until it has ended. libfal decides how often it asks; interval has no effect.

        Leaving the loop early does not cancel the job.
        """
        return iterate(_calls.events(self.client, self.application, self.request_id, with_logs), States(with_logs))

    def get(self, *, interval: _Seconds = _calls.INTERVAL) -> Any:
        """Wait until the job has ended and return its result, or raise its error. interval has no effect.

        Ctrl-C ends the wait and does not cancel the job.
        """
        return finish(_calls.result(self.client, self.application, self.request_id))

    def cancel(self) -> None:
        """Cancel the job. A job that waits never runs; a running one may still finish."""
        finish(_calls.cancel(self.client, self.application, self.request_id))


class AsyncRequestHandle(_RequestHandle):
    """A job that was submitted."""

    client: AsyncClient

    async def status(self, *, with_logs: bool = False) -> Status:
        """Return the state of the job, with the lines of its log if asked for."""
        return await _loop.finish(_calls.status(self.client, self.application, self.request_id, with_logs))

    def iter_events(self, *, with_logs: bool = False, interval: _Seconds = _calls.INTERVAL) -> AsyncIterator[Status]:
        """Yield each new state of the job until it has ended. libfal decides how often it asks; interval has no effect.

        Leaving the loop early does not cancel the job.
        """
        call = _calls.events(self.client, self.application, self.request_id, with_logs)
        return _loop.Iteration(call, States(with_logs))

    async def get(self, *, interval: _Seconds = _calls.INTERVAL) -> Any:
        """Wait until the job has ended and return its result, or raise its error. interval has no effect.

        Cancelling the task ends the wait and does not cancel the job.
        """
        return await _loop.finish(_calls.result(self.client, self.application, self.request_id))

    async def cancel(self) -> None:
        """Cancel the job. A job that waits never runs; a running one may still finish."""
        await _loop.finish(_calls.cancel(self.client, self.application, self.request_id))


# So that repr() and pickle use the public name.
for _class in (SyncRequestHandle, AsyncRequestHandle):
    _class.__module__ = "libfal"
