"""Shows where libfal looks for a key, in order, what is there, and which key it uses. Sends nothing, and shows no secret.

The exit code is 3 if there is no key that can be used.
"""

from __future__ import annotations

import argparse

from . import _codes
from ._output import Output

EXAMPLES = "libfal explain"


def define(parser: argparse.ArgumentParser) -> None:
    pass


def execute(args: argparse.Namespace, out: Output) -> int:
    from .. import explain

    found = explain(profile=args.profile)
    out.answer(found.to_dict(), [found.table.rstrip("\n")])
    return _codes.CREDENTIALS if found.problem else _codes.OK
