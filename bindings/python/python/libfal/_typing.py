"""What libfal uses of dataclasses and typing at run time, without their imports, which take longer than that of libfal."""

from __future__ import annotations

import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn


def final(cls: type[Any]) -> type[Any]:
    """Does what typing.final does."""
    cls.__final__ = True
    return cls


def dataclass(**options: bool) -> Callable[[type[Any]], type[Any]]:
    """Does what dataclasses.dataclass(frozen=True) does, except that the class defines its constructor."""
    return lambda cls: _completed(cls, options)


def _completed(cls: type[Any], options: dict[str, bool]) -> type[Any]:
    """Adds what a frozen dataclass has. A method that the class defines stays."""
    names = tuple(cls.__annotations__)

    def values(it: object) -> tuple[object, ...]:
        return tuple(getattr(it, name) for name in names)

    def __eq__(self: object, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: object) -> int:
        return hash(values(self))

    def __repr__(self: object) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({shown})"

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


def fill(it: object, values: dict[str, Any]) -> None:
    """Sets the fields of an object to the arguments of its constructor."""
    del values["self"]
    it.__dict__.update(values)


def _refuse(message: str) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(message)


class _Later:
    """An attribute that the functions of dataclasses read. The first of them makes it."""

    def __init__(self, cls: type[Any], name: str, options: dict[str, bool]) -> None:
        self._cls, self._name, self._options = cls, name, options

    def __get__(self, _it: object, _owner: type[Any]) -> Any:
        import dataclasses

        fields = self._cls.__annotations__
        defaults = {name: getattr(self._cls, name) for name in fields if hasattr(self._cls, name)}
        twin = type(self._cls.__name__, (), {"__annotations__": fields, **defaults})
        return getattr(dataclasses.dataclass(**self._options)(twin), self._name)
