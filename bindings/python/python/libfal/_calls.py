"""Checks the arguments of each call, for both clients: how it starts, and what becomes of its answer."""

from __future__ import annotations

import os

from . import _app, _inputs
from ._base import DEFAULT_TIMEOUT, FOREVER
from ._credential import AppToken, Check, token_from
from ._errors import error
from ._libfal import Answer, Failure, Op
from ._progress import Shown
from ._response import decoded, plain
from ._status import answered
from ._typing import imported
from ._updates import Notices
from ._values import content as content_of, count, dumps, each, invalid, maybe_count, maybe_function, maybe_seconds, maybe_text
from ._values import pairs, path as path_of, seconds as seconds_of, text, waiting
from ._waiting import STEP, outcome, value_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any, Generic, Protocol, SupportsIndex, TypeVar

    from _typeshed import ReadableBuffer

    from ._libfal import Channel, Core, Session
    from ._status import Status
    from ._values import _Path, _Seconds

    _T = TypeVar("_T")
    _Progress = Callable[[int, "int | None"], object]

    class _Client(Protocol):
        @property
        def default_timeout(self) -> float | None: ...
        def _open(self) -> Core: ...
else:
    from ._typing import Generic

    _T = object

# The official default. libfal waits as its core decides.
INTERVAL = 0.1
# The default lifetime of the token that opens a connection, in seconds.
TOKEN_EXPIRATION = 120
# What is returned instead of the output of a run.
NOT_PLAIN: dict[str, Any] = NotImplemented


class Call(Generic[_T]):
    """One call of the core."""

    __slots__ = ("arguments", "decode", "is_iterated", "is_job", "limit", "notices", "start", "start_and_wait")

    def __init__(
        self,
        start: Callable[..., Op | Failure],
        arguments: tuple[object, ...],
        decode: Callable[[Answer], _T],
        limit: float | None = None,
        notices: Notices | None = None,
        is_iterated: bool = False,
        is_job: bool = False,
        start_and_wait: Callable[..., Answer | Op | Failure] | None = None,
    ) -> None:
        self.start = start
        self.arguments = arguments
        self.decode = decode
        """Converts the response to the result."""
        self.limit = limit
        """The time limit in seconds, for the error that reports it."""
        self.notices = notices
        """Converts the events to calls of the program's functions."""
        self.is_iterated = is_iterated
        """Whether the program reads the events. Otherwise, without notices, they are discarded."""
        self.is_job = is_job
        """Whether cancelling it cancels a job at fal."""
        self.start_and_wait = start_and_wait
        """Starts it and waits, in one call of the core. Takes the seconds after the arguments."""


def run(
    client: _Client,
    application: str,
    arguments: object,
    *,
    method: str = "POST",
    path: str = "",
    timeout: _Seconds | None = None,
    start_timeout: _Seconds | None = None,
    hint: str | None = None,
    headers: Mapping[str, str] = {},
    on_progress: _Progress | None = None,
    progress: bool = False,
) -> Call[Any]:
    limit = maybe_seconds("timeout", timeout)
    is_get = text("method", method).upper() == "GET"
    request = _request(application, None if is_get else arguments, path, headers, limit, start_timeout, hint)
    if method != "POST":
        request["method"] = method
    if is_get:
        del request["body"]
    core = client._open()
    decode = _app.passing_back(decoded)
    return Call(core.run, (request,), decode, limit, _told(on_progress, progress), start_and_wait=core.run_wait)


def run_plain(core: Core | None, application: str, arguments: object, timeout: _Seconds | None) -> dict[str, Any]:
    """Makes a run without other options in one call of the core. If its input is not plain, starts nothing and returns NotImplemented."""
    if core is None or _app.is_inside:
        return NOT_PLAIN
    limit = FOREVER if timeout is None else seconds_of("timeout", timeout)
    found: Any = None
    try:
        found = core.run_plain(application, arguments, limit, STEP)
        if type(found) is dict:
            return found
        return output(outcome(found) if type(found) is Op else found, None if timeout is None else limit)
    except BaseException:
        if type(found) is Op:
            found.cancel()
        raise


def output(found: Any, limit: float | None) -> dict[str, Any]:
    """Returns the output of a run, which the core has decoded if it can, or raises its failure."""
    if type(found) is Failure:
        raise error(found, limit)
    output: dict[str, Any] = decoded(found) if type(found) is Answer else found
    return output


def submit(
    client: _Client,
    application: str,
    arguments: object,
    handle: Callable[[str, Answer], _T],
    *,
    path: str = "",
    hint: str | None = None,
    webhook_url: str | None = None,
    priority: str | None = None,
    headers: Mapping[str, str] = {},
    start_timeout: _Seconds | None = None,
    on_progress: _Progress | None = None,
    progress: bool = False,
) -> Call[_T]:
    limit = client.default_timeout
    request = _request(application, arguments, path, headers, limit, start_timeout, hint)
    request.update(each(maybe_text, webhook_url=webhook_url, priority=priority))
    if "files" in request:
        limit = _uploading(limit)
        request["timeout"] = _limit(limit)
    endpoint = _inputs.application(text("application", application))
    decode = _app.passing_back(lambda answer: handle(endpoint, answer))
    return Call(client._open().submit, (request,), decode, limit, _told(on_progress, progress), is_job=True)


def subscribe(
    client: _Client,
    application: str,
    arguments: object,
    *,
    path: str = "",
    hint: str | None = None,
    with_logs: bool = False,
    interval: _Seconds = INTERVAL,
    on_enqueue: Callable[[str], object] | None = None,
    on_queue_update: Callable[[Status], object] | None = None,
    priority: str | None = None,
    headers: Mapping[str, str] = {},
    start_timeout: _Seconds | None = None,
    client_timeout: _Seconds | None = None,
    on_progress: _Progress | None = None,
    progress: bool = False,
    is_iterated: bool = False,
) -> Call[Any]:
    seconds_of("interval", interval)
    each(maybe_function, on_enqueue=on_enqueue, on_queue_update=on_queue_update)
    limit = maybe_seconds("client_timeout", client_timeout)
    start = _start_timeout(maybe_seconds("start_timeout", start_timeout), limit)
    request = _request(application, arguments, path, headers, limit, start, hint)
    is_told = (on_enqueue, on_queue_update) != (None, None)
    logs = bool(with_logs) and (on_queue_update is not None or is_iterated)
    request.update(each(maybe_text, priority=priority), logs=logs)
    shown = _shown(on_progress, progress, "uploading")
    notices = Notices(logs, on_enqueue, on_queue_update, shown) if is_told or shown else None
    return Call(client._open().subscribe, (request,), _app.passing_back(decoded), limit, notices, is_iterated, is_job=True)


def _start_timeout(start_timeout: float | None, client_timeout: float | None) -> float | None:
    """Returns within what time the work has to start: by default the limit of the whole call."""
    if client_timeout is None:
        return start_timeout
    if start_timeout is None:
        # fal accepts no shorter time.
        return client_timeout if client_timeout > 1 else None
    if start_timeout > client_timeout:
        message = f"start_timeout ({start_timeout} s) exceeds client_timeout ({client_timeout} s), which ends the call first"
        imported("warnings").warn(message, UserWarning, stacklevel=4)
    return start_timeout


def stream(
    client: _Client,
    application: str,
    arguments: object,
    *,
    path: str = "/stream",
    timeout: _Seconds | None = None,
    headers: Mapping[str, str] = {},
) -> Call[None]:
    """The limit of this call is the longest time between two items."""
    limit = waiting("timeout", timeout)
    request = _request(application, arguments, path, headers, None)
    # Without a path the items are those of the endpoint itself.
    request["path"] = text("path", path)
    return Call(client._open().stream, (request,), _app.passing_back(lambda _: None), limit, is_iterated=True)


def session(
    client: _Client,
    verb: str,
    application: str,
    path: str,
    use_jwt: bool,
    max_buffering: SupportsIndex | None,
    token_expiration: _Seconds,
    **codecs: Callable[..., object] | None,
) -> Callable[[], Session | Failure]:
    """Returns what opens a connection: a realtime one, or a plain WebSocket."""
    each(maybe_function, **codecs)
    start = getattr(client._open(), verb)
    request = _request(application, None, path, {}, None)
    request["path"] = text("path", path)
    options = {
        **each(maybe_count, max_buffering=max_buffering),
        "use_header": not use_jwt,
        **each(seconds_of, token_lifetime=token_expiration),
    }
    return lambda: start(request, options)


def channel(client: _Client, application: str, path: str) -> Channel:
    make: Callable[..., Channel | Failure] = client._open().channel
    return value_of(make(_request(application, None, path, {}, None)))


def channel_run(
    channel: Channel, application: str, arguments: object, timeout: _Seconds | None, is_iterated: bool
) -> Call[Any]:
    limit = (waiting if is_iterated else maybe_seconds)("timeout", timeout)
    request = _request(application, arguments, "", {}, None if is_iterated else limit)
    return Call(channel.run, (request,), decoded, limit, is_iterated=is_iterated)


def status(client: _Client, application: str, request_id: str, with_logs: bool) -> Call[Status]:
    limit, logs = client.default_timeout, bool(with_logs)
    return Call(*_job(client, "status", application, request_id, logs, limit), lambda answer: answered(answer, logs), limit)


def result(client: _Client, application: str, request_id: str) -> Call[Any]:
    return Call(*_job(client, "attach", application, request_id, False, None), decoded)


def events(client: _Client, application: str, request_id: str, with_logs: bool) -> Call[None]:
    return Call(*_job(client, "attach", application, request_id, bool(with_logs), None), lambda _: None, is_iterated=True)


def cancel(client: _Client, application: str, request_id: str) -> Call[None]:
    limit = client.default_timeout
    return Call(*_job(client, "cancel", application, request_id, False, limit), lambda _: None, limit)


def _job(
    client: _Client, verb: str, application: str, request_id: str, logs: bool, limit: float | None
) -> tuple[Callable[..., Op | Failure], tuple[object, ...]]:
    """A job that was submitted before continues if the wait for it ends early."""
    endpoint = _inputs.application(text("application", application))
    return client._open().job, (verb, endpoint, text("request_id", request_id), logs, True, _limit(limit))


def uploads(
    client: _Client, options: list[dict[str, object]], on_progress: _Progress | None, progress: bool
) -> list[Call[str]]:
    """The first call that is not kept from storing the file by its repository decides."""
    limit, upload = _uploading(client.default_timeout), client._open().upload
    return [Call(upload, (option, _limit(limit)), _url, limit, _told(on_progress, progress)) for option in options]


def _url(answer: Answer) -> str:
    url: str = decoded(answer)["url"]
    return url


def download(
    client: _Client,
    url: str,
    path: _Path | None,
    overwrite: bool,
    max_bytes: SupportsIndex | None,
    timeout: _Seconds | None,
    on_progress: _Progress | None,
    progress: bool,
) -> Call[bytes | Path]:
    limit, target = maybe_seconds("timeout", timeout), path_of("path", path)
    parts = {
        "url": text("url", url),
        "path": target,
        "overwrite": bool(overwrite),
        **each(maybe_count, max_bytes=max_bytes),
        "timeout": _limit(limit),
    }
    decode: Callable[[Answer], Any] = _content if target is None else lambda answer: _file(answer, target)
    return Call(client._open().download, (parts,), decode, limit, _told(on_progress, progress, "downloading"))


def _content(answer: Answer) -> bytes:
    return answer.body()


def _file(answer: Answer, target: str) -> Path:
    """Returns the path of a new file: the target, or within the target. The core's text may lack bytes that are not Unicode."""
    path: Path = imported("pathlib").Path(target)
    return path / os.path.basename(decoded(answer)["path"]) if path.is_dir() else path


def request(
    client: _Client,
    method: str,
    url: str,
    json: object,
    content: ReadableBuffer | None,
    content_type: str | None,
    headers: Mapping[str, str] | None,
    timeout: _Seconds | None,
    decode: Callable[[Answer], _T],
) -> Call[_T]:
    if json is not None and content is not None:
        raise invalid("a request has json or content, not both")
    if json is None and content is None and content_type is not None:
        raise invalid("a request without a body has no content_type")
    body, default_type = (content_of(content), "application/octet-stream") if content is not None else (None, "")
    if json is not None:
        body, default_type = _inputs.dumps(json, "json"), "application/json"
    kind = maybe_text("content_type", content_type)
    limit = client.default_timeout if timeout is None else seconds_of("timeout", timeout)
    parts = {
        **each(text, method=method, url=url),
        "body": body,
        "content_type": default_type if kind is None else kind,
        "headers": pairs(headers),
        "timeout": _limit(limit),
    }
    return Call(client._open().send, (parts,), decode, limit)


def check(client: _Client) -> Call[Check]:
    return Call(client._open().check, (), lambda answer: Check(**decoded(answer)), client.default_timeout)


def platform(
    client: _Client, name: str, params: dict[str, Any], parse_float: Callable[[str], Any] | None = None
) -> Call[Any]:
    arguments = text("name", name), _inputs.dumps(params, "params")
    return Call(client._open().platform, arguments, lambda answer: plain(answer, parse_float), client.default_timeout)


def create_key(client: _Client, alias: str) -> Call[None]:
    return Call(client._open().create_key, (text("alias", alias),), lambda _: None, client.default_timeout)


def revoke_key(client: _Client, id: str, allow_own: bool) -> Call[None]:
    parts = text("id", id), bool(allow_own)
    return Call(client._open().revoke_key, parts, lambda _: None, client.default_timeout)


def mint_token(client: _Client, apps: tuple[str, ...], seconds: SupportsIndex) -> Call[AppToken]:
    parts = dumps([text("an app", app) for app in apps]), count("seconds", seconds)
    return Call(client._open().mint_token, parts, lambda answer: token_from(decoded(answer)), client.default_timeout)


def _request(
    application: str,
    arguments: object,
    path: str | None,
    headers: Mapping[str, str],
    limit: float | None,
    start_timeout: _Seconds | None = None,
    hint: str | None = None,
) -> dict[str, object]:
    """Returns a request to an endpoint, for the core, whose defaults hold for what is left out."""
    body, files = _inputs.encode(arguments)
    request: dict[str, object] = {
        "endpoint": _inputs.application(text("application", application)),
        "body": body,
        "timeout": _limit(limit),
        "logs": False,
    }
    headers = _app.passing_on(headers)
    if headers:
        request["headers"] = pairs(headers)
    if files:
        request["files"] = files
    # The path of a run and of a job is by default that of the endpoint.
    if path != "":
        request["path"] = maybe_text("path", path)
    if start_timeout is not None:
        request["start_timeout"] = seconds_of("start_timeout", start_timeout)
    if hint is not None:
        request["hint"] = text("hint", hint)
    return request


def _uploading(limit: float | None) -> float | None:
    """Returns the limit of a call that uploads files. The default would end long transfers that proceed; the core ends those that do not."""
    return None if limit is DEFAULT_TIMEOUT else limit


def _limit(limit: float | None) -> float:
    return FOREVER if limit is None else limit


def _told(on_progress: _Progress | None, progress: bool, what: str = "uploading") -> Notices | None:
    shown = _shown(on_progress, progress, what)
    return Notices(False, shown=shown) if shown else None


def _shown(on_progress: _Progress | None, progress: bool, what: str) -> Shown | None:
    return Shown(on_progress, progress, what) if progress or on_progress is not None else None
