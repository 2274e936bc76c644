"""Waits for the core in an event loop: of asyncio or trio, and so of anyio."""

from __future__ import annotations

import os
import sys
import time
from _weakref import ref
from itertools import count

from . import _app, _calls, _ending, _inputs, _libfal, _threads
from ._base import FOREVER
from ._libfal import Op
from ._typing import imported
from ._values import seconds as seconds_of
from ._waiting import Started, idled, value_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable
    from types import ModuleType
    from typing import Any, Generic, Literal, TypeVar

    from typing_extensions import Self

    from ._calls import Call
    from ._libfal import Answer, Core, Failure, Task
    from ._updates import _Reader
    from ._values import _Seconds

    _T = TypeVar("_T")
else:
    from ._typing import Generic

    _T = object

# How often a task looks whether blocking work has ended, in seconds.
_STEP = 0.005

_numbers = count(1)


class _Waker:
    """Wakes the tasks of one event loop. The loop reads one descriptor, which the core makes readable when an operation has news."""

    def __init__(self, loop: Callable[[], Any]) -> None:
        # Returns the loop of asyncio, while it exists.
        self.loop = loop
        self.watcher = value_of(_libfal.watcher())
        # What wakes the tasks that wait for an operation, by the number of the operation.
        self._signals: dict[int, list[Callable[[], object]]] = {}

    def watch(self, op: Op, has_events: bool) -> int:
        """Returns the number of an operation that changed() waits for."""
        number = next(_numbers)
        value_of(self.watcher.watch(op, number, has_events))
        return number

    def wake(self) -> None:
        for number in value_of(self.watcher.ready()):
            self._signal(number)

    def _signal(self, number: int) -> None:
        for signal in self._signals.get(number, ()):
            signal()

    def _add(self, number: int, signal: Callable[[], object]) -> None:
        self._signals.setdefault(number, []).append(signal)

    def _remove(self, number: int, signal: Callable[[], object]) -> None:
        signals = self._signals[number]
        signals.remove(signal)
        if not signals:
            del self._signals[number]

    async def changed(self, number: int, seconds: float | None = None) -> None:
        """Waits until an operation has news, at most this long. May return early."""
        raise NotImplementedError

    def ended(self, op: Op, number: int) -> Awaitable[object]:
        """Waits until an operation has ended, whose events are not watched."""
        return self._ended(op, number)

    async def _ended(self, op: Op, number: int) -> None:
        while not value_of(op.done()):
            await self.changed(number)

    async def until(self, number: int, is_over: Callable[[], bool], result: Awaitable[object]) -> None:
        """Waits for a result, and cancels it if news of the operation say that it is over."""
        raise NotImplementedError

    def call_soon(self, function: Callable[[], object]) -> None:
        """Calls a function in the loop. May be called by any thread."""
        raise NotImplementedError

    async def beside(self, function: Callable[[], _T]) -> _T:
        """Calls a function that may block on another thread. Cancelling the task ends the wait, not the function."""
        number = next(_numbers)
        future = imported("concurrent.futures").Future()

        def work() -> None:
            try:
                future.set_result(function())
            except BaseException as raised:
                future.set_exception(raised)
            self.call_soon(lambda: self._signal(number))

        _threads.start(work)
        try:
            while not future.done():
                await self.changed(number)
        finally:
            _threads.forget(work)
        result: _T = future.result()
        return result

    async def pause(self, seconds: float) -> None:
        await self.changed(next(_numbers), seconds)

    def is_over(self) -> bool:
        """Whether the loop was closed."""
        return False

    def close(self) -> None:
        self.watcher.close()


class _AsyncioWaker(_Waker):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(ref(loop))
        self._task: asyncio.Task[None] | None = None
        try:
            loop.add_reader(self.watcher.fileno(), self.wake)
            self._has_reader = True
        except NotImplementedError:
            # The loop of Windows. A task reads while others wait. The loop keeps its waker, as it does with a reader.
            self._has_reader = False
            setattr(loop, "_libfal_waker", self)
        # Of the tasks that wait for an end, by the number of the operation.
        self._futures: dict[int, asyncio.Future[None]] = {}

    def ended(self, op: Op, number: int) -> Awaitable[object]:
        loop = self.loop()
        if loop is None or not self._has_reader:
            return self._ended(op, number)
        future: asyncio.Future[None] = loop.create_future()
        self._futures[number] = future
        return future

    def wake(self) -> None:
        for number in value_of(self.watcher.ready()):
            future = self._futures.pop(number, None)
            if future is None:
                self._signal(number)
            elif not future.done():
                future.set_result(None)

    async def changed(self, number: int, seconds: float | None = None) -> None:
        loop = self.loop()
        if loop is None:
            raise RuntimeError("cannot wait for a call in another event loop than the one in which it began")
        future = loop.create_future()

        def signal() -> None:
            if not future.done():
                future.set_result(None)

        self._add(number, signal)
        timer = None if seconds is None else loop.call_later(seconds, signal)
        try:
            await future
        finally:
            self._remove(number, signal)
            if timer:
                timer.cancel()

    def _add(self, number: int, signal: Callable[[], object]) -> None:
        super()._add(number, signal)
        loop = self.loop()
        if not self._has_reader and self._task is None and loop:
            self._task = loop.create_task(self._read(loop))

    def _remove(self, number: int, signal: Callable[[], object]) -> None:
        super()._remove(number, signal)
        if self._task and not self._signals:
            if not self.is_over():
                self._task.cancel()
            self._task = None

    async def until(self, number: int, is_over: Callable[[], bool], result: Awaitable[object]) -> None:
        asyncio = imported("asyncio")
        task = asyncio.ensure_future(result)

        def signal() -> None:
            if is_over():
                task.cancel()

        self._add(number, signal)
        try:
            signal()
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()
            raise
        finally:
            self._remove(number, signal)
        if not task.cancelled() or not is_over():
            task.result()

    def call_soon(self, function: Callable[[], object]) -> None:
        loop = self.loop()
        if loop is not None:
            try:
                loop.call_soon_threadsafe(function)
            except RuntimeError:  # The loop was closed.
                pass

    async def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        sockets = imported("socket")
        # A descriptor of its own, because a task that the loop forgets closes it.
        with sockets.fromfd(self.watcher.fileno(), sockets.AF_INET, sockets.SOCK_STREAM) as socket:
            socket.setblocking(False)
            while True:
                await loop.sock_recv(socket, 4096)
                self.wake()

    def is_over(self) -> bool:
        loop = self.loop()
        return loop is None or loop.is_closed()


class _TrioWaker(_Waker):
    def __init__(self, trio: ModuleType) -> None:
        super().__init__(lambda: None)
        self._trio = trio
        # It keeps the identity of the token for itself as long as the waker exists.
        self._token = trio.lowlevel.current_trio_token()
        trio.lowlevel.spawn_system_task(self._read)

    async def _read(self) -> None:
        """Runs until the loop ends, which cancels it."""
        try:
            while True:
                await self._trio.lowlevel.wait_readable(self.watcher.fileno())
                self.wake()
        finally:
            _forget(id(self._token))

    async def changed(self, number: int, seconds: float | None = None) -> None:
        event = self._trio.Event()
        # One object: each access makes another method.
        signal = event.set
        self._add(number, signal)
        try:
            with self._trio.move_on_after(float("inf") if seconds is None else seconds):
                await event.wait()
        finally:
            self._remove(number, signal)


    async def until(self, number: int, is_over: Callable[[], bool], result: Awaitable[object]) -> None:
        with self._trio.CancelScope() as scope:

            def signal() -> None:
                if is_over():
                    scope.cancel()

            self._add(number, signal)
            try:
                signal()
                await result
            finally:
                self._remove(number, signal)

    def call_soon(self, function: Callable[[], object]) -> None:
        try:
            self._token.run_sync_soon(function)
        except self._trio.RunFinishedError:
            pass


# By the identity of the loop, which keeps its waker: a loop that the program forgets goes, with its calls.
_wakers: dict[int, ref[_Waker]] = {}

if hasattr(os, "register_at_fork"):
    # The descriptors of a child are those of its parent, which reads them.
    os.register_at_fork(after_in_child=_wakers.clear)


def _forget(key: int) -> None:
    found = _wakers.pop(key, None)
    waker = found and found()
    if waker:
        waker.close()


def current() -> _Waker:
    """Returns the waker of the running loop."""
    trio = sys.modules.get("trio")
    if trio and _is_running(trio):
        return _known(id(trio.lowlevel.current_trio_token()), _TrioWaker, trio)
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        raise RuntimeError("no running event loop")
    loop = asyncio.get_running_loop()
    found = _wakers.get(id(loop))
    waker = None if found is None else found()
    # A loop that runs is open.
    return waker if waker is not None and waker.loop() is loop else _known(id(loop), _AsyncioWaker, loop)


def _is_running(trio: ModuleType) -> bool:
    try:
        trio.lowlevel.current_task()
    except (RuntimeError, AttributeError):  # It is being imported.
        return False
    return True


def _known(key: int, make: Callable[[Any], _Waker], loop: object) -> _Waker:
    waker = _live(key)
    if waker is None:
        for other in list(_wakers):
            if _live(other) is None:
                _forget(other)
        waker = make(loop)
        _wakers[key] = ref(waker)
    return waker


def _live(key: int) -> _Waker | None:
    """Returns the waker of a loop that is open."""
    found = _wakers.get(key)
    waker = found and found()
    return waker if waker and not waker.is_over() else None


async def encoded(arguments: Any) -> _inputs.Encoded:
    """Encodes an input, on another thread if it is not plain: that may read files and encode pictures."""
    text = _plain(arguments)
    if text is not None:
        return _inputs.Encoded(text, [])
    return _inputs.Encoded(*await current().beside(lambda: _inputs.encode(arguments)))


def _plain(arguments: Any) -> bytes | None:
    return _inputs.plain(arguments) if type(arguments) is dict else None


async def finish(call: Call[_T]) -> _T:
    """Makes a call and returns its result. Cancelling the task cancels the call."""
    return call.decode(value_of(_ending.outcome(await ended(call), call.is_job), call.limit))


async def run_plain(core: Core | None, application: str, arguments: object, timeout: _Seconds | None) -> dict[str, Any]:
    """Makes a run without other options. If its input is not plain, starts nothing and returns NotImplemented."""
    if core is None or _app.is_inside:
        return _calls.NOT_PLAIN
    waker, number = current(), next(_numbers)
    limit = FOREVER if timeout is None else seconds_of("timeout", timeout)
    found: Any = None
    try:
        found = waker.watcher.run_plain(core, application, arguments, limit, number)
        if type(found) is Op:
            await waker.ended(found, number)
            found = found.output()
            if type(found) is dict:
                return found
        return _calls.output(found, None if timeout is None else limit)
    except BaseException:
        if type(found) is Op:
            found.cancel()
        raise


async def ended(call: Call[Any]) -> Op:
    """Makes a call and returns the ended operation. Cancelling the task cancels the call."""
    # Without a loop, nothing is sent.
    waker = current()
    with Started(call) as op:
        if call.notices is None:
            await waker.ended(op, waker.watch(op, False))
        else:
            events = Events(waker, op, None)
            async for event in events:
                for function, arguments in call.notices.of(event):
                    result: Any = function(*arguments)
                    if hasattr(result, "__await__"):
                        await (result if call.limit is None else events.until_late(result))
    return op


async def work(task: Task | Failure) -> Any:
    """Waits for blocking work and returns its result. Cancelling the task ends the wait, not the work."""
    begun, waker = value_of(task), current()
    while not value_of(begun.wait(0.0)):
        await waker.pause(_STEP)
    return value_of(begun.outcome())


class Events:
    """The events of an operation until it has ended, and None before a wait for the next event.

    Raises FalClientTimeoutError if there is none for idle seconds.
    """

    def __init__(self, waker: _Waker, op: Op, idle: float | None) -> None:
        self._waker, self._op, self._idle = waker, op, idle
        self._number = waker.watch(op, True)
        self._has_paused = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Answer | None:
        found: Answer | None | Literal[False] = value_of(self._op.next(0.0))
        if found is None and not self._has_paused:
            self._has_paused = True
            return None
        if found is None:
            found = await self._next()
        self._has_paused = False
        if found is False:
            raise StopAsyncIteration
        return found

    async def _next(self) -> Answer | Literal[False]:
        end = None if self._idle is None else time.monotonic() + self._idle
        while True:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                raise idled(self._op, self._idle)
            await self._waker.changed(self._number, left)
            found: Answer | None | Literal[False] = value_of(self._op.next(0.0))
            if found is not None:
                return found


    async def until_late(self, result: Awaitable[object]) -> None:
        """Waits for a function of the program, at most until the time limit of the operation is over."""
        await self._waker.until(self._number, lambda: _ending.is_late(self._op), result)

    async def ended(self, seconds: float) -> None:
        """Waits until the operation has ended, at most this long."""
        end = time.monotonic() + seconds
        while not value_of(self._op.done()) and time.monotonic() < end:
            await self._waker.changed(self._number, end - time.monotonic())


class Iteration(Generic[_T]):
    """What a reader makes of the events of a call, which begins with the iteration.

    An asynchronous generator would need its loop for its end; this only has to be deleted.
    """

    def __init__(self, call: Call[Any], reader: _Reader[_T], later: Callable[[], Awaitable[Call[Any]]] | None = None) -> None:
        """later makes the call with its input, if that takes longer."""
        self._call, self._reader, self._later = call, reader, later
        self._is_encoding = False
        self._started = Started(call)
        self._op: Op | None = None
        self._events: Events
        self._ready: list[_T] = []
        self._is_over = False

    @classmethod
    def of(cls, arguments: Any, make: Callable[[Any], Call[Any]], reader: _Reader[_T]) -> Self:
        """Returns the iteration of a call with this input, which is encoded as in encoded()."""
        text = _plain(arguments)
        if text is not None:
            return cls(make(_inputs.Encoded(text, [])), reader)

        async def later() -> Call[Any]:
            return make(await encoded(arguments))

        # The other arguments are checked at once.
        return cls(make(None), reader, later)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _T:
        while not self._ready:
            if self._is_over:
                raise StopAsyncIteration
            try:
                await self._read()
            except BaseException:
                await self.aclose()
                raise
        return self._ready.pop(0)

    async def _encode(self) -> None:
        waker = current()
        # Another task may have begun.
        while self._is_encoding:
            await waker.pause(_STEP)
        if self._later is None:
            return
        self._is_encoding = True
        try:
            self._call = await self._later()
        finally:
            self._is_encoding = False
        self._started, self._later = Started(self._call), None

    async def _read(self) -> None:
        if self._later:
            await self._encode()
            if self._is_over:
                return
        if self._op is None:
            waker = current()
            self._op = self._started.__enter__()
            self._events = Events(waker, self._op, self._call.limit)
        async for event in self._events:
            self._ready += self._reader.of(event)
            if self._reader.is_over:
                await self.aclose()
            return
        self._is_over = True
        self._call.decode(value_of(self._op.outcome()))
        self._ready += self._reader.rest()

    async def aclose(self) -> None:
        """End the iteration and cancel the call."""
        self._is_over = True
        self._started.cancel()

    def __del__(self, _is_ending: Callable[[], bool] = sys.is_finalizing) -> None:
        # During finalization, modules are being torn down.
        if not _is_ending():
            self._started.cancel()
