"""The native half of libfal, a translation of its Rust core."""

from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from typing import Any, Literal, NoReturn, final

from _typeshed import ReadableBuffer
from typing_extensions import Self, TypeAlias

from ._credential import AppToken, Check, Delivered
from ._explanation import Explanation
from ._operations import _ListName, _Name
from ._store import Change, Profile

__all__ = [
    "Client",
    "Items",
    "NewKey",
    "Operation",
    "Question",
    "Response",
    "__version__",
    "_codes",
    "explain",
    "profiles",
    "remove_from_keyring",
    "remove_key",
    "run",
    "set_active_profile",
    "shutdown",
    "store_in_keyring",
    "store_key",
]

__version__: str

_Level: TypeAlias = Literal["error", "warning", "info", "debug"]

@final
class Client:
    """A credential, addresses, limits and a pool of connections. Any number of threads may use it at once.

    Making one reads nothing but the variables that name hosts. The key is looked for at the first call. A client that
    was made before a fork may be used in the child.
    """

    def __new__(
        cls,
        key: str | None = None,
        *,
        profile: str | None = None,
        app_token: str | AppToken | None = None,
        credential: Callable[[], Delivered] | None = None,
        anonymous: bool = False,
        keyring: bool | None = None,
        config_path: str | PathLike[str] | None = None,
        proxy: str | None = None,
        timeout: float | None = None,
        max_attempts: int | None = None,
        max_response_bytes: int | None = None,
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
    ) -> Self:
        """Every option is stronger than the variable that says the same.

        key: "<key id>:<key secret>"; without it, the first key that the environment offers, as explain() tells.
        profile: use the key of this profile of the configuration file; with keyring=True, or of this name in the keyring.
        app_token: use this short-lived token, which mint_token() of a program with a key made.
        credential: a function that returns a key; or (key, seconds), to be asked again after so many seconds; or an
            AppToken; or raises. It is asked when a call needs a key, and once more when fal refuses that one, on a
            daemon thread of its own; all calls that need it wait for the same answer, two minutes at the most. It may
            use other clients, but not this one. The type and the text of what it raises go into the CredentialsError,
            so they must hold no secret.
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
        log: called as log(level, message) on threads of libfal. It must not call libfal; what it raises goes to
            sys.unraisablehook.
        log_level: the least important level that is logged.
        """

    def run(self, endpoint: str, input: Mapping[str, Any] | None = None, *, timeout: float | None = None) -> Response:
        """Run an endpoint, such as "fal-ai/flux/schnell", and wait for its output. Ctrl-C cancels the call."""

    def run_start(
        self, endpoint: str, input: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> Operation:
        """Start a run and return at once."""

    def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: ReadableBuffer | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Response:
        """Send a request to an address of fal's, or to a path of the Platform API such as "/v1/models", and wait.

        The key goes along to the services that take keys, and to nothing else; an address outside fal is refused.
        The body is JSON, or bytes of content_type ("application/octet-stream"). bytes are not copied.
        """

    def request_start(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: ReadableBuffer | None = None,
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Operation:
        """Start such a request and return at once."""

    def explain(self) -> Explanation:
        """Look for the key anew and report every source, in order. Sends nothing.

        A key is kept once it is found; if another one is found now, a note says with which one calls go on.
        """

    def set_credentials(
        self,
        key: str | None = None,
        *,
        profile: str | None = None,
        app_token: str | AppToken | None = None,
        credential: Callable[[], Delivered] | None = None,
        anonymous: bool = False,
        keyring: bool | None = None,
        config_path: str | PathLike[str] | None = None,
    ) -> None:
        """Use another credential from now on; without arguments, what the environment offers.

        Operations under way keep theirs, for all of their requests.
        """

    def check(self) -> Check:
        """Ask fal whether it accepts the credential and what it may do. Runs nothing and costs nothing.

        That the key is refused is an answer; that fal could not be asked is an error.
        """

    def known_scope(self) -> Literal["API", "ADMIN"] | None:
        """The scope of the key in use, if it is known: from check(), or from what fal answered before."""

    def platform(self, name: _Name, /, **params: Any) -> Response:
        """Call an operation of the Platform API by its name, such as platform("models.pricing", endpoint_id="a/b").

        docs/platform.md lists all of them with their parameters. What is wrong with a parameter is told before anything
        is sent, as InvalidArgumentError.
        """

    def platform_start(self, name: _Name, /, **params: Any) -> Operation:
        """Start such a call and return at once."""

    def platform_list(
        self, name: _ListName, /, *, parse_float: Callable[[str], Any] | None = None, **params: Any
    ) -> Items:
        """Read a list of the Platform API element by element, through all its pages.

        The next page is asked for when the last element before it was read. limit is the size of a page. parse_float
        makes the fractions, such as decimal.Decimal.

        "serverless.logs.stream" gives the lines of a log as they are written, until it is forgotten.
        """

    def create_key(self, alias: str) -> NewKey:
        """Make an API key of this name, 1 to 255 characters. It works at once, and needs a client with an ADMIN key.

        Its secret is in the result and nowhere else, and comes only this time.
        """

    def revoke_key(self, id: str, *, allow_own: bool = False) -> None:
        """Revoke an API key by its id: it stops at once. The key of this client is revoked only if allow_own."""

    def mint_token(self, *apps: str, seconds: int = 120) -> AppToken:
        """Make a token that opens these apps for so many seconds, 1 to 3600, and nothing else. It needs a key."""

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: Any, /) -> Self: ...
    def __reduce__(self) -> NoReturn: ...

@final
class Items:
    """The elements of a list as they are read. Forgetting it ends the reading."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...
    def __reduce__(self) -> NoReturn: ...

@final
class NewKey:
    """A key that was just made. Its secret is overwritten in the core when this is forgotten."""

    @property
    def id(self) -> str:
        """The public half."""

    def secret(self) -> str:
        """The whole key, "<key id>:<key secret>". Python keeps the text as long as it likes: prefer store()."""

    def store(self, profile: str, *, activate: bool = False, config_path: str | PathLike[str] | None = None) -> Change:
        """Put the key into a profile of the configuration file, as store_key() does."""

    def store_in_keyring(self, account: str) -> None:
        """Put the key into the system keyring, as libfal.store_in_keyring() does."""

    def __reduce__(self) -> NoReturn: ...

@final
class Question:
    """A question of the core for a credential. The first answer counts."""

    def key(self, text: str, expires_in: float | None) -> None:
        """Answer with a key that is good for so many seconds."""

    def app_token(self, text: str, expires_in: float | None) -> None:
        """Answer with a short-lived token."""

    def absent(self, reason: str) -> None:
        """Say that a notebook has no key, and why, so that the next source is tried."""

    def fail(self, reason: str) -> None:
        """Say why there is no credential."""

@final
class Operation:
    """A call under way. Forgetting it neither cancels nor waits."""

    def done(self) -> bool:
        """Whether the call has ended. Never blocks."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the call has ended, at most timeout seconds, and say whether it has."""

    def cancel(self) -> None:
        """Ask the call to end with CancelledError. Any thread, any number of times."""

    def result(self, timeout: float | None = None) -> Response:
        """Wait for the answer, or raise the call's error; the same each time.

        Raises the built-in TimeoutError, and leaves the call alone, if it takes more than timeout seconds.
        """

    def __copy__(self) -> Self: ...
    def __deepcopy__(self, _memo: Any, /) -> Self: ...
    def __reduce__(self) -> NoReturn: ...

@final
class Response:
    """A successful answer. response["images"][0] looks into its JSON."""

    def __new__(cls, status: int, headers: Mapping[str, str], content: ReadableBuffer) -> Self: ...
    @property
    def status(self) -> int:
        """The HTTP status, 200 to 299."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers by their names in small letters."""

    @property
    def request_id(self) -> str | None:
        """fal's id of the request."""

    @property
    def content(self) -> bytes:
        """The body as received."""

    @property
    def text(self) -> str:
        """The body as text. Raises DecodeError if it is not UTF-8."""

    def json(self, *, parse_float: Callable[[str], Any] | None = None) -> Any:
        """The body as JSON, decoded at the first call. Raises DecodeError if it is not JSON.

        parse_float makes the fractions, as in json.loads: with decimal.Decimal no digit of an amount is lost.
        """

    def __getitem__(self, key: Any, /) -> Any: ...
    def __contains__(self, item: object, /) -> bool: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __reduce__(self) -> tuple[type[Response], tuple[int, dict[str, str], bytes]]: ...

def run(endpoint: str, input: Mapping[str, Any] | None = None, *, timeout: float | None = None) -> Response:
    """Run an endpoint with the client that the environment describes, made at the first call."""

def explain(
    key: str | None = None,
    *,
    profile: str | None = None,
    app_token: str | AppToken | None = None,
    credential: Callable[[], Delivered] | None = None,
    anonymous: bool = False,
    keyring: bool | None = None,
    config_path: str | PathLike[str] | None = None,
) -> Explanation:
    """Look for a key as a client with these options would, and report every source. Sends and asks nothing."""

def profiles(config_path: str | PathLike[str] | None = None) -> list[Profile]:
    """Every profile of the configuration file, in its order; none if there is no file.

    The file is config_path, else that of FAL_CONFIG_PATH, else ~/.fal/config.toml.
    """

def store_key(
    profile: str, key: str, *, activate: bool = False, config_path: str | PathLike[str] | None = None
) -> Change:
    """Put a key into a profile, in the place of one that is there, for every program on the machine.

    Makes the profile, the file and its folder if they are missing; whatever else is in the file stays. activate makes
    the profile the one that programs use where FAL_PROFILE names none.
    """

def remove_key(profile: str, *, config_path: str | PathLike[str] | None = None) -> Change:
    """Remove the key of a profile; and the profile, if then nothing is left in it."""

def store_in_keyring(account: str, key: str) -> None:
    """Put a key into the system keyring, in the place of one that is there, for every program of the user.

    account: a profile's name, or "default", which is what is read where FAL_PROFILE names none. It may ask the user to
    unlock the keyring, takes a minute at the most, and raises ResourceError if there is no keyring or it refuses.
    """

def remove_from_keyring(account: str) -> bool:
    """Remove the account's key from the system keyring; False if there is none. Raises as store_in_keyring() does."""

def set_active_profile(profile: str | None, *, config_path: str | PathLike[str] | None = None) -> Change:
    """Make a profile the one that programs use where FAL_PROFILE names none; None: no profile."""

def shutdown(timeout: float = 5.0) -> None:
    """Stop every thread of libfal: calls under way end with ShutDownError. Afterwards libfal can be used again."""

def _codes() -> list[tuple[str, str]]:
    """The name and the meaning of every code of the core."""
