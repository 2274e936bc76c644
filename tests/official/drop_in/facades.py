"""The four ways to call the package: functions and clients, sync and async. A test calls each of them in the same words."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import fal_client

CLIENTS = {"SyncClient": (fal_client.SyncClient(), ""), "AsyncClient": (fal_client.AsyncClient(), "")}
FACADES = {**CLIENTS, "functions": (fal_client, ""), "async functions": (fal_client, "_async")}
# fal_client's asynchronous client serves one event loop only.
LOOP = asyncio.new_event_loop()


class Facade:
    """Calls what a function returns to its end: coroutines are awaited, iterators collected, contexts and handles wrapped."""

    def __init__(self, kind: str) -> None:
        self.is_async = kind.lower().startswith("async")
        self.target: Any
        self.target, self._suffix = FACADES[kind]

    def __getattr__(self, name: str) -> Any:
        return Finished(self, getattr(self.target, name + self._suffix))

    def finish(self, value: Any) -> Any:
        if inspect.iscoroutine(value) or inspect.isawaitable(value):
            return self.finish(LOOP.run_until_complete(value))
        if hasattr(value, "__aenter__") or hasattr(value, "__enter__") and not isinstance(value, fal_client.RealtimeConnection):
            return Context(self, value)
        if hasattr(value, "__aiter__"):
            return LOOP.run_until_complete(collected(value))
        if isinstance(value, Iterator):
            return list(value)
        if isinstance(value, (fal_client.SyncRequestHandle, fal_client.AsyncRequestHandle)):
            return Object(self, value)
        return value


class Finished:
    def __init__(self, facade: Facade, function: Any) -> None:
        self._facade, self._function = facade, function

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._facade.finish(self._function(*arguments, **keywords))


class Object:
    """A handle, a connection or a socket whose methods are called to their end. `is_` gives the thing itself."""

    def __init__(self, facade: Facade, is_: Any) -> None:
        self._facade, self.is_ = facade, is_

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.is_, name)
        return Finished(self._facade, value) if callable(value) else value


class Context:
    def __init__(self, facade: Facade, context: Any) -> None:
        self._facade, self._context = facade, context

    def __enter__(self) -> Object:
        if not self._facade.is_async:
            return Object(self._facade, self._context.__enter__())
        return Object(self._facade, LOOP.run_until_complete(self._context.__aenter__()))

    def __exit__(self, *error: Any) -> Any:
        if not self._facade.is_async:
            return self._context.__exit__(*error)
        return LOOP.run_until_complete(self._context.__aexit__(*error))


async def collected(items: Any) -> list[Any]:
    return [item async for item in items]
