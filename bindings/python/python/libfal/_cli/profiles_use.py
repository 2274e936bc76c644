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

    _change.show(set_active_profile(args.name), f"programs use {args.name!r}", out)
    return _codes.OK
