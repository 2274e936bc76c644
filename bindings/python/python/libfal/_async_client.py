"""The client for asyncio, trio and anyio."""

from __future__ import annotations

from . import _calls, _inputs, _loop
from ._base import Base
from ._calls import INTERVAL, TOKEN_EXPIRATION
from ._credential import AppToken, Check
from ._errors import FalClientError
from ._explanation import Explanation, from_report
from ._handles import AsyncRequestHandle
from ._platform import NewKey, async_platform
from ._realtime import AsyncChannel, AsyncOpening, AsyncRealtimeConnection, AsyncWebSocketConnection
from ._response import Response
from ._storage import falls_back, upload_options
from ._updates import StreamItems
from ._values import _Path, _Seconds, text
from ._waiting import value_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Any, Literal, SupportsIndex, TypeVar

    from _typeshed import ReadableBuffer
    from PIL.Image import Image
    from typing_extensions import Concatenate, ParamSpec, Self

    from ._calls import Call, _Progress
    from ._libfal import Core
    from ._operations import _Name
    from ._platform_methods import _AsyncPlatform
    from ._status import Status
    from ._storage import StorageSettings, _Repository

    _T = TypeVar("_T")
    _P = ParamSpec("_P")
else:
    from ._status import Status
    from ._storage import StorageSettings, _Repository
    from ._typing import Any, AsyncIterator, Awaitable, Callable, Literal, Mapping, ReadableBuffer, Self, Sequence, SupportsIndex, TracebackType

    Image = Path = _AsyncPlatform = object
    _Name = str
    _Progress = Callable


class AsyncClient(Base):
    __doc__ = Base.__doc__

    @property
    def with_raw_response(self) -> RawAsyncClient:
        """The methods that return the response as fal sent it, with its status, headers and bytes."""
        return RawAsyncClient(self)

    async def _finish(self, call: Call[_T]) -> _T:
        return await _loop.finish(call)

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None, /
    ) -> None:
        self.close()

    async def run(
        self,
        application: str,
        arguments: Any,
        *,
        method: str = "POST",
        path: str = "",
        timeout: _Seconds | None = None,
        start_timeout: _Seconds | None = None,
        hint: str | None = None,
        headers: Mapping[str, str] = {},
        on_progress: _Progress | None = None,
        progress: bool = False,
    ) -> dict[str, Any]:
        """Run an application directly, without the queue, and return its output. Cancelling the task cancels the call.

        Args:
            application: The id of an endpoint, such as "fal-ai/flux/schnell".
            arguments: Its input.
            method: The HTTP method. A GET has no input.
            path: A path within the application.
            timeout: The time limit of the whole call in seconds. By default there is none.
            start_timeout: Within how many seconds fal has to find a runner, above one.
            hint: Prefers the runner that served this hint before.
            headers: Additional headers.
            on_progress: Is called as on_progress(transferred, total) while files of the input are uploaded.
            progress: Shows a progress bar, with tqdm or rich.
        """
        is_usual = method == "POST" and path == "" and not headers and not progress
        if is_usual and start_timeout is None and hint is None and on_progress is None:
            found = await _loop.run_plain(self._core, application, arguments, timeout)
            if found is not NotImplemented:
                return found
        return await self._finish(
            _calls.run(
                self,
                application,
                await _loop.encoded(arguments),
                method=method,
                path=path,
                timeout=timeout,
                start_timeout=start_timeout,
                hint=hint,
                headers=headers,
                on_progress=on_progress,
                progress=progress,
            )
        )

    async def submit(
        self,
        application: str,
        arguments: Any,
        *,
        path: str = "",
        hint: str | None = None,
        webhook_url: str | None = None,
        priority: Literal["normal", "low"] | None = None,
        headers: Mapping[str, str] = {},
        start_timeout: _Seconds | None = None,
        on_progress: _Progress | None = None,
        progress: bool = False,
    ) -> AsyncRequestHandle:
        """Submit a job to the queue of an application and return its handle. The job runs whether or not anything waits.

        An exception that ends the call, such as the cancellation of the task, cancels the job, and so does the time limit.
        The id of the job is not known until fal has answered: libfal waits for the answer for up to 30 seconds, in the
        background, and then cancels the job. The end of the program waits for that for up to five seconds.

        Args:
            application: The id of an endpoint, such as "fal-ai/flux/schnell".
            arguments: Its input.
            path: A path within the application.
            hint: Prefers the runner that served this hint before.
            webhook_url: An https URL to which fal posts the result.
            priority: "normal", or "low" to run after all jobs of normal priority.
            headers: Additional headers.
            start_timeout: Within how many seconds the work has to start, above one.
            on_progress: Is called as on_progress(transferred, total) while files of the input are uploaded.
            progress: Shows a progress bar, with tqdm or rich.
        """
        return await self._finish(
            _calls.submit(
                self,
                application,
                await _loop.encoded(arguments),
                lambda endpoint, answer: AsyncRequestHandle._submitted(self, endpoint, answer),
                path=path,
                hint=hint,
                webhook_url=webhook_url,
                priority=priority,
                headers=headers,
                start_timeout=start_timeout,
                on_progress=on_progress,
                progress=progress,
            )
        )

    async def subscribe(
        self,
        application: str,
        arguments: Any,
        *,
        path: str = "",
        hint: str | None = None,
        with_logs: bool = False,
        interval: _Seconds = INTERVAL,
        on_enqueue: Callable[[str], Awaitable[None] | None] | None = None,
        on_queue_update: Callable[[Status], Awaitable[None] | None] | None = None,
        priority: Literal["normal", "low"] | None = None,
        headers: Mapping[str, str] = {},
        start_timeout: _Seconds | None = None,
        client_timeout: _Seconds | None = None,
        on_progress: _Progress | None = None,
        progress: bool = False,
    ) -> dict[str, Any]:
        """Submit a job, wait until it has ended, and return its result.

        An exception that ends the wait, such as the cancellation of the task or one of the functions below, cancels the job.
        The id of the job is not known until fal has answered the submission. If the wait ends before, also by client_timeout,
        libfal waits for the answer for up to 30 seconds, in the background, and then cancels the job. The end of the
        program waits for that for up to five seconds.

        Args:
            application: The id of an endpoint, such as "fal-ai/flux/schnell".
            arguments: Its input.
            path: A path within the application.
            hint: Prefers the runner that served this hint before.
            with_logs: Whether on_queue_update gets the lines of the log.
            interval: Has no effect. libfal is told of changes, or asks less and less often.
            on_enqueue: Is called with the id of the request when fal has accepted the job.
            on_queue_update: Is called with each new state of the job.
            priority: "normal", or "low" to run after all jobs of normal priority.
            headers: Additional headers.
            start_timeout: Within how many seconds the work has to start, above one. By default client_timeout.
            client_timeout: The time limit of the whole call in seconds. At its end the job is cancelled, and
                FalClientTimeoutError has its request_id. A function above that is being awaited is cancelled, too. By
                default there is none.
            on_progress: Is called as on_progress(transferred, total) while files of the input are uploaded.
            progress: Shows a progress bar, with tqdm or rich.
        """
        return await self._finish(
            _calls.subscribe(
                self,
                application,
                await _loop.encoded(arguments),
                path=path,
                hint=hint,
                with_logs=with_logs,
                interval=interval,
                on_enqueue=on_enqueue,
                on_queue_update=on_queue_update,
                priority=priority,
                headers=headers,
                start_timeout=start_timeout,
                client_timeout=client_timeout,
                on_progress=on_progress,
                progress=progress,
            )
        )

    async def get_handle(self, application: str, request_id: str) -> AsyncRequestHandle:
        """Return the handle to a job that was submitted before, in this process or another. Sends nothing.

        Args:
            application: The id of an endpoint, such as "fal-ai/flux/schnell".
            request_id: fal's id of the job.
        """
        return AsyncRequestHandle.from_request_id(self, application, request_id)

    async def status(self, application: str, request_id: str, *, with_logs: bool = False) -> Status:
        """Return the state of a job, with the lines of its log if asked for.

        Args:
            application: The id of an endpoint, such as "fal-ai/flux/schnell".
            request_id: fal's id of the job.
            with_logs: Whether the state has the lines of the log.
        """
        return await self._finish(_calls.status(self, application, request_id, with_logs))

    async def result(self, application: str, request_id: str) -> dict[str, Any]:
        """Wait until a job has ended and return its result, or raise its error. Cancelling the task does not cancel the job.

        Args:
            application: The id of an endpoint, such as "fal-ai/flux/schnell".
            request_id: fal's id of the job.
        """
        return await self._finish(_calls.result(self, application, request_id))

    async def cancel(self, application: str, request_id: str) -> None:
        """Cancel a job. A job that waits never runs; a running one may still finish.

        Args:
            application: The id of an endpoint, such as "fal-ai/flux/schnell".
            request_id: fal's id of the job.
        """
        await self._finish(_calls.cancel(self, application, request_id))

    def stream(
        self,
        application: str,
        arguments: Any,
        *,
        path: str = "/stream",
        timeout: _Seconds | None = None,
        headers: Mapping[str, str] = {},
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the items that an application streams. The first item is requested when the iteration begins.

        Leaving the loop early cancels the call. An item that is not JSON is a str, or bytes.

        Args:
            application: The id of an endpoint, such as "fal-ai/flux/schnell".
            arguments: Its input.
            path: A path within the application.
            timeout: How many seconds may pass without an item. By default there is no limit.
            headers: Additional headers.
        """
        return _loop.Iteration.of(
            arguments,
            lambda encoded: _calls.stream(self, application, encoded, path=path, timeout=timeout, headers=headers),
            StreamItems(),
        )

    def realtime(
        self,
        application: str,
        *,
        use_jwt: bool = True,
        path: str = "/realtime",
        max_buffering: SupportsIndex | None = None,
        token_expiration: _Seconds = TOKEN_EXPIRATION,
        encode_message: Callable[[Any], bytes] | None = None,
        decode_message: Callable[[bytes], Any] | None = None,
    ) -> AsyncOpening[AsyncRealtimeConnection]:
        """Open a connection to a realtime application in an async with statement.

        Args:
            application: The id of an endpoint, such as "fal-ai/flux/schnell".
            use_jwt: Whether a short-lived token opens the connection, and not the key.
            path: A path within the application.
            max_buffering: How many inputs fal keeps while the application is busy, 1 to 60. By default the application
                decides.
            token_expiration: The lifetime of the token in seconds, 1 to 3600.
            encode_message: Converts an input to bytes. By default MessagePack.
            decode_message: Converts the bytes of a result. By default MessagePack. With one of the two, a connection
                that breaks is not opened again.
        """
        codecs = {"encode_message": encode_message, "decode_message": decode_message}
        verb = "realtime" if encode_message is None and decode_message is None else "websocket"
        start = _calls.session(self, verb, application, path, use_jwt, max_buffering, token_expiration, **codecs)
        return AsyncOpening(start, lambda session: AsyncRealtimeConnection(session, encode_message, decode_message))

    def ws_connect(
        self,
        application: str,
        *,
        use_jwt: bool = True,
        path: str = "",
        max_buffering: SupportsIndex | None = None,
        token_expiration: _Seconds = TOKEN_EXPIRATION,
    ) -> AsyncOpening[AsyncWebSocketConnection]:
        """Open a connection to a WebSocket of an application in an async with statement.

        Args:
            application: The id of an endpoint, such as "fal-ai/flux/schnell".
            use_jwt: Whether a short-lived token opens the connection, and not the key.
            path: A path within the application.
            max_buffering: How many inputs fal keeps while the application is busy, 1 to 60. By default the application
                decides.
            token_expiration: The lifetime of the token in seconds, 1 to 3600.
        """
        start = _calls.session(self, "websocket", application, path, use_jwt, max_buffering, token_expiration)
        return AsyncOpening(start, AsyncWebSocketConnection)

    def channel(self, application: str, *, path: str = "") -> AsyncChannel:
        """Return a channel for many runs of an application over one connection. Sends nothing.

        Args:
            application: The id of an endpoint, such as "fal-ai/flux/schnell".
            path: A path within the application.
        """
        return AsyncChannel(self, application, path)

    async def upload(
        self,
        data: str | ReadableBuffer | Any,
        content_type: str,
        file_name: str | None = None,
        *,
        repository: _Repository | None = None,
        fallback_repository: _Repository | Sequence[_Repository] | None = None,
        lifecycle: StorageSettings | None = None,
        on_progress: _Progress | None = None,
        progress: bool = False,
    ) -> str:
        """Upload data and return its URL.

        Args:
            data: Bytes, a text, an open file, a path, or a picture of PIL or numpy.
            content_type: The content type, such as "image/png".
            file_name: The name at the end of the URL.
            repository: "fal_v3", or "fal". By default "fal_v3".
            fallback_repository: Those that are tried if the first one fails. By default "fal".
            lifecycle: How long fal keeps the file, and who may read it.
            on_progress: Is called as on_progress(transferred, total).
            progress: Shows a progress bar, with tqdm or rich.
        """
        return await self._stored(
            on_progress,
            progress,
            data=data,
            content_type=content_type,
            file_name=file_name,
            repository=repository,
            fallback_repository=fallback_repository,
            lifecycle=lifecycle,
        )

    async def upload_file(
        self,
        path: _Path,
        *,
        repository: _Repository | None = None,
        fallback_repository: _Repository | Sequence[_Repository] | None = None,
        lifecycle: StorageSettings | None = None,
        on_progress: _Progress | None = None,
        progress: bool = False,
    ) -> str:
        """Upload a file of any size and return its URL.

        Args:
            path: The file.
            repository: "fal_v3", or "fal". By default "fal_v3".
            fallback_repository: Those that are tried if the first one fails. By default "fal".
            lifecycle: How long fal keeps the file, and who may read it.
            on_progress: Is called as on_progress(transferred, total).
            progress: Shows a progress bar, with tqdm or rich.
        """
        return await self._stored(
            on_progress,
            progress,
            path=path,
            repository=repository,
            fallback_repository=fallback_repository,
            lifecycle=lifecycle,
        )

    async def upload_image(
        self,
        image: Image | Any,
        format: str = "jpeg",
        *,
        repository: _Repository | None = None,
        fallback_repository: _Repository | Sequence[_Repository] | None = None,
        lifecycle: StorageSettings | None = None,
        on_progress: _Progress | None = None,
        progress: bool = False,
    ) -> str:
        """Upload an image and return its URL.

        Args:
            image: A PIL image, or a numpy array with the shape of an image, which becomes a PNG.
            format: The format, such as "png".
            repository: "fal_v3", or "fal". By default "fal_v3".
            fallback_repository: Those that are tried if the first one fails. By default "fal".
            lifecycle: How long fal keeps the file, and who may read it.
            on_progress: Is called as on_progress(transferred, total).
            progress: Shows a progress bar, with tqdm or rich.
        """
        return await self._stored(
            on_progress,
            progress,
            image=image,
            format=format,
            repository=repository,
            fallback_repository=fallback_repository,
            lifecycle=lifecycle,
        )

    async def _stored(self, on_progress: _Progress | None, progress: bool, **what: Any) -> str:
        # It may read a file and encode a picture.
        options = await _loop.current().beside(lambda: upload_options(**what))
        calls = _calls.uploads(self, options, on_progress, progress)
        for call in calls[:-1]:
            try:
                return await _loop.finish(call)
            except FalClientError as error:
                if not falls_back(error):
                    raise
        return await _loop.finish(calls[-1])

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: ReadableBuffer | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: _Seconds | None = None,
    ) -> Response:
        """Send a request to a URL of fal, or to a path of the Platform API such as "/v1/models", and wait.

        Only services that accept keys receive the key. A URL of another host is refused. The body is JSON, or bytes with
        content_type (by default "application/octet-stream"). A bytes object of more than 4096 bytes is not copied.

        Args:
            method: The HTTP method.
            url: A URL of fal, or a path of the Platform API, such as "/v1/models".
            json: The body, as a value of JSON.
            content: The body, as bytes.
            content_type: The content type of these bytes. By default "application/octet-stream".
            headers: Additional headers.
            timeout: The time limit in seconds. By default default_timeout.
        """
        return await _loop.finish(_calls.request(self, method, url, json, content, content_type, headers, timeout, Response._of))

    async def download(
        self,
        url: str,
        path: _Path | None = None,
        *,
        overwrite: bool = False,
        max_bytes: SupportsIndex | None = None,
        on_progress: _Progress | None = None,
        progress: bool = False,
        timeout: _Seconds | None = None,
    ) -> bytes | Path:
        """Download a file of a result, and return its content, or the path of the new file. The key is not sent.

        Args:
            url: The URL of a file.
            path: The file to write. It is complete, or not there. An existing file is an error unless overwrite.
            overwrite: Whether an existing file is replaced.
            max_bytes: The longest content.
            on_progress: Is called as on_progress(transferred, total).
            progress: Shows a progress bar, with tqdm or rich.
            timeout: The time limit in seconds. By default there is none.
        """
        return await _loop.finish(_calls.download(self, url, path, overwrite, max_bytes, timeout, on_progress, progress))

    async def explain(self) -> Explanation:
        """Search for the key again and report each source, in order. Sends nothing.

        The client keeps the first key that it found. If the search now finds another key, a note says which one calls
        use.
        """
        return from_report(*await _loop.work(self._open().explain()))

    async def check(self) -> Check:
        """Ask fal whether it accepts the credential and what the scope is. Runs no model and costs nothing.

        A rejected key is a result. Only a failure to ask fal raises an error.
        """
        return await _loop.finish(_calls.check(self))

    @property
    def platform(self) -> _AsyncPlatform:
        """The operations of the Platform API, as methods, such as platform.models.pricing(endpoint_id="a/b"), or by name:
        platform("models.pricing", endpoint_id="a/b").

        docs/platform.md lists them. A wrong parameter raises InvalidArgumentError before anything is sent. A list is
        read page by page while it is iterated over; items["prices"] is a member of its first page.
        """
        return async_platform(self)

    async def create_key(self, alias: str) -> NewKey:
        """Create an API key with this name, 1 to 255 characters. It works at once. The client needs an ADMIN key.

        Only this result contains the secret; fal does not return it again.

        Args:
            alias: The name of the key.
        """
        call = _calls.create_key(self, alias)
        op = await _loop.ended(call)
        value_of(op.outcome(), call.limit)
        return NewKey._of(value_of(op.take_key()))

    async def revoke_key(self, id: str, *, allow_own: bool = False) -> None:
        """Revoke an API key by its id, effective at once. Refuses the key of this client unless allow_own.

        Args:
            id: The id of the key.
            allow_own: Whether the key of this client may be revoked.
        """
        await _loop.finish(_calls.revoke_key(self, id, allow_own))

    async def mint_token(self, *apps: str, seconds: SupportsIndex = 120) -> AppToken:
        """Create a token that permits only calls of these apps, for 1 to 3600 seconds. The client needs a key.

        Args:
            apps: The applications, such as "fal-ai/flux".
            seconds: The lifetime of the token, 1 to 3600.
        """
        return await _loop.finish(_calls.mint_token(self, apps, seconds))


if TYPE_CHECKING:

    def _raw(
        method: Callable[Concatenate[AsyncClient, _P], Any],
    ) -> Callable[Concatenate[RawAsyncClient, _P], Awaitable[Response]]: ...
else:

    def _raw(method):
        return method


class RawAsyncClient:
    """The methods of a client that return the response as fal sent it."""

    # Its calls are made in the general way.
    _core: Core | None = None

    def __init__(self, client: AsyncClient) -> None:
        self._open, self.default_timeout = client._open, client.default_timeout

    async def _finish(self, call: Call[Any]) -> Response:
        call.decode = Response._of
        response: Response = await _loop.finish(call)
        return response

    run = _raw(AsyncClient.run)
    submit = _raw(AsyncClient.submit)
    subscribe = _raw(AsyncClient.subscribe)
    status = _raw(AsyncClient.status)
    result = _raw(AsyncClient.result)
    cancel = _raw(AsyncClient.cancel)

    async def platform(self, name: _Name, /, **params: Any) -> Response:
        """Call an operation of the Platform API by its name. A list is its first page."""
        response: Response = await self._finish(_calls.platform(self, name, params))
        return response


async_client = AsyncClient()
"""The client of the functions run_async(), subscribe_async() and others. It searches the environment for the key at its first call."""


# So that repr() and pickle use the public name.
AsyncClient.__module__ = RawAsyncClient.__module__ = "libfal"
