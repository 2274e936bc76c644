"""Converts the input of a call to JSON text and to files that the core uploads.

Values of Python's own classes have the text of json.dumps, or are refused as no JSON. Of a subclass of list, tuple or dict, the elements
or items are those that its own methods yield, at most as many as its length; of a subclass of str, int or float, no method is called. The
core's own encoder converts plain inputs; only what it refuses comes to this module.
Classes of other packages are looked up in sys.modules: an object cannot be of a class whose module was not imported.
"""

from __future__ import annotations

import sys
from _collections_abc import Mapping, Sequence, Set
from itertools import islice

from . import _libfal, _media
from ._errors import refused
from ._typing import imported
from ._values import invalid

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn, Optional, Union

    _File = tuple[str, dict[str, object]]
    """A JSON pointer, and the upload whose URL takes its place."""
    _Place = Optional[tuple["_Place", Union[str, int]]]
    """The place of a value: that of its container, and its name or position there. None for the whole input."""

    _Take = Callable[[dict[str, object], _Place], bytes]
    """Takes a file, and returns the JSON text that stands for it."""

_DEPTH = 127
"""The levels of JSON that the core reads."""
_CONVERSIONS = 2 * _DEPTH
"""The objects that may stand for each other, one inside another."""
_DIGITS = 308
"""The digits of an integer that the core reads."""
_WHOLE = range(1 - 10**_DIGITS, 10**_DIGITS)
_INTEGERS = range(-(2**63), 2**64)
"""The integers of MessagePack."""
_KEY = 60
"""The characters of a key in an error."""
_PARTS = 8
"""The parts of a path in an error."""


def encode(arguments: Any, name: str = "arguments") -> tuple[bytes, list[_File]]:
    """Returns the JSON text of an input, which is an object, and its files. It reads open files and encodes pictures, so it may block.

    None is the empty input.
    """
    if type(arguments) is Encoded:
        return arguments.text, arguments.files
    if arguments is None:
        return b"{}", []
    files: list[_File] = []
    text = plain(arguments)
    if text is None:
        text = _Encoder(name, lambda upload, place: _added(files, upload, place)).encode(arguments)
    if not text.startswith(b"{"):
        raise TypeError(f"{name} must be a dict, not {_named(arguments)}")
    return text, files


class Encoded:
    """An input that was encoded before its call, on another thread."""

    __slots__ = ("files", "text")

    def __init__(self, text: bytes, files: list[_File]) -> None:
        self.text, self.files = text, files


def plain(value: Any) -> bytes | None:
    """Returns the JSON text of a value of Python's own classes, or None if its conversion may take longer."""
    return _libfal.dumps(value)


def dumps(value: Any, name: str) -> bytes:
    """Returns the JSON text of a value that may contain no files."""
    text = plain(value)
    return _Encoder(name, _refused).encode(value) if text is None else text


def message(value: Any, name: str = "arguments") -> bytes:
    """Returns the JSON text of a realtime message. The core sends its files as binary values, and integers of up to 64 bits."""
    text = plain(value)
    is_done = text is not None and not imported("re").search(rb"[0-9]{19}", text)
    return text if text and is_done else _Encoder(name, _binary, _INTEGERS).encode(value)


def application(text: str) -> str:
    """Returns the id of an endpoint for its full address, and any other text as it is."""
    if not isinstance(text, str) or not text.startswith("https://"):
        return text
    host, _, path = text[8:].partition("/")
    parts = path.partition("#")[0].partition("?")[0].strip("/").split("/")
    if host == "fal.ai" and parts[0] == "models":
        parts = parts[1:-1] if len(parts) > 3 and parts[-1] in ("api", "playground") else parts[1:]
    elif host not in ("fal.run", "queue.fal.run") or "requests" in parts:
        return text
    return "/".join(parts) if len(parts) > 1 else text


class _Encoder:
    """Writes one value."""

    def __init__(self, name: str, take: _Take, integers: range = _WHOLE) -> None:
        self._name = name
        self._take = take
        self._integers = integers
        self._written: list[bytes] = []
        self._uploads: dict[int, tuple[object, dict[str, object]]] = {}
        self._depth = 0
        # The containers and objects around the value that is being written.
        self._around: dict[int, object] = {}

    def encode(self, value: Any) -> bytes:
        try:
            self._value(value, None)
        except RecursionError as cause:
            raise invalid(f"{self._name} is nested too deeply", cause)
        return b"".join(self._written)

    def _value(self, it: Any, place: _Place) -> None:
        """Writes a value: what json.dumps accepts in the order of its checks, then files, then other classes."""
        text = plain(it) if place and place[0] is None and self._integers is _WHOLE else None
        if text is not None:
            self._written.append(text)
        elif isinstance(it, str):
            self._written.append(self._text(it, place))
        elif it is None or it is True or it is False:
            self._written.append({None: b"null", True: b"true", False: b"false"}[it])
        elif isinstance(it, int):
            self._written.append(self._integer(it, place))
        elif isinstance(it, float):
            self._written.append(self._number(float.__repr__(it), place))
        elif isinstance(it, (list, tuple)):
            self._array(it, it if type(it) in (list, tuple) else self._bounded(it, it, place), place)
        elif isinstance(it, dict):
            self._object(it, it.items() if type(it) is dict else self._bounded(it, it.items(), place), place)
        elif not self._file(it, _media.upload, place):
            self._other(it, place)

    def _file(self, it: Any, convert: Callable[[Any], dict[str, object] | None], place: _Place) -> bool:
        """Writes what stands for a file. Returns False if the value is none."""
        try:
            upload = self._uploads[id(it)][1] if id(it) in self._uploads else convert(it)
            if upload is None:
                return False
            self._written.append(self._take(upload, place))
        except TypeError as error:
            raise self._wrong(place, str(error)) from error
        except OSError as error:
            if error.filename is None:
                raise self._invalid(place, str(error).partition("\n")[0], error)
            raise refused(f'{_path(self._name, place)}: cannot read the file "{error.filename}": {error.strerror}', error)
        except ValueError as error:
            raise self._invalid(place, str(error).partition("\n")[0], error)
        # The object, so that no other one gets its id.
        self._uploads[id(it)] = it, upload
        return True

    def _other(self, it: Any, place: _Place) -> None:
        """Writes an object of a class that json.dumps refuses."""
        for module, name, convert in _CONVERTERS:
            cls = _media.known(module, name)
            if cls and isinstance(it, cls):
                return convert(self, it, place)
        if isinstance(it, Mapping):
            self._object(it, self._bounded(it, it.items(), place), place)
        elif isinstance(it, (Sequence, Set)):
            self._array(it, self._bounded(it, it, place), place)
        elif hasattr(type(it), "__dataclass_fields__"):
            names = [field.name for field in imported("dataclasses").fields(it)]
            self._object(it, [(name, getattr(it, name)) for name in names], place)
        elif not self._file(it, _media.open_file, place):
            self._refuse(it, place)

    def _refuse(self, it: object, place: _Place) -> NoReturn:
        raise self._wrong(place, f"{_named(it)} is neither JSON nor a file")

    def _bounded(self, it: Any, parts: Iterable[Any], place: _Place) -> list[Any]:
        """Returns the parts of a container, whose iteration may never end."""
        most = len(it)
        listed = list(islice(parts, min(most + 1, sys.maxsize)))
        if len(listed) > most:
            raise self._invalid(place, f"{_named(it)} has more elements than its length, {most}")
        return listed

    def _text(self, it: str, place: _Place) -> bytes:
        text = _libfal.dumps(str.__str__(it))
        if text is not None:
            return text
        if imported("re").search("[\ud800-\udfff]", it):
            raise self._invalid(place, "the text is not Unicode: it has half of a surrogate pair")
        # No other text is refused.
        raise MemoryError

    def _integer(self, it: int, place: _Place) -> bytes:
        # int() makes no use of the methods of a subclass.
        if int.__int__(it) not in self._integers:
            most = f"{_DIGITS} digits" if self._integers is _WHOLE else "64 bits"
            raise self._invalid(place, f"the integer has more than {most}")
        return int.__repr__(it).encode()

    def _number(self, text: str, place: _Place) -> bytes:
        if text.strip("-").isalpha():
            raise self._invalid(place, f"{text.replace('nan', 'NaN').replace('inf', 'Infinity')} is not JSON")
        return text.encode()

    def _object(self, it: object, members: Iterable[tuple[Any, Any]], place: _Place) -> None:
        def write(name: str, value: Any) -> None:
            self._written.append(self._text(name, place) + b":")
            self._value(value, (place, name))

        named: dict[str, Any] = {}
        listed = list(members)
        for key, value in listed:
            named[self._key(key, place)] = value
        if len(named) != len(listed):
            raise self._invalid(place, "two keys have the same text")
        self._inside(it, b"{}", place, named.items(), write)

    def _array(self, it: object, elements: Iterable[Any], place: _Place) -> None:
        self._inside(it, b"[]", place, enumerate(list(elements)), lambda at, value: self._value(value, (place, at)))

    def _inside(
        self,
        it: object,
        brackets: bytes,
        place: _Place,
        parts: Iterable[tuple[Any, Any]],
        write: Callable[[Any, Any], None],
    ) -> None:
        """Writes the parts of a container between brackets."""
        if self._depth == _DEPTH:
            raise self._invalid(place, f"it is deeper than {_DEPTH} levels")
        self._enter(it, place)
        self._depth += 1
        self._written.append(brackets[:1])
        first = True
        for name, value in parts:
            if not first:
                self._written.append(b",")
            first = False
            write(name, value)
        self._written.append(brackets[1:])
        self._depth -= 1
        del self._around[id(it)]

    def _enter(self, it: object, place: _Place) -> None:
        if id(it) in self._around:
            raise self._invalid(place, "it contains itself")
        if len(self._around) > _CONVERSIONS:
            raise self._invalid(place, "it is nested too deeply")
        self._around[id(it)] = it

    def _instead(self, it: object, value: Any, place: _Place) -> None:
        """Writes a value that stands for an object."""
        self._enter(it, place)
        self._value(value, place)
        del self._around[id(it)]

    def _key(self, key: Any, place: _Place) -> str:
        """Returns the text of a key by the rules of json.dumps."""
        if isinstance(key, str):
            return str.__str__(key)
        if key is None or key is True or key is False:
            return {None: "null", True: "true", False: "false"}[key]
        if isinstance(key, int):
            return self._integer(key, place).decode()
        if isinstance(key, float):
            return self._number(float.__repr__(key), place).decode()
        raise self._wrong(place, f"a key must be a str, int, float, bool or None, not {_named(key)}")

    def _decimal(self, it: Any, place: _Place) -> None:
        if not it.is_finite():
            raise self._invalid(place, f"{it} is not JSON")
        if it and it.adjusted() >= _DIGITS:
            raise self._invalid(place, f"the number has more than {_DIGITS} digits")
        self._written.append(imported("decimal").Decimal.__str__(it).encode())

    def _time(self, it: Any, place: _Place) -> None:
        # pandas' missing time is a datetime that differs from itself.
        if it != it:
            raise self._invalid(place, f"{it} is not JSON")
        self._instead(it, it.isoformat(), place)

    def _numpy_time(self, it: Any, place: _Place) -> None:
        if it != it:
            raise self._invalid(place, f"{it} is not JSON")
        self._instead(it, str(it), place)

    def _model(self, it: Any, place: _Place) -> None:
        # Version 2 has model_dump(). It leaves the members as they are, so that they are exact, or files.
        members = it.model_dump() if hasattr(it, "model_dump") else it.dict()
        # The whole value of version 1.
        self._instead(it, members["__root__"] if isinstance(members, dict) and [*members] == ["__root__"] else members, place)

    def _wrong(self, place: _Place, what: str) -> TypeError:
        return TypeError(f"{_path(self._name, place)}: {what}")

    def _invalid(self, place: _Place, what: str, cause: BaseException | None = None) -> Exception:
        return invalid(f"{_path(self._name, place)}: {what}", cause)


_CONVERTERS: list[tuple[str, str, Callable[[_Encoder, Any, _Place], None]]] = [
    ("decimal", "Decimal", _Encoder._decimal),
    ("datetime", "date", _Encoder._time),
    ("datetime", "time", _Encoder._time),
    ("uuid", "UUID", lambda encoder, it, place: encoder._instead(it, str(it), place)),
    # Before Python 3.10, it is no Sequence.
    ("array", "array", lambda encoder, it, place: encoder._instead(it, it.tolist(), place)),
    ("collections", "UserString", lambda encoder, it, place: encoder._instead(it, str(it), place)),
    ("enum", "Enum", lambda encoder, it, place: encoder._instead(it, it.value, place)),
    ("pydantic.main", "BaseModel", _Encoder._model),
    ("pydantic.v1.main", "BaseModel", _Encoder._model),
    ("pydantic.networks", "AnyUrl", lambda encoder, it, place: encoder._instead(it, str(it), place)),
    ("pydantic_core", "Url", lambda encoder, it, place: encoder._instead(it, str(it), place)),
    ("numpy", "bool_", lambda encoder, it, place: encoder._instead(it, bool(it), place)),
    ("numpy", "timedelta64", lambda encoder, it, place: encoder._refuse(it, place)),
    ("numpy", "integer", lambda encoder, it, place: encoder._instead(it, int(it), place)),
    ("numpy", "floating", lambda encoder, it, place: encoder._instead(it, float(it), place)),
    ("numpy", "datetime64", _Encoder._numpy_time),
    ("numpy", "ndarray", lambda encoder, it, place: encoder._instead(it, it[()], place)),
]
"""How objects of other classes are converted. An array that comes here has no dimension."""


def _added(files: list[_File], upload: dict[str, object], place: _Place) -> bytes:
    """Adds a file to an input. The core puts its URL into its place."""
    if place:
        _media.check_file(upload)
    files.append((_pointer(place), upload))
    return b'""'


def _refused(_upload: dict[str, object], _place: _Place) -> bytes:
    raise TypeError("a file can only be part of the input of a run or a job")


def _binary(upload: dict[str, object], _place: _Place) -> bytes:
    data = upload.get("data")
    if not isinstance(data, bytes):
        raise TypeError("a path cannot be part of a message; send the bytes of the file")
    return b'{"$bytes":"' + _media.base64(data) + b'"}'


def _pointer(place: _Place) -> str:
    parts: list[str] = []
    while place is not None:
        place, part = place
        parts.append(str(part).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{part}" for part in reversed(parts))


def _path(name: str, place: _Place) -> str:
    """Returns a place as Python writes it."""
    parts: list[str] = []
    while place is not None:
        place, part = place
        shown = part if isinstance(part, int) or len(part) <= _KEY else f"{part[:_KEY]}…"
        parts.append(f"[{shown}]" if isinstance(shown, int) else f"[{(plain(shown) or b'').decode()}]")
    parts.reverse()
    return name + "".join(parts if len(parts) <= _PARTS else [*parts[: _PARTS - 1], "…", parts[-1]])


def _named(it: object) -> str:
    cls = type(it)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
