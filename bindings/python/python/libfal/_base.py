"""What both clients have in common: their options and their native half."""

from __future__ import annotations

import sys

from . import _callbacks, _colab, _credential, _libfal
from ._callbacks import Held
from ._credential import AppToken, _Delivered
from ._errors import failed
from ._values import _Path, _Seconds, each, invalid, maybe_count, maybe_function, maybe_seconds, maybe_text, path, text
from ._waiting import value_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, SupportsIndex

    from typing_extensions import Self

    from ._libfal import _Level, _Scope
else:
    from ._typing import Any, Callable, Self, SupportsIndex

    _Level = _Scope = str

# The official default, in seconds. Only a client without an argument has this object; an equal number was given.
DEFAULT_TIMEOUT = 120.0
# The time limit of a call without one.
FOREVER = 365 * 24 * 3600.0

# The arguments for a client that was made without any.
_DEFAULTS: tuple[tuple[Any, ...], dict[str, object]] = (
    (None, None, None, None, False, None, None),
    {
        "timeout": DEFAULT_TIMEOUT,
        **dict.fromkeys(("max_attempts", "max_response_bytes", "user_agent", "proxy", "run_host", "queue_host", "rest_host")),
        **dict.fromkeys(("platform_host", "cdn_host", "emulator_host")),
        "strict_scopes": False,
        "log": None,
        "log_level": "info",
    },
)


class Base:
    """A client of fal with a credential, hosts, limits and a connection pool. It is thread-safe.

    The constructor reads only the variables that name hosts. The first call searches for the key. A forked child may
    use a client of its parent. A with statement closes the client at the end.

    An option takes precedence over the environment variable with the same meaning.

    Args:
        key: "<key id>:<key secret>". By default the first key in the environment; explain() shows the search.
        default_timeout: The time limit of a call in seconds, including retries, except run(), subscribe(), stream(), a
            wait for a result and connections, which have no limit of their own. Calls that upload files have none
            unless you pass one, 120 too. None is no limit.
        profile: Use the key of this profile of the configuration file. With keyring=True, also of this name in the
            keyring.
        app_token: Use this short-lived token from mint_token().
        credential: A function that returns a key, (key, seconds), or an AppToken; with seconds, it is called again
            after that time. It is called when a call needs a key, and again when fal rejects the key, on a thread of
            its own that does not keep the program running. All calls that need the key wait for the same result, at
            most two minutes. The function may use other clients, but not this one. The type and text of an exception
            become part of the CredentialsError, so they must contain no secret.
        anonymous: Use no key.
        keyring: Whether to search the system keyring, which may ask the user to unlock it. By default only if
            FAL_KEYRING=1. The keyring is read only when a call needs a key.
        config_path: Read this configuration file instead of FAL_CONFIG_PATH or ~/.fal/config.toml.
        proxy: The https URL of a server proxy that holds the key. All requests to fal's services go through it. libfal
            does not search for a key; a key that you pass goes to the proxy.
        max_attempts: 1 to 100, by default 5. A request that may have been executed is never sent again.
        max_response_bytes: The longest response body, by default 256 MiB.
        user_agent: Text to add to the User-Agent header, such as "MyGame/1.2".
        run_host: A host name with an optional port.
        queue_host: A host name with an optional port.
        rest_host: A host name with an optional port.
        platform_host: A host name with an optional port.
        cdn_host: A host name with an optional port.
        emulator_host: The loopback address of a fal-emulator.
        strict_scopes: Refuse operations of the Platform API that need an ADMIN key without sending them, if the key is
            known to be an API key.
        log: A function that is called as log(level, message) on a thread of libfal, for each line in order. It may
            block without delaying calls: up to 1024 lines are queued, and one line reports the number of dropped lines.
            It must not call libfal. Its exceptions go to sys.unraisablehook. At the end of the program, libfal delivers
            queued lines for up to one second and waits for a running call for up to five seconds.
        log_level: The lowest level to log.
    """

    # Those of a client without arguments, also for a subclass that does not call this constructor.
    _core: _libfal.Core | None = None
    _default_timeout: float | None = DEFAULT_TIMEOUT
    _has_defaults = True
    _identity: tuple[object, ...] = ()
    _is_closed = False
    _queue_host: str | None = None
    # For log lines, the credential, and the secret of a notebook.
    _functions: tuple[Held | None, ...] = (None, None, None)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__bases__ == (Base,):
            cls.__init__ = _copied(cls.__init__, f"{cls.__qualname__}.__init__")  # type: ignore[method-assign]

    def __init__(
        self,
        key: str | None = None,
        default_timeout: _Seconds | None = DEFAULT_TIMEOUT,
        *,
        profile: str | None = None,
        app_token: str | AppToken | None = None,
        credential: Callable[[], _Delivered] | None = None,
        anonymous: bool = False,
        keyring: bool | None = None,
        config_path: _Path | None = None,
        proxy: str | None = None,
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
        try:
            limit = maybe_seconds("default_timeout", default_timeout)
            self._default_timeout = limit
            credentials = key, profile, app_token, credential, anonymous, keyring, config_path
            options: dict[str, object] = {
                "timeout": FOREVER if limit is None else limit,
                **each(maybe_count, max_attempts=max_attempts, max_response_bytes=max_response_bytes),
                **each(maybe_text, user_agent=user_agent, proxy=proxy, run_host=run_host, queue_host=queue_host),
                **each(maybe_text, rest_host=rest_host, platform_host=platform_host, cdn_host=cdn_host),
                **each(maybe_text, emulator_host=emulator_host),
                "strict_scopes": bool(strict_scopes),
                "log": None,
                "log_level": text("log_level", log_level),
            }
            # The default clients are made when the package is imported, which must neither read anything nor fail.
            self._has_defaults = log is None and (credentials, options) == _DEFAULTS
            self._queue_host = queue_host
            given = *map(_digest, options.values()), limit is DEFAULT_TIMEOUT, id(log)
            if not self._has_defaults:
                held_log = _callbacks.hold_log(log)
                options["log"] = _callbacks.number(held_log)
                self._core, functions = _made(credentials, options)
                self._functions = held_log, *functions
            # What makes clients equal. The secrets themselves are not kept.
            self._identity = *map(_digest, credentials), *given
        except BaseException as error:
            # So that no report with the variables of each function has the key.
            (credentials, options), key, app_token, credential, proxy = _DEFAULTS, None, None, None, None
            raise error.with_traceback(None)

    @property
    def default_timeout(self) -> float | None:
        """The time limit of a call in seconds."""
        return self._default_timeout

    def _open(self) -> _libfal.Core:
        """Returns the native half. That of a client with default options is made by the first call."""
        core = self._core
        if core is not None:
            return core
        if self._is_closed:
            raise failed("FAL_E_CLOSED", "the client was closed", remedy="Make another client.")
        core, functions = _made(*_DEFAULTS)
        # Of two threads that come here at the same time, each has a core with its own functions.
        _callbacks.let_go(functions)
        self._core = core
        return core

    def close(self) -> None:
        """Release the connections, the credential and the functions. Running calls continue; new calls raise UsageError."""
        functions, self._functions = self._functions, (None, None, None)
        _callbacks.let_go(functions)
        self._is_closed = True
        self._core = None

    def __del__(self, _is_ending: Callable[[], bool] = sys.is_finalizing) -> None:
        # During finalization, modules are being torn down.
        if not _is_ending():
            self.close()

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

        Args:
            key: "<key id>:<key secret>". By default the first key in the environment; explain() shows the search.
            profile: Use the key of this profile of the configuration file. With keyring=True, also of this name in the
                keyring.
            app_token: Use this short-lived token from mint_token().
            credential: A function that returns a key, (key, seconds), or an AppToken. SyncClient describes it.
            anonymous: Use no key.
            keyring: Whether to search the system keyring. By default only if FAL_KEYRING=1.
            config_path: Read this configuration file instead of FAL_CONFIG_PATH or ~/.fal/config.toml.
        """
        options: object = None
        try:
            core = self._open()
            options, functions = credential_options(key, profile, app_token, credential, anonymous, keyring, config_path)
            before = self._functions
            self._functions = before[0], *functions
            _callbacks.let_go(before[1:])
            self._has_defaults, self._identity = False, (id(self),)
            core.set_credentials(options)
        except BaseException as error:
            # As in the constructor.
            key = app_token = credential = options = None
            raise error.with_traceback(None)

    def known_scope(self) -> _Scope | None:
        """Return the scope of the key in use, if check() or an earlier response has shown it."""
        return self._open().known_scope()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Base) or type(other) is not type(self):
            return NotImplemented
        return self is other or self._identity == other._identity

    def __hash__(self) -> int:
        return hash((type(self), self._default_timeout))

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}(default_timeout={self._default_timeout!r})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: Any, /) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        if self._has_defaults:
            return type(self), () if self._default_timeout is DEFAULT_TIMEOUT else (None, self._default_timeout)
        raise TypeError(f"a libfal.{type(self).__name__} may hold a key and cannot be pickled; make one where it is needed")


def _copied(function: Any, name: str) -> Any:
    """Returns a function with another name, which Python shows in the error for a wrong argument."""
    copied = type(function)(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    copied.__kwdefaults__, copied.__annotations__, copied.__qualname__ = function.__kwdefaults__, function.__annotations__, name
    return copied


def _digest(value: object) -> int:
    return id(value) if callable(value) else hash(value)


def _made(
    credentials: tuple[Any, ...], options: dict[str, object]
) -> tuple[_libfal.Core, tuple[Held | None, Held | None]]:
    """Returns a native half, and the functions that it may call."""
    credential, functions = credential_options(*credentials)
    return value_of(_libfal.client(credential, options)), functions


def credential_options(
    key: str | None,
    profile: str | None,
    app_token: str | AppToken | None,
    credential: Callable[[], _Delivered] | None,
    anonymous: bool,
    keyring: bool | None,
    config_path: _Path | None,
) -> tuple[dict[str, object], tuple[Held | None, Held | None]]:
    """Returns the options of the credential for the core, and the functions that the core may call."""
    named = {"key": key, "profile": profile, "app_token": app_token, "credential": credential}
    given = [name for name, value in named.items() if value is not None]
    if len(given) > 1:
        raise invalid(f"a client has one of key, profile, app_token and credential, not {' and '.join(given)}")
    token = app_token.text if isinstance(app_token, AppToken) else app_token
    if token is not None and not isinstance(token, str):
        raise TypeError(f"app_token is a str or a libfal.AppToken, not {type(token).__name__}")
    maybe_function("credential", credential)
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
