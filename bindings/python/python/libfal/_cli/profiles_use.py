"""Makes a stored key the one that programs use if FAL_PROFILE is not set."""

from __future__ import annotations

import argparse

from . import _change, _codes
from ._output import Output

EXAMPLES = "libfal profiles use work"


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a name that 'libfal profiles' lists")


def execute(args: argparse.Namespace, out: Output) -> int:
    from .. import set_active_profile

    with _change.known(args.name):
        change = set_active_profile(args.name)
    _change.show(change, f"{args.name!r} is active", out)
    _change.note_use(args.name, change.active, out)
    return _codes.OK
