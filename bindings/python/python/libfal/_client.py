"""The client, and the functions that need no client."""

from __future__ import annotations

import sys

from . import _callbacks, _colab, _credential, _libfal, _waiting
from ._callbacks import Held
from ._credential import AppToken, Check, _Delivered
from ._errors import failed
from ._explanation import Explanation, from_report
from ._operation import Operation
from ._platform import Items, NewKey
from ._response import Response, decoded
from ._values import _Path, _Seconds, content as content_of, count, dumps, invalid, mapping, maybe_count, maybe_seconds
from ._values import each, maybe_text, pairs, path, seconds as seconds_of, text
from ._waiting import finish, value_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Any, NoReturn, SupportsIndex

    from _typeshed import ReadableBuffer
    from typing_extensions import Self

    from ._libfal import _Level, _Scope
    from ._operations import _ListName, _Name
else:
    from ._typing import Any, Callable, Mapping, NoReturn, ReadableBuffer, Self, SupportsIndex, TracebackType

    _Level = _ListName = _Name = _Scope = str


class Client:
    """A client of fal with a credential, hosts, limits and a connection pool. It is thread-safe.

    The constructor reads only the variables that name hosts. The first call searches for the key. A forked child may
    use a client of its parent. A with statement closes the client at the end.

    An option takes precedence over the environment variable with the same meaning.

    key: "<key id>:<key secret>". By default the first key in the environment; explain() shows the search.
    profile: use the key of this profile of the configuration file. With keyring=True, also of this name in the keyring.
    app_token: use this short-lived token from mint_token().
    credential: a function that returns a key, (key, seconds), or an AppToken; with seconds, it is called again after
        that time. It is called when a call needs a key, and again when fal rejects the key, on a thread of its own that
        does not keep the program running. All calls that need the key wait for the same result, at most two minutes.
        The function may use other clients, but not this one. The type and text of an exception become part of the
        CredentialsError, so they must contain no secret.
    anonymous: use no key.
    keyring: whether to search the system keyring, which may ask the user to unlock it. By default only if FAL_KEYRING=1.
        The keyring is read only when a call needs a key.
    config_path: read this configuration file instead of FAL_CONFIG_PATH or ~/.fal/config.toml.
    proxy: the https URL of a server proxy that holds the key. All requests to fal's services go through it. libfal does
        not search for a key; a key that you pass goes to the proxy.
    timeout: the time limit of each call in seconds, including retries. By default 3600 for a run and 120 for a request.
    max_attempts: 1 to 100, by default 5. A request that may have been executed is never sent again.
    max_response_bytes: the longest response body, by default 256 MiB.
    user_agent: text to add to the User-Agent header, such as "MyGame/1.2".
    *_host: a host name with an optional port; emulator_host: the loopback address of a fal-emulator.
    strict_scopes: refuse operations of the Platform API that need an ADMIN key without sending them, if the key is known
        to be an API key.
    log: a function that is called as log(level, message) on a thread of libfal, for each line in order. It may block
        without delaying calls: up to 1024 lines are queued, and one line reports the number of dropped lines. It must
        not call libfal. Its exceptions go to sys.unraisablehook. At the end of the program, libfal delivers queued lines
        for up to one second and waits for a running call for up to five seconds.
    log_level: the lowest level to log.
    """

    _core: _libfal.Core | None = None
    # For log lines, the credential, and the secret of a notebook.
    _functions: tuple[Held | None, ...] = (None, None, None)

    def __init__(
        self,
        key: str | None = None,
        *,
        profile: str | None = None,
        app_token: str | AppToken | None = None,
        credential: Callable[[], _Delivered] | None = None,
        anonymous: bool = False,
        keyring: bool | None = None,
        config_path: _Path | None = None,
        proxy: str | None = None,
        timeout: _Seconds | None = None,
        max_attempts: SupportsIndex | None = None,
        max_response_bytes: SupportsIndex | None = None,
        user_agent: str | None = None,
        run_host: str | None = None,
        queue_host: str | None = None,
        rest_host: str | None = None,
        platform_host: str | None = None,
        cdn_host: str | None = None,
        emulator_host: str | None = None,
        strict_scopes: bool = False,
        log: Callable[[_Level, str], object] | None = None,
        log_level: _Level = "info",
    ) -> None:
        options, functions = _credential_options(key, profile, app_token, credential, anonymous, keyring, config_path)
        held_log = _callbacks.hold_log(log)
        core = _libfal.client(
            options,
            {
                **each(maybe_seconds, timeout=timeout),
                **each(maybe_count, max_attempts=max_attempts, max_response_bytes=max_response_bytes),
                **each(maybe_text, user_agent=user_agent, proxy=proxy, run_host=run_host, queue_host=queue_host),
                **each(maybe_text, rest_host=rest_host, platform_host=platform_host, cdn_host=cdn_host),
                **each(maybe_text, emulator_host=emulator_host),
                "strict_scopes": bool(strict_scopes),
                "log": _callbacks.number(held_log),
                "log_level": text("log_level", log_level),
            },
        )
        self._core = value_of(core)
        self._functions = held_log, *functions

    def close(self) -> None:
        """Release the connections, the credential and the functions. Running calls continue; new calls raise UsageError."""
        functions, self._functions = self._functions, (None, None, None)
        _callbacks.let_go(functions)
        self._core = None

    def __del__(self, _is_ending: Callable[[], bool] = sys.is_finalizing) -> None:
        # During finalization, modules are being torn down.
        if not _is_ending():
            self.close()

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None, /
    ) -> None:
        self.close()

    def _open(self) -> _libfal.Core:
        if self._core is None:
            raise failed("FAL_E_CLOSED", "the client was closed")
        return self._core

    def run(self, endpoint: str, input: Mapping[str, Any] | None = None, *, timeout: _Seconds | None = None) -> Response:
        """Run an endpoint, such as "fal-ai/flux/schnell", and wait for its output. Ctrl-C cancels the call."""
        core = self._open()
        request = _run(endpoint, input, timeout)
        return Response._of(finish(lambda: core.run(request)))

    def run_start(
        self, endpoint: str, input: Mapping[str, Any] | None = None, *, timeout: _Seconds | None = None
    ) -> Operation:
        """Start a run and return without waiting."""
        core = self._open()
        return Operation._of(value_of(core.run(_run(endpoint, input, timeout))))

    def request(
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
        """
        core = self._open()
        request = _request(method, url, json, content, content_type, headers, timeout)
        return Response._of(finish(lambda: core.send(request)))

    def request_start(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: ReadableBuffer | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: _Seconds | None = None,
    ) -> Operation:
        """Start a request and return without waiting."""
        core = self._open()
        return Operation._of(value_of(core.send(_request(method, url, json, content, content_type, headers, timeout))))

    def explain(self) -> Explanation:
        """Search for the key again and report each source, in order. Sends nothing.

        The client keeps the first key that it found. If the search now finds another key, a note says which one calls
        use.
        """
        core = self._open()
        return _explanation(core.explain())

    def set_credentials(
        self,
        key: str | None = None,
        *,
        profile: str | None = None,
        app_token: str | AppToken | None = None,
        credential: Callable[[], _Delivered] | None = None,
        anonymous: bool = False,
        keyring: bool | None = None,
        config_path: _Path | None = None,
    ) -> None:
        """Use another credential for later calls. Without arguments, search the environment.

        Running operations keep their credential for all of their requests.
        """
        core = self._open()
        options, functions = _credential_options(key, profile, app_token, credential, anonymous, keyring, config_path)
        before = self._functions
        self._functions = before[0], *functions
        _callbacks.let_go(before[1:])
        core.set_credentials(options)

    def check(self) -> Check:
        """Ask fal whether it accepts the credential and what the scope is. Runs no model and costs nothing.

        A rejected key is a result. Only a failure to ask fal raises an error.
        """
        core = self._open()
        return Check(**decoded(finish(core.check)))

    def known_scope(self) -> _Scope | None:
        """Return the scope of the key in use, if check() or an earlier response has shown it."""
        core = self._open()
        return core.known_scope()

    def platform(self, name: _Name, /, **params: Any) -> Response:
        """Call an operation of the Platform API by its name, such as platform("models.pricing", endpoint_id="a/b").

        docs/platform.md lists the operations and their parameters. A wrong parameter raises InvalidArgumentError before
        anything is sent.
        """
        core = self._open()
        parts = text("name", name), dumps(params)
        return Response._of(finish(lambda: core.platform(*parts)))

    def platform_start(self, name: _Name, /, **params: Any) -> Operation:
        """Start a call of the Platform API and return without waiting."""
        core = self._open()
        return Operation._of(value_of(core.platform(text("name", name), dumps(params))))

    def platform_list(
        self, name: _ListName, /, *, parse_float: Callable[[str], Any] | None = None, **params: Any
    ) -> Items:
        """Read a list of the Platform API element by element, through all pages.

        A page is requested when the last element of the previous page has been read. limit is the size of a page.
        parse_float converts fractions, for example decimal.Decimal.

        "serverless.logs.stream" yields the lines of a log as they are written, until the Items object is deleted.
        """
        core = self._open()
        return Items._of(value_of(core.platform_list(text("name", name), dumps(params))), parse_float)

    def create_key(self, alias: str) -> NewKey:
        """Create an API key with this name, 1 to 255 characters. It works at once. The client needs an ADMIN key.

        Only this result contains the secret; fal does not return it again.
        """
        core = self._open()
        alias = text("alias", alias)
        op = _waiting.ended(lambda: core.create_key(alias))
        value_of(op.outcome())
        return NewKey._of(value_of(op.take_key()))

    def revoke_key(self, id: str, *, allow_own: bool = False) -> None:
        """Revoke an API key by its id, effective at once. Refuses the key of this client unless allow_own."""
        core = self._open()
        parts = text("id", id), bool(allow_own)
        finish(lambda: core.revoke_key(*parts))

    def mint_token(self, *apps: str, seconds: SupportsIndex = 120) -> AppToken:
        """Create a token that permits only calls of these apps, for 1 to 3600 seconds. The client needs a key."""
        core = self._open()
        parts = dumps([text("an app", app) for app in apps]), count("seconds", seconds)
        return _credential.token_from(decoded(finish(lambda: core.mint_token(*parts))))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: Any, /) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a libfal.Client may hold a key and cannot be pickled; make one where it is needed")


def run(endpoint: str, input: Mapping[str, Any] | None = None, *, timeout: _Seconds | None = None) -> Response:
    """Run an endpoint with a default client, which the first call creates from the environment."""
    return _default().run(endpoint, input, timeout=timeout)


_made: dict[str, Client] = {}


def _default() -> Client:
    """Return the client of run(). No lock: if two threads create one at the same time, one client is discarded."""
    return _made.get("default") or _made.setdefault("default", Client())


def explain(
    key: str | None = None,
    *,
    profile: str | None = None,
    app_token: str | AppToken | None = None,
    credential: Callable[[], _Delivered] | None = None,
    anonymous: bool = False,
    keyring: bool | None = None,
    config_path: _Path | None = None,
) -> Explanation:
    """Search for a key as a client with these options does, and report each source. Sends nothing and asks no user."""
    options, _functions = _credential_options(key, profile, app_token, credential, anonymous, keyring, config_path)
    return _explanation(_libfal.explain(options))


def shutdown(timeout: _Seconds = 5.0) -> None:
    """Stop all threads of libfal. Running calls raise ShutDownError. Afterwards libfal can be used again."""
    _waiting.work(_libfal.shutdown(seconds_of("timeout", timeout)))


def flush_log(timeout: _Seconds = 5.0) -> None:
    """Wait until the log functions have received all lines. Raises DeadlineError after timeout seconds.

    A thread of libfal delivers the lines, possibly after the call has returned. shutdown() also waits for them, and the end of the
    program waits for one second.
    """
    _waiting.work(_libfal.flush_log(seconds_of("timeout", timeout)))


def _explanation(task: _libfal.Task | _libfal.Failure) -> Explanation:
    return from_report(*_waiting.work(task))


def _credential_options(
    key: str | None,
    profile: str | None,
    app_token: str | AppToken | None,
    credential: Callable[[], _Delivered] | None,
    anonymous: bool,
    keyring: bool | None,
    config_path: _Path | None,
) -> tuple[dict[str, object], tuple[Held | None, Held | None]]:
    """Returns the options of the credential for the core, and the functions that the core may call."""
    token = app_token.text if isinstance(app_token, AppToken) else app_token
    if token is not None and not isinstance(token, str):
        raise TypeError(f"app_token is a str or a libfal.AppToken, not {type(token).__name__}")
    if credential is not None and not callable(credential):
        raise TypeError(f"credential is a callable, not {type(credential).__name__}")
    asked = None if credential is None else Held(lambda question: _credential.answer(credential, question))
    notebook = Held(_colab.answer) if _colab.is_here() else None
    options = {
        **each(maybe_text, key=key, profile=profile, app_token=token),
        **each(path, config_path=config_path),
        "credential": _callbacks.number(asked),
        "anonymous": bool(anonymous),
        "keyring": None if keyring is None else bool(keyring),
        "notebook": _callbacks.number(notebook),
    }
    return options, (asked, notebook)


def _run(endpoint: str, input: Mapping[str, Any] | None, timeout: _Seconds | None) -> _libfal._Request:
    """Returns a run for the core."""
    return {
        "endpoint": text("endpoint", endpoint),
        "body": mapping(input),
        "timeout": maybe_seconds("timeout", timeout),
    }


def _request(
    method: str,
    url: str,
    json: Any,
    content: ReadableBuffer | None,
    content_type: str | None,
    headers: Mapping[str, str] | None,
    timeout: _Seconds | None,
) -> dict[str, object]:
    """Returns a request for the core."""
    if json is not None and content is not None:
        raise invalid("a request has json or content, not both")
    if json is None and content is None and content_type is not None:
        raise invalid("a request without a body has no content_type")
    body, default_type = (content_of(content), "application/octet-stream") if content is not None else (None, "")
    if json is not None:
        body, default_type = dumps(json), "application/json"
    kind = maybe_text("content_type", content_type)
    return {
        **each(text, method=method, url=url),
        "body": body,
        "content_type": default_type if kind is None else kind,
        "headers": pairs(headers),
        **each(maybe_seconds, timeout=timeout),
    }


# So that repr() and pickle use the public name.
for _public in (Client, run, explain, shutdown, flush_log):
    _public.__module__ = "libfal"
