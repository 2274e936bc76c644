"""What libfal uses of dataclasses and typing at run time, without their imports, which take longer than that of libfal.

Annotations name types that only type checkers need. Here are stand-ins for them, so that typing.get_type_hints() finds each name: the
usual type of an argument, or object.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
    from types import ModuleType, TracebackType
    from typing import Any, NoReturn, SupportsIndex

    from _typeshed import ReadableBuffer
    from typing_extensions import Self
else:
    from _collections_abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    Any = NoReturn = Self = TracebackType = object
    ReadableBuffer = bytes
    SupportsIndex = int

_importing = RLock()
if hasattr(os, "register_at_fork"):
    # A child could not finish an import of another thread.
    os.register_at_fork(before=_importing.acquire, after_in_parent=_importing.release, after_in_child=_importing.release)


def imported(name: str) -> ModuleType:
    """Returns a module that few programs need, and imports it if necessary."""
    with _importing:
        __import__(name)
        return sys.modules[name]


class Generic:
    """A base class that does nothing."""

    def __class_getitem__(cls, _: object) -> type[Generic]:
        return cls


class Literal(Generic):
    """Stands for the type of its texts."""


def final(cls: type[Any]) -> type[Any]:
    """Does what typing.final does."""
    cls.__final__ = True
    return cls


def dataclass(**options: bool) -> Callable[[type[Any]], type[Any]]:
    """Does what dataclasses.dataclass(frozen=True) does, except that the class defines its constructor."""
    return lambda cls: _completed(cls, options)


def _completed(cls: type[Any], options: dict[str, bool]) -> type[Any]:
    """Adds what a frozen dataclass has. A method that the class defines stays."""
    names = tuple(getattr(cls, "__annotations__", ()))
    shown = [name for name in names if name not in _omitted(cls)]

    def values(it: object) -> tuple[object, ...]:
        return tuple(getattr(it, name) for name in names)

    def __eq__(self: object, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: object) -> int:
        return hash(values(self))

    def __repr__(self: object) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{self.__class__.__qualname__}({values})"

    def __setattr__(self: object, name: str, value: object) -> None:
        if type(self) is cls or name in names:
            _refuse(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: object, name: str) -> None:
        if type(self) is cls or name in names:
            _refuse(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    def __replace__(self: object, /, **changes: object) -> object:
        return self.__class__(**{name: getattr(self, name) for name in names} | changes)

    methods = [__eq__, __hash__, __repr__, __setattr__, __delattr__]
    if sys.version_info >= (3, 13):
        methods.append(__replace__)
    for method in methods:
        if method.__name__ not in vars(cls):
            method.__module__, method.__qualname__ = cls.__module__, f"{cls.__qualname__}.{method.__name__}"
            setattr(cls, method.__name__, method)
    setattr(cls, "__match_args__", names)
    for name in ("__dataclass_fields__", "__dataclass_params__"):
        setattr(cls, name, _Later(cls, name, options))
    return cls


def _omitted(cls: type[Any]) -> tuple[str, ...]:
    """Returns the fields that repr() does not show."""
    omitted: tuple[str, ...] = getattr(cls, "_omitted", ())
    return omitted


def fill(it: object, values: dict[str, Any]) -> None:
    """Sets the fields of an object to the arguments of its constructor."""
    del values["self"]
    it.__dict__.update(values)


def _refuse(message: str) -> NoReturn:
    raise imported("dataclasses").FrozenInstanceError(message)


class _Later:
    """An attribute that the functions of dataclasses read. The first of them makes it."""

    def __init__(self, cls: type[Any], name: str, options: dict[str, bool]) -> None:
        self._cls, self._name, self._options = cls, name, options

    def __get__(self, _it: object, _owner: type[Any]) -> Any:
        dataclasses = imported("dataclasses")
        fields = getattr(self._cls, "__annotations__", {})
        defaults = {name: getattr(self._cls, name) for name in fields if hasattr(self._cls, name)}
        hidden = {name: dataclasses.field(repr=False) for name in _omitted(self._cls)}
        twin = type(self._cls.__name__, (), {"__annotations__": fields, **defaults, **hidden})
        return getattr(dataclasses.dataclass(**self._options)(twin), self._name)
