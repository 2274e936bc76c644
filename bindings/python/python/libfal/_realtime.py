"""Connections to apps over a WebSocket: realtime, plain, and for many runs."""

from __future__ import annotations

import time
from itertools import starmap

from . import _calls, _inputs, _libfal, _loop
from ._errors import RealtimeError, error, failed
from ._libfal import Failure
from ._response import decoded, item
from ._typing import imported
from ._updates import StreamItems
from ._values import waiting
from ._waiting import finish, iterate, next_event, value_of, wait

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import TracebackType
    from typing import Any, Generic, NoReturn, TypeVar, Union

    from typing_extensions import Self

    from ._libfal import Answer, Session
    from ._values import _Seconds

    _Message = Union[str, bytes, bytearray, memoryview]
    _Encode = Callable[[Any], bytes]
    _Decode = Callable[[bytes], Any]
    _Send = Callable[[], Union[None, Failure]]
    _C = TypeVar("_C")
else:
    from ._libfal import Session
    from ._typing import Any, AsyncIterator, Callable, Generic, Iterator, NoReturn, Self, TracebackType
    from ._values import _Seconds
    _Message = bytes
    _C = object

# How long the end of a with statement waits for the app to close its side too, and how long a full queue of messages is left alone.
_CLOSING = 10.0
_FULL = 0.005

_NOTHING = object()


class _Session:
    """What the connections have in common: what becomes of each event, and of the end."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._op = session.op()

    def _read(self, event: Answer) -> Any:
        """Returns the message in an event, or _NOTHING."""
        raise NotImplementedError

    def _end(self) -> None:
        """Raises the error with which the connection ended, if it did."""
        found = self._op.outcome()
        if isinstance(found, Failure):
            raise _ended(found)

    def _sent(self, send: _Send) -> bool:
        """Sends a message. Returns False if too many messages wait."""
        found = send()
        if isinstance(found, Failure):
            raised = error(found)
            if raised.code != "FAL_E_QUEUE_FULL":
                raise raised
            return False
        return True

    def _encoded(self, message: Any) -> _Send:
        """Returns what sends a message. It may be called again, because the message is encoded only once."""
        raise NotImplementedError


def _ended(failure: Failure) -> BaseException:
    """Returns the error for the end of a connection: the app's own, one of fal, or a broken connection."""
    cause = error(failure)
    payload: dict[str, Any] = {}
    if cause.code == "FAL_E_SERVICE_FAILED" and cause.response:
        # The reason of a close, and the body of a refusal, need not be JSON.
        found = cause.response._answer.json()
        payload = found if isinstance(found, dict) else {}
    if payload.get("type") == "x-fal-error":
        raised = _told(payload)
    # The status of a connection that was open.
    elif cause.status_code == 101 or cause.code in ("FAL_E_CONNECTION_LOST", "FAL_E_CONNECT", "FAL_E_PROTOCOL"):
        raised = RealtimeError("CONNECTION_CLOSED", cause.message)
    else:
        return cause
    names = ("code", "remedy", "request_id", "may_have_executed", "is_retryable")
    raised.__dict__.update({name: getattr(cause, name) for name in names})
    raised.__cause__ = cause
    return raised


def _told(payload: dict[str, Any]) -> RealtimeError:
    """Returns the error that an app reports."""
    return RealtimeError(str(payload.get("error", "UNKNOWN_ERROR")), payload.get("reason"), payload)


def _pack(message: Any) -> bytes:
    packed: bytes = _msgpack().packb(message, use_bin_type=True)
    return packed


def _unpack(frame: bytes) -> Any:
    return _msgpack().unpackb(frame, raw=False)


def _msgpack() -> Any:
    try:
        return imported("msgpack")
    except ImportError as cause:
        what = "an encoding of the program's own for one direction needs the package msgpack for the other"
        raise failed("FAL_E_INVALID_ARGUMENT", f"{what}: give both encode_message and decode_message", cause)


class _Realtime(_Session):
    """With an encoding of the program, it is a plain WebSocket, whose messages are read here."""

    def __init__(self, session: Session, encode_message: _Encode | None, decode_message: _Decode | None) -> None:
        super().__init__(session)
        self._is_plain = encode_message is not None or decode_message is not None
        self._encode_message = _pack if encode_message is None else encode_message
        self._decode_message = _unpack if decode_message is None else decode_message

    def _encoded(self, message: Any) -> _Send:
        if self._is_plain:
            data = bytes(self._encode_message(message))
            return lambda: self._session.send_bytes(data)
        text = _inputs.message(message)
        return lambda: self._session.send(text)

    def _read(self, event: Answer) -> Any:
        if event.kind() == "connection":
            return self._lost(decoded(event))
        if event.kind() != "message":
            return _NOTHING
        if self._is_plain and event.is_bytes():
            return self._decode_message(event.body())
        message = item(event)
        if self._is_plain and isinstance(message, dict) and message.get("type") == "x-fal-error":
            raise _told(message)
        if self._is_plain and isinstance(message, dict) and message.get("type") == "x-fal-message":
            return _NOTHING
        if isinstance(message, str):
            return {"type": "text", "payload": message}
        return _with_bytes(message) if b'"$bytes"' in event.body() else message

    def _lost(self, facts: dict[str, Any]) -> object:
        """Raises an error if inputs were lost with the connection. The next one is open, or opens."""
        if facts.get("state") == "lost" and facts.get("unanswered"):
            raise RealtimeError("CONNECTION_CLOSED", f"{facts.get('reason')}; {facts['unanswered']} inputs have no result")
        return _NOTHING

    def _end(self) -> None:
        super()._end()
        # Only the error of a missing input ends a session without fault.
        ended: dict[str, Any] = decoded(value_of(self._op.outcome()))
        if ended.get("ended") == "timeout":
            raise RealtimeError("TIMEOUT", "the app ended the session, because no input arrived")


def _with_bytes(value: Any) -> Any:
    """Returns a value of JSON in which the objects that stand for bytes are bytes."""
    if isinstance(value, list):
        return [_with_bytes(element) for element in value]
    if not isinstance(value, dict):
        return value
    if [*value] == ["$bytes"] and isinstance(value["$bytes"], str):
        return _bytes_of(value)
    return {name: _with_bytes(member) for name, member in value.items()}


def _bytes_of(value: dict[str, str]) -> bytes | dict[str, str]:
    """Returns the bytes that an object stands for. The object of an app that only looks alike stays."""
    binascii = imported("binascii")
    text = value["$bytes"].encode()
    try:
        data: bytes = binascii.a2b_base64(text)
    except ValueError:
        return value
    return data if binascii.b2a_base64(data, newline=False) == text else value


class _WebSocket(_Session):
    def _read(self, event: Answer) -> Any:
        if event.kind() != "message":
            return _NOTHING
        return event.body() if event.is_bytes() else value_of(event.text())

    def _encoded(self, message: Any) -> _Send:
        if isinstance(message, str):
            text = message.encode()
            return lambda: self._session.send(text)
        if isinstance(message, (bytes, bytearray, memoryview)):
            data = bytes(message)
            return lambda: self._session.send_bytes(data)
        raise TypeError(f"a message must be a str or bytes, not {type(message).__name__}")

    def _closed(self) -> RealtimeError:
        return RealtimeError("CONNECTION_CLOSED", "the connection was closed")


class _Waiting(_Session):
    """The connections of the client that waits."""

    def _next(self, timeout: float | None = None) -> Any:
        """Returns the next message, or _NOTHING after the last one."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            event = next_event(self._op, left)
            if event is False:
                self._end()
                return _NOTHING
            message = self._read(event)
            if message is not _NOTHING:
                return message

    def _put(self, message: object) -> None:
        value_of(_libfal.may_wait())
        send = self._encoded(message)
        while not self._sent(send):
            wait(self._op, _FULL)

    def _opened(self) -> None:
        """Waits until the connection is open."""
        value_of(_libfal.may_wait())
        if next_event(self._op, None) is False:
            self._end()

    def close(self) -> None:
        """Close the connection once the messages that wait are sent. Messages that arrive later are lost."""
        self._session.close()
        self._op.discard_events()
        try:
            wait(self._op, _CLOSING)
        finally:
            self._op.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None, /
    ) -> None:
        self.close()


class RealtimeConnection(_Waiting, _Realtime):
    """A connection to a realtime app. It is opened again if it breaks; an input that may have been sent is not sent again."""

    def send(self, arguments: Any) -> None:
        """Send an input. Waits if too many inputs wait to be sent."""
        self._put(arguments)

    def recv(self) -> Any:
        """Return the next result; None once the app has closed the connection. Bytes in a result are bytes.

        Raises RealtimeError if the app reports an error, or if the connection breaks for good.
        """
        message = self._next()
        return None if message is _NOTHING else message


class WebSocketConnection(_Waiting, _WebSocket):
    """A connection to a WebSocket of an app."""

    def send(self, message: _Message) -> None:
        """Send a text, or bytes as a binary message. Waits if too many messages wait to be sent."""
        self._put(message)

    def recv(self, timeout: _Seconds | None = None) -> str | bytes:
        """Return the next message: a str or bytes. Raises TimeoutError after timeout seconds.

        Raises RealtimeError if the connection is closed, or breaks.
        """
        message: Any = self._next(waiting("timeout", timeout))
        if message is _NOTHING:
            raise self._closed()
        found: str | bytes = message
        return found

    def __iter__(self) -> Iterator[str | bytes]:
        """Yield the messages until the app closes the connection."""
        while True:
            message = self._next()
            if message is _NOTHING:
                return
            yield message


class _Awaiting(_Session):
    """The connections of the client for event loops."""

    def __init__(self, session: Session, *codecs: Any) -> None:
        super().__init__(session, *codecs)
        self._waker = _loop.current()
        self._events = _loop.Events(self._waker, self._op, None)

    async def _next(self) -> Any:
        """Returns the next message, or _NOTHING after the last one."""
        async for event in self._events:
            message = _NOTHING if event is None else self._read(event)
            if message is not _NOTHING:
                return message
        self._end()
        return _NOTHING

    async def _put(self, send: _Send) -> None:
        while not self._sent(send):
            await self._waker.pause(_FULL)

    async def _opened(self) -> None:
        async for event in self._events:
            if event is not None:
                return
        self._end()

    async def close(self) -> None:
        """Close the connection once the messages that wait are sent. Messages that arrive later are lost."""
        self._session.close()
        self._op.discard_events()
        try:
            await self._events.ended(_CLOSING)
        finally:
            self._op.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None, /
    ) -> None:
        await self.close()


class AsyncRealtimeConnection(_Awaiting, _Realtime):
    """A connection to a realtime app. It is opened again if it breaks; an input that may have been sent is not sent again."""

    async def send(self, arguments: Any) -> None:
        """Send an input. Waits if too many inputs wait to be sent."""
        if self._is_plain or _inputs.plain(arguments) is not None:
            await self._put(self._encoded(arguments))
        else:
            await self._put(await self._waker.beside(lambda: self._encoded(arguments)))

    async def recv(self) -> Any:
        """Return the next result; None once the app has closed the connection. Bytes in a result are bytes.

        Raises RealtimeError if the app reports an error, or if the connection breaks for good.
        """
        message = await self._next()
        return None if message is _NOTHING else message


class AsyncWebSocketConnection(_Awaiting, _WebSocket):
    """A connection to a WebSocket of an app."""

    async def send(self, message: _Message) -> None:
        """Send a text, or bytes as a binary message. Waits if too many messages wait to be sent."""
        await self._put(self._encoded(message))

    async def recv(self) -> str | bytes:
        """Return the next message: a str or bytes. Raises RealtimeError if the connection is closed, or breaks."""
        message: Any = await self._next()
        if message is _NOTHING:
            raise self._closed()
        found: str | bytes = message
        return found

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str | bytes:
        message: Any = await self._next()
        if message is _NOTHING:
            raise StopAsyncIteration
        found: str | bytes = message
        return found


class _Opening(Generic[_C]):
    """Opens a connection once."""

    _connection: Any

    def __init__(self, start: Callable[[], Session | Failure], make: Callable[[Session], _C]) -> None:
        self._open: tuple[Callable[[], Session | Failure], Callable[[Session], Any]] | None = start, make

    def _begun(self) -> Any:
        if self._open is None:
            remedy = "Call the method of the client again for another connection."
            raise failed("FAL_E_TAKEN", "the connection was opened by another with statement", remedy=remedy)
        start, make = self._open
        # As in Started.
        held: list[Session | Failure] = []
        try:
            held.extend(starmap(start, ((),)))
            self._connection = make(value_of(held[0]))
            # The connection has what it needs. A client whose last reference is here is deleted when the statement goes on.
            self._open = None
            return self._connection
        except BaseException:
            for session in held:
                if isinstance(session, Session):
                    session.op().cancel()
            raise

    def __getattr__(self, name: str) -> NoReturn:
        begin = "async with" if isinstance(self, AsyncOpening) else "with"
        hint = f"a statement such as `{begin} client.realtime(…) as connection:` opens the connection"
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}: {hint}")


class Opening(_Opening[_C]):
    """Opens a connection for a with statement."""

    def __enter__(self) -> _C:
        connection = self._begun()
        try:
            connection._opened()
        except BaseException:
            connection._op.cancel()
            raise
        made: _C = connection
        return made

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None, /
    ) -> None:
        if kind is not None:
            self._connection._op.cancel()
        self._connection.close()


class AsyncOpening(_Opening[_C]):
    """Opens a connection for an async with statement."""

    async def __aenter__(self) -> _C:
        connection = self._begun()
        try:
            await connection._opened()
        except BaseException:
            connection._op.cancel()
            raise
        made: _C = connection
        return made

    async def __aexit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None, /
    ) -> None:
        if kind is not None:
            self._connection._op.cancel()
        await self._connection.close()


class _Channel:
    """Runs of one application over one connection. The first run opens it, and so does the next one after it has ended."""

    def __init__(self, client: _calls._Client, application: str, path: str) -> None:
        self._client, self._application, self._path = client, application, path
        self._channel: Any = _calls.channel(client, application, path)

    def _call(self, arguments: object, timeout: _Seconds | None, is_iterated: bool) -> _calls.Call[Any]:
        if self._channel is None:
            raise failed("FAL_E_CLOSED", "the channel was closed", remedy="Call the client's channel() again.")
        return _calls.channel_run(self._channel, self._application, arguments, timeout, is_iterated)

    def _close(self) -> None:
        self._channel = None


class Channel(_Channel):
    """Runs of one application over one connection. The first run opens it, and so does the next one after it has ended."""

    def run(self, arguments: Any, *, timeout: _Seconds | None = None) -> dict[str, Any]:
        """Run the application and return its output, as the client's run() does."""
        result: dict[str, Any] = finish(self._call(arguments, timeout, False))
        return result

    def stream(self, arguments: Any, *, timeout: _Seconds | None = None) -> Iterator[dict[str, Any]]:
        """Yield the items that the application streams, as the client's stream() does."""
        return iterate(self._call(arguments, timeout, True), StreamItems())

    def close(self) -> None:
        """Close the connection once every response has arrived."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None, /
    ) -> None:
        self._close()


class AsyncChannel(_Channel):
    """Runs of one application over one connection. The first run opens it, and so does the next one after it has ended."""

    async def run(self, arguments: Any, *, timeout: _Seconds | None = None) -> dict[str, Any]:
        """Run the application and return its output, as the client's run() does."""
        result: dict[str, Any] = await _loop.finish(self._call(await _loop.encoded(arguments), timeout, False))
        return result

    def stream(self, arguments: Any, *, timeout: _Seconds | None = None) -> AsyncIterator[dict[str, Any]]:
        """Yield the items that the application streams, as the client's stream() does."""
        return _loop.Iteration.of(arguments, lambda encoded: self._call(encoded, timeout, True), StreamItems())

    def close(self) -> None:
        """Close the connection once every response has arrived."""
        self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None, /
    ) -> None:
        self._close()


# So that repr() and pickle use the public name.
for _class in (
    RealtimeConnection,
    WebSocketConnection,
    AsyncRealtimeConnection,
    AsyncWebSocketConnection,
    Channel,
    AsyncChannel,
):
    _class.__module__ = "libfal"
