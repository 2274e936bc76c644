"""Calls an operation of fal's Platform API by its name, and prints what it returns as JSON. Without a name: lists the operations.

A list is read through all of its pages. Each element is printed on a line of its own; with --json the elements are one list.
"""

from __future__ import annotations

import argparse
import json
from itertools import chain, islice

from libfal import Items

from .._platform_methods import _OPERATIONS
from . import _codes, _fields
from ._client import client as client_of
from ._errors import UsageError
from ._output import Output

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

EXAMPLES = """
libfal platform models.pricing endpoint_id=fal-ai/flux/dev
libfal platform models.list q=lighthouse --max 5
"""


def notes(words: list[str]) -> tuple[str, ...]:
    named = ["\n".join(_lines(word)) for word in words if word in _OPERATIONS]
    return (*named, _fields.RULE, "No parameter takes a file.")


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="the operation, such as models.pricing")
    parser.add_argument("fields", metavar="KEY=VALUE", nargs="*", default=[], help="its parameters, see below")
    parser.add_argument("--max", metavar="NUMBER", type=_count, help="print at most this many elements of a list")


def execute(args: argparse.Namespace, out: Output) -> int:
    if args.name is None:
        return _show_operations(out)
    if args.name == "keys.create":
        raise UsageError("the answer of keys.create is a secret", "Use 'libfal keys create', which protects it.")
    client = client_of(args, out)
    parameters = _fields.arguments(args.fields, out)
    if any(word.partition("=")[2].startswith("@") for word in args.fields):
        raise UsageError("an operation of the Platform API takes no file", "Upload it with 'libfal upload', and pass its URL.")
    found = client.platform(args.name, **parameters)
    if isinstance(found, Items):
        _list(islice(found, args.max), out)
    else:
        out.document(found)
    return _codes.OK


def _show_operations(out: Output) -> int:
    members = "summary", "is_list", "parameters"
    lines = chain.from_iterable(map(_lines, _OPERATIONS))
    out.answer({name: dict(zip(members, facts)) for name, facts in _OPERATIONS.items()}, lines)
    if not out.json:
        out.note("Parameters with ? are optional.")
    return _codes.OK


def _lines(name: str) -> list[str]:
    summary, _, parameters = _OPERATIONS[name]
    return [f"{name}: {summary}"] + [f"    {parameters}"] * bool(parameters)


def _list(elements: Iterator[Any], out: Output) -> None:
    if out.json:
        out.document(list(elements))
        return
    for element in elements:
        out.line(element if isinstance(element, str) else json.dumps(element, ensure_ascii=not out.is_unicode))


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("must be a number from 0")
    return int(text)
