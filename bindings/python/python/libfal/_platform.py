"""Lists of the Platform API, and new API keys."""

from __future__ import annotations

from . import _libfal, _store, _waiting
from ._libfal import Answer, Op
from ._response import element
from ._values import _Path, path, text
from ._waiting import value_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, final

    from typing_extensions import Self
else:
    from ._typing import Any, Callable, NoReturn, Self, final


@final
class Items:
    """An iterator over the elements of a list. Deleting it ends the reading."""

    _op: Op
    _parse_float: Callable[[str], Any] | None
    _over: bool

    def __new__(cls, *_: object) -> Self:
        raise TypeError("cannot create libfal.Items: call Client.platform_list()")

    @classmethod
    def _of(cls, op: Op, parse_float: Callable[[str], Any] | None) -> Self:
        items = object.__new__(cls)
        items._op = op
        items._parse_float = parse_float
        items._over = False
        return items

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        most = _waiting.step()
        while not self._over:
            found = value_of(self._op.next(most))
            if isinstance(found, Answer):
                return element(found, self._parse_float)
            if found is False:
                self._over = True
                value_of(self._op.outcome())
        raise StopIteration

    def __reduce__(self) -> NoReturn:
        raise TypeError("a list that is being read belongs to its process and cannot be pickled")


@final
class NewKey:
    """A new API key. Deleting the object overwrites the secret in the core."""

    _key: _libfal.NewKey

    def __new__(cls, *_: object) -> Self:
        raise TypeError("cannot create a libfal.NewKey: call Client.create_key()")

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


# So that repr() and pickle use the public name.
for _class in (Items, NewKey):
    _class.__module__ = "libfal"
