"""Lists the keys that are stored in fal's configuration file, by their names. Shows no secret. The active one has a star."""

from __future__ import annotations

import argparse

from . import _codes
from ._output import Output

EXAMPLES = """
libfal profiles
libfal profiles store work --use
"""


def notes(_words: list[str]) -> tuple[str, ...]:
    return ("'libfal profiles store', 'use' and 'remove' change the list.",)


def define(parser: argparse.ArgumentParser) -> None:
    pass


def execute(_args: argparse.Namespace, out: Output) -> int:
    from .. import profiles

    found = profiles()
    names = "name", "key_id", "problem", "host", "active", "line"
    lines = [f"{'*' if one.active else ' '} {one.name}  {one.key_id or '-'}{_remark(one.problem)}" for one in found]
    if not found and not out.json:
        out.note("there is no stored key\ndo:    libfal profiles store NAME")
    out.answer([{name: getattr(one, name) for name in names} for one in found], lines)
    return _codes.OK


def _remark(problem: str | None) -> str:
    return f"  ({problem})" if problem else ""
