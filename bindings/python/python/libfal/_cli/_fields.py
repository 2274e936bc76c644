"""Reads an input from words such as prompt="a cat", image=@photo.png, size.width=512, @input.json and -."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from ._errors import UsageError
from ._output import Output

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

RULE = """\
KEY=VALUE:
  VALUE is JSON if it parses as JSON, else text: seed=42, sharp=true,
  prompt="a cat", tags='["a","b"]'. Text that is JSON, too: prompt='"42"'.
  KEY=@FILE uploads the file, and puts its URL there. Text that begins with
  an @ is written as JSON: prompt='"@me"'.
  A dot in KEY leads into an object or a list: image_size.width=512,
  loras.0.scale=0.5. A dot that is part of a name is written \\.
  @FILE.json is the whole input, and - is the whole input from standard input.
  Fields beside it replace its own."""


def arguments(words: Sequence[str], out: Output) -> dict[str, Any]:
    """Returns the input that the words describe."""
    fields = [word for word in words if not _is_whole(word)]
    whole = [word for word in words if _is_whole(word)]
    if len(whole) > 1:
        raise UsageError("only one whole input can be given", "Give one of @FILE and -, and fields beside it.")
    made = _whole(whole[0], out) if whole else {}
    given: set[tuple[str, ...]] = set()
    for word in fields:
        keys, value = _field(word, out)
        if any(keys[: len(other)] == other or other[: len(keys)] == keys for other in given):
            raise UsageError(f"{'.'.join(keys)} is given twice")
        given.add(keys)
        _put(made, keys, value)
    return made


def _is_whole(word: str) -> bool:
    return word == "-" or word.startswith("@")


def _whole(word: str, out: Output) -> dict[str, Any]:
    if word == "-":
        place = "standard input"
        if sys.stdin is None:
            raise UsageError("standard input is closed")
        if sys.stdin.isatty():
            out.note("reading JSON from standard input; end it with Ctrl-D")
        data = sys.stdin.buffer.read()
    else:
        place = word[1:]
        data = _file(place).read_bytes()
    try:
        value = json.loads(data)
    except ValueError as error:
        raise UsageError(f"{place} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{place} must contain a JSON object, not {type(value).__name__}")
    return value


def _field(word: str, out: Output) -> tuple[tuple[str, ...], Any]:
    name, equals, text = word.partition("=")
    if not equals:
        raise UsageError("an argument is neither KEY=VALUE, nor @FILE, nor -", "Put quotes around a text with spaces: prompt=\"a cat\".")
    if name.endswith(":"):
        raise UsageError(f"{name}= is no field", f"Write {name[:-1]}=VALUE: libfal reads VALUE as JSON if it is JSON.")
    keys = tuple(key.replace("\0", ".") for key in name.replace("\\.", "\0").split("."))
    if not all(keys):
        raise UsageError(f"a part of the name {name!r} is empty")
    return keys, _value(name, text, out)


def _value(name: str, text: str, out: Output) -> Any:
    if text.startswith("@"):
        return _file(text[1:])
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_fraction)
    except (ValueError, RecursionError) as error:
        if re.match(r'\s*(\{|\[\s*["{\d])', text):
            out.note(f"note: the value of {name} is sent as text, because it is not JSON: {error}")
        return text


def _refuse(_name: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _fraction(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large")
    return value


def _file(name: str) -> Path:
    """Returns the path of a file that can be read. The shell does not replace ~ after an @."""
    path = Path(name).expanduser()
    if not name or not path.is_file():
        what = "is a folder" if name and path.is_dir() else "does not exist"
        raise UsageError(f"the file {name!r} {what}", "To send a text that begins with @, write it as JSON: '\"@...\"'.")
    with path.open("rb"):
        return path


def _put(made: Any, keys: tuple[str, ...], value: Any) -> None:
    """Puts a value into objects and lists, which are made as needed."""
    for key, after in zip(keys, keys[1:]):
        if _entry(made, key, keys) is None:
            _set(made, key, [] if after == "0" else {})
        made = _entry(made, key, keys)
    _entry(made, keys[-1], keys)
    _set(made, keys[-1], value)


def _entry(made: Any, key: str, keys: tuple[str, ...]) -> Any:
    """Returns what is at the key, or None. Raises an error if nothing can be there."""
    if isinstance(made, dict):
        return made.get(key)
    name = ".".join(keys)
    if not isinstance(made, list):
        raise UsageError(f"{name} lies inside a value that is neither an object nor a list")
    if not re.fullmatch("[0-9]{1,6}", key) or int(key) > len(made):
        raise UsageError(f"{key!r} in {name} is not a number up to {len(made)}, the next one of the list")
    return made[int(key)] if int(key) < len(made) else None


def _set(made: Any, key: str, value: Any) -> None:
    if isinstance(made, dict):
        made[key] = value
    elif int(key) < len(made):
        made[int(key)] = value
    else:
        made.append(value)
