"""The Platform API: its operations as methods, lists, and new API keys."""

from __future__ import annotations

from . import _calls, _libfal, _loop, _store, _waiting
from ._calls import Call
from ._inputs import dumps
from ._response import element
from ._typing import imported
from ._values import _Path, maybe_function, path, text

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator
    from inspect import Signature
    from typing import Any, NoReturn, Protocol, final

    from typing_extensions import Self

    from ._libfal import Answer, Core
    from ._platform_methods import _AsyncPlatform, _Platform

    class _Client(Protocol):
        @property
        def default_timeout(self) -> float | None: ...
        def _open(self) -> Core: ...
        def _finish(self, call: Call[Any], /) -> Any: ...
else:
    from _collections_abc import AsyncIterator, Generator

    from ._typing import Any, Callable, Iterator, NoReturn, Self, final


class _Elements:
    """Reads the elements of a list."""

    is_over = False

    def __init__(self, parse_float: Callable[[str], Any] | None) -> None:
        self._parse_float = parse_float

    def of(self, event: Answer | None) -> list[Any]:
        return [element(event, self._parse_float)] if event else []

    def rest(self) -> list[Any]:
        return []


class _List:
    """A list that is not read yet."""

    def __init__(self, client: Any, name: str, params: dict[str, Any], parse_float: Callable[[str], Any] | None) -> None:
        self._client, self._name, self._params, self._parse_float = client, name, params, parse_float

    def _reading(self) -> tuple[Call[None], _Elements]:
        arguments = text("name", self._name), dumps(self._params, "params")
        call = Call(self._client._open().platform_list, arguments, lambda _: None, is_iterated=True)
        return call, _Elements(self._parse_float)

    def page(self) -> Any:
        """Return the first page as fal sent it, with members such as next_cursor. Pass cursor=… to get another one."""
        return self._client._finish(_calls.platform(self._client, self._name, self._params, self._parse_float))

    def __repr__(self) -> str:
        return f"<libfal.{type(self).__name__}: {self._name}>"


@final
class Items(_List):
    """The elements of a list of the Platform API, through all pages.

    A page is requested when the last element of the previous page has been read. Each iteration reads the list anew, and ends when its
    iterator is deleted. items["prices"] is a member of the first page.
    """

    def __iter__(self) -> Iterator[Any]:
        return _waiting.iterate(*self._reading())

    def __getitem__(self, key: str, /) -> Any:
        return self.page()[key]


@final
class AsyncItems(_List):
    """The elements of a list of the Platform API, through all pages, for async for. await items is the first page.

    A page is requested when the last element of the previous page has been read. Each iteration reads the list anew, and ends when its
    iterator is deleted.
    """

    def __aiter__(self) -> AsyncIterator[Any]:
        return _loop.Iteration(*self._reading())

    def __await__(self) -> Generator[Any, Any, Any]:
        awaited: Generator[Any, Any, Any] = self.page().__await__()
        return awaited


class _Operations:
    """Operations whose names begin alike."""

    def __init__(self, client: _Client, items: type[Items | AsyncItems] | None, name: str) -> None:
        # Named so that no operation can have these names.
        self._client, self._items, self._name = client, items, name

    def __getattr__(self, part: str) -> _Operation:
        name = f"{self._name}.{part}" if self._name else part
        if part.startswith("_") or not any(f"{one}.".startswith(f"{name}.") for one in _known()):
            raise AttributeError(f"the Platform API has no operation {name!r}")
        return _Operation(self._client, self._items, name)

    def __dir__(self) -> list[str]:
        begin = f"{self._name}." if self._name else ""
        parts = {name[len(begin) :].partition(".")[0] for name in _known() if name.startswith(begin)}
        return [*super().__dir__(), *parts]

    def _call(self, name: str, params: dict[str, Any], parse_float: Callable[[str], Any] | None) -> Any:
        if self._items and name in _known() and _known()[name][1]:
            return self._items(self._client, name, params, parse_float)
        return self._client._finish(_calls.platform(self._client, name, params, parse_float))


@final
class Platform(_Operations):
    """The operations of the Platform API, as methods, or by name: platform("models.pricing", endpoint_id="a/b").

    A wrong parameter raises InvalidArgumentError before anything is sent. parse_float converts fractions, for example decimal.Decimal.
    """

    def __call__(self, name: str, /, *, parse_float: Callable[[str], Any] | None = None, **params: Any) -> Any:
        return self._call(name, params, maybe_function("parse_float", parse_float))

    def __repr__(self) -> str:
        return "<libfal: the Platform API>"


@final
class _Operation(_Operations):
    """An operation, or the beginning of the names of several."""

    def __call__(self, **params: Any) -> Any:
        if self._name not in _known():
            raise TypeError(f"{self._name} is no operation of the Platform API, but the beginning of several names")
        return self._call(self._name, params, None)

    @property
    def __name__(self) -> str:
        return self._name

    def __get__(self, _it: object, _owner: object = None) -> Self:
        """Makes it a routine to help(), which then shows its parameters."""
        return self

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        names = ", ".join(name for name in _known() if name.startswith(f"{self._name}."))
        return _known().get(self._name, (f"No operation, but the beginning of these: {names}.",))[0]

    @property
    def __signature__(self) -> Signature:
        inspect = imported("inspect")
        words = _known().get(self._name, ("", False, ""))[2].split()
        kind, empty = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty
        made = [inspect.Parameter(word.rstrip("?"), kind, default=... if word.endswith("?") else empty) for word in words]
        signature: Signature = inspect.Signature(made)
        return signature

    def __repr__(self) -> str:
        return f"<libfal: {self._name} of the Platform API>"


def _known() -> dict[str, tuple[str, bool, str]]:
    """Returns all operations. Their table is imported when it is needed."""
    table: dict[str, tuple[str, bool, str]] = imported("libfal._platform_methods")._OPERATIONS
    return table


@final
class NewKey:
    """A new API key. Deleting the object overwrites the secret in the core."""

    _key: _libfal.NewKey

    def __new__(cls, *_: object) -> Self:
        raise TypeError("cannot create a libfal.NewKey: call SyncClient.create_key()")

    @classmethod
    def _of(cls, key: _libfal.NewKey) -> Self:
        made = object.__new__(cls)
        made._key = key
        return made

    @property
    def id(self) -> str:
        """The public half."""
        return self._key.id()

    def secret(self) -> str:
        """Return the whole key, "<key id>:<key secret>". Python does not overwrite the text in memory: prefer store()."""
        return self._key.secret()

    def store(self, profile: str, *, activate: bool = False, config_path: _Path | None = None) -> _store.Change:
        """Store the key in a profile of the configuration file, as store_key() does."""
        place = path("config_path", config_path)
        return _store.change(self._key.store(text("profile", profile), activate, place))

    def store_in_keyring(self, account: str) -> None:
        """Store the key in the system keyring, as libfal.store_in_keyring() does."""
        _waiting.work(self._key.store_in_keyring(text("account", account)))

    def __repr__(self) -> str:
        return f"<libfal.NewKey: {self._key.shown()}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a libfal.NewKey holds a secret and cannot be pickled; store it")


if TYPE_CHECKING:

    def platform(client: _Client) -> _Platform: ...

    def async_platform(client: _Client) -> _AsyncPlatform: ...
else:

    def platform(client):
        return Platform(client, Items, "")

    def async_platform(client):
        return Platform(client, AsyncItems, "")


# So that repr() and pickle use the public name.
for _class in (Items, AsyncItems, NewKey):
    _class.__module__ = "libfal"
