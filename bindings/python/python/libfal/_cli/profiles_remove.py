"""Removes a stored key from this computer. fal still accepts the key: 'libfal keys revoke' ends that."""

from __future__ import annotations

import argparse

from . import _change, _codes
from ._output import Output

EXAMPLES = "libfal profiles remove work"


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a name that 'libfal profiles' lists")


def execute(args: argparse.Namespace, out: Output) -> int:
    from .. import remove_key

    with _change.known(args.name):
        change = remove_key(args.name)
    _change.show(change, f"removed {args.name!r}, the key {change.previous_key_id or '-'}", out)
    another = _change.choice()
    if change.active is None and another:
        out.note(f"note: no profile is active now\ndo:    {another}")
    return _codes.OK
