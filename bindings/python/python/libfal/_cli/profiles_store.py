"""Stores a key under a name in fal's configuration file, which only its owner can read. All programs of the user find it there.

Asks for the key without showing it. If standard input is no terminal, its first line is the key.
"""

from __future__ import annotations

import argparse
import sys

from . import _change, _codes
from ._errors import UsageError
from ._output import Output

EXAMPLES = """
libfal profiles store work --use
pass show fal/work | libfal profiles store work
"""


def define(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the name, such as work")
    parser.add_argument("--use", action="store_true", help="make it the key that programs use")
    parser.add_argument("--replace", action="store_true", help="replace the key that the name has")


def execute(args: argparse.Namespace, out: Output) -> int:
    from .. import store_key

    _change.refuse_another(args.name, args.replace)
    key = _key()
    if not key:
        raise UsageError("no key was given", f"Run 'libfal profiles store {args.name}' in a terminal, or lead the key into standard input.")
    change = store_key(args.name, key, activate=args.use)
    _change.show(change, f"stored as {args.name!r} in {change.path}", out)
    _change.note_use(args.name, change.active, out)
    return _codes.OK


def _key() -> str:
    if sys.stdin is None:
        raise UsageError("there is no key, because standard input is closed")
    if sys.stdin.isatty():
        return _typed()
    return sys.stdin.buffer.readline(8192).decode(errors="replace").strip()


def _typed() -> str:
    """Asks for the key. Refuses a terminal that would show it."""
    import warnings
    from getpass import GetPassWarning, getpass

    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)
        try:
            return getpass("key (it is not shown): ").strip()
        except GetPassWarning:
            raise UsageError("the terminal would show the key", "Lead the key into standard input: libfal profiles store NAME < FILE") from None
        except EOFError:
            raise UsageError("no key was typed") from None
