"""The client, and the functions that need none."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Optional, SupportsIndex, cast

from . import _callbacks, _colab, _credential, _libfal, _waiting
from ._callbacks import Functions, Held
from ._credential import AppToken, Check, Delivered
from ._errors import failed
from ._explanation import Explanation, from_report
from ._operation import Operation
from ._platform import Items, NewKey
from ._response import Response
from ._values import Path, Seconds, content as content_of, count, dumps, invalid, mapping, maybe_count, maybe_seconds
from ._values import each, maybe_text, pairs, path, seconds as seconds_of, text
from ._waiting import finish, told

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed import ReadableBuffer
    from typing_extensions import Self

    from ._operations import _ListName, _Name

    _Level = Literal["error", "warning", "info", "debug"]
    _Scope = Optional[Literal["API", "ADMIN"]]


class Client:
    """A credential, addresses, limits and a pool of connections. Any number of threads may use it at once.

    Making one reads nothing but the variables that name hosts. The key is looked for at the first call. A client that
    was made before a fork may be used in the child. In a with statement it is closed at the end.

    Every option is stronger than the variable that says the same.

    key: "<key id>:<key secret>"; without it, the first key that the environment offers, as explain() tells.
    profile: use the key of this profile of the configuration file; with keyring=True, or of this name in the keyring.
    app_token: use this short-lived token, which mint_token() of a program with a key made.
    credential: a function that returns a key; or (key, seconds), to be asked again after so many seconds; or an
        AppToken; or raises. It is asked when a call needs a key, and once more when fal refuses that one, on a
        thread of its own, which does not keep the program from ending; all calls that need it wait for the same
        answer, two minutes at the most. It may use other clients, but not this one. The type and the text of what it
        raises go into the CredentialsError, so they must hold no secret.
    anonymous: use no key at all.
    keyring: whether the system keyring is a source, which may ask the user to unlock it; by default FAL_KEYRING=1
        decides. It is read when a call needs a key, never before.
    config_path: read this configuration file, not that of FAL_CONFIG_PATH or ~/.fal/config.toml.
    proxy: the https address of a server proxy, which holds the key: all requests to fal's services go through it.
        No key is looked for on this machine; one that is passed goes to the proxy.
    timeout: seconds for each whole call, retries included; by default 3600 for a run and 120 for a request.
    max_attempts: 1 to 100, by default 5. What may have been executed is never sent again.
    max_response_bytes: by default 256 MiB.
    user_agent: added to the header, such as "MyGame/1.2".
    *_host: a host name with an optional port; emulator_host: the loopback address of a fal-emulator.
    strict_scopes: refuse operations of the Platform API that need an ADMIN key before anything is sent, if the key in use
        is known to be an API key.
    log: called as log(level, message) on a thread of libfal, line by line and in order. It may take its time, and holds up
        no call: 1024 lines wait for it, and for those that are dropped then there is a line that counts them. It must
        not call libfal; what it raises goes to sys.unraisablehook. The end of the program gives it a second for the
        lines that wait, and five for the line that it works on; then it is called no more.
    log_level: the least important level that is logged.
    """

    _core: _libfal.Core | None = None
    _functions = Functions(None, None, None)

    def __init__(
        self,
        key: str | None = None,
        *,
        profile: str | None = None,
        app_token: str | AppToken | None = None,
        credential: Callable[[], Delivered] | None = None,
        anonymous: bool = False,
        keyring: bool | None = None,
        config_path: Path | None = None,
        proxy: str | None = None,
        timeout: Seconds | None = None,
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
        functions = functions._replace(log=_callbacks.hold_log(log))
        core = _libfal.client(
            options,
            {
                **each(maybe_seconds, timeout=timeout),
                **each(maybe_count, max_attempts=max_attempts, max_response_bytes=max_response_bytes),
                **each(maybe_text, user_agent=user_agent, proxy=proxy, run_host=run_host, queue_host=queue_host),
                **each(maybe_text, rest_host=rest_host, platform_host=platform_host, cdn_host=cdn_host),
                **each(maybe_text, emulator_host=emulator_host),
                "strict_scopes": bool(strict_scopes),
                "log": _callbacks.number(functions.log),
                "log_level": text("log_level", log_level),
            },
        )
        self._core = told(core)
        self._functions = functions

    def close(self) -> None:
        """Let go of the connections, the credential and the functions. Calls under way go on; new ones raise UsageError."""
        functions, self._functions = self._functions, Functions(None, None, None)
        _callbacks.let_go(functions)
        self._core = None

    def __del__(self, _is_ending: Callable[[], bool] = sys.is_finalizing) -> None:
        # Then modules are taken apart, and nobody hears of anything any more.
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

    def run(self, endpoint: str, input: Mapping[str, Any] | None = None, *, timeout: Seconds | None = None) -> Response:
        """Run an endpoint, such as "fal-ai/flux/schnell", and wait for its output. Ctrl-C cancels the call."""
        core = self._open()
        parts = text("endpoint", endpoint), mapping(input), maybe_seconds("timeout", timeout)
        return Response._of(finish(lambda: core.run(*parts)))

    def run_start(
        self, endpoint: str, input: Mapping[str, Any] | None = None, *, timeout: Seconds | None = None
    ) -> Operation:
        """Start a run and return at once."""
        core = self._open()
        parts = text("endpoint", endpoint), mapping(input), maybe_seconds("timeout", timeout)
        return Operation._of(told(core.run(*parts)))

    def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: ReadableBuffer | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: Seconds | None = None,
    ) -> Response:
        """Send a request to an address of fal's, or to a path of the Platform API such as "/v1/models", and wait.

        The key goes along to the services that take keys, and to nothing else; an address outside fal is refused.
        The body is JSON, or bytes of content_type ("application/octet-stream"). bytes are not copied.
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
        timeout: Seconds | None = None,
    ) -> Operation:
        """Start such a request and return at once."""
        core = self._open()
        return Operation._of(told(core.send(_request(method, url, json, content, content_type, headers, timeout))))

    def explain(self) -> Explanation:
        """Look for the key anew and report every source, in order. Sends nothing.

        A key is kept once it is found; if another one is found now, a note says with which one calls go on.
        """
        core = self._open()
        return _explanation(core.explain())

    def set_credentials(
        self,
        key: str | None = None,
        *,
        profile: str | None = None,
        app_token: str | AppToken | None = None,
        credential: Callable[[], Delivered] | None = None,
        anonymous: bool = False,
        keyring: bool | None = None,
        config_path: Path | None = None,
    ) -> None:
        """Use another credential from now on; without arguments, what the environment offers.

        Operations under way keep theirs, for all of their requests.
        """
        core = self._open()
        options, functions = _credential_options(key, profile, app_token, credential, anonymous, keyring, config_path)
        before, self._functions = self._functions, functions._replace(log=self._functions.log)
        _callbacks.let_go(before._replace(log=None))
        core.set_credentials(options)

    def check(self) -> Check:
        """Ask fal whether it accepts the credential and what it may do. Runs nothing and costs nothing.

        That the key is refused is an answer; that fal could not be asked is an error.
        """
        core = self._open()
        return _credential.check_from(finish(core.check).body())

    def known_scope(self) -> _Scope:
        """The scope of the key in use, if it is known: from check(), or from what fal answered before."""
        core = self._open()
        return cast("_Scope", core.known_scope())

    def platform(self, name: _Name, /, **params: Any) -> Response:
        """Call an operation of the Platform API by its name, such as platform("models.pricing", endpoint_id="a/b").

        docs/platform.md lists all of them with their parameters. What is wrong with a parameter is told before anything
        is sent, as InvalidArgumentError.
        """
        core = self._open()
        parts = text("name", name), dumps(params)
        return Response._of(finish(lambda: core.platform(*parts)))

    def platform_start(self, name: _Name, /, **params: Any) -> Operation:
        """Start such a call and return at once."""
        core = self._open()
        return Operation._of(told(core.platform(text("name", name), dumps(params))))

    def platform_list(
        self, name: _ListName, /, *, parse_float: Callable[[str], Any] | None = None, **params: Any
    ) -> Items:
        """Read a list of the Platform API element by element, through all its pages.

        The next page is asked for when the last element before it was read. limit is the size of a page. parse_float
        makes the fractions, such as decimal.Decimal.

        "serverless.logs.stream" gives the lines of a log as they are written, until it is forgotten.
        """
        core = self._open()
        return Items._of(told(core.platform_list(text("name", name), dumps(params))), parse_float)

    def create_key(self, alias: str) -> NewKey:
        """Make an API key of this name, 1 to 255 characters. It works at once, and needs a client with an ADMIN key.

        Its secret is in the result and nowhere else, and comes only this time.
        """
        core = self._open()
        alias = text("alias", alias)
        op = _waiting.ended(lambda: core.create_key(alias))
        told(op.outcome())
        return NewKey._of(told(op.take_key()))

    def revoke_key(self, id: str, *, allow_own: bool = False) -> None:
        """Revoke an API key by its id: it stops at once. The key of this client is revoked only if allow_own."""
        core = self._open()
        parts = text("id", id), bool(allow_own)
        finish(lambda: core.revoke_key(*parts))

    def mint_token(self, *apps: str, seconds: SupportsIndex = 120) -> AppToken:
        """Make a token that opens these apps for so many seconds, 1 to 3600, and nothing else. It needs a key."""
        core = self._open()
        parts = dumps([text("an app", app) for app in apps]), count("seconds", seconds)
        return _credential.token_from(finish(lambda: core.mint_token(*parts)).body())

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: Any, /) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a libfal.Client may hold a key and cannot be pickled; make one where it is needed")


def run(endpoint: str, input: Mapping[str, Any] | None = None, *, timeout: Seconds | None = None) -> Response:
    """Run an endpoint with the client that the environment describes, made at the first call."""
    return _default().run(endpoint, input, timeout=timeout)


_made: dict[str, Client] = {}


def _default() -> Client:
    """The client of run(). Whoever comes first makes it, and nobody waits for another one who does."""
    return _made.get("default") or _made.setdefault("default", Client())


def explain(
    key: str | None = None,
    *,
    profile: str | None = None,
    app_token: str | AppToken | None = None,
    credential: Callable[[], Delivered] | None = None,
    anonymous: bool = False,
    keyring: bool | None = None,
    config_path: Path | None = None,
) -> Explanation:
    """Look for a key as a client with these options would, and report every source. Sends and asks nothing."""
    options, _functions = _credential_options(key, profile, app_token, credential, anonymous, keyring, config_path)
    return _explanation(_libfal.explain(options))


def shutdown(timeout: Seconds = 5.0) -> None:
    """Stop every thread of libfal: calls under way end with ShutDownError. Afterwards libfal can be used again."""
    _waiting.work(_libfal.shutdown(seconds_of("timeout", timeout)))


def flush_log(timeout: Seconds = 5.0) -> None:
    """Wait until every line of the log has been given to its function; DeadlineError if that takes longer than timeout seconds.

    Lines are given on a thread of libfal's, after the call that they are about. shutdown() waits for them too, and the end of the
    program does for a second.
    """
    _waiting.work(_libfal.flush_log(seconds_of("timeout", timeout)))


def _explanation(task: _libfal.Task | _libfal.Failure) -> Explanation:
    return from_report(*json.loads(_waiting.text(task)))


def _credential_options(
    key: str | None,
    profile: str | None,
    app_token: str | AppToken | None,
    credential: Callable[[], Delivered] | None,
    anonymous: bool,
    keyring: bool | None,
    config_path: Path | None,
) -> tuple[dict[str, object], Functions]:
    """Returns the options of the credential for the core, and the functions that the core may call."""
    token = app_token.text if isinstance(app_token, AppToken) else app_token
    if token is not None and not isinstance(token, str):
        raise TypeError(f"app_token is a str or a libfal.AppToken, not {type(token).__name__}")
    if credential is not None and not callable(credential):
        raise TypeError(f"credential is a callable, not {type(credential).__name__}")
    answer = functools.partial(_credential.answer, credential) if credential is not None else None
    asked = Held(answer) if answer else None
    notebook = Held(_colab.answer) if _colab.is_here() else None
    options = {
        **each(maybe_text, key=key, profile=profile, app_token=token),
        **each(path, config_path=config_path),
        "credential": _callbacks.number(asked),
        "anonymous": bool(anonymous),
        "keyring": None if keyring is None else bool(keyring),
        "notebook": _callbacks.number(notebook),
    }
    return options, Functions(None, asked, notebook)


def _request(
    method: str,
    url: str,
    json: Any,
    content: ReadableBuffer | None,
    content_type: str | None,
    headers: Mapping[str, str] | None,
    timeout: Seconds | None,
) -> dict[str, object]:
    """Returns a request for the core."""
    if json is not None and content is not None:
        raise invalid("a request has json or content, not both")
    if json is None and content is None and content_type is not None:
        raise invalid("a request without a body has no content_type")
    body, default_type = (content_of(content), "application/octet-stream") if content is not None else (None, "")
    if json is not None:
        body, default_type = dumps(json).encode(), "application/json"
    kind = maybe_text("content_type", content_type)
    return {
        **each(text, method=method, url=url),
        "body": body,
        "content_type": default_type if kind is None else kind,
        "headers": pairs(headers),
        **each(maybe_seconds, timeout=timeout),
    }


# The name to show and to pickle is the public one.
for _public in (Client, run, explain, shutdown, flush_log):
    _public.__module__ = "libfal"
